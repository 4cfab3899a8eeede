/* Addresses that come, go and are announced (RFC 8684 3.4), told and joined segment by segment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "lines.h"
#include "stack/stack.h"
#include "wire/keys.h"
#include "world.h"

static struct hawser_addr parse(const char *text)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, 0), 0);
    return addr;
}

static struct tcp_options announcement(const struct peer *p, uint8_t id, const struct hawser_addr *addr)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_ADD_ADDR};
    o.mp.add_addr = (struct mp_add_addr){.is_v4 = hawser_addr_is_v4(addr), .address_id = id, .addr = *addr};
    o.mp.add_addr.hmac64 = mptcp_add_addr_hmac(p->key, p->stack_key, &o.mp.add_addr);
    return o;
}

static void announce(struct peer *p, uint32_t seq, uint8_t id, const struct hawser_addr *addr)
{
    const struct tcp_options o = announcement(p, id, addr);
    peer_send(p, TCP_ACK, seq, 1, &o, NULL, 0);
}

static unsigned syns_seen(const struct peer *p)
{
    unsigned syns = 0;
    for (unsigned i = 0; i < p->seen_count; i++)
        syns += (p->seen[i].flags & TCP_SYN) != 0;
    return syns;
}

/* RFC 1122 3.2.1.3: ours, and those of everybody beside us. */
static void what_no_peer_can_have_is_not_joined(void **state)
{
    (void)state;
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.255", "169.254.1.1"};
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    for (uint8_t i = 0; i < HW_ARRAY_LEN(addresses); i++) {
        const struct hawser_addr addr = parse(addresses[i]);
        announce(&p, 1, (uint8_t)(1 + i), &addr);
    }
    peer_wait(&p, 10 * NS_PER_S);
    assert_int_equal(syns_seen(&p), 0);
    assert_int_equal(peer_counter(&p, "drop.add_addr_invalid"), HW_ARRAY_LEN(addresses));
    peer_destroy(&p);
}

/* The only subflow that worked is gone; of sixteen other addresses none answers, and each has its turn again and again.
 * That is not for ever. */
static void joins_alone_do_not_keep_a_connection(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    uint32_t irs = p.irs;
    for (uint8_t i = 0; i < 16; i++) {
        const struct hawser_addr addr = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 2, (uint8_t)(1 + i)}};
        announce(&p, 1, (uint8_t)(1 + i), &addr);
        p.irs = irs;
    }
    assert_true(syns_seen(&p) > 0);
    peer_send(&p, TCP_RST, 1, 1, NULL, NULL, 0);
    for (unsigned s = 0; s < 120; s++) {
        peer_wait(&p, NS_PER_S);
        peer_forget(&p);
    }
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_wait(&p, 300 * NS_PER_S);
    assert_int_equal(syns_seen(&p), 0);
    peer_destroy(&p);
}

static const struct peer_segment *echo_of(const struct peer *p, uint8_t id)
{
    for (unsigned i = 0; i < p->seen_count; i++) {
        const struct mptcp_options *mp = &p->seen[i].options.mp;
        if (mptcp_has(mp, MPTCP_ADD_ADDR) && mp->add_addr.echo && mp->add_addr.address_id == id)
            return &p->seen[i];
    }
    return NULL;
}

/* 12 bytes of timestamps, 12 of a DSS whose DATA_ACK must have 64 bits (RFC 8684 3.3.2), 20 of the echo are more than
 * 40: it leaves without the DSS. */
static void an_echo_leaves_beside_no_dss(void **state)
{
    (void)state;
    const struct hawser_addr v6 = parse("2001:db8::7");
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.timestamps = true;
    peer_connect_mptcp(&p);
    struct tcp_options o = peer_dss(&p, 1, 1, 1, 5);
    peer_send(&p, TCP_ACK, 1, 1, &o, "hello", 5);
    peer_forget(&p);
    announce(&p, 6, 9, &v6);
    const struct peer_segment *echo = echo_of(&p, 9);
    assert_non_null(echo);
    assert_true(hawser_addr_equal(&echo->options.mp.add_addr.addr, &v6));
    assert_true(echo->options.present & TCP_OPT_TIMESTAMPS);
    assert_false(mptcp_has(&echo->options.mp, MPTCP_DSS));
    const struct peer_segment *last = peer_last(&p, TCP_ACK); /* the DATA_ACK follows, as wide as before */
    assert_true(mptcp_has(&last->options.mp, MPTCP_DSS) && last->options.mp.dss.ack_is_64);
    peer_forget(&p);
    peer_wait(&p, 10 * NS_PER_S);
    assert_null(echo_of(&p, 9)); /* once */
    peer_destroy(&p);
}

