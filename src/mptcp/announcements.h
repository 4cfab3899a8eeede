/*
 * What the peer must be told of addresses (RFC 8684 3.4): ours that came, until it echoes them; ours that are gone, and
 * priorities of subflows (3.3.8), some times, since nobody acknowledges that; and the echoes of its own. All of it goes
 * on bare acknowledgements, which may be lost.
 */
#ifndef HW_MPTCP_ANNOUNCEMENTS_H
#define HW_MPTCP_ANNOUNCEMENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/mptcp_options.h"

#define ANNOUNCEMENTS_MAX 64
/* The peer repeats what is not echoed. */
#define ECHOES_MAX 8
/* How often an address that is not echoed is announced, a removal told on every subflow, and a priority on its own. */
#define ANNOUNCE_TRIES_MAX 5
#define REMOVE_ROUNDS_MAX 3
#define PRIORITY_ROUNDS_MAX 3

struct announced {
    uint16_t port; /* 0: none in particular */
    uint8_t id, tries;
    bool due;
};

struct removed {
    uint8_t id, rounds;
};

struct echo {
    struct hawser_addr addr;
    uint8_t id;
    bool is_v4, has_port;
};

struct announcements {
    struct announced added[ANNOUNCEMENTS_MAX];
    struct removed removed[MPTCP_REMOVE_MAX];
    struct echo echoes[ECHOES_MAX];
    uint8_t added_count, removed_count, echo_count;
    uint8_t priority_rounds;
    bool fresh;           /* something came since announcements_turn() */
    uint32_t tell_on;     /* slots of subflows on which the removals are still to be told in this round */
    uint32_t priority_on; /* likewise those that are to tell their priority, */
    uint32_t priority_of; /* and those that are to do so in each round */
    uint64_t again_ns;    /* when what is not answered is said again; TIME_NEVER: nothing is */
};

void announcements_init(struct announcements *a);
bool announcements_empty(const struct announcements *a);

/* The address with that ID is ours, and to be joined at that port, if it is not 0. False when there are too many. */
bool announcements_add(struct announcements *a, uint8_t id, uint16_t port);
/* The peer echoed it. What it was not told yet, it cannot have: that is an echo of what had this ID before. */
void announcements_echoed(struct announcements *a, uint8_t id);
/* It is not to be announced any more. True when it was, and no echo came. */
bool announcements_take_back(struct announcements *a, uint8_t id);
/* Was the peer told? Also when it is not owed any more. */
bool announcements_said(const struct announcements *a, uint8_t id);
/* It is gone, and so is its announcement. False when another removal had to be forgotten for it. */
bool announcements_remove(struct announcements *a, uint8_t id);
/* May the peer still take that ID for an address that is gone? Then no other may have it (RFC 8684 3.4.1). */
bool announcements_settling(const struct announcements *a, uint8_t id);
/* The subflow in that slot changed its priority. */
void announcements_tell_priority(struct announcements *a, uint8_t slot);
/* The peer's announcement is to be echoed. False when too many are: it will come again. */
bool announcements_echo(struct announcements *a, const struct mp_add_addr *add);

/* When announcements_turn() is to be called, or TIME_NEVER. */
static inline uint64_t announcements_due(const struct announcements *a) { return a->fresh ? 0 : a->again_ns; }
/*
 * What is new is due, and once `again_ns` has come whatever is not answered; `slots` are those of the subflows that can
 * tell, and after `repeat_ns` it is time again. Returns how many announcements were given up.
 */
unsigned announcements_turn(struct announcements *a, uint32_t slots, uint64_t repeat_ns, uint64_t now_ns);
/* Is something due that the subflow in `slot` itself must tell, a removal or its priority? */
bool announcements_due_on(const struct announcements *a, uint8_t slot);
/* What is due that any of them can tell: so many bare acknowledgements. */
unsigned announcements_due_anywhere(const struct announcements *a);

/* Adds the removals that are due on that subflow. */
void announcements_write_removals(const struct announcements *a, uint8_t slot, struct mptcp_options *mp);
/* Adds its priority if that is due. */
void announcements_write_priority(const struct announcements *a, uint8_t slot, bool backup, struct mptcp_options *mp);
/* Adds an echo; false when none is due. */
bool announcements_write_echo(const struct announcements *a, struct mptcp_options *mp);
/* The announcement that is due next, or NULL. */
const struct announced *announcements_next(const struct announcements *a);

/* These options left on that subflow. True when they announced an address for the first time. */
bool announcements_sent(struct announcements *a, uint8_t slot, const struct mptcp_options *sent);

#endif
