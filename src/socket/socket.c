/* The non-blocking socket interface: a thin skin over connections. A public handle is the connection itself. */
#include <errno.h>
#include <string.h>

#include <hawser/socket.h>

#include "base/scope.h"
#include "stack/attempts.h"
#include "stack/source.h"

static struct conn *inner(struct hawser_conn *handle) { return (struct conn *)(void *)handle; }
static const struct conn *inner_const(const struct hawser_conn *handle)
{
    return (const struct conn *)(const void *)handle;
}
static struct hawser_conn *outer(struct conn *conn) { return (struct hawser_conn *)(void *)conn; }

static bool is_zero(const struct hawser_addr *addr)
{
    static const uint8_t zero[16];
    return memcmp(addr->ip, zero, sizeof zero) == 0;
}

static const struct local_address *best_source(const struct hawser_stack *stack, const struct path_plan *plan,
                                               const struct hawser_addr *remote)
{
    const struct source_wish wish = {.plan = plan, .remote = remote};
    return source_best(stack->host.addresses, stack->host.address_count, &wish);
}

static const struct local_address *named_source(const struct hawser_stack *stack, const struct path_plan *plan,
                                                const struct hawser_addr *addr)
{
    return path_plan_owns(plan, addr) ? stack_local(stack, addr) : NULL;
}

static const struct local_address *preferred_source(const struct hawser_stack *stack,
                                                    const struct hawser_conn_options *o, const struct path_plan *plan,
                                                    const struct hawser_addr *remote)
{
    const struct local_address *own = named_source(stack, plan, &o->local);
    bool fits =
        own && hawser_addr_is_v4(&own->addr) == hawser_addr_is_v4(remote) && scope_of(&own->addr) >= scope_of(remote);
    return fits ? own : best_source(stack, plan, remote);
}

/* Where the connection comes from: an address of ours, or any host's on a door. 0, -EINVAL or -EADDRNOTAVAIL. */
static int settle_source(const struct hawser_stack *stack, const struct hawser_conn_options *o,
                         const struct path_plan *plan, const struct hawser_addr *remote, struct local_address *out)
{
    if (o->local_first && (o->foreign_local || o->local.port))
        return -EINVAL;
    if (!o->foreign_local) {
        const struct local_address *own = o->local_first       ? preferred_source(stack, o, plan, remote)
                                          : is_zero(&o->local) ? best_source(stack, plan, remote)
                                                               : named_source(stack, plan, &o->local);
        if (own)
            *out = *own;
        return own ? 0 : -EADDRNOTAVAIL;
    }
    if (!stack_has_door(stack, o->link))
        return -EINVAL;
    bool possible = hawser_addr_is_v4(&o->local) == hawser_addr_is_v4(remote);
    return possible && stack_local_at(stack, o->link, &o->local, out) ? 0 : -EADDRNOTAVAIL;
}

/* All but the options is checked here, and `plan` stays the caller's. */
static int open_by_plan(struct hawser_stack *stack, const struct hawser_addr *remote,
                        const struct hawser_conn_options *o, struct path_plan *plan, uint64_t now_ns, struct conn **out)
{
    struct local_address local;
    int err = settle_source(stack, o, plan, remote, &local);
    if (err < 0)
        return err;
    struct hawser_addr source = local.addr;
    source.port = o->local.port;
    if (source.port && demux_taken(stack, &source, remote))
        return -EADDRINUSE;
    if (!evict_spares_one(stack)) {
        count(&stack->host.tcp.counters, COUNT_LIMIT_CONNECTIONS);
        return -ENOBUFS;
    }
    struct conn_config config = conn_config_of(o, plan);
    if (config.plain == PLAIN_NOT && plain_peers_hold(&stack->plain_peers, remote, now_ns))
        config.plain = PLAIN_REMEMBERED;
    struct conn *conn = conn_new(&stack->host, &config);
    if (!conn)
        return -ENOBUFS;
    const struct attempts_wish wish = {.remote = remote,
                                       .local = &local,
                                       .port = o->local.port,
                                       .bound = !is_zero(&o->local) && !o->local_first,
                                       .unreachable_at_once = o->unreachable_at_once};
    err = attempts_begin(stack, conn, &wish, now_ns);
    if (err < 0)
        conn_free(conn);
    else
        *out = conn;
    return err;
}

