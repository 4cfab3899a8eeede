#include "sim/classics.h"

#include <stdio.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/memory.h"

#define SERVER_PORT 5001u
#define BITS 8u

/* ---- FatTree ---- */

unsigned fattree_machines(unsigned k) { return k * k * k / 4; }

static void join(struct scenario *s, const struct fattree *f, const char *end0, const char *end1, unsigned addresses,
                 unsigned address_base)
{
    char name[2 * NODE_NAME_MAX];
    const struct lane_config lane = {
        .rate_bps = f->rate_bps, .delay_ns = f->delay_ns, .queue = {.packets = f->queue_packets}};
    snprintf(name, sizeof name, "%s-%s", end0, end1);
    struct wire_spec *link = scenario_add_link(s, name, end0, end1);
    link->lanes[0] = link->lanes[1] = lane;
    for (unsigned i = 0; i < addresses; i++) {
        char text[16];
        unsigned n = address_base + i;
        snprintf(text, sizeof text, "10.%u.%u.%u", n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff);
        bool added = wire_spec_add_address(link, 0, text);
        CHECK(added);
    }
}

/* Machine number m has the addresses 10.x.y.16 i to 10.x.y.16 i + 15, x.y.i from m: its sender the first eight, its
 * receiver the last. */
static unsigned address_of(unsigned machine) { return machine << 4; }
#define RECEIVER_ADDRESS 15u

static void add_switches(struct scenario *s, const struct fattree *f)
{
    unsigned half = f->k / 2;
    char name[NODE_NAME_MAX], core[NODE_NAME_MAX];
    for (unsigned c = 0; c < half * half; c++) {
        snprintf(name, sizeof name, "core%u", c);
        scenario_add_router(s, name);
    }
    for (unsigned p = 0; p < f->k; p++) {
        for (unsigned i = 0; i < half; i++) {
            snprintf(name, sizeof name, "edge%u.%u", p, i);
            scenario_add_router(s, name);
            snprintf(name, sizeof name, "aggregation%u.%u", p, i);
            scenario_add_router(s, name);
            for (unsigned c = 0; c < half; c++) {
                snprintf(core, sizeof core, "core%u", i * half + c);
                join(s, f, name, core, 0, 0);
            }
        }
        for (unsigned e = 0; e < half; e++)
            for (unsigned a = 0; a < half; a++) {
                snprintf(name, sizeof name, "edge%u.%u", p, e);
                snprintf(core, sizeof core, "aggregation%u.%u", p, a);
                join(s, f, name, core, 0, 0);
            }
    }
}

static void add_machines(struct scenario *s, const struct fattree *f)
{
    unsigned half = f->k / 2, machines = fattree_machines(f->k);
    char name[NODE_NAME_MAX], edge[NODE_NAME_MAX];
    for (unsigned m = 0; m < machines; m++) {
        snprintf(edge, sizeof edge, "edge%u.%u", m / (half * half), m / half % half);
        snprintf(name, sizeof name, "sender%u", m);
        scenario_add_host(s, name);
        join(s, f, name, edge, f->subflows ? f->subflows : 1, address_of(m));
        snprintf(name, sizeof name, "receiver%u", m);
        scenario_add_host(s, name);
        join(s, f, name, edge, 1, address_of(m) + RECEIVER_ADDRESS);
    }
}

/* Sattolo's shuffle: a permutation of one cycle, so nobody sends to itself. */
static void shuffle(unsigned *to, unsigned n, struct prng *rng)
{
    for (unsigned i = 0; i < n; i++)
        to[i] = i;
    for (unsigned i = n; --i > 0;) {
        unsigned j = (unsigned)prng_below(rng, i), kept = to[i];
        to[i] = to[j];
        to[j] = kept;
    }
}

