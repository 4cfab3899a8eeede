/* Several stacks that stand for one host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "peer.h"
#include "wire/ip.h"

#define SECOND UINT64_C(1000000000)

static void opens(struct peer *p, struct peer_segment *syn)
{
    struct hawser_conn_options options = {.size = sizeof options, .local = p->own};
    options.local.port = 5000;
    peer_forget(p);
    assert_int_equal(hawser_connect(p->stack, &p->addr, &options, p->now_ns, &p->conn), 0);
    peer_drain(p);
    *syn = *peer_last(p, TCP_SYN);
    hawser_abort(p->conn);
    peer_drain(p);
}

/* RFC 6528, RFC 7323 5.4: numbers of a 4-tuple come from the secret and the clock, of whichever stack. */
static void one_secret_one_numbering(void **state)
{
    (void)state;
    struct hawser_stack_options options = {.size = sizeof options, .secret = "known to both"};
    struct peer a, b, stranger;
    struct peer_segment syn_a, syn_b, syn_stranger;
    peer_init(&a, &options, NULL);
    peer_init(&b, &options, NULL);
    peer_init(&stranger, NULL, NULL);
    b.now_ns += SECOND;
    opens(&a, &syn_a);
    opens(&b, &syn_b);
    opens(&stranger, &syn_stranger);
    assert_int_equal(syn_b.number - syn_a.number, SECOND / 4000);
    assert_int_equal(syn_b.options.ts_val - syn_a.options.ts_val, 1000);
    assert_int_not_equal(syn_stranger.number, syn_a.number);
    assert_int_not_equal(syn_stranger.options.ts_val, syn_a.options.ts_val);
    peer_destroy(&a);
    peer_destroy(&b);
    peer_destroy(&stranger);
}

/* RFC 6191: the next connection between the same ports is told from the one before by its timestamps. */
static void timestamps_go_on_between_connections(void **state)
{
    (void)state;
    struct peer p;
    struct peer_segment first, second;
    peer_init(&p, NULL, NULL);
    opens(&p, &first);
    peer_wait(&p, SECOND);
    opens(&p, &second);
    assert_int_equal(second.options.ts_val - first.options.ts_val, 1000);
    peer_destroy(&p);
}

/* ---- two stacks behind one steering ---- */

enum { SHARDS = 2, CLIENT = SHARDS, STACKS, EXACT_MAX = 128, CONNECTIONS = 24 };

struct exact {
    struct hawser_addr local, remote; /* of the site and of the client */
    int shard;
};

struct site {
    struct test_env env[STACKS];
    struct hawser_stack *stack[STACKS];
    struct hawser_listener *listener[STACKS];
    struct exact exact[EXACT_MAX]; /* joins that another shard took than the one they were steered to */
    unsigned exact_count;
    uint64_t now_ns;
};

