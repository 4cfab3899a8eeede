#include "sim/workloads.h"

#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/loads/draw.h"

#define KB UINT64_C(1000)
#define MB UINT64_C(1000000)
#define PORT_MAX 65535u

/* ---- the kinds ---- */

/* The request asks for an object, whose size is drawn; bytes is the request, response_bytes the largest object. */
static void draw_object(const struct size_table *table, struct flow_plan *plan, const struct workload_spec *w,
                        struct prng *rng)
{
    uint64_t size = draw_size(table, rng);
    plan->response_bytes = w->response_bytes ? HW_MIN(size, w->response_bytes) : size;
}

static void shape_web(struct flow_plan *plan, const struct workload_spec *w, struct prng *rng)
{
    draw_object(&sizes_web_search, plan, w, rng);
}

static void shape_data_mining(struct flow_plan *plan, const struct workload_spec *w, struct prng *rng)
{
    draw_object(&sizes_data_mining, plan, w, rng);
}

static void shape_slow(struct flow_plan *plan, const struct workload_spec *w, struct prng *rng)
{
    (void)rng;
    plan->read_bps[FLOW_CLIENT] = plan->read_bps[FLOW_SERVER] = w->read_bps;
}

/* Half way through what it is to receive; at once when it receives nothing. */
static void shape_cut(struct flow_plan *plan, const struct workload_spec *w)
{
    uint64_t expected = w->server_ends ? w->bytes : w->response_bytes;
    plan->ender = w->server_ends ? FLOW_SERVER : FLOW_CLIENT;
    plan->end_after = expected == FLOW_ENDLESS ? MB : expected / 2;
}

static void shape_early_close(struct flow_plan *plan, const struct workload_spec *w, struct prng *rng)
{
    (void)rng;
    plan->ending = FLOW_HASTY;
    shape_cut(plan, w);
}

static void shape_abort(struct flow_plan *plan, const struct workload_spec *w, struct prng *rng)
{
    (void)rng;
    plan->ending = FLOW_ABORT;
    shape_cut(plan, w);
}

