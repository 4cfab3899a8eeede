/* MPTCP or plain TCP: what decides it, and what the peer is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "mptcp/fallback.h"
#include "tcp/tcp.h"

#define REMOTE_IDSN UINT64_C(0xfffffffffffffff0)
#define LOCAL_IDSN UINT64_C(0x1234567800000000)

static const struct fallback open_mptcp = {.mode = CONN_MPTCP};

static void the_way_back(void **state)
{
    (void)state;
    struct fallback f = open_mptcp;
    assert_true(fallback_open(&f));
    fallback_commit(&f, COMMITTED_US);
    assert_false(fallback_open(&f));
    assert_false(fallback_peer_committed(&f));
    fallback_commit(&f, COMMITTED_BOTH);
    fallback_commit(&f, COMMITTED_US); /* nobody forgets a subflow */
    assert_true(fallback_peer_committed(&f));
    f = (struct fallback){.mode = CONN_MPTCP, .rx_diverged = true};
    assert_false(fallback_open(&f));
}

/* RFC 8684 3.7, row by row. */
static void segments_without_options(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        bool options_pass;
        struct bare_segment segment;
        bool needed;
    } rows[] = {
        {"an empty one says nothing", false, {.confirmed = false}, false},
        {"data before any DSS", false, {.payload = true}, true},
        {"data after one", false, {.payload = true, .confirmed = true}, false},
        {"our data, acknowledged by TCP alone", false, {.acks_data = true, .confirmed = true}, true},
        {"the same, where a DATA_ACK came before", true, {.acks_data = true, .confirmed = true}, false},
        {"on a join that never had a DSS", true, {.join = true, .acks_data = true}, true},
        {"on one that had", false, {.join = true, .acks_data = true, .dss_seen = true}, false},
        {"data on a join waits for its mapping", false, {.join = true, .payload = true}, false},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(rows); i++) {
        struct fallback f = open_mptcp;
        f.options_pass = rows[i].options_pass;
        if (fallback_needed(&f, &rows[i].segment) != rows[i].needed)
            fail_msg("%s", rows[i].what);
    }
}

/* The infinite mapping goes with bare segments, more than once, and with data until it is known. */
static void the_peer_is_told(void **state)
{
    (void)state;
    struct fallback f = open_mptcp;
    struct infinite_facts facts = {.bare = true,
                                   .checksums = true,
                                   .snd_una = SSN_ORIGIN + 1,
                                   .una = dsn_at(LOCAL_IDSN + 101),
                                   .idsn = dsn_at(LOCAL_IDSN)};
    assert_true(fallback_go(&f, PLAIN_STRIPPED, SSN_ORIGIN + 501));
    assert_int_equal(f.mode, CONN_PLAIN);
    unsigned told = 0;
    for (int i = 0; i < 20; i++) {
        struct mptcp_options mp = {0};
        fallback_write(&f, &facts, &mp);
        (void)fallback_sent(&f, &mp);
        told += mptcp_has(&mp, MPTCP_DSS);
        if (!mptcp_has(&mp, MPTCP_DSS))
            continue;
        assert_true(mp.dss.has_map && mp.dss.dsn_is_64 && mp.dss.has_checksum);
        assert_int_equal(mp.dss.len, 0);
        assert_int_equal(mp.dss.dsn, LOCAL_IDSN + 101);
        assert_int_equal(mp.dss.ssn, 101);
    }
    assert_in_range(told, 2, 19);
    struct mptcp_options with_data = {0}, later = {0};
    facts.bare = false;
    fallback_write(&f, &facts, &with_data);
    assert_true(mptcp_has(&with_data, MPTCP_DSS));
    assert_false(fallback_data_is_bare(&f, facts.snd_una));
    facts.snd_una = SSN_ORIGIN + 502;
    fallback_write(&f, &facts, &later);
    assert_false(mptcp_has(&later, MPTCP_DSS));
    assert_true(fallback_data_is_bare(&f, facts.snd_una));
}

/* Plain TCP from the begin has nothing to tell. */
static void one_that_never_was_mptcp_is_silent(void **state)
{
    (void)state;
    struct fallback f = {.mode = CONN_NEGOTIATING};
    const struct infinite_facts facts = {.bare = true, .snd_una = SSN_ORIGIN + 1};
    struct mptcp_options mp = {0};
    assert_false(fallback_data_is_bare(&f, SSN_ORIGIN));
    assert_false(fallback_go(&f, PLAIN_STRIPPED, SSN_ORIGIN + 1));
    assert_true(fallback_data_is_bare(&f, SSN_ORIGIN));
    fallback_write(&f, &facts, &mp);
    assert_int_equal(mp.present, 0);
}

static void an_mp_fail_is_answered_first(void **state)
{
    (void)state;
    struct fallback f = open_mptcp;
    const struct infinite_facts facts = {.bare = true, .rcv_next = dsn_at(77), .idsn = dsn_at(0), .una = dsn_at(1)};
    (void)fallback_go(&f, PLAIN_STRIPPED, SSN_ORIGIN + 1);
    f.fail = FAIL_ANSWER_DUE;
    struct mptcp_options mp = {0};
    fallback_write(&f, &facts, &mp);
    assert_int_equal(mp.present, 1u << MPTCP_FAIL);
    assert_int_equal(mp.fail.dsn, 77);
    assert_true(fallback_sent(&f, &mp)); /* the mapping found no room beside it */
    assert_int_equal(f.fail, FAIL_ANSWERED);
    mp = (struct mptcp_options){0};
    fallback_write(&f, &facts, &mp);
    assert_int_equal(mp.present, 1u << MPTCP_DSS);
}

/* A peer that has not fallen back maps bytes elsewhere than plain TCP takes them for. */
static void bytes_that_would_lie_elsewhere(void **state)
{
    (void)state;
    struct fallback f = open_mptcp;
    struct mptcp_options mp = {.present = 1u << MPTCP_DSS};
    mp.dss = (struct mp_dss){.has_map = true, .dsn_is_64 = true, .dsn = REMOTE_IDSN + 501, .ssn = 501, .len = 100};
    dsn64 idsn = dsn_at(REMOTE_IDSN);
    (void)fallback_go(&f, PLAIN_STRIPPED, SSN_ORIGIN + 1);
    assert_false(fallback_contradicted(&f, &mp, idsn));
    mp.dss.dsn++;
    assert_true(fallback_contradicted(&f, &mp, idsn));
    mp.dss.len = 0; /* an infinite mapping */
    assert_false(fallback_contradicted(&f, &mp, idsn));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_way_back),
        cmocka_unit_test(segments_without_options),
        cmocka_unit_test(the_peer_is_told),
        cmocka_unit_test(one_that_never_was_mptcp_is_silent),
        cmocka_unit_test(an_mp_fail_is_answered_first),
        cmocka_unit_test(bytes_that_would_lie_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