static void add_permutation(struct scenario *s, const struct fattree *f, uint64_t seed)
{
    unsigned machines = fattree_machines(f->k);
    unsigned *to = sim_new(machines * sizeof *to);
    struct prng rng;
    prng_seed(&rng, digest_add(seed, f->k));
    shuffle(to, machines, &rng);
    for (unsigned m = 0; m < machines; m++) {
        char name[NODE_NAME_MAX], client[NODE_NAME_MAX], server[NODE_NAME_MAX], text[16];
        unsigned n = address_of(to[m]) + RECEIVER_ADDRESS;
        snprintf(name, sizeof name, "flow%u", m);
        snprintf(client, sizeof client, "sender%u", m);
        snprintf(server, sizeof server, "receiver%u", to[m]);
        snprintf(text, sizeof text, "10.%u.%u.%u", n >> 16 & 0xff, n >> 8 & 0xff, n & 0xff);
        struct flow_plan *plan = &scenario_add_flow(s, name, client, server)->plan;
        int parsed = hawser_addr_parse(&plan->server_addr, text, SERVER_PORT);
        CHECK(parsed == 0);
        plan->request_bytes = FLOW_ENDLESS;
        plan->start_ns = f->start_spread_ns ? prng_below(&rng, f->start_spread_ns) : 0;
        plan->options[FLOW_CLIENT].no_mptcp = f->subflows == 0;
    }
    sim_free(to);
}

void fattree_build(struct scenario *s, const struct fattree *f, uint64_t seed)
{
    CHECK(f->k >= 4 && f->k % 2 == 0 && f->k <= FATTREE_K_MAX && f->subflows <= SCENARIO_ADDRESSES_MAX);
    scenario_init(s);
    snprintf(s->name, sizeof s->name, "fattree");
    snprintf(s->about, sizeof s->about, "FatTree of %u-port switches, permutation traffic (SIGCOMM 2011)", f->k);
    s->duration_ns = f->duration_ns;
    add_switches(s, f);
    add_machines(s, f);
    add_permutation(s, f, seed);
}

/* ---- WiFi and 3G ---- */

struct access {
    const char *name, *address;
    uint64_t rate_bps, delay_ns, buffer_ns;
};

static void add_access(struct scenario *s, const struct access *a)
{
    struct wire_spec *link = scenario_add_link(s, a->name, "phone", "gateway");
    bool added = wire_spec_add_address(link, 0, a->address);
    CHECK(added);
    for (unsigned i = 0; i < 2; i++)
        link->lanes[i] =
            (struct lane_config){.rate_bps = a->rate_bps,
                                 .delay_ns = a->delay_ns,
                                 .queue = {.bytes = a->rate_bps / BITS * (a->buffer_ns / NS_PER_MS) / 1000}};
}

void wifi_3g_build(struct scenario *s, const struct wifi_3g *w)
{
    static const struct access wifi = {"wifi", "10.0.0.1", 8000000, 10 * NS_PER_MS, 80 * NS_PER_MS};
    static const struct access cellular = {"3g", "10.0.1.1", 2000000, 75 * NS_PER_MS, 2000 * NS_PER_MS};
    CHECK(w->wifi || w->cellular);
    scenario_init(s);
    snprintf(s->name, sizeof s->name, "wifi-3g");
    snprintf(s->about, sizeof s->about, "a phone on WiFi and 3G with a small receive buffer (NSDI 2012)");
    s->duration_ns = w->duration_ns;
    scenario_add_host(s, "phone");
    scenario_add_host(s, "server");
    scenario_add_router(s, "gateway");
    if (w->wifi)
        add_access(s, &wifi);
    if (w->cellular)
        add_access(s, &cellular);
    bool added = wire_spec_add_address(scenario_add_link(s, "wired", "server", "gateway"), 0, "10.0.9.1");
    struct flow_plan *plan = &scenario_add_flow(s, "stream", "phone", "server")->plan;
    int parsed = hawser_addr_parse(&plan->server_addr, "10.0.9.1", SERVER_PORT);
    CHECK(added && parsed == 0);
    plan->response_bytes = FLOW_ENDLESS;
    plan->options[FLOW_CLIENT].no_mptcp = !(w->wifi && w->cellular);
    plan->options[FLOW_CLIENT].recv_buffer_bytes = w->recv_buffer_bytes;
}
