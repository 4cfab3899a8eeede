/* Congestion controllers: how much of a subflow may be under way, and how fast it leaves. */
#ifndef HAWSER_CONGESTION_H
#define HAWSER_CONGESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/env.h>

/* Most bytes a controller may have for a subflow, and the words of it that outlast idleness. */
#define HAWSER_CONGESTION_STATE_MAX 4096
#define HAWSER_CONGESTION_KEPT 2

struct hawser_congestion;

/* A subflow as its controller sees it. Bytes are of payload. More members may be added at the end. */
struct hawser_flow {
    const struct hawser_congestion *policy; /* whose flow it is */
    void *memory; /* the controller's own, `state_bytes`, zero at resume(), aligned for 64-bit numbers and pointers;
                     NULL while it is idle */

    /* What the controller sets. Each call leaves them within what can be: no window is below a segment. */
    uint64_t pacing_bps; /* bits a second at which bytes leave; 0: what follows from the window and the round trip */
    uint32_t cwnd_bytes; /* may be under way; ten segments at first (RFC 6928) */
    uint32_t ssthresh_bytes; /* below it, slow start; UINT32_MAX: none yet. It is where recovery leads to (RFC 6937) */
    uint32_t quantum_bytes;  /* leave at once when it is paced; 0: a millisecond's worth or more */
    uint32_t kept[HAWSER_CONGESTION_KEPT]; /* outlasts idleness, and is zero at first */

    /* What it sees. */
    uint32_t segment_bytes;   /* of a full segment; it may change between two calls */
    uint32_t in_flight_bytes; /* neither acknowledged nor deemed lost */
    bool in_recovery;         /* from a loss or a timeout */
    bool app_limited;         /* there was room for more than the program had to send, within the last round trip */
    bool has_sack;            /* the peer says what it holds behind a gap (RFC 2018) */
    uint64_t delivered_bytes; /* since resume() */
    uint64_t srtt_ns;         /* 0: not measured yet */
    uint64_t min_rtt_ns;      /* the least of the last half a minute, or of a little more; 0: not measured yet */
};

/*
 * How fast the path has delivered, as one acknowledgement shows it: by the newest of the segments that it is about,
 * from when that one left (draft-ietf-ccwg-bbr, 4.1). More members may be added at the end.
 */
struct hawser_rate_sample {
    uint64_t delivery_bps;    /* bits a second; 0: it shows none */
    uint64_t delivered_bytes; /* within `interval_ns`; 0: nothing new */
    uint64_t interval_ns;
    uint64_t prior_delivered_bytes; /* `delivered_bytes` of the flow when that segment left */
    uint64_t lost_bytes;            /* deemed lost since then */
    uint32_t tx_in_flight_bytes;    /* what was in flight when it had left, itself included */
    uint32_t prior_in_flight_bytes; /* what was before this acknowledgement */
    uint32_t newly_acked_bytes;     /* by this one, cumulatively or by SACK */
    uint32_t newly_lost_bytes;      /* deemed lost because of it */
    uint64_t rtt_ns;                /* 0: it shows none, as of what was sent twice */
    bool is_app_limited;            /* the program had no more to send: the path may be faster than that */
};

/* A subflow of the same connection, for a controller that is coupled (RFC 6356). */
struct hawser_sibling {
    uint32_t cwnd_bytes, segment_bytes;
    uint64_t srtt_ns; /* 0: not measured yet */
};

/* Something new was acknowledged. More members may be added at the end. */
struct hawser_ack {
    uint64_t now_ns;
    struct hawser_rate_sample rate;
    uint32_t acked_bytes; /* cumulatively: what windows grow by (RFC 5681 3); 0 for what only SACK tells of, and for
                             what ends fast recovery */
    bool cwnd_limited;    /* the window was full when this left (RFC 9438 5.8, RFC 5681 2) */
    bool round_start;     /* the first acknowledgement of a round trip */
    const struct hawser_sibling *siblings; /* the flow itself included */
    size_t sibling_count;
};

/* Something was lost. More members may be added at the end. */
struct hawser_loss {
    uint64_t now_ns;
    uint64_t lost_bytes; /* of on_lost(): since that segment left, itself included; else: what is just lost */
    uint32_t prior_in_flight_bytes; /* what was in flight before; of all but on_lost(): all that was outstanding, what
                                       the peer holds behind a gap included (FlightSize of RFC 5681 2) */
    /* Of on_lost() only. */
    uint32_t size_bytes;         /* of the segments that were one packet when they left */
    uint32_t tx_in_flight_bytes; /* what was in flight when they had left, themselves included */
    bool is_app_limited;
};

/*
 * A controller. Its functions must be quick, keep what they remember in the memory that they are given, and call
 * nothing of the stack. What they see is valid until they return. Each but those marked may be NULL: then nothing is
 * done. Loss detection, recovery and the timers are the subflow's.
 */
struct hawser_congestion {
    size_t size;          /* sizeof(struct hawser_congestion); more members may be added at the end, as with options */
    const char *name;     /* not empty */
    uint32_t state_bytes; /* memory for each subflow while something of it is under way, at most
                           * HAWSER_CONGESTION_STATE_MAX */
    /* Its window counts in recovery, too, where it hears every acknowledgement. False: on_loss() sets ssthresh, the
     * subflow's window falls to that by itself while it recovers, and on_ack() is not called meanwhile. */
    bool rules_recovery;
    /* Something is under way, for the first time or after idleness. `seed` differs by flow and by time, for who draws
     * lots. */
    void (*resume)(struct hawser_flow *flow, uint32_t seed, uint64_t now_ns);
    /* The flow is idle for longer than a timeout, and its memory goes: what it shall know next time goes into `kept`.
     */
    void (*fold)(struct hawser_flow *flow);
    /* Must be there. */
    void (*on_ack)(struct hawser_flow *flow, const struct hawser_ack *ack);
    /* Must be there. An episode of losses begins: once a window. */
    void (*on_loss)(struct hawser_flow *flow, const struct hawser_loss *loss);
    /* This segment is lost: told of each, before on_loss(), but not at a timeout. */
    void (*on_lost)(struct hawser_flow *flow, const struct hawser_loss *loss);
    /* Must be there. The retransmission timer expired for the first time in a row: all that was in flight is deemed
     * lost (RFC 5681 3.1, equation 4). */
    void (*on_timeout)(struct hawser_flow *flow, const struct hawser_loss *loss);
    /* What was lost has arrived. */
    void (*on_recovery_end)(struct hawser_flow *flow);
    /* Nothing had been lost, it was only late: back to what was before on_loss() or on_timeout(). */
    void (*undo)(struct hawser_flow *flow);
    /* It sends again after `idle_ns` without anything under way, longer than a retransmission timeout. What it does not
     * pace itself begins from the initial window afterwards (RFC 5681 4.1). */
    void (*on_idle)(struct hawser_flow *flow, uint64_t idle_ns, uint64_t now_ns);
};

/*
 * The controllers that come with the library, by name; NULL when there is none of that name:
 *
 *   "cubic"  the default: RFC 9438, with HyStart++ (RFC 9406) in slow start
 *   "reno"   RFC 5681, with appropriate byte counting (RFC 3465)
 *   "bbr"    BBR version 3 (draft-ietf-ccwg-bbr): goes by how fast the path delivers, not by single losses
 */
HAWSER_API const struct hawser_congestion *hawser_congestion_find(const char *name);

/* The i-th of them (0, 1, ...); NULL past the end. */
HAWSER_API const struct hawser_congestion *hawser_congestion_at(size_t i);

#endif
