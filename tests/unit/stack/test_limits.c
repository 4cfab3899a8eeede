/* Every demand on memory has a limit; at the limit the newest demand is refused and what exists goes on. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/compiler.h"
#include "lines.h"
#include "stack/shares.h"
#include "stack/stack.h"
#include "wire/keys.h"
#include "world.h"

#define PORT 5001
#define MS UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static struct hawser_conn *connect_one(struct world *w, struct hawser_listener *listener, struct hawser_conn **accepted)
{
    struct hawser_conn *conn;
    struct hawser_addr server = world_server_addr(w, 0, PORT);
    assert_int_equal(hawser_connect(w->stack[0], &server, NULL, w->now_ns, &conn), 0);
    while (hawser_accept(listener, accepted) < 0)
        assert_true(world_step(w, w->now_ns + SECOND));
    return conn;
}

static void settle(struct world *w, uint64_t for_ns)
{
    for (uint64_t until = w->now_ns + for_ns; world_step(w, until);)
        ;
}

/* A peer that sends byte by byte to an application that does not read: neither its own connection nor any other of the
 * host runs out of memory, although the host has little of it. */
static void a_byte_a_segment(void **state)
{
    (void)state;
    struct world w;
    struct hawser_stack_options small = {.size = sizeof small, .max_memory_bytes = 1 << 20};
    struct hawser_listener *listener;
    struct hawser_conn *client[2], *server[2];
    uint8_t bytes[4096] = {0};
    const size_t total = 20000;
    world_init(&w, 51, 1, 1, false, NULL, &small);
    w.paths[0].delay_ns = MS / 100;
    struct hawser_addr any = {.port = PORT};
    assert_int_equal(hawser_listen(w.stack[1], &any, 4, NULL, &listener), 0);
    for (int i = 0; i < 2; i++)
        client[i] = connect_one(&w, listener, &server[i]);
    for (size_t i = 0; i < total; i++) {
        bytes[0] = (uint8_t)(i % 251);
        assert_int_equal(hawser_send(client[0], bytes, 1), 1);
        settle(&w, MS / 10);
    }
    settle(&w, SECOND);
    assert_true(world_counter(&w, 0, "ip.packets_out") > total);
    assert_int_equal(world_counter(&w, 1, "drop.no_memory"), 0);
    assert_int_equal(hawser_send(client[1], bytes, sizeof bytes), sizeof bytes);
    settle(&w, SECOND);
    assert_int_equal(hawser_recv(server[1], bytes, sizeof bytes), sizeof bytes);
    size_t got = 0;
    for (ssize_t n; (n = hawser_recv(server[0], bytes, sizeof bytes)) > 0;)
        for (ssize_t i = 0; i < n; i++, got++)
            assert_int_equal(bytes[i], got % 251);
    assert_int_equal(got, total);
    world_destroy(&w);
}

/* Connections of which the first one sends `chunks` large buffers, and somebody else holds the rest of the memory. */
enum { HUNGRY_MAX = 12, CHUNK_BYTES = STORE_LARGE_BYTES };
static const uint8_t zeros[8 * CHUNK_BYTES];
static uint64_t held_elsewhere;
static struct hawser_conn *readers[HUNGRY_MAX]; /* the other ends */

static struct hawser_conn *next_event(struct world *w) { return next_told(w->stack[0]); }

static bool hunger_step(struct world *w)
{
    static uint8_t got[CHUNK_BYTES];
    bool more = world_step(w, w->now_ns + SECOND);
    for (unsigned i = 0; i < HUNGRY_MAX && readers[i]; i++)
        while (hawser_recv(readers[i], got, sizeof got) > 0)
            ;
    return more;
}

static void end_hunger(struct world *w)
{
    account_release(&w->stack[0]->host.memory.account, held_elsewhere);
    memset(readers, 0, sizeof readers);
    world_destroy(w);
}

