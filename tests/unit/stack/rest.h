/* A connection whose address of ours goes, and comes back. */
#ifndef HW_TESTS_STACK_REST_H
#define HW_TESTS_STACK_REST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "mptcp/rest.h"
#include "peer.h"
#include "stack/stack.h"

#define GRACE (30 * NS_PER_S)

static const uint8_t hello[5] = "hello";

/* Whose connection it is: plain TCP, or MPTCP that the peer opened, or that we did. */
enum kind { PLAIN, JOINED, JOINS, KINDS };

static inline void begin(struct peer *p, enum kind kind)
{
    peer_init(p, NULL, NULL);
    if (kind == PLAIN)
        peer_open_plain(p);
    else if (kind == JOINED)
        peer_open_mptcp(p);
    else
        peer_connect_mptcp(p);
    peer_forget(p);
}

static inline void end(struct peer *p)
{
    hawser_abort(p->conn);
    peer_drain(p);
    peer_destroy(p);
}

static inline struct hawser_addr own(const struct peer *p)
{
    struct hawser_addr addr = p->own;
    addr.port = 0;
    return addr;
}

static inline void leave(struct peer *p)
{
    const struct hawser_addr addr = own(p);
    assert_int_equal(hawser_stack_remove_address(p->stack, &addr, p->now_ns), 0);
    peer_drain(p);
}

static inline void come_back(struct peer *p)
{
    const struct hawser_addr addr = own(p);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, &addr, 24, p->now_ns), 0);
    peer_drain(p);
}

static inline void say(struct peer *p)
{
    assert_int_equal(hawser_send(p->conn, hello, sizeof hello), sizeof hello);
    peer_drain(p);
}

/* The peer acknowledges the first `said` bytes, and says as much. */
static inline void answer(struct peer *p, enum kind kind, uint32_t said)
{
    uint8_t bytes[sizeof hello];
    const uint32_t seq = 1 + said - (uint32_t)sizeof hello;
    struct tcp_options o = peer_dss(p, 1 + said, seq, seq, sizeof hello);
    peer_send(p, TCP_ACK, seq, 1 + said, kind == PLAIN ? NULL : &o, hello, sizeof hello);
    assert_int_equal(hawser_recv(p->conn, bytes, sizeof bytes), sizeof bytes);
    assert_memory_equal(bytes, hello, sizeof hello);
}

static inline void expect_hello(const struct peer *p, uint32_t seq)
{
    const struct peer_segment *segment = peer_last(p, TCP_PSH);
    assert_non_null(segment);
    assert_int_equal(segment->seq, seq);
    assert_int_equal(segment->len, sizeof hello);
    assert_memory_equal(segment->payload, hello, sizeof hello);
}

/* Another address of ours, which comes while the first one is away, has joined. Returns its ID. */
static inline uint8_t join_from(struct peer *p, struct hawser_addr *other)
{
    assert_int_equal(hawser_addr_parse(other, "10.0.0.3", 0), 0);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, other, 24, p->now_ns), 0);
    peer_drain(p);
    assert_int_equal(peer_count_syns(p), 1);
    const uint8_t id = peer_last(p, TCP_SYN)->options.mp.join.address_id;
    peer_answer_join(p);
    return id;
}

static inline bool is_removed(const struct mptcp_options *mp, uint8_t id)
{
    bool found = false;
    for (unsigned i = 0; mptcp_has(mp, MPTCP_REMOVE_ADDR) && i < mp->remove_addr.count; i++)
        found |= mp->remove_addr.ids[i] == id;
    return found;
}

static inline bool removals_name(const struct peer *p, uint8_t id)
{
    bool found = false;
    for (unsigned i = 0; i < p->seen_count; i++)
        found |= is_removed(&p->seen[i].options.mp, id);
    return found;
}

#endif
