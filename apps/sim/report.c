#include "sim/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/cable.h"

/* One tree serves both: the table is printed from what programs get. */
struct report {
    json_t *root;
};

static double seconds(uint64_t ns) { return (double)ns / (double)NS_PER_S; }

static json_t *whole(uint64_t value) { return json_integer((json_int_t)(value > INT64_MAX ? INT64_MAX : value)); }

/* Since the start of the world; null when it never came. */
static json_t *moment(uint64_t ns) { return ns ? json_real(seconds(ns - WORLD_START_NS)) : json_null(); }

static json_t *describe_end(const struct flow_end *end, uint64_t start_ns, uint64_t now_ns)
{
    uint64_t until = end->finished_ns ? end->last_read_ns : now_ns;
    double time = until > start_ns ? seconds(until - start_ns) : 0;
    json_t *o = json_object();
    json_object_set_new(o, "sent_bytes", whole(end->sent));
    json_object_set_new(o, "received_bytes", whole(end->received));
    json_object_set_new(o, "mbps", json_real(time > 0 ? (double)end->received * 8 / time / 1e6 : 0));
    json_object_set_new(o, "finished_s", moment(end->finished_ns));
    json_object_set_new(o, "longest_gap_ms", json_real((double)end->longest_gap_ns / (double)NS_PER_MS));
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

/* Mbit/s of every flow of a workload, both ways. */
static double workload_mbps(const struct stage *stage, const char *name)
{
    double sum = 0;
    size_t len = strlen(name);
    for (size_t i = 0; i < stage->scenario->flow_count; i++) {
        const struct flow *flow = stage->flows[i];
        const char *own = flow->plan.name;
        if (strncmp(own, name, len) != 0 || (own[len] != '\0' && own[len] != '.'))
            continue;
        uint64_t bytes = flow->ends[FLOW_CLIENT].received + flow->ends[FLOW_SERVER].received;
        uint64_t end = HW_MAX(flow->ends[FLOW_CLIENT].last_read_ns, flow->ends[FLOW_SERVER].last_read_ns);
        uint64_t start = WORLD_START_NS + flow->plan.start_ns;
        sum += end > start ? (double)bytes * 8 / seconds(end - start) / 1e6 : 0;
    }
    return sum;
}

static const char *text_at(const struct toml_node *table, const char *key)
{
    const struct toml_node *node = toml_get(table, key);
    return node && node->kind == TOML_STRING ? node->text : "";
}

static json_t *describe_published(const struct stage *stage, const struct scenario_file *file)
{
    json_t *list = json_array();
    const struct toml_node *published = toml_get(file->tree, "published");
    for (const struct toml_node *node = published ? published->first : NULL; node; node = node->next) {
        json_t *o = json_object();
        json_object_set_new(o, "text", json_string(text_at(node, "text")));
        json_object_set_new(o, "figure", json_string(text_at(node, "figure")));
        json_object_set_new(o, "ours_mbps", json_real(workload_mbps(stage, text_at(node, "measure"))));
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
    json_object_set_new(root, "name", json_string(stage->scenario->name));
    json_object_set_new(root, "about", json_string(stage->scenario->about));
    json_object_set_new(root, "seed", whole(stage->world.seed));
    json_object_set_new(root, "simulated_s", json_real(seconds(stage->world.now_ns - WORLD_START_NS)));
    json_object_set_new(root, "real_s", json_real(real_s));
    json_object_set_new(root, "hops", whole(stage->world.hops));
    json_object_set_new(root, "trace", json_string(trace));
    json_object_set_new(root, "flows", describe_flows(stage));
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

static double real_at(const json_t *o, const char *key) { return json_number_value(json_object_get(o, key)); }

static long long integer_at(const json_t *o, const char *key)
{
    return (long long)json_integer_value(json_object_get(o, key));
}

static const char *string_at(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static void print_end(FILE *out, const char *flow, const char *side, const json_t *end)
{
    const json_t *finished = json_object_get(end, "finished_s");
    fprintf(out, "  %-20s %-6s %12lld B %9.2f Mbit/s", flow, side, integer_at(end, "received_bytes"),
            real_at(end, "mbps"));
    if (json_is_real(finished))
        fprintf(out, "  done at %8.3f s", json_real_value(finished));
    else
        fprintf(out, "  %19s", "under way");
    fprintf(out, "  longest gap %7.1f ms", real_at(end, "longest_gap_ms"));
    if (*string_at(end, "error"))
        fprintf(out, "  %s", string_at(end, "error"));
    fprintf(out, "\n");
}

static void print_lane(FILE *out, const char *link, const char *way, const json_t *lane)
{
    const json_t *share = json_object_get(lane, "utilisation");
    fprintf(out, "  %-20s %-8s %12lld B", link, way, integer_at(lane, "delivered_bytes"));
    if (json_is_real(share))
        fprintf(out, "  used %5.1f %%", 100 * json_real_value(share));
    else
        fprintf(out, "  %12s", "no rate");
    fprintf(out,
            "  dropped %lld by the queue, %lld on the wire, %lld while down, %lld too large; queue at most %lld B\n",
            integer_at(lane, "lost_queue"), integer_at(lane, "lost_wire"), integer_at(lane, "lost_down"),
            integer_at(lane, "lost_size"), integer_at(lane, "queue_peak_bytes"));
}

enum { FLOWS_SHOWN = 20 };

static void print_flows(FILE *out, const json_t *flows)
{
    size_t count = json_array_size(flows);
    fprintf(out, "flows, by the end that receives\n");
    for (size_t i = 0; i < count && i < FLOWS_SHOWN; i++) {
        const json_t *flow = json_array_get(flows, i);
        print_end(out, string_at(flow, "name"), "client", json_object_get(flow, "client"));
        print_end(out, string_at(flow, "name"), "server", json_object_get(flow, "server"));
    }
    if (count > FLOWS_SHOWN)
        fprintf(out, "  and %zu more; --json tells of all\n", count - FLOWS_SHOWN);
}

static void print_boxes(FILE *out, const json_t *boxes)
{
    if (json_array_size(boxes))
        fprintf(out, "middleboxes\n");
    for (size_t i = 0; i < json_array_size(boxes); i++) {
        const json_t *box = json_array_get(boxes, i);
        fprintf(out, "  %-20s %-18s acted %lld times\n", string_at(box, "name"), string_at(box, "kind"),
                integer_at(box, "acted"));
    }
}

static void print_text(const json_t *root, FILE *out)
{
    const json_t *links = json_object_get(root, "links"), *published = json_object_get(root, "published");
    const char *story = string_at(root, "story");
    fprintf(out, "%s: %s\n", string_at(root, "name"), string_at(root, "about"));
    print_flows(out, json_object_get(root, "flows"));
    fprintf(out, "links\n");
    for (size_t i = 0; i < json_array_size(links); i++) {
        const json_t *link = json_array_get(links, i);
        print_lane(out, string_at(link, "name"), "forward", json_object_get(link, "forward"));
        print_lane(out, string_at(link, "name"), "backward", json_object_get(link, "backward"));
    }
    print_boxes(out, json_object_get(root, "boxes"));
    for (size_t i = 0; i < json_array_size(published); i++) {
        const json_t *entry = json_array_get(published, i);
        fprintf(out, "published: %s: %s; here %.2f Mbit/s\n", string_at(entry, "text"), string_at(entry, "figure"),
                real_at(entry, "ours_mbps"));
    }
    double real_s = real_at(root, "real_s");
    fprintf(out, "seed %lld, %.3f s simulated in %.3f s, %lld hand-overs of packets", integer_at(root, "seed"),
            real_at(root, "simulated_s"), real_s, integer_at(root, "hops"));
    if (real_s > 0)
        fprintf(out, " (%.0f thousand a second)", (double)integer_at(root, "hops") / real_s / 1e3);
    fprintf(out, ", trace %s\n", string_at(root, "trace"));
    fprintf(out, *story ? "A RULE WAS BROKEN: %s\n" : "no rule was broken%s\n", story);
}

int report_print(struct report *report, const struct stage *stage, bool json, FILE *out)
{
    bool good = !world_failed(&stage->world);
    json_object_set_new(report->root, "rules_kept", json_boolean(good));
    json_object_set_new(report->root, "story", good ? json_null() : json_string(stage->world.first_story));
    if (!json)
        print_text(report->root, out);
    else if (json_dumpf(report->root, out, JSON_INDENT(2)) < 0 || fputc('\n', out) == EOF)
        return -EIO;
    return fflush(out) == 0 ? 0 : -errno;
}
