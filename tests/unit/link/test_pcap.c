#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "link/captures.h"
#include "link/memory.h"
#include "link/packets.h"
#include "link/pcap.h"
#include "support.h"

enum { PAYLOAD_MAX = 60000, START_NS = 1000 };

struct fixture {
    struct test_env t;
    struct capture_place place;
    struct hawser_buf_pool *pool;
    struct link *recorded, *other;
    uint8_t payload[PAYLOAD_MAX];
};

static void setup(struct fixture *f)
{
    const struct memory_options options = {.mtu = 1500, .queue_packets = 50, .queue_bytes = 1 << 20, .gso = true};
    int err = 0;
    test_env_init(&f->t, test_seed());
    capture_place_make(&f->place);
    assert_int_equal(hawser_buf_pool_new(&f->t.env, 256 * 1024, 8, &f->pool), 0);
    struct link *inner;
    assert_int_equal(memory_pair_new(&f->t.env, &options, f->pool, f->pool, &inner, &f->other), 0);
    f->recorded = pcap_link_new(inner, pcap_open(f->place.path, &err));
    assert_non_null(f->recorded);
    prng_fill(&f->t.rng, f->payload, sizeof(f->payload));
}

/* Ends the capture and returns what it holds. */
static struct capture finish(struct fixture *f)
{
    link_destroy(f->recorded);
    link_destroy(f->other);
    hawser_buf_pool_close(f->pool);
    test_env_check_clean(&f->t);
    struct capture c = capture_read(f->place.path);
    capture_place_remove(&f->place);
    return c;
}

static struct packet_flow flow_of(bool v6)
{
    return (struct packet_flow){.src = packet_addr(v6 ? "fd00::1" : "10.0.0.1", 1000),
                                .dst = packet_addr(v6 ? "fd00::2" : "10.0.0.2", 2000),
                                .seq = seq_at(0xffffff00),
                                .flags = TCP_ACK | TCP_PSH | TCP_FIN};
}

/* The records [first, end) are wire segments of this payload, cut at `gso_size`, with right checksums. */
static void check_segments(const struct capture *c, size_t first, const uint8_t *payload, uint32_t len,
                           uint16_t gso_size)
{
    uint32_t offset = 0;
    for (size_t i = first; offset < len; i++) {
        assert_true(i < c->count);
        struct packet_view v = packet_parse(c->records[i].bytes, c->records[i].len, false);
        assert_true(packet_checksum_ok(c->records[i].bytes, &v));
        assert_int_equal(c->records[i].len, v.ip.header_len + v.ip.payload_len);
        assert_int_equal(v.payload_len, len - offset < gso_size ? len - offset : gso_size);
        assert_int_equal(v.tcp.seq.v, 0xffffff00 + offset);
        assert_memory_equal(v.payload, payload + offset, v.payload_len);
        offset += v.payload_len;
        assert_int_equal(v.tcp.flags & TCP_FIN, offset == len ? TCP_FIN : 0);
    }
}

/* Both directions of both families: what is recorded looks as on a wire, what passes is untouched. */
static void super_segments_are_recorded_as_on_a_wire(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        static struct fixture f;
        struct hawser_rx rx[LINK_BATCH];
        setup(&f);
        struct packet_flow flow = flow_of(v6);
        struct hawser_tx tx = packet_make(&flow, f.payload, PAYLOAD_MAX, 1400);
        assert_int_equal(link_transmit(f.recorded, &tx, 1, START_NS), 1);
        assert_int_equal(link_receive(f.other, rx, LINK_BATCH, 0), 1);
        assert_int_equal(rx[0].gso_size, 1400);
        assert_int_equal(rx[0].len, tx.head_len + PAYLOAD_MAX);
        link_release(f.other);

        assert_int_equal(link_transmit(f.other, &tx, 1, 0), 1);
        assert_int_equal(link_receive(f.recorded, rx, LINK_BATCH, START_NS + 5000), 1);
        assert_int_equal(rx[0].gso_size, 1400);
        link_release(f.recorded);
        assert_int_equal(f.recorded->counters.tx_packets, 1);
        assert_int_equal(f.recorded->counters.rx_packets, 1);

        struct capture c = finish(&f);
        size_t segments = (PAYLOAD_MAX + 1399) / 1400;
        assert_int_equal(c.count, 2 * segments);
        check_segments(&c, 0, f.payload, PAYLOAD_MAX, 1400);
        check_segments(&c, segments, f.payload, PAYLOAD_MAX, 1400);
        assert_int_equal(c.records[segments].at_ns - c.records[0].at_ns, 5000);
        capture_free(&c);
    }
}

