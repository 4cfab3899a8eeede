#include "sim/write_scenario.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"

static void write_address(FILE *out, const char *key, const struct hawser_addr *addr)
{
    char text[HAWSER_ADDR_STRLEN];
    write_word(out, key, hawser_addr_format(addr, text, sizeof text)); /* with the port where there is one */
}

static bool is_set(const struct hawser_addr *addr)
{
    static const struct hawser_addr none;
    return !hawser_addr_same_ip(addr, &none);
}

static void write_head(const struct scenario *s, uint64_t seed, FILE *out)
{
    write_word(out, "name", s->name);
    if (s->about[0])
        write_word(out, "about", s->about);
    write_number(out, "seed", seed);
    write_time(out, "duration", s->duration_ns);
    if (s->heal_ns) {
        write_time(out, "heal", s->heal_ns);
        write_time(out, "patience", s->patience_ns);
        write_flag(out, "must_complete", s->must_complete);
    }
    write_flag(out, "wrap_soon", s->wrap_soon);
}

static void write_prefixes(FILE *out, const char *key, const struct host_prefixes *prefixes)
{
    char text[HAWSER_ADDR_STRLEN];
    for (uint32_t i = 0; i < prefixes->count; i++)
        fprintf(out, "%s%s\"%s/%u\"%s", i ? ", " : key, i ? "" : " = [",
                hawser_addr_format(&prefixes->list[i].addr, text, sizeof text), prefixes->list[i].bits,
                i + 1 == prefixes->count ? "]\n" : "");
}

static void write_host(const struct host_spec *host, FILE *out)
{
    fprintf(out, "\n[[host]]\n");
    write_word(out, "name", host->name);
    if (host->congestion_name[0])
        write_word(out, "congestion", host->congestion_name);
    const struct hawser_scheduler *scheduler = host->options.scheduler;
    if (scheduler)
        write_word(out, "scheduler", scheduler->name);
    if (host->path_manager_name[0])
        write_word(out, "path_manager", host->path_manager_name);
    write_prefixes(out, "allow", &host->allow);
    write_prefixes(out, "deny", &host->deny);
    write_prefixes(out, "backup", &host->backup);
    if (host->options.no_mptcp)
        write_flag(out, "tcp_only", true);
    if (host->options.checksum_required)
        write_flag(out, "checksums", true);
    if (host->options.max_memory_bytes)
        write_number(out, "payload_memory", host->options.max_memory_bytes);
    if (host->link_memory_bytes)
        write_number(out, "link_memory", host->link_memory_bytes);
    if (host->memory_limit_bytes)
        write_number(out, "memory_limit", host->memory_limit_bytes);
    if (host->refuse_ppm)
        write_share(out, "refuse", host->refuse_ppm);
}

/* ---- links and their changes ---- */

/* What changes on both lanes of `table` ("link", "event"): together where it is the same, else in a table each. */
static int write_lanes(const char *table, const struct lane_config before[2], const struct lane_config now[2],
                       FILE *out)
{
    static const char *const names[2] = {"forward", "backward"};
    char *texts[2] = {NULL, NULL};
    int err = 0;
    for (unsigned i = 0; i < 2; i++) {
        size_t size;
        FILE *text = open_memstream(&texts[i], &size);
        if (!text) {
            err = -errno;
            continue;
        }
        lane_write(&before[i], &now[i], text);
        if (fclose(text) != 0)
            err = -errno;
    }
    if (!err && strcmp(texts[0], texts[1]) == 0)
        fputs(texts[0], out);
    else if (!err)
        for (unsigned i = 0; i < 2; i++)
            if (texts[i][0])
                fprintf(out, "[%s.%s]\n%s", table, names[i], texts[i]);
    free(texts[0]);
    free(texts[1]);
    return err;
}

