/* A middlebox between two ends that keep what comes, and segments made by hand, compared byte by byte. */
#ifndef HW_TESTS_SIM_BOX_BENCH_H
#define HW_TESTS_SIM_BOX_BENCH_H

#include "unit/sim/lanes.h"

#include "sim/boxes/flows.h"
#include "sim/memory.h"
#include "unit/link/packets.h"
#include "wire/tcp_options.h"

#define MS NS_PER_MS
#define KEPT 1100u /* packets that an end has room for */

/* An end: keeps what comes until it is asked for. */
struct catcher {
    struct node node;
    struct packet *got[KEPT];
    uint64_t at_ns[KEPT];
    unsigned count, taken;
};

struct box_bench {
    struct world world;
    struct box *box;
    struct catcher *end[2]; /* by the box's port */
    unsigned sent;
};

/* A segment as we want it sent, or expect it. */
struct segment {
    struct hawser_addr src, dst;
    uint32_t seq, ack;
    uint8_t flags;
    uint16_t window;
    uint8_t options[TCP_OPTION_SPACE];
    uint32_t options_len;
    uint32_t text, len; /* payload: bytes of our text from here on */
    uint32_t fill;      /* and then '#' so many times */
    uint32_t rest;      /* and then so many more bytes of the text */
};

static inline void catcher_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    struct catcher *c = HW_CONTAINER(node, struct catcher, node);
    (void)port;
    if (c->taken == c->count)
        c->taken = c->count = 0;
    assert_true(c->count < KEPT);
    c->at_ns[c->count] = now_ns;
    c->got[c->count++] = packet;
}

static inline uint64_t catcher_never(const struct node *node)
{
    (void)node;
    return TIME_NEVER;
}

static inline void catcher_run(struct node *node, uint64_t now_ns)
{
    (void)node;
    (void)now_ns;
}

static inline void catcher_destroy(struct node *node)
{
    struct catcher *c = HW_CONTAINER(node, struct catcher, node);
    while (c->taken < c->count)
        packet_free(c->got[c->taken++]);
    node_fini(node);
    sim_free(c);
}

static inline void bench_open(struct box_bench *b, const char *kind, struct box_config config)
{
    static const struct node_ops ops = {"catcher", catcher_forward, catcher_never, catcher_run, catcher_destroy};
    world_init(&b->world, 1, ROOM);
    snprintf(config.kind, sizeof config.kind, "%s", kind);
    struct node *node = box_new(&b->world, "box", &config);
    assert_non_null(node);
    b->box = HW_CONTAINER(node, struct box, node);
    b->sent = 0;
    for (unsigned i = 0; i < 2; i++) {
        b->end[i] = sim_new(sizeof *b->end[i]);
        node_init(&b->end[i]->node, &b->world, &ops, i ? "outer" : "inner", 1);
        node_connect(node, i, &b->end[i]->node, 0);
    }
}

/* Nothing may be left at the ends; what the box holds it must free. */
static inline void bench_close(struct box_bench *b)
{
    for (unsigned i = 0; i < 2; i++)
        if (b->end[i]->taken != b->end[i]->count)
            fail_msg("%u packets more at end %u", b->end[i]->count - b->end[i]->taken, i);
    world_destroy(&b->world);
}

static inline void run_to(struct box_bench *b, uint64_t since_start_ns) { world_run(&b->world, T0 + since_start_ns); }

static inline uint8_t text_at(uint32_t i) { return (uint8_t)(i * 7 + (i >> 8)); }

/* A segment from the inner client to the outer server; its text begins at its sequence number. */
static inline struct segment outward(uint8_t flags, uint32_t seq, uint32_t len)
{
    return (struct segment){.src = packet_addr("10.0.0.1", 1000),
                            .dst = packet_addr("10.0.0.2", 80),
                            .seq = seq,
                            .ack = flags & TCP_ACK ? 70000 : 0,
                            .flags = flags,
                            .window = 500,
                            .text = seq,
                            .len = len};
}

static inline struct segment turned(struct segment s)
{
    struct hawser_addr src = s.src;
    s.src = s.dst;
    s.dst = src;
    return s;
}

static inline struct segment inward(uint8_t flags, uint32_t seq, uint32_t len)
{
    return turned(outward(flags, seq, len));
}

static inline struct segment over_v6(struct segment s)
{
    bool from_client = s.dst.port == 80;
    s.src = packet_addr(from_client ? "fd00::1" : "fd00::2", s.src.port);
    s.dst = packet_addr(from_client ? "fd00::2" : "fd00::1", s.dst.port);
    return s;
}

static inline struct segment with_options(struct segment s, struct tcp_options options)
{
    s.options_len = (uint32_t)tcp_options_plan(s.options, &options, &options);
    assert_true(s.options_len > 0);
    return s;
}

static inline struct segment with_bytes(struct segment s, const void *options, uint32_t len)
{
    memcpy(s.options, options, len);
    s.options_len = len;
    return s;
}

