/* Queues: limits of drop-tail, average and share of RED, timing of CoDel, and marks instead of drops. */
#include "unit/sim/lanes.h"

#include "unit/link/packets.h"

#define MS NS_PER_MS

/* ---- drop-tail ---- */

/* One packet is in the transmitter and does not count. */
static void limits_in_bytes_and_packets(void **state)
{
    (void)state;
    static const struct {
        struct queue_config queue;
        uint32_t len;
        unsigned waiting;
    } cases[] = {{{.bytes = 15000}, 1500, 10},
                 {{.bytes = 15000}, 1501, 9},
                 {{.packets = 7}, 1500, 7},
                 {{.packets = 7, .bytes = 3000}, 1000, 3},
                 {{.packets = 2, .bytes = 30000}, 1000, 2},
                 {{.bytes = 10}, 1500, 1}, /* one always fits */
                 {{0}, 1500, 1000}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct bench b;
        bench_start(&b, (struct lane_config){.rate_bps = 1000000, .queue = cases[i].queue});
        for (uint32_t n = 0; n < 1001; n++)
            push(&b, T0, cases[i].len, n);
        assert_int_equal(b.lane.queue.packets, cases[i].waiting);
        assert_true(b.lane.queue.bytes == cases[i].waiting * (uint64_t)cases[i].len);
        assert_true(b.lane.counters.lost_queue == 1000 - cases[i].waiting);
        for (uint32_t n = 0; n <= cases[i].waiting; n++) /* the tail was dropped, not the head */
            assert_int_equal(next_exit(&b, TIME_NEVER - 1).number, n);
        expect_silence(&b);
        bench_finish(&b);
    }
}

/* A packet that comes when another has just left the transmitter finds its place free. */
static void a_place_is_free_the_moment_a_packet_left(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.rate_bps = 12000000, .delay_ns = MS, .queue = {.packets = 1}});
    push(&b, T0, 1500, 0);
    push(&b, T0, 1500, 1);
    push(&b, T0 + MS - 1, 1500, 2);
    push(&b, T0 + MS, 1500, 3);
    assert_true(b.lane.counters.lost_queue == 1);
    expect_exit(&b, T0 + 2 * MS, 0);
    expect_exit(&b, T0 + 3 * MS, 1);
    expect_exit(&b, T0 + 4 * MS, 3);
    bench_finish(&b);
}

/* ---- RED ---- */

struct red {
    struct world world;
    struct prng rng;
    struct queue queue;
};

static void red_start(struct red *r, struct queue_config config)
{
    config.kind = QUEUE_RED;
    world_init(&r->world, 1, ROOM);
    prng_seed(&r->rng, 9);
    queue_init(&r->queue, &config, &r->rng);
}

static void red_finish(struct red *r)
{
    queue_fini(&r->queue);
    world_destroy(&r->world);
}

/* Offers packets of 1000 bytes to a queue that is kept at `depth` of them; which were dropped. Returns how many. */
static unsigned offer(struct red *r, unsigned depth, unsigned n, bool *dropped)
{
    unsigned drops = 0;
    for (unsigned i = 0; i < n; i++) {
        struct packet *packet = numbered(&r->world, 1000, i);
        bool taken = r->queue.ops->push(&r->queue, packet, T0);
        if (!taken)
            packet_free(packet);
        else if (r->queue.packets > depth)
            packet_free(r->queue.ops->pop(&r->queue, T0));
        drops += !taken;
        if (dropped)
            dropped[i] = !taken;
    }
    return drops;
}

/* Thresholds out of reach: the average alone. */
static const struct queue_config far_red = {.red_min_bytes = 1000000000, .red_max_bytes = 2000000000, .red_max_ppm = 1};

/* With a constant queue q the average is q (1 - (1 - 2^-9)^n) after n packets; each step rounds off up to 1/256 byte,
 * 512 of which can add up. */
static void the_average_follows_the_queue(void **state)
{
    (void)state;
    struct red r;
    red_start(&r, far_red);
    assert_int_equal(offer(&r, 20, 20, NULL), 0); /* fills up: the queue was 0, 1, ... 19 packets */
    double average = 0;
    for (unsigned i = 0; i < 20; i++)
        average += (i * 1000.0 - average) / 512;
    for (unsigned n = 0; n < 3000; n++) {
        double is = (double)r.queue.red.average_256 / 256;
        assert_true(is <= average + 0.001 && is > average - 2.1);
        (void)offer(&r, 20, 1, NULL);
        average += (20000 - average) / 512;
    }
    red_finish(&r);
}

