/* Path managers at work between two stacks, priorities of subflows, and an end of the stream that waits for joins. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "mptcp/addresses.h"
#include "mptcp/subflow.h"
#include "pair.h"
#include "peer.h"
#include "stack/stack.h"
#include "wire/keys.h"

static struct hawser_path_options named(const char *name)
{
    return (struct hawser_path_options){.size = sizeof(struct hawser_path_options),
                                        .manager = hawser_path_manager_find(name)};
}

/* Where a test says no rate: what a second carries is to be counted, not to be much. */
static void limit_rates(struct world *w)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(w->paths); i++)
        if (w->paths[i].rate_bps == 0) {
            w->paths[i].rate_bps = 10000000;
            w->paths[i].queue_bytes = 60000;
        }
}

/* Lets time pass, while `from` sends all it can; returns how much `to` got. */
static uint64_t pump(struct pair *p, int from, uint64_t for_ns)
{
    static uint8_t bytes[16384];
    struct world *w = &p->w;
    uint64_t until = w->now_ns + for_ns, got = 0;
    limit_rates(w);
    for (bool more = true; more;) {
        ssize_t n;
        while (hawser_send(p->conn[from], bytes, sizeof bytes) > 0)
            ;
        while ((n = hawser_recv(p->conn[!from], bytes, sizeof bytes)) > 0)
            got += (uint64_t)n;
        more = world_step(w, until);
    }
    w->now_ns = until;
    return got;
}

static bool is_v4_at(const struct pair *p, size_t i)
{
    const struct hawser_subflow_info info = pair_subflow(p, 0, i);
    return hawser_addr_is_v4(&info.local);
}

/* ---- what a peer makes a path manager do ---- */

static unsigned priorities;

static void count_priorities(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)pm;
    (void)view;
    priorities += !!(what & HAWSER_PM_PRIORITY);
}

static void send_priority(struct peer *p, bool backup)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_PRIO};
    o.mp.prio.backup = backup;
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

/* It is shown all that there is each time. */
static void a_peer_calls_it_no_more_than_once_in_an_interval(void **state)
{
    (void)state;
    static const struct hawser_path_manager counting = {
        .size = sizeof counting, .name = "counting", .event = count_priorities};
    const struct hawser_path_options paths = {.size = sizeof paths, .manager = &counting};
    const struct hawser_conn_options listening = {.size = sizeof listening, .paths = &paths};
    struct peer p;
    peer_init(&p, NULL, &listening);
    peer_open_mptcp(&p);
    priorities = 0;
    send_priority(&p, true);
    assert_int_equal(priorities, 1);
    peer_wait(&p, NS_PER_S);
    for (unsigned i = 0; i < 100; i++)
        send_priority(&p, true); /* which it is */
    peer_wait(&p, NS_PER_S);
    assert_int_equal(priorities, 1);
    for (unsigned i = 0; i < 101; i++)
        send_priority(&p, i % 2);
    assert_int_equal(priorities, 2);
    peer_wait(&p, NS_PER_S); /* the last word is heard */
    assert_int_equal(priorities, 3);
    peer_destroy(&p);
}

/* ---- between two stacks ---- */

static void a_full_mesh(void **state)
{
    (void)state;
    struct pair p;
    const struct hawser_path_options mesh = named("fullmesh");
    world_init(&p.w, 1, 3, 3, false, NULL, NULL);
    pair_open(&p, &mesh, NULL, 16);
    assert_int_equal(pair_subflows(&p, 0), 9);
    assert_int_equal(pair_subflows(&p, 1), 9);
    assert_true(pump(&p, 1, NS_PER_S) > 1000);
    pair_close(&p);
}

static void several_over_one_pair(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_path_options ports = named("ports");
    ports.subflows = 3;
    world_init(&p.w, 2, 2, 1, false, NULL, NULL);
    pair_open(&p, &ports, NULL, 0);
    assert_int_equal(pair_subflows(&p, 0), 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pair_subflow(&p, 0, i).local_id, 0);
    pair_close(&p);
}

