/* What a segment says, option by option, without a connection (RFC 8684 3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"
#include "mptcp/options.h"

#define KEY UINT64_C(0x1122334455667788)

struct bench {
    struct bundle bundle;
    struct identity id;
    struct fallback fallback;
    struct speakers who;
    struct subflow *first;
    struct tcp_options said;
};

static void set_up(struct bench *b, enum conn_mode mode)
{
    bundle_init(&b->bundle);
    b->first = bundle_open(&b->bundle, 20 * NS_PER_MS);
    b->id = (struct identity){.stage = IDENTITY_CONFIRMED,
                              .local_key = KEY,
                              .remote_key = KEY + 1,
                              .local_idsn = dsn_at(BUNDLE_IDSN),
                              .remote_idsn = dsn_at(BUNDLE_IDSN)};
    b->fallback = (struct fallback){0};
    fallback_settle(&b->fallback, mode);
    b->who =
        (struct speakers){.id = &b->id, .fallback = &b->fallback, .tx = &b->bundle.tx, .rx = &b->bundle.rx, .pm = NULL};
}

static void tear_down(struct bench *b) { bundle_destroy(&b->bundle); }

/* The set of options on a segment. */
static unsigned said(struct bench *b, const struct tx_record *record, uint8_t flags)
{
    b->said = (struct tcp_options){0};
    options_write(&b->who, b->first, record, flags, &b->said);
    return b->said.mp.present;
}

static unsigned just(enum mptcp_subtype what) { return 1u << what; }

/* SYNs carry MP_CAPABLE, but for those of plain TCP, or of an attempt at it. */
static void the_offer(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, CONN_NEGOTIATING);
    b.first->tcp.handshake_tries = 3;
    assert_int_equal(said(&b, NULL, TCP_SYN), just(MPTCP_CAPABLE));
    b.first->plain = true;
    assert_int_equal(said(&b, NULL, TCP_SYN), 0);
    b.first->plain = false;
    fallback_settle(&b.fallback, CONN_PLAIN);
    assert_int_equal(said(&b, NULL, TCP_SYN), 0);
    tear_down(&b);
}

/* Both keys until the peer is heard, with the mapping of the first data; then a DSS. */
static void keys_and_data(void **state)
{
    (void)state;
    struct bench b;
    struct tx_record first = {.note = {.dsn = nth_byte(0).v, .ssn = nth_ssn(0), .len = 500, .mapped = true}};
    set_up(&b, CONN_MPTCP);
    b.id.stage = IDENTITY_ESTABLISHED;
    assert_int_equal(said(&b, NULL, TCP_ACK), just(MPTCP_CAPABLE));
    assert_int_equal(said(&b, &first, TCP_ACK), just(MPTCP_CAPABLE));
    assert_int_equal(b.said.mp.capable.data_len, 500);
    b.id.stage = IDENTITY_CONFIRMED;
    assert_int_equal(said(&b, &first, TCP_ACK), just(MPTCP_DSS));
    assert_true(b.said.mp.dss.has_map && b.said.mp.dss.len == 500 && !b.said.mp.dss.data_fin);
    assert_int_equal(b.said.mp.dss.ssn, 1);
    assert_int_equal(said(&b, NULL, TCP_ACK), just(MPTCP_DSS));
    assert_true(b.said.mp.dss.has_ack && !b.said.mp.dss.has_map);
    tear_down(&b);
}

/* RFC 8684 3.3.3: the end goes on bare segments, as long as it waits, and where no MP_FAIL needs its room. */
static void the_end(void **state)
{
    (void)state;
    struct bench b;
    struct tx_record data = {.note = {.dsn = nth_byte(0).v, .ssn = nth_ssn(0), .len = 500, .mapped = true}};
    set_up(&b, CONN_MPTCP);
    data_tx_end(&b.bundle.tx);
    assert_int_equal(said(&b, NULL, TCP_ACK), just(MPTCP_DSS));
    assert_false(b.said.mp.dss.data_fin);
    data_tx_end_leaves(&b.bundle.tx);
    assert_int_equal(said(&b, NULL, TCP_ACK), just(MPTCP_DSS));
    assert_true(b.said.mp.dss.data_fin && b.said.mp.dss.dsn == nth_byte(0).v);
    assert_int_equal(said(&b, &data, TCP_ACK), just(MPTCP_DSS));
    assert_false(b.said.mp.dss.data_fin);
    b.first->fail_stage = FAIL_ASKING;
    assert_int_equal(said(&b, NULL, TCP_ACK), just(MPTCP_DSS) | just(MPTCP_FAIL));
    assert_false(b.said.mp.dss.data_fin);
    tear_down(&b);
}

/* RFC 8684 3.5 to 3.7: a RST says why, and whether all of the connection goes. */
static void the_last_words(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, CONN_MPTCP);
    assert_int_equal(said(&b, NULL, TCP_RST | TCP_ACK), 0);
    b.first->reset_with_reason = true;
    b.first->reset_reason = MP_RST_MIDDLEBOX;
    assert_int_equal(said(&b, NULL, TCP_RST | TCP_ACK), just(MPTCP_TCPRST));
    b.who.aborted = true;
    assert_int_equal(said(&b, NULL, TCP_RST | TCP_ACK), just(MPTCP_TCPRST) | just(MPTCP_FASTCLOSE));
    assert_int_equal(b.said.mp.fastclose.receiver_key, KEY + 1);
    b.id.remote_key = 0; /* there is nobody who would know it */
    assert_int_equal(said(&b, NULL, TCP_RST | TCP_ACK), just(MPTCP_TCPRST));
    fallback_settle(&b.fallback, CONN_PLAIN);
    assert_int_equal(said(&b, NULL, TCP_RST | TCP_ACK), 0);
    tear_down(&b);
}

/* Fallen back, the first subflow carries the infinite mapping; one that never was MPTCP says nothing. */
static void plain_tcp(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, CONN_PLAIN);
    assert_int_equal(said(&b, NULL, TCP_ACK), 0);
    fallback_settle(&b.fallback, CONN_MPTCP);
    assert_true(fallback_go(&b.fallback, PLAIN_STRIPPED, b.first->tcp.snd_nxt));
    assert_int_equal(said(&b, NULL, TCP_ACK), just(MPTCP_DSS));
    assert_true(b.said.mp.dss.has_map && b.said.mp.dss.len == 0);
    b.first->join = true;
    assert_int_equal(said(&b, NULL, TCP_ACK), 0);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_offer),      cmocka_unit_test(keys_and_data), cmocka_unit_test(the_end),
        cmocka_unit_test(the_last_words), cmocka_unit_test(plain_tcp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