static int write_link(const struct wire_spec *link, FILE *out)
{
    static const struct lane_config nothing[2];
    fprintf(out, "\n[[link]]\n");
    write_word(out, "name", link->name);
    fprintf(out, "ends = [\"%s\", \"%s\"]\n", link->end[0], link->end[1]);
    for (unsigned end = 0; end < 2; end++)
        for (unsigned i = 0; i < link->address_count[end]; i++) {
            char text[HAWSER_ADDR_STRLEN];
            if (i == 0)
                fprintf(out, "addresses%u = [", end);
            fprintf(out, "%s\"%s\"%s", i ? ", " : "", hawser_addr_format(&link->addresses[end][i], text, sizeof text),
                    i + 1 == link->address_count[end] ? "]\n" : "");
        }
    if (link->mtu)
        write_number(out, "interface_mtu", link->mtu);
    return write_lanes("link", nothing, link->lanes, out);
}

static int write_changes(const struct scenario *s, FILE *out)
{
    int err = 0;
    struct lane_config(*state)[2] = sim_new((s->link_count + 1) * sizeof *state);
    for (size_t i = 0; i < s->link_count; i++)
        memcpy(state[i], s->links[i].lanes, sizeof state[i]);
    for (size_t i = 0; i < s->change_count && !err; i++) {
        const struct change_spec *change = &s->changes[i];
        size_t at = (size_t)(scenario_find_link(s, change->link) - s->links);
        struct lane_config lanes[2];
        for (unsigned k = 0; k < 2; k++)
            lanes[k] = change->lanes_set[k] ? change->lanes[k] : state[at][k];
        fprintf(out, "\n[[event]]\n");
        write_time(out, "at", change->at_ns);
        write_word(out, "link", change->link);
        err = write_lanes("event", state[at], lanes, out);
        memcpy(state[at], lanes, sizeof lanes);
    }
    sim_free(state);
    return err;
}

static void write_address_change(const struct address_spec *change, FILE *out)
{
    fprintf(out, "\n[[event]]\n");
    write_time(out, "at", change->at_ns);
    write_word(out, "link", change->link);
    write_number(out, "end", change->end);
    write_address(out, change->remove ? "remove_address" : "add_address", &change->addr);
}

/* ---- middleboxes ---- */

static void write_box(const struct box_spec *box, FILE *out)
{
    static const char *const directions[] = {[BOX_BOTH] = "both", [BOX_OUTWARD] = "outward", [BOX_INWARD] = "inward"};
    const struct box_config *c = &box->config;
    fprintf(out, "\n[[box]]\n");
    write_word(out, "name", box->name);
    write_word(out, "link", box->link);
    write_word(out, "kind", c->kind);
    write_number(out, "inner", box->inner_is_end1);
    write_word(out, "direction", directions[c->direction]);
    if (c->syn_only)
        write_flag(out, "syn_only", true);
    if (c->data_only)
        write_flag(out, "data_only", true);
    if (c->ppm)
        write_share(out, "share", c->ppm);
    if (c->amount)
        write_number(out, "amount", c->amount);
    if (c->period_ns)
        write_time(out, "period", c->period_ns);
    if (c->idle_ns)
        write_time(out, "idle", c->idle_ns);
    if (c->from_ns)
        write_time(out, "from", c->from_ns);
    if (c->to_ns)
        write_time(out, "to", c->to_ns);
    if (is_set(&c->addr))
        write_address(out, "address", &c->addr);
}

/* ---- flows ---- */

static void write_stream(FILE *out, const char *key, uint64_t bytes)
{
    if (bytes == FLOW_ENDLESS)
        write_word(out, key, "endless");
    else
        write_number(out, key, bytes);
}