int hawser_connect(struct hawser_stack *stack, const struct hawser_addr *remote,
                   const struct hawser_conn_options *options, uint64_t now_ns, struct hawser_conn **out)
{
    struct hawser_conn_options o;
    struct path_plan *plan;
    struct conn *conn;
    int err = conn_options_take(&o, options);
    if (err < 0)
        return err;
    if (remote->port == 0 || !scope_is_unicast(remote) || stack_local(stack, remote))
        return -EINVAL;
    err = conn_plan_take(stack, &o, &plan);
    if (err < 0)
        return err;
    err = open_by_plan(stack, remote, &o, plan, stack_time(stack, now_ns), &conn);
    path_plan_unref(plan, &stack->host.tcp.env);
    if (err == 0)
        *out = outer(conn);
    return err;
}

int hawser_listen(struct hawser_stack *stack, const struct hawser_addr *local, unsigned backlog,
                  const struct hawser_conn_options *options, struct hawser_listener **out)
{
    struct hawser_conn_options o;
    int err = conn_options_take(&o, options);
    if (err < 0)
        return err;
    if (backlog == 0)
        return -EINVAL;
    if (!listener_is_any(local) && !stack_local(stack, local))
        return -EADDRNOTAVAIL;
    struct hawser_listener *listener;
    err = listener_new(stack, &o, backlog, &listener);
    if (err < 0)
        return err;
    err = listener_bind(listener, local);
    if (err < 0)
        listener_free(listener);
    else
        *out = listener;
    return err;
}

void hawser_listener_close(struct hawser_listener *listener)
{
    struct hawser_stack *stack = listener->stack;
    handshakes_drop_owner(&stack->handshakes, &listener->half_open);
    LIST_EACH (it, &listener->acceptable.members) {
        struct conn *conn = LIST_ENTRY(it, struct conn, accept_link);
        listener_leave(listener, conn);
        conn_ask_abort(conn);
    }
    listener_unbind(listener);
    listener_free(listener);
}

int hawser_accept(struct hawser_listener *listener, struct hawser_conn **out)
{
    struct list *oldest = list_first(&listener->acceptable.members);
    if (!oldest)
        return -EAGAIN;
    struct conn *conn = LIST_ENTRY(oldest, struct conn, accept_link);
    listener_leave(listener, conn);
    endings_take_hold(&conn->endings);
    conn_event(conn);
    *out = outer(conn);
    return 0;
}

/* 0, or why nothing can be sent. */
static int send_error(const struct conn *conn)
{
    if (endings_error(&conn->endings))
        return endings_error(&conn->endings);
    if (data_tx_ends(&conn->data_tx))
        return -EPIPE;
    return identity_established(&conn->identity) ? 0 : -ENOTCONN;
}

static ssize_t queued(struct conn *conn, size_t taken, size_t len)
{
    conn_queued(conn, taken, len);
    if (taken || len == 0)
        return (ssize_t)taken;
    return list_empty(&conn->starved_link) ? -EAGAIN : -ENOBUFS;
}

ssize_t hawser_send(struct hawser_conn *handle, const void *data, size_t len)
{
    struct conn *conn = inner(handle);
    int error = send_error(conn);
    return error ? error : queued(conn, data_tx_write(&conn->data_tx, data, len), len);
}

static bool lies_inside(const struct hawser_slice *slice)
{
    uintptr_t from = (uintptr_t)hawser_buf_data(slice->buf), at = (uintptr_t)slice->data;
    uint32_t cap = hawser_buf_capacity(slice->buf);
    return at >= from && at - from <= cap && slice->len <= cap - (at - from);
}

ssize_t hawser_send_slice(struct hawser_conn *handle, struct hawser_slice slice)
{
    struct conn *conn = inner(handle);
    if (!slice.buf || !lies_inside(&slice))
        return -EINVAL;
    int error = send_error(conn);
    const struct slice bytes = {slice.buf, slice.data, slice.len};
    return error ? error : queued(conn, data_tx_write_slice(&conn->data_tx, bytes), slice.len);
}

/* Nothing is readable: is that the end, an error, or not yet? */
static ssize_t nothing_to_read(const struct conn *conn)
{
    if (conn_at_end(conn))
        return 0;
    return endings_error(&conn->endings) ? endings_error(&conn->endings) : -EAGAIN;
}

ssize_t hawser_recv(struct hawser_conn *handle, void *data, size_t len)
{
    struct conn *conn = inner(handle);
    size_t n = data_rx_read(&conn->data_rx, data, len);
    if (n)
        conn_consumed(conn);
    return n || len == 0 ? (ssize_t)n : nothing_to_read(conn);
}

