/* Middleboxes that send segments of their own: the proxy that acknowledges early, and the attackers. */
#include "unit/sim/box_bench.h"

static struct segment acking(struct segment s, uint32_t ack)
{
    s.ack = ack;
    return s;
}

static struct segment with_window(struct segment s, uint16_t window)
{
    s.window = window;
    return s;
}

static struct segment with_wscale(struct segment s, uint8_t wscale)
{
    const uint8_t bytes[] = {1, 3, 3, wscale};
    return with_bytes(s, bytes, sizeof bytes);
}

/* ---- the proxy ---- */

/* SYN and answer: client 4999, server 69999; windows of 1000 bytes, then `<< 2` of the server and `<< 1`. */
static void shake_hands(struct box_bench *b)
{
    passes(b, with_window(with_wscale(outward(TCP_SYN, 4999, 0), 1), 1000));
    passes(b, with_window(with_wscale(acking(inward(TCP_SYN | TCP_ACK, 69999, 0), 5000), 2), 1000));
}

static struct segment early(struct segment data, uint16_t window)
{
    struct segment ack = turned(data);
    ack.seq = data.ack;
    ack.ack = data.seq + data.len;
    ack.flags = TCP_ACK;
    ack.window = window;
    ack.options_len = ack.len = 0;
    return ack;
}

static void is_acknowledged(struct box_bench *b, struct segment data, uint16_t window)
{
    send_segment(b, data);
    expect(b, data);
    expect(b, early(data, window));
    expect_nothing(b);
}

static void the_proxy_acknowledges_within_the_window(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "acking-proxy", (struct box_config){0});
    shake_hands(&b);
    passes(&b, outward(TCP_ACK, 5000, 0));
    is_acknowledged(&b, outward(TCP_ACK, 5000, 100), (6000 - 5100) / 4); /* a SYN's window is not scaled */
    passes(&b, with_window(acking(inward(TCP_ACK, 70000, 0), 5100), 300));
    is_acknowledged(&b, outward(TCP_ACK | TCP_PSH, 5100, 100), (5100 + 1200 - 5200) / 4);
    is_acknowledged(&b, outward(TCP_ACK, 5200, 1099), 0); /* a byte is left: less than the scale can say */
    is_acknowledged(&b, outward(TCP_ACK, 6299, 10), 0);   /* beyond it */
    passes(&b, with_window(acking(inward(TCP_ACK, 70000, 0), 6309), 0));
    is_acknowledged(&b, outward(TCP_ACK, 6309, 1), 0); /* a probe */
    /* the other way, in the client's scale: its last segment said 500 << 1 from 70000 on */
    is_acknowledged(&b, acking(inward(TCP_ACK, 70000, 50), 6309), (70000 + 1000 - 70050) / 2);
    expect_acted(&b, 6);
    bench_close(&b);
}

static void the_proxy_acknowledges_in_order_only(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "acking-proxy", (struct box_config){.to_ns = 100 * MS});
    passes(&b, outward(TCP_ACK, 5000, 100)); /* its beginning was never seen */
    shake_hands(&b);
    passes(&b, outward(TCP_ACK, 5100, 100));
    passes(&b, outward(TCP_ACK | TCP_FIN, 5000, 10));
    passes(&b, outward(TCP_RST, 5000, 0));
    is_acknowledged(&b, outward(TCP_ACK, 5000, 100), (6000 - 5100) / 4);
    passes(&b, outward(TCP_ACK, 5000, 100)); /* sent again: the receiver will say */
    is_acknowledged(&b, outward(TCP_ACK, 5100, 100), (6000 - 5200) / 4);
    struct packet *damaged = packet_of(&b, &(struct segment){.src = packet_addr("10.0.0.1", 1000),
                                                             .dst = packet_addr("10.0.0.2", 80),
                                                             .seq = 5200,
                                                             .ack = 70000,
                                                             .flags = TCP_ACK,
                                                             .len = 10});
    damaged->damaged = true;
    send_packet(&b, BOX_INNER, damaged);
    expect_nothing(&b);
    run_to(&b, 100 * MS);
    passes(&b, outward(TCP_ACK, 5200, 100)); /* its time is over */
    expect_acted(&b, 2);
    bench_close(&b); /* two are kept */
}

