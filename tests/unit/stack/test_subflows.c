/* One of several subflows goes (RFC 8684 3.3.2, 3.3.3, 3.6): what becomes of the bytes, and of the pair of addresses.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "lines.h"
#include "wire/bytes.h"
#include "wire/keys.h"

enum { LIMIT = 20000, MSS = 1460, NONCE = 77 };
static uint8_t bytes[5 * LIMIT];

/* ---- the peer closes one, and the other does not answer ---- */

/* What the stack sent last on a line; relative. */
static uint32_t end_of(const struct peer *p, const struct line *line)
{
    uint32_t end = 1;
    for (unsigned i = 0; i < p->seen_count; i++)
        if (p->seen[i].remote.port == line->port && p->seen[i].len)
            end = p->seen[i].number - line->irs + p->seen[i].len;
    return end;
}

static bool fin_on(const struct peer *p, const struct line *line)
{
    for (unsigned i = 0; i < p->seen_count; i++)
        if (p->seen[i].remote.port == line->port && p->seen[i].flags & TCP_FIN)
            return true;
    return false;
}

/* One of two lines is dead; on the other one the peer's FIN came. Returns which is dead. */
static unsigned end_one_beside_a_dead_one(struct peer *p, struct line lines[2])
{
    lines_init(p, 0, false, NULL);
    lines[0] = line_open(p, 4001);
    lines[1] = line_join(p, &lines[0], 4002);
    peer_forget(p);
    assert_int_equal(hawser_send(p->conn, bytes, 400), 400);
    peer_drain(p);
    unsigned dead = p->seen[0].remote.port - lines[0].port, alive = !dead;
    peer_wait(p, 5 * NS_PER_S);
    uint32_t end = end_of(p, &lines[alive]);
    assert_int_equal(end, 401); /* what nobody acknowledged is there by now */
    assert_int_equal(hawser_send(p->conn, bytes, 400), 400);
    line_take(p, &lines[alive]);
    struct tcp_options o = peer_dss(p, 401, 0, 0, 0);
    peer_send(p, TCP_ACK | TCP_FIN, 1, end, &o, NULL, 0);
    assert_int_equal(end_of(p, &lines[alive]), 801);
    assert_false(fin_on(p, &lines[alive]));
    return dead;
}

/* RFC 8684 3.3.3: a FIN says that the peer sends no more there. We go on to, as long as nothing else works. */
static void a_fin_is_not_answered_while_the_other_path_is_dead(void **state)
{
    (void)state;
    struct peer p;
    struct line lines[2];
    unsigned alive = !end_one_beside_a_dead_one(&p, lines);
    assert_int_equal(hawser_send(p.conn, bytes, 400), 400);
    line_take(&p, &lines[alive]);
    const struct tcp_options o = peer_dss(&p, 801, 0, 0, 0);
    peer_send(&p, TCP_ACK, 2, 801, &o, NULL, 0);
    assert_int_equal(end_of(&p, &lines[alive]), 1201);
    assert_false(fin_on(&p, &lines[alive]));
    peer_destroy(&p);
}

/* But then it is: when the dead one answers, or another comes. */
static void a_fin_is_answered_when_another_path_works(void **state)
{
    (void)state;
    for (int joins = 0; joins < 2; joins++) {
        struct peer p;
        struct line lines[2];
        unsigned dead = end_one_beside_a_dead_one(&p, lines), alive = !dead;
        if (joins) {
            (void)line_join(&p, &lines[0], 4003);
        } else {
            line_take(&p, &lines[dead]);
            const struct tcp_options o = peer_dss(&p, 401, 0, 0, 0);
            peer_send(&p, TCP_ACK, 1, 401, &o, NULL, 0);
        }
        assert_true(fin_on(&p, &lines[alive]));
        assert_false(fin_on(&p, &lines[dead]));
        peer_destroy(&p);
    }
}

/* RFC 8684 3.3.6: what went elsewhere, and is acknowledged there, goes on being sent where it was, for a hole in the
 * sequence of a subflow is none that a middlebox lets pass. */
