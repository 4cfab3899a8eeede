/* Middleboxes that remember connections: translators, firewalls, coalescers. */
#include "unit/sim/box_bench.h"

#define WAIT NS_PER_S

static struct segment from_port(struct segment s, uint16_t client)
{
    *(s.dst.port == 80 ? &s.src.port : &s.dst.port) = client;
    return s;
}

static struct segment acking(struct segment s, uint32_t ack)
{
    s.ack = ack;
    return s;
}

static struct segment with_dss(struct segment s, uint64_t dsn)
{
    struct tcp_options o;
    tcp_options_clear(&o);
    o.mp.present = 1u << MPTCP_DSS;
    o.mp.dss = (struct mp_dss){.has_map = true, .dsn = dsn, .ssn = 1, .len = (uint16_t)s.len};
    return with_options(s, o);
}

static struct segment with_sack(struct segment s, uint32_t start, uint32_t end, uint32_t start2, uint32_t end2)
{
    struct tcp_options o;
    tcp_options_clear(&o);
    o.present = TCP_OPT_SACK;
    o.sack_count = 2;
    o.sack[0] = (struct sack_block){seq_at(start), seq_at(end)};
    o.sack[1] = (struct sack_block){seq_at(start2), seq_at(end2)};
    return with_options(s, o);
}

/* ---- what all kinds have in common ---- */

/* A packet damaged on its way may be dropped or changed, but its checksum goes on telling. */
static void damage_stays_visible(void **state)
{
    (void)state;
    for (const struct box_kind *kind = box_kinds(); kind->name; kind++) {
        struct box_bench b;
        struct segment first = outward(TCP_ACK, 5000, 100), second = outward(TCP_ACK, 5100, 100);
        bench_open(&b, kind->name, (struct box_config){.addr = packet_addr("10.0.0.9", 0), .amount = 1});
        struct packet *packet = packet_of(&b, &second);
        uint8_t broken = packet->data[packet->len - 1] ^= 0xff;
        packet->damaged = true;
        send_segment(&b, first);
        send_packet(&b, BOX_INNER, packet);
        run_to(&b, 200 * MS);
        for (struct catcher *c = b.end[BOX_OUTER]; c->taken < c->count;) {
            struct packet *got = next_packet(&b, BOX_OUTER);
            struct packet_view v = packet_parse(got->data, got->len, false);
            if (v.payload_len && v.payload[v.payload_len - 1] == broken)
                assert_false(packet_checksum_ok(got->data, &v));
            packet_free(got);
        }
        throw_away(&b);
        bench_close(&b);
    }
}

/* ---- NAT ---- */

static struct segment public_source(struct segment s, uint16_t port)
{
    s.src = packet_addr("10.0.0.9", port);
    return s;
}

static struct segment to_public(uint16_t port)
{
    struct segment s = inward(TCP_ACK, 70000, 30);
    s.dst = packet_addr("10.0.0.9", port);
    return s;
}

static void nat_open(struct box_bench *b, struct box_config config)
{
    config.addr = packet_addr("10.0.0.9", 0);
    bench_open(b, "nat", config);
}

static void nat_translates_both_ways(void **state)
{
    (void)state;
    struct box_bench b;
    struct segment syn = outward(TCP_SYN, 4999, 0), data = with_dss(outward(TCP_ACK, 5000, 100), 7);
    nat_open(&b, (struct box_config){0});
    becomes(&b, syn, public_source(syn, 20000));
    becomes(&b, from_port(syn, 1001), public_source(syn, 20001));
    becomes(&b, data, public_source(data, 20000));
    becomes(&b, to_public(20000), inward(TCP_ACK, 70000, 30));
    becomes(&b, to_public(20001), from_port(inward(TCP_ACK, 70000, 30), 1001));
    expect_acted(&b, 2);
    passes(&b, over_v6(data));
    passes(&b, over_v6(turned(data)));
    bench_close(&b);
}

