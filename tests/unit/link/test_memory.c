#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/buf.h"
#include "link/memory.h"
#include "link/packets.h"
#include "support.h"

enum { POOL_BUFFERS = 4, MTU = 1500, PAYLOAD_MAX = 60000 };

struct fixture {
    struct test_env t;
    struct hawser_buf_pool *pool_a, *pool_b;
    struct link *a, *b;
    struct packet_flow flow;
    uint8_t payload[PAYLOAD_MAX];
};

static struct memory_options options_of(bool gso)
{
    return (struct memory_options){.mtu = MTU, .queue_packets = 100, .queue_bytes = 200000, .gso = gso};
}

static struct fixture *setup(const struct memory_options *options)
{
    struct fixture *f = malloc(sizeof(*f));
    assert_non_null(f);
    test_env_init(&f->t, test_seed());
    assert_int_equal(hawser_buf_pool_new(&f->t.env, 256 * 1024, POOL_BUFFERS, &f->pool_a), 0);
    assert_int_equal(hawser_buf_pool_new(&f->t.env, 256 * 1024, POOL_BUFFERS, &f->pool_b), 0);
    assert_int_equal(memory_pair_new(&f->t.env, options, f->pool_a, f->pool_b, &f->a, &f->b), 0);
    f->flow = (struct packet_flow){.src = packet_addr("10.0.0.1", 1000),
                                   .dst = packet_addr("10.0.0.2", 2000),
                                   .seq = seq_at(0xfffffff0),
                                   .flags = TCP_ACK | TCP_PSH};
    prng_fill(&f->t.rng, f->payload, sizeof(f->payload));
    return f;
}

static void teardown(struct fixture *f)
{
    if (f->a)
        link_destroy(f->a);
    if (f->b)
        link_destroy(f->b);
    hawser_buf_pool_close(f->pool_a);
    hawser_buf_pool_close(f->pool_b);
    test_env_check_clean(&f->t);
    free(f);
}

