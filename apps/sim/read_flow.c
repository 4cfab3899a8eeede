/* One connection in every detail, where a workload would say too little: what the swarm writes. */
#include <string.h>

#include "sim/reader.h"

static bool read_word(const struct toml_node *node, const char *const *words, size_t count, unsigned *out)
{
    for (unsigned i = 0; node->kind == TOML_STRING && i < count; i++)
        if (strcmp(node->text, words[i]) == 0) {
            *out = i;
            return true;
        }
    return false;
}

static bool read_ending(struct reader *r, const struct toml_node *node, void *out)
{
    static const char *const words[] = {[FLOW_ORDERLY] = "orderly", [FLOW_HASTY] = "hasty", [FLOW_ABORT] = "abort"};
    unsigned ending;
    (void)r;
    bool good = read_word(node, words, HW_ARRAY_LEN(words), &ending);
    if (good)
        *(enum flow_ending *)out = (enum flow_ending)ending;
    return good;
}

static bool read_side(struct reader *r, const struct toml_node *node, void *out)
{
    static const char *const words[] = {[FLOW_CLIENT] = "client", [FLOW_SERVER] = "server"};
    unsigned side;
    (void)r;
    bool good = read_word(node, words, HW_ARRAY_LEN(words), &side);
    if (good)
        *(enum flow_side *)out = (enum flow_side)side;
    return good;
}

/* What the program at one end wants of its connection. */
static bool read_end(struct reader *r, const struct toml_node *table, struct flow_plan *plan, enum flow_side side)
{
#define OPTION(member) offsetof(struct hawser_conn_options, member)
    static const struct field fields[] = {
        {"send_buffer", read_bytes32, OPTION(send_buffer_bytes), "bytes, like \"256k\""},
        {"recv_buffer", read_bytes32, OPTION(recv_buffer_bytes), "bytes, like \"256k\""},
        {"tcp", read_flag, OPTION(no_mptcp), "true or false"},
        {"low_water", read_bytes32, OPTION(send_low_water_bytes), "bytes, like \"64k\""},
        {"max_subflows", read_count, OPTION(max_subflows), "a number, 32 at most"},
        {"keepalive_idle", read_duration, OPTION(keepalive_idle_ns), "a time, like \"60s\""},
        {"keepalive_interval", read_duration, OPTION(keepalive_interval_ns), "a time, like \"10s\""},
        {"keepalive_tries", read_count, OPTION(keepalive_tries), "a number"},
        {"local", read_address, OPTION(local), "an address of the host, like \"10.0.0.1\""},
    };
#undef OPTION
    static const char *const others[] = {"read_rate", NULL};
    const struct toml_node *rate = toml_get(table, "read_rate");
    if (!read_fields(r, table, fields, HW_ARRAY_LEN(fields), others, &plan->options[side]))
        return false;
    return !rate || read_rate(r, rate, &plan->read_bps[side]) ||
           reader_says(r, rate, "read_rate is bits a second, like \"1mbit\"");
}

static bool flow_makes_sense(struct reader *r, const struct toml_node *table, const struct flow_spec *flow)
{
    const struct flow_plan *plan = &flow->plan;
    if (!flow->client[0] || !flow->server[0] || plan->server_addr.port == 0)
        return reader_says(r, table, "a flow needs client, server and address = \"10.0.0.2:80\"");
    if (strcmp(flow->client, flow->server) == 0)
        return reader_says(r, table, "client and server are the same host: name two");
    if (plan->start_ns >= scenario_of(r)->duration_ns)
        return reader_says(r, table, "the flow starts when the story is over: start must be before duration");
    if (plan->request_bytes == FLOW_ENDLESS && plan->response_bytes && !plan->duplex)
        return reader_says(r, table, "there is no response to an endless request: add duplex = true");
    if (plan->ending == FLOW_ORDERLY && (toml_get(table, "ender") || plan->end_after))
        return reader_says(r, table, "ender and end_after say who does not end orderly: add ending = \"hasty\"");
    return true;
}

bool read_flow(struct reader *r, const struct toml_node *table)
{
#define FLOW(member) offsetof(struct flow_spec, member)
    static const struct field fields[] = {
        {"name", read_name, FLOW(plan.name), NULL},
        {"client", read_name, FLOW(client), "the name of a host"},
        {"server", read_name, FLOW(server), "the name of a host"},
        {"address", read_endpoint, FLOW(plan.server_addr), "the server's address and port, like \"10.0.0.2:80\""},
        {"start", read_duration, FLOW(plan.start_ns), "a time, like \"1s\""},
        {"connect_within", read_duration, FLOW(plan.connect_within_ns), "a time, like \"400ms\""},
        {"rounds", read_count, FLOW(plan.rounds), "a number"},
        {"request", read_stream, FLOW(plan.request_bytes), "bytes, like \"10m\", or \"endless\""},
        {"response", read_stream, FLOW(plan.response_bytes), "bytes, like \"10m\", or \"endless\""},
        {"pause", read_duration, FLOW(plan.pause_ns), "a time, like \"100ms\""},
        {"rest", read_duration, FLOW(plan.rest_ns), "a time, like \"100s\""},
        {"duplex", read_flag, FLOW(plan.duplex), "true or false"},
        {"by_reference", read_flag, FLOW(plan.by_reference), "true or false"},
        {"tinkers", read_flag, FLOW(plan.tinkers), "true or false"},
        {"prioritises", read_flag, FLOW(plan.prioritises), "true or false"},
        {"finishes", read_flag, FLOW(plan.finishes), "true or false"},
        {"slow_until", read_duration, FLOW(plan.slow_until_ns), "a time, like \"8s\""},
        {"ending", read_ending, FLOW(plan.ending), "\"orderly\", \"hasty\" or \"abort\""},
        {"ender", read_side, FLOW(plan.ender), "\"client\" or \"server\""},
        {"end_after", read_bytes, FLOW(plan.end_after), "bytes, like \"10k\""},
    };
#undef FLOW
    static const char *const sides[] = {[FLOW_CLIENT] = "at_client", [FLOW_SERVER] = "at_server"};
    static const char *const others[] = {"at_client", "at_server", NULL};
    char name[NODE_NAME_MAX];
    if (!read_own_name(r, table, name))
        return false;
    struct flow_spec *flow = scenario_add_flow(scenario_of(r), name, "", "");
    if (!read_fields(r, table, fields, HW_ARRAY_LEN(fields), others, flow))
        return false;
    for (unsigned side = 0; side < 2; side++) {
        const struct toml_node *own = toml_get(table, sides[side]);
        if (own && !read_end(r, own, &flow->plan, (enum flow_side)side))
            return false;
    }
    return flow_makes_sense(r, table, flow);
}
