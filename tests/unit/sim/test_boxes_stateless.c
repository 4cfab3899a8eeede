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

/* ---- the splitter ---- */

static void the_splitter_cuts_in_half(void **state)
{
    (void)state;
    struct box_bench b;
    struct segment whole = dss(), head = dss(), tail = dss();
    bench_open(&b, "splitter", (struct box_config){0});
    whole.flags = TCP_ACK | TCP_PSH | TCP_FIN;
    whole.len = 101;
    head.len = 50;
    tail.flags = whole.flags;
    tail.seq = tail.text = 5050;
    tail.len = 51;
    for (unsigned v6 = 0; v6 < 4; v6++) {
        send_segment(&b, v6 & 1 ? over_v6(whole) : whole);
        expect(&b, v6 & 1 ? over_v6(head) : head);
        expect(&b, v6 & 1 ? over_v6(tail) : tail);
    }
    expect_acted(&b, 4);
    passes(&b, outward(TCP_ACK, 1, 0));
    passes(&b, outward(TCP_ACK, 1, 1)); /* half of it is nothing */
    passes(&b, outward(TCP_SYN, 1, 100));
    passes(&b, outward(TCP_RST, 1, 100));
    expect_acted(&b, 4);
    bench_close(&b);
}

static void the_splitter_cuts_where_it_is_told(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "splitter", (struct box_config){.amount = 30});
    send_segment(&b, outward(TCP_ACK, UINT32_MAX - 9, 31)); /* numbers wrap */
    expect(&b, outward(TCP_ACK, UINT32_MAX - 9, 30));
    struct segment tail = outward(TCP_ACK, 20, 1);
    tail.text = UINT32_MAX - 9 + 30;
    expect(&b, tail);
    passes(&b, outward(TCP_ACK, 1, 30));
    expect_acted(&b, 1);
    bench_close(&b);
}

/* ---- shrinking and dropping ---- */

static void the_shrinker_bounds_windows(void **state)
{
    (void)state;
    struct box_bench b;
    struct segment small = dss();
    bench_open(&b, "window-shrinker", (struct box_config){.amount = 300});
    small.window = 300;
    becomes(&b, dss(), small);
    becomes(&b, over_v6(dss()), over_v6(small));
    passes(&b, small);
    expect_acted(&b, 2);
    bench_close(&b);
    bench_open(&b, "window-shrinker", (struct box_config){.data_only = true});
    small.window = 0;
    becomes(&b, dss(), small);
    passes(&b, syn());
    expect_acted(&b, 1);
    bench_close(&b);
}

static void the_dropper_takes_aim(void **state)
{
    (void)state;
    const struct segment of[] = {[1] = outward(TCP_ACK | TCP_FIN, 1, 0),
                                 [2] = outward(TCP_ACK, 1, 0),
                                 [3] = outward(TCP_ACK, 1, 10),
                                 [4] = outward(TCP_ACK | TCP_RST, 1, 0),
                                 [5] = syn()};
    for (uint32_t amount = 0; amount <= 4; amount++) {
        struct box_bench b;
        bench_open(&b, "dropper", (struct box_config){.amount = amount});
        for (uint32_t i = 1; i < HW_ARRAY_LEN(of); i++)
            (amount == 0 || i == amount ? is_dropped : passes)(&b, of[i]);
        expect_acted(&b, amount ? 1 : HW_ARRAY_LEN(of) - 1);
        bench_close(&b);
    }
}

static void the_syn_dropper_drops_syns_with_mptcp(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "syn-dropper", (struct box_config){0});
    is_dropped(&b, syn());
    is_dropped(&b, over_v6(syn()));
    is_dropped(&b, turned(syn()));
    passes(&b, stripped(syn(), 30));
    passes(&b, outward(TCP_SYN, 1, 0));
    passes(&b, dss());
    expect_acted(&b, 3);
    bench_close(&b);
    bench_open(&b, "syn-dropper", (struct box_config){.amount = 2});
    is_dropped(&b, syn());
    passes(&b, dss());
    is_dropped(&b, syn());
    passes(&b, syn());
    expect_acted(&b, 2);
    bench_close(&b);
}

/* ---- injectors ---- */

static struct segment reset_behind(struct segment s, uint32_t seq)
{
    s.seq = seq;
    s.flags = TCP_RST;
    s.ack = s.window = 0;
    s.options_len = s.len = 0;
    return s;
}

