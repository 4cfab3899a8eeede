/* What is asked of the stack under every attack, and the list of what it is known not to do yet. */
#ifndef HW_HOSTILE_JUDGE_H
#define HW_HOSTILE_JUDGE_H

#include <stdio.h>

#include "attack.h"

#define BARS(X)                                                                                                        \
    X(PLAIN, "plain")     /* a new plain client is served within a second and three retransmissions */                 \
    X(MPTCP, "mptcp")     /* and one of MPTCP, by it */                                                                \
    X(FRIEND, "friend")   /* and who was connected before */                                                           \
    X(JOIN, "join")       /* who gets a new subflow in that time */                                                    \
    X(AFTER, "after")     /* new clients of both kinds when the attackers have fallen silent */                        \
    X(COST, "cost")       /* a hostile packet costs at most four times an ordinary one, input, output and timers */    \
    X(WORST, "worst")     /* and of handshakes and SACKs none costs much more, beside the bytes that it lets go */     \
    X(SILENCE, "silence") /* and from when they say nothing the stack has little to do */                              \
    X(MEMORY, "memory")   /* what is held stays within the limit */                                                    \
    X(SHRINK, "shrink")   /* and is given back when all is over */                                                     \
    X(PROOF, "proof")     /* and what this attacker wants does not come */                                             \
    X(LEAK, "leak")       /* as is everything when the stack goes */

enum bar {
#define HW_BAR(id, name) BAR_##id,
    BARS(HW_BAR)
#undef HW_BAR
        BAR_TOTAL
};

struct verdict {
    bool met[BAR_TOTAL];
    char why[BAR_TOTAL][160]; /* what was measured */
    uint64_t packets, peak_bytes;
    double cost, worst; /* ordinary packets */
};

const char *bar_name(enum bar bar);

/* Runs the attack, from this seed. */
void judge_attack(const struct attacker *attacker, uint64_t seed, struct verdict *v);

#endif
