#include "service/pace.h"

#include "base/compiler.h"
#include "base/units.h"

void pace_init(struct pace *pace, uint32_t at_once, uint32_t per_s)
{
    *pace = (struct pace){.interval_ns = NS_PER_S / per_s};
    pace->burst_ns = (at_once - 1) * pace->interval_ns;
}

bool pace_begin(struct pace *pace, uint64_t hash, uint64_t now_ns)
{
    uint64_t *due_ns = &pace->due_ns[hash % PACE_PLACES];
    const uint64_t due = HW_MAX(*due_ns, now_ns);
    if (due - now_ns > pace->burst_ns)
        return false;
    *due_ns = due + pace->interval_ns;
    return true;
}

void pace_give_back(struct pace *pace, uint64_t hash)
{
    uint64_t *due_ns = &pace->due_ns[hash % PACE_PLACES];
    *due_ns -= HW_MIN(*due_ns, pace->interval_ns);
}
