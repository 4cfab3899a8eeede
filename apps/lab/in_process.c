#include "in_process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hawser/hawser.h>

#include "base/check.h"
#include "base/units.h"
#include "lab/hawser_peer.h"
#include "lab/lane.h"
#include "lab/topology.h"
#include "run/system.h"

enum { IN_PROCESS_BATCH = 32, IN_PROCESS_GSO = 64000 };

#define IN_PROCESS_NAP_NS NS_PER_MS

struct in_process {
    const struct lab_options *options;
    struct lab_shared *shared;
    struct lanes lanes;
    struct hawser_stack *stacks[LAB_SIDES];
    struct hawser_peer peers[LAB_SIDES];
};

static struct hawser_stack *new_stack(const struct lab_options *o, enum lab_side side)
{
    struct hawser_stack_options options = {
        .size = sizeof(options), .congestion = o->cc, .checksum_required = o->checksum};
    struct hawser_link_options link = {.size = sizeof(link), .mtu = LAB_MTU, .gso_bytes = IN_PROCESS_GSO};
    struct hawser_stack *stack;
    if (hawser_stack_new(system_env(), &options, &stack) != 0)
        return NULL;
    CHECK(hawser_stack_add_link(stack, &link) == 0);
    for (unsigned i = 0; i < lab_address_count(o, side); i++) {
        struct hawser_addr addr = lab_address(o, side, i);
        CHECK(hawser_stack_add_address(stack, 0, &addr, o->ipv6 ? 128 : 32, system_now()) == 0);
    }
    return stack;
}

/* The path a packet takes: that of the address of the end which has one per path. */
static unsigned path_of(const struct lab_options *o, enum lab_side from, const struct packet *packet)
{
    size_t len = o->ipv6 ? 16 : 4, at = o->ipv6 ? 8 : 12;
    const uint8_t *home = packet->bytes + at + (from == o->homes ? 0 : len);
    for (unsigned i = 0; i < o->path_count; i++) {
        struct hawser_addr addr = lab_address(o, o->homes, i);
        if (memcmp(home, addr.ip + sizeof(addr.ip) - len, len) == 0)
            return i;
    }
    return 0;
}

static void push_wire_segment(struct in_process *p, enum lab_side from, struct hawser_tx *tx, uint64_t now_ns)
{
    struct packet *packet = packet_take(&p->lanes.store);
    if (!packet)
        return;
    hawser_tx_finish_checksum(tx);
    CHECK(tx->head_len + tx->payload_len <= LAB_MTU);
    packet->len = (uint32_t)hawser_tx_flatten(tx, packet->bytes);
    unsigned path = path_of(p->options, from, packet);
    lab_lane_push(&p->lanes, &p->lanes.lane[path][from], packet, now_ns);
}

static void drain_stack(struct in_process *p, enum lab_side side, uint64_t now_ns)
{
    struct hawser_tx batch[IN_PROCESS_BATCH], wire;
    size_t n;
    do {
        n = hawser_stack_output(p->stacks[side], batch, IN_PROCESS_BATCH, now_ns);
        for (size_t i = 0; i < n; i++)
            for (uint32_t offset = 0; hawser_tx_segment(&batch[i], &offset, &wire);)
                push_wire_segment(p, side, &wire, now_ns);
    } while (n == IN_PROCESS_BATCH);
}

static void deliver(struct in_process *p, enum lab_side from, uint64_t now_ns)
{
    for (unsigned path = 0; path < p->options->path_count; path++) {
        struct lane *lane = &p->lanes.lane[path][from];
        for (struct packet *packet; (packet = lab_lane_pop(&p->lanes, lane, now_ns)) != NULL;) {
            struct hawser_rx rx = {.data = packet->bytes, .len = packet->len};
            hawser_stack_input(p->stacks[!from], 0, &rx, 1, now_ns);
            packet_give(&p->lanes.store, packet);
        }
        lane_publish(lane, now_ns);
    }
}

static bool turn(struct in_process *p)
{
    uint64_t now_ns = system_now();
    bool moved = false;
    lanes_update_cuts(&p->lanes, now_ns);
    for (enum lab_side side = LAB_CLIENT; side < LAB_SIDES; side++) {
        deliver(p, side, now_ns);
        if (hawser_stack_deadline(p->stacks[side]) <= now_ns)
            hawser_stack_advance(p->stacks[side], now_ns);
        moved |= hawser_peer_pump(&p->peers[side], now_ns);
        drain_stack(p, side, now_ns);
    }
    return moved;
}

static void rest(const struct in_process *p)
{
    uint64_t now_ns = system_now(), next_ns = now_ns + IN_PROCESS_NAP_NS;
    next_ns = next_ns < lanes_next_time(&p->lanes) ? next_ns : lanes_next_time(&p->lanes);
    for (unsigned side = 0; side < LAB_SIDES; side++) {
        uint64_t deadline_ns = hawser_stack_deadline(p->stacks[side]);
        next_ns = next_ns < deadline_ns ? next_ns : deadline_ns;
    }
    if (next_ns <= now_ns)
        return;
    struct timespec nap = {.tv_nsec = (long)(next_ns - now_ns)};
    nanosleep(&nap, NULL);
}

static void serve(struct in_process *p, struct lab_result results[LAB_SIDES])
{
    uint64_t now_ns = system_now();
    for (unsigned i = 0; i < LAB_SIDES; i++) { /* the server first */
        enum lab_side side = i == 0 ? LAB_SERVER : LAB_CLIENT;
        hawser_peer_start(&p->peers[side], p->options, side, p->stacks[side], p->shared, &results[side], now_ns);
    }
    while (!(p->peers[LAB_CLIENT].done && p->peers[LAB_SERVER].done) &&
           !atomic_load_explicit(&p->shared->stop, memory_order_relaxed))
        if (!turn(p))
            rest(p);
    for (unsigned side = 0; side < LAB_SIDES; side++)
        hawser_peer_destroy(&p->peers[side]);
}

int in_process_run(const struct lab_options *o, struct lab_shared *shared, struct lab_result results[LAB_SIDES],
                   char why[LAB_WHY])
{
    struct in_process *p = calloc(1, sizeof(*p));
    int error = -ENOMEM;
    snprintf(why, LAB_WHY, "no memory for the stacks: free some and try again");
    if (!p)
        return error;
    p->options = o;
    p->shared = shared;
    p->stacks[LAB_CLIENT] = new_stack(o, LAB_CLIENT);
    p->stacks[LAB_SERVER] = new_stack(o, LAB_SERVER);
    if (p->stacks[LAB_CLIENT] && p->stacks[LAB_SERVER]) {
        error = lanes_init(&p->lanes, o, shared, why);
        if (!error)
            serve(p, results);
        lanes_destroy(&p->lanes);
    }
    for (unsigned side = 0; side < LAB_SIDES; side++)
        if (p->stacks[side])
            hawser_stack_free(p->stacks[side]);
    free(p);
    return error;
}