static void not_before_there_is_a_demand(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_path_options demand = named("on-demand");
    demand.demand_bytes = 100000;
    world_init(&p.w, 3, 2, 1, false, NULL, NULL);
    pair_open(&p, &demand, NULL, 0);
    assert_int_equal(pair_subflows(&p, 0), 1);
    assert_true(pump(&p, 1, NS_PER_S) > 100000);
    assert_int_equal(pair_subflows(&p, 0), 2);
    pair_close(&p);
}

/* RFC 8684 3.3.8: take-over and return, with the backup of either end. */
static void a_backup_takes_over_and_gives_back(void **state)
{
    (void)state;
    for (int sender = 0; sender < 2; sender++) {
        struct pair p;
        const struct hawser_path_options backup = named("backup");
        world_init(&p.w, 4, 2, 1, false, NULL, NULL);
        pair_open(&p, &backup, NULL, 0);
        assert_int_equal(pair_subflows(&p, 1), 2);
        assert_false(pair_subflow(&p, 1, 0).backup);
        assert_true(pair_subflow(&p, 1, 1).backup);
        const uint64_t *carried = &p.w.paths[1].delivered_bytes[sender];
        uint64_t before = *carried;
        assert_true(pump(&p, sender, 2 * NS_PER_S) > 1500000);
        assert_in_range(*carried - before, 0, 10000);
        p.w.paths[0].down = true;
        assert_true(pump(&p, sender, 3 * NS_PER_S) > 1500000);
        p.w.paths[0].down = false;
        pump(&p, sender, 5 * NS_PER_S);
        before = *carried;
        assert_true(pump(&p, sender, 2 * NS_PER_S) > 1500000);
        assert_in_range(*carried - before, 0, 100000);
        pair_close(&p);
    }
}

/* In mid-stream, by either program, and although what says so is lost at first. */
static void a_priority_changes(void **state)
{
    (void)state;
    for (int end = 0; end < 2; end++) {
        struct pair p;
        world_init(&p.w, 5, 2, 1, false, NULL, NULL);
        pair_open(&p, NULL, NULL, 0);
        pump(&p, 1, NS_PER_S);
        const uint32_t id = pair_subflow(&p, end, 1).id;
        for (int backup = 1; backup >= 0; backup--) {
            p.w.paths[1].loss = 1;
            assert_int_equal(hawser_subflow_set_backup(p.conn[end], id, backup), 0);
            pair_live(&p, NS_PER_S / 20);
            p.w.paths[1].loss = 0;
            pump(&p, 1, 3 * NS_PER_S);
            pair_live(&p, SIGNAL_ROW_NS); /* one that is idle may say no third thing in a row */
            for (int side = 0; side < 2; side++)
                assert_int_equal(pair_subflow(&p, side, 1).backup, backup);
            uint64_t before = p.w.paths[1].delivered_bytes[1];
            pump(&p, 1, NS_PER_S);
            uint64_t carried = p.w.paths[1].delivered_bytes[1] - before;
            assert_true(backup ? carried < 10000 : carried > 300000);
        }
        assert_int_equal(hawser_subflow_set_backup(p.conn[end], 999, true), -ENOENT);
        pair_close(&p);
    }
}

/* An address that is marked at either end, be it that on which the connection began: SYNs, SYN/ACKs and MP_PRIO tell.
 */
