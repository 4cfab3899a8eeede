#include "stack/stack.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/scope.h"
#include "base/sized.h"
#include "mptcp/rest.h"
#include "stack/attempts.h"
#include "stack/bare.h"

#define CONNECTIONS_DEFAULT 4096u
/* Tables for more would have sizes beyond what 32 bits can count. */
#define CONNECTIONS_MAX (UINT32_C(1) << 24)
#define MEMORY_DEFAULT (256u * 1024 * 1024)
/* Less would not hold a large buffer in each of its parts. */
#define MEMORY_MIN (6 * STORE_LARGE_BYTES)
/* What is kept for the next bytes of a stream: a sixteenth, and one large buffer at least. */
#define RESERVE_SHARE 16u
#define RESERVE_MIN (STORE_LARGE_BYTES + STORE_SMALL_BYTES)
#define SUBFLOWS_PER_CONNECTION 2
/* Of the stack: for those who starve, for idle memory, for handshakes, for requests and for TIME-WAITs. */
#define TIMERS 5u
#define TIME_WAIT_DEFAULT 65536u
#define TIME_WAIT_MAX (UINT32_C(1) << 24)

/* The limits that `o` asks for, with the defaults filled in. False: it asks for what cannot be. */
static bool settle_limits(struct hawser_stack_options *o)
{
    if (o->max_memory_bytes == 0)
        o->max_memory_bytes = MEMORY_DEFAULT;
    o->max_connections = o->max_connections ? HW_MIN(o->max_connections, CONNECTIONS_MAX) : CONNECTIONS_DEFAULT;
    o->max_time_wait = o->max_time_wait ? HW_MIN(o->max_time_wait, TIME_WAIT_MAX) : TIME_WAIT_DEFAULT;
    o->shard_count = HW_MAX(o->shard_count, 1u);
    bool ports = o->last_port ? o->first_port && o->first_port <= o->last_port && o->shard_count == 1 : !o->first_port;
    return o->shard_count <= HAWSER_SHARDS_MAX && o->shard < o->shard_count && ports;
}

/* Whose windows they are: what was handed in, or what has that name. 0 or what cc_check() returns. */
static int settle_controller(struct hawser_stack_options *o)
{
    if (!o->controller)
        o->controller = hawser_congestion_find(o->congestion ? o->congestion : "cubic");
    return o->controller ? cc_check(o->controller) : -EINVAL;
}

static struct port_range ports_of(const struct hawser_stack_options *o)
{
    if (o->last_port)
        return (struct port_range){o->first_port, (uint16_t)(o->last_port - o->first_port + 1)};
    return ports_part(o->shard, o->shard_count);
}

static int init_tables(struct hawser_stack *stack, const struct hawser_env *env, const struct hawser_stack_options *o)
{
    uint32_t connections = o->max_connections, subflows = connections * SUBFLOWS_PER_CONNECTION;
    struct mp_host *host = &stack->host;
    pool_init(&host->conns, env, sizeof(struct conn), connections);
    pool_init(&host->subflows, env, sizeof(struct subflow), subflows);
    pool_init(&host->nodes, env, reassembly_node_size(), UINT32_MAX); /* the account of memory bounds them */
    pool_init(&host->holds, env, holdq_node_size(), UINT32_MAX);
    pool_init(&host->tcp.records, env, sizeof(struct tx_record), UINT32_MAX);
    pool_init(&host->tcp.flights, env, tcp_flight_bytes(host->cc), subflows);
    pool_init(&host->tcp.disorders, env, sizeof(struct rx_disorder), subflows);
    pool_init(&stack->attempts, env, attempts_size(), connections);
    deadline_queue_init(&host->tcp.timers, env);
    silence_budget_init(&host->questions, connections);
    if (hash_init(&stack->tuples, env, 64) < 0)
        return -ENOMEM;
    if (hash_init(&stack->tokens, env, 64) < 0) {
        hash_destroy(&stack->tuples);
        return -ENOMEM;
    }
    bool made = ports_init(&stack->ports, env, subflows + o->max_time_wait, ports_of(o)) == 0;
    made &= plain_peers_init(&stack->plain_peers, env, &host->tcp.counters) == 0;
    made &= path_mtus_init(&stack->host.tcp.path_mtus, env, &host->tcp.counters) == 0;
    made &= time_waits_init(&stack->time_waits, &host->tcp, &stack->ports, o->max_time_wait) == 0;
    made &= shares_init(&stack->shares, env, connections, &host->memory.account) == 0;
    made &= handshakes_init(&stack->handshakes, &host->tcp, &host->memory.account, connections,
                            HW_MAX(connections, HALF_OPEN_JOINS_MAX)) == 0;
    made &= hash_init(&stack->listeners, env, 16) == 0;
    made &= requests_init(&stack->requests, &host->tcp, &host->memory.account, &stack->shares) == 0;
    if (made && deadline_queue_reserve(&host->tcp.timers, TIMERS) == 0)
        return 0;
    requests_destroy(&stack->requests);
    hash_destroy(&stack->listeners);
    handshakes_destroy(&stack->handshakes);
    time_waits_destroy(&stack->time_waits);
    path_mtus_destroy(&stack->host.tcp.path_mtus);
    plain_peers_destroy(&stack->plain_peers);
    ports_destroy(&stack->ports);
    shares_destroy(&stack->shares);
    hash_destroy(&stack->tuples);
    hash_destroy(&stack->tokens);
    return -ENOMEM;
}

