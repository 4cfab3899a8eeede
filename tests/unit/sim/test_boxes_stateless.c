/* Middleboxes that remember nothing of connections: what comes out for what goes in, to the byte. */
#include "unit/sim/box_bench.h"

static struct tcp_options syn_options(void)
{
    struct tcp_options o;
    tcp_options_clear(&o);
    o.present = TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_PERMITTED | TCP_OPT_TIMESTAMPS;
    o.mss = 1460;
    o.wscale = 7;
    o.ts_val = 1000;
    o.ts_ecr = 2000;
    o.mp.present = 1u << MPTCP_CAPABLE;
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1};
    return o;
}

static struct tcp_options dss_options(void)
{
    struct tcp_options o;
    tcp_options_clear(&o);
    o.mp.present = 1u << MPTCP_DSS;
    o.mp.dss = (struct mp_dss){.has_ack = true, .has_map = true, .ack = 5, .dsn = 77, .ssn = 1, .len = 100};
    return o;
}

static struct segment plain(void) { return outward(TCP_ACK, 5000, 100); }
static struct segment syn(void) { return with_options(outward(TCP_SYN, 4999, 0), syn_options()); }
static struct segment dss(void) { return with_options(plain(), dss_options()); }

/* Every option of a kind becomes NOPs where it stood. */
static struct segment stripped(struct segment s, uint8_t kind)
{
    for (uint32_t at = 0, len; at < s.options_len; at += len) {
        uint8_t found = s.options[at];
        len = found == 1 ? 1 : s.options[at + 1];
        if (found == kind)
            memset(s.options + at, 1, len);
    }
    return s;
}

/* ---- what all kinds have in common ---- */

static void a_box_works_in_its_direction_only(void **state)
{
    (void)state;
    static const enum box_direction directions[] = {BOX_BOTH, BOX_OUTWARD, BOX_INWARD};
    for (size_t i = 0; i < HW_ARRAY_LEN(directions); i++) {
        struct box_bench b;
        bench_open(&b, "dropper", (struct box_config){.direction = directions[i]});
        send_segment(&b, plain());
        send_segment(&b, turned(plain()));
        if (directions[i] == BOX_INWARD)
            expect(&b, plain());
        if (directions[i] == BOX_OUTWARD)
            expect(&b, turned(plain()));
        expect_acted(&b, directions[i] == BOX_BOTH ? 2 : 1);
        bench_close(&b);
    }
}

static void a_box_works_in_its_time_only(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "dropper", (struct box_config){.from_ns = 10 * MS, .to_ns = 20 * MS});
    passes(&b, plain());
    run_to(&b, 10 * MS - 1);
    passes(&b, plain());
    run_to(&b, 10 * MS);
    is_dropped(&b, plain());
    run_to(&b, 20 * MS - 1);
    is_dropped(&b, plain());
    run_to(&b, 20 * MS);
    passes(&b, plain());
    expect_acted(&b, 2);
    bench_close(&b);
    bench_open(&b, "dropper", (struct box_config){.from_ns = 10 * MS});
    run_to(&b, 9000 * NS_PER_S);
    is_dropped(&b, plain());
    bench_close(&b);
}

static void syn_only_and_data_only_choose_segments(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "dropper", (struct box_config){.syn_only = true});
    is_dropped(&b, syn());
    is_dropped(&b, inward(TCP_SYN | TCP_ACK, 1, 0));
    passes(&b, plain());
    bench_close(&b);
    bench_open(&b, "dropper", (struct box_config){.data_only = true});
    passes(&b, syn());
    is_dropped(&b, plain());
    bench_close(&b);
}

static void a_share_is_drawn(void **state)
{
    (void)state;
    enum { PACKETS = 1000, TIMES = 10 };
    struct box_bench b;
    unsigned passed = 0;
    bench_open(&b, "dropper", (struct box_config){.ppm = 250000});
    for (unsigned round = 0; round < TIMES; round++) {
        for (unsigned i = 0; i < PACKETS; i++)
            send_segment(&b, plain());
        passed += throw_away(&b);
    }
    assert_in_range(passed, 7500 - 217, 7500 + 217); /* five deviations of sqrt(10000 1/4 3/4) = 43.3 */
    expect_acted(&b, PACKETS * TIMES - passed);
    bench_close(&b);
}

/* Each kind leaves alone what is no TCP, and what is no packet. */
static void what_is_no_segment_passes_untouched(void **state)
{
    (void)state;
    for (const struct box_kind *kind = box_kinds(); kind->name; kind++) {
        struct box_bench b;
        struct segment s = plain();
        bench_open(&b, kind->name, (struct box_config){.addr = packet_addr("10.0.0.9", 0)});
        for (unsigned variant = 0; variant < 3; variant++)
            for (unsigned port = 0; port < 2; port++) {
                struct packet *packet = packet_of(&b, &s);
                uint8_t before[200];
                if (variant == 0) { /* UDP, with a header checksum that is right */
                    packet->data[9] = 17;
                    packet_rewritten(packet);
                } else if (variant == 1) {
                    packet->data[0] = 0;
                } else {
                    packet->data[IPV4_HEADER_LEN + 12] = 0xf0; /* a TCP header longer than what is there */
                    packet->data[3] = IPV4_HEADER_LEN + 30;
                    packet->len = IPV4_HEADER_LEN + 30;
                    packet_rewritten(packet);
                }
                uint32_t len = packet->len;
                memcpy(before, packet->data, len);
                send_packet(&b, port, packet);
                struct packet *got = next_packet(&b, 1 - port);
                assert_int_equal(got->len, len);
                assert_memory_equal(got->data, before, len);
                packet_free(got);
            }
        run_to(&b, 10 * NS_PER_S);
        expect_acted(&b, 0);
        bench_close(&b);
    }
    struct world world;
    world_init(&world, 1, ROOM);
    assert_null(box_new(&world, "box", &(struct box_config){.kind = "no such box"}));
    world_destroy(&world);
}