ssize_t hawser_recv_slices(struct hawser_conn *handle, struct hawser_slice *slices, size_t max)
{
    struct conn *conn = inner(handle);
    struct slice slice;
    size_t n = 0;
    for (; n < max && data_rx_take(&conn->data_rx, &slice); n++)
        slices[n] = (struct hawser_slice){slice.buf, slice.data, slice.len};
    if (n)
        conn_consumed(conn);
    bool no_memory = n < max && data_rx_readable(&conn->data_rx);
    count_n(&conn->host->tcp.counters, COUNT_LIMIT_MEMORY, no_memory);
    if (n || max == 0)
        return (ssize_t)n;
    return no_memory ? -ENOBUFS : nothing_to_read(conn);
}

size_t hawser_peek(struct hawser_conn *handle, struct hawser_part *parts, size_t max)
{
    return data_rx_peek(&inner(handle)->data_rx, parts, max);
}

void hawser_consume(struct hawser_conn *handle, size_t len) { conn_consume(inner(handle), len); }

void hawser_shutdown(struct hawser_conn *handle) { conn_shutdown(inner(handle)); }

void hawser_finish(struct hawser_conn *handle) { conn_finish(inner(handle)); }

/* Nobody is left who would answer the peer's keepalive. */
static void let_go(struct conn *conn)
{
    conn->patience.keepalive.passed_on = false;
    conn_detach(conn);
}

void hawser_close(struct hawser_conn *handle) { let_go(inner(handle)); }

void hawser_abort(struct hawser_conn *handle)
{
    struct conn *conn = inner(handle);
    conn_ask_abort(conn);
    let_go(conn);
}

int hawser_conn_ask(struct hawser_conn *handle, uint64_t now_ns)
{
    struct conn *conn = inner(handle);
    return subflows_ask_around(&conn->subflows, stack_time(stack_of(conn->host), now_ns)) ? 0 : -EAGAIN;
}

void hawser_conn_answer(struct hawser_conn *handle, bool there, uint64_t now_ns)
{
    struct conn *conn = inner(handle);
    subflows_answer(&conn->subflows, there, stack_time(stack_of(conn->host), now_ns));
    told_forget(&conn->told, HAWSER_ASKED);
    conn_event(conn);
}

unsigned hawser_conn_ready(const struct hawser_conn *handle) { return conn_ready(inner_const(handle)); }

int hawser_conn_error(const struct hawser_conn *handle) { return endings_error(&inner_const(handle)->endings); }

void hawser_conn_set_user(struct hawser_conn *handle, void *user) { inner(handle)->user = user; }

void *hawser_conn_user(const struct hawser_conn *handle) { return inner_const(handle)->user; }

void hawser_conn_local(const struct hawser_conn *handle, struct hawser_addr *out)
{
    *out = inner_const(handle)->paths.local;
}

void hawser_conn_peer(const struct hawser_conn *handle, struct hawser_addr *out)
{
    *out = inner_const(handle)->paths.remote;
}

void hawser_listener_local(const struct hawser_listener *listener, struct hawser_addr *out) { *out = listener->local; }

void hawser_listener_set_user(struct hawser_listener *listener, void *user) { listener->user = user; }

void *hawser_listener_user(const struct hawser_listener *listener) { return listener->user; }

static struct hawser_event of_listener(struct hawser_listener *listener)
{
    unsigned what = listener_take_event(listener);
    return (struct hawser_event){.what = what, .listener = listener, .user = listener->user};
}

static struct hawser_event of_conn(struct conn *conn)
{
    unsigned what = conn_take_event(conn);
    return (struct hawser_event){.what = what, .conn = outer(conn), .user = conn->user};
}

/* Who lined up for room may find that others have taken the memory since. */
static bool has_news(struct told *told)
{
    if (!told_of_listener(told))
        conn_event(HW_CONTAINER(told, struct conn, told));
    return told_waits(told);
}

bool hawser_stack_pending(struct hawser_stack *stack)
{
    LIST_EACH (it, &stack->host.events)
        if (has_news(told_at(it)))
            return true;
    return false;
}

bool hawser_next_event(struct hawser_stack *stack, struct hawser_event *out)
{
    LIST_EACH (it, &stack->host.events) {
        struct told *told = told_at(it);
        *out = told_of_listener(told) ? of_listener(HW_CONTAINER(told, struct hawser_listener, told))
                                      : of_conn(HW_CONTAINER(told, struct conn, told));
        if (out->what)
            return true;
    }
    return false;
}
