/* Round-trip time and the retransmission timeout (RFC 6298). */
#ifndef HW_TCP_RTT_H
#define HW_TCP_RTT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/units.h"

/* RFC 6298 2.4 asks for one second; like every deployed stack we take 200 ms, which still exceeds delayed ACKs. */
#define RTO_MIN_NS (200 * NS_PER_MS)
#define RTO_MAX_NS (60 * NS_PER_S)
#define RTO_INITIAL_NS (1 * NS_PER_S)
#define RTO_AFTER_SYN_NS (3 * NS_PER_S)

struct rtt {
    uint64_t srtt_ns; /* 0: no sample yet */
    uint64_t rttvar_ns;
    uint64_t min_ns; /* least of the last samples; 0: none */
    uint32_t min_at_ms;
    uint8_t backoff; /* doublings since the last sample */
    bool syn_lost;   /* a SYN timed out, or its answer */
};

void rtt_init(struct rtt *r);

/* Takes a sample of `sample_ns` > 0 at `now_ns`; ends the back-off (RFC 6298 5.7). */
void rtt_sample(struct rtt *r, uint64_t sample_ns, uint64_t now_ns);

/* A round trip may have lasted so long, or much less: no sample (RFC 6298 3), but what the timeout must allow for. */
void rtt_doubt(struct rtt *r, uint64_t elapsed_ns);

/* RFC 6298 5.7: a SYN timed out, or its answer, so that the first timeout of data is longer, unless something was
 * measured. */
void rtt_syn_lost(struct rtt *r);

/* RFC 6298 5.5: doubles the timeout. */
void rtt_back_off(struct rtt *r);

/* The timeout without back-off. */
static inline uint64_t rtt_rto(const struct rtt *r)
{
    if (r->srtt_ns == 0)
        return r->syn_lost ? RTO_AFTER_SYN_NS : RTO_INITIAL_NS;
    /* The floor is on the variance term, as a smooth path would otherwise time out at every hiccup of the peer. */
    uint64_t timeout = r->srtt_ns + HW_MAX(4 * r->rttvar_ns, RTO_MIN_NS);
    return HW_MIN(timeout, RTO_MAX_NS);
}

/* The timeout in force: RTO times 2^backoff, at most RTO_MAX_NS. */
static inline uint64_t rtt_timeout(const struct rtt *r)
{
    uint64_t timeout = rtt_rto(r) << HW_MIN(r->backoff, 16u);
    return HW_MIN(timeout, RTO_MAX_NS);
}

#endif