/* How many of the connections that starve are looked at, in turn, and told: one that is told may have nothing to send
 * any more, but if all were told most would ask in vain. */
#define LOOKS_MAX 64u
#define TOLD_MAX 2u
/* When nothing comes back and yet there may be some: the system refused, or those who were told did not want it. */
#define HUNGER_NS (50 * NS_PER_MS)

static void tell_starved(struct hawser_stack *stack, uint64_t now_ns)
{
    struct mp_host *host = &stack->host;
    unsigned looks = 0, told = 0;
    struct conn *starving = NULL;
    bool all = false;
    const struct list *last = host->starved.prev;
    LIST_EACH (it, &host->starved) {
        struct conn *conn = LIST_ENTRY(it, struct conn, starved_link);
        list_remove(it);
        if (data_tx_finds_memory(&conn->data_tx)) {
            conn_event(conn);
            told += told_waits(&conn->told);
        } else {
            list_push_back(&host->starved, it);
            if (data_tx_account(&conn->data_tx)->held == 0)
                starving = conn;
        }
        all = it == last;
        if (all || ++looks == LOOKS_MAX || told == TOLD_MAX)
            break;
    }
    if (told || (all && !starving))
        host->starved_since_ns = 0;
    else if (starving)
        pressure_starves(starving, now_ns);
}

static void on_hunger_timer(struct deadline *timer, uint64_t now_ns)
{
    tell_starved(HW_CONTAINER(timer, struct hawser_stack, hunger_timer), now_ns);
}

/* Told by a timer, not from within an output: whoever looks at events before it would miss them. */
static void feed_starved(struct hawser_stack *stack, uint64_t now_ns)
{
    struct mp_host *host = &stack->host;
    uint64_t returns = store_returns(&host->store), at_ns = now_ns + HUNGER_NS;
    bool came_back = returns != stack->returns_seen;
    stack->returns_seen = returns;
    if (list_empty(&host->starved)) {
        at_ns = TIME_NEVER;
        host->starved_since_ns = 0;
    } else if (came_back) {
        at_ns = now_ns + 1;
    } else if (stack->hunger_timer.pos) {
        return;
    }
    deadline_set(&host->tcp.timers, &stack->hunger_timer, at_ns);
}

/* Memory that was not needed for so long goes back to the system. */
#define TRIM_NS NS_PER_S

static void arm_trim(struct hawser_stack *stack, uint64_t now_ns)
{
    if (!stack->trim_timer.pos && store_wants_trim(&stack->host.store))
        deadline_set(&stack->host.tcp.timers, &stack->trim_timer, now_ns + TRIM_NS);
}

static void on_trim_timer(struct deadline *timer, uint64_t now_ns)
{
    struct hawser_stack *stack = HW_CONTAINER(timer, struct hawser_stack, trim_timer);
    store_trim(&stack->host.store);
    arm_trim(stack, now_ns);
}

