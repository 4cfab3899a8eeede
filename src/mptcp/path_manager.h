/*
 * What the paths and the subflows have to do with each other (RFC 8684 3.4): what the path manager of the connection
 * wishes, what the peer is told and tells of addresses, and whether one of which it says that it is gone answers. It
 * knows paths and subflows, and no connection.
 */
#ifndef HW_MPTCP_PATH_MANAGER_H
#define HW_MPTCP_PATH_MANAGER_H

#include "mptcp/path_policy.h"
#include "mptcp/subflows.h"
#include "wire/tcp_options.h"

/* All that it works with; borrowed. */
struct path_manager {
    struct paths *paths;
    struct list *subflows;
    struct path_locals locals;
    struct account *payer;  /* of what is remembered */
    bool end_missing;       /* more of the peer's stream is to come, or its end */
    unsigned subflow_limit; /* so many there may be */
    uint64_t bytes;         /* that the peer acknowledged, and that the program read */
    const struct identity *id;
    struct counters *counters;
};

/* Those whose addresses are in doubt, and that did not answer when it was due, are asked again, or go. */
void path_manager_judge(struct list *subflows, uint64_t now_ns);
/* Says what is due of addresses. */
void path_manager_speak_up(const struct path_manager *pm, uint64_t now_ns);
/* When that, or path_manager_decide(), is to be called. What is sent or received opens a full row, so that the time may
 * come closer with each packet. */
uint64_t path_manager_due(const struct path_manager *pm, uint64_t now_ns);

struct path_wishes {
    struct path_wish opens[SUBFLOWS_MAX];
    unsigned count;
    bool in_vain; /* none, now or later, and no subflow is left: all refused */
};
/* What is to be opened now. The rest of the wishes is done: subflows that nobody needs go, priorities change; what is
 * to be told, path_manager_speak_up() says. */
void path_manager_decide(const struct path_manager *pm, struct path_wishes *wishes, uint64_t now_ns);
/* What it opened for it is this, or could not be opened: that is looked at again. */
void path_manager_opened(const struct path_manager *pm, const struct path_wish *wish, struct subflow *subflow,
                         const struct hawser_env *env);
void path_manager_unopened(const struct path_manager *pm, const struct path_wish *wish, uint64_t now_ns);

/* Whether the peer shall use the subflow only when no regular one works: it is told so (RFC 8684 3.3.8). */
void path_manager_set_backup(const struct path_manager *pm, struct subflow *subflow, bool backup);

/* ---- facts ---- */

/* The subflow went silent; a join that went unanswered often enough is over. True when it counts as silent. */
bool path_manager_silent(struct subflow *subflow, uint64_t now_ns);
/* The subflow is over. */
void path_manager_closed(const struct path_manager *pm, const struct subflow *subflow, uint64_t now_ns);
/* May the peer have a subflow between these, beside the first? */
bool path_manager_admits(const struct path_manager *pm, const struct hawser_addr *local,
                         const struct hawser_addr *remote);
/* Is the peer to use subflows to that address of ours only when no regular one works? */
bool path_manager_is_backup(const struct path_manager *pm, const struct hawser_addr *local);
/* How long the end of our stream is to wait for joins under way: a peer that has it may refuse them (Linux does). 0:
 * none is. */
uint64_t path_manager_patience(const struct path_manager *pm);

/* Is there a pair but for that subflow's, or may there be one? */
bool path_manager_has_others(const struct path_manager *pm, const struct subflow *last);

/* The host is about to lose an address. */
void path_manager_local_removed(const struct path_manager *pm, const struct local_address *local);
/* That of a subflow that rested is gone for good. */
void path_manager_local_left(const struct path_manager *pm, const struct subflow *subflow);
/* Peers are to reach one elsewhere. */
void path_manager_local_moved(const struct path_manager *pm, const struct local_address *local);
/* That of the host's, or NULL. */
const struct local_address *path_manager_local(const struct path_manager *pm, const struct hawser_addr *addr);
/* The ID of an address of ours. */
uint8_t path_manager_local_id(const struct path_manager *pm, const struct hawser_addr *addr);

/* ---- options ---- */

void path_manager_take_add_addr(const struct path_manager *pm, struct subflow *subflow, const struct mp_add_addr *add,
                                uint64_t now_ns);
void path_manager_take_remove_addr(const struct path_manager *pm, const struct mp_remove_addr *remove, uint64_t now_ns);
/* A segment came that may show that an address is not gone. */
void path_manager_note_answer(struct subflow *subflow, const struct tcp_segment *segment, uint64_t now_ns);

/* The options that are owed, on a bare acknowledgement; and what of them left, when some did. */
void path_manager_write(const struct path_manager *pm, const struct subflow *subflow, struct tcp_options *options);
void path_manager_sent(const struct path_manager *pm, struct subflow *subflow, const struct mptcp_options *sent);

#endif