static void two_announcements_in_a_batch_get_two_echoes(void **state)
{
    (void)state;
    uint8_t bytes[2][PEER_PACKET_MAX];
    struct hawser_rx batch[2];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    peer_forget(&p);
    for (uint8_t i = 0; i < 2; i++) {
        const struct hawser_addr addr = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 2, (uint8_t)(1 + i)}};
        const struct tcp_options o = announcement(&p, (uint8_t)(i + 1), &addr);
        size_t len = peer_packet(&p, bytes[i], TCP_ACK, 1, 1, &o, NULL, 0);
        batch[i] = (struct hawser_rx){.data = bytes[i], .len = (uint32_t)len, .flags = HAWSER_RX_CSUM_OK};
    }
    hawser_stack_input(p.stack, 0, batch, 2, p.now_ns);
    peer_drain(&p);
    assert_non_null(echo_of(&p, 1));
    assert_non_null(echo_of(&p, 2));
    peer_destroy(&p);
}

static uint32_t subflows_of(const struct peer *p)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p->conn, &info), 0);
    return info.subflows;
}

/* Some bytes on each of two subflows, acknowledged after a while: so that it is known how long an answer takes. */
static void measure(struct peer *p, const struct line lines[2], uint32_t ends[2])
{
    ends[0] = ends[1] = 1;
    for (unsigned round = 0; round < 2; round++) {
        peer_forget(p);
        assert_int_equal(hawser_send(p->conn, "bytes", 5), 5);
        peer_drain(p);
        assert_int_equal(p->seen_count, 1);
        const struct peer_segment sent = p->seen[0];
        unsigned which = sent.remote.port - lines[0].port;
        assert_int_equal(sent.len, 5);
        peer_wait(p, 20 * NS_PER_MS);
        line_take(p, &lines[which]);
        ends[which] = sent.number - lines[which].irs + 5;
        const struct tcp_options o = peer_dss(p, 6 + 5 * round, 0, 0, 0);
        peer_send(p, TCP_ACK, 1, ends[which], &o, NULL, 0);
    }
    assert_true(ends[0] > 1 && ends[1] > 1);
}

/* RFC 8684 3.4.2: two subflows are said to have lost their address. Each is asked; the one that answers stays. */
static void who_answers_the_keepalive_is_not_gone(void **state)
{
    (void)state;
    for (unsigned answers = 0; answers < 2; answers++) {
        struct peer p;
        struct hawser_subflow_info info = {.size = sizeof info};
        lines_init(&p, 0, false, NULL);
        struct line lines[2];
        uint32_t ends[2];
        lines[0] = line_open(&p, 4001);
        lines[1] = line_join(&p, &lines[0], 4002);
        assert_int_equal(subflows_of(&p), 2);
        measure(&p, lines, ends);
        line_take(&p, &lines[answers]);
        struct tcp_options o = peer_dss(&p, 11, 0, 0, 0);
        o.mp.present |= 1u << MPTCP_REMOVE_ADDR;
        o.mp.remove_addr = (struct mp_remove_addr){.count = 1, .ids = {0}};
        peer_send(&p, TCP_ACK, 1, ends[answers], &o, NULL, 0);
        unsigned asked = 0;
        for (unsigned i = 0; i < p.seen_count; i++)
            asked |= 1u << (p.seen[i].remote.port - 4001);
        assert_int_equal(asked, 3);
        peer_wait(&p, NS_PER_MS);
        line_take(&p, &lines[answers]);
        o = peer_dss(&p, 11, 0, 0, 0);
        peer_send(&p, TCP_ACK, 1, ends[answers], &o, NULL, 0);
        peer_wait(&p, 10 * NS_PER_S);
        assert_int_equal(subflows_of(&p), 1);
        assert_int_equal(hawser_subflow_get_info(p.conn, 0, &info), 0);
        assert_int_equal(info.remote.port, lines[answers].port);
        peer_destroy(&p);
    }
}