static bool readable(const struct link *link)
{
    struct pollfd p = {.fd = link->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static int send_payload(struct fixture *f, uint32_t len, uint16_t gso_size)
{
    struct hawser_tx tx = packet_make(&f->flow, f->payload, len, gso_size);
    return link_transmit(f->a, &tx, 1, 0);
}

static void complete_packets_pass_as_they_are(void **state)
{
    (void)state;
    for (unsigned gso = 0; gso < 2; gso++) {
        struct memory_options options = options_of(gso);
        struct fixture *f = setup(&options);
        struct hawser_rx rx;
        struct hawser_tx tx = {.head_len = 30, .l3_len = 20, .flags = HAWSER_TX_CSUM_DONE, .part_count = 1};
        memcpy(tx.head, f->payload, tx.head_len);
        tx.parts[0] = (struct hawser_part){f->payload + tx.head_len, tx.payload_len = 40};
        assert_int_equal(link_transmit(f->a, &tx, 1, 0), 1);
        assert_int_equal(link_receive(f->b, &rx, 1, 0), 1);
        assert_int_equal(rx.len, 70);
        assert_memory_equal(rx.data, f->payload, 70);
        link_release(f->b);
        teardown(f);
    }
}

static void super_segments_pass_whole(void **state)
{
    (void)state;
    struct memory_options options = options_of(true);
    struct fixture *f = setup(&options);
    struct hawser_rx rx[LINK_BATCH];

    assert_true(f->a->gso_bytes >= PAYLOAD_MAX);
    assert_false(readable(f->b));
    assert_int_equal(send_payload(f, PAYLOAD_MAX, 1400), 1);
    assert_int_equal(send_payload(f, 1400, 1400), 1);
    assert_true(readable(f->b));
    assert_false(readable(f->a));
    assert_int_equal(link_receive(f->b, rx, LINK_BATCH, 0), 2);
    assert_false(readable(f->b));

    assert_int_equal(rx[0].gso_size, 1400);
    assert_int_equal(rx[0].flags, HAWSER_RX_CSUM_OK);
    assert_int_equal(rx[1].gso_size, 0);
    struct packet_view v = packet_parse(rx[0].data, rx[0].len, true);
    assert_int_equal(v.payload_len, PAYLOAD_MAX);
    assert_memory_equal(v.payload, f->payload, PAYLOAD_MAX);
    link_release(f->b);
    teardown(f);
}

static void without_gso_segments_arrive_finished(void **state)
{
    (void)state;
    struct memory_options options = options_of(false);
    struct fixture *f = setup(&options);
    struct hawser_rx rx[LINK_BATCH];

    assert_int_equal(f->a->gso_bytes, 0);
    assert_int_equal(send_payload(f, 10000, 1400), 1);
    int count = link_receive(f->b, rx, LINK_BATCH, 0);
    assert_int_equal(count, 8);
    uint32_t offset = 0;
    for (int i = 0; i < count; i++) {
        struct packet_view v = packet_parse(rx[i].data, rx[i].len, false);
        assert_int_equal(rx[i].flags, 0);
        assert_int_equal(rx[i].gso_size, 0);
        assert_true(packet_checksum_ok(rx[i].data, &v));
        assert_int_equal(v.tcp.seq.v, f->flow.seq.v + offset);
        assert_memory_equal(v.payload, f->payload + offset, v.payload_len);
        offset += v.payload_len;
    }
    assert_int_equal(offset, 10000);
    link_release(f->b);
    teardown(f);
}

static void a_segment_above_the_mtu_is_dropped(void **state)
{
    (void)state;
    for (int gso = 0; gso < 2; gso++) {
        struct memory_options options = options_of(gso);
        struct fixture *f = setup(&options);
        assert_int_equal(send_payload(f, MTU - 40, 0), 1);
        assert_int_equal(send_payload(f, MTU - 39, 0), 0);
        assert_int_equal(send_payload(f, 4 * (MTU - 39), MTU - 39), 0);
        assert_true(f->a->counters.tx_too_big >= 2);
        assert_int_equal(f->a->counters.tx_packets, 1);
        teardown(f);
    }
}

static void the_queue_is_bounded_in_packets(void **state)
{
    (void)state;
    struct memory_options options = options_of(true);
    struct fixture *f = setup(&options);
    for (uint32_t i = 0; i < options.queue_packets; i++)
        assert_int_equal(send_payload(f, 1, 0), 1);
    assert_int_equal(send_payload(f, 1, 0), 0);
    assert_int_equal(f->a->counters.tx_full, 1);

    struct hawser_rx rx[LINK_BATCH];
    assert_int_equal(link_receive(f->b, rx, 1, 0), 1);
    link_release(f->b);
    assert_int_equal(send_payload(f, 1, 0), 1);
    assert_int_equal(send_payload(f, 1, 0), 0);
    teardown(f);
}

static void the_queue_is_bounded_in_bytes(void **state)
{
    (void)state;
    struct memory_options options = options_of(true);
    struct fixture *f = setup(&options);
    uint64_t queued = 0;
    while (send_payload(f, 20000, 1400))
        queued += 20040;
    assert_true(queued <= options.queue_bytes && queued + 20040 > options.queue_bytes);
    assert_int_equal(f->a->counters.tx_full, 1);
    teardown(f);
}

/* Whoever keeps packets for ever must not keep others from coming in: their bytes are lent, but not to be kept. */
static void held_packets_do_not_stop_the_link(void **state)
{
    (void)state;
    enum { PACKETS = 60 };
    struct memory_options options = options_of(true);
    struct fixture *f = setup(&options);
    struct hawser_buf *held[PACKETS];
    int held_count = 0;
    for (int i = 0; i < PACKETS; i++) {
        struct hawser_rx rx;
        assert_int_equal(send_payload(f, PAYLOAD_MAX, 1400), 1);
        assert_int_equal(link_receive(f->b, &rx, 1, 0), 1);
        assert_memory_equal(rx.data + 40, f->payload, PAYLOAD_MAX);
        if (rx.buf)
            held[held_count++] = hawser_buf_ref(rx.buf);
        link_release(f->b);
    }
    assert_true(held_count >= POOL_BUFFERS && held_count < PACKETS);
    assert_int_equal(f->b->counters.rx_unpooled, PACKETS - held_count);
    assert_int_equal(buf_pool_in_use(f->pool_b), POOL_BUFFERS);
    while (held_count)
        hawser_buf_unref(held[--held_count]);
    teardown(f);
}

static void a_missing_end_swallows_packets(void **state)
{
    (void)state;
    struct memory_options options = options_of(true);
    struct fixture *f = setup(&options);
    struct hawser_rx rx[LINK_BATCH];
    struct hawser_tx tx = packet_make(&f->flow, f->payload, 100, 0);
    assert_int_equal(link_transmit(f->b, &tx, 1, 0), 1);
    assert_int_equal(send_payload(f, 100, 0), 1); /* waits in b, and must be freed with it */
    link_destroy(f->b);
    f->b = NULL;
    assert_int_equal(send_payload(f, 100, 0), 0);
    assert_int_equal(f->a->counters.tx_errors, 1);
    assert_int_equal(link_receive(f->a, rx, LINK_BATCH, 0), 1); /* was on its way before */
    link_release(f->a);
    teardown(f);
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    struct memory_options options = options_of(true);
    uint64_t failed = 0;
    for (uint64_t n = 1;; n++) {
        struct test_env t;
        struct link *a, *b;
        test_env_init(&t, n);
        struct hawser_buf_pool *pool;
        assert_int_equal(hawser_buf_pool_new(&t.env, 256 * 1024, POOL_BUFFERS, &pool), 0);
        t.fail_at = n;
        int error = memory_pair_new(&t.env, &options, pool, pool, &a, &b);
        t.fail_at = 0;
        if (!error) {
            link_destroy(a);
            link_destroy(b);
        }
        hawser_buf_pool_close(pool);
        test_env_check_clean(&t);
        if (!error)
            break;
        assert_int_equal(error, -ENOMEM);
        failed++;
    }
    assert_true(failed >= 2);
}

/* Random traffic both ways against a count and a running position: order, bytes and drops are accounted for. */
static void random_traffic_arrives_in_order(void **state)
{
    (void)state;
    struct memory_options options = options_of(true);
    struct fixture *f = setup(&options);
    uint32_t sent_seq = 0, lost = 0;
    uint32_t expected[256];
    uint32_t first = 0, waiting = 0;
    for (int step = 0; step < 20000; step++) {
        if (prng_below(&f->t.rng, 2)) {
            f->flow.seq = seq_at(sent_seq++);
            if (send_payload(f, (uint32_t)prng_below(&f->t.rng, 5000), 1400))
                expected[(first + waiting++) % 256] = f->flow.seq.v;
            else
                lost++;
            continue;
        }
        struct hawser_rx rx[LINK_BATCH];
        size_t max = prng_below(&f->t.rng, 4) + 1;
        int count = link_receive(f->b, rx, max, 0);
        assert_int_equal(count, waiting < max ? waiting : max);
        for (int i = 0; i < count; i++, waiting--) {
            struct packet_view v = packet_parse(rx[i].data, rx[i].len, rx[i].gso_size != 0);
            assert_int_equal(v.tcp.seq.v, expected[first++ % 256]);
            first %= 256;
        }
        link_release(f->b);
        assert_int_equal(readable(f->b), waiting > 0);
    }
    assert_int_equal(f->a->counters.tx_packets, sent_seq - lost);
    assert_int_equal(f->b->counters.rx_packets + waiting, sent_seq - lost);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete_packets_pass_as_they_are),    cmocka_unit_test(super_segments_pass_whole),
        cmocka_unit_test(without_gso_segments_arrive_finished), cmocka_unit_test(a_segment_above_the_mtu_is_dropped),
        cmocka_unit_test(the_queue_is_bounded_in_packets),      cmocka_unit_test(the_queue_is_bounded_in_bytes),
        cmocka_unit_test(held_packets_do_not_stop_the_link),    cmocka_unit_test(a_missing_end_swallows_packets),
        cmocka_unit_test(every_failed_allocation_is_survived),  cmocka_unit_test(random_traffic_arrives_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
