#include "sim/gates.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/cable.h"
#include "sim/memory.h"
#include "wire/mptcp_options.h"

/* Ports of a gate; then come, for each path, those that lead to the inner and to the outer side of its proxy. */
enum { TO_HOST, TO_LINK, TO_PROXIES };

struct gate {
    struct node node;
    struct gates *all;
    struct host *host;
    const struct wire_spec *link;
    unsigned end; /* of the link */
};

static const char *const names[DEVIATIONS] = {
    "none",     "lose",          "duplicate",    "swap",       "strip",      "cut-first",
    "cut-both", "strip-outward", "strip-inward", "strip-both", "black-hole", "acking-proxy",
};

const char *deviation_name(enum deviation what) { return names[what]; }

enum deviation deviation_find(const char *name, size_t len)
{
    for (unsigned i = DEVIATE_LOSE; i < DEVIATIONS; i++)
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0)
            return (enum deviation)i;
    return DEVIATIONS;
}

struct host *gate_host(const struct gate *gate) { return gate->host; }

const struct wire_spec *gate_link(const struct gate *gate) { return gate->link; }

/* ---- which path ---- */

static bool has_address(const struct gate *gate, const struct hawser_addr *addr)
{
    const struct scenario *s = gate->all->scenario;
    for (unsigned i = 0; i < gate->link->address_count[gate->end]; i++)
        if (hawser_addr_same_ip(&gate->link->addresses[gate->end][i], addr))
            return true;
    for (size_t i = 0; i < s->address_count; i++)
        if (s->addresses[i].end == gate->end && hawser_addr_same_ip(&s->addresses[i].addr, addr) &&
            strcmp(s->addresses[i].link, gate->link->name) == 0)
            return true;
    return false;
}

/* The path whose end here is this gate and whose other end has that address; NULL: none. */
static struct path *path_to(const struct gate *gate, const struct hawser_addr *far, unsigned *end)
{
    for (size_t i = 0; i < gate->all->path_count; i++) {
        struct path *path = &gate->all->paths[i];
        *end = path->end[1] == gate;
        if (path->end[*end] == gate && has_address(path->end[1 - *end], far))
            return path;
    }
    return NULL;
}

/* ---- what becomes of a packet ---- */

static unsigned proxy_port(const struct path *path, unsigned side) { return TO_PROXIES + 2 * path->number + side; }

/* Into the path, at its end. */
static void enter(struct gate *gate, const struct path *path, struct packet *packet, uint64_t now_ns)
{
    node_emit(&gate->node, proxy_port(path, BOX_INNER), packet, now_ns);
}

static void cut(struct gate *gate, const struct path *path, struct packet *packet, bool options_on_both,
                uint64_t now_ns)
{
    struct box_segment seg, tail;
    struct packet *second = NULL;
    if (box_parse(packet, &seg) && box_may_cut(&seg, seg.payload_len / 2))
        second = box_cut(gate->all->world->packets, packet, &seg, seg.payload_len / 2);
    if (second && !options_on_both && box_parse(second, &tail))
        box_strip(second, &tail, MPTCP_OPTION_KIND);
    enter(gate, path, packet, now_ns);
    if (second)
        enter(gate, path, second, now_ns);
}

static void strip(struct packet *packet)
{
    struct box_segment seg;
    if (box_parse(packet, &seg))
        box_strip(packet, &seg, MPTCP_OPTION_KIND);
}

/* The change that outlasts the packet. */
static void change(struct path *path, unsigned end, enum deviation what)
{
    if (what == DEVIATE_STRIP_OUTWARD || what == DEVIATE_STRIP_BOTH)
        path->stripped[end] = true;
    if (what == DEVIATE_STRIP_INWARD || what == DEVIATE_STRIP_BOTH)
        path->stripped[1 - end] = true;
    if (what == DEVIATE_BLACK_HOLE)
        path->dead = true;
    if (what == DEVIATE_ACKING_PROXY) {
        path->proxied[end] = true;
        HW_CONTAINER(path->proxy[end], struct box, node)->config.from_ns = 0;
    }
}