/* RFC 8684 3.2: a subflow is one once its handshake is over. */
static void a_join_without_an_answer_is_no_subflow(void **state)
{
    (void)state;
    const struct hawser_addr addr = parse("10.0.2.7");
    struct hawser_subflow_info info = {.size = sizeof info};
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    announce(&p, 1, 3, &addr);
    assert_int_equal(syns_seen(&p), 1);
    assert_int_equal(subflows_of(&p), 1);
    assert_int_equal(hawser_subflow_get_info(p.conn, 1, &info), -ENOENT);
    peer_destroy(&p);
}

/* When joins begin, by their ports, in so many seconds. Returns how many. */
static unsigned joins_begun(struct peer *p, unsigned seconds, uint64_t *at_ns, unsigned max)
{
    unsigned joins = 0;
    uint16_t port = 0;
    uint32_t irs = p->irs;
    for (uint64_t until = p->now_ns + seconds * NS_PER_S; p->now_ns < until;) {
        peer_wait(p, 100 * NS_PER_MS);
        for (unsigned i = 0; i < p->seen_count; i++) {
            if (!(p->seen[i].flags & TCP_SYN) || p->seen[i].local.port == port)
                continue;
            port = p->seen[i].local.port;
            assert_true(joins < max);
            at_ns[joins++] = p->now_ns;
        }
        peer_forget(p);
    }
    p->irs = irs;
    return joins;
}

/* RFC 8684 3.9.1 and common sense: nobody there means later, and later means less and less often. */
static void an_unanswered_join_is_tried_again_less_and_less_often(void **state)
{
    (void)state;
    const struct hawser_addr addr = parse("10.0.2.7");
    uint64_t at_ns[32];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    announce(&p, 1, 3, &addr);
    unsigned joins = joins_begun(&p, 600, at_ns, HW_ARRAY_LEN(at_ns));
    assert_in_range(joins, 8, 16);
    for (unsigned i = 3; i < joins; i++)
        assert_true(at_ns[i] - at_ns[i - 1] + NS_PER_S >= at_ns[i - 1] - at_ns[i - 2]);
    assert_true(at_ns[joins - 1] - at_ns[joins - 2] > 60 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

/* RFC 8684 3.9.3: a refusal is for good, unless the address is announced afresh (3.4.1). */
static void a_refused_join_is_tried_again_when_it_is_announced_afresh(void **state)
{
    (void)state;
    const struct hawser_addr addr = parse("10.0.2.7");
    uint64_t at_ns[4];
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    const struct hawser_addr own = p.own, first = p.addr;
    for (unsigned round = 0; round < 3; round++) {
        uint32_t irs = p.irs;
        announce(&p, 1, 3, &addr);
        assert_int_equal(syns_seen(&p), 1);
        p.own = peer_last(&p, TCP_SYN)->local;
        p.addr = peer_last(&p, TCP_SYN)->remote;
        peer_forget(&p);
        peer_send(&p, TCP_RST | TCP_ACK, 0, 1, NULL, NULL, 0);
        p.own = own;
        p.addr = first;
        p.irs = irs;
        assert_int_equal(joins_begun(&p, 100, at_ns, HW_ARRAY_LEN(at_ns)), 0);
    }
    peer_destroy(&p);
}

/* A segment that says that its own subflow is to go, and ends it, brings what else it carries first. */
static void what_removes_its_own_subflow(void **state)
{
    (void)state;
    char text[8];
    for (int others = 0; others < 2; others++) {
        struct peer p;
        struct hawser_conn_info info = {.size = sizeof info};
        peer_init(&p, NULL, NULL);
        struct line first = line_open(&p, 4000), second = first;
        if (others)
            second = line_join(&p, &first, 4001);
        line_take(&p, &first);
        struct tcp_options o = peer_dss(&p, 1, 1, 1, 5);
        o.mp.dss.dsn_is_64 = o.mp.dss.ack_is_64 = false;
        o.mp.present |= 1u << MPTCP_REMOVE_ADDR | 1u << MPTCP_PRIO;
        o.mp.remove_addr = (struct mp_remove_addr){.count = 3, .ids = {0, 0, 9}};
        peer_send(&p, TCP_ACK | TCP_FIN, 1, 1, &o, "hello", 5);
        assert_int_equal(hawser_recv(p.conn, text, sizeof text), 5);
        peer_wait(&p, 5 * NS_PER_S);
        assert_int_equal(hawser_conn_error(p.conn), 0);
        assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
        assert_int_equal(info.subflows, 1); /* the last one is not given up for an option */
        line_take(&p, &second);
        assert_int_equal(hawser_send(p.conn, "answer", 6), 6);
        peer_drain(&p);
        assert_int_equal(peer_last(&p, TCP_PSH)->len, 6);
        assert_int_equal(peer_last(&p, TCP_PSH)->remote.port, second.port);
        peer_destroy(&p);
    }
}

static void live(struct world *w, uint64_t for_ns)
{
    uint64_t until = w->now_ns + for_ns;
    while (world_step(w, until))
        ;
    w->now_ns = until;
}

static void connect_world(struct world *w, struct hawser_conn *conn[2])
{
    struct hawser_listener *listener;
    struct hawser_addr server = world_server_addr(w, 0, 5001), any = {.port = 5001};
    assert_int_equal(hawser_listen(w->stack[1], &any, 4, NULL, &listener), 0);
    assert_int_equal(hawser_connect(w->stack[0], &server, NULL, w->now_ns, &conn[0]), 0);
    while (hawser_accept(listener, &conn[1]) < 0)
        assert_true(world_step(w, w->now_ns + NS_PER_S));
    for (int end = 0; end < 2; end++)
        assert_int_equal(hawser_send(conn[end], "hello", 5), 5);
    live(w, 5 * NS_PER_S);
}

static void expect_subflows(const struct hawser_conn *conn, uint32_t n)
{
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(conn, &info), 0);
    assert_int_equal(info.subflows, n);
}

static uint32_t newest_subflow(const struct hawser_conn *conn)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    uint32_t newest = 0;
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &info) == 0; i++)
        newest = info.id > newest ? info.id : newest;
    return newest;
}

