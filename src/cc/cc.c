#include "cc/cc.h"

#include <string.h>

#include "base/compiler.h"

/* RFC 6928: ten segments, but no more than 14600 bytes unless two segments are more. */
#define INITIAL_SEGMENTS 10u
#define INITIAL_BYTES 14600u

static uint32_t initial_window(uint32_t mss) { return HW_MIN(INITIAL_SEGMENTS * mss, HW_MAX(2 * mss, INITIAL_BYTES)); }

void cc_restart(struct cc *cc, uint64_t idle_ns)
{
    uint32_t initial = initial_window(cc->mss);
    cc->ops->on_idle(cc, idle_ns);
    if (cc->cwnd <= initial || cc->pacing_bps)
        return;
    cc->ssthresh = HW_MAX(cc->ssthresh, cc->cwnd / 4 * 3);
    cc->cwnd = initial;
}

void cc_init(struct cc *cc, const struct cc_ops *ops, uint32_t mss)
{
    memset(cc, 0, sizeof *cc);
    cc->ops = ops;
    cc->mss = HW_MAX(mss, 1u);
    cc->cwnd = initial_window(cc->mss);
    cc->ssthresh = UINT32_MAX;
}

void cc_resume(struct cc *cc, uint64_t *memory)
{
    memset(memory, 0, CC_PRIVATE_WORDS * sizeof *memory);
    cc->private_ = memory;
    cc->ops->resume(cc);
}

void cc_fold(struct cc *cc)
{
    cc->ops->fold(cc);
    cc->private_ = NULL;
}

const struct cc_ops *cc_find(const char *name)
{
    static const struct cc_ops *const all[] = {&cc_cubic, &cc_reno};
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}
