/* MPTCP segment by segment (RFC 8684): mappings, DATA_FIN, addresses and what is wrong with them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/dss.h"
#include "peer.h"
#include "wire/checksum.h"
#include "wire/keys.h"

/* Sends the bytes of the stream from `dsn` on as subflow bytes from `ssn` on. */
static void send_mapped(struct peer *p, uint64_t dsn, uint32_t ssn, const void *bytes, uint16_t len)
{
    struct tcp_options o = peer_dss(p, 1, dsn, ssn, len);
    peer_send(p, TCP_ACK, ssn, 1, &o, bytes, len);
}

/* A DATA_FIN alone, whose number is `dsn`. */
static void send_data_fin(struct peer *p, uint64_t dsn, uint32_t seq)
{
    struct tcp_options o = peer_dss(p, 1, dsn, 0, 1);
    o.mp.dss.data_fin = true;
    peer_send(p, TCP_ACK, seq, 1, &o, NULL, 0);
}

/* A host that has closed tells its DATA_FIN with every acknowledgement, long before its last bytes could be sent: the
 * window must go on opening for those. */
static void window_opens_after_an_early_data_fin(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_options options = {.size = sizeof options, .recv_buffer_bytes = 14000};
    static uint8_t bytes[14000];
    peer_init(&p, NULL, &options);
    peer_open_mptcp(&p);
    for (uint32_t at = 0; at < 14000; at += 1400)
        send_mapped(&p, 1 + at, 1 + at, bytes, 1400);
    send_data_fin(&p, 28001, 14001);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(peer_last(&p, TCP_ACK)->window, 0);
    peer_forget(&p);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 14000);
    peer_drain(&p);
    assert_non_null(peer_last(&p, TCP_ACK));
    assert_int_equal(peer_last(&p, TCP_ACK)->window, 14000);
    for (uint32_t at = 14000; at < 28000; at += 1400)
        send_mapped(&p, 1 + at, 1 + at, bytes, 1400);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 14000);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 0);
    peer_destroy(&p);
}

static void nothing_follows_a_data_fin(void **state)
{
    (void)state;
    struct peer p;
    uint8_t bytes[32] = {0};
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    send_data_fin(&p, 11, 1);
    send_mapped(&p, 1, 1, bytes, 20); /* ten of them lie beyond the end */
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 10);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 0);
    assert_int_equal(peer_counter(&p, "drop.data_out_of_window"), 1);
    peer_destroy(&p);
}

/* A DATA_FIN below what arrived, or that contradicts the first, is none, and counted. */
static void an_impossible_data_fin_is_dropped(void **state)
{
    (void)state;
    struct peer p;
    uint8_t bytes[32] = {0};
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    send_mapped(&p, 1, 1, bytes, 20);
    send_data_fin(&p, 11, 21);
    assert_int_equal(peer_counter(&p, "drop.bad_mapping"), 1);
    send_data_fin(&p, 31, 21);
    send_data_fin(&p, 31, 21);
    assert_int_equal(peer_counter(&p, "drop.bad_mapping"), 1);
    send_data_fin(&p, 41, 21);
    assert_int_equal(peer_counter(&p, "drop.bad_mapping"), 2);
    send_mapped(&p, 21, 21, bytes, 10);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 30);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 0);
    peer_destroy(&p);
}

/* RFC 1624 3: one's complement has two zeros. The sum of a mapping that ends with a DATA_FIN is taken without it, which
 * may turn one into the other. */
static void checksum_of_a_data_fin_at_the_other_zero(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
    uint8_t bytes[8];
    peer_init(&p, &options, NULL);
    peer_open_mptcp(&p);
    struct tcp_options o = peer_dss(&p, 1, 1, 1, 3);
    o.mp.dss.data_fin = o.mp.dss.has_checksum = true;
    for (unsigned i = 0; i <= UINT16_MAX; i++) {
        bytes[0] = (uint8_t)(i >> 8);
        bytes[1] = (uint8_t)i;
        struct csum sum = {0, false};
        csum_add(&sum, bytes, 2);
        o.mp.dss.checksum = csum_dss(o.mp.dss.dsn, 1, 3, &sum);
        if (o.mp.dss.checksum == 0xfffe)
            break;
    }
    assert_int_equal(o.mp.dss.checksum, 0xfffe);
    peer_send(&p, TCP_ACK, 1, 1, &o, bytes, 2);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 2);
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 0);
    peer_destroy(&p);
}