static void setup_hunger(struct world *w, uint32_t chunks, struct hawser_conn *conns[], unsigned n)
{
    struct hawser_stack_options small = {.size = sizeof small,
                                         .max_memory_bytes = (2 * HW_MAX(chunks, 4u) + 2) * CHUNK_BYTES};
    struct hawser_listener *listener;
    world_init(w, 52, 1, 1, false, &small, NULL);
    struct hawser_addr any = {.port = PORT};
    assert_int_equal(hawser_listen(w->stack[1], &any, n, NULL, &listener), 0);
    for (unsigned i = 0; i < n; i++)
        conns[i] = connect_one(w, listener, &readers[i]);
    settle(w, SECOND);
    while (next_event(w))
        ;
    struct account_root *memory = &w->stack[0]->host.memory;
    memory->limit *= 16; /* it was plentiful then */
    assert_int_equal(hawser_send(conns[0], zeros, chunks * CHUNK_BYTES), (int)(chunks * CHUNK_BYTES));
    memory->limit /= 16;
    held_elsewhere = memory->limit - memory->reserve - memory->account.held;
    account_charge(&memory->account, held_elsewhere);
    for (unsigned i = 1; i < n; i++) {
        assert_true(hawser_conn_ready(conns[i]) & HAWSER_WRITABLE);
        assert_int_equal(hawser_send(conns[i], zeros, 1), -ENOBUFS);
        assert_false(hawser_conn_ready(conns[i]) & HAWSER_WRITABLE);
    }
    assert_int_equal(world_counter(w, 0, "limit.memory"), n - 1);
    assert_false(hawser_stack_pending(w->stack[0]));
}

/* Who was refused memory is told when some comes back: first come, first served, and not all for one chunk. */
static void the_starved_are_fed_in_turn(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conns[HUNGRY_MAX], *told;
    setup_hunger(&w, 4, conns, HUNGRY_MAX);
    hawser_close(conns[3]);
    for (unsigned next = 1, fed = 0; fed + 2 < HUNGRY_MAX;) {
        assert_true(hunger_step(&w));
        while ((told = next_event(&w))) {
            next += next == 3;
            if (next < HUNGRY_MAX && told == conns[next]) {
                assert_true(hawser_conn_ready(told) & HAWSER_WRITABLE);
                next++;
            }
            for (unsigned later = next + 1; later < HUNGRY_MAX; later++)
                assert_ptr_not_equal(told, conns[later]);
            if (told != conns[0])
                fed += hawser_send(told, zeros, CHUNK_BYTES) > 0;
        }
    }
    settle(&w, SECOND);
    end_hunger(&w);
}

/* What those who were told leave is offered to the others. */
static void memory_that_is_not_wanted_goes_to_the_next(void **state)
{
    (void)state;
    struct world w;
    struct hawser_conn *conns[4], *told;
    unsigned events = 0;
    setup_hunger(&w, 1, conns, 4);
    while (events < 3 && hunger_step(&w))
        while ((told = next_event(&w)))
            events += told != conns[0];
    assert_int_equal(events, 3);
    assert_int_equal(hawser_send(conns[3], zeros, 1), 1);
    end_hunger(&w);
}

/* The system refused, nothing is under way and nothing will come back: time tells. */
static void the_system_is_asked_again(void **state)
{
    (void)state;
    struct world w;
    struct hawser_listener *listener;
    struct hawser_conn *conn, *accepted;
    world_init(&w, 53, 1, 1, false, NULL, NULL);
    struct hawser_addr any = {.port = PORT};
    assert_int_equal(hawser_listen(w.stack[1], &any, 1, NULL, &listener), 0);
    conn = connect_one(&w, listener, &accepted);
    settle(&w, SECOND);
    while (next_event(&w))
        ;
    for (int i = 1; i <= 2; i++) { /* the ring of chunks, and the chunk */
        w.env[0].fail_at = (uint64_t)i;
        assert_int_equal(hawser_send(conn, zeros, 1), -ENOBUFS);
        assert_true(world_step(&w, w.now_ns + SECOND));
        assert_ptr_equal(next_event(&w), conn);
        assert_true(hawser_conn_ready(conn) & HAWSER_WRITABLE);
    }
    assert_int_equal(hawser_send(conn, zeros, 1), 1);
    world_destroy(&w);
}