static struct hawser_addr site_address(unsigned path, unsigned host, uint16_t port)
{
    char text[32];
    struct hawser_addr addr;
    snprintf(text, sizeof text, "10.7.%u.%u", path, host);
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static void site_init(struct site *s)
{
    static const struct hawser_addr any = {.port = PEER_PORT};
    memset(s, 0, sizeof *s);
    s->now_ns = SECOND;
    for (unsigned i = 0; i < STACKS; i++) {
        struct hawser_stack_options options = {.size = sizeof options, .secret = "of the site"};
        options.shard = i == CLIENT ? 0 : i;
        options.shard_count = i == CLIENT ? 0 : SHARDS;
        test_env_init(&s->env[i], i + 1);
        assert_int_equal(hawser_stack_new(&s->env[i].env, &options, &s->stack[i]), 0);
        struct hawser_link_options link = {.size = sizeof link, .mtu = 1500};
        assert_int_equal(hawser_stack_add_link(s->stack[i], &link), 0);
        for (unsigned path = 0; path < 2; path++) {
            struct hawser_addr addr = site_address(path, i == CLIENT ? 1 : 2, 0);
            assert_int_equal(hawser_stack_add_address(s->stack[i], 0, &addr, 24, s->now_ns), 0);
        }
        assert_int_equal(hawser_listen(s->stack[i], &any, 128, NULL, &s->listener[i]), 0);
    }
}

static void site_destroy(struct site *s)
{
    for (unsigned i = 0; i < STACKS; i++) {
        hawser_stack_free(s->stack[i]);
        test_env_check_clean(&s->env[i]);
    }
}

static void ends_of(const struct hawser_rx *rx, struct hawser_addr *local, struct hawser_addr *remote)
{
    struct ip_header ip;
    struct tcp_header tcp;
    assert_int_equal(ip_parse(rx->data, rx->len, false, &ip), IP_OK);
    assert_true(tcp_header_parse(rx->data + ip.header_len, ip.payload_len, &tcp));
    *local = ip.dst;
    *remote = ip.src;
    local->port = tcp.dst_port;
    remote->port = tcp.src_port;
}

static int steer(const struct site *s, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    for (unsigned i = 0; i < s->exact_count; i++)
        if (hawser_addr_equal(&s->exact[i].local, local) && hawser_addr_equal(&s->exact[i].remote, remote))
            return s->exact[i].shard;
    int shard = hawser_shard_of_port(local->port, SHARDS);
    return shard >= 0 ? shard : (remote->port + remote->ip[14]) % SHARDS;
}

/* A packet for the site: what its shard declines goes to the other one, for good. */
static void admit(struct site *s, const struct hawser_rx *rx)
{
    struct hawser_addr local, remote;
    bool declined;
    ends_of(rx, &local, &remote);
    int shard = steer(s, &local, &remote);
    if (hawser_stack_offer(s->stack[shard], 0, rx, 1, s->now_ns, &declined) == 0)
        return;
    assert_true(declined);
    assert_true(s->exact_count < EXACT_MAX);
    s->exact[s->exact_count++] = (struct exact){local, remote, !shard};
    hawser_stack_input(s->stack[!shard], 0, rx, 1, s->now_ns);
}

/* True while there was anything to carry. */
static bool carry(struct site *s, unsigned from)
{
    struct hawser_tx batch[16];
    uint8_t bytes[2048];
    size_t n = hawser_stack_output(s->stack[from], batch, 16, s->now_ns);
    for (size_t i = 0; i < n; i++) {
        hawser_tx_finish_checksum(&batch[i]);
        struct hawser_rx rx = {.data = bytes, .len = (uint32_t)hawser_tx_flatten(&batch[i], bytes)};
        if (from == CLIENT)
            admit(s, &rx);
        else
            hawser_stack_input(s->stack[CLIENT], 0, &rx, 1, s->now_ns);
    }
    return n > 0;
}

static void site_run(struct site *s, uint64_t for_ns)
{
    for (uint64_t until = s->now_ns + for_ns; s->now_ns < until;) {
        uint64_t next = until;
        for (bool busy = true; busy;) {
            busy = false;
            for (unsigned i = 0; i < STACKS; i++)
                busy |= carry(s, i);
        }
        for (unsigned i = 0; i < STACKS; i++)
            next = HW_MIN(next, hawser_stack_deadline(s->stack[i]));
        s->now_ns = HW_MAX(next, s->now_ns + 1);
        for (unsigned i = 0; i < STACKS; i++)
            hawser_stack_advance(s->stack[i], s->now_ns);
    }
}

static uint64_t site_counter(const struct site *s, unsigned i, const char *name)
{
    struct hawser_counter counter;
    for (size_t k = 0; hawser_stack_counter(s->stack[i], k, &counter); k++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    fail_msg("no counter is called %s", name);
    return 0;
}

/* RFC 8684 3.2: a join whose addresses and ports belong to the other shard reaches the one that knows its token, and no
 * RST says otherwise before. */
static void joins_find_their_connection(void **state)
{
    (void)state;
    struct site s;
    struct hawser_conn *client[CONNECTIONS], *server[CONNECTIONS];
    unsigned accepted = 0;
    site_init(&s);
    struct hawser_addr to = site_address(0, 2, PEER_PORT);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        assert_int_equal(hawser_connect(s.stack[CLIENT], &to, NULL, s.now_ns, &client[i]), 0);
    site_run(&s, SECOND);
    for (unsigned i = 0; i < CONNECTIONS; i++)
        assert_int_equal(hawser_send(client[i], "hello", 5), 5);
    site_run(&s, SECOND);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct hawser_conn_info info = {.size = sizeof info};
        assert_int_equal(hawser_conn_get_info(client[i], &info), 0);
        assert_true(info.subflows >= 2);
    }
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        while (accepted < CONNECTIONS && hawser_accept(s.listener[shard], &server[accepted]) == 0)
            accepted++;
        assert_int_equal(site_counter(&s, shard, "drop.join_unknown_token"), 0);
        assert_int_equal(site_counter(&s, shard, "drop.no_connection"), 0);
        assert_true(site_counter(&s, shard, "mptcp.joins_declined") > 0);
    }
    assert_int_equal(accepted, CONNECTIONS);
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        char bytes[8];
        struct hawser_conn_info info = {.size = sizeof info};
        assert_int_equal(hawser_conn_get_info(server[i], &info), 0);
        assert_true(info.subflows >= 2);
        assert_int_equal(hawser_recv(server[i], bytes, sizeof bytes), 5);
    }
    assert_int_equal(site_counter(&s, CLIENT, "tcp.resets_in"), 0);
    site_destroy(&s);
}