static void the_proxy_delivers_what_it_acknowledged(void **state)
{
    (void)state;
    struct box_bench b;
    struct tcp_options o;
    bench_open(&b, "acking-proxy", (struct box_config){.to_ns = 100 * MS});
    shake_hands(&b);
    tcp_options_clear(&o);
    o.mp.present = 1u << MPTCP_DSS;
    o.mp.dss = (struct mp_dss){.has_map = true, .dsn = 7, .ssn = 1, .len = 100};
    struct segment first = with_options(outward(TCP_ACK, 5000, 100), o), second = outward(TCP_ACK, 5100, 100);
    is_acknowledged(&b, first, (6000 - 5100) / 4);
    run_to(&b, 50 * MS);
    is_acknowledged(&b, second, (6000 - 5200) / 4);
    run_to(&b, 299 * MS);
    expect_nothing(&b);
    run_to(&b, 350 * MS);
    expect(&b, first); /* to the byte, options included */
    expect(&b, second);
    assert_true(came_at(&b, BOX_OUTER) == 300 * MS);
    passes(&b, acking(inward(TCP_ACK, 70000, 0), 5150)); /* the first, and half of the second */
    run_to(&b, 650 * MS);
    expect(&b, second);
    assert_true(came_at(&b, BOX_OUTER) == 600 * MS);
    struct segment strange = acking(inward(TCP_ACK, 70000, 0), 5200);
    strange.dst.port = 1001;
    passes(&b, strange); /* another connection */
    run_to(&b, 950 * MS);
    expect(&b, second);
    passes(&b, acking(inward(TCP_ACK, 70000, 0), 5200));
    run_to(&b, 10 * NS_PER_S);
    expect_nothing(&b);
    bench_close(&b);
}

static struct segment at_time(struct segment s, uint32_t val, uint32_t ecr)
{
    struct tcp_options o;
    tcp_options_clear(&o);
    o.present = TCP_OPT_TIMESTAMPS;
    o.ts_val = val;
    o.ts_ecr = ecr;
    return with_options(s, o);
}

/* What it sends again is no old duplicate (RFC 7323 5.3, RFC 5961 5.2). */
static void the_proxy_says_the_newest_when_it_sends_again(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "acking-proxy", (struct box_config){0});
    shake_hands(&b);
    is_acknowledged(&b, at_time(acking(outward(TCP_ACK, 5000, 100), 70000), 1000, 500), (6000 - 5100) / 4);
    is_acknowledged(&b, acking(inward(TCP_ACK, 70000, 40), 5000), (70000 + 1000 - 70040) / 2);
    run_to(&b, 100 * MS);
    passes(&b, at_time(acking(outward(TCP_ACK, 5100, 0), 70040), 1100, 600));
    passes(&b, at_time(acking(outward(TCP_ACK, 5100, 0), 70020), 1101, 601)); /* came late */
    run_to(&b, 300 * MS);
    expect(&b, at_time(acking(outward(TCP_ACK, 5000, 100), 70040), 1101, 601));
    bench_close(&b);
}

/* Whichever half of the sequence space its acknowledgements are in. */
static void the_proxy_makes_no_acknowledgement_up(void **state)
{
    (void)state;
    struct box_bench b;
    struct segment data = acking(outward(TCP_ACK, 5000, 100), 0xf0000001);
    bench_open(&b, "acking-proxy", (struct box_config){0});
    passes(&b, with_window(outward(TCP_SYN, 4999, 0), 1000));
    passes(&b, with_window(acking(inward(TCP_SYN | TCP_ACK, 0xf0000000, 0), 5000), 1000));
    is_acknowledged(&b, data, 6000 - 5100);
    run_to(&b, 300 * MS);
    expect(&b, data);
    bench_close(&b);
}

