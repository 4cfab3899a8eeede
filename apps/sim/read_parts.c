/* The parts of a scenario: hosts, routers, links, middleboxes, events, workloads. */
#include <stdio.h>
#include <string.h>

#include "lab/values.h"
#include "sim/memory.h"
#include "sim/reader.h"

#define MTU_MIN 1280u
#define MTU_MAX 9000u

bool read_own_name(struct reader *r, const struct toml_node *table, char name[NODE_NAME_MAX])
{
    if (table->kind != TOML_TABLE)
        return reader_says(r, table, "this must be a table");
    const struct toml_node *node = toml_get(table, "name");
    if (!node)
        return reader_says(r, table, "a name is missing: add name = \"...\"");
    return read_name(r, node, name) ||
           reader_says(r, node, "a name has 1 to 31 letters, digits, hyphens and underscores");
}

static bool read_congestion(struct reader *r, const struct toml_node *node, void *out)
{
    static const char *const names[] = {"cubic", "reno", "bbr"};
    struct host_spec *host = out;
    (void)r;
    for (size_t i = 0; node->kind == TOML_STRING && i < HW_ARRAY_LEN(names); i++)
        if (strcmp(node->text, names[i]) == 0) {
            snprintf(host->congestion_name, sizeof host->congestion_name, "%s", names[i]);
            return true;
        }
    return false;
}

static bool read_scheduler(struct reader *r, const struct toml_node *node, void *out)
{
    struct host_spec *host = out;
    (void)r;
    host->options.scheduler = node->kind == TOML_STRING ? hawser_scheduler_find(node->text) : NULL;
    return host->options.scheduler != NULL;
}

static bool read_path_manager(struct reader *r, const struct toml_node *node, void *out)
{
    struct host_spec *host = out;
    (void)r;
    if (node->kind != TOML_STRING || !hawser_path_manager_find(node->text))
        return false;
    snprintf(host->path_manager_name, sizeof host->path_manager_name, "%s", node->text);
    return true;
}

static bool read_prefix(const struct toml_node *node, struct hawser_prefix *out)
{
    char text[HAWSER_ADDR_STRLEN];
    uint64_t bits;
    const char *slash = node->kind == TOML_STRING ? strchr(node->text, '/') : NULL;
    if (!slash || (size_t)(slash - node->text) >= sizeof text || !value_number(slash + 1, &bits) || bits > 128)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)(slash - node->text), node->text);
    out->bits = (uint32_t)bits;
    return hawser_addr_parse(&out->addr, text, 0) == 0 && (bits <= 32 || !hawser_addr_is_v4(&out->addr));
}

static bool read_prefixes(struct reader *r, const struct toml_node *node, void *out)
{
    struct host_prefixes *prefixes = out;
    (void)r;
    if (node->kind != TOML_ARRAY)
        return false;
    for (const struct toml_node *at = node->first; at; at = at->next)
        if (prefixes->count == HOST_PREFIXES_MAX || !read_prefix(at, &prefixes->list[prefixes->count++]))
            return false;
    return true;
}

#define PREFIXES "up to 8 prefixes, like [\"10.0.1.0/24\", \"fd00::/64\"]"

bool read_host(struct reader *r, const struct toml_node *table)
{
    char name[NODE_NAME_MAX];
    if (!read_own_name(r, table, name))
        return false;
    struct host_spec *host = scenario_add_host(scenario_of(r), name);
#define HOST(member) offsetof(struct host_spec, member)
    const struct field fields[] = {
        {"name", read_name, HOST(name), NULL},
        {"congestion", read_congestion, 0, "\"cubic\", \"reno\" or \"bbr\""},
        {"scheduler", read_scheduler, 0, "\"lowest-rtt\" or \"redundant\""},
        {"path_manager", read_path_manager, 0, "\"default\", \"fullmesh\", \"ports\", \"backup\" or \"on-demand\""},
        {"allow", read_prefixes, HOST(allow), PREFIXES},
        {"deny", read_prefixes, HOST(deny), PREFIXES},
        {"backup", read_prefixes, HOST(backup), PREFIXES},
        {"tcp_only", read_flag, HOST(options.no_mptcp), "true or false"},
        {"checksums", read_flag, HOST(options.checksum_required), "true or false"},
        {"payload_memory", read_bytes32, HOST(options.max_memory_bytes), "bytes, like \"64m\""},
        {"link_memory", read_bytes, HOST(link_memory_bytes), "bytes, like \"64m\""},
        {"memory_limit", read_bytes, HOST(memory_limit_bytes), "bytes, like \"64m\""},
        {"refuse", read_share, HOST(refuse_ppm), "a share of allocations, like \"0.1%\""},
    };
#undef HOST
    if (!read_fields(r, table, fields, HW_ARRAY_LEN(fields), NULL, host))
        return false;
    if (host->memory_limit_bytes && host->memory_limit_bytes < UINT64_C(4000000))
        return reader_says(r, toml_get(table, "memory_limit"), "memory_limit is at least 4m");
    return true;
}