/* Mappings beyond the limit: the segments are as good as lost, the subflow lives, and nothing is missing in the end. */
static void more_mappings_than_the_limit(void **state)
{
    (void)state;
    struct peer p;
    static uint8_t bytes[8192];
    const uint32_t total = 5000;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    for (uint32_t i = 1; i < total; i++) { /* all but the first byte */
        bytes[0] = (uint8_t)i;
        send_mapped(&p, 1 + i, 1 + i, bytes, 1);
        peer_forget(&p);
    }
    assert_true(peer_counter(&p, "limit.mappings") > 0);
    bytes[0] = 0;
    send_mapped(&p, 1, 1, bytes, 1);
    const struct peer_segment *ack = peer_last(&p, TCP_ACK);
    assert_non_null(ack);
    assert_true(ack->ack > 4000 && ack->ack < total);
    for (uint32_t i = ack->ack - 1; i < total; i++) {
        bytes[0] = (uint8_t)i;
        send_mapped(&p, 1 + i, 1 + i, bytes, 1);
        peer_forget(&p);
    }
    assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), total);
    for (uint32_t i = 0; i < total; i++)
        assert_int_equal(bytes[i], (uint8_t)i);
    peer_destroy(&p);
}

/* RFC 8684 3.3.3: every subflow was closed, but no DATA_FIN came. After a time, in which the peer might have opened a
 * new subflow, that is an error. */
static void subflows_end_without_a_data_fin(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_recv(p.conn, &(uint8_t){0}, 1), -EAGAIN);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_wait(&p, 200 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_destroy(&p);
}