static void carry_out(struct gate *gate, struct path *path, unsigned end, enum deviation what, struct packet *packet,
                      uint64_t now_ns)
{
    switch (what) {
    case DEVIATE_LOSE:
        packet_free(packet);
        return;
    case DEVIATE_SWAP:
        path->held[end] = packet;
        return;
    case DEVIATE_CUT_FIRST:
    case DEVIATE_CUT_BOTH:
        cut(gate, path, packet, what == DEVIATE_CUT_BOTH, now_ns);
        return;
    case DEVIATE_DUPLICATE: {
        struct packet *copy = packet_copy(gate->all->world->packets, packet);
        CHECK(copy); /* the world's pool has no limit */
        enter(gate, path, copy, now_ns);
        break;
    }
    case DEVIATE_STRIP:
        strip(packet);
        break;
    default:
        change(path, end, what);
        break;
    }
    enter(gate, path, packet, now_ns);
}

static void leave(struct gate *gate, struct path *path, unsigned end, struct packet *packet, uint64_t now_ns)
{
    enum deviation what = gate->all->ops.leaves(gate->all->ctx, path, end, packet, now_ns);
    struct packet *held = path->held[end];
    path->held[end] = NULL;
    carry_out(gate, path, end, what, packet, now_ns);
    if (held)
        enter(gate, path, held, now_ns);
}

/* Out of the proxy. What the path does to packets it does behind it: the proxy acknowledges what dies later. */
static void pass_proxy(struct gate *gate, unsigned port, struct packet *packet, uint64_t now_ns)
{
    const struct path *path = &gate->all->paths[(port - TO_PROXIES) / 2];
    if (port == proxy_port(path, BOX_INNER)) {
        node_emit(&gate->node, TO_HOST, packet, now_ns);
    } else if (path->dead) {
        packet_free(packet);
    } else {
        if (path->stripped[path->end[1] == gate])
            strip(packet);
        node_emit(&gate->node, TO_LINK, packet, now_ns);
    }
}

static void gate_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    struct gate *gate = HW_CONTAINER(node, struct gate, node);
    struct box_segment seg;
    unsigned end = 0;
    if (port >= TO_PROXIES) {
        pass_proxy(gate, port, packet, now_ns);
        return;
    }
    struct path *path = box_parse(packet, &seg) ? path_to(gate, port == TO_HOST ? &seg.dst : &seg.src, &end) : NULL;
    if (!path) {
        node_emit(node, port == TO_HOST ? TO_LINK : TO_HOST, packet, now_ns);
    } else if (port == TO_HOST) {
        leave(gate, path, end, packet, now_ns);
    } else {
        gate->all->ops.arrives(gate->all->ctx, path, end, packet);
        node_emit(node, proxy_port(path, BOX_OUTER), packet, now_ns);
    }
}

unsigned path_deviations(const struct path *path, unsigned end, struct packet *packet)
{
    struct box_segment seg;
    uint32_t at = 0, len = 0;
    uint8_t kind;
    bool has_mptcp = false;
    unsigned set = 1u << DEVIATE_LOSE | 1u << DEVIATE_DUPLICATE | 1u << DEVIATE_SWAP | 1u << DEVIATE_BLACK_HOLE;
    if (path->dead || !box_parse(packet, &seg))
        return 0;
    while (box_next_option(&seg, &at, &kind, &len))
        has_mptcp |= kind == MPTCP_OPTION_KIND;
    has_mptcp &= !path->stripped[end];
    if (has_mptcp)
        set |= 1u << DEVIATE_STRIP;
    if (box_may_cut(&seg, seg.payload_len / 2))
        set |= 1u << DEVIATE_CUT_BOTH | (has_mptcp ? 1u << DEVIATE_CUT_FIRST : 0);
    if (!path->stripped[end])
        set |= 1u << DEVIATE_STRIP_OUTWARD;
    if (!path->stripped[1 - end])
        set |= 1u << DEVIATE_STRIP_INWARD | (path->stripped[end] ? 0 : 1u << DEVIATE_STRIP_BOTH);
    if (!path->proxied[end])
        set |= 1u << DEVIATE_ACKING_PROXY;
    return set;
}

