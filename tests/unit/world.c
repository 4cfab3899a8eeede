#include "world.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"
#include "stack/stack.h"
#include "wire/bytes.h"

#define BATCH 32

static struct hawser_addr address(const struct world *w, unsigned path, unsigned host, uint16_t port)
{
    char text[64];
    struct hawser_addr addr;
    snprintf(text, sizeof text, w->v6 ? "fd09:%u::%u" : "10.9.%u.%u", path, host);
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

struct hawser_addr world_client_addr(const struct world *w, unsigned i) { return address(w, i, 1, 0); }
struct hawser_addr world_server_addr(const struct world *w, unsigned i, uint16_t port)
{
    return address(w, i, 2, port);
}

void world_init(struct world *w, uint64_t seed, unsigned paths, unsigned server_addresses, bool v6,
                const struct hawser_stack_options *client, const struct hawser_stack_options *server)
{
    memset(w, 0, sizeof *w);
    prng_seed(&w->rng, seed ^ 0x77);
    w->path_count = paths;
    w->v6 = v6;
    w->now_ns = 1000000000;
    w->flight = calloc(WORLD_FLIGHT_MAX, sizeof *w->flight);
    assert_non_null(w->flight);
    for (int end = 0; end < 2; end++) {
        test_env_init(&w->env[end], seed + (uint64_t)end);
        assert_int_equal(hawser_stack_new(&w->env[end].env, end ? server : client, &w->stack[end]), 0);
        struct hawser_link_options link = {.size = sizeof link, .mtu = 1500, .gso_bytes = 65000};
        assert_int_equal(hawser_stack_add_link(w->stack[end], &link), 0);
    }
    for (unsigned i = 0; i < paths; i++) {
        struct hawser_addr addr = world_client_addr(w, i);
        assert_int_equal(hawser_stack_add_address(w->stack[0], 0, &addr, v6 ? 64 : 24, w->now_ns), 0);
        w->paths[i] = (struct world_path){.delay_ns = 10000000};
    }
    for (unsigned i = 0; i < server_addresses; i++) {
        struct hawser_addr addr = world_server_addr(w, i, 0);
        assert_int_equal(hawser_stack_add_address(w->stack[1], 0, &addr, v6 ? 64 : 24, w->now_ns), 0);
    }
}

void world_destroy(struct world *w)
{
    for (int end = 0; end < 2; end++) {
        if (w->stack[end]) {
            /* Every connection came to rest. */
            assert_in_range(w->stack[end]->host.settle_rounds_most, 0, SUBFLOWS_MAX + 1);
            hawser_stack_free(w->stack[end]);
        }
        test_env_check_clean(&w->env[end]);
    }
    free(w->flight);
}

/* The path is told by the client's address: the third byte of an IPv4 address, the second word of an IPv6 one. */
static unsigned path_of(int from, const uint8_t *packet)
{
    bool v6 = packet[0] >> 4 == 6;
    size_t at = v6 ? (from == 0 ? 8u : 24u) + 3 : (from == 0 ? 12u : 16u) + 2;
    return packet[at];
}

/* A router half-way says so. */
static void refuse(struct world *w, int from, const struct world_packet *packet)
{
    const struct world_path *path = &w->paths[packet->path];
    const bool v6 = packet->bytes[0] >> 4 == 6;
    const size_t l3 = v6 ? 40 : 20, size = v6 ? 16 : 4, at = v6 ? 8 : 12;
    struct peer_icmp icmp = {.type = v6 ? 2 : 3,
                             .code = v6 ? 0 : 4,
                             .rest = path->mtu,
                             .number = get32(packet->bytes + l3 + 4),
                             .packet_len = packet->len};
    if (!v6)
        icmp.local.ip[10] = icmp.local.ip[11] = icmp.remote.ip[10] = icmp.remote.ip[11] = 0xff;
    memcpy(icmp.local.ip + 16 - size, packet->bytes + at, size);
    memcpy(icmp.remote.ip + 16 - size, packet->bytes + at + size, size);
    icmp.local.port = get16(packet->bytes + l3);
    icmp.remote.port = get16(packet->bytes + l3 + 2);
    struct world_packet answer = {.to = (uint8_t)from, .path = packet->path, .at_ns = w->now_ns + path->delay_ns};
    answer.len = (uint16_t)peer_icmp_packet(answer.bytes, &icmp);
    answer.order = w->order++;
    assert_true(w->flight_count < WORLD_FLIGHT_MAX);
    w->flight[w->flight_count++] = answer;
}

static void transmit(struct world *w, int from, const struct hawser_tx *tx)
{
    struct world_packet packet = {.to = (uint8_t)!from};
    packet.len = (uint16_t)hawser_tx_flatten(tx, packet.bytes);
    packet.path = (uint8_t)path_of(from, packet.bytes);
    assert_true(packet.path < w->path_count);
    assert_true(packet.len <= 1500);
    struct world_path *path = &w->paths[packet.path];
    if (w->tamper && !w->tamper(w->tamper_ctx, packet.to, packet.bytes, &packet.len))
        return;
    if (path->mtu && packet.len > path->mtu) {
        path->too_big++;
        if (path->tells)
            refuse(w, from, &packet);
        return;
    }
    uint64_t start = path->busy_until_ns[from] > w->now_ns ? path->busy_until_ns[from] : w->now_ns;
    bool full = path->rate_bps && path->queue_bytes &&
                (start - w->now_ns) * path->rate_bps / 8000000000u + packet.len > path->queue_bytes;
    if (path->down || full || (path->loss > 0 && prng_unit(&w->rng) < path->loss)) {
        path->dropped++;
        return;
    }
    uint64_t serial = path->rate_bps ? (uint64_t)packet.len * 8000000000u / path->rate_bps : 0;
    path->busy_until_ns[from] = start + serial;
    packet.at_ns = start + serial + path->delay_ns;
    packet.order = w->order++;
    assert_true(w->flight_count < WORLD_FLIGHT_MAX);
    w->flight[w->flight_count++] = packet;
}

static void drain(struct world *w, int end)
{
    struct hawser_tx batch[BATCH];
    size_t n;
    do {
        n = hawser_stack_output(w->stack[end], batch, BATCH, w->now_ns);
        for (size_t i = 0; i < n; i++) {
            struct hawser_tx wire;
            uint32_t offset = 0;
            while (hawser_tx_segment(&batch[i], &offset, &wire)) {
                hawser_tx_finish_checksum(&wire);
                transmit(w, end, &wire);
            }
        }
    } while (n == BATCH);
}

static unsigned next_packet(const struct world *w)
{
    unsigned best = 0;
    for (unsigned i = 1; i < w->flight_count; i++) {
        const struct world_packet *p = &w->flight[i], *q = &w->flight[best];
        if (p->at_ns < q->at_ns || (p->at_ns == q->at_ns && p->order < q->order))
            best = i;
    }
    return best;
}

static void deliver(struct world *w, unsigned index)
{
    struct world_packet packet = w->flight[index];
    w->flight[index] = w->flight[--w->flight_count];
    struct world_path *path = &w->paths[packet.path];
    if (path->down)
        return;
    path->delivered_bytes[!packet.to] += packet.len;
    struct hawser_rx rx = {.data = packet.bytes, .len = packet.len};
    hawser_stack_input(w->stack[packet.to], 0, &rx, 1, w->now_ns);
}

bool world_step(struct world *w, uint64_t until_ns)
{
    drain(w, 0);
    drain(w, 1);
    unsigned index = next_packet(w);
    uint64_t arrival = w->flight_count ? w->flight[index].at_ns : HAWSER_NEVER, next = arrival;
    for (int end = 0; end < 2; end++) {
        uint64_t deadline = hawser_stack_deadline(w->stack[end]);
        next = deadline < next ? deadline : next;
    }
    if (next == HAWSER_NEVER || next > until_ns)
        return false;
    w->now_ns = next > w->now_ns ? next : w->now_ns;
    if (next == arrival)
        deliver(w, index);
    for (int end = 0; end < 2; end++)
        hawser_stack_advance(w->stack[end], w->now_ns);
    return true;
}

uint64_t world_counter(const struct world *w, int end, const char *name)
{
    struct hawser_counter counter;
    for (size_t i = 0; hawser_stack_counter(w->stack[end], i, &counter); i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    fail_msg("no counter is called %s", name);
    return 0;
}

void world_fix_checksum(uint8_t *packet, uint16_t len)
{
    uint8_t *tcp = packet + 20, *payload = tcp + (tcp[12] >> 4) * 4;
    struct hawser_tx tx = {.head_len = (uint8_t)(payload - packet), .l3_len = 20, .part_count = 1};
    memcpy(tx.head, packet, tx.head_len);
    tx.parts[0] = (struct hawser_part){payload, (uint32_t)(packet + len - payload)};
    tx.payload_len = tx.parts[0].len;
    uint32_t sum = 6 + (uint32_t)(len - 20);
    for (unsigned i = 12; i < 20; i += 2)
        sum += (uint32_t)packet[i] << 8 | packet[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    tx.head[20 + 16] = (uint8_t)(sum >> 8);
    tx.head[20 + 17] = (uint8_t)sum;
    hawser_tx_finish_checksum(&tx);
    memcpy(packet, tx.head, tx.head_len);
}

uint8_t *world_find_mptcp(uint8_t *packet, uint8_t *from)
{
    uint8_t *tcp = packet + 20, *p = from ? from : tcp + 20, *end = tcp + (tcp[12] >> 4) * 4;
    for (; p < end && *p != 0; p += *p == 1 ? 1 : p[1])
        if (*p == 30)
            return p;
    return NULL;
}
