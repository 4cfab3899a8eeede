#include "sim/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/cable.h"
#include "sim/measures.h"
#include "sim/report_text.h"

/* One tree serves both: the table is printed from what programs get. */
struct report {
    json_t *root;
    unsigned sections;
};

static double seconds(uint64_t ns) { return (double)ns / (double)NS_PER_S; }

static json_t *whole(uint64_t value) { return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value)); }

/* Since the start of the world; null when it never came. */
static json_t *moment(uint64_t ns) { return ns ? json_real(seconds(ns - WORLD_START_NS)) : json_null(); }

static json_t *describe_end(const struct flow_end *end, uint64_t start_ns, uint64_t now_ns)
{
    uint64_t until = end->finished_ns ? end->last_read_ns : now_ns;
    double time = until > start_ns ? seconds(until - start_ns) : 0;
    struct hawser_conn_info info = {.size = sizeof info};
    json_t *o = json_object();
    flow_end_info(end, &info);
    json_object_set_new(o, "connected_s", moment(end->connected_ns));
    json_object_set_new(o, "sent_bytes", whole(end->sent));
    json_object_set_new(o, "received_bytes", whole(end->received));
    json_object_set_new(o, "mbps", json_real(time > 0 ? (double)end->received * 8 / time / 1e6 : 0));
    json_object_set_new(o, "finished_s", moment(end->finished_ns));
    json_object_set_new(o, "longest_gap_ms", json_real((double)end->longest_gap_ns / (double)NS_PER_MS));
    json_object_set_new(o, "mptcp", json_boolean(info.mptcp));
    json_object_set_new(o, "subflows", whole(info.subflows));
    json_object_set_new(o, "reinjected_bytes", whole(info.reinjected_bytes));
    json_object_set_new(o, "error", end->error ? json_string(strerror(-end->error)) : json_null());
    return o;
}

static json_t *describe_flows(const struct stage *stage)
{
    json_t *list = json_array();
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        uint64_t start_ns = WORLD_START_NS + flow->plan.start_ns, now_ns = stage->world.now_ns;
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(flow->plan.name));
        json_object_set_new(o, "finished", json_boolean(flow_finished(flow)));
        json_object_set_new(o, "client", describe_end(&flow->ends[FLOW_CLIENT], start_ns, now_ns));
        json_object_set_new(o, "server", describe_end(&flow->ends[FLOW_SERVER], start_ns, now_ns));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *describe_lane(const struct lane *lane, uint64_t duration_ns)
{
    const struct lane_counters *c = &lane->counters;
    json_t *o = json_object();
    json_object_set_new(o, "delivered_bytes", whole(c->delivered_bytes));
    json_object_set_new(o, "delivered_packets", whole(c->delivered));
    json_object_set_new(o, "utilisation",
                        lane->config.rate_bps ? json_real(seconds(c->busy_ns) / seconds(duration_ns)) : json_null());
    json_object_set_new(o, "lost_queue", whole(c->lost_queue + lane->queue.late_drops));
    json_object_set_new(o, "lost_wire", whole(c->lost_wire));
    json_object_set_new(o, "lost_down", whole(c->lost_down));
    json_object_set_new(o, "lost_size", whole(c->lost_size));
    json_object_set_new(o, "marked", whole(lane->queue.marks));
    json_object_set_new(o, "queue_peak_bytes", whole(lane->queue.peak_bytes));
    return o;
}