static void nat_lets_nothing_in_without_a_connection(void **state)
{
    (void)state;
    struct box_bench b;
    nat_open(&b, (struct box_config){0});
    is_dropped(&b, to_public(20000));
    is_dropped(&b, inward(TCP_SYN, 1, 0));
    becomes(&b, outward(TCP_SYN, 4999, 0), public_source(outward(TCP_SYN, 4999, 0), 20000));
    struct segment stranger = to_public(20000);
    stranger.src = packet_addr("10.0.0.3", 80);
    is_dropped(&b, stranger);
    is_dropped(&b, to_public(20001));
    is_dropped(&b, inward(TCP_ACK, 1, 0)); /* the inner address is not known outside */
    expect_acted(&b, 1 + 5);
    bench_close(&b);
}

static void nat_rebinds(void **state)
{
    (void)state;
    struct box_bench b;
    struct segment data = outward(TCP_ACK, 5000, 100);
    nat_open(&b, (struct box_config){.period_ns = 50 * MS, .to_ns = 150 * MS});
    becomes(&b, data, public_source(data, 20000));
    run_to(&b, 50 * MS - 1);
    becomes(&b, data, public_source(data, 20000));
    run_to(&b, 50 * MS);
    becomes(&b, to_public(20000), inward(TCP_ACK, 70000, 30)); /* only what goes out makes it take another */
    becomes(&b, data, public_source(data, 20001));
    is_dropped(&b, to_public(20000));
    becomes(&b, to_public(20001), inward(TCP_ACK, 70000, 30));
    run_to(&b, 99 * MS);
    becomes(&b, data, public_source(data, 20001));
    run_to(&b, 100 * MS);
    becomes(&b, data, public_source(data, 20002));
    run_to(&b, NS_PER_S); /* its time is over; it stays a NAT */
    becomes(&b, data, public_source(data, 20002));
    bench_close(&b);
}

static void nat_forgets_the_silent(void **state)
{
    (void)state;
    struct box_bench b;
    struct segment data = outward(TCP_ACK, 5000, 100);
    nat_open(&b, (struct box_config){.idle_ns = 100 * MS});
    becomes(&b, data, public_source(data, 20000));
    run_to(&b, 100 * MS);
    becomes(&b, to_public(20000), inward(TCP_ACK, 70000, 30)); /* either way counts */
    run_to(&b, 200 * MS);
    becomes(&b, data, public_source(data, 20000));
    run_to(&b, 300 * MS + 1);
    is_dropped(&b, to_public(20000));
    becomes(&b, data, public_source(data, 20001));
    run_to(&b, 500 * MS);
    becomes(&b, data, public_source(data, 20002)); /* also when the inner side breaks the silence */
    is_dropped(&b, to_public(20001));
    bench_close(&b);
}

static void nat_has_a_bounded_table(void **state)
{
    (void)state;
    struct box_bench b;
    nat_open(&b, (struct box_config){0});
    for (uint16_t i = 0; i <= BOX_FLOWS_MAX; i++) {
        run_to(&b, i * MS);
        struct segment syn = from_port(outward(TCP_SYN, 1, 0), (uint16_t)(2000 + i));
        becomes(&b, syn, public_source(syn, (uint16_t)(20000 + i)));
        if (i == BOX_FLOWS_MAX - 1) /* the first is not the one idle for longest any more */
            becomes(&b, to_public(20000), from_port(inward(TCP_ACK, 70000, 30), 2000));
    }
    is_dropped(&b, to_public(20001));
    for (uint16_t i = 0; i <= BOX_FLOWS_MAX; i++)
        if (i != 1)
            becomes(&b, to_public((uint16_t)(20000 + i)), from_port(inward(TCP_ACK, 70000, 30), (uint16_t)(2000 + i)));
    bench_close(&b);
}

/* ---- the firewall ---- */

static void the_firewall_lets_in_what_was_asked_for(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "firewall", (struct box_config){0});
    is_dropped(&b, inward(TCP_SYN, 1, 0));
    is_dropped(&b, inward(TCP_ACK, 1, 10));
    is_dropped(&b, outward(TCP_ACK, 1, 10)); /* out likewise, without a SYN */
    passes(&b, outward(TCP_SYN, 1, 0));
    passes(&b, inward(TCP_SYN | TCP_ACK, 1, 0));
    passes(&b, with_dss(outward(TCP_ACK, 2, 10), 7));
    passes(&b, with_dss(inward(TCP_ACK, 2, 10), 7));
    is_dropped(&b, from_port(inward(TCP_ACK, 2, 10), 1001));
    is_dropped(&b, over_v6(inward(TCP_ACK, 2, 10)));
    passes(&b, over_v6(outward(TCP_SYN, 1, 0)));
    passes(&b, over_v6(inward(TCP_ACK, 2, 10)));
    expect_acted(&b, 5);
    bench_close(&b);
}

