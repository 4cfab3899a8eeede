#include "sim/report_text.h"

#include "sim/report.h"

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
    if (json_is_true(json_object_get(end, "mptcp")))
        fprintf(out, "  %lld subflow%s", integer_at(end, "subflows"), integer_at(end, "subflows") == 1 ? "" : "s");
    else
        fprintf(out, "  plain TCP");
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

static void print_workloads(FILE *out, const json_t *loads)
{
    fprintf(out, "workloads\n");
    for (size_t i = 0; i < json_array_size(loads); i++) {
        const json_t *load = json_array_get(loads, i);
        fprintf(out, "  %-20s %6lld of %lld flows done, %lld failed  %9.2f Mbit/s  longest gap %.1f ms",
                string_at(load, "name"), integer_at(load, "finished"), integer_at(load, "flows"),
                integer_at(load, "failed"), real_at(load, "mbps"), real_at(load, "longest_gap_ms"));
        if (integer_at(load, "finished") == 1)
            fprintf(out, "  done after %.1f ms", real_at(load, "max_ms"));
        else if (integer_at(load, "finished"))
            fprintf(out, "  done after %.1f ms in the median, 95 %% within %.1f, the last %.1f",
                    real_at(load, "median_ms"), real_at(load, "p95_ms"), real_at(load, "max_ms"));
        fprintf(out, "\n");
    }
}

static void print_hosts(FILE *out, const json_t *hosts)
{
    fprintf(out, "hosts\n");
    for (size_t i = 0; i < json_array_size(hosts); i++) {
        const json_t *host = json_array_get(hosts, i), *counters = json_object_get(host, "counters");
        fprintf(out,
                "  %-20s %lld packets out, %lld sent again, %lld timeouts, %lld reinjections, %lld joins, %lld "
                "fallbacks; memory at most %.1f MB\n",
                string_at(host, "name"), integer_at(counters, "ip.packets_out"),
                integer_at(counters, "tcp.retransmits"), integer_at(counters, "tcp.timeouts"),
                integer_at(counters, "mptcp.reinjections"),
                integer_at(counters, "mptcp.joins_made") + integer_at(counters, "mptcp.joins_accepted"),
                integer_at(counters, "mptcp.fallbacks"), (double)integer_at(host, "memory_peak_bytes") / 1e6);
    }
}

static void print_links(FILE *out, const json_t *links)
{
    fprintf(out, "links\n");
    for (size_t i = 0; i < json_array_size(links); i++) {
        const json_t *link = json_array_get(links, i);
        print_lane(out, string_at(link, "name"), "forward", json_object_get(link, "forward"));
        print_lane(out, string_at(link, "name"), "backward", json_object_get(link, "backward"));
    }
}

void report_text(const json_t *root, unsigned sections, FILE *out)
{
    const json_t *published = json_object_get(root, "published");
    const char *story = string_at(root, "story");
    fprintf(out, "%s: %s\n", string_at(root, "name"), string_at(root, "about"));
    if (sections & REPORT_FLOWS)
        print_flows(out, json_object_get(root, "flows"));
    if (sections & REPORT_WORKLOADS)
        print_workloads(out, json_object_get(root, "workloads"));
    if (sections & REPORT_LINKS)
        print_links(out, json_object_get(root, "links"));
    if (sections & REPORT_BOXES)
        print_boxes(out, json_object_get(root, "boxes"));
    if (sections & REPORT_HOSTS)
        print_hosts(out, json_object_get(root, "hosts"));
    for (size_t i = 0; i < json_array_size(published); i++) {
        const json_t *entry = json_array_get(published, i);
        fprintf(out, "published: %s: %s; here %.2f %s\n", string_at(entry, "text"), string_at(entry, "figure"),
                real_at(entry, "ours"), string_at(entry, "unit"));
    }
    double real_s = real_at(root, "real_s");
    fprintf(out, "seed %lld, %.3f s simulated in %.3f s, %lld hand-overs of packets", integer_at(root, "seed"),
            real_at(root, "simulated_s"), real_s, integer_at(root, "hops"));
    if (real_s > 0)
        fprintf(out, " (%.0f thousand a second)", (double)integer_at(root, "hops") / real_s / 1e3);
    fprintf(out, ", trace %s\n", string_at(root, "trace"));
    fprintf(out, *story ? "A RULE WAS BROKEN: %s\n" : "no rule was broken%s\n", story);
}