static void write_end(const struct flow_plan *plan, enum flow_side side, FILE *out)
{
    const struct hawser_conn_options *options = &plan->options[side];
    bool any = options->send_buffer_bytes || options->recv_buffer_bytes || options->no_mptcp ||
               options->keepalive_idle_ns || options->send_low_water_bytes || options->max_subflows ||
               is_set(&options->local) || plan->read_bps[side];
    if (any)
        fprintf(out, "[flow.%s]\n", side == FLOW_CLIENT ? "at_client" : "at_server");
    if (options->send_buffer_bytes)
        write_number(out, "send_buffer", options->send_buffer_bytes);
    if (options->recv_buffer_bytes)
        write_number(out, "recv_buffer", options->recv_buffer_bytes);
    if (options->no_mptcp)
        write_flag(out, "tcp", true);
    if (options->send_low_water_bytes)
        write_number(out, "low_water", options->send_low_water_bytes);
    if (options->max_subflows)
        write_number(out, "max_subflows", options->max_subflows);
    if (options->keepalive_idle_ns)
        write_time(out, "keepalive_idle", options->keepalive_idle_ns);
    if (options->keepalive_interval_ns)
        write_time(out, "keepalive_interval", options->keepalive_interval_ns);
    if (options->keepalive_tries)
        write_number(out, "keepalive_tries", options->keepalive_tries);
    if (is_set(&options->local))
        write_address(out, "local", &options->local);
    if (plan->read_bps[side])
        write_rate(out, "read_rate", plan->read_bps[side]);
}

static void write_flow(const struct flow_spec *flow, FILE *out)
{
    const struct flow_plan *plan = &flow->plan;
    fprintf(out, "\n[[flow]]\n");
    write_word(out, "name", plan->name);
    write_word(out, "client", flow->client);
    write_word(out, "server", flow->server);
    write_address(out, "address", &plan->server_addr);
    write_time(out, "start", plan->start_ns);
    if (plan->connect_within_ns)
        write_time(out, "connect_within", plan->connect_within_ns);
    if (plan->rounds)
        write_number(out, "rounds", plan->rounds);
    write_stream(out, "request", plan->request_bytes);
    write_stream(out, "response", plan->response_bytes);
    if (plan->pause_ns)
        write_time(out, "pause", plan->pause_ns);
    if (plan->rest_ns)
        write_time(out, "rest", plan->rest_ns);
    if (plan->duplex)
        write_flag(out, "duplex", true);
    if (plan->by_reference)
        write_flag(out, "by_reference", true);
    if (plan->tinkers)
        write_flag(out, "tinkers", true);
    if (plan->prioritises)
        write_flag(out, "prioritises", true);
    if (plan->finishes)
        write_flag(out, "finishes", true);
    if (plan->slow_until_ns)
        write_time(out, "slow_until", plan->slow_until_ns);
    if (plan->ending != FLOW_ORDERLY) {
        write_word(out, "ending", plan->ending == FLOW_ABORT ? "abort" : "hasty");
        write_word(out, "ender", plan->ender == FLOW_CLIENT ? "client" : "server");
        write_number(out, "end_after", plan->end_after);
    }
    write_end(plan, FLOW_CLIENT, out);
    write_end(plan, FLOW_SERVER, out);
}

int scenario_write(const struct scenario *s, uint64_t seed, FILE *out)
{
    int err = 0;
    write_head(s, seed, out);
    for (size_t i = 0; i < s->host_count; i++)
        write_host(&s->hosts[i], out);
    for (size_t i = 0; i < s->router_count; i++)
        fprintf(out, "\n[[router]]\nname = \"%s\"\n", s->routers[i].name);
    for (size_t i = 0; i < s->link_count && !err; i++)
        err = write_link(&s->links[i], out);
    for (size_t i = 0; i < s->box_count; i++)
        write_box(&s->boxes[i], out);
    if (!err)
        err = write_changes(s, out);
    for (size_t i = 0; i < s->address_count; i++)
        write_address_change(&s->addresses[i], out);
    for (size_t i = 0; i < s->flow_count; i++)
        write_flow(&s->flows[i], out);
    if (fflush(out) != 0 || ferror(out))
        return err ? err : -EIO;
    return err;
}