static void the_proxy_keeps_only_so_much(void **state)
{
    (void)state;
    enum { KEPT_MAX = 512, BURST = 8, TRIES_MAX = 240 * 20 };
    struct box_bench b;
    bench_open(&b, "acking-proxy", (struct box_config){.period_ns = 50 * MS});
    shake_hands(&b);
    for (uint32_t i = 0; i < KEPT_MAX; i++)
        is_acknowledged(&b, outward(TCP_ACK, 5000 + i, 1), (uint16_t)((6000 - 5001 - i) / 4));
    passes(&b, outward(TCP_ACK, 5000 + KEPT_MAX, 1));
    expect_acted(&b, KEPT_MAX);
    for (uint32_t round = 1; round <= TRIES_MAX; round++) { /* the oldest few, so often and no oftener */
        run_to(&b, round * 50 * MS);
        for (uint32_t i = 0; i < BURST; i++)
            expect(&b, outward(TCP_ACK, 5000 + i, 1));
        expect_nothing(&b);
    }
    run_to(&b, (TRIES_MAX + 1) * 50 * MS);
    for (uint32_t i = BURST; i < 2 * BURST; i++)
        expect(&b, outward(TCP_ACK, 5000 + i, 1));
    passes(&b, acking(inward(TCP_ACK, 70000, 0), 5000 + KEPT_MAX));
    run_to(&b, 300 * NS_PER_S);
    expect_nothing(&b);
    bench_close(&b);
}

/* Who has to guess the numbers tells it nothing: it would not deliver what it acknowledged. */
static void the_proxy_believes_no_stranger(void **state)
{
    (void)state;
    enum { FAR = 0x50000000, BEYOND = 0x30000000 };
    struct box_bench b;
    struct segment first = outward(TCP_ACK, 5000, 100), second = outward(TCP_ACK, 5100, 100);
    bench_open(&b, "acking-proxy", (struct box_config){0});
    shake_hands(&b);
    is_acknowledged(&b, first, (6000 - 5100) / 4);
    passes(&b, outward(TCP_ACK, FAR, 0));
    passes(&b, acking(outward(TCP_ACK, 5100, 0), BEYOND));
    passes(&b, acking(outward(TCP_ACK | TCP_FIN, FAR, 0), BEYOND));
    passes(&b, outward(TCP_SYN, FAR, 0));
    passes(&b, outward(TCP_RST, 5001, 0));
    passes(&b, acking(inward(TCP_RST | TCP_ACK, FAR, 0), 5100));
    passes(&b, acking(inward(TCP_ACK, FAR, 0), 5100));
    passes(&b, with_window(acking(inward(TCP_ACK, 70000, 0), BEYOND), 0));
    is_acknowledged(&b, second, (6000 - 5200) / 4);
    run_to(&b, 300 * MS);
    expect(&b, first);
    expect(&b, second);
    passes(&b, acking(inward(TCP_ACK, 70000, 0), 5200));
    run_to(&b, 700 * MS);
    expect_nothing(&b);
    is_acknowledged(&b, outward(TCP_ACK, 5200, 100), (5200 + 500 * 4 - 5300) / 4);
    passes(&b, outward(TCP_RST, 5300, 0)); /* the end itself gives up */
    run_to(&b, 1200 * MS);
    expect_nothing(&b);
    bench_close(&b);
}

/* What it had no room for is not acknowledged by way of what follows, once there is room again. */
static void the_proxy_acknowledges_nothing_behind_a_hole(void **state)
{
    (void)state;
    enum { KEPT_MAX = 512 };
    struct box_bench b;
    bench_open(&b, "acking-proxy", (struct box_config){0});
    shake_hands(&b);
    for (uint32_t i = 0; i < KEPT_MAX; i++)
        is_acknowledged(&b, outward(TCP_ACK, 5000 + i, 1), (uint16_t)((6000 - 5001 - i) / 4));
    passes(&b, outward(TCP_ACK, 5000 + KEPT_MAX, 1));
    passes(&b, with_window(acking(inward(TCP_ACK, 70000, 0), 5010), 1000));
    passes(&b, outward(TCP_ACK, 5001 + KEPT_MAX, 1));
    expect_acted(&b, KEPT_MAX);
    struct segment again = outward(TCP_ACK, 5000 + KEPT_MAX, 1);
    send_segment(&b, again);
    expect(&b, again);
    expect(&b, early(again, (uint16_t)((5010 + 4000 - 5001 - KEPT_MAX) / 4)));
    bench_close(&b);
}

/* ---- attackers ---- */

static const char *const attackers[] = {"token-guesser", "blind-injector", "onpath-attacker"};