/* More often than there are IDs, on a connection of which nothing else is heard. */
static void an_address_comes_and_goes_for_ever(void **state)
{
    (void)state;
    for (int end = 0; end < 2; end++) {
        struct world w;
        struct hawser_conn *conn[2];
        world_init(&w, 6, 2, 2, false, NULL, NULL);
        connect_world(&w, conn);
        expect_subflows(conn[0], 3);
        const struct hawser_addr addr = end ? world_server_addr(&w, 1, 0) : world_client_addr(&w, 1);
        for (unsigned i = 0; i < 300; i++) {
            assert_int_equal(hawser_stack_remove_address(w.stack[end], &addr, w.now_ns), 0);
            live(&w, 2 * NS_PER_S);
            assert_int_equal(hawser_stack_add_address(w.stack[end], 0, &addr, 24, w.now_ns), 0);
            live(&w, 3 * NS_PER_S);
        }
        live(&w, 100 * NS_PER_S);
        expect_subflows(conn[0], 3);
        expect_subflows(conn[1], 3);
        for (int side = 0; side < 2; side++) /* nobody takes a new subflow for one that was */
            assert_in_range(newest_subflow(conn[side]), 200, 1000);
        world_destroy(&w);
    }
}

/* RFC 8684 3.4.1: what does not prove itself is ignored in silence. */
static void a_forged_announcement_is_not_heard(void **state)
{
    (void)state;
    const struct hawser_addr addr = parse("10.0.2.7");
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    struct tcp_options o = announcement(&p, 3, &addr);
    o.mp.add_addr.hmac64 ^= 1;
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_wait(&p, 10 * NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(peer_counter(&p, "drop.add_addr_bad_hmac"), 1);
    peer_destroy(&p);
}

/* Plain TCP has nobody to tell of an address that goes, and so nothing to remember. */
static void plain_tcp_remembers_no_address(void **state)
{
    (void)state;
    const struct hawser_addr other = parse("10.0.0.3");
    struct peer p;
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_open_plain(&p);
    uint64_t held = p.stack->host.memory.account.held;
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
    assert_int_equal(p.stack->host.memory.account.held, held);
    peer_destroy(&p);
}

/* RFC 8684 3.1, flag C: the peer's first address is not joined, from wherever we could, though nothing else is left;
 * another one is that it announces. */
static void a_closed_address_is_left_alone(void **state)
{
    (void)state;
    for (int closed = 0; closed < 2; closed++) {
        const struct hawser_addr own = parse("10.0.0.9"), elsewhere = parse("10.0.0.77");
        struct peer p;
        struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE}};
        peer_init(&p, NULL, NULL);
        peer_connect(&p, false);
        o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256};
        o.mp.capable.no_more_here = closed;
        o.mp.capable.has_sender_key = true;
        o.mp.capable.sender_key = p.key;
        peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
        p.stack_key = peer_last(&p, TCP_ACK)->options.mp.capable.sender_key;
        o = (struct tcp_options){.mp.present = 1u << MPTCP_DSS, .mp.dss = {.has_ack = true}};
        uint32_t irs = p.irs;
        peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &own, 24, p.now_ns), 0);
        peer_wait(&p, NS_PER_S);
        assert_int_equal(syns_seen(&p) > 0, !closed);
        p.irs = irs;
        if (closed) {
            announce(&p, 1, 3, &elsewhere);
            assert_int_equal(syns_seen(&p), 1);
            assert_true(hawser_addr_same_ip(&peer_last(&p, TCP_SYN)->remote, &elsewhere));
            p.irs = irs;
        }
        peer_forget(&p);
        peer_send(&p, TCP_RST, 1, 0, NULL, NULL, 0);
        peer_wait(&p, 20 * NS_PER_S);
        unsigned there = 0;
        for (unsigned i = 0; i < p.seen_count; i++)
            there += p.seen[i].flags & TCP_SYN && hawser_addr_same_ip(&p.seen[i].remote, &p.addr);
        assert_int_equal(there > 0, !closed);
        hawser_abort(p.conn);
        peer_drain(&p);
        peer_destroy(&p);
    }
}

