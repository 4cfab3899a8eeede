#include "cc/cc.h"

#include <errno.h>
#include <string.h>

#include "base/sized.h"

static const struct hawser_congestion *const all[] = {&cc_cubic, &cc_reno, &cc_bbr};

const struct hawser_congestion *hawser_congestion_at(size_t i) { return i < HW_ARRAY_LEN(all) ? all[i] : NULL; }

const struct hawser_congestion *hawser_congestion_find(const char *name)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

int cc_check(const struct hawser_congestion *policy)
{
    if (!policy)
        return 0;
    int err = sized_check(policy, sizeof *policy, SIZED_SINCE(struct hawser_congestion, on_idle));
    if (err < 0)
        return err;
    bool whole = policy->name && policy->name[0] && policy->on_ack && policy->on_loss && policy->on_timeout &&
                 policy->state_bytes <= HAWSER_CONGESTION_STATE_MAX;
    return whole ? 0 : -EINVAL;
}

/* Whatever a controller sets, a segment may leave, and sums of windows stay within their types. */
static void settle(struct hawser_flow *cc)
{
    cc->cwnd_bytes = HW_MAX(HW_MIN(cc->cwnd_bytes, CWND_MAX), cc->segment_bytes);
    cc->ssthresh_bytes = HW_MAX(cc->ssthresh_bytes, cc->segment_bytes);
}

void cc_init(struct hawser_flow *cc, const struct hawser_congestion *policy, uint32_t segment_bytes)
{
    memset(cc, 0, sizeof *cc);
    cc->policy = policy;
    cc->segment_bytes = HW_MAX(segment_bytes, 1u);
    cc->cwnd_bytes = cc_initial_window(cc->segment_bytes);
    cc->ssthresh_bytes = UINT32_MAX;
}

void cc_resume(struct hawser_flow *cc, void *memory, uint32_t seed, uint64_t now_ns)
{
    memset(memory, 0, cc->policy->state_bytes);
    cc->memory = memory;
    cc->delivered_bytes = 0;
    if (cc->policy->resume)
        cc->policy->resume(cc, seed, now_ns);
    settle(cc);
}

void cc_fold(struct hawser_flow *cc)
{
    if (cc->policy->fold)
        cc->policy->fold(cc);
    settle(cc);
    cc->memory = NULL;
}

void cc_on_ack(struct hawser_flow *cc, const struct hawser_ack *ack)
{
    cc->policy->on_ack(cc, ack);
    settle(cc);
}

void cc_on_loss(struct hawser_flow *cc, const struct hawser_loss *loss)
{
    cc->policy->on_loss(cc, loss);
    settle(cc);
}

void cc_on_lost(struct hawser_flow *cc, const struct hawser_loss *loss)
{
    if (cc->policy->on_lost)
        cc->policy->on_lost(cc, loss);
    settle(cc);
}

void cc_on_timeout(struct hawser_flow *cc, const struct hawser_loss *loss)
{
    cc->policy->on_timeout(cc, loss);
    settle(cc);
}

void cc_on_recovery_end(struct hawser_flow *cc)
{
    if (cc->policy->on_recovery_end)
        cc->policy->on_recovery_end(cc);
    settle(cc);
}

void cc_undo(struct hawser_flow *cc)
{
    if (cc->policy->undo)
        cc->policy->undo(cc);
    settle(cc);
}

void cc_restart(struct hawser_flow *cc, uint64_t idle_ns, uint64_t now_ns)
{
    uint32_t initial = cc_initial_window(cc->segment_bytes);
    if (cc->policy->on_idle)
        cc->policy->on_idle(cc, idle_ns, now_ns);
    settle(cc);
    if (cc->cwnd_bytes <= initial || cc->pacing_bps)
        return;
    cc->ssthresh_bytes = HW_MAX(cc->ssthresh_bytes, cc->cwnd_bytes / 4 * 3);
    cc->cwnd_bytes = initial;
}
