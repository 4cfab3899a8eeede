#include "sim/measures.h"

#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "sim/memory.h"

static double get_mbps(const struct measures *m) { return m->mbps; }
static double get_median(const struct measures *m) { return m->median_ms; }
static double get_p95(const struct measures *m) { return m->p95_ms; }
static double get_max(const struct measures *m) { return m->max_ms; }
static double get_gap(const struct measures *m) { return m->longest_gap_ms; }
static double get_finished(const struct measures *m) { return m->finished; }

static const struct measure_kind kinds[] = {
    {"mbps", "Mbit/s", get_mbps}, {"median_ms", "ms", get_median},   {"p95_ms", "ms", get_p95},
    {"max_ms", "ms", get_max},    {"longest_gap_ms", "ms", get_gap}, {"finished", "flows", get_finished},
};

const struct measure_kind *measure_kind_of(const char *text, size_t *len)
{
    const char *dot = strchr(text, '.');
    *len = dot ? (size_t)(dot - text) : strlen(text);
    for (size_t i = 0; i < HW_ARRAY_LEN(kinds); i++)
        if (strcmp(dot ? dot + 1 : "mbps", kinds[i].name) == 0)
            return &kinds[i];
    return NULL;
}

bool measures_count_flow(const char *workload, const char *flow)
{
    size_t len = strlen(workload);
    return strncmp(flow, workload, len) == 0 && (flow[len] == '\0' || flow[len] == '.');
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The smallest value that at least so many percent are no larger than. */
static double percentile(const double *sorted, size_t count, unsigned percent)
{
    return sorted[(count * percent + 99) / 100 - 1];
}

struct taker {
    struct measures *m;
    double *times;
    size_t count;
    uint64_t from_ns, to_ns; /* first start, last read */
};

static void take_flow(const struct flow *flow, struct taker *t)
{
    const struct flow_end *client = &flow->ends[FLOW_CLIENT], *server = &flow->ends[FLOW_SERVER];
    uint64_t start = WORLD_START_NS + flow->plan.start_ns, end = HW_MAX(client->last_read_ns, server->last_read_ns);
    uint64_t gap = HW_MAX(client->longest_gap_ns, server->longest_gap_ns);
    bool failed = client->error || server->error, done = flow_finished(flow) && !failed;
    t->m->flows++;
    t->m->finished += done;
    t->m->failed += failed;
    t->m->received_bytes += client->received + server->received;
    t->m->longest_gap_ms = HW_MAX(t->m->longest_gap_ms, (double)gap / (double)NS_PER_MS);
    t->from_ns = HW_MIN(t->from_ns, start);
    t->to_ns = HW_MAX(t->to_ns, end);
    if (done)
        t->times[t->count++] = end > start ? (double)(end - start) / (double)NS_PER_MS : 0;
}

void measures_take(const struct stage *stage, const char *workload, struct measures *out)
{
    struct taker t = {.m = out, .from_ns = UINT64_MAX};
    t.times = sim_new((stage->scenario->flow_count + 1) * sizeof *t.times);
    *out = (struct measures){0};
    for (size_t i = 0; i < stage->scenario->flow_count; i++)
        if (measures_count_flow(workload, stage->flows[i]->plan.name))
            take_flow(stage->flows[i], &t);
    if (t.to_ns > t.from_ns)
        out->mbps = (double)out->received_bytes * 8e3 / (double)(t.to_ns - t.from_ns);
    qsort(t.times, t.count, sizeof *t.times, by_value);
    if (t.count) {
        out->median_ms = percentile(t.times, t.count, 50);
        out->p95_ms = percentile(t.times, t.count, 95);
        out->max_ms = t.times[t.count - 1];
    }
    sim_free(t.times);
}