static const struct workload_kind kinds[] = {
    {.name = "bulk",
     .summary = "count transfers (1) of bytes up (endless), then response down; one begins every interval (0)",
     .traits = WORKLOAD_MANY | WORKLOAD_EITHER | WORKLOAD_ENDLESS,
     .defaults = {.count = 1, .bytes = FLOW_ENDLESS}},
    {.name = "both-ways",
     .summary = "like bulk, but bytes up (endless) and response down (endless) at the same time",
     .traits = WORKLOAD_MANY | WORKLOAD_ENDLESS | WORKLOAD_DUPLEX,
     .defaults = {.count = 1, .bytes = FLOW_ENDLESS, .response_bytes = FLOW_ENDLESS}},
    {.name = "competing",
     .summary = "count flows (2) of bytes (endless), each begun at a random time in the first interval (1 s)",
     .traits = WORKLOAD_MANY | WORKLOAD_EITHER | WORKLOAD_ENDLESS,
     .spacing = WORKLOAD_SPREAD,
     .defaults = {.count = 2, .bytes = FLOW_ENDLESS, .interval_ns = NS_PER_S}},
    {.name = "requests",
     .summary = "one connection, count rounds (10) of bytes up (200) and response down (20 KB), interval (100 ms) "
                "between them",
     .traits = WORKLOAD_ROUNDS,
     .defaults = {.count = 10, .bytes = 200, .response_bytes = 20 * KB, .interval_ns = 100 * NS_PER_MS}},
    {.name = "video",
     .summary = "one connection, count chunks (10) of response (1 MB), each asked for by bytes (300), an interval "
                "(2 s) after the last",
     .traits = WORKLOAD_ROUNDS,
     .defaults = {.count = 10, .bytes = 300, .response_bytes = MB, .interval_ns = 2 * NS_PER_S}},
    {.name = "idle-resume",
     .summary = "one connection, count bursts (2) of bytes (500 KB) and response (500 KB) with a silence of "
                "interval (30 s)",
     .traits = WORKLOAD_ROUNDS | WORKLOAD_EITHER,
     .defaults = {.count = 2, .bytes = 500 * KB, .response_bytes = 500 * KB, .interval_ns = 30 * NS_PER_S}},
    {.name = "web",
     .summary =
         "count connections (20) in a Poisson process of mean interval (100 ms); each asks by bytes (300) for an "
         "object of web-search size (DCTCP, SIGCOMM 2010), at most response (no limit)",
     .traits = WORKLOAD_MANY,
     .spacing = WORKLOAD_POISSON,
     .defaults = {.count = 20, .bytes = 300, .interval_ns = 100 * NS_PER_MS},
     .shape = shape_web},
    {.name = "data-mining",
     .summary = "like web, with sizes of data mining (VL2, SIGCOMM 2009): half are one packet, the largest near 1 GB",
     .traits = WORKLOAD_MANY,
     .spacing = WORKLOAD_POISSON,
     .defaults = {.count = 20, .bytes = 300, .interval_ns = 100 * NS_PER_MS},
     .shape = shape_data_mining},
    {.name = "short",
     .summary = "count short connections (50), one every interval (50 ms), of bytes (200) and response (5 KB)",
     .traits = WORKLOAD_MANY,
     .defaults = {.count = 50, .bytes = 200, .response_bytes = 5 * KB, .interval_ns = 50 * NS_PER_MS}},
    {.name = "slow-reader",
     .summary = "bytes up (2 MB) and response down (0) to programs that read only read_rate (1 Mbit/s)",
     .traits = WORKLOAD_MANY | WORKLOAD_EITHER | WORKLOAD_ENDLESS | WORKLOAD_READS,
     .defaults = {.count = 1, .bytes = 2 * MB, .read_bps = MB},
     .shape = shape_slow},
    {.name = "early-close",
     .summary = "bytes up (1 MB) and response down (1 MB) at once; the client, or with server_ends the server, "
                "closes when it has half of its bytes, with more on the way",
     .traits = WORKLOAD_MANY | WORKLOAD_EITHER | WORKLOAD_ENDLESS | WORKLOAD_DUPLEX | WORKLOAD_ENDS,
     .defaults = {.count = 1, .bytes = MB, .response_bytes = MB},
     .shape = shape_early_close},
    {.name = "abort",
     .summary = "like early-close, but it aborts: the other end learns an error",
     .traits = WORKLOAD_MANY | WORKLOAD_EITHER | WORKLOAD_ENDLESS | WORKLOAD_DUPLEX | WORKLOAD_ENDS,
     .defaults = {.count = 1, .bytes = MB, .response_bytes = MB},
     .shape = shape_abort},
    {.name = "half-close",
     .summary = "bytes up (100 KB), then the client shuts its side and a long response (5 MB) comes down",
     .traits = WORKLOAD_MANY,
     .defaults = {.count = 1, .bytes = 100 * KB, .response_bytes = 5 * MB}},
    {.name = NULL},
};

const struct workload_kind *workload_kinds(void) { return kinds; }

