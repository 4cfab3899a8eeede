/* An attack: who makes it, against what, and what comes of it. */
#ifndef HW_HOSTILE_ATTACK_H
#define HW_HOSTILE_ATTACK_H

#include "foe.h"
#include "victim.h"

enum { LINES_MAX = 8192 };

struct attacker;

struct attack {
    const struct attacker *by;
    struct ground ground;
    struct foes foes;
    struct victim victim;
    double ordinary; /* blocks that a packet of an honest peer costs */
    struct seen {
        struct hawser_addr addr; /* the friend's */
        uint32_t token;
        uint32_t seq, ack;           /* as in the target's last segment to it */
        uint32_t data_seq, data_ack; /* likewise, the low halves */
    } seen;                          /* of the friend's connection, by who is on its path */
    /* For the attackers' own use. */
    struct foe *lines[LINES_MAX]; /* NULL where nobody was let in */
    uint32_t line_count;
    uint32_t at;
};

struct attacker {
    const char *name, *does;
    void (*begin)(struct attack *a);                /* once; may be NULL */
    void (*press)(struct attack *a, uint64_t tick); /* each millisecond, as long as it lasts; may be NULL */
    bool (*proof)(struct attack *a);                /* when it is over: that it had no success; may be NULL */
    uint32_t press_ms;                              /* before others ask to be served; 0: 1000 */
    const struct ground_options *options;           /* NULL: the defaults */
    bool steady;                                    /* no single packet may cost much, whatever came before */
    bool cut_short;                                 /* the stack goes in the middle of it */
    const struct mob *mob;                          /* of the one that stands for several */
};

/* Ends with one that has no name. */
extern const struct attacker attackers_handshakes[], attackers_acks[], attackers_data[], attackers_signals[],
    attackers_strays[];

/* Several of them at once, drawn from a seed: on each other's connections, at any time, with slips of the tongue. */
enum { MOB_MAX = 128 };
struct mob {
    const struct attacker *members[MOB_MAX]; /* to draw from */
    unsigned count;
    uint64_t seed;
    struct ground_options options;
    struct attacker as_one;
};
void mob_gather(struct mob *mob, uint64_t seed);

/* Opens `count` connections, or as many as are let in, into `lines`. */
void attack_open(struct attack *a, uint32_t count, enum role role, enum foe_kind kind);

/* The i-th line, opened anew when it was reset or never was; NULL when it is not let in. */
struct foe *attack_line(struct attack *a, uint32_t i, enum role role, enum foe_kind kind);

static inline uint32_t attack_below(struct attack *a, uint32_t n)
{
    return n ? (uint32_t)prng_below(&a->ground.luck, n) : 0;
}

#endif