bool read_router(struct reader *r, const struct toml_node *table)
{
    static const struct field fields[] = {{"name", read_name, offsetof(struct router_spec, name), NULL}};
    char name[NODE_NAME_MAX];
    return read_own_name(r, table, name) &&
           read_fields(r, table, fields, HW_ARRAY_LEN(fields), NULL, scenario_add_router(scenario_of(r), name));
}

static bool read_ends(struct reader *r, const struct toml_node *node, void *out)
{
    struct wire_spec *link = out;
    const struct toml_node *a = node->first;
    return node->kind == TOML_ARRAY && a && a->next && !a->next->next && read_name(r, a, link->end[0]) &&
           read_name(r, a->next, link->end[1]);
}

/* Whose address it is already, or NULL. */
static const char *owner_of(const struct scenario *s, const struct hawser_addr *addr)
{
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++)
            for (unsigned k = 0; k < s->links[i].address_count[end]; k++)
                if (hawser_addr_same_ip(&s->links[i].addresses[end][k], addr))
                    return s->links[i].name;
    return NULL;
}

static bool read_addresses(struct reader *r, const struct toml_node *node, struct wire_spec *link, unsigned end)
{
    const struct toml_node *first = node->kind == TOML_ARRAY ? node->first : node;
    for (const struct toml_node *at = first; at; at = node->kind == TOML_ARRAY ? at->next : NULL) {
        struct hawser_addr addr;
        const char *owner = read_address(r, at, &addr) ? owner_of(scenario_of(r), &addr) : NULL;
        if (owner)
            return reader_says(r, at, "address %s is taken: it stands at link \"%s\" already", at->text, owner);
        if (at->kind != TOML_STRING || !wire_spec_add_address(link, end, at->text))
            return reader_says(r, at, "%s: IPv4 or IPv6 addresses, at most %d, like [\"10.0.0.1\"]",
                               node->key ? node->key : "addresses", SCENARIO_ADDRESSES_MAX);
    }
    return true;
}

static bool read_addresses_0(struct reader *r, const struct toml_node *node, void *out)
{
    return read_addresses(r, node, out, 0);
}

static bool read_addresses_1(struct reader *r, const struct toml_node *node, void *out)
{
    return read_addresses(r, node, out, 1);
}

bool read_link(struct reader *r, const struct toml_node *table)
{
    static const struct field fields[] = {
        {"name", read_name, offsetof(struct wire_spec, name), NULL},
        {"ends", read_ends, 0, "two names of hosts or routers, like [\"client\", \"server\"]"},
        {"addresses0", read_addresses_0, 0, NULL},
        {"addresses1", read_addresses_1, 0, NULL},
        {"interface_mtu", read_count, offsetof(struct wire_spec, mtu), "bytes, 1280 to 9000"},
    };
    char name[NODE_NAME_MAX];
    bool set[2];
    if (!read_own_name(r, table, name))
        return false;
    struct wire_spec *link = scenario_add_link(scenario_of(r), name, "", "");
    /* The fields of the link first, those of its lanes by the same walk afterwards: each walk skips what is the
     * other's. */
    for (size_t i = 0; i < HW_ARRAY_LEN(fields); i++) {
        const struct toml_node *node = toml_get(table, fields[i].key);
        if (node && !fields[i].read(r, node, (char *)link + fields[i].offset))
            return reader_says(r, node, "%s is %s", fields[i].key, fields[i].allowed ? fields[i].allowed : "wrong");
    }
    if (link->end[0][0] == '\0')
        return reader_says(r, table, "link \"%s\" has no ends: add ends = [\"client\", \"server\"]", name);
    if (strcmp(link->end[0], link->end[1]) == 0)
        return reader_says(r, table, "link \"%s\" leads from \"%s\" to itself: name two ends", name, link->end[0]);
    if (link->mtu && (link->mtu < MTU_MIN || link->mtu > MTU_MAX))
        return reader_says(r, toml_get(table, "interface_mtu"), "interface_mtu is from %u to %u", MTU_MIN, MTU_MAX);
    static const char *const others[] = {"name",          "ends",    "addresses0", "addresses1",
                                         "interface_mtu", "forward", "backward",   NULL};
    struct lane_config lanes[2] = {{0}, {0}};
    if (!read_lanes(r, table, others, lanes, set))
        return false;
    memcpy(scenario_find_link(scenario_of(r), name)->lanes, lanes, sizeof lanes);
    return true;
}