static void attackers_rest_when_nothing_passes(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(attackers); i++) {
        struct box_bench b;
        struct tcp_options options;
        bench_open(&b, attackers[i], (struct box_config){0});
        run_to(&b, 10 * MS);
        passes(&b, outward(TCP_ACK, 5000, 100));
        run_to(&b, 60 * MS);
        passes(&b, outward(TCP_ACK, 5100, 100)); /* does not put it off */
        run_to(&b, 110 * MS - 1);
        expect_nothing(&b);
        run_to(&b, 10 * NS_PER_S);
        (void)next_view(&b, BOX_OUTER, &options);
        assert_true(came_at(&b, BOX_OUTER) == 110 * MS);
        expect_nothing(&b);
        passes(&b, over_v6(inward(TCP_ACK, 5000, 100))); /* it follows what passed last */
        run_to(&b, 20 * NS_PER_S);
        struct packet_view v = next_view(&b, BOX_INNER, &options);
        assert_false(v.ip.is_v4);
        assert_true(came_at(&b, BOX_INNER) == 10100 * MS);
        expect_acted(&b, 2);
        passes(&b, outward(TCP_ACK, 5100, 100)); /* about to strike when the world ends */
        bench_close(&b);
    }
}

static void attackers_keep_to_their_time_and_direction(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(attackers); i++) {
        struct box_bench b;
        struct tcp_options options;
        bench_open(
            &b, attackers[i],
            (struct box_config){.direction = BOX_INWARD, .period_ns = 20 * MS, .from_ns = 50 * MS, .to_ns = 99 * MS});
        passes(&b, inward(TCP_ACK, 5000, 100));
        run_to(&b, 50 * MS);
        passes(&b, outward(TCP_ACK, 5000, 100));
        run_to(&b, 75 * MS);
        expect_nothing(&b);
        passes(&b, inward(TCP_ACK, 5000, 100));
        run_to(&b, 95 * MS);
        (void)next_view(&b, BOX_INNER, &options);
        passes(&b, inward(TCP_ACK, 5000, 100));
        run_to(&b, NS_PER_S); /* too late */
        expect_acted(&b, 1);
        bench_close(&b);
    }
}

/* So many attempts; each time a segment passes, and the attack is taken apart. */
static struct packet_view attack(struct box_bench *b, struct segment provocation, struct tcp_options *options)
{
    passes(b, provocation);
    run_to(b, b->world.now_ns - T0 + 100 * MS);
    struct packet_view v = next_view(b, BOX_OUTER, options);
    assert_true(hawser_addr_same_ip(&v.ip.src, &provocation.src) && hawser_addr_same_ip(&v.ip.dst, &provocation.dst));
    assert_true(v.tcp.dst_port == 80 && v.payload_len == 0);
    return v;
}

static void the_guesser_joins_with_other_tokens_each_time(void **state)
{
    (void)state;
    enum { ATTEMPTS = 100 };
    struct box_bench b;
    struct tcp_options o;
    uint32_t tokens[ATTEMPTS];
    bench_open(&b, "token-guesser", (struct box_config){0});
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        struct segment data = outward(TCP_ACK, 5000, 100);
        struct packet_view v = attack(&b, i & 1 ? over_v6(data) : data, &o);
        assert_true(v.tcp.flags == TCP_SYN && v.tcp.ack.v == 0 && v.tcp.src_port >= 1024);
        assert_true(o.mp.present == 1u << MPTCP_JOIN && o.mp.join.shape == MP_JOIN_SYN && o.present == 0);
        tokens[i] = o.mp.join.token;
        for (unsigned k = 0; k < i; k++)
            assert_true(tokens[k] != tokens[i]);
    }
    expect_acted(&b, ATTEMPTS);
    bench_close(&b);
}

