/* The option area: what is read of it, and the planner as a table and by property. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "support.h"
#include "wire/bytes.h"
#include "wire/tcp.h"
#include "wire/tcp_options.h"

static void a_usual_syn(void **state)
{
    (void)state;
    const uint8_t area[] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0, 0, 7, 0, 0, 0, 0, 1, 3, 3, 7, 30, 4, 1, 1};
    struct tcp_options o;
    tcp_options_parse(area, sizeof area, TCP_SYN, &o);
    assert_int_equal(o.present, TCP_OPT_MSS | TCP_OPT_SACK_PERMITTED | TCP_OPT_TIMESTAMPS | TCP_OPT_WSCALE);
    assert_int_equal(o.mss, 1460);
    assert_int_equal(o.wscale, 7);
    assert_int_equal(o.ts_val, 7);
    assert_int_equal(o.mp.present, 1 << MPTCP_CAPABLE);
    assert_int_equal(o.malformed, 0);
    /* Without SYN they do not count (RFC 9293 3.1, RFC 7323 2.2). */
    tcp_options_parse(area, sizeof area, TCP_ACK, &o);
    assert_int_equal(o.present, TCP_OPT_TIMESTAMPS);
}

/* Every prefix of a full area parses to something, and nothing beyond it is read (the sanitizer watches). */
static void truncated_areas(void **state)
{
    (void)state;
    const uint8_t area[] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 9};
    for (size_t len = 0; len <= sizeof area; len++) {
        uint8_t exact[sizeof area];
        memcpy(exact + sizeof area - len, area, len);
        struct tcp_options o;
        tcp_options_parse(exact + sizeof area - len, len, TCP_ACK, &o);
        assert_int_equal(!!(o.present & TCP_OPT_TIMESTAMPS), len >= 12);
        assert_int_equal(!!(o.present & TCP_OPT_SACK), len >= 24);
        bool cut = (len > 2 && len < 12) || (len > 14 && len < 24);
        assert_int_equal(o.malformed, cut);
    }
}

static void wrong_lengths_are_skipped(void **state)
{
    (void)state;
    static const struct {
        uint8_t kind, right;
        uint16_t bit;
    } kinds[] = {
        {2, 4, TCP_OPT_MSS},         {3, 3, TCP_OPT_WSCALE},        {4, 2, TCP_OPT_SACK_PERMITTED},
        {8, 10, TCP_OPT_TIMESTAMPS}, {28, 4, TCP_OPT_USER_TIMEOUT},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(kinds); i++) {
        for (uint8_t len = 2; len < 20; len++) {
            uint8_t area[40] = {kinds[i].kind, len};
            memset(area + 2, 1, sizeof area - 2);
            struct tcp_options o;
            tcp_options_parse(area, sizeof area, TCP_SYN, &o);
            assert_int_equal(o.present, len == kinds[i].right ? kinds[i].bit : 0);
            assert_int_equal(o.malformed, len != kinds[i].right);
        }
    }
}

/* RFC 9293 3.1, MUST-7: a length of 0 or 1, or past the end, ends the parse and never loops. */
static void bad_lengths_end_the_parse(void **state)
{
    (void)state;
    for (unsigned len = 0; len < 256; len++) {
        uint8_t area[] = {1, 1, 99, (uint8_t)len, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0};
        struct tcp_options o;
        tcp_options_parse(area, sizeof area, TCP_ACK, &o);
        if (len < 2 || len > sizeof area - 2)
            assert_int_equal(o.malformed, 1);
    }
}

static size_t plan(const struct tcp_options *want, struct tcp_options *sent)
{
    uint8_t area[40];
    return tcp_options_plan(area, want, sent);
}

static struct tcp_options established(void)
{
    struct tcp_options o = {.present = TCP_OPT_TIMESTAMPS, .ts_val = 1, .ts_ecr = 2};
    return o;
}

static void with_dss(struct tcp_options *o, bool map)
{
    o->mp.present |= 1u << MPTCP_DSS;
    o->mp.dss = (struct mp_dss){.has_ack = true,
                                .ack_is_64 = true,
                                .ack = UINT64_C(0x100000002),
                                .has_map = map,
                                .dsn_is_64 = map,
                                .dsn = 3,
                                .ssn = 4,
                                .len = 5};
}