/* Neither a subflow finds memory, nor the note that it found none: the pair is not asked for again and again within one
 * call, but a second later. */
static void a_subflow_without_memory_has_to_wait(void **state)
{
    (void)state;
    const struct hawser_stack_options options = {.size = sizeof options, .max_connections = 1};
    struct hawser_addr others[2];
    struct peer p;
    peer_init(&p, &options, NULL);
    peer_connect_mptcp(&p);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(hawser_addr_parse(&others[i], i ? "10.0.2.1" : "10.0.1.1", 0), 0);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &others[i], 24, p.now_ns), 0);
        peer_drain(&p);
        assert_true(hawser_addr_same_ip(&peer_last(&p, TCP_SYN)->local, &others[0])); /* more than that never fit */
        p.env.refuses = true;
    }
    peer_wait(&p, NS_PER_S / 2);
    p.env.refuses = false;
    assert_int_equal(hawser_stack_remove_address(p.stack, &others[0], p.now_ns), 0);
    peer_drain(&p);
    peer_wait(&p, 2 * NS_PER_S);
    assert_true(hawser_addr_same_ip(&peer_last(&p, TCP_SYN)->local, &others[1]));
    hawser_abort(p.conn);
    peer_destroy(&p);
}

/* A large buffer of the link that is held for a kilobyte of it, segment after segment behind a gap: they are neither
 * refused, nor do they take more than half of the link's buffers. */
static void a_link_is_not_emptied_by_a_gap(void **state)
{
    (void)state;
    enum { BUFFERS = 8, SEGMENTS = 50, LEN = 1000 };
    struct peer p;
    uint8_t bytes[(SEGMENTS + 1) * LEN];
    peer_init(&p, NULL, NULL);
    peer_open_plain(&p);
    assert_int_equal(hawser_buf_pool_new(&p.env.env, 256 * 1024, BUFFERS, &p.rx), 0);
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i % 251);
    for (unsigned i = 1; i <= SEGMENTS; i++) {
        peer_send(&p, TCP_ACK, 1 + i * LEN, 1, NULL, bytes + i * LEN, LEN);
        assert_true(buf_pool_in_use(p.rx) <= BUFFERS / 2 + 1);
    }
    peer_send(&p, TCP_ACK, 1, 1, NULL, bytes, LEN);
    assert_int_equal(peer_last(&p, TCP_ACK)->ack, 1 + sizeof bytes);
    uint8_t got[sizeof bytes];
    assert_int_equal(hawser_recv(p.conn, got, sizeof got), sizeof got);
    assert_memory_equal(got, bytes, sizeof got);
    assert_int_equal(buf_pool_in_use(p.rx), 0);
    hawser_buf_pool_close(p.rx);
    peer_destroy(&p);
}

/* Tables for so many may not be had, but must not be smaller than what is put into them. */
static void any_number_of_connections(void **state)
{
    (void)state;
    static const uint32_t limits[] = {UINT32_MAX / 7, UINT32_MAX / 7 + 1, UINT32_MAX / 2 + 1, UINT32_MAX};
    for (size_t i = 0; i < HW_ARRAY_LEN(limits); i++) {
        struct peer p;
        struct hawser_stack_options options = {.size = sizeof options, .max_connections = limits[i]};
        peer_init(&p, &options, NULL);
        peer_open_mptcp(&p);
        assert_int_equal(hawser_send(p.conn, "bytes", 5), 5);
        peer_wait(&p, SECOND);
        peer_destroy(&p);
    }
}

/* A peer that acknowledges data but never the subflows that brought it: these may not let go of it (RFC 8684 3.3.2).
 * None of them can carry on for another, so that none is reset (test_subflows has one that can); but each is given no
 * more than the send buffer holds, however long that goes on. */