static void the_firewall_forgets_the_silent(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "firewall", (struct box_config){.idle_ns = 100 * MS});
    passes(&b, outward(TCP_SYN, 1, 0));
    run_to(&b, 90 * MS);
    passes(&b, outward(TCP_SYN, 1, 0)); /* sent again: no silence */
    run_to(&b, 190 * MS);
    passes(&b, inward(TCP_SYN | TCP_ACK, 1, 0));
    run_to(&b, 290 * MS);
    passes(&b, outward(TCP_ACK, 2, 10));
    run_to(&b, 390 * MS + 1);
    is_dropped(&b, outward(TCP_ACK, 12, 10));
    is_dropped(&b, inward(TCP_ACK, 12, 10)); /* forgotten for good */
    passes(&b, outward(TCP_SYN, 1, 0));
    passes(&b, inward(TCP_SYN | TCP_ACK, 1, 0));
    expect_acted(&b, 2);
    bench_close(&b);
}

static void the_firewall_learns_before_its_time(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "firewall", (struct box_config){.idle_ns = 60 * MS, .from_ns = 100 * MS, .to_ns = 200 * MS});
    passes(&b, inward(TCP_SYN, 1, 0));
    run_to(&b, 50 * MS);
    passes(&b, outward(TCP_ACK, 2, 10));
    run_to(&b, 110 * MS);
    passes(&b, inward(TCP_ACK, 2, 10));
    is_dropped(&b, from_port(inward(TCP_ACK, 2, 10), 1001));
    run_to(&b, 199 * MS);
    is_dropped(&b, inward(TCP_ACK, 2, 10));
    run_to(&b, 200 * MS);
    passes(&b, inward(TCP_ACK, 2, 10));
    passes(&b, from_port(inward(TCP_ACK, 2, 10), 1001));
    bench_close(&b);
}

static void the_firewall_has_a_bounded_table(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "firewall", (struct box_config){0});
    for (uint16_t i = 0; i <= BOX_FLOWS_MAX; i++) {
        run_to(&b, i * MS);
        passes(&b, from_port(outward(TCP_SYN, 1, 0), (uint16_t)(2000 + i)));
    }
    is_dropped(&b, from_port(inward(TCP_ACK, 1, 0), 2000));
    for (uint16_t i = 1; i <= BOX_FLOWS_MAX; i++)
        passes(&b, from_port(inward(TCP_ACK, 1, 0), (uint16_t)(2000 + i)));
    bench_close(&b);
}

/* ---- the randomiser ---- */

/* Sends the SYN and says by how much its number moved. */
static uint32_t shift_of(struct box_bench *b, struct segment syn)
{
    struct tcp_options options;
    send_segment(b, syn);
    struct packet_view v = next_view(b, syn.dst.port == 80 ? BOX_OUTER : BOX_INNER, &options);
    assert_true(v.tcp.flags == syn.flags && v.tcp.ack.v == syn.ack && v.payload_len == 0);
    return v.tcp.seq.v - syn.seq;
}

static struct segment moved(struct segment s, uint32_t shift)
{
    s.seq += shift;
    return s;
}

static void the_randomiser_moves_numbers_and_acknowledgements(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "seq-randomiser", (struct box_config){0});
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct segment data = with_dss(outward(TCP_ACK, 5000, 100), 7), syn = outward(TCP_SYN, 4999, 0);
        struct segment back = inward(TCP_SYN | TCP_ACK, 69999, 0), ack = inward(TCP_ACK, 70000, 20);
        struct segment reset = inward(TCP_RST, 70000, 0); /* without ACK the field means nothing */
        if (v6)
            data = over_v6(data), syn = over_v6(syn), back = over_v6(back), ack = over_v6(ack), reset = over_v6(reset);
        uint32_t shift = shift_of(&b, syn);
        assert_int_not_equal(shift, 0);
        becomes(&b, syn, moved(syn, shift)); /* sent again */
        becomes(&b, acking(back, 5000 + shift), acking(back, 5000));
        becomes(&b, data, moved(data, shift));
        becomes(&b, acking(ack, 5100 + shift), acking(ack, 5100));
        becomes(&b, with_sack(acking(ack, 5100 + shift), 5200 + shift, 5300 + shift, 5400 + shift, 5500 + shift),
                with_sack(acking(ack, 5100), 5200, 5300, 5400, 5500));
        struct segment own = with_sack(data, 70100, 70200, 70300, 70400); /* of the outer side's numbers: they stay */
        becomes(&b, own, moved(own, shift));
        becomes(&b, acking(reset, 0), acking(reset, 0));
        expect_acted(&b, v6 + 1);
    }
    passes(&b, from_port(outward(TCP_ACK, 1, 10), 1001)); /* its SYN was never seen */
    passes(&b, from_port(inward(TCP_ACK, 1, 10), 1001));
    bench_close(&b);
}