static void with_sacks(struct tcp_options *o, uint8_t n)
{
    o->present |= TCP_OPT_SACK;
    o->sack_count = n;
    for (uint8_t i = 0; i < n; i++)
        o->sack[i] = (struct sack_block){seq_at(100u * i), seq_at(100u * i + 50)};
}

static void planner_table(void **state)
{
    (void)state;
    struct tcp_options o, sent;

    o = established(); /* timestamps alone, then with as many SACK blocks as fit: three */
    assert_int_equal(plan(&o, &sent), 12);
    with_sacks(&o, 4);
    assert_int_equal(plan(&o, &sent), 40);
    assert_int_equal(sent.sack_count, 3);

    o.present &= (uint16_t)~TCP_OPT_TIMESTAMPS; /* without timestamps four */
    assert_int_equal(plan(&o, &sent), 36);
    assert_int_equal(sent.sack_count, 4);

    o = established(); /* a mapping with everything wide fills the space */
    with_dss(&o, true);
    assert_int_equal(plan(&o, &sent), 40);
    assert_true(sent.mp.dss.ack_is_64);

    with_sacks(&o, 1); /* a narrower DATA_ACK would make no room for a block: it stays wide */
    assert_int_equal(plan(&o, &sent), 40);
    assert_true(sent.mp.dss.ack_is_64);
    assert_int_equal(sent.sack_count, 0);

    o = established(); /* a pure ACK: narrowing gains the second block */
    with_dss(&o, false);
    with_sacks(&o, 2);
    assert_int_equal(plan(&o, &sent), 40);
    assert_false(sent.mp.dss.ack_is_64);
    assert_int_equal(sent.mp.dss.ack, 2);
    assert_int_equal(sent.sack_count, 2);

    o = established(); /* one block fits beside a wide DATA_ACK */
    with_dss(&o, false);
    with_sacks(&o, 1);
    assert_int_equal(plan(&o, &sent), 36);
    assert_true(sent.mp.dss.ack_is_64);

    o = established(); /* an IPv4 address fits beside the DSS and before any SACK block */
    with_dss(&o, false);
    with_sacks(&o, 2);
    o.mp.present |= 1u << MPTCP_ADD_ADDR;
    o.mp.add_addr = (struct mp_add_addr){.is_v4 = true, .address_id = 1};
    assert_int_equal(plan(&o, &sent), 40);
    assert_true(mptcp_has(&sent.mp, MPTCP_ADD_ADDR) && sent.sack_count == 0);

    o.mp.add_addr.is_v4 = false; /* an IPv6 one does not, and is left out whole */
    assert_true(plan(&o, &sent) <= 40);
    assert_false(mptcp_has(&sent.mp, MPTCP_ADD_ADDR));

    o.mp.present = 1u << MPTCP_ADD_ADDR; /* alone it does */
    assert_int_equal(plan(&o, &sent), 40);
    assert_true(mptcp_has(&sent.mp, MPTCP_ADD_ADDR));
}

/* What the two hosts have to say of addresses, with the lengths of RFC 8684. */
static const struct {
    bool echo, v4, port;
    size_t len; /* padded */
} announcements[] = {
    {true, true, false, 8},   {true, true, true, 12},  {true, false, false, 20},  {true, false, true, 24},
    {false, true, false, 16}, {false, true, true, 20}, {false, false, false, 28}, {false, false, true, 32},
};

/* A DSS as bare acknowledgements carry it. */
static const struct {
    bool wide, stays, fin, checksum;
    size_t len;
} signals[] = {
    {false, false, false, false, 8}, {true, false, false, false, 12}, {true, true, false, false, 12},
    {true, false, true, false, 28},  {true, true, true, false, 28},   {true, true, true, true, 28},
};

static size_t remove_len(unsigned count) { return count ? (3u + count + 3) / 4 * 4 : 0; }