static void init_stack(struct hawser_stack *stack, const struct hawser_env *env, const struct hawser_stack_options *o)
{
    memset(stack, 0, sizeof *stack);
    struct mp_host *host = &stack->host;
    host->tcp.env = *env;
    host->ops = &stack_host_ops;
    host->hooks = &conn_hooks;
    host->scheduler = o->scheduler ? o->scheduler : &scheduler_lowest_rtt;
    host->no_mptcp = o->no_mptcp;
    host->checksum_required = o->checksum_required;
    list_init(&host->connections);
    list_init(&host->touched);
    list_init(&host->ready);
    list_init(&host->disordered);
    list_init(&host->events);
    list_init(&host->starved);
    list_init(&host->lent);
    deadline_init(&stack->hunger_timer, on_hunger_timer);
    deadline_init(&stack->trim_timer, on_trim_timer);
    list_init(&stack->listening);
    list_init(&stack->idlest);
    static const uint8_t none[HAWSER_SECRET_LEN];
    memcpy(stack->secret, o->secret, sizeof stack->secret);
    if (memcmp(stack->secret, none, sizeof none) == 0)
        env->random(env->ctx, stack->secret, sizeof stack->secret);
    uint32_t memory = HW_MAX(o->max_memory_bytes, MEMORY_MIN);
    account_init(&host->memory, &host->tcp.env, memory, HW_MAX(memory / RESERVE_SHARE, RESERVE_MIN));
}

int hawser_stack_new(const struct hawser_env *env, const struct hawser_stack_options *options,
                     struct hawser_stack **out)
{
    struct hawser_stack_options o;
    int err = sized_take(&o, sizeof o, SIZED_SINCE(struct hawser_stack_options, shard_count), options);
    if (err == 0)
        err = settle_limits(&o) ? scheduler_check(o.scheduler) : -EINVAL;
    if (err == 0)
        err = settle_controller(&o);
    if (err < 0)
        return err;
    struct path_plan *plan;
    err = path_plan_new(env, o.paths, hawser_path_manager_find("default"), &plan);
    if (err < 0)
        return err;
    struct hawser_stack *stack = env->alloc(env->ctx, sizeof *stack);
    if (!stack) {
        path_plan_unref(plan, env);
        return -ENOMEM;
    }
    init_stack(stack, env, &o);
    stack->host.cc = o.controller;
    stack->host.plan = plan;
    stack->latest_plan = path_plan_ref(plan);
    err = store_init(&stack->host.store, env);
    if (err == 0)
        err = init_tables(stack, &stack->host.tcp.env, &o);
    if (err < 0) {
        store_close(&stack->host.store);
        path_plan_unref(stack->latest_plan, env);
        path_plan_unref(plan, env);
        env->free(env->ctx, stack);
        return err;
    }
    *out = stack;
    return 0;
}

/* Does anybody wait for the rest of it? */
static bool is_attended(const struct conn *conn)
{
    bool attended = conn->listener || !endings_finished(&conn->endings) || data_tx_undelivered(&conn->data_tx);
    return attended && endings_goes_on(&conn->endings) && !conn_streams_over(conn);
}

void hawser_stack_abort(struct hawser_stack *stack)
{
    LIST_EACH (it, &stack->host.connections) {
        struct conn *conn = LIST_ENTRY(it, struct conn, link);
        if (is_attended(conn))
            conn_ask_abort(conn);
    }
}

void hawser_stack_free(struct hawser_stack *stack)
{
    struct mp_host *host = &stack->host;
    struct hawser_env env = host->tcp.env;
    LIST_EACH (it, &host->connections)
        conn_free(LIST_ENTRY(it, struct conn, link));
    handshakes_destroy(&stack->handshakes);
    LIST_EACH (it, &stack->listening)
        listener_free(LIST_ENTRY(it, struct hawser_listener, link));
    hash_destroy(&stack->listeners);
    for (unsigned i = 0; i < stack->link_count; i++)
        if (stack->links[i].listener)
            listener_free(stack->links[i].listener);
    requests_destroy(&stack->requests);
    time_waits_destroy(&stack->time_waits);
    path_mtus_destroy(&stack->host.tcp.path_mtus);
    plain_peers_destroy(&stack->plain_peers);
    ports_destroy(&stack->ports);
    shares_destroy(&stack->shares);
    deadline_queue_destroy(&host->tcp.timers);
    hash_destroy(&stack->tuples);
    hash_destroy(&stack->tokens);
    account_close(&host->memory.account);
    pool_destroy(&host->conns);
    pool_destroy(&host->subflows);
    pool_destroy(&stack->attempts);
    pool_destroy(&host->nodes);
    pool_destroy(&host->holds);
    pool_destroy(&host->tcp.records);
    pool_destroy(&host->tcp.flights);
    pool_destroy(&host->tcp.disorders);
    store_close(&host->store);
    path_plan_unref(stack->latest_plan, &env);
    path_plan_unref(host->plan, &env);
    env.free(env.ctx, stack);
}