static void the_randomiser_serves_the_inner_server_too(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "seq-randomiser", (struct box_config){.to_ns = 100 * MS});
    passes(&b, inward(TCP_SYN, 69999, 0)); /* from outside, to a server behind the box */
    uint32_t shift = shift_of(&b, outward(TCP_SYN | TCP_ACK, 4999, 0));
    uint32_t other = shift_of(&b, from_port(outward(TCP_SYN, 4999, 0), 1001));
    assert_true(shift != 0 && other != 0 && shift != other);
    run_to(&b, 200 * MS); /* what it began it goes on doing; new ones it leaves alone */
    becomes(&b, acking(inward(TCP_ACK, 70000, 20), 5000 + shift), acking(inward(TCP_ACK, 70000, 20), 5000));
    becomes(&b, outward(TCP_ACK, 5000, 20), moved(outward(TCP_ACK, 5000, 20), shift));
    passes(&b, from_port(outward(TCP_SYN, 4999, 0), 1002));
    passes(&b, from_port(inward(TCP_ACK, 70000, 20), 1002));
    expect_acted(&b, 2);
    bench_close(&b);
}

static void the_randomiser_has_a_bounded_table(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "seq-randomiser", (struct box_config){0});
    uint32_t shift[BOX_FLOWS_MAX + 1];
    for (uint16_t i = 0; i <= BOX_FLOWS_MAX; i++) {
        run_to(&b, i * MS);
        shift[i] = shift_of(&b, from_port(outward(TCP_SYN, 1, 0), (uint16_t)(2000 + i)));
    }
    passes(&b, from_port(outward(TCP_ACK, 2, 10), 2000));
    for (uint16_t i = 1; i <= BOX_FLOWS_MAX; i++) {
        struct segment data = from_port(outward(TCP_ACK, 2, 10), (uint16_t)(2000 + i));
        becomes(&b, data, moved(data, shift[i]));
    }
    bench_close(&b);
}

/* ---- the coalescer ---- */

static void the_coalescer_joins_what_follows(void **state)
{
    (void)state;
    for (unsigned v6 = 0; v6 < 2; v6++) {
        struct box_bench b;
        struct segment a = with_dss(outward(TCP_ACK, 5000, 100), 7), c = with_dss(outward(TCP_ACK, 5100, 50), 99);
        struct segment whole = a;
        c.flags |= TCP_PSH;
        whole.flags |= TCP_PSH;
        whole.len = 150;
        if (v6)
            a = over_v6(a), c = over_v6(c), whole = over_v6(whole);
        bench_open(&b, "coalescer", (struct box_config){0});
        is_dropped(&b, a);
        run_to(&b, MS - 1);
        is_dropped(&b, c);
        run_to(&b, WAIT);
        expect(&b, whole);
        assert_true(came_at(&b, BOX_OUTER) == MS); /* the first began the wait */
        expect_acted(&b, 1);
        is_dropped(&b, turned(a)); /* each direction for itself, and nothing follows */
        is_dropped(&b, a);
        run_to(&b, 2 * WAIT);
        expect(&b, turned(a));
        expect(&b, a);
        expect_acted(&b, 1);
        bench_close(&b);
    }
}