/* A RST in answer to our SYN/ACK is no sign of anything about MPTCP. */
static void reset_during_the_handshake_is_no_fallback(void **state)
{
    (void)state;
    struct peer p;
    struct tcp_options o = {
        .mp = {.present = 1u << MPTCP_CAPABLE, .capable = {.version = MPTCP_VERSION, .algorithms = 1}}};
    peer_init(&p, NULL, NULL);
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    peer_send(&p, TCP_RST | TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(peer_counter(&p, "mptcp.fallbacks"), 0);
    assert_int_equal(peer_counter(&p, "tcp.resets_in"), 1);
    peer_destroy(&p);
}

/* We join from another address of ours, 10.0.0.`host`, as address `id`; from then on segments go by that subflow. */
static void join_from(struct peer *p, uint8_t host, uint8_t id)
{
    uint64_t idsn;
    uint32_t token;
    mptcp_key_derive(p->stack_key, &token, &idsn);
    p->addr.ip[15] = host;
    struct tcp_options o = {.mp.present = 1u << MPTCP_JOIN};
    o.mp.join = (struct mp_join){.shape = MP_JOIN_SYN, .address_id = id, .token = token, .nonce = 99};
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    const struct peer_segment *synack = peer_last(p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    assert_true(mptcp_has(&synack->options.mp, MPTCP_JOIN));
    o.mp.join.shape = MP_JOIN_ACK;
    mptcp_join_hmac(p->key, p->stack_key, 99, synack->options.mp.join.nonce, o.mp.join.hmac);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_forget(p);
}

/* RFC 8684 3.4.2: an option that anybody on the path can forge does not end the connection, not even when the first
 * subflow is gone and both others have the address it names. */
static void remove_addr_leaves_a_subflow(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_conn_info info = {.size = sizeof info};
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    uint32_t irs = p.irs;
    join_from(&p, 3, 1);
    join_from(&p, 4, 1);
    assert_int_equal(peer_counter(&p, "mptcp.joins_accepted"), 2);
    uint32_t last_irs = p.irs;
    p.addr.ip[15] = 2;
    p.irs = irs;
    peer_send(&p, TCP_RST, 1, 1, NULL, NULL, 0);
    p.addr.ip[15] = 4;
    p.irs = last_irs;
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_REMOVE_ADDR;
    o.mp.remove_addr = (struct mp_remove_addr){.count = 1, .ids = {1}};
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_int_equal(info.subflows, 2);
    peer_wait(&p, 5 * NS_PER_S); /* neither answers the keepalive */
    assert_int_equal(hawser_conn_error(p.conn), 0);
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_int_equal(info.subflows, 1);
    peer_destroy(&p);
}

static void send_add_addr(struct peer *p, struct mp_add_addr *add)
{
    struct tcp_options o = peer_dss(p, 1, 0, 0, 0);
    add->hmac64 = mptcp_add_addr_hmac(p->key, p->stack_key, add);
    o.mp.present |= 1u << MPTCP_ADD_ADDR;
    o.mp.add_addr = *add;
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

/* Another address with its ID, in one segment. */
static void send_replacement(struct peer *p, struct mp_add_addr *add)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_ADD_ADDR | 1u << MPTCP_REMOVE_ADDR};
    add->hmac64 = mptcp_add_addr_hmac(p->key, p->stack_key, add);
    o.mp.add_addr = *add;
    o.mp.remove_addr = (struct mp_remove_addr){.count = 1, .ids = {add->address_id}};
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_wait(p, 20 * NS_PER_MS);
}

/* A peer may not use us to knock at the doors of others without end. */
static void announcements_make_a_bounded_number_of_joins(void **state)
{
    (void)state;
    struct peer p;
    unsigned knocks = 0;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    struct hawser_addr first = p.own, peer = p.addr;
    for (unsigned i = 0; i < 100; i++) {
        uint32_t irs = p.irs;
        struct mp_add_addr add = {.is_v4 = true, .address_id = 1, .addr = peer};
        add.addr.port = 0;
        add.addr.ip[15] = (uint8_t)(100 + i);
        send_replacement(&p, &add);
        const struct peer_segment *syn = peer_last(&p, TCP_SYN);
        if (syn) {
            knocks++;
            p.own = syn->local;
            p.addr = syn->remote;
            peer_send(&p, TCP_RST | TCP_ACK, 0, 1, NULL, NULL, 0); /* nobody there */
        }
        p.own = first;
        p.addr = peer;
        p.irs = irs;
        peer_forget(&p);
    }
    assert_in_range(knocks, 1, 16);
    assert_true(peer_counter(&p, "drop.add_addr_limit") > 0);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* RFC 8684 3.4.1: its removal may have been lost, so it is not acknowledged, and will come again. */
static void an_address_with_the_id_of_another_is_ignored(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    struct mp_add_addr add = {.is_v4 = true, .address_id = 1, .addr = p.addr};
    const uint32_t irs = p.irs;
    add.addr.port = 0;
    add.addr.ip[15] = 100;
    send_add_addr(&p, &add);
    assert_non_null(peer_last(&p, TCP_SYN));
    p.irs = irs;
    peer_wait(&p, 20 * NS_PER_MS);
    peer_forget(&p);
    add.addr.ip[15] = 101;
    send_add_addr(&p, &add);
    peer_wait(&p, 20 * NS_PER_MS);
    for (unsigned i = 0; i < p.seen_count; i++)
        assert_false(mptcp_has(&p.seen[i].options.mp, MPTCP_ADD_ADDR));
    assert_null(peer_last(&p, TCP_SYN));
    assert_int_equal(peer_counter(&p, "drop.add_addr_invalid"), 1);
    send_replacement(&p, &add);
    const struct peer_segment *syn = peer_last(&p, TCP_SYN);
    assert_non_null(syn);
    assert_int_equal(syn->remote.ip[15], 101);
    peer_destroy(&p);
}

static void announcements_of_no_address_are_ignored(void **state)
{
    (void)state;
    static const char *const addresses[] = {"224.0.0.1", "255.255.255.255", "0.0.0.0", "127.0.0.1"};
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    for (unsigned i = 0; i < 4; i++) {
        struct mp_add_addr add = {.is_v4 = true, .address_id = (uint8_t)(i + 1)};
        assert_int_equal(hawser_addr_parse(&add.addr, addresses[i], 0), 0);
        peer_forget(&p);
        send_add_addr(&p, &add);
        assert_null(peer_last(&p, TCP_SYN));
    }
    peer_destroy(&p);
}

/* ---- RFC 8684 3.7: the fall to plain TCP of a connection that had begun ---- */

/* Two bytes with a checksum, right or wrong. */
static void send_checked(struct peer *p, uint32_t at, const char *two, bool right)
{
    struct tcp_options o = peer_dss(p, 1, at, at, 2);
    struct csum sum = {0, false};
    csum_add(&sum, two, 2);
    o.mp.dss.has_checksum = true;
    o.mp.dss.checksum = (uint16_t)(csum_dss(o.mp.dss.dsn, at, 2, &sum) + !right);
    peer_send(p, TCP_ACK | TCP_PSH, at, 1, &o, two, 2);
}

static void expect_text(struct peer *p, const char *text)
{
    char bytes[64];
    ssize_t n = hawser_recv(p->conn, bytes, sizeof bytes);
    assert_int_equal(n, strlen(text));
    assert_memory_equal(bytes, text, strlen(text));
}

static uint32_t segment_bytes(const struct peer *p)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    assert_int_equal(hawser_subflow_get_info(p->conn, 0, &info), 0);
    return info.mss_bytes;
}

/* A checksum fails on the only subflow: the peer is told where, the bytes wait, and when it answers, by MP_FAIL or by
 * an infinite mapping, they go up and all goes on as plain TCP. */
static void failed_checksum_on_the_only_subflow(void **state)
{
    (void)state;
    for (int by_mapping = 0; by_mapping < 2; by_mapping++) {
        struct peer p;
        struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
        struct hawser_conn_info info = {.size = sizeof info};
        peer_init(&p, &options, NULL);
        peer_open_mptcp(&p);
        send_checked(&p, 1, "ab", true);
        send_checked(&p, 3, "cd", false);
        const struct peer_segment *ack = peer_last(&p, TCP_ACK);
        assert_true(mptcp_has(&ack->options.mp, MPTCP_FAIL));
        assert_int_equal(ack->options.mp.fail.dsn, p.idsn + 3);
        assert_int_equal(ack->ack, 5);
        assert_int_equal(ack->options.mp.dss.ack, p.idsn + 3);
        send_checked(&p, 5, "ef", true); /* not trusted any more */
        assert_true(mptcp_has(&peer_last(&p, TCP_ACK)->options.mp, MPTCP_FAIL));
        expect_text(&p, "ab");
        struct tcp_options o = peer_dss(&p, 1, 3, 3, 0);
        if (by_mapping) {
            o.mp.dss.has_map = o.mp.dss.dsn_is_64 = o.mp.dss.has_checksum = true;
            o.mp.dss.dsn = p.idsn + 3;
            o.mp.dss.ssn = 3;
            peer_send(&p, TCP_ACK | TCP_PSH, 7, 1, &o, "gh", 2);
        } else {
            o.mp.present |= 1u << MPTCP_FAIL;
            peer_send(&p, TCP_ACK, 7, 1, &o, NULL, 0);
            peer_send(&p, TCP_ACK | TCP_PSH, 7, 1, NULL, "gh", 2);
        }
        expect_text(&p, "cdefgh");
        peer_forget(&p);
        peer_send(&p, TCP_ACK | TCP_PSH, 9, 1, NULL, "ij", 2);
        expect_text(&p, "ij");
        const uint32_t with_dss = segment_bytes(&p);
        assert_int_equal(hawser_send(p.conn, "answer", 6), 6);
        peer_drain(&p);
        assert_int_equal(peer_last(&p, TCP_PSH)->len, 6);
        assert_int_equal(segment_bytes(&p), with_dss);
        peer_send(&p, TCP_FIN | TCP_ACK, 11, 7, NULL, NULL, 0);
        assert_int_equal(segment_bytes(&p), with_dss + DSS_LEN_MAX); /* the last mapping is known */
        assert_int_equal(hawser_recv(p.conn, &(uint8_t){0}, 1), 0);
        assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
        assert_false(info.mptcp);
        assert_int_equal(info.acked_bytes, 6);
        peer_destroy(&p);
    }
}

static void answers_the_peers_fail(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
    peer_init(&p, &options, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, "first", 5), 5);
    peer_drain(&p);
    for (int i = 0; i < 2; i++) { /* our first answer is lost */
        peer_forget(&p);
        struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
        o.mp.present |= 1u << MPTCP_FAIL;
        o.mp.fail.dsn = p.stack_idsn + 1;
        peer_send(&p, TCP_ACK, 1, 6, &o, NULL, 0);
        assert_true(p.seen_count > 0);
        assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_FAIL));
    }
    peer_forget(&p);
    assert_int_equal(hawser_send(p.conn, "second", 6), 6);
    peer_drain(&p);
    const struct mp_dss *dss = &p.seen[0].options.mp.dss;
    assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_DSS));
    assert_true(dss->has_map);
    assert_int_equal(dss->len, 0);
    assert_int_equal(dss->dsn - p.stack_idsn, dss->ssn);
    assert_int_equal(hawser_send(p.conn, "x", 1), 1);
    peer_forget(&p);
    peer_drain(&p);
    assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_DSS)); /* nothing says that the first was heard */
    peer_send(&p, TCP_ACK, 1, 13, NULL, NULL, 0);
    peer_forget(&p);
    assert_int_equal(hawser_send(p.conn, "y", 1), 1);
    peer_drain(&p);
    assert_int_equal(p.seen[0].seq, 13);
    assert_int_equal(p.seen[0].options.mp.present, 0); /* and not for ever */
    peer_send(&p, TCP_ACK, 1, 14, NULL, NULL, 0);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_int_equal(info.acked_bytes, 13);
    hawser_shutdown(p.conn);
    peer_drain(&p);
    assert_non_null(peer_last(&p, TCP_FIN));
    peer_destroy(&p);
}