static void data_acks_ahead_of_subflow_acks(void **state)
{
    (void)state;
    enum { LIMIT = 4096, ROUNDS = 20 };
    static const uint8_t bytes[LIMIT];
    struct peer p;
    struct hawser_conn_options small = {.size = sizeof small, .send_buffer_bytes = LIMIT};
    lines_init(&p, 0, false, &small);
    struct line first = line_open(&p, 4000);
    (void)line_join(&p, &first, 5000);
    struct hawser_conn_info info = {.size = sizeof info};
    for (int round = 0; round < ROUNDS; round++) {
        assert_int_equal(hawser_conn_get_info(first.conn, &info), 0);
        struct tcp_options ack = peer_dss(&p, 1 + info.sent_bytes, 0, 0, 0);
        line_take(&p, &first);
        peer_send(&p, TCP_ACK, 2, 1, &ack, NULL, 0);
        (void)hawser_send(first.conn, bytes, sizeof bytes);
        peer_drain(&p);
        peer_wait(&p, 300 * NS_PER_MS);
    }
    assert_int_equal(hawser_conn_get_info(first.conn, &info), 0);
    assert_in_range(info.sent_bytes, LIMIT, 2 * LIMIT);
    assert_int_equal(peer_counter(&p, "limit.lagging_bytes"), 0);
    assert_int_equal(hawser_conn_error(first.conn), 0);
    peer_destroy(&p);
}

/* An MPTCP connection whose peer offers the widest window there is. */
static void open_wide(struct peer *p)
{
    uint32_t token;
    struct tcp_options o = {.present = TCP_OPT_WSCALE, .wscale = 14, .mp.present = 1u << MPTCP_CAPABLE};
    struct mp_capable *capable = &o.mp.capable;
    *capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256};
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    p->stack_key = peer_last(p, TCP_SYN | TCP_ACK)->options.mp.capable.sender_key;
    mptcp_key_derive(p->key, &token, &p->idsn);
    mptcp_key_derive(p->stack_key, &token, &p->stack_idsn);
    capable->has_sender_key = capable->has_receiver_key = true;
    capable->sender_key = p->key;
    capable->receiver_key = p->stack_key;
    o.present = 0;
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
}

/* Likewise, and there is no other subflow that could carry on: the only one is not given more than the send buffer
 * holds, however wide its congestion window has become. */
static void data_acks_ahead_on_the_only_subflow(void **state)
{
    (void)state;
    enum { LIMIT = 64 * 1024, ROUNDS = 2000, LAG = 10 };
    static const uint8_t bytes[LIMIT];
    struct peer p;
    struct hawser_conn_options small = {.size = sizeof small, .send_buffer_bytes = LIMIT};
    struct hawser_conn_info info = {.size = sizeof info};
    peer_init(&p, NULL, &small);
    p.window = UINT16_MAX;
    open_wide(&p);
    const struct account *account = &((const struct conn *)p.conn)->account;
    for (uint32_t round = 0, acked = 1; round < ROUNDS; round++) {
        assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
        const struct tcp_options ack = peer_dss(&p, 1 + info.sent_bytes, 0, 0, 0);
        acked += (uint32_t)(1 + info.sent_bytes - acked) / LAG;
        peer_send(&p, TCP_ACK, 1, acked, &ack, NULL, 0);
        (void)hawser_send(p.conn, bytes, sizeof bytes);
        peer_wait(&p, MS);
        peer_forget(&p);
        assert_true(account->held < 4 * LIMIT); /* whole buffers */
    }
    assert_true(info.sent_bytes > 20 * LIMIT); /* and yet it goes on */
    assert_int_equal(hawser_conn_error(p.conn), 0);
    peer_destroy(&p);
}