static void either_end_marks_backups(void **state)
{
    (void)state;
    for (int marker = 0; marker < 2; marker++)
        for (unsigned which = 0; which < 2; which++) {
            struct pair p;
            world_init(&p.w, 6, 2, 2, false, NULL, NULL);
            const struct hawser_addr client = world_client_addr(&p.w, which),
                                     server = world_server_addr(&p.w, which, 0);
            const struct hawser_prefix metered = {marker ? server : client, 32};
            struct hawser_path_options marked = named("default");
            marked.backup = &metered;
            marked.backup_count = 1;
            pair_open(&p, marker ? NULL : &marked, marker ? &marked : NULL, 0);
            assert_int_equal(pair_subflows(&p, 0), 3);
            for (int end = 0; end < 2; end++)
                for (size_t i = 0; i < 3; i++) {
                    const struct hawser_subflow_info info = pair_subflow(&p, end, i);
                    const struct hawser_addr *at = end == marker ? &info.local : &info.remote;
                    assert_int_equal(info.backup, hawser_addr_same_ip(at, &metered.addr));
                }
            pair_close(&p);
        }
}

/* A join for which this end is short of something, as of subflows, is tried each second. */
static void a_shortage_of_ours_is_no_silence_of_the_peer(void **state)
{
    (void)state;
    enum { SHORT = 1 << 20 };
    struct peer p;
    struct hawser_addr addr;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    assert_int_equal(hawser_addr_parse(&addr, "10.0.0.11", 0), 0);
    p.stack->host.joined_subflows += SHORT;
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &addr, 24, p.now_ns), 0);
    peer_wait(&p, 8 * NS_PER_S + 1);
    assert_int_equal(peer_count_syns(&p), 0);
    assert_int_equal(peer_counter(&p, "limit.subflows"), 9);
    p.stack->host.joined_subflows -= SHORT;
    peer_wait(&p, NS_PER_S);
    assert_int_equal(peer_count_syns(&p), 1);
    peer_destroy(&p);
}

static void add_both(struct world *w, unsigned path, const char *client, const char *server, unsigned bits)
{
    struct hawser_addr addr;
    (void)path;
    assert_int_equal(hawser_addr_parse(&addr, client, 0), 0);
    assert_int_equal(hawser_stack_add_address(w->stack[0], 0, &addr, bits, w->now_ns), 0);
    assert_int_equal(hawser_addr_parse(&addr, server, 0), 0);
    assert_int_equal(hawser_stack_add_address(w->stack[1], 0, &addr, bits, w->now_ns), 0);
}

static void a_connection_of_one_family_with_subflows_of_the_other(void **state)
{
    (void)state;
    for (int v6 = 0; v6 < 2; v6++) {
        struct pair p;
        world_init(&p.w, 7, 2, 1, v6, NULL, NULL);
        if (v6)
            add_both(&p.w, 1, "10.9.1.7", "10.9.1.8", 24);
        else
            add_both(&p.w, 1, "fd09:1::7", "fd09:1::8", 64);
        pair_open(&p, NULL, NULL, 0);
        assert_int_equal(pair_subflows(&p, 1), 3);
        bool other = false;
        for (size_t i = 0; i < 3; i++)
            other |= is_v4_at(&p, i) == v6;
        assert_true(other);
        p.w.paths[0].down = true; /* which of the two is cut does not matter to the stream */
        assert_true(pump(&p, 1, 3 * NS_PER_S) > 1000000);
        pair_close(&p);
    }
}

/* Each end has more addresses than subflows are allowed. */
static void many_addresses(void **state)
{
    (void)state;
    static const char *const names[] = {"default", "fullmesh"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(names); i++) {
        struct pair p;
        const struct hawser_path_options options = named(names[i]);
        world_init(&p.w, 8, 1, 1, false, NULL, NULL);
        for (unsigned n = 10; n < 10 + HOST_ADDRESSES_MAX - 1; n++) {
            for (int end = 0; end < 2; end++) {
                struct hawser_addr addr = end ? world_server_addr(&p.w, 0, 0) : world_client_addr(&p.w, 0);
                addr.ip[15] = (uint8_t)(n + (end ? 100 : 0));
                assert_int_equal(hawser_stack_add_address(p.w.stack[end], 0, &addr, 24, p.w.now_ns), 0);
            }
        }
        pair_open(&p, &options, NULL, 32);
        pair_live(&p, 60 * NS_PER_S);
        assert_int_equal(pair_subflows(&p, 0), 32);
        assert_int_equal(pair_subflows(&p, 1), 32);
        p.w.paths[0].rate_bps = 100000000;
        p.w.paths[0].queue_bytes = 1000000;
        assert_true(pump(&p, 1, NS_PER_S) > 1000000);
        pair_close(&p);
    }
}