static bool read_direction(struct reader *r, const struct toml_node *node, void *out)
{
    static const char *const names[] = {[BOX_BOTH] = "both", [BOX_OUTWARD] = "outward", [BOX_INWARD] = "inward"};
    (void)r;
    for (size_t i = 0; node->kind == TOML_STRING && i < HW_ARRAY_LEN(names); i++)
        if (strcmp(node->text, names[i]) == 0) {
            *(enum box_direction *)out = (enum box_direction)i;
            return true;
        }
    return false;
}

static bool read_inner(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    if (node->kind != TOML_INTEGER || node->integer < 0 || node->integer > 1)
        return false;
    *(bool *)out = node->integer == 1;
    return true;
}

/* Of packets that a box works on: with none it would not be there. */
static bool read_some(struct reader *r, const struct toml_node *node, void *out)
{
    return read_share(r, node, out) && *(uint32_t *)out > 0;
}

static bool box_kind_exists(const char *name)
{
    for (const struct box_kind *kind = box_kinds(); kind->name; kind++)
        if (strcmp(kind->name, name) == 0)
            return true;
    return false;
}

static bool unknown_box(struct reader *r, const struct toml_node *node)
{
    char list[512] = "";
    size_t used = 0;
    for (const struct box_kind *kind = box_kinds(); kind->name && used < sizeof list; kind++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", kind->name);
    return reader_says(r, node, "there is no such kind of middlebox; allowed: %s", list);
}

bool read_box(struct reader *r, const struct toml_node *table)
{
    char name[NODE_NAME_MAX];
    if (!read_own_name(r, table, name))
        return false;
    struct box_spec *box = scenario_add_box(scenario_of(r), name, "");
#define BOX(member) offsetof(struct box_spec, member)
    const struct field fields[] = {
        {"name", read_name, BOX(name), NULL},
        {"link", read_name, BOX(link), "the name of a link"},
        {"kind", read_kind, BOX(config.kind), "the kind of a middlebox"},
        {"inner", read_inner, BOX(inner_is_end1), "0 or 1: the end of the link that its inner side faces"},
        {"direction", read_direction, BOX(config.direction), "\"both\", \"outward\" or \"inward\""},
        {"syn_only", read_flag, BOX(config.syn_only), "true or false"},
        {"data_only", read_flag, BOX(config.data_only), "true or false"},
        {"share", read_some, BOX(config.ppm), "a share of packets above 0, like \"10%\""},
        {"amount", read_count, BOX(config.amount), "a number; see hawser sim --list"},
        {"period", read_duration, BOX(config.period_ns), "a time, like \"5s\""},
        {"idle", read_duration, BOX(config.idle_ns), "a time, like \"30s\""},
        {"from", read_duration, BOX(config.from_ns), "a time, like \"2s\""},
        {"to", read_duration, BOX(config.to_ns), "a time, like \"8s\""},
        {"address", read_address, BOX(config.addr), "an address, like \"192.0.2.1\""},
    };
#undef BOX
    if (!read_fields(r, table, fields, HW_ARRAY_LEN(fields), NULL, box))
        return false;
    if (!box_kind_exists(box->config.kind))
        return unknown_box(r, toml_get(table, "kind") ? toml_get(table, "kind") : table);
    if (!toml_get(table, "link"))
        return reader_says(r, table, "a middlebox stands on a link: add link = \"...\"");
    if (box->config.to_ns && box->config.to_ns <= box->config.from_ns)
        return reader_says(r, table, "a middlebox acts until a time later than from: to is earlier");
    if (box->config.syn_only && box->config.data_only)
        return reader_says(r, table, "syn_only and data_only leave no packet: write one of them");
    if (strcmp(box->config.kind, "nat") == 0 && !hawser_addr_is_v4(&box->config.addr))
        return reader_says(r, table, "a nat needs an IPv4 address: add address = \"192.0.2.1\"");
    return true;
}

/* What an event is about, beside the lanes. */
struct event {
    uint64_t at_ns;
    char link[NODE_NAME_MAX];
    uint32_t end;
    struct hawser_addr add, remove;
};

/* The lanes of a link as the events before left them. */
static const struct lane_config *lanes_before(const struct scenario *s, const char *link, uint64_t at_ns)
{
    const struct lane_config *lanes = scenario_find_link(s, link)->lanes;
    for (size_t i = 0; i < s->change_count; i++)
        if (strcmp(s->changes[i].link, link) == 0 && s->changes[i].at_ns <= at_ns)
            lanes = s->changes[i].lanes;
    return lanes;
}

static void add_address_event(struct reader *r, const struct event *event, const struct hawser_addr *addr, bool remove)
{
    struct address_spec *change = scenario_add_address_change(scenario_of(r), event->at_ns, event->link, event->end);
    change->addr = *addr;
    change->remove = remove;
}

static bool has_had(const struct scenario *s, const struct event *event, const struct hawser_addr *addr)
{
    const struct wire_spec *link = scenario_find_link(s, event->link);
    for (unsigned k = 0; k < link->address_count[event->end]; k++)
        if (hawser_addr_same_ip(&link->addresses[event->end][k], addr))
            return true;
    for (size_t i = 0; i < s->address_count; i++) {
        const struct address_spec *before = &s->addresses[i];
        if (strcmp(before->link, event->link) == 0 && before->end == event->end && !before->remove &&
            hawser_addr_same_ip(&before->addr, addr))
            return true;
    }
    return false;
}

static bool event_makes_sense(struct reader *r, const struct toml_node *table, const struct event *event)
{
    const struct toml_node *add = toml_get(table, "add_address"), *remove = toml_get(table, "remove_address");
    const struct toml_node *end = toml_get(table, "end");
    if (event->end > 1)
        return reader_says(r, end, "end is 0 or 1: which end of the link");
    if ((add || remove) && !end)
        return reader_says(r, table, "whose address is it: add end = 0 or end = 1");
    if (end && !add && !remove)
        return reader_says(r, end, "end is for add_address and remove_address");
    if (add && remove)
        return reader_says(r, table, "one event either adds or removes an address: write two");
    if (remove && !has_had(scenario_of(r), event, &event->remove))
        return reader_says(r, remove, "that end of link \"%s\" never had the address %s", event->link, remove->text);
    if (event->at_ns >= scenario_of(r)->duration_ns)
        return reader_says(r, table, "the event comes when the story is over: at must be before duration");
    return true;
}

bool read_event(struct reader *r, const struct toml_node *table)
{
    static const struct field fields[] = {
        {"at", read_duration, offsetof(struct event, at_ns), "a time, like \"3s\""},
        {"link", read_name, offsetof(struct event, link), "the name of a link"},
        {"end", read_count, offsetof(struct event, end), "0 or 1: which end of the link"},
        {"add_address", read_address, offsetof(struct event, add), "an address, like \"10.0.9.1\""},
        {"remove_address", read_address, offsetof(struct event, remove), "an address, like \"10.0.9.1\""},
    };
    static const char *const others[] = {"at",      "link",     "end", "add_address", "remove_address",
                                         "forward", "backward", NULL};
    struct event event = {0};
    if (table->kind != TOML_TABLE)
        return reader_says(r, table, "an event must be a table");
    for (size_t i = 0; i < HW_ARRAY_LEN(fields); i++) {
        const struct toml_node *node = toml_get(table, fields[i].key);
        if (node && !fields[i].read(r, node, (char *)&event + fields[i].offset))
            return reader_says(r, node, "%s is %s", fields[i].key, fields[i].allowed);
    }
    const struct toml_node *link = toml_get(table, "link");
    if (!toml_get(table, "at") || !link)
        return reader_says(r, table, "an event needs at = \"3s\" and link = \"...\"");
    if (!scenario_find_link(scenario_of(r), event.link))
        return reader_says(r, link, "there is no link \"%s\"", event.link);
    if (!event_makes_sense(r, table, &event))
        return false;
    if (toml_get(table, "add_address"))
        add_address_event(r, &event, &event.add, false);
    if (toml_get(table, "remove_address"))
        add_address_event(r, &event, &event.remove, true);
    struct lane_config lanes[2];
    bool set[2];
    memcpy(lanes, lanes_before(scenario_of(r), event.link, event.at_ns), sizeof lanes);
    if (!read_lanes(r, table, others, lanes, set))
        return false;
    for (unsigned i = 0; i < 2; i++)
        if (lanes[i].queue.kind != scenario_find_link(scenario_of(r), event.link)->lanes[i].queue.kind)
            return reader_says(r, table, "the discipline of a link stays what it was: set it at the link");
    if (!set[0] && !set[1] && !toml_get(table, "add_address") && !toml_get(table, "remove_address"))
        return reader_says(r, table, "nothing happens: add rate, delay, down, add_address or another change");
    if (set[0] || set[1]) {
        struct change_spec *change = scenario_add_change(scenario_of(r), event.at_ns, event.link);
        memcpy(change->lanes, lanes, sizeof lanes);
        change->lanes_set[0] = change->lanes_set[1] = true;
    }
    return true;
}

bool read_stream(struct reader *r, const struct toml_node *node, void *out)
{
    if (node->kind == TOML_STRING && strcmp(node->text, "endless") == 0) {
        *(uint64_t *)out = FLOW_ENDLESS;
        return true;
    }
    return read_bytes(r, node, out);
}

bool read_workload(struct reader *r, const struct toml_node *table)
{
#define LOAD(member) offsetof(struct workload_spec, member)
    static const struct field fields[] = {
        {"name", read_name, LOAD(name), NULL},
        {"kind", read_kind, LOAD(kind), "the kind of a workload"},
        {"client", read_name, LOAD(client), "the name of a host"},
        {"server", read_name, LOAD(server), "the name of a host"},
        {"address", read_endpoint, LOAD(server_addr), "the server's address and port, like \"10.0.0.2:80\""},
        {"start", read_duration, LOAD(start_ns), "a time, like \"1s\""},
        {"stop", read_duration, LOAD(stop_ns), "a time, like \"9s\""},
        {"count", read_count, LOAD(count), "a number"},
        {"bytes", read_stream, LOAD(bytes), "bytes, like \"10m\", or \"endless\""},
        {"response", read_stream, LOAD(response_bytes), "bytes, like \"10m\", or \"endless\""},
        {"interval", read_duration, LOAD(interval_ns), "a time, like \"100ms\""},
        {"read_rate", read_rate, LOAD(read_bps), "bits a second, like \"1mbit\""},
        {"server_ends", read_flag, LOAD(server_ends), "true or false"},
        {"tcp", read_flag, LOAD(tcp), "true or false"},
        {"send_buffer", read_bytes32, LOAD(send_buffer_bytes), "bytes, like \"256k\""},
        {"recv_buffer", read_bytes32, LOAD(recv_buffer_bytes), "bytes, like \"256k\""},
        {"keepalive_idle", read_duration, LOAD(keepalive_idle_ns), "a time, like \"60s\""},
        {"keepalive_interval", read_duration, LOAD(keepalive_interval_ns), "a time, like \"10s\""},
        {"keepalive_tries", read_count, LOAD(keepalive_tries), "a number"},
    };
#undef LOAD
    struct workload_spec load = {0};
    char name[NODE_NAME_MAX], why[200];
    if (!read_own_name(r, table, name) || !read_fields(r, table, fields, HW_ARRAY_LEN(fields), NULL, &load))
        return false;
    if (load.keepalive_idle_ns == 0 && (load.keepalive_interval_ns || load.keepalive_tries))
        return reader_says(r, table, "keepalive is off: add keepalive_idle, a time like \"60s\"");
    if (load.start_ns >= scenario_of(r)->duration_ns)
        return reader_says(r, table, "the workload starts when the story is over: start must be before duration");
    if (!workload_add(scenario_of(r), &load, reading_of(r)->seed, why, sizeof why))
        return reader_says(r, table, "%s", why);
    return true;
}