static bool opens(struct peer *p, const char *ip, uint16_t port)
{
    assert_int_equal(hawser_addr_parse(&p->addr, ip, port), 0);
    peer_forget(p);
    peer_send(p, TCP_SYN, 0, 0, NULL, NULL, 0);
    if (!peer_last(p, TCP_SYN | TCP_ACK))
        return false;
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    return hawser_accept(p->listener, &p->conn) == 0;
}

/* Who sits still on all the connections that he can get leaves some to others, and gets more when there are more. */
static void nobody_locks_the_others_out(void **state)
{
    (void)state;
    enum { LIMIT = 64, SPARE = LIMIT / 8 };
    struct peer p;
    char bytes[8];
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, NULL);
    for (unsigned i = 0; i < LIMIT - SPARE; i++)
        assert_true(opens(&p, "10.0.0.66", (uint16_t)(2000 + i)));
    struct hawser_conn *one = p.conn;
    for (unsigned i = 0; i < 20; i++)
        assert_false(opens(&p, "10.0.0.66", (uint16_t)(3000 + i)));
    assert_int_equal(peer_counter(&p, "limit.shares_of_connections"), 20);
    for (unsigned i = 0; i < SPARE - 1; i++) {
        assert_true(opens(&p, "10.0.0.2", (uint16_t)(2000 + i)));
        peer_send(&p, TCP_ACK, 1, 1, NULL, "hello", 5);
        assert_int_equal(hawser_recv(p.conn, bytes, sizeof bytes), 5);
    }
    assert_true(opens(&p, "10.0.0.3", 2000));
    hawser_abort(one);
    peer_drain(&p);
    assert_false(opens(&p, "10.0.0.66", 4000));
    assert_true(opens(&p, "10.0.0.4", 2001));
    peer_destroy(&p);
}

/* A program that lets go of what failed. */
static unsigned let_go(struct peer *p)
{
    unsigned n = 0;
    for (struct hawser_conn *conn; (conn = next_told(p->stack));)
        if (hawser_conn_error(conn) == -ENOBUFS) {
            hawser_close(conn);
            n++;
        }
    peer_drain(p);
    return n;
}

static bool opens_from(struct peer *p, unsigned network, uint16_t port)
{
    char ip[32];
    snprintf(ip, sizeof ip, "10.0.%u.2", network);
    return opens(p, ip, port);
}

/* A connection and what its peer knows of it. */
struct place {
    struct hawser_conn *conn;
    struct hawser_addr addr;
    uint32_t irs;
};

static struct place place_of(const struct peer *p) { return (struct place){p->conn, p->addr, p->irs}; }

static bool is_there(const struct place *place) { return hawser_conn_error(place->conn) == 0; }

static void speak(struct peer *p, const struct place *place)
{
    char byte;
    p->addr = place->addr;
    p->irs = place->irs;
    peer_send(p, TCP_ACK, 1, 1, NULL, "x", 1);
    assert_int_equal(hawser_recv(place->conn, &byte, 1), 1);
    peer_wait(p, MS);
    peer_send(p, TCP_ACK, 2, 1, NULL, NULL, 0);
}

/* When one has most connections and many others take the rest, of the first one go, the idlest first, and nobody
 * else's. */
static void the_greediest_makes_room(void **state)
{
    (void)state;
    enum { LIMIT = 64, SPARE = LIMIT / 8, NETWORKS = 40 };
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, NULL);
    unsigned gone = 0;
    struct place greedy[LIMIT - SPARE], modest[NETWORKS];
    for (unsigned i = 0; i < LIMIT - SPARE; i++) {
        assert_true(opens(&p, "10.0.0.66", (uint16_t)(2000 + i)));
        greedy[i] = place_of(&p);
    }
    speak(&p, &greedy[0]);
    for (unsigned i = 0; i < NETWORKS; i++) {
        assert_true(opens_from(&p, 1 + i, 2000));
        modest[i] = place_of(&p);
        gone += let_go(&p);
    }
    assert_int_equal(peer_counter(&p, "limit.reset_for_connections"), gone);
    assert_in_range(gone, NETWORKS - SPARE, NETWORKS);
    assert_true(is_there(&greedy[0]) && is_there(&greedy[LIMIT - SPARE - 1]));
    for (unsigned i = 0; i < NETWORKS; i++)
        assert_true(is_there(&modest[i]));
    peer_destroy(&p);
}

