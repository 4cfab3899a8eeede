/* RFC 5681, the yardstick. */
#include "cc/growth.h"

struct reno {
    uint32_t counted; /* bytes acknowledged toward the next increase */
    uint32_t undo_cwnd, undo_ssthresh;
};

_Static_assert(sizeof(struct reno) <= CC_PRIVATE_WORDS * sizeof(uint64_t), "private state is bounded");

static struct reno *state(struct cc *cc) { return (struct reno *)(void *)cc->private_; }

static void reno_resume(struct cc *cc) { (void)cc; }
static void reno_fold(struct cc *cc) { (void)cc; }

static void reno_on_ack(struct cc *cc, const struct cc_ack *ack)
{
    struct reno *r = state(cc);
    if (!ack->cwnd_limited)
        return;
    uint32_t left = cc_in_slow_start(cc) ? slow_start(cc, ack->acked) : ack->acked;
    uint64_t counted = (uint64_t)r->counted + left;
    if (counted >= cc->cwnd) { /* one segment a window */
        counted -= cc->cwnd;
        cwnd_grow(cc, cc->mss);
    }
    r->counted = (uint32_t)HW_MIN(counted, cc->cwnd);
}

static void halve(struct cc *cc, uint32_t in_flight)
{
    struct reno *r = state(cc);
    r->undo_cwnd = cc->cwnd;
    r->undo_ssthresh = cc->ssthresh;
    r->counted = 0;
    cc->ssthresh = at_least_segments(cc, HW_MIN(in_flight, cc->cwnd) / 2, 2); /* equation 4 */
}

static void reno_on_loss(struct cc *cc, uint64_t now_ns, uint32_t in_flight)
{
    (void)now_ns;
    halve(cc, in_flight);
    cc->cwnd = cc->ssthresh;
}

static void reno_on_timeout(struct cc *cc, uint64_t now_ns, uint32_t in_flight)
{
    (void)now_ns;
    halve(cc, in_flight);
    cc->cwnd = cc->mss;
}

static void reno_undo(struct cc *cc)
{
    struct reno *r = state(cc);
    if (r->undo_cwnd == 0)
        return;
    cc->cwnd = HW_MAX(cc->cwnd, r->undo_cwnd);
    cc->ssthresh = r->undo_ssthresh;
    r->undo_cwnd = 0;
}

static void reno_on_idle(struct cc *cc, uint64_t idle_ns)
{
    (void)cc;
    (void)idle_ns;
}

const struct cc_ops cc_reno = {
    "reno", reno_resume, reno_fold, reno_on_ack, reno_on_loss, reno_on_timeout, reno_undo, reno_on_idle,
};
