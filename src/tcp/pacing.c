#include "tcp/pacing.h"

#include "base/compiler.h"
#include "base/units.h"

/* Whose timers are late by that makes up for all of it. */
#define LATE_NS NS_PER_MS
/* Two segments in a row are a burst where each takes so long. */
#define SLOW_SEGMENT_NS (8 * NS_PER_MS)
/* A round trip so short, and half as much for each that is longer by that, has larger quanta: queues there are no
 * shorter than elsewhere, and pieces that are small cost both ends more than they gain. */
#define SHORT_TRIP_NS (512 * NS_PER_US)
/* Beyond that rate nothing waits that can be waited for. */
#define RATE_MAX (UINT64_C(1) << 34)

uint64_t pacing_rate(uint32_t cwnd_bytes, uint32_t ssthresh_bytes, uint64_t srtt_ns)
{
    if (srtt_ns == 0)
        return 0;
    uint64_t percent = cwnd_bytes < ssthresh_bytes / 2 ? 200 : 120;
    return HW_MAX(cwnd_bytes * percent * (NS_PER_S / 100) / srtt_ns, 1);
}

static uint64_t for_a_short_trip(uint32_t most, uint64_t min_rtt_ns)
{
    uint64_t halvings = min_rtt_ns / SHORT_TRIP_NS;
    return min_rtt_ns && halvings < 32 ? most >> halvings : 0;
}

uint32_t pacing_quantum(uint64_t rate, uint32_t segment_bytes, uint32_t most, uint64_t min_rtt_ns)
{
    rate = HW_MIN(rate, RATE_MAX);
    uint64_t least = rate * SLOW_SEGMENT_NS / NS_PER_S < segment_bytes ? segment_bytes : UINT64_C(2) * segment_bytes;
    uint64_t quantum = HW_MAX(rate * NS_PER_MS / NS_PER_S + for_a_short_trip(most, min_rtt_ns), least);
    quantum = HW_MAX(HW_MIN(quantum, most), least);
    return (uint32_t)(quantum - quantum % segment_bytes);
}

void pacing_begin(struct pacing *p, uint32_t burst) { *p = (struct pacing){.due_ns = TIME_NEVER, .burst = burst}; }

void pacing_look(struct pacing *p, uint64_t rate, uint32_t quantum, uint64_t now_ns)
{
    p->due_ns = TIME_NEVER;
    if (rate == 0 || rate >= RATE_MAX) {
        p->budget = UINT32_MAX;
        p->next_ns = now_ns;
        return;
    }
    if (p->next_ns > now_ns) {
        p->budget = 0;
        p->due_ns = p->burst < quantum ? p->next_ns : TIME_NEVER;
        return;
    }
    uint64_t late_max_ns = HW_MAX(quantum * NS_PER_S / rate, LATE_NS);
    p->next_ns = now_ns - p->next_ns > late_max_ns ? now_ns - late_max_ns : p->next_ns;
    p->budget = (uint32_t)HW_MIN(quantum + (now_ns - p->next_ns) * rate / NS_PER_S, UINT32_MAX);
}

void pacing_sent(struct pacing *p, uint64_t rate, uint32_t bytes, uint32_t segment_bytes, uint64_t now_ns)
{
    uint32_t free = HW_MIN(bytes, p->burst);
    p->burst -= free;
    if (rate == 0 || rate >= RATE_MAX)
        return;
    if (free)
        p->next_ns = HW_MAX(p->next_ns, now_ns);
    bytes -= free;
    p->budget -= HW_MIN(p->budget, bytes);
    p->next_ns += bytes * NS_PER_S / rate;
    if (pacing_room(p) < segment_bytes)
        p->due_ns = HW_MAX(p->next_ns, now_ns + 1);
}