static inline struct packet *packet_of(struct box_bench *b, const struct segment *s)
{
    struct packet *packet = packet_new(b->world.packets);
    struct tcp_header tcp = {.src_port = s->src.port,
                             .dst_port = s->dst.port,
                             .seq = seq_at(s->seq),
                             .ack = seq_at(s->ack),
                             .flags = s->flags,
                             .header_len = (uint8_t)(TCP_HEADER_LEN + s->options_len),
                             .window = s->window};
    uint32_t tcp_len = tcp.header_len + s->len + s->fill + s->rest;
    assert_non_null(packet);
    size_t l3 = ip_emit(packet->data, &s->src, &s->dst, 0, tcp_len);
    uint8_t *at = packet->data + l3;
    tcp_header_emit(at, &tcp);
    memcpy(at + TCP_HEADER_LEN, s->options, s->options_len);
    for (uint32_t i = 0; i < s->len; i++)
        at[tcp.header_len + i] = text_at(s->text + i);
    memset(at + tcp.header_len + s->len, '#', s->fill);
    for (uint32_t i = 0; i < s->rest; i++)
        at[tcp.header_len + s->len + s->fill + i] = text_at(s->text + s->len + i);
    packet->len = (uint32_t)l3 + tcp_len;
    struct csum sum = {0, false};
    csum_add_pseudo(&sum, &s->src, &s->dst, tcp_len);
    csum_add(&sum, at, tcp_len);
    put16(at + PACKET_TCP_CHECKSUM, csum_finish(&sum));
    return packet;
}

static inline void send_packet(struct box_bench *b, unsigned port, struct packet *packet)
{
    node_forward(&b->box->node, port, packet, b->world.now_ns);
}

/* In at the port of its source; every other one as hosts send them, with the checksum still to be computed. */
static inline void send_segment(struct box_bench *b, struct segment s)
{
    struct packet *packet = packet_of(b, &s);
    if (b->sent++ & 1) {
        packet->checksum_pending = true;
        put16(packet->data + ip_header_len(&s.dst) + PACKET_TCP_CHECKSUM, 0x1234);
    }
    send_packet(b, s.dst.port == 80 ? BOX_INNER : BOX_OUTER, packet);
}

/* The next packet that came out at `port`, settled; it stays with the bench until release(). */
static inline struct packet *next_packet(struct box_bench *b, unsigned port)
{
    struct catcher *c = b->end[port];
    if (c->taken == c->count)
        fail_msg("nothing came out at port %u", port);
    struct packet *packet = c->got[c->taken++];
    packet_settle(packet);
    return packet;
}

static inline uint64_t came_at(const struct box_bench *b, unsigned port)
{
    return b->end[port]->at_ns[b->end[port]->taken - 1] - T0;
}

/* Takes the next packet apart, its lengths and checksums verified, and frees it. Options are copied to `options`. */
static inline struct packet_view next_view(struct box_bench *b, unsigned port, struct tcp_options *options)
{
    struct packet *packet = next_packet(b, port);
    struct packet_view v = packet_parse(packet->data, packet->len, false);
    assert_true(v.ip.header_len + v.ip.payload_len == packet->len);
    assert_true(packet_checksum_ok(packet->data, &v));
    tcp_options_parse(packet->data + v.ip.header_len + TCP_HEADER_LEN, v.tcp.header_len - (size_t)TCP_HEADER_LEN,
                      v.tcp.flags, options);
    assert_int_equal(options->malformed, 0);
    v.payload = NULL;
    packet_free(packet);
    return v;
}

/* The next packet at `port` is this one, to the byte: headers, checksums, options, payload. */
static inline void expect_at(struct box_bench *b, unsigned port, struct segment s)
{
    struct packet *got = next_packet(b, port), *wanted = packet_of(b, &s);
    struct packet_view v = packet_parse(got->data, got->len, false);
    if (v.tcp.seq.v != s.seq || v.tcp.ack.v != s.ack || v.tcp.flags != s.flags || got->len != wanted->len)
        fail_msg("seq %u ack %u flags %02x, %u bytes; not seq %u ack %u flags %02x, %u bytes", v.tcp.seq.v, v.tcp.ack.v,
                 v.tcp.flags, got->len, s.seq, s.ack, s.flags, wanted->len);
    assert_memory_equal(got->data, wanted->data, wanted->len);
    assert_true(packet_checksum_ok(got->data, &v));
    packet_free(got);
    packet_free(wanted);
}

/* At the port where a segment from that source leaves. */
static inline void expect(struct box_bench *b, struct segment s)
{
    expect_at(b, s.dst.port == 80 ? BOX_OUTER : BOX_INNER, s);
}

static inline void expect_nothing(struct box_bench *b)
{
    for (unsigned i = 0; i < 2; i++)
        if (b->end[i]->taken != b->end[i]->count)
            fail_msg("something came out at port %u", i);
}

static inline void passes(struct box_bench *b, struct segment s)
{
    send_segment(b, s);
    expect(b, s);
    expect_nothing(b);
}

static inline void is_dropped(struct box_bench *b, struct segment s)
{
    send_segment(b, s);
    expect_nothing(b);
}

static inline void becomes(struct box_bench *b, struct segment in, struct segment out)
{
    send_segment(b, in);
    expect(b, out);
    expect_nothing(b);
}

/* Packets that come out at both ends, thrown away; how many. */
static inline unsigned throw_away(struct box_bench *b)
{
    unsigned n = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct catcher *c = b->end[i];
        for (; c->taken < c->count; n++)
            packet_free(c->got[c->taken++]);
        c->taken = c->count = 0;
    }
    return n;
}

static inline void expect_acted(const struct box_bench *b, uint64_t times) { assert_int_equal(b->box->acted, times); }

#endif