static void with_removals(struct tcp_options *o, unsigned count)
{
    o->mp.remove_addr.count = (uint8_t)count;
    for (unsigned i = 0; i < count; i++)
        o->mp.remove_addr.ids[i] = (uint8_t)i;
    o->mp.present |= count ? 1u << MPTCP_REMOVE_ADDR : 0;
}

static void with_announcement(struct tcp_options *o, size_t i)
{
    o->mp.present |= 1u << MPTCP_ADD_ADDR;
    o->mp.add_addr = (struct mp_add_addr){.echo = announcements[i].echo,
                                          .is_v4 = announcements[i].v4,
                                          .has_port = announcements[i].port,
                                          .address_id = 3};
}

static void with_signal(struct tcp_options *o, size_t i)
{
    with_dss(o, signals[i].fin);
    o->mp.dss.ack_is_64 = signals[i].wide;
    o->mp.dss.ack_stays_64 = signals[i].stays;
    o->mp.dss.data_fin = signals[i].fin;
    o->mp.dss.has_checksum = signals[i].checksum;
}

/* All that was asked for leaves wherever it has room, a DATA_ACK narrowed if need be; and tcp_options_fit() knows. */
static void expect_fit(const struct tcp_options *o, bool fit)
{
    struct tcp_options sent, read;
    uint8_t area[TCP_OPTION_SPACE];
    assert_int_equal(tcp_options_fit(o), fit);
    size_t len = tcp_options_plan(area, o, &sent);
    assert_int_equal(sent.mp.present == o->mp.present, fit);
    tcp_options_parse(area, len, TCP_ACK, &read);
    assert_int_equal(read.malformed, 0);
    assert_int_equal(read.mp.present, sent.mp.present);
}

static void planner_with_all_that_is_said_of_addresses(void **state)
{
    (void)state;
    for (unsigned timestamps = 0; timestamps <= 1; timestamps++) {
        for (size_t a = 0; a <= HW_ARRAY_LEN(announcements); a++) {
            for (unsigned removed = 0; removed <= MPTCP_REMOVE_MAX; removed++) {
                struct tcp_options o = timestamps ? established() : (struct tcp_options){0};
                size_t told = remove_len(removed);
                if (a < HW_ARRAY_LEN(announcements)) {
                    with_announcement(&o, a);
                    told += announcements[a].len;
                }
                with_removals(&o, removed);
                with_sacks(&o, 3);
                bool alone = told == 32 && !removed; /* then nothing is padded: 10 and 30 */
                expect_fit(&o, 12 * timestamps + told <= 40 || alone);
                for (size_t s = 0; s < HW_ARRAY_LEN(signals); s++) {
                    bool narrows = signals[s].wide && !signals[s].stays;
                    size_t dss = signals[s].len - (narrows ? 4 : 0);
                    with_signal(&o, s);
                    expect_fit(&o, 12 * timestamps + told + dss <= 40);
                }
            }
        }
    }
}

/* Whatever must be said can be said, beside nothing else. */
static void each_thing_to_say_fits_alone(void **state)
{
    (void)state;
    for (size_t a = 0; a < HW_ARRAY_LEN(announcements); a++) {
        struct tcp_options o = established();
        with_announcement(&o, a);
        expect_fit(&o, true);
    }
    struct tcp_options o = established();
    with_removals(&o, MPTCP_REMOVE_MAX);
    expect_fit(&o, true);
    o = established(); /* with the DATA_ACK, without a DATA_FIN */
    with_dss(&o, false);
    o.mp.present |= 1u << MPTCP_FAIL;
    expect_fit(&o, true);
    o = established(); /* a RST */
    o.mp.present = 1u << MPTCP_FASTCLOSE | 1u << MPTCP_TCPRST | 1u << MPTCP_FAIL;
    struct tcp_options sent;
    assert_int_equal(plan(&o, &sent), 40);
    assert_int_equal(sent.mp.present, o.mp.present);
}

