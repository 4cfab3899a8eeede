#include "tcp/prr.h"

#include "base/compiler.h"

void prr_begin(struct prr *p, uint32_t flight) { *p = (struct prr){.flight = HW_MAX(flight, 1u)}; }

static uint64_t in_proportion(const struct prr *p, uint32_t ssthresh)
{
    uint64_t flights = p->delivered / p->flight, rest = p->delivered % p->flight; /* so that nothing overflows */
    uint64_t target = flights * ssthresh + (rest * ssthresh + p->flight - 1) / p->flight;
    return target > p->out ? target - p->out : 0;
}

/* Less is under way than the controller wants: what arrived leaves again, and a segment more, as in slow start. */
static uint64_t by_slow_start(const struct prr *p, uint32_t delivered, uint32_t missing, uint32_t segment_bytes)
{
    uint64_t owed = p->delivered > p->out ? p->delivered - p->out : 0;
    return HW_MIN(missing, HW_MAX(owed, delivered) + segment_bytes);
}

uint32_t prr_allowance(struct prr *p, uint32_t delivered, uint32_t pipe, uint32_t ssthresh, uint32_t segment_bytes)
{
    p->delivered += delivered;
    uint64_t allowance =
        pipe > ssthresh ? in_proportion(p, ssthresh) : by_slow_start(p, delivered, ssthresh - pipe, segment_bytes);
    if (p->out == 0) /* the first retransmission leaves at once */
        allowance = HW_MAX(allowance, segment_bytes);
    return (uint32_t)HW_MIN(allowance, UINT32_MAX - pipe);
}