/* With more than one subflow no infinite mapping can help: the subflow goes, the others stay. */
static void fail_among_several_subflows(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
    peer_init(&p, &options, NULL);
    peer_open_mptcp(&p);
    join_from(&p, 3, 1);
    struct tcp_options o = peer_dss(&p, 1, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_FAIL;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    assert_true(mptcp_has(&peer_last(&p, TCP_RST)->options.mp, MPTCP_FAIL));
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* RFC 8684 3.7: data that is acknowledged on a join by somebody who has no DATA_ACK has not reached the peer. */
static void a_join_without_data_acks_is_reset(void **state)
{
    (void)state;
    static const uint8_t bytes[20000];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    join_from(&p, 3, 1);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes); /* more than the first takes at once */
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 1, 101, NULL, NULL, 0);
    const struct peer_segment *rst = peer_last(&p, TCP_RST);
    assert_non_null(rst);
    assert_int_equal(rst->remote.ip[15], 3);
    assert_int_equal(rst->options.mp.tcprst.reason, MP_RST_MIDDLEBOX);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* Before any DATA_ACK proved that the peer speaks MPTCP still, bytes that it acknowledged are not sent a second time:
 * to a peer that has fallen back they would be new ones. */
static void nothing_is_reinjected_to_a_peer_that_may_have_fallen_back(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, "first", 5), 5);
    peer_drain(&p);
    struct tcp_options o = {.mp.present = 1u << MPTCP_PRIO}; /* some option, but no DSS */
    peer_send(&p, TCP_ACK, 1, 6, &o, NULL, 0);
    peer_forget(&p);
    peer_wait(&p, 10 * NS_PER_S);
    for (unsigned i = 0; i < p.seen_count; i++)
        assert_int_equal(p.seen[i].len, 0);
    assert_true(p.seen_count > 0);
    peer_send(&p, TCP_ACK, 1, 6, NULL, NULL, 0);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_false(info.mptcp);
    assert_int_equal(info.acked_bytes, 5);
    peer_destroy(&p);
}

