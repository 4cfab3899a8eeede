/* CoDel (RFC 8289) against its own pseudo-code's arithmetic. */
#include "unit/sim/lanes.h"

#include "unit/link/packets.h"

#define MS NS_PER_MS

struct codel {
    struct world world;
    struct prng rng;
    struct queue queue;
    uint64_t now_ns;
};

static void start(struct codel *c, struct queue_config config)
{
    config.kind = QUEUE_CODEL;
    world_init(&c->world, 1, ROOM);
    queue_init(&c->queue, &config, &c->rng);
    c->now_ns = T0;
}

static void finish(struct codel *c)
{
    queue_fini(&c->queue);
    world_destroy(&c->world);
}

static void put(struct codel *c, unsigned n)
{
    while (n--)
        assert_true(c->queue.ops->push(&c->queue, numbered(&c->world, 1500, 0), c->now_ns));
}

/* Takes a packet every millisecond for `ms` of them, with `fresh` new ones a time. Drop times go to `drops`. */
static unsigned serve(struct codel *c, unsigned ms, unsigned fresh, uint64_t *drops, unsigned max)
{
    unsigned count = 0;
    for (unsigned i = 0; i < ms; i++) {
        uint64_t before = c->queue.late_drops;
        c->now_ns += MS;
        put(c, fresh);
        struct packet *packet = c->queue.ops->pop(&c->queue, c->now_ns);
        if (packet)
            packet_free(packet);
        for (uint64_t n = before; n < c->queue.late_drops && count < max; n++)
            drops[count++] = c->now_ns;
    }
    return count;
}

/* Four packets always wait: 4 ms, below the target of 5. */
static void no_drop_below_the_target(void **state)
{
    (void)state;
    struct codel c;
    start(&c, (struct queue_config){0});
    put(&c, 4);
    (void)serve(&c, 20000, 1, NULL, 0);
    assert_true(c.queue.late_drops == 0);
    assert_int_equal(c.queue.packets, 4);
    finish(&c);
}

/* Above the target, but never for a whole interval: a burst of 90 packets, every 200 ms. */
static void no_drop_for_bursts_shorter_than_the_interval(void **state)
{
    (void)state;
    struct codel c;
    start(&c, (struct queue_config){0});
    for (unsigned i = 0; i < 50; i++) {
        put(&c, 90);
        (void)serve(&c, 200, 0, NULL, 0);
    }
    assert_true(c.queue.late_drops == 0);
    finish(&c);
}

/* RFC 8289 5.4: with no more than a packet's worth of bytes there is nothing to shorten. */
static void no_drop_of_the_last_packet(void **state)
{
    (void)state;
    struct codel c;
    start(&c, (struct queue_config){0});
    for (unsigned i = 0; i < 100; i++) {
        put(&c, 2);
        c.now_ns += 50 * MS; /* both have waited for long */
        for (unsigned k = 0; k < 2; k++)
            packet_free(c.queue.ops->pop(&c.queue, c.now_ns));
    }
    assert_true(c.queue.late_drops == 0);
    finish(&c);
}

static double root(double x)
{
    double r = x;
    for (unsigned i = 0; i < 60; i++)
        r = (r + x / r) / 2;
    return r;
}

/*
 * A queue that never shrinks: packets wait more than 5 ms from the sixth on, so the first drop comes 100 ms after
 * that, and the n-th drop is followed by the next after interval / sqrt(n). Packets leave at whole milliseconds, where
 * all that has become due by then happens.
 */
static void drops_come_closer_with_the_root_of_their_number(void **state)
{
    (void)state;
    enum { MAX = 400 };
    static const uint64_t intervals[] = {0, 40 * MS}; /* 0: the 100 ms of the RFC */
    for (unsigned k = 0; k < 2; k++) {
        uint64_t drops[MAX];
        double interval = intervals[k] ? (double)intervals[k] : 100.0 * (double)MS;
        struct codel c;
        start(&c, (struct queue_config){.codel_interval_ns = intervals[k]});
        put(&c, 100);
        unsigned count = serve(&c, 3000, 3, drops, MAX);
        /* Sojourn reaches 5 ms at the fifth packet, at 5 ms. */
        double due = (double)(T0 + 5 * MS) + interval;
        assert_true(count > 100);
        for (unsigned n = 0; n < count; n++) {
            assert_true((double)drops[n] >= due - 10 && (double)drops[n] < due + (double)MS + 10);
            due = (n == 0 ? (double)drops[0] : due) + interval / root(n + 1);
        }
        finish(&c);
    }
}

