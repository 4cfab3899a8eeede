/* Listeners: whose a SYN is, the connections that wait on them, and what their programs are told. */
#include <errno.h>

#include <hawser/event.h>

#include "stack/stack.h"

/* Any address, and any of IPv4. */
static const struct hawser_addr any, any_v4 = {.ip = {[10] = 0xff, [11] = 0xff}};

bool listener_is_any(const struct hawser_addr *addr)
{
    return hawser_addr_same_ip(addr, &any) || hawser_addr_same_ip(addr, &any_v4);
}

static uint64_t hash_of(const struct hawser_stack *stack, uint16_t port)
{
    return hash_bytes(&stack->listeners, &port, sizeof port);
}

static struct hawser_listener *at_port(struct hash_node *node)
{
    return node ? HW_CONTAINER(node, struct hawser_listener, node) : NULL;
}

/* The one on exactly this address and port. */
static struct hawser_listener *find(const struct hawser_stack *stack, const struct hawser_addr *ip, uint16_t port)
{
    struct hash_node *node = hash_first(&stack->listeners, hash_of(stack, port));
    for (; node; node = hash_next(node))
        if (at_port(node)->local.port == port && hawser_addr_same_ip(&at_port(node)->local, ip))
            return at_port(node);
    return NULL;
}

struct hawser_listener *listener_for(const struct hawser_stack *stack, const struct hawser_addr *local)
{
    struct hawser_listener *listener = find(stack, local, local->port);
    if (!listener && hawser_addr_is_v4(local))
        listener = find(stack, &any_v4, local->port);
    return listener ? listener : find(stack, &any, local->port);
}

/* A port on which nobody listens, at whatever address (RFC 6056 3.3.1); 0: there is none. Of our shard, so that who
 * asks for it is brought to us. Connections of ours from the same port have their own peers. */
static uint16_t free_port(const struct hawser_stack *stack)
{
    const struct ports *ports = &stack->ports;
    uint16_t port = ports_random(ports);
    for (uint32_t i = 0; i < ports->count; i++) {
        if (!hash_first(&stack->listeners, hash_of(stack, port)))
            return port;
        port = (uint16_t)(ports->first + (port - ports->first + 1u) % ports->count);
    }
    return 0;
}

int listener_bind(struct hawser_listener *listener, const struct hawser_addr *local)
{
    struct hawser_stack *stack = listener->stack;
    if (local->port && find(stack, local, local->port))
        return -EADDRINUSE;
    listener->local = *local;
    if (local->port == 0)
        listener->local.port = free_port(stack);
    if (listener->local.port == 0) {
        count(&stack->host.tcp.counters, COUNT_LIMIT_PORTS);
        return -EADDRINUSE;
    }
    hash_insert(&stack->listeners, &listener->node, hash_of(stack, listener->local.port));
    list_push_back(&stack->listening, &listener->link);
    return 0;
}

void listener_unbind(struct hawser_listener *listener)
{
    if (listener->door)
        return;
    hash_remove(&listener->stack->listeners, &listener->node);
    list_remove(&listener->link);
}

/* ---- what their programs are told ---- */

static unsigned news(const struct hawser_listener *listener)
{
    unsigned is = listener->acceptable.count ? HAWSER_ACCEPTABLE : 0;
    is |= request_queue_has_news(&listener->requests) ? HAWSER_REQUESTED : 0;
    return told_news(&listener->told, is, listener->came + listener->requests.came);
}

void listener_line_up(struct hawser_listener *listener)
{
    told_line_up(&listener->told, &listener->stack->host.events, news(listener));
}

void listener_enter(struct hawser_listener *listener, struct conn *conn)
{
    conn->listener = listener;
    quota_enter(&listener->acceptable, &conn->accept_link);
    listener->came++;
    listener_line_up(listener);
}

void listener_leave(struct hawser_listener *listener, struct conn *conn)
{
    conn->listener = NULL;
    quota_leave(&listener->acceptable, &conn->accept_link);
    listener_line_up(listener);
}

unsigned listener_take_event(struct hawser_listener *listener)
{
    unsigned what = news(listener);
    told_note(&listener->told, what, listener->came + listener->requests.came);
    return what;
}