static json_t *describe_links(const struct stage *stage)
{
    json_t *list = json_array();
    uint64_t duration_ns = stage->world.now_ns - WORLD_START_NS;
    for (size_t i = 0; i < stage->scenario->link_count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(stage->scenario->links[i].name));
        json_object_set_new(o, "forward", describe_lane(&stage->cables[i]->lanes[0], duration_ns));
        json_object_set_new(o, "backward", describe_lane(&stage->cables[i]->lanes[1], duration_ns));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *describe_boxes(const struct stage *stage)
{
    json_t *list = json_array();
    for (size_t i = 0; i < stage->scenario->box_count; i++) {
        const struct box_spec *spec = &stage->scenario->boxes[i];
        struct node *node = world_find(&stage->world, spec->name);
        json_t *o = json_object();
        json_object_set_new(o, "name", json_string(spec->name));
        json_object_set_new(o, "kind", json_string(spec->config.kind));
        json_object_set_new(o, "acted", whole(node ? HW_CONTAINER(node, struct box, node)->acted : 0));
        json_array_append_new(list, o);
    }
    return list;
}

static json_t *describe_hosts(const struct stage *stage)
{
    json_t *list = json_array();
    for (size_t i = 0; i < stage->scenario->host_count; i++) {
        const struct host *host = stage->hosts[i];
        json_t *o = json_object(), *counters = json_object();
        struct hawser_counter counter;
        for (size_t k = 0; hawser_stack_counter(host->stack, k, &counter); k++)
            if (counter.value)
                json_object_set_new(counters, counter.name, whole(counter.value));
        json_object_set_new(o, "name", json_string(host->node.name));
        json_object_set_new(o, "memory_peak_bytes", whole(host->memory.peak_bytes));
        json_object_set_new(o, "counters", counters);
        json_array_append_new(list, o);
    }
    return list;
}

static const char *text_at(const struct toml_node *table, const char *key)
{
    const struct toml_node *node = toml_get(table, key);
    return node && node->kind == TOML_STRING ? node->text : "";
}

static json_t *describe_workloads(const struct stage *stage, const struct scenario_file *file)
{
    json_t *list = json_array();
    const struct toml_node *loads = toml_get(file->tree, "workload");
    for (const struct toml_node *node = loads ? loads->first : NULL; node; node = node->next) {
        struct measures m;
        json_t *o = json_object();
        measures_take(stage, text_at(node, "name"), &m);
        json_object_set_new(o, "name", json_string(text_at(node, "name")));
        json_object_set_new(o, "flows", whole(m.flows));
        json_object_set_new(o, "finished", whole(m.finished));
        json_object_set_new(o, "failed", whole(m.failed));
        json_object_set_new(o, "received_bytes", whole(m.received_bytes));
        json_object_set_new(o, "mbps", json_real(m.mbps));
        json_object_set_new(o, "median_ms", m.finished ? json_real(m.median_ms) : json_null());
        json_object_set_new(o, "p95_ms", m.finished ? json_real(m.p95_ms) : json_null());
        json_object_set_new(o, "max_ms", m.finished ? json_real(m.max_ms) : json_null());
        json_object_set_new(o, "longest_gap_ms", json_real(m.longest_gap_ms));
        json_array_append_new(list, o);
    }
    return list;
}

static void describe_ours(json_t *o, const struct stage *stage, const char *what)
{
    struct measures m;
    size_t len;
    char workload[NODE_NAME_MAX];
    const struct measure_kind *kind = measure_kind_of(what, &len);
    snprintf(workload, sizeof workload, "%.*s", (int)len, what);
    measures_take(stage, workload, &m);
    json_object_set_new(o, "measure", json_string(what));
    json_object_set_new(o, "ours", json_real(kind ? kind->get(&m) : 0));
    json_object_set_new(o, "unit", json_string(kind ? kind->unit : ""));
}

static json_t *describe_published(const struct stage *stage, const struct scenario_file *file)
{
    json_t *list = json_array();
    const struct toml_node *published = toml_get(file->tree, "published");
    for (const struct toml_node *node = published ? published->first : NULL; node; node = node->next) {
        json_t *o = json_object();
        json_object_set_new(o, "text", json_string(text_at(node, "text")));
        json_object_set_new(o, "figure", json_string(text_at(node, "figure")));
        describe_ours(o, stage, text_at(node, "measure"));
        json_array_append_new(list, o);
    }
    return list;
}

struct report *report_new(const struct stage *stage, const struct scenario_file *file, double real_s)
{
    struct report *report = calloc(1, sizeof *report);
    if (!report)
        return NULL;
    char trace[20];
    snprintf(trace, sizeof trace, "%016" PRIx64, stage->world.trace);
    json_t *root = report->root = json_object();
    report->sections = file->sections;
    json_object_set_new(root, "name", json_string(stage->scenario->name));
    json_object_set_new(root, "about", json_string(stage->scenario->about));
    json_object_set_new(root, "seed", whole(stage->world.seed));
    json_object_set_new(root, "simulated_s", json_real(seconds(stage->world.now_ns - WORLD_START_NS)));
    json_object_set_new(root, "real_s", json_real(real_s));
    json_object_set_new(root, "hops", whole(stage->world.hops));
    json_object_set_new(root, "trace", json_string(trace));
    json_object_set_new(root, "flows", describe_flows(stage));
    json_object_set_new(root, "workloads", describe_workloads(stage, file));
    json_object_set_new(root, "links", describe_links(stage));
    json_object_set_new(root, "boxes", describe_boxes(stage));
    json_object_set_new(root, "hosts", describe_hosts(stage));
    json_object_set_new(root, "published", describe_published(stage, file));
    return report;
}

void report_free(struct report *report)
{
    json_decref(report->root);
    free(report);
}

int report_print(struct report *report, const struct stage *stage, bool json, FILE *out)
{
    bool good = !world_failed(&stage->world);
    json_object_set_new(report->root, "rules_kept", json_boolean(good));
    json_object_set_new(report->root, "story", good ? json_null() : json_string(stage->world.first_story));
    if (!json)
        report_text(report->root, report->sections, out);
    else if (json_dumpf(report->root, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF)
        return -EIO;
    return fflush(out) == 0 ? 0 : -errno;
}
