/* Round-trip time and the retransmission timeout (RFC 6298). */
#ifndef HW_TCP_RTT_H
#define HW_TCP_RTT_H

#include <stdint.h>

#include "base/units.h"

/* RFC 6298 2.4 asks for one second; like every deployed stack we take 200 ms, which still exceeds delayed ACKs. */
#define RTO_MIN_NS (200 * NS_PER_MS)
#define RTO_MAX_NS (60 * NS_PER_S)
#define RTO_INITIAL_NS (1 * NS_PER_S)

struct rtt {
    uint64_t srtt_ns; /* 0: no sample yet */
    uint64_t rttvar_ns;
    uint64_t min_ns; /* least of the last samples; 0: none */
    uint64_t min_at_ns;
    uint64_t rto_ns;  /* without back-off */
    uint32_t backoff; /* doublings since the last progress */
};

void rtt_init(struct rtt *r);

/* Takes a sample of `sample_ns` > 0 at `now_ns`; ends the back-off (RFC 6298 5.7 by way of new data acknowledged). */
void rtt_sample(struct rtt *r, uint64_t sample_ns, uint64_t now_ns);

/* RFC 6298 5.5: doubles the timeout. */
void rtt_back_off(struct rtt *r);

/* The timeout without back-off. */
static inline uint64_t rtt_rto(const struct rtt *r) { return r->rto_ns; }

/* The timeout in force: RTO times 2^backoff, at most RTO_MAX_NS. */
uint64_t rtt_timeout(const struct rtt *r);

#endif