/* Connections of as many networks, one each: nobody is greedy, and who made no progress for ten seconds goes. */
static void the_idlest_makes_room(void **state)
{
    (void)state;
    enum { LIMIT = 32 };
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, NULL);
    struct place places[LIMIT];
    for (unsigned i = 0; i < LIMIT; i++) {
        assert_true(opens_from(&p, 1 + i, 2000));
        places[i] = place_of(&p);
    }
    assert_false(opens_from(&p, 100, 2000));
    peer_wait(&p, 11 * SECOND);
    assert_int_equal(peer_counter(&p, "limit.reset_for_connections"), 0);
    speak(&p, &places[0]);
    for (unsigned i = 1; i < LIMIT / 2; i++) {
        bool full = i == 1;
        assert_int_equal(opens_from(&p, 100 + i, 2000), !full); /* one has to go first */
        assert_int_equal(let_go(&p), 1);
        assert_true(is_there(&places[0]) && is_there(&places[LIMIT - 1]));
    }
    peer_destroy(&p);
}

/* Who has all that are to be had by one address may have another one for an idle one. */
static void idle_ones_give_way_to_their_own(void **state)
{
    (void)state;
    enum { LIMIT = 64, SPARE = LIMIT / 8 };
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, NULL);
    for (unsigned i = 0; i < LIMIT - SPARE; i++)
        assert_true(opens(&p, "10.0.0.66", (uint16_t)(2000 + i)));
    assert_true(opens(&p, "10.0.0.67", 2000));
    assert_false(opens(&p, "10.0.0.66", 3000));
    peer_wait(&p, 11 * SECOND);
    for (unsigned i = 0; i < 2 * LIMIT; i++) {
        bool idle = i < LIMIT - SPARE;
        assert_int_equal(opens(&p, "10.0.0.66", (uint16_t)(3000 + i)), idle);
        assert_int_equal(let_go(&p), idle);
    }
    peer_destroy(&p);
}

/* A listener may have it otherwise. */
static void shares_are_the_listeners_choice(void **state)
{
    (void)state;
    enum { LIMIT = 16 };
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    struct hawser_conn_options trusting = {.size = sizeof trusting, .share = HAWSER_SHARE_NONE};
    peer_init(&p, &options, &trusting);
    for (unsigned i = 0; i < LIMIT; i++)
        assert_true(opens(&p, "10.0.0.66", (uint16_t)(2000 + i)));
    assert_false(opens(&p, "10.0.0.2", 2000));
    assert_int_equal(peer_counter(&p, "limit.shares_of_connections"), 0);
    peer_destroy(&p);
}