/* What concerns all paths is not said on those that are known to be dead; nor, where that is not known, on the same one
 * again and again. */
static void an_address_is_announced_where_somebody_answers(void **state)
{
    (void)state;
    for (int busy = 0; busy < 2; busy++) {
        struct pair p;
        world_init(&p.w, 12, 4, 1, false, NULL, NULL);
        pair_open(&p, NULL, NULL, 0);
        assert_int_equal(pair_subflows(&p, 1), 4);
        for (unsigned i = 0; i < 3; i++)
            p.w.paths[i].down = true;
        if (busy)
            pump(&p, 1, 3 * NS_PER_S);
        const struct hawser_addr more = world_server_addr(&p.w, 1, 0);
        assert_int_equal(hawser_stack_add_address(p.w.stack[1], 0, &more, 24, p.w.now_ns), 0);
        pair_live(&p, busy ? NS_PER_S / 10 : 5 * NS_PER_S);
        assert_int_equal(world_counter(&p.w, 0, "mptcp.addresses_learned"), 1);
        pair_close(&p);
    }
}

/* More often than there are address IDs (RFC 8684 3.4.1). */
static void an_address_that_comes_and_goes(void **state)
{
    (void)state;
    for (int end = 0; end < 2; end++)
        for (unsigned which = 0; which < 2; which++) {
            struct pair p;
            world_init(&p.w, 13, 2, 2, false, NULL, NULL);
            pair_open(&p, NULL, NULL, 0);
            const struct hawser_addr addr = end ? world_server_addr(&p.w, which, 0) : world_client_addr(&p.w, which);
            for (int i = 0; i < 300; i++) {
                assert_int_equal(hawser_stack_remove_address(p.w.stack[end], &addr, p.w.now_ns), 0);
                pair_live(&p, i % 2 ? NS_PER_S : NS_PER_S / 50);
                assert_int_equal(hawser_stack_add_address(p.w.stack[end], 0, &addr, 24, p.w.now_ns), 0);
                pair_live(&p, i % 3 ? NS_PER_S : NS_PER_S / 50);
            }
            pair_live(&p, 2 * SIGNAL_ROW_NS);
            bool serves = false;
            for (size_t i = 0; i < pair_subflows(&p, end); i++) {
                const struct hawser_subflow_info info = pair_subflow(&p, end, i);
                serves |= hawser_addr_same_ip(&info.local, &addr);
            }
            assert_true(serves);
            pair_close(&p);
        }
}

static void announce_with_port(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    for (unsigned l = 0; l < view->local_count; l++)
        (void)hawser_pm_announce(pm, l, PAIR_PORT + 1);
}

/* RFC 8684 3.4.1: beside timestamps an IPv6 address with its port and HMAC takes the last byte of the options. */
static void an_address_with_a_port(void **state)
{
    (void)state;
    static const struct hawser_path_manager manager = {
        .size = sizeof manager, .name = "x", .event = announce_with_port};
    const struct hawser_path_options announcing = {.size = sizeof announcing, .manager = &manager};
    for (int v6 = 0; v6 < 2; v6++) {
        struct pair p;
        bool joined = false;
        world_init(&p.w, 11, 2, 2, v6, NULL, NULL);
        pair_open(&p, NULL, &announcing, 0);
        const struct hawser_addr second = world_server_addr(&p.w, 1, PAIR_PORT + 1);
        for (size_t i = 0; i < pair_subflows(&p, 0); i++) {
            const struct hawser_subflow_info info = pair_subflow(&p, 0, i);
            joined |= hawser_addr_equal(&info.remote, &second);
        }
        assert_true(joined);
        pair_close(&p);
    }
}

