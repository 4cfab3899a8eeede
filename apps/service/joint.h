/*
 * Joints: two ends that are one connection to the programs at their far sides. Bytes pass from one to the other by
 * reference, no faster than the other takes them; the end of a stream becomes the end of the other's, and what fails at
 * one end is a reset at the other, at once.
 */
#ifndef HW_APPS_SERVICE_JOINT_H
#define HW_APPS_SERVICE_JOINT_H

#include <hawser/hawser.h>

#include "base/list.h"
#include "service/end.h"

enum {
    JOINT_TURN_BYTES = 64 * 1024,        /* of one direction, before another one has its turn */
    JOINTS_TURN_BYTES = 4 * 1024 * 1024, /* of all, before the network has its turn */
    /* Taken from one end and not yet by the other, at most a slice a direction, and of all joints so many bytes: beyond
     * that bytes are copied from buffer to buffer, so that all of them are charged to whom they belong. */
    JOINTS_HELD_MAX = 16 * 1024 * 1024,
};

/* Of milliseconds: more than there are in 64 bits of nanoseconds. */
enum { JOINT_SINCE_BITS = 45 };

/* How the two came together. */
enum joint_way {
    JOINT_BY_LINK,     /* by a door */
    JOINT_BY_SOCKS,    /* by a local port */
    JOINT_BY_CONNECT,  /* likewise */
    JOINT_BY_PORT,     /* by a port of the uplinks that is published */
    JOINT_BY_UPSTREAM, /* by one where this Hawser is upstream for others */
};

/* For listings. */
struct joint_origin {
    uint64_t way : 3;                     /* enum joint_way */
    uint64_t published : 16;              /* JOINT_BY_PORT: which one */
    uint64_t since_ms : JOINT_SINCE_BITS; /* joint_make() writes it */
    const char *port; /* but for doors and published ports: as its owner wrote it; outlives the joint */
    char *asked;      /* whom the client asked for, if neither end says so; NULL. Freed with the joint */
};

/* One of the two, and what flows from it to the other. */
struct joint_end {
    struct watch watch;
    struct end end;
    struct list turn;          /* of those that may have something to move, or of the doomed; in no list: neither */
    struct hawser_slice *held; /* taken here, not yet by the other end; NULL: nothing */
    uint64_t bytes;            /* from here that the other end took */
    int32_t credit;    /* bytes that may be moved in this turn; below 0: the last one took more than its share */
    bool second : 1;   /* of the two */
    bool shut : 1;     /* the other end is full, until it says that there is room */
    bool ended : 1;    /* the stream from here is over, and the other end was told */
    bool doomed : 1;   /* the other end failed, and soon both are broken off: `turn` is of those */
    bool had_turn : 1; /* doomed: what had arrived at the other end was passed on, and sent since */
};

struct joint {
    struct joints *joints;
    struct list link; /* of all joints */
    struct joint_origin origin;
    struct joint_end ends[2];
    uint64_t id; /* its own for good, from 1 on */
};

struct joints {
    struct list all;           /* struct joint */
    struct list walks;         /* struct joints_walk */
    struct list turns, doomed; /* struct joint_end */
    uint32_t count;
    struct hawser_slice *spare; /* for the next that is held, so that an idle end has no room for one; may be NULL */
    uint64_t held_bytes;
    uint64_t held_max;     /* JOINTS_HELD_MAX; less is for tests */
    uint64_t made, broken; /* so far; broken: that ended by a reset */
    uint64_t bytes[2];     /* that came from the first ends and from the second ones, and were taken by the others */
    uint64_t copied_bytes; /* that passed by a copy */
};

void joints_init(struct joints *joints);

/* Joins two ends, which it takes over: connected, connecting, or failed since. The second one is that towards the
 * uplinks, whoever opened it. Returns 0, or -ENOMEM: both, and what `origin` names, are the caller's still. */
int joint_make(struct joints *joints, struct end first, struct end second, const struct joint_origin *origin,
               uint64_t now_ns);

/* The end whose peer opened it, and the other one. */
struct end joint_client(const struct joint *joint);
struct end joint_server(const struct joint *joint);

/* Moves bytes for those of whom there were events, in turns, about JOINTS_TURN_BYTES at most; the stack may have
 * something to say then. Returns whether another turn is due after that. */
bool joints_turn(struct joints *joints);

/* Nobody is any more at this address, whatever the port, where the first ends of some are: streams from there of which
 * all has arrived, the end too, still go on their way; the others are resets. */
void joints_bereave(struct joints *joints, const struct hawser_addr *addr);

/* Resets both ends of those whose first ends came in by that link of the stack. */
void joints_break_link(struct joints *joints, int link);

/* A walk over all of them that may rest for a while: who comes or goes meanwhile is not met. */
struct joints_walk {
    struct list link;
    struct list *all, *at;
    uint64_t last; /* the ID of the last one that there was when it began: those that come meanwhile are not its own */
};
void joints_walk_begin(struct joints *joints, struct joints_walk *walk);
/* The one that it has come to; NULL at the end. */
struct joint *joints_walk_at(const struct joints_walk *walk);
/* To the next one. */
void joints_walk_on(struct joints_walk *walk);
/* Before the walk is freed. */
void joints_walk_end(struct joints_walk *walk);

/* Resets every end, and forgets all joints. */
void joints_break(struct joints *joints);

#endif