/* RFC 5482 3.3, 3.4: on any segment, in seconds or minutes, and 0 of either is none. */
static void user_timeouts(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[2];
        uint64_t seconds;
    } values[] = {
        {{0x00, 0x01}, 1},       {{0x7f, 0xff}, 32767}, {{0x80, 0x01}, 60}, {{0x82, 0x23}, 32820},
        {{0xff, 0xff}, 1966020}, {{0x00, 0x00}, 0},     {{0x80, 0x00}, 0},
    };
    static const uint8_t flags[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK | TCP_FIN};
    for (size_t i = 0; i < HW_ARRAY_LEN(values); i++) {
        const uint8_t area[] = {28, 4, values[i].bytes[0], values[i].bytes[1]};
        struct tcp_options o, sent;
        uint8_t out[TCP_OPTION_SPACE];
        for (size_t f = 0; f < HW_ARRAY_LEN(flags); f++) {
            tcp_options_parse(area, sizeof area, flags[f], &o);
            assert_int_equal(o.malformed, 0);
            assert_int_equal(o.present, values[i].seconds ? TCP_OPT_USER_TIMEOUT : 0);
        }
        assert_int_equal(user_timeout_decode(get16(values[i].bytes)), values[i].seconds * NS_PER_S);
        if (!values[i].seconds)
            continue;
        assert_int_equal(o.user_timeout, get16(values[i].bytes));
        if (values[i].seconds != 60) /* which is said in seconds */
            assert_int_equal(user_timeout_encode(values[i].seconds * NS_PER_S), o.user_timeout);
        assert_int_equal(tcp_options_plan(out, &o, &sent), sizeof area);
        assert_int_equal(sent.present, TCP_OPT_USER_TIMEOUT);
        assert_memory_equal(out, area, sizeof area);
    }
    static const uint8_t then_none[] = {28, 4, 0, 7, 28, 4, 0, 0};
    struct tcp_options o;
    tcp_options_parse(then_none, sizeof then_none, TCP_ACK, &o);
    assert_int_equal(o.present, TCP_OPT_USER_TIMEOUT);
    assert_int_equal(user_timeout_decode(o.user_timeout), 7 * NS_PER_S);
    assert_int_equal(user_timeout_encode(0), 0);
    assert_int_equal(user_timeout_encode(1), 1); /* rounded up */
    assert_int_equal(user_timeout_encode(100 * NS_PER_S + 1), 101);
    assert_int_equal(user_timeout_encode(32767 * NS_PER_S + 1), 0x8000 | 547);
    assert_int_equal(user_timeout_encode(32767 * 60 * NS_PER_S), 0xffff);
    assert_int_equal(user_timeout_encode(32767 * 60 * NS_PER_S + 1), 0);
    assert_int_equal(user_timeout_encode(UINT64_MAX), 0);
}

/* It makes way for all but SACK blocks. */
static void planner_with_a_user_timeout(void **state)
{
    (void)state;
    struct tcp_options o = established(), sent;
    o.present |= TCP_OPT_USER_TIMEOUT;
    o.user_timeout = 0x1234;
    with_sacks(&o, 3);
    assert_int_equal(plan(&o, &sent), 36); /* 12, 4 and two blocks */
    assert_true(sent.present & TCP_OPT_USER_TIMEOUT);
    assert_int_equal(sent.sack_count, 2);

    o = established(); /* the third packet of a join and of an MP_CAPABLE leave room */
    o.present |= TCP_OPT_USER_TIMEOUT;
    o.mp = (struct mptcp_options){.present = 1u << MPTCP_JOIN, .join.shape = MP_JOIN_ACK};
    assert_int_equal(plan(&o, &sent), 40);
    assert_true(sent.present & TCP_OPT_USER_TIMEOUT && mptcp_has(&sent.mp, MPTCP_JOIN));

    o = established(); /* a mapping with everything wide does not */
    o.present |= TCP_OPT_USER_TIMEOUT;
    with_dss(&o, true);
    assert_int_equal(plan(&o, &sent), 40);
    assert_false(sent.present & TCP_OPT_USER_TIMEOUT);
    assert_true(mptcp_has(&sent.mp, MPTCP_DSS) && sent.mp.dss.ack_is_64);
}