/* In an idle time of m packets it falls by (1 - 2^-9)^m. */
static void the_average_decays_while_idle(void **state)
{
    (void)state;
    struct red r;
    red_start(&r, far_red);
    r.queue.packet_ns = MS;
    (void)offer(&r, 20, 5000, NULL);
    double average = (double)r.queue.red.average_256 / 256;
    for (struct packet *packet; (packet = r.queue.ops->pop(&r.queue, T0 + MS));)
        packet_free(packet);
    for (unsigned m = 0; m < 700; m++)
        average -= average / 512;
    struct packet *packet = numbered(&r.world, 1000, 0);
    assert_true(r.queue.ops->push(&r.queue, packet, T0 + 701 * MS));
    average -= average / 512; /* the packet itself finds an empty queue */
    double is = (double)r.queue.red.average_256 / 256;
    assert_true(is > average - 4.2 && is < average + 4.2);
    red_finish(&r);
}

/*
 * Queue 20000 between 10000 and 30000, 10 % at most: p = 5 %. The gaps between drops are uniform from 1 to 1 / p = 20
 * (the paper's second method), 10.5 in the mean with a deviation of 5.77.
 */
static void drops_come_at_uniform_gaps(void **state)
{
    (void)state;
    enum { N = 100000, WARM = 10000 };
    static bool dropped[N];
    struct red r;
    unsigned gaps[32] = {0}, gap = 0;
    red_start(&r, (struct queue_config){.red_min_bytes = 10000, .red_max_bytes = 30000, .red_max_ppm = 100000});
    (void)offer(&r, 20, WARM, NULL);
    unsigned drops = offer(&r, 20, N, dropped);
    /* N / 10.5 = 9524, deviation sqrt(N 5.77^2 / 10.5^3) = 54 */
    assert_in_range(drops, 9524 - 270, 9524 + 270);
    for (unsigned i = 0; i < N; i++) {
        gap++;
        if (dropped[i]) {
            assert_in_range(gap, 1, 21); /* 21: the average is a few bytes short of 20000 */
            gaps[gap]++;
            gap = 0;
        }
    }
    for (unsigned i = 2; i <= 20; i++) /* a twentieth each: 476, deviation sqrt(476 0.95) = 21; the first gap is cut */
        assert_in_range(gaps[i], 476 - 107, 476 + 107);
    assert_true(r.queue.early_drops >= drops);
    red_finish(&r);
}

static void below_the_lower_threshold_nothing_and_far_above_all(void **state)
{
    (void)state;
    struct red r;
    red_start(&r, (struct queue_config){.red_min_bytes = 10000, .red_max_bytes = 30000, .red_max_ppm = 100000});
    assert_int_equal(offer(&r, 9, 20000, NULL), 0);
    red_finish(&r);
    red_start(&r, far_red);
    (void)offer(&r, 65, 10000, NULL);
    r.queue.config.red_min_bytes = 10000;
    r.queue.config.red_max_bytes = 30000; /* 65000 is above twice that */
    assert_int_equal(offer(&r, 65, 1000, NULL), 1000);
    red_finish(&r);
}

static struct packet *tcp_packet(struct world *world, uint8_t ecn)
{
    static const uint8_t payload[1000];
    struct packet_flow flow = {
        .src = packet_addr("10.0.0.1", 1000), .dst = packet_addr("10.0.0.2", 80), .flags = TCP_ACK};
    struct hawser_tx tx = packet_make(&flow, payload, sizeof payload, 0);
    (void)ip_emit(tx.head, &flow.src, &flow.dst, ecn, TCP_HEADER_LEN + sizeof payload);
    struct packet *packet = packet_from_tx(world->packets, &tx);
    assert_non_null(packet);
    return packet;
}