static void a_reset_follows_a_segment(void **state)
{
    (void)state;
    static const uint32_t offsets[] = {0, 1000, UINT32_C(1) << 30, UINT32_C(1) << 30};
    for (uint32_t amount = 0; amount < HW_ARRAY_LEN(offsets); amount++) {
        struct box_bench b;
        bench_open(&b, "rst-injector", (struct box_config){.amount = amount});
        send_segment(&b, dss());
        expect(&b, dss());
        expect(&b, reset_behind(dss(), 5100 + offsets[amount]));
        send_segment(&b, over_v6(turned(dss())));
        expect(&b, over_v6(turned(dss())));
        expect(&b, over_v6(turned(reset_behind(dss(), 5100 + offsets[amount]))));
        struct segment fin = outward(TCP_ACK | TCP_FIN, 1, 10); /* a FIN counts as a byte */
        send_segment(&b, fin);
        expect(&b, fin);
        expect(&b, reset_behind(fin, 12 + offsets[amount]));
        passes(&b, syn());
        passes(&b, outward(TCP_RST, 1, 0));
        expect_acted(&b, 3);
        bench_close(&b);
    }
}

static void expect_icmp(struct box_bench *b, const struct segment *about, uint8_t type, uint8_t code, uint32_t mtu,
                        bool forged)
{
    bool v4 = hawser_addr_is_v4(&about->src);
    uint32_t l3 = v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
    struct packet *got = next_packet(b, BOX_INNER), *quoted = packet_of(b, about);
    struct ip_header ip;
    struct csum sum = {0, false};
    assert_int_equal(ip_parse(got->data, got->len, false, &ip), IP_OK);
    assert_int_equal(ip.protocol, v4 ? 1 : 58);
    assert_true(hawser_addr_same_ip(&ip.src, &about->dst) && hawser_addr_same_ip(&ip.dst, &about->src));
    assert_true(ip.header_len == l3 && ip.payload_len == 8 + 64 && got->len == l3 + ip.payload_len);
    if (!v4) { /* RFC 4443 2.3, by hand: addresses, length, next header */
        csum_add(&sum, got->data + 8, 32);
        csum_add32(&sum, ip.payload_len);
        csum_add32(&sum, 58);
    }
    csum_add(&sum, got->data + l3, ip.payload_len);
    assert_int_equal(csum_fold(&sum), 0xffff);
    assert_true(got->data[l3] == type && got->data[l3 + 1] == code && get32(got->data + l3 + 4) == mtu);
    if (forged) {
        assert_memory_not_equal(got->data + l3 + 8 + l3 + 4, quoted->data + l3 + 4, 4);
        memcpy(quoted->data + l3 + 4, got->data + l3 + 8 + l3 + 4, 4);
    }
    assert_memory_equal(got->data + l3 + 8, quoted->data, 64);
    packet_free(got);
    packet_free(quoted);
}

static void icmp_errors_go_back_to_the_sender(void **state)
{
    (void)state;
    static const struct {
        uint8_t type[2], code[2]; /* IPv4, IPv6 */
        uint32_t mtu;
    } wanted[] = {{{3, 1}, {3, 4}, 0}, {{3, 2}, {4, 0}, 1280}, {{3, 1}, {3, 4}, 0},
                  {{3, 1}, {1, 3}, 0}, {{3, 1}, {13, 1}, 0},   {{3, 2}, {4, 0}, 68}};
    for (uint32_t amount = 0; amount < HW_ARRAY_LEN(wanted); amount++) {
        struct box_bench b;
        bench_open(&b, "icmp-sender", (struct box_config){.amount = amount, .direction = BOX_OUTWARD});
        for (unsigned i = 0; i < 4; i++) {
            struct segment s = i & 2 ? over_v6(dss()) : dss();
            send_segment(&b, s);
            expect_icmp(&b, &s, wanted[amount].type[i / 2], wanted[amount].code[i / 2], wanted[amount].mtu,
                        amount == 2);
            expect(&b, s);
        }
        passes(&b, turned(dss()));
        expect_acted(&b, 4);
        bench_close(&b);
    }
}

static void the_replayer_says_it_once_more(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "replayer", (struct box_config){0});
    passes(&b, dss());
    run_to(&b, 5 * MS);
    passes(&b, over_v6(turned(dss())));
    run_to(&b, NS_PER_S - 1);
    expect_nothing(&b);
    run_to(&b, NS_PER_S);
    expect(&b, dss());
    expect_nothing(&b);
    run_to(&b, 10 * NS_PER_S);
    expect(&b, over_v6(turned(dss())));
    assert_true(came_at(&b, BOX_INNER) == NS_PER_S + 5 * MS);
    expect_acted(&b, 2);
    passes(&b, dss()); /* still held in the end */
    bench_close(&b);
    bench_open(&b, "replayer", (struct box_config){.period_ns = 20 * MS});
    passes(&b, dss());
    run_to(&b, NS_PER_S);
    expect(&b, dss());
    assert_true(came_at(&b, BOX_OUTER) == 20 * MS);
    bench_close(&b);
}