/* What the link beneath drops was sent all the same, and losing it must show in the capture. */
static void packets_without_payload_and_dropped_ones_are_recorded(void **state)
{
    (void)state;
    static struct fixture f;
    setup(&f);
    struct packet_flow flow = flow_of(false);
    for (int i = 0; i < 60; i++) {
        struct hawser_tx tx = packet_make(&flow, NULL, 0, 0);
        link_transmit(f.recorded, &tx, 1, START_NS);
    }
    assert_int_equal(f.recorded->counters.tx_full, 10);
    struct capture c = finish(&f);
    assert_int_equal(c.count, 60);
    struct packet_view v = packet_parse(c.records[59].bytes, c.records[59].len, false);
    assert_true(packet_checksum_ok(c.records[59].bytes, &v));
    capture_free(&c);
}

/* A link beneath that hands out whatever the test wants. */
struct odd_link {
    struct link link;
    struct hawser_rx next;
};

static int odd_receive(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns)
{
    (void)max;
    (void)now_ns;
    *out = ((struct odd_link *)link)->next;
    return 1;
}

static void odd_release(struct link *link) { (void)link; }

/* Hostile and foreign bytes are recorded as they came, whatever the link claims of them. */
static void anything_else_is_recorded_as_it_came(void **state)
{
    (void)state;
    const struct link_ops ops = {.receive = odd_receive, .release = odd_release, .destroy = odd_release};
    struct odd_link odd = {.link = {.ops = &ops}};
    struct capture_place place;
    struct test_env t;
    uint8_t bytes[300];
    int err = 0;
    enum { ROUNDS = 3000 };
    test_env_init(&t, test_seed());
    capture_place_make(&place);
    struct link *link = pcap_link_new(&odd.link, pcap_open(place.path, &err));
    assert_non_null(link);

    for (int i = 0; i < ROUNDS; i++) {
        /* Half of them begin like an IPv4 or IPv6 TCP packet, so that the parsers get past the first byte. */
        uint32_t len = (uint32_t)prng_below(&t.rng, sizeof(bytes));
        struct packet_flow flow = flow_of(i & 1);
        struct hawser_tx tx = packet_make(&flow, NULL, 0, 0);
        prng_fill(&t.rng, bytes, sizeof(bytes));
        if (i & 2) {
            hawser_tx_flatten(&tx, bytes);
            bytes[prng_below(&t.rng, tx.head_len)] = (uint8_t)prng_next(&t.rng);
        }
        /* An exact-size copy lets the sanitizer see a read past the end. */
        uint8_t *exact = malloc(len + 1);
        memcpy(exact, bytes, len);
        odd.next = (struct hawser_rx){.data = exact, .len = len, .flags = HAWSER_RX_CSUM_OK, .gso_size = i & 4 ? 7 : 0};
        struct hawser_rx out;
        assert_int_equal(link_receive(link, &out, 1, 0), 1);
        assert_memory_equal(out.data, bytes, len);
        link_release(link);
        free(exact);
    }
    link_destroy(link);
    struct capture c = capture_read(place.path);
    assert_true(c.count >= ROUNDS);
    capture_free(&c);
    capture_place_remove(&place);
}

/* A checksum that is wrong on arrival is the finding: it must not be repaired. */
static void a_bad_checksum_from_outside_stays_bad(void **state)
{
    (void)state;
    const struct link_ops ops = {.receive = odd_receive, .release = odd_release, .destroy = odd_release};
    struct odd_link odd = {.link = {.ops = &ops}};
    struct capture_place place;
    int err = 0;
    uint8_t bytes[HAWSER_TX_HEAD];
    capture_place_make(&place);
    struct link *link = pcap_link_new(&odd.link, pcap_open(place.path, &err));
    assert_non_null(link);
    struct packet_flow flow = flow_of(false);
    struct hawser_tx tx = packet_make(&flow, NULL, 0, 0);
    hawser_tx_finish_checksum(&tx);
    uint32_t len = (uint32_t)hawser_tx_flatten(&tx, bytes);
    bytes[20 + PACKET_TCP_CHECKSUM] ^= 0x55;
    odd.next = (struct hawser_rx){.data = bytes, .len = len};
    struct hawser_rx out;
    assert_int_equal(link_receive(link, &out, 1, 0), 1);
    link_release(link);
    link_destroy(link);
    struct capture c = capture_read(place.path);
    assert_int_equal(c.count, 1);
    assert_memory_equal(c.records[0].bytes, bytes, len);
    capture_free(&c);
    capture_place_remove(&place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(super_segments_are_recorded_as_on_a_wire),
        cmocka_unit_test(packets_without_payload_and_dropped_ones_are_recorded),
        cmocka_unit_test(anything_else_is_recorded_as_it_came),
        cmocka_unit_test(a_bad_checksum_from_outside_stays_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