/* RFC 8289 5.5: an episode soon after the last goes on at about its rate; a late one begins anew. */
static void the_rate_is_remembered_for_a_while(void **state)
{
    (void)state;
    for (unsigned late = 0; late < 2; late++) {
        uint64_t drops[400];
        struct codel c;
        start(&c, (struct queue_config){0});
        put(&c, 100);
        unsigned first = serve(&c, 1500, 2, drops, 400);
        uint32_t reached = c.queue.codel.count;
        assert_int_equal(reached, first);                   /* one, and one more with each drop */
        (void)serve(&c, c.queue.packets + 10, 0, drops, 0); /* it runs empty, with some more drops */
        reached = c.queue.codel.count;
        assert_int_equal(c.queue.packets, 0);
        if (late)
            c.now_ns += 17 * 100 * MS;
        put(&c, 300);
        assert_int_equal(serve(&c, 105, 2, drops, 400), 1); /* the first of the new episode */
        assert_int_equal(c.queue.codel.count, late ? 1 : reached - 1);
        finish(&c);
    }
}

static void capable_packets_are_marked_instead(void **state)
{
    (void)state;
    static const uint8_t payload[1460];
    struct packet_flow flow = {
        .src = packet_addr("10.0.0.1", 1000), .dst = packet_addr("10.0.0.2", 80), .flags = TCP_ACK};
    struct codel c;
    unsigned marked = 0;
    start(&c, (struct queue_config){.ecn = true});
    for (unsigned i = 0; i < 3000; i++) {
        c.now_ns += MS;
        for (unsigned k = 0; k < (i < 1000 ? 2 : 1); k++) {
            struct hawser_tx tx = packet_make(&flow, payload, sizeof payload, 0);
            (void)ip_emit(tx.head, &flow.src, &flow.dst, 2, TCP_HEADER_LEN + sizeof payload);
            assert_true(c.queue.ops->push(&c.queue, packet_from_tx(c.world.packets, &tx), c.now_ns));
        }
        struct ip_header ip;
        struct packet *packet = c.queue.ops->pop(&c.queue, c.now_ns);
        assert_int_equal(ip_parse(packet->data, packet->len, false, &ip), IP_OK);
        marked += ip.ecn == 3;
        packet_free(packet);
    }
    assert_true(c.queue.late_drops == 0);
    assert_true(c.queue.marks == marked && marked > 100);
    finish(&c);
}

/* Within a lane: the transmitter takes the next packet when it is free, and dropped ones take no time. */
static void drops_take_no_time_on_the_link(void **state)
{
    (void)state;
    struct bench b;
    bench_start(&b, (struct lane_config){.rate_bps = 12000000, .queue = {.kind = QUEUE_CODEL}});
    for (uint32_t i = 0; i < 1000; i++)
        push(&b, T0, 1500, i);
    unsigned n = 0;
    for (struct exit out; (out = next_exit(&b, TIME_NEVER - 1)).at_ns != TIME_NEVER;)
        assert_true(out.at_ns == T0 + ++n * MS);
    /* The n-th drop comes at 105 ms + 100 ms (1 + 1/sqrt(2) + ... + 1/sqrt(n - 1)): the 26th at 969 ms, and a 27th
     * would at 989 ms, when only 974 packets are left to send. */
    assert_int_equal(b.lane.queue.late_drops, 26);
    assert_true(n == 1000 - b.lane.queue.late_drops);
    bench_finish(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_drop_below_the_target),
        cmocka_unit_test(no_drop_for_bursts_shorter_than_the_interval),
        cmocka_unit_test(no_drop_of_the_last_packet),
        cmocka_unit_test(drops_come_closer_with_the_root_of_their_number),
        cmocka_unit_test(the_rate_is_remembered_for_a_while),
        cmocka_unit_test(capable_packets_are_marked_instead),
        cmocka_unit_test(drops_take_no_time_on_the_link),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