/* The ID that it was announced under; 0: it was not. */
static uint8_t told_id(struct peer *p)
{
    for (unsigned i = 0; i < p->seen_count; i++)
        if (mptcp_has(&p->seen[i].options.mp, MPTCP_ADD_ADDR))
            return p->seen[i].options.mp.add_addr.address_id;
    return 0;
}

/* A peer that is told late that an ID is gone must not take the next address for it: none comes back before all others
 * have had their turn. */
static void an_address_that_comes_back_has_another_id(void **state)
{
    (void)state;
    enum { TIMES = 20 };
    const struct hawser_addr other = parse("10.0.0.9");
    bool had[UINT8_MAX + 1] = {false};
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    for (unsigned i = 0; i < TIMES; i++) {
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
        peer_wait(&p, 100 * NS_PER_S); /* until nobody echoes it for good, and the removal before is settled */
        uint8_t id = told_id(&p);
        assert_true(id && !had[id]);
        had[id] = true;
        assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
        peer_wait(&p, NS_PER_S);
    }
    peer_destroy(&p);
}

/* What the stack says of its address next; NULL: nothing. */
static const struct mp_add_addr *told(struct peer *p)
{
    for (unsigned i = 0; i < p->seen_count; i++)
        if (mptcp_has(&p->seen[i].options.mp, MPTCP_ADD_ADDR) && !p->seen[i].options.mp.add_addr.echo)
            return &p->seen[i].options.mp.add_addr;
    return NULL;
}

/* An address behind a translation is told as it is seen from outside; the join that comes is to the one inside, and is
 * known by the same ID. */
static void a_translated_address_is_told_and_joined(void **state)
{
    (void)state;
    static const struct {
        const char *inside, *outside;
        uint16_t port;
    } table[] = {{"198.18.0.2", "203.0.113.7", 0},
                 {"198.18.0.2", "203.0.113.7", 4433},
                 {"198.18.0.2", "192.168.1.7", 0}, /* behind a further one: the peer may not reach it (3.4.1) */
                 {"fd48:6177:7372::2", "2001:db8::7", 4433}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(table); i++) {
        const struct hawser_addr inside = parse(table[i].inside);
        struct hawser_addr outside = parse(table[i].outside);
        struct peer p;
        peer_init(&p, NULL, NULL);
        struct line first = line_open(&p, 4000);
        outside.port = table[i].port;
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &inside, 24, p.now_ns), 0);
        assert_int_equal(hawser_stack_set_outside(p.stack, &inside, &outside, p.now_ns), 0);
        peer_wait(&p, 100 * NS_PER_MS);
        const struct mp_add_addr *add = told(&p);
        assert_non_null(add);
        assert_true(hawser_addr_equal(&add->addr, &outside));
        assert_int_equal(add->has_port, table[i].port != 0);
        assert_true(add->hmac64 == mptcp_add_addr_hmac(p.stack_key, p.key, add));
        const uint8_t id = add->address_id;
        if (hawser_addr_is_v4(&inside)) { /* as the peer by hand is, too */
            p.own = inside;
            p.own.port = table[i].port ? table[i].port : PEER_PORT;
            (void)line_join(&p, &first, 4001);
            assert_int_equal(peer_last(&p, TCP_SYN)->options.mp.join.address_id, id);
            assert_int_equal(subflows_of(&p), 2);
        }
        peer_destroy(&p);
    }
}