uint64_t stack_time(struct hawser_stack *stack, uint64_t now_ns)
{
    if (now_ns < stack->latest_ns)
        count(&stack->host.tcp.counters, COUNT_TIME_WENT_BACK);
    stack->latest_ns = HW_MAX(stack->latest_ns, now_ns);
    return stack->latest_ns;
}

int hawser_stack_add_link(struct hawser_stack *stack, const struct hawser_link_options *options)
{
    struct hawser_link_options o;
    int err = sized_take(&o, sizeof o, SIZED_SINCE(struct hawser_link_options, door), options);
    if (err < 0)
        return err;
    if (o.mtu == 0)
        o.mtu = 1500;
    if (o.mtu < 1280 || o.mtu > UINT16_MAX)
        return -EINVAL;
    int free = 0;
    while (free < stack->link_count && stack->links[free].mtu)
        free++;
    if (free == LINKS_MAX)
        return -ENOSPC;
    stack->links[free] = (struct link_slot){o.mtu, o.gso_bytes, o.door, NULL};
    if (free == stack->link_count)
        stack->link_count++;
    return free;
}

/* What waits for its address, or with a reset. */
static void lose_link(struct conn *conn, int link)
{
    paths_lose_link(&conn->paths, (uint8_t)link);
    EACH_SUBFLOW (it, conn) {
        struct tcp *tcp = &subflow_at(it)->tcp;
        if (tcp->config.link == link && (tcp_rests(tcp) || tcp->state == TCPS_CLOSED))
            tcp_lose_link(tcp);
    }
}

int hawser_stack_remove_link(struct hawser_stack *stack, int link)
{
    if (!stack_has_link(stack, link))
        return -EINVAL;
    bool used = stack->links[link].listener != NULL;
    for (unsigned i = 0; i < stack->host.address_count; i++)
        used |= stack->host.addresses[i].link == link;
    if (used)
        return -EBUSY;
    LIST_EACH (it, &stack->host.connections)
        lose_link(LIST_ENTRY(it, struct conn, link), link);
    handshakes_lose_link(&stack->handshakes, (uint8_t)link);
    time_waits_lose_link(&stack->time_waits, (uint8_t)link, stack->links[link].door);
    replies_lose_link(&stack->replies, (uint8_t)link);
    stack->links[link] = (struct link_slot){.mtu = 0};
    return 0;
}

static struct address_ids ids_of_addresses(const struct mp_host *host)
{
    struct address_ids ids = {{0}};
    for (unsigned i = 0; i < host->address_count; i++)
        address_ids_put(&ids, host->addresses[i].id, true);
    return ids;
}

/* And those that some peer knows an address by, which has another one here since it was away. */
static struct address_ids ids_in_use(const struct mp_host *host)
{
    struct address_ids ids = ids_of_addresses(host);
    LIST_EACH (it, &host->connections) {
        const struct conn *conn = LIST_ENTRY(it, struct conn, link);
        paths_former_ids(&conn->paths, &ids);
        rest_ids(&conn->subflows, &ids);
    }
    return ids;
}

static bool are_all_taken(const struct address_ids *ids)
{
    unsigned id = 1;
    while (id <= UINT8_MAX && address_ids_have(ids, (uint8_t)id))
        id++;
    return id > UINT8_MAX;
}

/* Round and round from 1 to 255: a peer that is told late that an ID is gone must not take the next address for it. */
static uint8_t new_address_id(struct hawser_stack *stack)
{
    struct address_ids taken = ids_in_use(&stack->host);
    if (are_all_taken(&taken)) { /* then one that only few peers know */
        count(&stack->host.tcp.counters, COUNT_LIMIT_ADDRESS_IDS);
        taken = ids_of_addresses(&stack->host);
    }
    do
        stack->last_address_id = (uint8_t)(stack->last_address_id % UINT8_MAX + 1);
    while (address_ids_have(&taken, stack->last_address_id));
    return stack->last_address_id;
}

int hawser_stack_add_address(struct hawser_stack *stack, int link, const struct hawser_addr *addr, unsigned prefix_len,
                             uint64_t now_ns)
{
    struct mp_host *host = &stack->host;
    now_ns = stack_time(stack, now_ns);
    if (!stack_has_link(stack, link) || prefix_len > (hawser_addr_is_v4(addr) ? 32u : 128u))
        return -EINVAL;
    if (stack_local(stack, addr))
        return -EEXIST;
    if (host->address_count == HOST_ADDRESSES_MAX)
        return -ENOSPC;
    struct local_address local = {.addr = *addr,
                                  .prefix_len = (uint8_t)prefix_len,
                                  .link = (uint8_t)link,
                                  .id = new_address_id(stack),
                                  .mtu = stack->links[link].mtu,
                                  .gso_bytes = stack->links[link].gso_bytes};
    local.addr.port = 0;
    local.outside = local.addr;
    host->addresses[host->address_count++] = local;
    plain_peers_forget_all(&stack->plain_peers); /* from there other middleboxes are on the way */
    LIST_EACH (it, &host->connections) {
        struct conn *conn = LIST_ENTRY(it, struct conn, link);
        if (!conn->door)
            conn_address_added(conn);
        attempts_hurry(conn, now_ns);
    }
    conn_settle_touched(host, now_ns);
    return 0;
}