static void what_went_elsewhere_is_still_sent_where_it_was(void **state)
{
    (void)state;
    struct peer p;
    struct line lines[2];
    const unsigned dead = end_one_beside_a_dead_one(&p, lines);
    bool again = false;
    for (unsigned second = 0; second < 60; second++) {
        peer_forget(&p);
        peer_wait(&p, NS_PER_S);
        for (unsigned i = 0; i < p.seen_count; i++) {
            const struct peer_segment *s = &p.seen[i];
            again |= s->remote.port == lines[dead].port && s->number == lines[dead].irs + 1 && s->len == 400 &&
                     s->options.mp.dss.dsn == p.stack_idsn + 1;
        }
    }
    assert_true(again);
    peer_destroy(&p);
}

/* ---- one holds too much that the peer has from the other ---- */

/* The two subflows of a connection that the stack opened, as the peer must know them. */
struct way {
    struct hawser_addr own, addr;
    uint32_t irs, end;
};

static void note_way(struct way *way, const struct peer *p) { *way = (struct way){p->own, p->addr, p->irs, 1}; }

static void take_way(struct peer *p, const struct way *way)
{
    p->own = way->own;
    p->addr = way->addr;
    p->irs = way->irs;
}

static void open_first(struct peer *p)
{
    const struct hawser_conn_options options = {.size = sizeof options, .send_buffer_bytes = LIMIT};
    uint32_t token;
    struct tcp_options o = {.present = TCP_OPT_MSS, .mss = MSS, .mp.present = 1u << MPTCP_CAPABLE};
    o.mp.capable = (struct mp_capable){.version = 1, .algorithms = 1, .has_sender_key = true, .sender_key = p->key};
    p->addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p->stack, &p->addr, &options, p->now_ns, &p->conn), 0);
    peer_drain(p);
    p->own = peer_last(p, TCP_SYN)->local;
    peer_send(p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
    p->stack_key = peer_last(p, TCP_ACK)->options.mp.capable.sender_key;
    mptcp_key_derive(p->key, &token, &p->idsn);
    mptcp_key_derive(p->stack_key, &token, &p->stack_idsn);
}

