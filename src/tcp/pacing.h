/*
 * When bytes may leave, so that a window does not leave at once: each quantum is paid for by the time that it takes at
 * the rate, and until then nothing else leaves. A time that was missed is made up for, within bounds. One of these for
 * a flight; it has no timer of its own, but says when it wants to be asked again.
 */
#ifndef HW_TCP_PACING_H
#define HW_TCP_PACING_H

#include <stdbool.h>
#include <stdint.h>

struct pacing {
    uint64_t next_ns; /* all that has left is paid for */
    uint64_t due_ns;  /* somebody may wait for that; TIME_NEVER: nobody does */
    uint32_t budget;  /* bytes that may leave now */
    uint32_t burst;   /* bytes that may leave before anything is to be paid for */
};

/* The rate of a controller that names none: so much more than a window in each round trip that the window, and not the
 * rate, is what limits it: twice as much where that may double soon, and a fifth more otherwise. Bytes a second, 0:
 * there is no round trip yet, and everything may leave at once. */
uint64_t pacing_rate(uint32_t cwnd_bytes, uint32_t ssthresh_bytes, uint64_t srtt_ns);

/* What leaves at once: a millisecond's worth, so that super-segments stay what they are at high rates; two segments at
 * least, for one delayed acknowledgement, but one where that takes several milliseconds; more where the least round
 * trip is shorter than some milliseconds (0: it is not known); and no more than `most`. */
uint32_t pacing_quantum(uint64_t rate, uint32_t segment_bytes, uint32_t most, uint64_t min_rtt_ns);

/* Nothing is in flight: `burst` bytes may leave at once. */
void pacing_begin(struct pacing *p, uint32_t burst);

/* What may leave now, at `rate` bytes a second; 0: everything. */
void pacing_look(struct pacing *p, uint64_t rate, uint32_t quantum, uint64_t now_ns);
static inline uint32_t pacing_room(const struct pacing *p)
{
    return p->budget < UINT32_MAX - p->burst ? p->budget + p->burst : UINT32_MAX;
}

/* So much leaves. Where that leaves room for less than `segment_bytes` it is due when that is paid for. */
void pacing_sent(struct pacing *p, uint64_t rate, uint32_t bytes, uint32_t segment_bytes, uint64_t now_ns);

/* It was due, and is asked again now. */
static inline bool pacing_is_due(const struct pacing *p, uint64_t now_ns) { return p->due_ns <= now_ns; }

#endif