static void move_address(struct conn *conn, const struct local_address *local)
{
    const struct path_manager pm = conn_path_manager(conn);
    if (conn->door || !conn_wants_paths(conn))
        return;
    path_manager_local_moved(&pm, local);
    conn_touch(conn);
}

int hawser_stack_set_outside(struct hawser_stack *stack, const struct hawser_addr *addr,
                             const struct hawser_addr *outside, uint64_t now_ns)
{
    const struct local_address *found = stack_local(stack, addr);
    now_ns = stack_time(stack, now_ns);
    if (!found)
        return -ENOENT;
    struct local_address *local = &stack->host.addresses[found - stack->host.addresses];
    outside = outside ? outside : &local->addr;
    if (hawser_addr_is_v4(outside) != hawser_addr_is_v4(&local->addr) || !scope_is_reachable(outside))
        return -EINVAL;
    if (hawser_addr_equal(&local->outside, outside))
        return 0;
    local->outside = *outside;
    LIST_EACH (it, &stack->host.connections)
        move_address(LIST_ENTRY(it, struct conn, link), local);
    conn_settle_touched(&stack->host, now_ns);
    return 0;
}

int hawser_stack_set_backup(struct hawser_stack *stack, const struct hawser_addr *addr, bool backup)
{
    const struct local_address *found = stack_local(stack, addr);
    if (!found)
        return -ENOENT;
    stack->host.addresses[found - stack->host.addresses].backup = backup;
    return 0;
}

int hawser_stack_remove_address(struct hawser_stack *stack, const struct hawser_addr *addr, uint64_t now_ns)
{
    struct mp_host *host = &stack->host;
    now_ns = stack_time(stack, now_ns);
    for (unsigned i = 0; i < host->address_count; i++) {
        if (!hawser_addr_same_ip(&host->addresses[i].addr, addr))
            continue;
        struct local_address local = host->addresses[i];
        handshakes_drop_address(&stack->handshakes, addr);
        LIST_EACH (it, &host->connections)
            if (!LIST_ENTRY(it, struct conn, link)->door)
                conn_address_removed(LIST_ENTRY(it, struct conn, link), &local, now_ns);
        host->address_count--;
        memmove(&host->addresses[i], &host->addresses[i + 1], (host->address_count - i) * sizeof local);
        conn_settle_touched(host, now_ns);
        return 0;
    }
    return -ENOENT;
}

/* Does the connection that it is to join, or that waits for it, go on? */
static bool is_wanted(const struct handshake *h)
{
    if (!h->conn)
        return true;
    return h->kind == HANDSHAKE_JOIN ? conn_takes_joins(h->conn) : endings_goes_on(&h->conn->endings);
}

/* A SYN/ACK of a handshake, unless its 4-tuple has become that of a connection of our own making, or the connection
 * that it is to join has ended since. */
static void emit_synack(struct hawser_stack *stack, struct handshake *h, struct tx_batch *batch, uint64_t now_ns)
{
    struct local_address local;
    if (demux_find(stack, &h->local, &h->remote) || !is_wanted(h) ||
        !stack_local_at(stack, h->link, &h->local, &local)) {
        handshakes_fail(&stack->handshakes, h, -EADDRINUSE);
        return;
    }
    handshake_write(h, &local, &batch->packets[batch->count++], now_ns);
    handshakes_sent(&stack->handshakes, h, now_ns);
}

static void emit_replies(struct hawser_stack *stack, struct tx_batch *batch)
{
    while (stack->replies.count && !tx_batch_full(batch))
        replies_write(&stack->replies, &batch->packets[batch->count++]);
}