static struct hawser_pm_subflow seen;

static void watch_the_first(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    assert_int_equal(view->locals[0]->prefix_len, 24);
    seen = *view->subflows[0];
    hawser_pm_wake(pm, view->now_ns + NS_PER_MS);
}

/* What a subflow carried, and when it was heard of last. */
static void it_sees_what_a_subflow_carries(void **state)
{
    (void)state;
    static const struct hawser_path_manager manager = {
        .size = sizeof manager, .name = "watching", .event = watch_the_first};
    const struct hawser_path_options options = {.size = sizeof options, .manager = &manager};
    struct pair p;
    world_init(&p.w, 120, 1, 1, false, NULL, NULL);
    pair_open(&p, &options, NULL, 0);
    static const uint8_t bytes[10000];
    assert_int_equal(hawser_send(p.conn[0], bytes, sizeof bytes), sizeof bytes);
    uint64_t heard_until_ns = p.w.now_ns;
    pair_live(&p, 10 * NS_PER_S);
    const struct hawser_subflow_info info = pair_subflow(&p, 0, 0);
    assert_in_range(seen.sent_bytes, sizeof bytes, 2 * sizeof bytes);
    assert_int_equal(seen.sent_bytes, info.sent_bytes);
    assert_int_equal(seen.recv_bytes, 1);
    assert_in_range(seen.heard_ns, heard_until_ns - NS_PER_S, heard_until_ns + NS_PER_S);
    pair_close(&p);
}

static unsigned told_of_bytes;

static void ask_when_idle(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    if (what & HAWSER_PM_CONFIRMED)
        hawser_pm_wake(pm, view->now_ns + 10 * NS_PER_S);
    if (what & HAWSER_PM_TIMER)
        hawser_pm_tell_at(pm, view->bytes);
    told_of_bytes += (what & HAWSER_PM_BYTES) != 0;
}

/* A mark that is reached already: on an idle stream there may never be more. */
static void a_mark_on_an_idle_stream(void **state)
{
    (void)state;
    static const struct hawser_path_manager manager = {.size = sizeof manager, .name = "idle", .event = ask_when_idle};
    const struct hawser_path_options options = {.size = sizeof options, .manager = &manager};
    struct pair p;
    world_init(&p.w, 119, 1, 1, false, NULL, NULL);
    pair_open(&p, &options, NULL, 0);
    pair_live(&p, 5 * NS_PER_S);
    assert_int_equal(told_of_bytes, 0);
    pair_live(&p, 10 * NS_PER_S);
    assert_int_equal(told_of_bytes, 1);
    pair_close(&p);
}

static void a_denied_address_is_not_joined(void **state)
{
    (void)state;
    struct pair p;
    world_init(&p.w, 9, 2, 1, false, NULL, NULL);
    const struct hawser_prefix second = {world_client_addr(&p.w, 1), 32};
    struct hawser_path_options deny = named("default");
    deny.deny = &second;
    deny.deny_count = 1;
    pair_open(&p, NULL, &deny, 0); /* the peer does not know, and is told so (RFC 8684 3.6) */
    pair_live(&p, 10 * NS_PER_S);
    assert_int_equal(pair_subflows(&p, 0), 1);
    assert_int_equal(world_counter(&p.w, 1, "drop.join_prohibited"), 1);
    pair_close(&p);
}