/* ---- options ---- */

static void the_stripper_overwrites_mptcp_options(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "option-stripper", (struct box_config){0});
    becomes(&b, syn(), stripped(syn(), 30));
    becomes(&b, dss(), stripped(dss(), 30));
    becomes(&b, turned(dss()), stripped(turned(dss()), 30));
    becomes(&b, over_v6(dss()), stripped(over_v6(dss()), 30));
    expect_acted(&b, 4);
    passes(&b, plain());
    expect_acted(&b, 4);
    bench_close(&b);
}

static void the_stripper_takes_another_kind_or_all(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "option-stripper", (struct box_config){.amount = 8, .syn_only = true});
    becomes(&b, syn(), stripped(syn(), 8));
    passes(&b, dss());
    bench_close(&b);
    bench_open(&b, "option-stripper", (struct box_config){.amount = 255});
    struct segment bare = syn();
    for (uint8_t kind = 3; kind <= 30; kind++)
        bare = stripped(bare, kind);
    becomes(&b, syn(), bare);
    assert_int_equal(bare.options[0], 2); /* the MSS is still there */
    expect_acted(&b, 1);
    bench_close(&b);
}

/* An area that ends too early, in the middle of an option, or with lengths of 0 and 1. */
static void broken_options_do_no_harm(void **state)
{
    (void)state;
    static const uint8_t areas[][4] = {{1, 1, 1, 30}, {30, 0, 1, 1}, {30, 1, 1, 1}, {1, 1, 30, 9}, {0, 30, 3, 0x50}};
    static const char *const kinds[] = {"option-stripper", "option-duplicator", "syn-dropper", "seq-randomiser"};
    for (size_t k = 0; k < HW_ARRAY_LEN(kinds); k++) {
        struct box_bench b;
        bench_open(&b, kinds[k], (struct box_config){.direction = BOX_OUTWARD});
        for (size_t i = 0; i < HW_ARRAY_LEN(areas); i++) {
            passes(&b, with_bytes(plain(), areas[i], 4));
            passes(&b, with_bytes(inward(TCP_SYN | TCP_ACK, 1, 0), areas[i], 4));
        }
        bench_close(&b);
    }
}

static void the_duplicator_says_an_option_twice(void **state)
{
    (void)state;
    static const uint8_t prio[] = {30, 3, 0x50, 1}, twice[] = {30, 3, 0x50, 30, 3, 0x50, 1, 1};
    static const uint8_t two[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 30, 3, 0x50, 1};
    static const uint8_t three[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8, 30, 3, 0x50, 30, 3, 0x50, 1, 1};
    static const uint8_t others[] = {1, 1, 8, 10, 1, 2, 3, 4, 5,  6, 7,    8, 8, 10,
                                     1, 2, 3, 4,  5, 6, 7, 8, 30, 3, 0x50, 1, 1, 1};
    struct box_bench b;
    bench_open(&b, "option-duplicator", (struct box_config){0});
    becomes(&b, with_bytes(plain(), prio, 4), with_bytes(plain(), twice, 8));
    becomes(&b, with_bytes(over_v6(plain()), prio, 4), with_bytes(over_v6(plain()), twice, 8));
    becomes(&b, with_bytes(plain(), two, 16), with_bytes(plain(), three, 20));
    struct segment doubled = dss(); /* an option of 18 bytes and two NOPs */
    assert_true(doubled.options_len == 20 && doubled.options[1] == 18 && doubled.options[18] == 1);
    memset(doubled.options + 36, 1, 4);
    memcpy(doubled.options + 18, doubled.options, 18);
    doubled.options_len = 40;
    becomes(&b, dss(), doubled);
    expect_acted(&b, 4);
    passes(&b, doubled); /* no room */
    passes(&b, plain());
    expect_acted(&b, 4);
    bench_close(&b);
    bench_open(&b, "option-duplicator", (struct box_config){.amount = 8});
    becomes(&b, with_bytes(plain(), two, 16), with_bytes(plain(), others, 28));
    bench_close(&b);
}

static void the_duplicator_needs_room_in_the_packet(void **state)
{
    (void)state;
    static const uint8_t prio[] = {30, 3, 0x50, 1};
    struct box_bench b;
    bench_open(&b, "option-duplicator", (struct box_config){0});
    struct segment large = with_bytes(outward(TCP_ACK, 1, ROOM - 44 - 3), prio, 4);
    passes(&b, large);
    expect_acted(&b, 0);
    large.len--;
    send_segment(&b, large);
    struct packet *got = next_packet(&b, BOX_OUTER);
    assert_int_equal(got->len, ROOM);
    packet_free(got);
    expect_acted(&b, 1);
    bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_box_works_in_its_direction_only),
        cmocka_unit_test(a_box_works_in_its_time_only),
        cmocka_unit_test(syn_only_and_data_only_choose_segments),
        cmocka_unit_test(a_share_is_drawn),
        cmocka_unit_test(what_is_no_segment_passes_untouched),
        cmocka_unit_test(the_stripper_overwrites_mptcp_options),
        cmocka_unit_test(the_stripper_takes_another_kind_or_all),
        cmocka_unit_test(broken_options_do_no_harm),
        cmocka_unit_test(the_duplicator_says_an_option_twice),
        cmocka_unit_test(the_duplicator_needs_room_in_the_packet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
