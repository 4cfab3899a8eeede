/* Who a segment is for: connections by 4-tuple, joins by token, SYNs by listener; and the ports we take ourselves. */
#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "stack/attempts.h"
#include "stack/stack.h"
#include "stack/tuple.h"
#include "wire/bytes.h"
#include "wire/keys.h"

/* How far from the last number of one connection the next one between the same ports begins, at least. */
#define ISS_STEP (UINT32_C(1) << 16)

struct subflow *demux_find(struct hawser_stack *stack, const struct hawser_addr *local,
                           const struct hawser_addr *remote)
{
    uint8_t key[TUPLE_LEN];
    tuple_write(key, local, remote);
    struct hash_node *node = hash_first(&stack->tuples, hash_bytes(&stack->tuples, key, sizeof key));
    for (; node; node = hash_next(node)) {
        struct subflow *subflow = HW_CONTAINER(node, struct subflow, tuple);
        const struct tcp_config *c = &subflow->tcp.config;
        if (hawser_addr_equal(&c->local, local) && hawser_addr_equal(&c->remote, remote))
            return subflow;
    }
    return NULL;
}

struct conn *demux_token(struct hawser_stack *stack, uint32_t token)
{
    struct hash_node *node = hash_first(&stack->tokens, hash_bytes(&stack->tokens, &token, sizeof token));
    for (; node; node = hash_next(node)) {
        struct conn *conn = HW_CONTAINER(node, struct conn, token_node);
        if (conn->identity.local_token == token)
            return conn;
    }
    return NULL;
}

bool demux_taken(struct hawser_stack *stack, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    const struct time_wait *record = time_waits_find(&stack->time_waits, local, remote);
    return demux_find(stack, local, remote) || (record && !record->aborted);
}

struct hawser_listener *demux_listener(struct hawser_stack *stack, const struct hawser_addr *local)
{
    return stack_local(stack, local) ? listener_for(stack, local) : NULL; /* on a door they may be to others */
}

const struct local_address *stack_local(const struct hawser_stack *stack, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < stack->host.address_count; i++)
        if (hawser_addr_same_ip(&stack->host.addresses[i].addr, addr))
            return &stack->host.addresses[i];
    return NULL;
}

bool stack_local_at(const struct hawser_stack *stack, int link, const struct hawser_addr *addr,
                    struct local_address *out)
{
    const struct local_address *own = stack_has_door(stack, link) ? NULL : stack_local(stack, addr);
    if (own)
        *out = *own;
    if (!stack_has_door(stack, link))
        return own;
    *out = (struct local_address){
        .addr = *addr, .link = (uint8_t)link, .mtu = stack->links[link].mtu, .gso_bytes = stack->links[link].gso_bytes};
    out->addr.port = 0;
    return scope_is_unicast(addr);
}

/* A port that is free in its group may yet be that of a listener to which this very peer has a connection, or one that
 * a program asked for: there are not many such. */
#define PORT_TRIES 16u

/* RFC 6056 3.3.1: a random start, then the next free one. */
static int choose_port(struct hawser_stack *stack, struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint16_t from = ports_random(&stack->ports);
    for (unsigned i = 0; i < PORT_TRIES; i++) {
        count(&stack->host.tcp.counters, COUNT_TCP_PORT_TRIES);
        local->port = ports_free_from(&stack->ports, local, remote, from);
        if (local->port == 0)
            break;
        if (!demux_taken(stack, local, remote))
            return ports_take(&stack->ports, local, remote, local->port);
        from = (uint16_t)(local->port + 1);
    }
    count(&stack->host.tcp.counters, COUNT_LIMIT_PORTS);
    return -EADDRNOTAVAIL;
}

static int subflow_bind(struct mp_host *host, struct subflow *subflow)
{
    struct hawser_stack *stack = stack_of(host);
    struct tcp_config *c = &subflow->tcp.config;
    uint8_t key[TUPLE_LEN];
    if (c->local.port == 0) {
        int err = choose_port(stack, &c->local, &c->remote);
        if (err < 0)
            return err;
        subflow->port_chosen = true;
    } else if (demux_find(stack, &c->local, &c->remote)) {
        return -EADDRINUSE;
    }
    tuple_write(key, &c->local, &c->remote);
    hash_insert(&stack->tuples, &subflow->tuple, hash_bytes(&stack->tuples, key, sizeof key));
    return 0;
}

static void subflow_unbind(struct mp_host *host, struct subflow *subflow)
{
    struct hawser_stack *stack = stack_of(host);
    const struct tcp_config *c = &subflow->tcp.config;
    hash_remove(&stack->tuples, &subflow->tuple);
    if (subflow->port_chosen)
        ports_give(&stack->ports, &c->local, &c->remote, c->local.port);
    subflow->port_chosen = false;
}

/* Once there was no MPTCP there is no key by which the peer would know who aborts it. */
static bool is_aborted(const struct subflow *subflow)
{
    const struct conn *conn = subflow->conn;
    const struct tcp *tcp = &subflow->tcp;
    return endings_aborted(&conn->endings) && fallback_is_mptcp(&conn->fallback) && tcp->snd_una > SSN_ORIGIN &&
           tcp->state != TCPS_TIME_WAIT;
}

