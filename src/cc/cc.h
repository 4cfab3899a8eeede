/*
 * Congestion control behind one small interface. A controller owns `cwnd` and `ssthresh` of one subflow and decides
 * from what it is told; it never sees a connection. Loss detection and recovery are the subflow's (src/tcp).
 */
#ifndef HW_CC_CC_H
#define HW_CC_CC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a coupled controller sees of each subflow of the connection, its own included (RFC 6356). */
struct cc_sibling {
    uint32_t cwnd; /* bytes */
    uint32_t mss;
    uint64_t srtt_ns; /* 0: not measured yet */
};

/* An acknowledgement of new data. */
struct cc_ack {
    uint64_t now_ns;
    uint32_t acked;      /* bytes newly acknowledged, cumulatively or by SACK */
    uint32_t in_flight;  /* bytes in flight before this acknowledgement */
    uint64_t rtt_ns;     /* sample from this acknowledgement; 0: none */
    uint64_t srtt_ns;    /* smoothed; 0: none yet */
    uint64_t min_rtt_ns; /* least seen; 0: none yet */
    bool cwnd_limited;   /* the window was full when this data was sent (RFC 9438 5.8, RFC 5681 2) */
    bool round_start;    /* the first acknowledgement of a new round trip */
    const struct cc_sibling *siblings;
    size_t sibling_count;
};

struct cc;

struct cc_ops {
    const char *name;
    /* Something is under way, for the first time or after idleness: `private_` is zero, `kept` what fold() left there,
     * zero at first. cwnd is set by the caller (RFC 6928: 10 segments). */
    void (*resume)(struct cc *cc);
    /* The flow is idle: what the next time shall know goes into `kept`. A restart follows before anything else. */
    void (*fold)(struct cc *cc);
    /* Not called while in recovery. */
    void (*on_ack)(struct cc *cc, const struct cc_ack *ack);
    /* A loss episode begins: set ssthresh (and the cwnd to leave recovery with). `in_flight` in bytes. Once a window.
     */
    void (*on_loss)(struct cc *cc, uint64_t now_ns, uint32_t in_flight);
    /* The retransmission timer expired: cwnd to one segment (RFC 5681 3.1, equation 4). First time only, not on
     * back-off. */
    void (*on_timeout)(struct cc *cc, uint64_t now_ns, uint32_t in_flight);
    /* The episode was spurious: go back to what was before on_loss() or on_timeout(). */
    void (*undo)(struct cc *cc);
    /* The flow was idle for `idle_ns` (RFC 9438 5.8: no growth for the time of silence). */
    void (*on_idle)(struct cc *cc, uint64_t idle_ns);
};

#define CC_PRIVATE_WORDS 16
#define CC_KEPT_WORDS 2

struct cc {
    const struct cc_ops *ops;
    uint64_t *private_;           /* the controller's own state, CC_PRIVATE_WORDS; NULL while the flow is idle */
    uint32_t mss;                 /* bytes of payload in a full segment */
    uint32_t cwnd;                /* bytes */
    uint32_t ssthresh;            /* bytes; UINT32_MAX: none yet */
    uint32_t kept[CC_KEPT_WORDS]; /* what the controller remembers through idleness */
    uint64_t pacing_bps;          /* bits per second; 0: not paced by this controller */
};

/* Slow start is when cwnd < ssthresh. */
static inline bool cc_in_slow_start(const struct cc *cc) { return cc->cwnd < cc->ssthresh; }

/* Initial window of RFC 6928, ssthresh unlimited; idle. */
void cc_init(struct cc *cc, const struct cc_ops *ops, uint32_t mss);

/* From idleness, with CC_PRIVATE_WORDS of memory until cc_fold(). */
void cc_resume(struct cc *cc, uint64_t *memory);
void cc_fold(struct cc *cc);

/* The flow sends again after `idle_ns` of silence, longer than a retransmission timeout: tells the controller, and
 * takes the window back to the initial one (RFC 5681 4.1), unless the controller spreads its window over the round trip
 * by pacing. ssthresh keeps what the window was (RFC 2861 3.2), so that slow start leads back. */
void cc_restart(struct cc *cc, uint64_t idle_ns);

/* RFC 5681 with appropriate byte counting (RFC 3465, L = 2). */
extern const struct cc_ops cc_reno;
/* RFC 9438, with HyStart++ (RFC 9406) in slow start. */
extern const struct cc_ops cc_cubic;

/* "reno" or "cubic"; NULL when there is no such controller. */
const struct cc_ops *cc_find(const char *name);

#endif
