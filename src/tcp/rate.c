#include "tcp/rate.h"

#include "base/compiler.h"
#include "base/units.h"

#define BITS_PER_BYTE 8

/* Samples begin when something leaves and nothing is in flight: what arrives from then on was delivered since. */
void rate_sent(struct rate *r, struct rate_stamp *stamp, uint32_t in_flight, uint32_t span, uint64_t now_ns)
{
    if (in_flight <= span)
        r->first_sent_ns = r->delivered_ns = now_ns;
    *stamp = (struct rate_stamp){
        .delivered = r->delivered,
        .delivered_ns = r->delivered_ns,
        .first_sent_ns = r->first_sent_ns,
        .lost = (uint32_t)r->lost,
        .tx_in_flight = in_flight,
        .app_limited = rate_is_limited(r),
    };
}

void rate_mark_limited(struct rate *r, uint32_t in_flight) { r->bubble_end = HW_MAX(r->delivered + in_flight, 1); }

void rate_lost(struct rate *r, uint64_t bytes) { r->lost += bytes; }

void rate_delivered(struct rate *r, const struct rate_stamp *stamp, uint64_t sent_ns, uint64_t end)
{
    bool newer = sent_ns > r->newest_sent_ns || (sent_ns == r->newest_sent_ns && end > r->newest_end);
    if (r->any && !newer)
        return;
    r->any = true;
    r->newest = *stamp;
    r->newest_sent_ns = sent_ns;
    r->newest_end = end;
}

void rate_settle(struct rate *r, uint32_t bytes, uint64_t now_ns)
{
    if (bytes == 0)
        return;
    r->delivered += bytes;
    r->delivered_ns = now_ns;
    if (r->bubble_end && r->delivered > r->bubble_end)
        r->bubble_end = 0;
}

static uint64_t bits_per_second(uint64_t bytes, uint64_t ns)
{
    if (ns == 0)
        return 0;
    /* What is delivered between two looks is less than 2^33 bytes, or it took far longer than that matters. */
    bytes = HW_MIN(bytes, UINT64_C(1) << 33);
    return bytes * NS_PER_S / ns * BITS_PER_BYTE;
}

struct hawser_rate_sample rate_take(struct rate *r, uint64_t min_rtt_ns, uint64_t now_ns)
{
    const struct rate_stamp *s = &r->newest;
    struct hawser_rate_sample out = {.newly_lost_bytes = (uint32_t)(r->lost - r->lost_told)};
    r->lost_told = r->lost;
    if (!r->any)
        return out;
    /* Nothing is delivered faster than it is sent: acknowledgements that were held up on the way seem to say so. */
    uint64_t sending_ns = r->newest_sent_ns - s->first_sent_ns, acking_ns = now_ns - s->delivered_ns;
    out.prior_delivered_bytes = s->delivered;
    out.delivered_bytes = r->delivered - s->delivered;
    out.lost_bytes = (uint32_t)((uint32_t)r->lost - s->lost);
    out.tx_in_flight_bytes = s->tx_in_flight;
    out.is_app_limited = s->app_limited;
    out.interval_ns = HW_MAX(sending_ns, acking_ns);
    if (out.interval_ns >= min_rtt_ns)
        out.delivery_bps = bits_per_second(out.delivered_bytes, out.interval_ns);
    r->first_sent_ns = r->newest_sent_ns;
    r->any = false;
    return out;
}