static unsigned count_fails(const struct peer *p)
{
    unsigned fails = 0;
    for (unsigned i = 0; i < p->seen_count; i++)
        fails += mptcp_has(&p->seen[i].options.mp, MPTCP_FAIL) && !(p->seen[i].flags & TCP_RST);
    return fails;
}

/* A peer that does not answer is asked some more times, no more than two in a row (RFC 8684 3); then the subflow is
 * reset, and with it the connection. */
static void fail_without_an_answer(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
    peer_init(&p, &options, NULL);
    peer_open_mptcp(&p);
    send_checked(&p, 1, "ab", false);
    peer_wait(&p, 29 * NS_PER_S);
    assert_int_equal(count_fails(&p), 2);
    peer_wait(&p, 29 * NS_PER_S);
    assert_in_range(count_fails(&p), 3, 4);
    peer_wait(&p, 150 * NS_PER_S);
    assert_in_range(count_fails(&p), 5, 6);
    assert_non_null(peer_last(&p, TCP_RST));
    assert_true(mptcp_has(&peer_last(&p, TCP_RST)->options.mp, MPTCP_FAIL));
    assert_true(hawser_conn_error(p.conn) < 0);
    peer_destroy(&p);
}

/* We fell back, as a middlebox acknowledged our data without options. The peer did not: it sends bytes a second time,
 * which plain TCP would take for the continuation of the stream. An error it is, and nothing wrong comes up. */
