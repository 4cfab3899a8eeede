/* Subflows of which nothing is under way: small, and as wise as before when they send again. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"

static uint8_t bytes[400000];

static struct tcp_host *host_of(struct peer *p) { return &p->stack->host.tcp; }

static struct tcp *tcp_of(struct peer *p)
{
    struct conn *conn = LIST_ENTRY(p->stack->host.connections.next, struct conn, link);
    return &subflow_at(conn->subflows.next)->tcp;
}

static void open_plain(struct peer *p)
{
    struct tcp_options o = {.present = TCP_OPT_SACK_PERMITTED | TCP_OPT_MSS, .mss = PEER_PAYLOAD_MAX};
    peer_init(p, NULL, NULL);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    peer_wait(p, 10 * NS_PER_MS);
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
}

/* Sends `len` bytes from `at` on and acknowledges them, ten milliseconds a round trip. Returns where they end. */
static uint32_t transfer(struct peer *p, uint32_t at, uint32_t len)
{
    uint32_t end = at + len, acked = at;
    assert_int_equal(hawser_send(p->conn, bytes, len), len);
    peer_forget(p);
    peer_drain(p);
    while (acked < end) {
        peer_wait(p, 10 * NS_PER_MS);
        for (unsigned i = 0; i < p->seen_count; i++)
            acked = p->seen[i].len && p->seen[i].seq + p->seen[i].len > acked ? p->seen[i].seq + p->seen[i].len : acked;
        peer_forget(p);
        peer_send(p, TCP_ACK, 1, acked, NULL, NULL, 0);
    }
    return end;
}

/* It is the larger part of what an idle connection takes. */
_Static_assert(sizeof(void *) > 8 || sizeof(struct tcp) <= 440, "an idle subflow is small");

static void what_was_under_way_is_folded(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    uint32_t at = transfer(&p, 1, 100000);
    peer_send(&p, TCP_ACK, 101, at, NULL, bytes, 100); /* a hole */
    assert_int_equal(host_of(&p)->flights.in_use, 1);
    assert_int_equal(host_of(&p)->disorders.in_use, 1);
    peer_send(&p, TCP_ACK, 1, at, NULL, bytes, 100);
    peer_send(&p, TCP_ACK, 1, at, NULL, bytes, 100); /* and a duplicate, which is reported once */
    uint32_t window = tcp_of(&p)->cc.cwnd_bytes;
    peer_wait(&p, 3 * NS_PER_S); /* idle buffers go last */
    assert_int_equal(host_of(&p)->flights.in_use, 0);
    assert_int_equal(host_of(&p)->disorders.in_use, 0);
    assert_int_equal(host_of(&p)->records.in_use, 0);
    assert_int_equal(hawser_stack_deadline(p.stack), HAWSER_NEVER);
    /* RFC 5681 4.1: it begins again with the initial window, and with what it knows of the path. */
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    assert_int_equal(host_of(&p)->flights.in_use, 1);
    assert_true(window > tcp_of(&p)->cc.cwnd_bytes && tcp_of(&p)->cc.cwnd_bytes >= 14000);
    assert_true(tcp_of(&p)->cc.ssthresh_bytes >= window / 4 * 3);
    assert_in_range(tcp_of(&p)->rtt.srtt_ns, 9 * NS_PER_MS, 11 * NS_PER_MS);
    peer_destroy(&p);
}

/* Data, and the end, wait until there is a record again. */
static void more_flights_than_the_limit(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    peer_wait(&p, NS_PER_S);
    struct pool *flights = &host_of(&p)->flights;
    uint32_t limit = flights->limit;
    void *taken[3];
    uint64_t refused_before = 0;
    unsigned n = 0;
    assert_int_equal(flights->in_use, 0);
    flights->limit = 3;
    while (n < 3)
        assert_non_null(taken[n++] = pool_get(flights));
    for (int end = 0; end < 2; end++) {
        peer_forget(&p);
        if (end)
            hawser_shutdown(p.conn);
        else
            assert_int_equal(hawser_send(p.conn, bytes, 1000), 1000);
        peer_drain(&p);
        assert_int_equal(p.seen_count, 0);
        uint64_t refused = peer_counter(&p, "limit.subflows_in_flight");
        assert_true(refused > refused_before);
        refused_before = refused;
        pool_put(flights, taken[--n]);
        peer_wait(&p, 1500 * NS_PER_MS);
        assert_non_null(end ? peer_last(&p, TCP_FIN) : peer_last(&p, TCP_PSH));
        peer_send(&p, TCP_ACK, 1, 1001, NULL, NULL, 0);
        peer_wait(&p, 2 * NS_PER_S);
        if (!end)
            assert_non_null(taken[n++] = pool_get(flights));
    }
    while (n)
        pool_put(flights, taken[--n]);
    flights->limit = limit;
    peer_destroy(&p);
}

/* Without one, what comes out of order counts as not arrived, and what comes twice is not reported. */
static void disorder_needs_a_record(void **state)
{
    (void)state;
    struct peer p;
    open_plain(&p);
    peer_wait(&p, NS_PER_S);
    host_of(&p)->disorders.limit = 0;
    peer_send(&p, TCP_ACK, 101, 1, NULL, bytes, 100);
    assert_int_equal(peer_counter(&p, "drop.too_many_gaps"), 1);
    peer_send(&p, TCP_ACK, 1, 1, NULL, bytes, 100);
    assert_int_equal(peer_last(&p, TCP_ACK)->ack, 101);
    peer_send(&p, TCP_ACK, 1, 1, NULL, bytes, 100);
    assert_int_equal(peer_last(&p, TCP_ACK)->options.sack_count, 0);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_under_way_is_folded),
        cmocka_unit_test(more_flights_than_the_limit),
        cmocka_unit_test(disorder_needs_a_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