static const struct workload_kind *find_kind(const char *name)
{
    for (const struct workload_kind *kind = kinds; kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

/* ---- is the spec sound? ---- */

static void fill_in(struct workload_spec *w, const struct workload_kind *kind)
{
    const struct workload_spec *d = &kind->defaults;
    bool sized = w->bytes || w->response_bytes;
    if (w->count == 0 && w->stop_ns == 0)
        w->count = d->count;
    if (!(sized && kind->traits & WORKLOAD_EITHER)) {
        w->bytes = w->bytes ? w->bytes : d->bytes;
        w->response_bytes = w->response_bytes ? w->response_bytes : d->response_bytes;
    }
    w->interval_ns = w->interval_ns ? w->interval_ns : d->interval_ns;
    w->read_bps = w->read_bps ? w->read_bps : d->read_bps;
}

/* How many flows it may have at most. A Poisson process of the given rate never makes twice as many as in the mean,
 * for our purposes; the sixteen are for short times. */
static uint64_t most_flows(const struct workload_spec *w, const struct workload_kind *kind)
{
    if (kind->traits & WORKLOAD_ROUNDS)
        return 1;
    uint64_t by_time = UINT64_MAX;
    if (w->stop_ns && w->interval_ns && kind->spacing != WORKLOAD_SPREAD)
        by_time = 2 * ((w->stop_ns - w->start_ns) / w->interval_ns) + 16;
    return w->count ? HW_MIN(by_time, (uint64_t)w->count) : by_time;
}

/* A field without use for the kind, or NULL. */
static const char *useless_field(const struct workload_spec *w, unsigned traits)
{
    if (w->stop_ns && traits & WORKLOAD_ROUNDS)
        return "stop";
    if (w->read_bps && !(traits & WORKLOAD_READS))
        return "read_rate";
    if (w->server_ends && !(traits & WORKLOAD_ENDS))
        return "server_ends";
    return NULL;
}

/* What is wrong with the sizes, or NULL. */
static const char *wrong_sizes(const struct workload_spec *w, unsigned traits)
{
    bool endless = w->bytes == FLOW_ENDLESS || w->response_bytes == FLOW_ENDLESS;
    if (endless && !(traits & WORKLOAD_ENDLESS))
        return "this kind cannot be endless";
    if (w->bytes == FLOW_ENDLESS && w->response_bytes && !(traits & WORKLOAD_DUPLEX))
        return "there is no response to an endless request: take the kind \"both-ways\"";
    return NULL;
}

/* What is wrong with the times and numbers, or NULL. */
static const char *wrong_times(const struct workload_spec *w, const struct workload_kind *kind)
{
    if (w->stop_ns && w->stop_ns < w->start_ns)
        return "it stops before it starts";
    if (w->interval_ns >= DRAW_INTERVAL_MAX_NS)
        return "the interval is too long (19 hours at most)";
    if (w->stop_ns && w->count == 0 && (w->interval_ns == 0 || kind->spacing == WORKLOAD_SPREAD))
        return "it needs a count of flows, or an interval between them";
    uint64_t most = most_flows(w, kind);
    if (most > WORKLOAD_FLOWS_MAX)
        return "it would have more than 10000 flows: give a count, a longer interval or an earlier stop";
    if (w->server_addr.port + most - 1 > PORT_MAX)
        return "its flows need one port each, and they do not all fit below 65536";
    return NULL;
}

static bool complain(char *why, size_t size, const struct workload_spec *w, const char *what)
{
    snprintf(why, size, "workload \"%s\" (%s): %s", w->name, w->kind, what);
    return false;
}

static bool check_names(const struct workload_spec *w, char *why, size_t size)
{
    if (!w->name[0]) {
        snprintf(why, size, "a workload has no name");
        return false;
    }
    if (!w->client[0] || !w->server[0])
        return complain(why, size, w, "it needs a client and a server");
    if (strcmp(w->client, w->server) == 0)
        return complain(why, size, w, "client and server are the same host");
    if (w->server_addr.port == 0)
        return complain(why, size, w, "it needs the server's address and a port");
    return true;
}

static bool unknown_kind(const struct workload_spec *w, char *why, size_t size)
{
    int n = snprintf(why, size, "workload \"%s\": there is no kind \"%s\"; there are", w->name, w->kind);
    for (const struct workload_kind *kind = kinds; kind->name && n >= 0 && (size_t)n < size; kind++)
        n += snprintf(why + n, size - (size_t)n, "%s %s", kind == kinds ? "" : ",", kind->name);
    return false;
}

/* ---- its flows ---- */

static struct flow_plan plan_for(const struct workload_spec *w, const struct workload_kind *kind, struct prng *rng)
{
    struct flow_plan plan = {.server_addr = w->server_addr,
                             .request_bytes = w->bytes,
                             .response_bytes = w->response_bytes,
                             .duplex = kind->traits & WORKLOAD_DUPLEX};
    if (kind->traits & WORKLOAD_ROUNDS) {
        plan.rounds = w->count;
        plan.pause_ns = w->interval_ns;
    }
    plan.options[FLOW_CLIENT].no_mptcp = w->tcp;
    for (unsigned side = 0; side < 2; side++) {
        struct hawser_conn_options *options = &plan.options[side];
        options->send_buffer_bytes = w->send_buffer_bytes;
        options->recv_buffer_bytes = w->recv_buffer_bytes;
        options->keepalive_idle_ns = w->keepalive_idle_ns;
        options->keepalive_interval_ns = w->keepalive_interval_ns;
        options->keepalive_tries = w->keepalive_tries;
    }
    if (kind->shape)
        kind->shape(&plan, w, rng);
    return plan;
}

/* The time of flow number `i`, where the one before it began at `last_ns`. */
static uint64_t begin_at(const struct workload_spec *w, const struct workload_kind *kind, uint64_t i, uint64_t last_ns,
                         struct prng *rng)
{
    if (kind->spacing == WORKLOAD_SPREAD)
        return w->start_ns + prng_below(rng, HW_MAX(w->interval_ns, UINT64_C(1)));
    if (i == 0)
        return w->start_ns;
    return last_ns + (kind->spacing == WORKLOAD_POISSON ? draw_interval(w->interval_ns, rng) : w->interval_ns);
}

static void add_flows(struct scenario *s, const struct workload_spec *w, const struct workload_kind *kind,
                      uint64_t seed)
{
    struct prng rng;
    prng_seed(&rng, digest_bytes(seed, (const uint8_t *)w->name, strlen(w->name)));
    uint64_t most = most_flows(w, kind), at_ns = w->start_ns;
    for (uint64_t i = 0; i < most; i++) {
        char name[NODE_NAME_MAX];
        at_ns = begin_at(w, kind, i, at_ns, &rng);
        if (w->stop_ns && at_ns > w->stop_ns) {
            if (kind->spacing != WORKLOAD_SPREAD)
                return;
            continue;
        }
        if (most == 1)
            snprintf(name, sizeof name, "%s", w->name);
        else
            snprintf(name, sizeof name, "%s.%u", w->name, (unsigned)i);
        struct flow_spec *flow = scenario_add_flow(s, name, w->client, w->server);
        struct flow_plan plan = plan_for(w, kind, &rng);
        memcpy(plan.name, flow->plan.name, sizeof plan.name);
        plan.start_ns = at_ns;
        plan.server_addr.port = (uint16_t)(w->server_addr.port + i);
        flow->plan = plan;
    }
}

bool workload_add(struct scenario *s, const struct workload_spec *w, uint64_t seed, char *why, size_t why_size)
{
    const struct workload_kind *kind = find_kind(w->kind);
    if (!check_names(w, why, why_size))
        return false;
    if (!kind)
        return unknown_kind(w, why, why_size);
    const char *field = useless_field(w, kind->traits);
    if (field) {
        snprintf(why, why_size, "workload \"%s\" (%s): this kind has no use for %s", w->name, w->kind, field);
        return false;
    }
    struct workload_spec full = *w;
    fill_in(&full, kind);
    const char *wrong = wrong_sizes(&full, kind->traits);
    if (!wrong)
        wrong = wrong_times(&full, kind);
    if (!wrong && s->flow_count + most_flows(&full, kind) > SCENARIO_FLOWS_MAX)
        wrong = "with it the scenario would have more than 20000 flows";
    if (wrong)
        return complain(why, why_size, w, wrong);
    add_flows(s, &full, kind, seed);
    return true;
}