static void a_peer_that_did_not_fall_back_is_reset(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    send_mapped(&p, 1, 1, "ab", 2);
    assert_int_equal(hawser_send(p.conn, "first", 5), 5);
    peer_drain(&p);
    peer_send(&p, TCP_ACK, 3, 6, NULL, NULL, 0);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_false(info.mptcp);
    send_mapped(&p, 3, 3, "cd", 2); /* in order: what was under way */
    assert_int_equal(hawser_conn_error(p.conn), 0);
    send_mapped(&p, 1, 5, "ab", 2);
    assert_non_null(peer_last(&p, TCP_RST));
    expect_text(&p, "abcd");
    assert_true(hawser_recv(p.conn, &(uint8_t){0}, 1) < 0);
    peer_destroy(&p);
}

/* Memory may be out when bytes that the subflow acknowledged find their place. Whatever follows, the end of the stream
 * is not seen before its last byte. */
static void no_end_without_every_byte(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 12; n++) {
        struct peer p;
        struct hawser_stack_options options = {.size = sizeof options, .checksum_required = true};
        char bytes[64];
        ssize_t got = 0, len;
        peer_init(&p, &options, NULL);
        peer_open_mptcp(&p);
        assert_int_equal(hawser_send(p.conn, "first", 5), 5);
        peer_drain(&p);
        p.env.fail_at = n;
        send_checked(&p, 1, "ab", true);
        uint32_t at = peer_last(&p, TCP_ACK)->ack;   /* what found no room below is sent again */
        peer_send(&p, TCP_ACK, 3, 6, NULL, NULL, 0); /* plain TCP from here on */
        peer_send(&p, TCP_ACK | TCP_PSH, at, 6, NULL, &"abcd"[at - 1], 5 - at);
        peer_send(&p, TCP_FIN | TCP_ACK, 5, 6, NULL, NULL, 0);
        while ((len = hawser_recv(p.conn, bytes, sizeof bytes)) > 0)
            got += len;
        assert_true(len < 0 || got == 4);
        peer_destroy(&p);
    }
}