/* A stack's choice holds where a connection has none of its own; and what cannot be is refused, wherever it stands. */
static void whose_options_hold(void **state)
{
    (void)state;
    struct pair p;
    struct hawser_path_options ports = named("ports");
    const struct hawser_stack_options options = {.size = sizeof options, .paths = &ports};
    world_init(&p.w, 10, 2, 1, false, &options, NULL);
    ports.subflows = 5; /* it was copied */
    pair_open(&p, NULL, NULL, 0);
    assert_int_equal(pair_subflows(&p, 0), 2);
    assert_int_equal(pair_subflow(&p, 0, 1).local_id, 0);
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    struct hawser_stack *stack;
    const struct hawser_addr to = world_server_addr(&p.w, 0, PAIR_PORT), any = {.port = 1};
    ports.size = 1;
    const struct hawser_conn_options bad = {.size = sizeof bad, .paths = &ports};
    assert_int_equal(hawser_connect(p.w.stack[0], &to, &bad, p.w.now_ns, &conn), -EINVAL);
    assert_int_equal(hawser_listen(p.w.stack[0], &any, 1, &bad, &listener), -EINVAL);
    assert_int_equal(hawser_stack_new(&p.w.env[0].env, &options, &stack), -EINVAL);
    pair_close(&p);
}

/* ---- by hand ---- */

/* A stack with two addresses that has opened a connection to us, and whose program has no more to say. */
static void begin_download(struct peer *p, unsigned addresses)
{
    struct hawser_addr second;
    peer_init(p, NULL, NULL);
    assert_int_equal(hawser_addr_parse(&second, "10.0.0.77", 0), 0);
    if (addresses > 1)
        assert_int_equal(hawser_stack_add_address(p->stack, 0, &second, 24, p->now_ns), 0);
    peer_connect(p, false);
    hawser_shutdown(p->conn);
}

static unsigned count_data_fins(const struct peer *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->seen_count; i++)
        n += mptcp_has(&p->seen[i].options.mp, MPTCP_DSS) && p->seen[i].options.mp.dss.data_fin;
    return n;
}