static void the_coalescer_keeps_the_order(void **state)
{
    (void)state;
    const struct segment a = outward(TCP_ACK, 5000, 100);
    const struct segment others[] = {
        outward(TCP_ACK, 5101, 10),                /* a gap */
        outward(TCP_ACK, 5000, 100),               /* once more */
        acking(outward(TCP_ACK, 5100, 10), 70001), /* says something else */
        with_dss(outward(TCP_ACK, 5100, 10), 7),   /* other options */
        outward(TCP_ACK | TCP_URG, 5100, 10),      /* urgent */
        outward(TCP_ACK, 5100, 1461 - 100),        /* longer than a packet together */
        outward(TCP_ACK, 5100, 0),                 /* from here on nothing that waits itself */
        outward(TCP_ACK | TCP_FIN, 5100, 10),
        outward(TCP_RST, 5100, 0),
        outward(TCP_SYN, 4999, 0),
        outward(TCP_ACK, 5100, 1460),
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(others); i++) {
        struct box_bench b;
        bench_open(&b, "coalescer", (struct box_config){0});
        is_dropped(&b, a);
        send_segment(&b, others[i]);
        expect(&b, a);
        if (i < 6) {
            expect_nothing(&b);
            run_to(&b, MS);
        }
        expect(&b, others[i]);
        expect_acted(&b, 0);
        bench_close(&b);
    }
}

static void the_coalescer_fills_packets(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "coalescer", (struct box_config){.period_ns = 5 * MS, .to_ns = 30 * MS});
    for (uint32_t i = 0; i < 30; i++)
        send_segment(&b, outward(TCP_ACK, 5000 + i * 146, 146));
    expect(&b, outward(TCP_ACK, 5000, 1460));
    expect(&b, outward(TCP_ACK, 5000 + 1460, 1460));
    expect_nothing(&b);
    expect_acted(&b, 27);
    run_to(&b, 29 * MS);
    expect(&b, outward(TCP_ACK, 5000 + 2 * 1460, 1460));
    assert_true(came_at(&b, BOX_OUTER) == 5 * MS);
    is_dropped(&b, outward(TCP_ACK, 100, 10));
    run_to(&b, 30 * MS); /* its time is over: what it holds goes first */
    send_segment(&b, outward(TCP_ACK, 110, 10));
    expect(&b, outward(TCP_ACK, 100, 10));
    expect(&b, outward(TCP_ACK, 110, 10));
    passes(&b, outward(TCP_ACK, 120, 10));
    bench_close(&b);
}

/* Each connection waits for itself; the 129th takes the place, and the segment, of the oldest. */
static void the_coalescer_has_a_bounded_table(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "coalescer", (struct box_config){.period_ns = WAIT});
    for (uint16_t i = 0; i <= BOX_FLOWS_MAX; i++) {
        run_to(&b, i * MS);
        is_dropped(&b, from_port(outward(TCP_ACK, 1, 10), (uint16_t)(2000 + i)));
    }
    for (uint16_t i = 1; i <= BOX_FLOWS_MAX; i++) {
        run_to(&b, WAIT + i * MS);
        expect(&b, from_port(outward(TCP_ACK, 1, 10), (uint16_t)(2000 + i)));
        assert_true(came_at(&b, BOX_OUTER) == WAIT + i * MS);
    }
    is_dropped(&b, outward(TCP_ACK, 1, 10)); /* still held when the world ends */
    is_dropped(&b, inward(TCP_ACK, 1, 10));
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damage_stays_visible),
        cmocka_unit_test(nat_translates_both_ways),
        cmocka_unit_test(nat_lets_nothing_in_without_a_connection),
        cmocka_unit_test(nat_rebinds),
        cmocka_unit_test(nat_forgets_the_silent),
        cmocka_unit_test(nat_has_a_bounded_table),
        cmocka_unit_test(the_firewall_lets_in_what_was_asked_for),
        cmocka_unit_test(the_firewall_forgets_the_silent),
        cmocka_unit_test(the_firewall_learns_before_its_time),
        cmocka_unit_test(the_firewall_has_a_bounded_table),
        cmocka_unit_test(the_randomiser_moves_numbers_and_acknowledgements),
        cmocka_unit_test(the_randomiser_serves_the_inner_server_too),
        cmocka_unit_test(the_randomiser_has_a_bounded_table),
        cmocka_unit_test(the_coalescer_joins_what_follows),
        cmocka_unit_test(the_coalescer_keeps_the_order),
        cmocka_unit_test(the_coalescer_fills_packets),
        cmocka_unit_test(the_coalescer_has_a_bounded_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