/* RFC 8684 3.3.2: data with a 64-bit DSN is acknowledged with 64 bits, on data as on bare segments, even where a
 * narrower DATA_ACK would make room for a SACK block. */
static void a_64_bit_dsn_is_acknowledged_with_64_bits(void **state)
{
    (void)state;
    struct peer p;
    uint32_t token;
    struct tcp_options o = {.present = TCP_OPT_SACK_PERMITTED, .mp.present = 1u << MPTCP_CAPABLE};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1};
    peer_init(&p, NULL, NULL);
    p.timestamps = true;
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    o.present = 0;
    o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = true;
    o.mp.capable.sender_key = p.key;
    o.mp.capable.receiver_key = p.stack_key = peer_last(&p, TCP_SYN)->options.mp.capable.sender_key;
    mptcp_key_derive(p.key, &token, &p.idsn);
    mptcp_key_derive(p.stack_key, &token, &p.stack_idsn);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
    peer_forget(&p);
    send_mapped(&p, 5, 5, "ef", 2); /* behind two holes, so that there is more to say than fits */
    send_mapped(&p, 9, 9, "ij", 2);
    assert_int_equal(peer_last(&p, TCP_ACK)->options.sack_count, 1);
    assert_int_equal(hawser_send(p.conn, "data", 4), 4);
    peer_drain(&p);
    unsigned bare = 0, data = 0;
    for (size_t i = 0; i < p.seen_count; i++) {
        const struct mptcp_options *mp = &p.seen[i].options.mp;
        assert_true(mptcp_has(mp, MPTCP_DSS));
        assert_true(mp->dss.has_ack && mp->dss.ack_is_64);
        *(p.seen[i].len ? &data : &bare) += 1;
    }
    assert_true(bare > 0 && data > 0);
    peer_destroy(&p);
}

/* RFC 8684 3.3.2: nothing was sent that this acknowledges. */
static void an_impossible_data_ack_is_dropped(void **state)
{
    (void)state;
    struct hawser_conn_info info = {.size = sizeof info};
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_send(p.conn, "first", 5), 5);
    peer_drain(&p);
    struct tcp_options o = peer_dss(&p, 7, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 6, &o, NULL, 0);
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_int_equal(info.acked_bytes, 0);
    assert_int_equal(peer_counter(&p, "drop.bad_data_ack"), 1);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_opens_after_an_early_data_fin),
        cmocka_unit_test(nothing_follows_a_data_fin),
        cmocka_unit_test(an_impossible_data_fin_is_dropped),
        cmocka_unit_test(checksum_of_a_data_fin_at_the_other_zero),
        cmocka_unit_test(more_mappings_than_the_limit),
        cmocka_unit_test(subflows_end_without_a_data_fin),
        cmocka_unit_test(reset_during_the_handshake_is_no_fallback),
        cmocka_unit_test(remove_addr_leaves_a_subflow),
        cmocka_unit_test(announcements_make_a_bounded_number_of_joins),
        cmocka_unit_test(an_address_with_the_id_of_another_is_ignored),
        cmocka_unit_test(announcements_of_no_address_are_ignored),
        cmocka_unit_test(failed_checksum_on_the_only_subflow),
        cmocka_unit_test(answers_the_peers_fail),
        cmocka_unit_test(fail_among_several_subflows),
        cmocka_unit_test(fail_without_an_answer),
        cmocka_unit_test(a_join_without_data_acks_is_reset),
        cmocka_unit_test(a_peer_that_did_not_fall_back_is_reset),
        cmocka_unit_test(no_end_without_every_byte),
        cmocka_unit_test(a_64_bit_dsn_is_acknowledged_with_64_bits),
        cmocka_unit_test(nothing_is_reinjected_to_a_peer_that_may_have_fallen_back),
        cmocka_unit_test(an_impossible_data_ack_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