static void answer_syn(struct peer *p, uint64_t rtt_ns)
{
    struct tcp_options o = {
        .mp = {
            .present = 1u << MPTCP_CAPABLE,
            .capable = {.version = 1, .algorithms = MPTCP_HMAC_SHA256, .has_sender_key = true, .sender_key = p->key}}};
    peer_wait(p, rtt_ns);
    peer_send(p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
}

static void confirm(struct peer *p)
{
    uint32_t token;
    for (unsigned i = 0; i < p->seen_count; i++)
        if (mptcp_has(&p->seen[i].options.mp, MPTCP_CAPABLE))
            p->stack_key = p->seen[i].options.mp.capable.sender_key;
    mptcp_key_derive(p->key, &token, &p->idsn);
    mptcp_key_derive(p->stack_key, &token, &p->stack_idsn);
    struct tcp_options o = peer_dss(p, 1, 0, 0, 0);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

/* Linux refuses joins once it has the DATA_FIN: it waits until they are through. */
static void the_end_of_the_stream_waits_for_joins(void **state)
{
    (void)state;
    struct peer p;
    begin_download(&p, 2);
    answer_syn(&p, NS_PER_S / 10);
    assert_int_equal(count_data_fins(&p), 0);
    confirm(&p);
    assert_int_equal(count_data_fins(&p), 0);
    assert_int_equal(peer_count_syns(&p), 2);
    peer_answer_join(&p);
    peer_wait(&p, NS_PER_MS);
    assert_true(count_data_fins(&p) > 0);
    peer_destroy(&p);
}

/* But not for ever: for three round trips of the first subflow. */
static void nor_does_it_wait_for_ever(void **state)
{
    (void)state;
    static const struct {
        uint64_t rtt_ns, patience_ns;
        bool confirmed;
    } cases[] = {{NS_PER_S / 10, 3 * NS_PER_S / 10, true}, {NS_PER_S / 10, 3 * NS_PER_S / 10, false}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct peer p;
        begin_download(&p, 2);
        answer_syn(&p, cases[i].rtt_ns);
        if (cases[i].confirmed)
            confirm(&p);
        peer_wait(&p, cases[i].patience_ns - NS_PER_MS);
        assert_int_equal(count_data_fins(&p), 0);
        peer_wait(&p, cases[i].confirmed ? 2 * NS_PER_MS : 3 * NS_PER_S); /* it takes turns with our key until then */
        assert_true(count_data_fins(&p) > 0);
        peer_destroy(&p);
    }
}

/* Where no join is wanted, or it is refused, or the peer has finished, or nobody listens any more, it does not. */
static void it_waits_only_for_something(void **state)
{
    (void)state;
    enum { ONE_ADDRESS, REFUSED, FINISHED, CLOSED, CASES };
    for (int i = 0; i < CASES; i++) {
        struct peer p;
        begin_download(&p, i == ONE_ADDRESS ? 1 : 2);
        answer_syn(&p, NS_PER_S / 10);
        if (i == CLOSED) {
            hawser_close(p.conn);
            peer_drain(&p);
        }
        const uint32_t irs = p.irs;
        confirm(&p);
        if (i == FINISHED) {
            p.irs = irs; /* and not that of the join */
            struct tcp_options o = peer_dss(&p, 1, 1, 0, 1);
            o.mp.dss.data_fin = true;
            o.mp.dss.len = 1;
            peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
        }
        if (i == REFUSED)
            peer_refuse_join(&p);
        peer_wait(&p, NS_PER_MS);
        assert_true(count_data_fins(&p) > 0);
        peer_destroy(&p);
    }
}

/* Nobody joins for a short exchange; but who has said all, and heard nothing, may get a long answer, and afterwards it
 * is too late for a join. */
static void who_has_only_to_listen_is_joined_first(void **state)
{
    (void)state;
    for (int heard = 0; heard < 2; heard++) {
        struct peer p;
        struct hawser_addr second;
        struct hawser_path_options demand = named("on-demand");
        demand.demand_ns = NS_PER_S;
        const struct hawser_stack_options options = {.size = sizeof options, .paths = &demand};
        peer_init(&p, &options, NULL);
        assert_int_equal(hawser_addr_parse(&second, "10.0.0.77", 0), 0);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &second, 24, p.now_ns), 0);
        peer_connect_mptcp(&p);
        if (heard) {
            struct tcp_options o = peer_dss(&p, 1, 1, 1, 1);
            peer_send(&p, TCP_ACK, 1, 1, &o, "a", 1);
        }
        assert_int_equal(peer_count_syns(&p), 0);
        hawser_shutdown(p.conn);
        peer_drain(&p);
        assert_int_equal(peer_count_syns(&p), !heard);
        assert_int_equal(count_data_fins(&p) > 0, heard);
        if (!heard)
            peer_answer_join(&p);
        peer_wait(&p, NS_PER_MS);
        assert_true(count_data_fins(&p) > 0);
        peer_destroy(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_peer_calls_it_no_more_than_once_in_an_interval),
        cmocka_unit_test(a_full_mesh),
        cmocka_unit_test(several_over_one_pair),
        cmocka_unit_test(not_before_there_is_a_demand),
        cmocka_unit_test(a_backup_takes_over_and_gives_back),
        cmocka_unit_test(a_priority_changes),
        cmocka_unit_test(either_end_marks_backups),
        cmocka_unit_test(a_shortage_of_ours_is_no_silence_of_the_peer),
        cmocka_unit_test(a_connection_of_one_family_with_subflows_of_the_other),
        cmocka_unit_test(many_addresses),
        cmocka_unit_test(an_address_is_announced_where_somebody_answers),
        cmocka_unit_test(an_address_that_comes_and_goes),
        cmocka_unit_test(an_address_with_a_port),
        cmocka_unit_test(it_sees_what_a_subflow_carries),
        cmocka_unit_test(a_mark_on_an_idle_stream),
        cmocka_unit_test(a_denied_address_is_not_joined),
        cmocka_unit_test(whose_options_hold),
        cmocka_unit_test(the_end_of_the_stream_waits_for_joins),
        cmocka_unit_test(nor_does_it_wait_for_ever),
        cmocka_unit_test(it_waits_only_for_something),
        cmocka_unit_test(who_has_only_to_listen_is_joined_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