/* ---- building ---- */

static uint64_t gate_next_run_at(const struct node *node)
{
    (void)node;
    return TIME_NEVER;
}

static void gate_run(struct node *node, uint64_t now_ns)
{
    (void)node;
    (void)now_ns;
}

static void gate_destroy(struct node *node)
{
    struct gate *gate = HW_CONTAINER(node, struct gate, node);
    for (size_t i = 0; i < gate->all->path_count; i++)
        for (unsigned end = 0; end < 2; end++) {
            struct path *path = &gate->all->paths[i];
            if (path->end[end] != gate || !path->held[end])
                continue;
            packet_free(path->held[end]);
            path->held[end] = NULL;
        }
    node_fini(node);
    sim_free(gate);
}

static const struct node_ops gate_ops = {"gate", gate_forward, gate_next_run_at, gate_run, gate_destroy};

/* Between the host at an end of a link and whatever stands next on it. */
static void add_gate(struct gates *gates, struct node_port at, const struct wire_spec *link, unsigned end)
{
    struct gate *gate = sim_new(sizeof *gate);
    struct node_port next = at.peer->ports[at.peer_port];
    char name[NODE_NAME_MAX];
    snprintf(name, sizeof name, "gate/%u", (unsigned)gates->count);
    node_init(&gate->node, gates->world, &gate_ops, name, TO_PROXIES);
    gate->node.passes = true;
    gate->all = gates;
    gate->host = host_of(at.peer);
    gate->link = link;
    gate->end = end;
    node_connect(at.peer, at.peer_port, &gate->node, TO_HOST);
    node_connect(&gate->node, TO_LINK, next.peer, next.peer_port);
    gates->list = sim_grow(gates->list, gates->count, sizeof(struct gate *));
    gates->list[gates->count++] = gate;
}

/* Each has a proxy at either end, which looks on until it is told to act: it has to know the connections. */
static void add_path(struct gates *gates, struct gate *a, struct gate *b)
{
    gates->paths = sim_grow(gates->paths, gates->path_count, sizeof *gates->paths);
    struct path *path = &gates->paths[gates->path_count];
    *path = (struct path){.number = (unsigned)gates->path_count++, .end = {a, b}};
    for (unsigned end = 0; end < 2; end++) {
        const struct box_config config = {.kind = "acking-proxy", .from_ns = TIME_NEVER};
        char name[NODE_NAME_MAX];
        snprintf(name, sizeof name, "gate/proxy%u.%u", path->number, end);
        struct node *gate = &path->end[end]->node;
        path->proxy[end] = box_new(gates->world, name, &config);
        CHECK(path->proxy[end]);
        while (gate->port_count <= proxy_port(path, BOX_OUTER))
            node_add_port(gate);
        node_connect(gate, proxy_port(path, BOX_INNER), path->proxy[end], BOX_INNER);
        node_connect(gate, proxy_port(path, BOX_OUTER), path->proxy[end], BOX_OUTER);
    }
}

void gates_install(struct gates *gates, struct stage *stage, const struct gates_ops *ops, void *ctx)
{
    const struct scenario *s = stage->scenario;
    *gates = (struct gates){.world = &stage->world, .scenario = s, .ops = *ops, .ctx = ctx};
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++) {
            struct node_port at = node_far_end(&stage->cables[i]->node, end);
            if (host_of(at.peer))
                add_gate(gates, at, &s->links[i], end);
        }
    for (size_t i = 0; i < gates->count; i++)
        for (size_t k = i + 1; k < gates->count; k++)
            if (gates->list[i]->host != gates->list[k]->host)
                add_path(gates, gates->list[i], gates->list[k]);
}

void gates_free(struct gates *gates)
{
    sim_free(gates->list);
    sim_free(gates->paths);
}