/* Announces another address, and answers the join that comes for it, but not its third packet. */
static void answer_second(struct peer *p)
{
    uint8_t hmac[MPTCP_HMAC_LEN];
    struct tcp_options o = peer_dss(p, 1, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_ADD_ADDR;
    o.mp.add_addr = (struct mp_add_addr){.is_v4 = true, .address_id = 3, .addr = p->addr};
    o.mp.add_addr.addr.ip[15]++;
    o.mp.add_addr.addr.port = 0;
    o.mp.add_addr.hmac64 = mptcp_add_addr_hmac(p->key, p->stack_key, &o.mp.add_addr);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    const struct peer_segment *syn = peer_last(p, TCP_SYN);
    assert_true(mptcp_has(&syn->options.mp, MPTCP_JOIN));
    p->own = syn->local;
    p->addr = syn->remote;
    mptcp_join_hmac(p->key, p->stack_key, NONCE, syn->options.mp.join.nonce, hmac);
    o = (struct tcp_options){.present = TCP_OPT_MSS, .mss = MSS, .mp.present = 1u << MPTCP_JOIN};
    o.mp.join = (struct mp_join){.shape = MP_JOIN_SYNACK, .address_id = 3, .nonce = NONCE, .hmac64 = get64(hmac)};
    peer_send(p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
}

static void open_second(struct peer *p)
{
    answer_second(p);
    const struct tcp_options o = peer_dss(p, 1, 0, 0, 0);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

/* RFC 8684 3.2: the streams end while the third packet of our join is under way. Nothing goes there but that packet,
 * and a RST. */
static void a_join_that_is_not_proved_yet_is_reset(void **state)
{
    (void)state;
    struct peer p;
    struct way first, second;
    peer_init(&p, NULL, NULL);
    open_first(&p);
    note_way(&first, &p);
    answer_second(&p);
    note_way(&second, &p);
    take_way(&p, &first);
    hawser_shutdown(p.conn);
    struct tcp_options o = peer_dss(&p, 1, 1, 0, 1);
    o.mp.dss.data_fin = true;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_wait(&p, 3 * NS_PER_S / 2); /* the DATA_FIN does not wait for longer */
    o = peer_dss(&p, 2, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    unsigned resets = 0;
    for (unsigned i = 0; i < p.seen_count; i++) {
        if (!hawser_addr_same_ip(&p.seen[i].remote, &second.addr))
            continue;
        resets += (p.seen[i].flags & TCP_RST) != 0;
        assert_true(resets || mptcp_has(&p.seen[i].options.mp, MPTCP_JOIN));
        assert_false(p.seen[i].flags & TCP_FIN);
    }
    assert_int_equal(resets, 1);
    assert_true(peer_last(&p, TCP_FIN) != NULL); /* the other one says good-bye */
    peer_destroy(&p);
}

/* Sends what the connection takes, and acknowledges all of it at the data level; on the first subflow all but `left`
 * bytes, on the second one nothing. */
static void fill(struct peer *p, struct way ways[2], uint32_t left)
{
    struct hawser_conn_info info = {.size = sizeof info};
    peer_forget(p);
    assert_true(hawser_send(p->conn, bytes, LIMIT) > 0);
    peer_drain(p);
    for (unsigned i = 0; i < p->seen_count; i++) {
        struct way *way = &ways[p->seen[i].local.port != ways[0].own.port];
        way->end = p->seen[i].number - way->irs + p->seen[i].len;
    }
    assert_int_equal(hawser_conn_get_info(p->conn, &info), 0);
    take_way(p, &ways[0]);
    const struct tcp_options o = peer_dss(p, 1 + info.sent_bytes, 0, 0, 0);
    peer_send(p, TCP_ACK, 1, ways[0].end - left, &o, NULL, 0);
}

/* RFC 8684 3.3.2, 3.6: it is reset, for the time being, and opened again. */
static void a_laggard_is_reset_and_opened_again(void **state)
{
    (void)state;
    struct peer p;
    struct way ways[2];
    peer_init(&p, NULL, NULL);
    open_first(&p);
    note_way(&ways[0], &p);
    open_second(&p);
    note_way(&ways[1], &p);
    fill(&p, ways, LIMIT / 2 - MSS);
    assert_null(peer_last(&p, TCP_RST));
    fill(&p, ways, 0);
    assert_null(peer_last(&p, TCP_RST)); /* the answer may be on its way */
    peer_wait(&p, 2 * NS_PER_S);
    const struct peer_segment *rst = peer_last(&p, TCP_RST);
    assert_non_null(rst);
    assert_int_equal(rst->local.port, ways[1].own.port);
    assert_int_equal(rst->options.mp.tcprst.reason, MP_RST_OUTSTANDING);
    assert_true(rst->options.mp.tcprst.transient);
    peer_wait(&p, 2 * NS_PER_S);
    const struct peer_segment *syn = peer_last(&p, TCP_SYN);
    assert_non_null(syn);
    assert_true(hawser_addr_equal(&syn->remote, &ways[1].addr));
    peer_destroy(&p);
}

/* ---- both deliver, and the stream does not get on ---- */

/* RFC 9293 3.8.3 for the stream: bytes that are on their way again each time, acknowledged by whichever subflow carries
 * them and never by a DATA_ACK, keep nothing alive. */
static void what_only_subflows_acknowledge_is_given_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct hawser_conn_options options = {.size = sizeof options};
        options.scheduler = hawser_scheduler_find(i ? "redundant" : "lowest-rtt");
        struct peer p;
        struct line lines[2];
        uint32_t acked[2] = {1, 1};
        lines_init(&p, 0, false, &options);
        lines[0] = line_open(&p, 4001);
        lines[1] = line_join(&p, &lines[0], 4002);
        uint64_t since_ns = p.now_ns;
        assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
        while (peer_is_open(&p) && p.now_ns < since_ns + 200 * NS_PER_S) {
            peer_forget(&p);
            peer_wait(&p, 50 * NS_PER_MS);
            for (unsigned k = 0; k < 2; k++)
                acked[k] = HW_MAX(acked[k], end_of(&p, &lines[k]));
            for (unsigned k = 0; k < 2; k++) {
                line_take(&p, &lines[k]);
                struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
                peer_send(&p, TCP_ACK, 1, acked[k], &o, NULL, 0);
            }
        }
        assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
        assert_in_range(p.now_ns - since_ns, 100 * NS_PER_S, 130 * NS_PER_S);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_join_that_is_not_proved_yet_is_reset),
        cmocka_unit_test(a_fin_is_not_answered_while_the_other_path_is_dead),
        cmocka_unit_test(a_fin_is_answered_when_another_path_works),
        cmocka_unit_test(what_went_elsewhere_is_still_sent_where_it_was),
        cmocka_unit_test(a_laggard_is_reset_and_opened_again),
        cmocka_unit_test(what_only_subflows_acknowledge_is_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
