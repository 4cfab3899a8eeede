/* The parameters of a link's lanes, at the start or by an event. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lab/values.h"
#include "sim/memory.h"
#include "sim/reader.h"

#define TRACE_OPPORTUNITIES_MAX 10000000u
#define THRESHOLD_MAX UINT64_C(1000000000)
#define LANE_MTU_MIN 68u

static bool is_unlimited(const struct toml_node *node)
{
    return node->kind == TOML_STRING && strcmp(node->text, "unlimited") == 0;
}

/* A later rate takes the place of a trace inherited from the link, and the other way round. */
static bool read_lane_rate(struct reader *r, const struct toml_node *node, void *out)
{
    struct lane_config *lane = out;
    lane->trace = NULL;
    lane->rate_bps = 0;
    return is_unlimited(node) || (read_rate(r, node, &lane->rate_bps) && lane->rate_bps > 0);
}

/* "128k" or "100p". */
static bool read_queue(struct reader *r, const struct toml_node *node, void *out)
{
    struct lane_config *lane = out;
    size_t len = node->kind == TOML_STRING ? strlen(node->text) : 0;
    char digits[16];
    uint64_t packets;
    lane->queue.packets = 0;
    lane->queue.bytes = 0;
    if (is_unlimited(node))
        return true;
    if (len < 2 || len > sizeof digits || node->text[len - 1] != 'p')
        return read_bytes(r, node, &lane->queue.bytes) && lane->queue.bytes > 0;
    snprintf(digits, sizeof digits, "%.*s", (int)(len - 1), node->text);
    if (!value_number(digits, &packets) || packets == 0 || packets > UINT32_MAX)
        return false;
    lane->queue.packets = (uint32_t)packets;
    return true;
}

static bool read_threshold(struct reader *r, const struct toml_node *node, void *out)
{
    return read_bytes(r, node, out) && *(uint64_t *)out <= THRESHOLD_MAX;
}

/* Of what passes, not of the interfaces: below the least that IPv4 must carry (RFC 791 3.2) nothing is left. */
static bool read_mtu(struct reader *r, const struct toml_node *node, void *out)
{
    uint32_t *mtu = out;
    return read_count(r, node, mtu) && (*mtu == 0 || (*mtu >= LANE_MTU_MIN && *mtu <= UINT16_MAX));
}

static bool read_discipline(struct reader *r, const struct toml_node *node, void *out)
{
    static const char *const names[] = {[QUEUE_DROP_TAIL] = "droptail", [QUEUE_RED] = "red", [QUEUE_CODEL] = "codel"};
    struct lane_config *lane = out;
    (void)r;
    for (size_t i = 0; node->kind == TOML_STRING && i < HW_ARRAY_LEN(names); i++)
        if (strcmp(node->text, names[i]) == 0) {
            lane->queue.kind = (enum queue_kind)i;
            return true;
        }
    return false;
}

/* "1%", or a table for bursts. */
static bool read_loss(struct reader *r, const struct toml_node *node, void *out)
{
    static const struct field fields[] = {
        {"to_bad", read_share, offsetof(struct loss_config, to_bad_ppm), "a share of packets, like \"0.5%\""},
        {"to_good", read_share, offsetof(struct loss_config, to_good_ppm), "a share of packets, like \"20%\""},
        {"good", read_share, offsetof(struct loss_config, good_ppm), "a share of packets, like \"0%\""},
        {"bad", read_share, offsetof(struct loss_config, bad_ppm), "a share of packets, like \"60%\""},
    };
    struct lane_config *lane = out;
    if (node->kind == TOML_TABLE) {
        lane->loss = (struct loss_config){.kind = LOSS_BURSTY};
        if (!read_fields(r, node, fields, HW_ARRAY_LEN(fields), NULL, &lane->loss))
            return false;
        return (toml_get(node, "to_bad") && toml_get(node, "to_good") && toml_get(node, "bad")) ||
               reader_says(r, node, "loss in bursts needs to_bad, to_good and bad: shares like \"1%%\"");
    }
    lane->loss = (struct loss_config){.kind = LOSS_INDEPENDENT};
    return read_share(r, node, &lane->loss.ppm) ||
           reader_says(r, node, "loss is a share like \"1%%\", or a table { to_bad, to_good, good, bad }");
}