/* The old place is taken back, some times; then the new one is told under the same ID. */
static void a_translated_address_that_moves(void **state)
{
    (void)state;
    const struct hawser_addr inside = parse("198.18.0.2"), outside = parse("203.0.113.7"), later = parse("203.0.113.9");
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_open_mptcp(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &inside, 24, p.now_ns), 0);
    assert_int_equal(hawser_stack_set_outside(p.stack, &inside, &outside, p.now_ns), 0);
    peer_wait(&p, 100 * NS_PER_MS);
    const uint8_t id = told_id(&p);
    peer_forget(&p);
    for (unsigned i = 0; i < 2; i++) /* the second says nothing new */
        assert_int_equal(hawser_stack_set_outside(p.stack, &inside, &later, p.now_ns), 0);
    peer_wait(&p, 100 * NS_PER_MS);
    assert_null(told(&p));
    unsigned removals = 0;
    for (unsigned i = 0; i < p.seen_count; i++)
        removals +=
            mptcp_has(&p.seen[i].options.mp, MPTCP_REMOVE_ADDR) && p.seen[i].options.mp.remove_addr.ids[0] == id;
    assert_int_equal(removals, 1);
    peer_wait(&p, 100 * NS_PER_S);
    assert_non_null(told(&p));
    assert_int_equal(told_id(&p), id);
    assert_true(hawser_addr_equal(&told(&p)->addr, &later));
    peer_destroy(&p);
}

static void what_cannot_be_outside(void **state)
{
    (void)state;
    static const char *const others[] = {"2001:db8::7", "127.0.0.1", "0.0.0.0", "224.0.0.1"};
    const struct hawser_addr own = parse("198.18.0.2"), foreign = parse("198.18.0.3");
    struct peer p;
    peer_init(&p, NULL, NULL);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &own, 24, p.now_ns), 0);
    assert_int_equal(hawser_stack_set_outside(p.stack, &foreign, NULL, p.now_ns), -ENOENT);
    for (unsigned i = 0; i < HW_ARRAY_LEN(others); i++) {
        const struct hawser_addr outside = parse(others[i]);
        assert_int_equal(hawser_stack_set_outside(p.stack, &own, &outside, p.now_ns), -EINVAL);
    }
    assert_int_equal(hawser_stack_set_outside(p.stack, &own, NULL, p.now_ns), 0);
    peer_open_mptcp(&p);
    peer_wait(&p, NS_PER_S);
    assert_true(hawser_addr_same_ip(&told(&p)->addr, &own));
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_peer_can_have_is_not_joined),
        cmocka_unit_test(joins_alone_do_not_keep_a_connection),
        cmocka_unit_test(an_echo_leaves_beside_no_dss),
        cmocka_unit_test(two_announcements_in_a_batch_get_two_echoes),
        cmocka_unit_test(a_forged_announcement_is_not_heard),
        cmocka_unit_test(plain_tcp_remembers_no_address),
        cmocka_unit_test(who_answers_the_keepalive_is_not_gone),
        cmocka_unit_test(a_join_without_an_answer_is_no_subflow),
        cmocka_unit_test(an_unanswered_join_is_tried_again_less_and_less_often),
        cmocka_unit_test(a_refused_join_is_tried_again_when_it_is_announced_afresh),
        cmocka_unit_test(what_removes_its_own_subflow),
        cmocka_unit_test(an_address_comes_and_goes_for_ever),
        cmocka_unit_test(a_closed_address_is_left_alone),
        cmocka_unit_test(an_address_that_comes_back_has_another_id),
        cmocka_unit_test(a_translated_address_is_told_and_joined),
        cmocka_unit_test(a_translated_address_that_moves),
        cmocka_unit_test(what_cannot_be_outside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