static void the_blind_guess_numbers(void **state)
{
    (void)state;
    enum { ATTEMPTS = 1000 };
    static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_SYN, TCP_ACK, TCP_ACK | TCP_FIN};
    struct box_bench b;
    struct tcp_options o;
    unsigned seen[HW_ARRAY_LEN(flags)] = {0}, upper = 0;
    bench_open(&b, "blind-injector", (struct box_config){0});
    for (unsigned i = 0; i < ATTEMPTS; i++) {
        struct packet_view v = attack(&b, outward(TCP_ACK, 5000, 100), &o);
        assert_true(v.tcp.src_port == 1000 && v.tcp.header_len == TCP_HEADER_LEN);
        upper += v.tcp.seq.v >> 31;
        for (size_t k = 0; k < HW_ARRAY_LEN(flags); k++)
            seen[k] += v.tcp.flags == flags[k];
    }
    unsigned all = 0;
    for (size_t k = 0; k < HW_ARRAY_LEN(flags); k++) {
        assert_in_range(seen[k], 200 - 63, 200 + 63); /* deviation sqrt(1000 1/5 4/5) = 12.6 */
        all += seen[k];
    }
    assert_int_equal(all, ATTEMPTS);
    assert_in_range(upper, 500 - 79, 500 + 79); /* deviation sqrt(1000 / 4) = 15.8 */
    expect_acted(&b, ATTEMPTS);
    bench_close(&b);
}

static void who_sees_the_numbers_lies_in_options(void **state)
{
    (void)state;
    enum { ATTEMPTS = 1000 };
    static const enum mptcp_subtype lies[] = {MPTCP_ADD_ADDR, MPTCP_REMOVE_ADDR, MPTCP_FASTCLOSE, MPTCP_PRIO};
    struct box_bench b;
    struct tcp_options o;
    unsigned seen[HW_ARRAY_LEN(lies)] = {0}, all = 0;
    bench_open(&b, "onpath-attacker", (struct box_config){0});
    for (uint32_t i = 0; i < ATTEMPTS; i++) {
        struct segment data = outward(i & 2 ? TCP_ACK | TCP_FIN : TCP_ACK, i * 1000, 100);
        struct packet_view v = attack(&b, i & 1 ? over_v6(data) : data, &o);
        assert_true(v.tcp.src_port == 1000 && v.tcp.flags == TCP_ACK && v.tcp.window == data.window);
        assert_int_equal(v.tcp.seq.v, i * 1000 + 100 + !!(i & 2)); /* it fits behind what passed */
        assert_int_equal(v.tcp.ack.v, data.ack);
        for (size_t k = 0; k < HW_ARRAY_LEN(lies); k++)
            seen[k] += o.mp.present == 1u << lies[k];
        if (o.mp.present == 1u << MPTCP_ADD_ADDR)
            assert_true(hawser_addr_same_ip(&o.mp.add_addr.addr, &v.ip.src) && !o.mp.add_addr.has_port);
    }
    for (size_t k = 0; k < HW_ARRAY_LEN(lies); k++) {
        assert_in_range(seen[k], 250 - 68, 250 + 68); /* deviation sqrt(1000 1/4 3/4) = 13.7 */
        all += seen[k];
    }
    assert_int_equal(all, ATTEMPTS);
    expect_acted(&b, ATTEMPTS);
    passes(&b, outward(TCP_SYN, 1, 0)); /* behind these a lie would fit nowhere */
    run_to(&b, b.world.now_ns - T0 + NS_PER_S);
    passes(&b, outward(TCP_RST, 1, 0));
    run_to(&b, b.world.now_ns - T0 + NS_PER_S);
    expect_acted(&b, ATTEMPTS);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_proxy_acknowledges_within_the_window),
        cmocka_unit_test(the_proxy_acknowledges_in_order_only),
        cmocka_unit_test(the_proxy_delivers_what_it_acknowledged),
        cmocka_unit_test(the_proxy_says_the_newest_when_it_sends_again),
        cmocka_unit_test(the_proxy_makes_no_acknowledgement_up),
        cmocka_unit_test(the_proxy_keeps_only_so_much),
        cmocka_unit_test(the_proxy_believes_no_stranger),
        cmocka_unit_test(the_proxy_acknowledges_nothing_behind_a_hole),
        cmocka_unit_test(attackers_rest_when_nothing_passes),
        cmocka_unit_test(attackers_keep_to_their_time_and_direction),
        cmocka_unit_test(the_guesser_joins_with_other_tokens_each_time),
        cmocka_unit_test(the_blind_guess_numbers),
        cmocka_unit_test(who_sees_the_numbers_lies_in_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