/* Relative to the scenario file. */
static FILE *open_beside(const char *scenario_path, const char *name)
{
    char path[4096];
    const char *slash = name[0] == '/' ? NULL : strrchr(scenario_path, '/');
    int len = slash ? (int)(slash - scenario_path) + 1 : 0;
    int n = snprintf(path, sizeof path, "%.*s%s", len, scenario_path, name);
    return n > 0 && (size_t)n < sizeof path ? fopen(path, "re") : NULL;
}

static bool add_opportunity(struct rate_trace *trace, uint64_t at_ms)
{
    bool good = at_ms <= UINT32_MAX && trace->count < TRACE_OPPORTUNITIES_MAX &&
                (trace->count == 0 || at_ms >= trace->at_ms[trace->count - 1]);
    if (good) {
        trace->at_ms = sim_grow(trace->at_ms, trace->count, sizeof *trace->at_ms);
        trace->at_ms[trace->count++] = (uint32_t)at_ms;
    }
    return good;
}

static bool ends_later(const struct rate_trace *trace) { return trace->count && trace->at_ms[trace->count - 1] > 0; }

static bool read_trace_lines(struct reader *r, const struct toml_node *node, FILE *file, struct rate_trace *trace)
{
    char line[64];
    for (unsigned number = 1; fgets(line, sizeof line, file); number++) {
        uint64_t at_ms;
        line[strcspn(line, "\r\n")] = '\0';
        if (!value_number(line, &at_ms) || !add_opportunity(trace, at_ms))
            return reader_says(r, node,
                               "trace \"%s\", line %u: each line is a time in milliseconds, never less than "
                               "the one before, %u lines at most",
                               node->text, number, TRACE_OPPORTUNITIES_MAX);
    }
    if (ferror(file))
        return reader_says(r, node, "trace \"%s\": %s", node->text, strerror(errno));
    return ends_later(trace) || reader_says(r, node, "trace \"%s\" must end later than 0 ms", node->text);
}

/* The times in the scenario itself. */
static bool read_trace_list(struct reader *r, const struct toml_node *list, struct rate_trace *trace)
{
    for (const struct toml_node *node = list->first; node; node = node->next) {
        uint64_t at_ms;
        if (!read_number(r, node, &at_ms) || !add_opportunity(trace, at_ms))
            return reader_says(r, node, "trace is a list of times in milliseconds, none less than the one before");
    }
    return ends_later(trace) || reader_says(r, list, "trace must end later than 0 ms");
}

static bool read_trace(struct reader *r, const struct toml_node *node, void *out)
{
    struct lane_config *lane = out;
    if (node->kind == TOML_ARRAY) {
        struct rate_trace *trace = sim_new(sizeof *trace);
        lane->rate_bps = 0;
        lane->trace = scenario_add_trace(scenario_of(r), trace);
        return read_trace_list(r, node, trace);
    }
    if (node->kind != TOML_STRING)
        return reader_says(r, node, "trace is the name of a file in the format of Mahimahi, or a list of its numbers");
    FILE *file = open_beside(r->path, node->text);
    if (!file)
        return reader_says(r, node, "trace \"%s\": %s", node->text, strerror(errno));
    struct rate_trace *trace = sim_new(sizeof *trace);
    bool good = read_trace_lines(r, node, file, trace);
    fclose(file);
    lane->rate_bps = 0;
    lane->trace = scenario_add_trace(scenario_of(r), trace); /* which frees it, good or not */
    return good;
}