static void the_replayer_remembers_only_so_much(void **state)
{
    (void)state;
    enum { REPLAYS_MAX = 64 };
    struct box_bench b;
    bench_open(&b, "replayer", (struct box_config){0});
    for (uint32_t i = 0; i < 2 * REPLAYS_MAX; i++)
        passes(&b, outward(TCP_ACK, i, 10));
    run_to(&b, 3 * NS_PER_S);
    for (uint32_t i = 0; i < REPLAYS_MAX; i++)
        expect(&b, outward(TCP_ACK, i, 10));
    expect_nothing(&b);
    expect_acted(&b, REPLAYS_MAX);
    bench_close(&b);
}

/* ---- the rewriter: it does remember, but little ---- */

static struct segment grown(struct segment s, uint32_t by)
{
    s.fill = by;
    return s;
}

static struct segment moved(struct segment s, uint32_t by)
{
    s.seq += by;
    return s;
}

static struct segment acking(struct segment s, uint32_t ack)
{
    s.ack = ack;
    return s;
}

static void the_rewriter_lengthens_and_moves_what_follows(void **state)
{
    (void)state;
    struct box_bench b;
    bench_open(&b, "payload-rewriter", (struct box_config){0});
    passes(&b, outward(TCP_SYN, 4999, 0));
    passes(&b, outward(TCP_ACK, 5000, 0));
    becomes(&b, dss(), grown(dss(), 4)); /* 5000 to 5099 */
    becomes(&b, outward(TCP_ACK, 5100, 50), moved(outward(TCP_ACK, 5100, 50), 4));
    becomes(&b, outward(TCP_ACK | TCP_FIN, 5150, 0), moved(outward(TCP_ACK | TCP_FIN, 5150, 0), 4));
    becomes(&b, dss(), grown(dss(), 4));    /* sent again: the same */
    passes(&b, outward(TCP_ACK, 5000, 60)); /* sent again in part */
    becomes(&b, outward(TCP_ACK, 5060, 40), grown(outward(TCP_ACK, 5060, 40), 4));
    expect_acted(&b, 3);
    struct segment longer = grown(outward(TCP_ACK, 5060, 40), 4); /* sent again with more behind */
    longer.rest = 30;
    becomes(&b, outward(TCP_ACK, 5060, 70), longer);
    expect_acted(&b, 4);
    static const uint32_t acks[][2] = {{5000, 5000}, {5099, 5099}, {5101, 5099},
                                       {5103, 5099}, {5104, 5100}, {5154, 5150}};
    for (size_t i = 0; i < HW_ARRAY_LEN(acks); i++)
        becomes(&b, acking(inward(TCP_ACK, 70000, 0), acks[i][0]), acking(inward(TCP_ACK, 70000, 0), acks[i][1]));
    struct segment reply = acking(inward(TCP_ACK, 70000, 10), 5000); /* the other way likewise */
    becomes(&b, reply, grown(reply, 4));
    becomes(&b, acking(outward(TCP_ACK, 5150, 0), 70014), acking(moved(outward(TCP_ACK, 5150, 0), 4), 70010));
    expect_acted(&b, 5);
    bench_close(&b);
}

static void the_rewriter_mends_sack_blocks(void **state)
{
    (void)state;
    struct box_bench b;
    struct tcp_options seen, wanted;
    bench_open(&b, "payload-rewriter", (struct box_config){.amount = 7, .direction = BOX_OUTWARD});
    becomes(&b, over_v6(plain()), over_v6(grown(plain(), 7)));
    tcp_options_clear(&seen);
    seen.present = TCP_OPT_SACK;
    seen.sack_count = 2;
    seen.sack[0] = (struct sack_block){seq_at(5107), seq_at(5157)};
    seen.sack[1] = (struct sack_block){seq_at(5020), seq_at(5040)};
    wanted = seen;
    wanted.sack[0] = (struct sack_block){seq_at(5100), seq_at(5150)};
    struct segment ack = over_v6(acking(inward(TCP_ACK, 70000, 0), 5010));
    becomes(&b, with_options(ack, seen), with_options(ack, wanted));
    passes(&b, over_v6(acking(inward(TCP_ACK, 70000, 20), 5010))); /* not in this direction */
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
        cmocka_unit_test(the_splitter_cuts_in_half),
        cmocka_unit_test(the_splitter_cuts_where_it_is_told),
        cmocka_unit_test(the_shrinker_bounds_windows),
        cmocka_unit_test(the_dropper_takes_aim),
        cmocka_unit_test(the_syn_dropper_drops_syns_with_mptcp),
        cmocka_unit_test(a_reset_follows_a_segment),
        cmocka_unit_test(icmp_errors_go_back_to_the_sender),
        cmocka_unit_test(the_replayer_says_it_once_more),
        cmocka_unit_test(the_replayer_remembers_only_so_much),
        cmocka_unit_test(the_rewriter_lengthens_and_moves_what_follows),
        cmocka_unit_test(the_rewriter_mends_sack_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