static void planner_in_place(void **state)
{
    (void)state;
    struct tcp_options o = established(), copy, sent;
    with_dss(&o, false);
    with_sacks(&o, 3);
    copy = o;
    uint8_t a[40], b[40];
    size_t len = tcp_options_plan(a, &o, &sent);
    assert_int_equal(tcp_options_plan(b, &copy, &copy), len);
    assert_memory_equal(a, b, len);
    assert_int_equal(copy.sack_count, sent.sack_count);
    assert_int_equal(copy.mp.present, sent.mp.present);
}

static void random_wishes(struct prng *rng, struct tcp_options *o, bool syn)
{
    memset(o, 0, sizeof *o);
    if (syn && prng_below(rng, 2))
        o->present |= TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_PERMITTED;
    if (prng_below(rng, 2))
        o->present |= TCP_OPT_TIMESTAMPS;
    if (prng_below(rng, 4) == 0)
        o->present |= TCP_OPT_USER_TIMEOUT;
    o->user_timeout = (uint16_t)(1 + prng_below(rng, 0x7fff));
    o->mss = 1460;
    if (!syn && prng_below(rng, 2))
        with_sacks(o, (uint8_t)(1 + prng_below(rng, 4)));
    if (!syn && prng_below(rng, 2))
        with_dss(o, prng_below(rng, 2));
    static const enum mptcp_subtype others[] = {MPTCP_PRIO, MPTCP_FAIL, MPTCP_REMOVE_ADDR, MPTCP_ADD_ADDR,
                                                MPTCP_TCPRST};
    for (size_t i = 0; i < HW_ARRAY_LEN(others); i++)
        if (prng_below(rng, 4) == 0)
            o->mp.present |= (uint16_t)(1u << others[i]);
    o->mp.add_addr = (struct mp_add_addr){.is_v4 = prng_below(rng, 2), .echo = prng_below(rng, 2), .address_id = 1};
    if (o->mp.add_addr.is_v4)
        o->mp.add_addr.addr.ip[10] = o->mp.add_addr.addr.ip[11] = 0xff;
    o->mp.remove_addr = (struct mp_remove_addr){.count = (uint8_t)(1 + prng_below(rng, 4))};
}

/* Never over 40 bytes, always whole words, and what was written reads back as what `sent` says. */
static void planner_says_what_it_writes(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (int round = 0; round < 20000; round++) {
        struct tcp_options want, sent, back;
        uint8_t area[40];
        bool syn = prng_below(&rng, 4) == 0;
        random_wishes(&rng, &want, syn);
        size_t len = tcp_options_plan(area, &want, &sent);
        assert_true(len <= 40 && len % 4 == 0);
        assert_int_equal(sent.mp.present & ~want.mp.present, 0);
        tcp_options_parse(area, len, syn ? TCP_SYN : TCP_ACK, &back);
        assert_int_equal(back.malformed, 0);
        assert_int_equal(back.present, sent.present);
        assert_int_equal(back.mp.present, sent.mp.present);
        if (back.present & TCP_OPT_USER_TIMEOUT)
            assert_int_equal(back.user_timeout, want.user_timeout);
        if (back.present & TCP_OPT_SACK)
            assert_int_equal(back.sack_count, sent.sack_count);
        if (mptcp_has(&want.mp, MPTCP_DSS)) { /* of the highest rank here: always there, its mapping unhurt */
            assert_true(mptcp_has(&back.mp, MPTCP_DSS) || mptcp_has(&back.mp, MPTCP_TCPRST));
            if (mptcp_has(&back.mp, MPTCP_DSS) && want.mp.dss.has_map)
                assert_true(back.mp.dss.dsn == want.mp.dss.dsn && back.mp.dss.dsn_is_64);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_usual_syn),
        cmocka_unit_test(truncated_areas),
        cmocka_unit_test(wrong_lengths_are_skipped),
        cmocka_unit_test(bad_lengths_end_the_parse),
        cmocka_unit_test(planner_table),
        cmocka_unit_test(planner_with_all_that_is_said_of_addresses),
        cmocka_unit_test(each_thing_to_say_fits_alone),
        cmocka_unit_test(user_timeouts),
        cmocka_unit_test(planner_with_a_user_timeout),
        cmocka_unit_test(planner_in_place),
        cmocka_unit_test(planner_says_what_it_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