#define LANE(member) offsetof(struct lane_config, member)
static const struct field lane_fields[] = {
    {"rate", read_lane_rate, 0, "bits a second, like \"50mbit\", or \"unlimited\"; without one there is no limit"},
    {"delay", read_duration, LANE(delay_ns), "a time, like \"10ms\""},
    {"jitter", read_duration, LANE(jitter_ns), "a time, like \"2ms\""},
    {"jitter_reorders", read_flag, LANE(jitter_reorders), "true or false"},
    {"queue", read_queue, 0,
     "bytes or packets, like \"128k\" or \"100p\", or \"unlimited\"; without one it has no end"},
    {"discipline", read_discipline, 0, "\"droptail\", \"red\" or \"codel\""},
    {"ecn", read_flag, LANE(queue.ecn), "true or false"},
    {"red_min", read_threshold, LANE(queue.red_min_bytes), "bytes, like \"30k\""},
    {"red_max", read_threshold, LANE(queue.red_max_bytes), "bytes, like \"90k\""},
    {"red_share", read_share, LANE(queue.red_max_ppm), "a share, like \"10%\""},
    {"codel_target", read_duration, LANE(queue.codel_target_ns), "a time, like \"5ms\""},
    {"codel_interval", read_duration, LANE(queue.codel_interval_ns), "a time, like \"100ms\""},
    {"loss", read_loss, 0, NULL},
    {"corrupt", read_share, LANE(corrupt_ppm), "a share of packets, like \"0.1%\""},
    {"duplicate", read_share, LANE(duplicate_ppm), "a share of packets, like \"1%\""},
    {"reorder", read_share, LANE(reorder_ppm), "a share of packets, like \"1%\""},
    {"reorder_delay", read_duration, LANE(reorder_ns), "a time, like \"5ms\""},
    {"mtu", read_mtu, LANE(mtu), "bytes, 68 to 65535, or 0 for no limit"},
    {"mtu_told", read_flag, LANE(mtu_told), "true or false"},
    {"trace", read_trace, 0, NULL},
    {"down", read_flag, LANE(down), "true or false"},
};
#undef LANE

static bool queue_makes_sense(struct reader *r, const struct toml_node *table, const struct lane_config *lane)
{
    const struct queue_config *q = &lane->queue;
    bool red = q->kind == QUEUE_RED, codel = q->kind == QUEUE_CODEL;
    if (red && (q->red_min_bytes == 0 || q->red_max_bytes <= q->red_min_bytes || q->red_max_ppm == 0))
        return reader_says(r, table, "discipline \"red\" needs red_min, a larger red_max, and red_share");
    if (!red && (q->red_min_bytes || q->red_max_bytes || q->red_max_ppm))
        return reader_says(r, table, "red_min, red_max and red_share need discipline = \"red\"");
    if (!codel && (q->codel_target_ns || q->codel_interval_ns))
        return reader_says(r, table, "codel_target and codel_interval need discipline = \"codel\"");
    if (q->ecn && !red && !codel)
        return reader_says(r, table, "ecn needs discipline = \"red\" or \"codel\"");
    if (!lane->rate_bps && !lane->trace && (q->bytes || q->packets || red || codel))
        return reader_says(r, table, "nothing queues where there is no limit: add a rate or a trace");
    return true;
}

/* What `table` says, which is also true of the lane that it is said about. */
static bool read_lane(struct reader *r, const struct toml_node *table, const char *const *others,
                      struct lane_config *lane)
{
    if (!read_fields(r, table, lane_fields, HW_ARRAY_LEN(lane_fields), others, lane))
        return false;
    if (toml_get(table, "rate") && toml_get(table, "trace"))
        return reader_says(r, table, "a link has either a rate or a trace");
    if (lane->reorder_ppm && lane->reorder_ns == 0)
        return reader_says(r, table, "reorder needs reorder_delay, a time like \"5ms\"");
    return true;
}

bool read_lanes(struct reader *r, const struct toml_node *table, const char *const *others, struct lane_config lanes[2],
                bool set[2])
{
    static const char *const names[2] = {"forward", "backward"};
    bool said = false;
    for (size_t i = 0; i < HW_ARRAY_LEN(lane_fields); i++)
        said |= toml_get(table, lane_fields[i].key) != NULL;
    for (unsigned i = 0; i < 2; i++) {
        const struct toml_node *own = toml_get(table, names[i]);
        if (!read_lane(r, table, others, &lanes[i]) || (own && !read_lane(r, own, NULL, &lanes[i])))
            return false;
        set[i] = said || own;
        if (!queue_makes_sense(r, own ? own : table, &lanes[i]))
            return false;
    }
    return true;
}