/* Of IPv6, the /64 has the share, unless those are meant who share one. */
static void a_subscriber_has_one_share(void **state)
{
    (void)state;
    struct test_env t;
    struct shares s;
    struct share *held[8];
    struct hawser_addr addr;
    test_env_init(&t, 1);
    struct account_root memory;
    account_init(&memory, &t.env, 2, 1);
    assert_int_equal(shares_init(&s, &t.env, 8, &memory.account), 0);
    for (unsigned i = 0; i < 7; i++) {
        char text[32];
        snprintf(text, sizeof text, "2001:db8:0:1::%x", i);
        assert_int_equal(hawser_addr_parse(&addr, text, 1), 0);
        assert_true(shares_admit(&s, HAWSER_SHARE_BY_ADDRESS, &addr, i));
        held[i] = shares_enter(&s, HAWSER_SHARE_BY_ADDRESS, &addr);
        assert_ptr_equal(held[i], held[0]);
    }
    assert_false(shares_admit(&s, HAWSER_SHARE_BY_ADDRESS, &addr, 7));
    assert_true(shares_admit(&s, HAWSER_SHARE_NONE, &addr, 7));
    assert_true(shares_admit(&s, HAWSER_SHARE_BY_HOST, &addr, 7));
    assert_int_equal(hawser_addr_parse(&addr, "2001:db8:0:2::1", 1), 0);
    assert_true(shares_admit(&s, HAWSER_SHARE_BY_ADDRESS, &addr, 7));
    for (unsigned i = 0; i < 7; i++)
        shares_leave(&s, held[i]);
    assert_int_equal(s.table.count, 0);
    for (unsigned i = 0; i < 7; i++) {
        addr.ip[15] = (uint8_t)i;
        held[i] = shares_ask(&s, HAWSER_SHARE_BY_HOST, &addr);
        assert_ptr_equal(held[i], shares_find(&s, HAWSER_SHARE_BY_HOST, &addr));
        assert_null(shares_find(&s, HAWSER_SHARE_BY_ADDRESS, &addr));
        assert_int_equal(s.table.count, i + 1);
    }
    for (unsigned i = 0; i < 7; i++)
        shares_unask(&s, held[i]);
    assert_int_equal(s.table.count, 0);
    shares_destroy(&s);
    test_env_check_clean(&t);
}

/* Where there are so many that one connection is a share, who has one gets more as long as somebody has two more yet.
 */
static void who_has_more_yet_makes_room(void **state)
{
    (void)state;
    enum { LIMIT = 32, SPARE = LIMIT / 8, OTHERS = 20, GREEDY = LIMIT - SPARE - OTHERS, MORE = 4 };
    struct peer p;
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, NULL);
    unsigned gone = 0;
    for (unsigned i = 0; i < OTHERS; i++)
        assert_true(opens_from(&p, 1 + i, 2000));
    for (uint16_t i = 0; i <= GREEDY; i++)
        assert_int_equal(opens_from(&p, 100, (uint16_t)(2000 + i)), i < GREEDY);
    for (uint16_t i = 0; i <= MORE; i++) {
        assert_int_equal(opens_from(&p, 1, (uint16_t)(3000 + i)), i < MORE);
        gone += let_go(&p);
    }
    assert_int_equal(gone, 2); /* to five there, and six */
    peer_destroy(&p);
}

/* Connections of our own leave some to those who come, as long as there is a listener. */
static void calls_leave_room_for_callers(void **state)
{
    (void)state;
    enum { LIMIT = 32, SPARE = LIMIT / 16 };
    struct peer p;
    struct hawser_addr to;
    struct hawser_conn *conn;
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, NULL);
    assert_int_equal(hawser_addr_parse(&to, "10.0.0.66", 80), 0);
    for (unsigned i = 0; i < LIMIT - SPARE; i++)
        assert_int_equal(hawser_connect(p.stack, &to, NULL, p.now_ns, &conn), 0);
    assert_int_equal(hawser_connect(p.stack, &to, NULL, p.now_ns, &conn), -ENOBUFS);
    assert_int_equal(peer_counter(&p, "limit.connections"), 1);
    peer_drain(&p);
    assert_true(opens(&p, "10.0.0.2", 2000));
    assert_int_equal(hawser_connect(p.stack, &to, NULL, p.now_ns, &conn), -ENOBUFS);
    assert_false(opens(&p, "10.0.0.2", 2001)); /* who has half of these has his share */
    assert_true(opens(&p, "10.0.0.3", 2000));
    hawser_abort(p.conn);
    peer_drain(&p);
    hawser_listener_close(p.listener);
    assert_int_equal(hawser_connect(p.stack, &to, NULL, p.now_ns, &conn), 0);
    peer_destroy(&p);
}

