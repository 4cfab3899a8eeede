/* Who a segment is for: connections by 4-tuple, joins by token, SYNs by listener; and the ports we take ourselves. */
#include <errno.h>
#include <string.h>

#include "stack/stack.h"
#include "wire/bytes.h"
#include "wire/keys.h"

#define EPHEMERAL_FIRST 32768u
#define EPHEMERAL_COUNT 28232u
#define TUPLE_LEN 36

static void tuple_key(uint8_t key[TUPLE_LEN], const struct hawser_addr *local, const struct hawser_addr *remote)
{
    memcpy(key, local->ip, 16);
    memcpy(key + 16, remote->ip, 16);
    put16(key + 32, local->port);
    put16(key + 34, remote->port);
}

struct subflow *demux_find(struct hawser_stack *stack, const struct hawser_addr *local,
                           const struct hawser_addr *remote)
{
    uint8_t key[TUPLE_LEN];
    tuple_key(key, local, remote);
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

static bool is_any(const struct hawser_addr *addr)
{
    static const uint8_t zero[16];
    return memcmp(addr->ip, zero, sizeof zero) == 0;
}

struct hawser_listener *demux_listener(struct hawser_stack *stack, const struct hawser_addr *local)
{
    LIST_EACH (it, &stack->listeners) {
        struct hawser_listener *listener = LIST_ENTRY(it, struct hawser_listener, link);
        if (listener->local.port == local->port &&
            (is_any(&listener->local) || hawser_addr_same_ip(&listener->local, local)))
            return listener;
    }
    return NULL;
}

const struct local_address *stack_local(const struct hawser_stack *stack, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < stack->host.address_count; i++)
        if (hawser_addr_same_ip(&stack->host.addresses[i].addr, addr))
            return &stack->host.addresses[i];
    return NULL;
}

/* RFC 6056 3.3.1: a random start, then the next free one. */
static int choose_port(struct hawser_stack *stack, struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint32_t start;
    stack->host.tcp.env.random(stack->host.tcp.env.ctx, &start, sizeof start);
    for (uint32_t i = 0; i < EPHEMERAL_COUNT; i++) {
        local->port = (uint16_t)(EPHEMERAL_FIRST + (start + i) % EPHEMERAL_COUNT);
        if (!demux_find(stack, local, remote))
            return 0;
    }
    return -EADDRINUSE;
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
    } else if (demux_find(stack, &c->local, &c->remote)) {
        return -EADDRINUSE;
    }
    tuple_key(key, &c->local, &c->remote);
    hash_insert(&stack->tuples, &subflow->tuple, hash_bytes(&stack->tuples, key, sizeof key));
    return 0;
}

static void subflow_unbind(struct mp_host *host, struct subflow *subflow)
{
    hash_remove(&stack_of(host)->tuples, &subflow->tuple);
}

/* RFC 6528 3: a hash of the 4-tuple under a secret, plus a clock of 4 microseconds; RFC 7323 5.4: likewise the offset
 * of timestamps, so that they tell a new connection from the one before it (RFC 6191). */
static struct initial_numbers initial_numbers(struct mp_host *host, const struct hawser_addr *local,
                                              const struct hawser_addr *remote, uint64_t now_ns)
{
    struct hawser_stack *stack = stack_of(host);
    uint8_t input[TUPLE_LEN + sizeof stack->secret], digest[32];
    tuple_key(input, local, remote);
    memcpy(input + TUPLE_LEN, stack->secret, sizeof stack->secret);
    mptcp_sha256(input, sizeof input, digest);
    return (struct initial_numbers){.iss = get32(digest) + (uint32_t)(now_ns / (4 * NS_PER_US)),
                                    .ts_offset = get32(digest + 4)};
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

static void token_remove(struct mp_host *host, struct conn *conn)
{
    hash_remove(&stack_of(host)->tokens, &conn->token_node);
    conn->token_added = false;
}

const struct mp_host_ops stack_host_ops = {
    .subflow_bind = subflow_bind,
    .subflow_unbind = subflow_unbind,
    .initial_numbers = initial_numbers,
    .derive = mptcp_key_derive,
    .token_taken = token_taken,
    .token_add = token_add,
    .token_remove = token_remove,
};