/* Whoever is asked last says what is to be said. */
static void a_token_of_nobody_is_refused_at_last(void **state)
{
    (void)state;
    struct peer p;
    struct tcp_options join = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .token = 7}}};
    uint8_t packet[IPV4_HEADER_LEN + TCP_HEADER_LEN + TCP_OPTION_SPACE];
    bool declined[2] = {true, true};
    peer_init(&p, NULL, NULL);
    size_t len = peer_packet(&p, packet, TCP_SYN, 0, 0, &join, NULL, 0);
    const struct hawser_rx rx[2] = {{.data = packet, .len = 1, .flags = HAWSER_RX_CSUM_OK},
                                    {.data = packet, .len = (uint32_t)len, .flags = HAWSER_RX_CSUM_OK}};
    assert_int_equal(hawser_stack_offer(p.stack, 0, rx, 2, p.now_ns, declined), 1);
    assert_false(declined[0]);
    assert_true(declined[1]);
    peer_drain(&p);
    assert_int_equal(p.seen_count, 0);
    hawser_stack_input(p.stack, 0, &rx[1], 1, p.now_ns);
    peer_drain(&p);
    assert_int_equal(p.seen[0].flags, TCP_RST | TCP_ACK);
    assert_true(mptcp_has(&p.seen[0].options.mp, MPTCP_TCPRST));
    peer_destroy(&p);
}

/* Each opens from ports of its own, by which answers are steered. */
static void ports_are_in_parts(void **state)
{
    (void)state;
    struct site s;
    struct hawser_conn *conns[SHARDS][CONNECTIONS];
    site_init(&s);
    struct hawser_addr to = site_address(0, 1, PEER_PORT);
    for (unsigned shard = 0; shard < SHARDS; shard++)
        for (unsigned i = 0; i < CONNECTIONS; i++)
            assert_int_equal(hawser_connect(s.stack[shard], &to, NULL, s.now_ns, &conns[shard][i]), 0);
    site_run(&s, SECOND);
    for (unsigned shard = 0; shard < SHARDS; shard++)
        for (unsigned i = 0; i < CONNECTIONS; i++) {
            struct hawser_subflow_info info = {.size = sizeof info};
            assert_int_equal(hawser_conn_error(conns[shard][i]), 0);
            for (size_t k = 0; hawser_subflow_get_info(conns[shard][i], k, &info) == 0; k++) {
                assert_string_equal(info.state, "ESTABLISHED");
                if (k == 0)
                    assert_int_equal(hawser_shard_of_port(info.local.port, SHARDS), shard);
            }
        }
    site_destroy(&s);
}

static void there_are_not_more_shards_than_that(void **state)
{
    (void)state;
    assert_int_equal(hawser_shard_of_port(40000, 0), 0);
    assert_int_equal(hawser_shard_of_port(40000, 1), 0);
    assert_int_equal(hawser_shard_of_port(80, 1), -1);
    assert_int_equal(hawser_shard_of_port(60999, 256), 255);
    assert_int_equal(hawser_shard_of_port(40000, 257), -1);
    assert_int_equal(hawser_shard_of_port(40000, UINT32_MAX), -1);
    struct test_env env;
    static const struct {
        uint32_t shard, count;
        bool is;
    } cases[] = {{0, 0, true}, {0, 1, true}, {1, 1, false}, {1, 0, false}, {255, 256, true}, {0, 257, false}};
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct hawser_stack_options options = {
            .size = sizeof options, .shard = cases[i].shard, .shard_count = cases[i].count};
        test_env_init(&env, 1);
        struct hawser_stack *stack;
        assert_int_equal(hawser_stack_new(&env.env, &options, &stack), cases[i].is ? 0 : -EINVAL);
        if (cases[i].is)
            hawser_stack_free(stack);
        test_env_check_clean(&env);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_secret_one_numbering),    cmocka_unit_test(timestamps_go_on_between_connections),
        cmocka_unit_test(joins_find_their_connection), cmocka_unit_test(a_token_of_nobody_is_refused_at_last),
        cmocka_unit_test(ports_are_in_parts),          cmocka_unit_test(there_are_not_more_shards_than_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
