/*
 * By which uplink a connection begins. Most destinations speak plain TCP, and a connection to one of these stays where
 * it began: so this spreads them. The stack tries the other uplinks when the first one does not answer; one that did
 * not, where another did, is held back for a while.
 */
#ifndef HW_APPS_SERVICE_CHOICE_H
#define HW_APPS_SERVICE_CHOICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/path_manager.h>

#include "base/units.h"
#include "service/demands.h"

enum {
    CHOICE_SOURCES = 64, /* as many as a stack has addresses, and as there may be prefixes */
    CHOICE_RULES = 256,
};
/* What is dead delays one connection in so much time. */
#define CHOICE_HELD_BACK_NS (10 * NS_PER_S)

/* An address of the stack, and the uplink that it stands for. */
struct choice_source {
    struct hawser_addr addr; /* port 0 */
    char uplink[NAME_SIZE];
    uint32_t rank;         /* the least is the first in order */
    uint64_t turns;        /* connections that began there */
    uint64_t held_back_ns; /* until then */
    bool idle;             /* nothing is plugged in */
    bool gone;             /* it may come back */
};

/* Destinations that begin by an uplink. */
struct choice_rule {
    struct hawser_addr net;
    uint8_t bits;
    char uplink[NAME_SIZE];
};

struct choice {
    struct choice_source sources[CHOICE_SOURCES];
    struct choice_rule rules[CHOICE_RULES];
    unsigned source_count, rule_count;
    struct name_list backup; /* uplinks where connections begin last, unless who asks says otherwise */
    bool share;              /* connections take turns; else all begin by the first that works */
};

void choice_init(struct choice *choice);

/* Goes by these from now on, and by nothing that was set before: "order", "share", or "PREFIX=UPLINK", such as
 * "192.0.2.0/24=wan1": of those rules that match the longest holds. Returns 0, or -EINVAL or -ENOSPC with nothing
 * changed and one line in `why`. */
int choice_set(struct choice *choice, const char *const *texts, unsigned count, char *why, size_t why_size);

/* An address of the stack came. Returns 0, -EEXIST, -EINVAL (a name that is too long) or -ENOSPC. */
int choice_came(struct choice *choice, const char *uplink, const struct hawser_addr *addr, uint32_t rank);
void choice_went(struct choice *choice, const struct hawser_addr *addr);
/* Nothing is plugged in there: no connection begins there, until it has come again. */
void choice_rests(struct choice *choice, const struct hawser_addr *addr);

/* Is there an uplink of that name now? */
bool choice_knows(const struct choice *choice, const char *uplink);
/* The uplink that an address of the stack stands for, whatever its port; NULL: none. */
const char *choice_name(const struct choice *choice, const struct hawser_addr *addr);
/* The names of all that there are, as text: "wan0, wan1". */
void choice_list(const struct choice *choice, char *out, size_t size);

/* Where a connection to `to` begins. `demands` may be NULL. False: nowhere in particular; or, if they name uplinks,
 * nowhere at all. */
bool choice_take(struct choice *choice, const struct demands *demands, const struct hawser_addr *to, uint64_t now_ns,
                 struct hawser_addr *out);

struct choice_room {
    struct hawser_prefix own[CHOICE_SOURCES], backup[CHOICE_SOURCES];
};

/* Adds to `paths` which addresses a connection may have, and which of them are backups; the lists lie in `room`. So
 * does what has gone and may come back. */
void choice_limit(const struct choice *choice, const struct demands *demands, struct choice_room *room,
                  struct hawser_path_options *paths);

/* What was begun at `first` was answered at `used`: the addresses may have ports. */
void choice_learn(struct choice *choice, const struct hawser_addr *first, const struct hawser_addr *used,
                  uint64_t now_ns);

#endif
