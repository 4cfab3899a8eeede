#include "tcp/rtt.h"

#include "base/compiler.h"

/* The least round trip is forgotten after this long, so that a path that became longer is believed (RFC 8985 6.2). */
#define MIN_RTT_WINDOW_MS 30000u

void rtt_init(struct rtt *r) { *r = (struct rtt){0}; }

static void track_min(struct rtt *r, uint64_t sample_ns, uint64_t now_ns)
{
    uint32_t now_ms = (uint32_t)(now_ns / NS_PER_MS);
    if (r->min_ns == 0 || sample_ns <= r->min_ns || now_ms - r->min_at_ms > MIN_RTT_WINDOW_MS) {
        r->min_ns = sample_ns;
        r->min_at_ms = now_ms;
    }
}

/* RFC 6298 2.3: beta = 1/4 */
static void track_deviation(struct rtt *r, uint64_t sample_ns)
{
    uint64_t deviation = sample_ns > r->srtt_ns ? sample_ns - r->srtt_ns : r->srtt_ns - sample_ns;
    r->rttvar_ns = (3 * r->rttvar_ns + deviation) / 4;
}

void rtt_sample(struct rtt *r, uint64_t sample_ns, uint64_t now_ns)
{
    track_min(r, sample_ns, now_ns);
    if (r->srtt_ns == 0) { /* RFC 6298 2.2 */
        r->srtt_ns = sample_ns;
        r->rttvar_ns = sample_ns / 2;
    } else { /* RFC 6298 2.3: alpha = 1/8 */
        track_deviation(r, sample_ns);
        r->srtt_ns = (7 * r->srtt_ns + sample_ns) / 8;
    }
    r->backoff = 0;
}

void rtt_doubt(struct rtt *r, uint64_t elapsed_ns)
{
    if (r->srtt_ns)
        track_deviation(r, elapsed_ns);
}

void rtt_syn_lost(struct rtt *r)
{
    r->syn_lost = true;
    r->backoff = 0;
}

void rtt_back_off(struct rtt *r)
{
    if (rtt_timeout(r) < RTO_MAX_NS)
        r->backoff++;
}