static void capable_packets_are_marked_instead(void **state)
{
    (void)state;
    enum { N = 20000 };
    for (uint8_t ecn = 0; ecn < 3; ecn++) {
        struct red r;
        unsigned drops = 0, marked = 0;
        red_start(&r, (struct queue_config){
                          .red_min_bytes = 10000, .red_max_bytes = 30000, .red_max_ppm = 100000, .ecn = true});
        for (unsigned i = 0; i < N; i++) {
            struct packet *packet = tcp_packet(&r.world, ecn);
            if (!r.queue.ops->push(&r.queue, packet, T0)) {
                drops++;
                packet_free(packet);
            }
            if (r.queue.packets <= 20)
                continue;
            struct ip_header ip;
            struct packet *out = r.queue.ops->pop(&r.queue, T0);
            assert_true(out->checksum_pending); /* of TCP, which does not cover the mark */
            assert_int_equal(ip_parse(out->data, out->len, false, &ip), IP_OK);
            assert_true(ip.ecn == ecn || ip.ecn == 3);
            marked += ip.ecn == 3;
            packet_free(out);
        }
        assert_true(ecn ? drops == 0 && marked > 1000 : drops > 1000 && marked == 0);
        assert_true(ecn ? r.queue.marks - marked <= 20 : r.queue.marks == 0);
        red_finish(&r);
    }
}

static void a_mark_leaves_damage_as_it_is(void **state)
{
    (void)state;
    struct world world;
    world_init(&world, 1, ROOM);
    for (unsigned i = 0; i < 2; i++) { /* in the IP header, in the payload */
        struct ip_header ip;
        struct packet *packet = tcp_packet(&world, 2);
        packet_settle(packet);
        packet->data[i ? 100 : 13] ^= 4;
        assert_true(packet_mark_ce(packet));
        assert_int_equal(ip_parse(packet->data, packet->len, false, &ip), i ? IP_OK : IP_BAD_CHECKSUM);
        if (i) {
            struct csum sum = {0};
            csum_add_pseudo(&sum, &ip.src, &ip.dst, ip.payload_len);
            csum_add(&sum, packet->data + ip.header_len, ip.payload_len);
            assert_int_not_equal(csum_finish(&sum), 0);
        }
        packet_free(packet);
    }
    world_destroy(&world);
}

/* Packets wait; CoDel, once it rules, finds that they have waited for long and drops. */
static void a_lane_may_change_its_discipline(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.rate_bps = 800 * 1000};
    bench_start(&b, config);
    for (uint32_t i = 0; i < 40; i++)
        push(&b, T0, 1000, i);
    assert_int_equal(b.lane.queue.packets, 39);
    config.queue.kind = QUEUE_CODEL;
    lane_configure(&b.lane, &config, T0 + 1);
    assert_int_equal(b.lane.queue.packets, 39);
    unsigned left = drain(&b, TIME_NEVER - 1);
    assert_true(b.lane.queue.late_drops > 0);
    assert_int_equal(left + b.lane.queue.late_drops, 40);
    config.queue = (struct queue_config){.kind = QUEUE_DROP_TAIL, .packets = 1};
    lane_configure(&b.lane, &config, T0 + NS_PER_S);
    for (uint32_t i = 0; i < 3; i++)
        push(&b, T0 + NS_PER_S, 1000, i);
    assert_int_equal(b.lane.counters.lost_queue, 1); /* one is sent, one waits */
    drain(&b, TIME_NEVER - 1);
    bench_finish(&b);
}

/* What an event says of a discipline that is already at work is heeded. */
static void a_discipline_takes_new_parameters(void **state)
{
    (void)state;
    struct bench b;
    struct lane_config config = {.rate_bps = 800 * 1000, .queue = {.kind = QUEUE_CODEL}};
    bench_start(&b, config);
    config.queue.codel_target_ns = NS_PER_S;
    lane_configure(&b.lane, &config, T0);
    for (uint32_t i = 0; i < 40; i++)
        push(&b, T0, 1000, i);
    assert_int_equal(drain(&b, TIME_NEVER - 1), 40); /* the last waited 400 ms, no longer too long */
    bench_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lane_may_change_its_discipline),
        cmocka_unit_test(a_discipline_takes_new_parameters),
        cmocka_unit_test(limits_in_bytes_and_packets),
        cmocka_unit_test(a_place_is_free_the_moment_a_packet_left),
        cmocka_unit_test(the_average_follows_the_queue),
        cmocka_unit_test(the_average_decays_while_idle),
        cmocka_unit_test(drops_come_at_uniform_gaps),
        cmocka_unit_test(below_the_lower_threshold_nothing_and_far_above_all),
        cmocka_unit_test(capable_packets_are_marked_instead),
        cmocka_unit_test(a_mark_leaves_damage_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