/* RFC 9293 3.10.7.4, 3.6: it goes on as a small record. The port of one that was reset is free. */
static void subflow_remember(struct mp_host *host, struct subflow *subflow, uint64_t now_ns)
{
    struct hawser_stack *stack = stack_of(host);
    const struct tcp *tcp = &subflow->tcp;
    const struct tcp_config *c = &tcp->config;
    uint32_t window = data_rx_promised(&subflow->conn->data_rx) >> tcp->rcv_wscale; /* as other subflows say it */
    bool aborted = is_aborted(subflow);
    if (tcp->state != TCPS_TIME_WAIT && !aborted)
        return;
    struct time_wait record = {
        .local = c->local,
        .remote = c->remote,
        .snd_nxt = seq_at(c->iss + (uint32_t)tcp->snd_nxt),
        .rcv_nxt = seq_at(tcp->irs + (uint32_t)tcp->rx.next),
        .ts_recent = tcp->ts.recent,
        .ts_offset = c->ts_offset,
        .window = (uint16_t)HW_MIN(window, (uint32_t)UINT16_MAX),
        .wscale = tcp->rcv_wscale,
        .link = c->link,
        .timestamps = tcp->ts.used,
        .port_chosen = subflow->port_chosen && !aborted,
        .aborted = aborted,
        .mptcp = fallback_is_mptcp(&subflow->conn->fallback) && data_rx_is_over(&subflow->conn->data_rx),
        .data_ack = data_rx_next(&subflow->conn->data_rx),
    };
    if (aborted)
        record.peer_key = subflow->conn->identity.remote_key;
    if (time_waits_add(&stack->time_waits, &record, now_ns) && record.port_chosen)
        subflow->port_chosen = false; /* it is the record's */
}

/* RFC 6528 3: a hash of the 4-tuple under a secret, plus a clock of 4 microseconds; RFC 7323 5.4: likewise the offset
 * of timestamps, so that they tell a new connection from the one before it (RFC 6191). */
static struct initial_numbers initial_numbers(struct mp_host *host, const struct hawser_addr *local,
                                              const struct hawser_addr *remote, uint64_t now_ns)
{
    struct hawser_stack *stack = stack_of(host);
    uint8_t input[TUPLE_LEN + sizeof stack->secret], digest[32];
    tuple_write(input, local, remote);
    memcpy(input + TUPLE_LEN, stack->secret, sizeof stack->secret);
    mptcp_sha256(input, sizeof input, digest);
    seq32 iss = seq_at(get32(digest) + (uint32_t)(now_ns / (4 * NS_PER_US)));
    const struct time_wait *before = time_waits_find(&stack->time_waits, local, remote);
    if (before) /* RFC 9293 3.6.1: larger than all of the one before */
        iss = seq_max(iss, seq_add(before->snd_nxt, ISS_STEP));
    return (struct initial_numbers){.iss = iss.v, .ts_offset = get32(digest + 4)};
}

static bool token_taken(struct mp_host *host, uint32_t token) { return demux_token(stack_of(host), token) != NULL; }

static void token_add(struct mp_host *host, struct conn *conn)
{
    struct hawser_stack *stack = stack_of(host);
    if (conn->token_added)
        return;
    conn->token_added = true;
    hash_insert(&stack->tokens, &conn->token_node,
                hash_bytes(&stack->tokens, &conn->identity.local_token, sizeof conn->identity.local_token));
}

static void conn_progressed(struct mp_host *host, struct conn *conn, uint64_t now_ns)
{
    evict_note_progress(stack_of(host), conn, now_ns);
}

static void conn_gone(struct mp_host *host, struct conn *conn)
{
    struct hawser_stack *stack = stack_of(host);
    attempts_end(conn);
    evict_gone(stack, conn);
    if (conn->share)
        shares_leave(&stack->shares, conn->share);
    LIST_EACH (it, &conn->half_open.members) {
        struct handshake *h = LIST_ENTRY(it, struct handshake, owned);
        if (h->kind != HANDSHAKE_JOIN)
            replies_abort(&stack->replies, h, &host->tcp.counters);
    }
    handshakes_drop_owner(&stack->handshakes, &conn->half_open);
    if (conn->token_added)
        hash_remove(&stack->tokens, &conn->token_node);
    conn->token_added = false;
}

const struct mp_host_ops stack_host_ops = {
    .subflow_bind = subflow_bind,
    .subflow_unbind = subflow_unbind,
    .subflow_remember = subflow_remember,
    .may_join = lend_may_join,
    .subflow_came = lend_subflow_came,
    .subflow_left = lend_subflow_left,
    .initial_numbers = initial_numbers,
    .derive = mptcp_key_derive,
    .token_taken = token_taken,
    .token_add = token_add,
    .attempt_answered = attempts_answered,
    .attempt_over = attempts_over,
    .make_room = pressure_make_room,
    .conn_progressed = conn_progressed,
    .conn_gone = conn_gone,
};
