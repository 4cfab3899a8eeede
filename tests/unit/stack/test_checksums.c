/* Mappings with checksums, in pieces, against a peer by hand and little memory: what waits for its checksum lies where
 * it must, and leaves room for what others wait for. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "wire/checksum.h"
#include "wire/keys.h"

enum { PIECE = 1000, NONCE = 5, CROWD = 10, TRIES = 20 };

static uint8_t stream[80000]; /* number 1 is the first byte */

/* One of several subflows of the peer's, of one or of several connections. */
struct line {
    struct hawser_conn *conn;
    uint16_t port;
    uint32_t irs;
    uint64_t key, idsn; /* the stack's */
};

static void setup(struct peer *p, uint32_t memory)
{
    struct hawser_stack_options options = {
        .size = sizeof options, .checksum_required = true, .max_memory_bytes = memory};
    for (uint32_t i = 0; i < sizeof stream; i++)
        stream[i] = (uint8_t)(i * 7 + i / 251);
    peer_init(p, &options, NULL);
}

static void speak_on(struct peer *p, const struct line *line)
{
    peer_forget(p);
    p->addr.port = line->port;
    p->irs = line->irs;
    p->stack_key = line->key;
    p->stack_idsn = line->idsn;
}

static struct line open_line(struct peer *p, uint16_t port)
{
    peer_forget(p);
    p->addr.port = port;
    peer_open_mptcp(p);
    return (struct line){p->conn, port, p->irs, p->stack_key, p->stack_idsn};
}

static struct line join_line(struct peer *p, const struct line *first, uint16_t port)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = NONCE}}};
    struct line line = *first;
    uint64_t idsn;
    mptcp_key_derive(first->key, &o.mp.join.token, &idsn);
    line.port = port;
    speak_on(p, &line);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    const struct peer_segment *synack = peer_last(p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    line.irs = p->irs;
    o.mp.join.shape = MP_JOIN_ACK;
    uint8_t hmac[MPTCP_HMAC_LEN];
    mptcp_join_hmac(p->key, first->key, NONCE, synack->options.mp.join.nonce, hmac);
    memcpy(o.mp.join.hmac, hmac, sizeof hmac);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    return line;
}

/* Maps `len` bytes from `ssn` on to as many from `dsn` on, under the sum of those from `fresh` on, and sends `count` of
 * them, from `from` on. */
static void send_mapped(struct peer *p, const struct line *line, uint32_t ssn, uint32_t dsn, uint16_t len,
                        uint32_t fresh, uint32_t from, uint32_t count)
{
    speak_on(p, line);
    struct tcp_options o = peer_dss(p, 1, dsn, ssn, len);
    struct csum sum = {0, false};
    csum_add(&sum, stream + dsn + (fresh - ssn), len - (fresh - ssn));
    o.mp.dss.has_checksum = true;
    o.mp.dss.checksum = csum_dss(o.mp.dss.dsn, ssn, len, &sum);
    for (uint32_t end = from + count, n; from < end; from += n) {
        n = end - from < PIECE ? end - from : PIECE;
        peer_forget(p);
        peer_send(p, TCP_ACK, from, 1, &o, stream + dsn + (from - ssn), n);
    }
}

/* A mapping that begins where an old one did, which is gone, and is longer: its bytes have no place in the old one's.
 */
static void a_mapping_said_again_and_longer(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {5000, 65535};
    static uint8_t got[sizeof stream];
    for (int i = 0; i < 2; i++) {
        struct peer p;
        uint32_t len = lengths[i];
        setup(&p, 0);
        struct line line = open_line(&p, 4000);
        send_mapped(&p, &line, 1, 1, 2000, 1, 1, 2000);
        send_mapped(&p, &line, 2001, 2001, 2000, 2001, 2001, 2000);
        send_mapped(&p, &line, 2001, 2001, (uint16_t)len, 4001, 4001, len - 2000);
        send_mapped(&p, &line, 2001 + len, 2001 + len, 3000, 2001 + len, 2001 + len, 3000);
        ssize_t n = hawser_recv(line.conn, got, sizeof got);
        assert_true(n >= 4000);
        assert_memory_equal(got, stream + 1, (size_t)n);
        peer_destroy(&p);
    }
}

/* Memory is scarce, and the first part of a mapping behind a gap is refused: so it is when it comes again. */
static void what_is_too_early_stays_too_early(void **state)
{
    (void)state;
    struct peer p;
    setup(&p, 1 << 20); /* eight buffers for copies */
    for (uint16_t port = 4000; port < 4004; port++) {
        struct line line = open_line(&p, port);
        send_mapped(&p, &line, 1, 1, 60000, 1, 1, 1);
    }
    struct line line = open_line(&p, 5000);
    for (int i = 0; i < 3; i++) {
        send_mapped(&p, &line, 1, 1001, 5000, 1, 1, PIECE);
        peer_wait(&p, NS_PER_S);
        assert_int_equal(peer_last(&p, TCP_ACK)->ack, 1);
    }
    peer_destroy(&p);
}

/* Honest peers: data behind a gap comes on the second subflow of each, then again and again what closes the gap. */
static void what_closes_a_gap_finds_room(void **state)
{
    (void)state;
    struct peer p;
    struct line first[CROWD], second[CROWD];
    uint8_t got[20000];
    uint32_t whole = 0, read[CROWD] = {0};
    setup(&p, 1 << 20);
    for (uint16_t i = 0; i < CROWD; i++) {
        first[i] = open_line(&p, (uint16_t)(4000 + i));
        second[i] = join_line(&p, &first[i], (uint16_t)(5000 + i));
        send_mapped(&p, &second[i], 1, 5001, 5000, 1, 1, 5000);
    }
    for (int tries = 0; tries < TRIES; tries++) {
        for (int i = 0; i < CROWD; i++) {
            send_mapped(&p, &first[i], 1, 1, 5000, 1, 1, 5000);
            ssize_t n = hawser_recv(first[i].conn, got, sizeof got);
            read[i] += n > 0 ? (uint32_t)n : 0;
        }
        peer_forget(&p);
        peer_wait(&p, 100 * NS_PER_MS);
    }
    for (int i = 0; i < CROWD; i++)
        whole += read[i] >= 5000;
    assert_int_equal(whole, CROWD);
    peer_destroy(&p);
}

/* Peers that begin mappings and never go on, a byte each. */
static void begun_mappings_leave_room_for_others(void **state)
{
    (void)state;
    struct peer p;
    uint8_t got[10];
    ssize_t n = 0;
    setup(&p, 16 << 20); /* 127 buffers for copies */
    for (uint16_t port = 4000; port < 4130; port++) {
        struct line line = open_line(&p, port);
        send_mapped(&p, &line, 1, 1, 60000, 1, 1, 1);
    }
    struct line line = open_line(&p, 5000);
    for (int tries = 0; tries < TRIES && n <= 0; tries++) {
        send_mapped(&p, &line, 1, 1, 5, 1, 1, 2);
        send_mapped(&p, &line, 1, 1, 5, 1, 3, 3);
        n = hawser_recv(line.conn, got, sizeof got);
        peer_forget(&p);
        peer_wait(&p, NS_PER_S); /* a begun mapping has ten, where memory is scarce */
    }
    assert_int_equal(n, 5);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mapping_said_again_and_longer),
        cmocka_unit_test(what_is_too_early_stays_too_early),
        cmocka_unit_test(what_closes_a_gap_finds_room),
        cmocka_unit_test(begun_mappings_leave_room_for_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
