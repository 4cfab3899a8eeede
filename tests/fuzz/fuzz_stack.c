/*
 * A whole stack with a listener, fed packets. The input is a sequence of records: a length byte pair and so many bytes.
 * A record is a TCP segment from the TCP header on; addresses and checksums are made right, ports and acknowledgement
 * are steered to what exists so that the deeper states are reached. Nothing may crash, leak or loop.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <hawser/hawser.h>

#include "base/check.h"
#include "base/prng.h"
#include "fuzz.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { PORT = 80, SEGMENT_MAX = 1400, OUTPUT_BATCH = 16 };

struct fuzz_env {
    struct prng rng;
    uint64_t live;
};

static void *counted_alloc(void *ctx, size_t size)
{
    ((struct fuzz_env *)ctx)->live++;
    return malloc(size);
}

static void counted_free(void *ctx, void *ptr)
{
    ((struct fuzz_env *)ctx)->live--;
    free(ptr);
}

static void seeded_random(void *ctx, void *dst, size_t len) { prng_fill(&((struct fuzz_env *)ctx)->rng, dst, len); }

struct rig {
    struct hawser_stack *stack;
    struct hawser_listener *listener;
    struct hawser_conn *conns[4];
    unsigned conn_count;
    struct hawser_addr own, peer;
    uint32_t last_seq, last_ack; /* of what the stack sent last: what a real peer would answer */
    uint64_t now_ns;
};

static void drain(struct rig *r)
{
    struct hawser_tx batch[OUTPUT_BATCH];
    for (unsigned round = 0; round < 1000; round++) {
        size_t n = hawser_stack_output(r->stack, batch, OUTPUT_BATCH, r->now_ns);
        for (size_t i = 0; i < n; i++) {
            const uint8_t *tcp = batch[i].head + batch[i].l3_len;
            r->last_seq = get32(tcp + 4) + batch[i].payload_len + !!(tcp[13] & (TCP_SYN | TCP_FIN));
            r->last_ack = get32(tcp + 8);
        }
        if (n < OUTPUT_BATCH)
            return;
    }
    CHECK(false); /* output without end */
}

static void use_connections(struct rig *r)
{
    uint8_t bytes[2048] = {0};
    struct hawser_conn *conn;
    while (r->conn_count < 4 && hawser_accept(r->listener, &conn) == 0)
        r->conns[r->conn_count++] = conn;
    struct hawser_event event;
    while (hawser_next_event(r->stack, &event))
        ;
    for (unsigned i = 0; i < r->conn_count; i++) {
        while (hawser_recv(r->conns[i], bytes, sizeof bytes) > 0)
            ;
        (void)hawser_send(r->conns[i], bytes, sizeof bytes);
    }
}

static void feed(struct rig *r, const uint8_t *segment, size_t len, uint8_t steer)
{
    uint8_t packet[IPV6_HEADER_LEN + SEGMENT_MAX];
    size_t l3 = ip_emit(packet, &r->peer, &r->own, 0, (uint32_t)len);
    uint8_t *tcp = packet + l3;
    memcpy(tcp, segment, len);
    if (len >= TCP_HEADER_LEN) {
        put16(tcp + 2, PORT);
        if (steer & 1)
            put32(tcp + 4, r->last_ack + (steer >> 4));
        if (steer & 2)
            put32(tcp + 8, r->last_seq);
        if (steer & 4)
            put16(tcp, 1024);
    }
    struct hawser_rx rx = {.data = packet, .len = (uint32_t)(l3 + len), .flags = HAWSER_RX_CSUM_OK};
    hawser_stack_input(r->stack, 0, &rx, 1, r->now_ns);
}

static void rig_start(struct rig *r, const struct hawser_env *env)
{
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = 8, .max_memory_bytes = 4 << 20};
    struct hawser_link_options link = {.size = sizeof link, .gso_bytes = 60000};
    *r = (struct rig){.now_ns = 1000000000};
    CHECK(hawser_addr_parse(&r->own, "10.0.0.1", 0) == 0 && hawser_addr_parse(&r->peer, "10.0.0.2", 0) == 0);
    CHECK(hawser_stack_new(env, &options, &r->stack) == 0);
    CHECK(hawser_stack_add_link(r->stack, &link) == 0);
    CHECK(hawser_stack_add_address(r->stack, 0, &r->own, 24, r->now_ns) == 0);
    struct hawser_addr any = {.port = PORT};
    CHECK(hawser_listen(r->stack, &any, 4, NULL, &r->listener) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_env fuzz_env = {.live = 0};
    const struct hawser_env env = {&fuzz_env, counted_alloc, counted_free, seeded_random};
    struct rig r;
    prng_seed(&fuzz_env.rng, 1);
    rig_start(&r, &env);
    while (size >= 4) {
        size_t len = get16(data) % SEGMENT_MAX;
        uint8_t steer = data[2], wait = data[3];
        data += 4;
        size -= 4;
        len = len < size ? len : size;
        feed(&r, data, len, steer);
        data += len;
        size -= len;
        drain(&r);
        if (steer & 8)
            use_connections(&r);
        r.now_ns += (uint64_t)wait * wait * 10000000; /* up to 650 s */
        hawser_stack_advance(r.stack, r.now_ns);
        drain(&r);
    }
    for (unsigned i = 0; i < r.conn_count; i++)
        hawser_close(r.conns[i]);
    hawser_listener_close(r.listener);
    drain(&r);
    hawser_stack_free(r.stack);
    CHECK(fuzz_env.live == 0);
    return 0;
}