/* What TIME-WAITs have to say; one whose address is gone says nothing. */
static void emit_time_waits(struct hawser_stack *stack, struct tx_batch *batch, uint64_t now_ns)
{
    const struct time_wait *record;
    while (!tx_batch_full(batch) && (record = time_waits_next_owing(&stack->time_waits))) {
        struct local_address local;
        if (stack_local_at(stack, record->link, &record->local, &local))
            time_wait_write(record, local.link, &batch->packets[batch->count++], now_ns);
    }
}

/* A connection that failed before anybody accepted it leaves its listener's queue; unless it holds bytes that were
 * acknowledged. */
static void leave_listener_if_dead(struct conn *conn)
{
    struct hawser_listener *listener = conn->listener;
    if (!listener || !endings_error(&conn->endings) || data_rx_readable(&conn->data_rx))
        return;
    EACH_SUBFLOW (it, conn)
        if (!tcp_finished(&subflow_at(it)->tcp))
            return;
    listener_leave(listener, conn);
}

size_t hawser_stack_output(struct hawser_stack *stack, struct hawser_tx *packets, size_t max, uint64_t now_ns)
{
    struct tx_batch batch = {packets, 0, max};
    now_ns = stack_time(stack, now_ns);
    emit_replies(stack, &batch);
    while (!tx_batch_full(&batch) && requests_write_due(&stack->requests, &packets[batch.count], now_ns))
        batch.count++;
    emit_time_waits(stack, &batch, now_ns);
    for (struct handshake *h; !tx_batch_full(&batch) && (h = handshakes_due(&stack->handshakes));)
        emit_synack(stack, h, &batch, now_ns);
    while (!tx_batch_full(&batch)) {
        struct list *node = list_first(&stack->host.ready);
        if (!node)
            break;
        struct conn *conn = LIST_ENTRY(node, struct conn, ready_link);
        list_remove(node);
        if (conn_output(conn, &batch, now_ns)) {
            conn_wake(conn); /* last in line for its next turn */
            continue;
        }
        leave_listener_if_dead(conn);
        (void)conn_reap(conn, now_ns);
    }
    emit_replies(stack, &batch); /* of connections that went before they were open */
    evict_look(stack);
    feed_starved(stack, now_ns);
    arm_trim(stack, now_ns);
    count_n(&stack->host.tcp.counters, COUNT_IP_OUT, batch.count);
    return batch.count;
}

uint64_t hawser_stack_deadline(const struct hawser_stack *stack) { return deadline_next(&stack->host.tcp.timers); }

void hawser_stack_advance(struct hawser_stack *stack, uint64_t now_ns)
{
    now_ns = stack_time(stack, now_ns);
    deadline_run(&stack->host.tcp.timers, now_ns);
    conn_settle_touched(&stack->host, now_ns);
}

void hawser_stack_unfinished(const struct hawser_stack *stack, struct hawser_unfinished *out)
{
    const struct mp_host *host = &stack->host;
    *out = (struct hawser_unfinished){.failed = host->tcp.counters.v[COUNT_MPTCP_UNDELIVERED]};
    LIST_EACH (it, &host->connections) {
        const struct conn *conn = LIST_ENTRY(it, struct conn, link);
        if (!conn_unfinished(conn))
            continue;
        out->connections++;
        out->bytes += (uint64_t)dsn_diff(data_tx_stream_end(&conn->data_tx), data_tx_una(&conn->data_tx));
    }
}

int hawser_shard_of_port(uint16_t port, uint32_t shard_count)
{
    return shard_count <= HAWSER_SHARDS_MAX ? ports_shard(port, HW_MAX(shard_count, 1u)) : -1;
}

bool hawser_stack_plain_peer(const struct hawser_stack *stack, size_t i, struct hawser_plain_peer *out)
{
    const struct plain_peer *peer = plain_peers_at(&stack->plain_peers, i);
    if (peer)
        *out = (struct hawser_plain_peer){.addr = peer->addr, .until_ns = peer->until_ns, .times = peer->times};
    return peer != NULL;
}

void hawser_stack_forget_plain_peers(struct hawser_stack *stack, const struct hawser_addr *addr)
{
    if (addr)
        plain_peers_forget(&stack->plain_peers, addr);
    else
        plain_peers_forget_all(&stack->plain_peers);
}

uint32_t hawser_stack_time_wait(const struct hawser_stack *stack) { return stack->time_waits.tuples.count; }

bool hawser_stack_counter(const struct hawser_stack *stack, size_t i, struct hawser_counter *out)
{
    if (i >= COUNTER_TOTAL)
        return false;
    *out = (struct hawser_counter){counter_name((enum counter)i), stack->host.tcp.counters.v[i]};
    return true;
}
