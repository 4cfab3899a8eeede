/*
 * What the program was told of a connection or a listener, so that it is told what is new: events are edges
 * (<hawser/event.h>). It knows neither of them.
 */
#ifndef HW_MPTCP_TOLD_H
#define HW_MPTCP_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct told {
    struct list link; /* in the host's `events`, while there is something new */
    uint32_t came;    /* how much had come, modulo 2^32, when it was told last */
    uint16_t what;    /* set of HAWSER_READABLE... that is known */
    bool of_listener;
};

void told_init(struct told *told, bool of_listener);

/* Of what is now, what is new. `came` counts what HAWSER_READABLE, HAWSER_ACCEPTABLE and HAWSER_REQUESTED tell of. */
unsigned told_news(const struct told *told, unsigned is, uint32_t came);
/* It stands in line while there are news, and keeps its place. */
void told_line_up(struct told *told, struct list *line, bool news);
static inline void told_leave(struct told *told) { list_remove(&told->link); }
static inline bool told_waits(const struct told *told) { return !list_empty(&told->link); }
/* The program knows, from now on. It leaves the line. */
void told_note(struct told *told, unsigned news, uint32_t came);
/* It wants to hear of this again, once it is. */
static inline void told_forget(struct told *told, unsigned what) { told->what &= (uint16_t)~what; }

static inline bool told_of_listener(const struct told *told) { return told->of_listener; }
static inline struct told *told_at(struct list *node) { return LIST_ENTRY(node, struct told, link); }

#endif