/* Joins do not take what others need: neither the first subflow of a new connection, nor the second of an old one. */
static void joins_leave_room(void **state)
{
    (void)state;
    enum { LIMIT = 16, GREEDY = 4, EACH = 8 };
    struct peer p;
    struct line lines[GREEDY];
    struct hawser_subflow_info info = {.size = sizeof info};
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, NULL);
    struct line modest = line_open(&p, 4000);
    for (uint16_t i = 0; i < GREEDY; i++)
        lines[i] = line_open(&p, (uint16_t)(4001 + i));
    for (uint16_t i = 0; i < GREEDY * EACH; i++) {
        (void)line_join(&p, &lines[i % GREEDY], (uint16_t)(5000 + i));
        if (peer_counter(&p, "limit.subflows"))
            break;
    }
    assert_int_equal(peer_counter(&p, "limit.subflows"), 1);
    (void)line_join(&p, &modest, 6000);
    assert_int_equal(hawser_subflow_get_info(modest.conn, 1, &info), 0);
    p.addr.port = 7000;
    peer_open_plain(&p);
    peer_destroy(&p);
}

static unsigned subflows_of(const struct line *line)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    unsigned n = 0;
    while (hawser_subflow_get_info(line->conn, n, &info) == 0)
        n++;
    return n;
}

/* Nor the second of anybody, however many have one: subflows beyond that are lent. */
static void a_second_subflow_is_everybodys(void **state)
{
    (void)state;
    enum { LIMIT = 16, GREEDY = 2, EACH = 8, ALL = 14 };
    struct peer p;
    struct line lines[ALL];
    struct hawser_conn_options listening = {.size = sizeof listening, .share = HAWSER_SHARE_NONE};
    struct hawser_stack_options options = {.size = sizeof options, .max_connections = LIMIT};
    peer_init(&p, &options, &listening);
    uint16_t port = 4000;
    for (unsigned i = 0; i < ALL; i++)
        lines[i] = line_open(&p, port++);
    for (unsigned i = 0; i < GREEDY * (EACH - 1); i++)
        (void)line_join(&p, &lines[i / (EACH - 1)], port++);
    assert_int_equal(subflows_of(&lines[0]) + subflows_of(&lines[1]), GREEDY * EACH);
    for (unsigned i = GREEDY; i < ALL; i++)
        (void)line_join(&p, &lines[i], port++);
    for (unsigned i = 0; i < ALL; i++)
        assert_true(subflows_of(&lines[i]) >= 2);
    assert_int_equal(peer_counter(&p, "limit.subflows"), 0);
    assert_int_equal(peer_counter(&p, "limit.subflows_taken_back"), ALL - GREEDY);
    const struct peer_segment *reset = peer_last(&p, TCP_RST);
    assert_true(reset && reset->options.mp.tcprst.reason == MP_RST_RESOURCES && reset->options.mp.tcprst.transient);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_byte_a_segment),
        cmocka_unit_test(the_starved_are_fed_in_turn),
        cmocka_unit_test(memory_that_is_not_wanted_goes_to_the_next),
        cmocka_unit_test(the_system_is_asked_again),
        cmocka_unit_test(a_subflow_without_memory_has_to_wait),
        cmocka_unit_test(a_link_is_not_emptied_by_a_gap),
        cmocka_unit_test(any_number_of_connections),
        cmocka_unit_test(nobody_locks_the_others_out),
        cmocka_unit_test(the_greediest_makes_room),
        cmocka_unit_test(the_idlest_makes_room),
        cmocka_unit_test(idle_ones_give_way_to_their_own),
        cmocka_unit_test(shares_are_the_listeners_choice),
        cmocka_unit_test(a_subscriber_has_one_share),
        cmocka_unit_test(who_has_more_yet_makes_room),
        cmocka_unit_test(calls_leave_room_for_callers),
        cmocka_unit_test(data_acks_ahead_of_subflow_acks),
        cmocka_unit_test(data_acks_ahead_on_the_only_subflow),
        cmocka_unit_test(joins_leave_room),
        cmocka_unit_test(a_second_subflow_is_everybodys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
