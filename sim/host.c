#include "sim/host.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/units.h"
#include "sim/digest.h"
#include "sim/memory.h"
#include "sim/wrap.h"

#define BATCH 64
#define IDLE_RUNS_MAX 1000
#define GSO_BYTES 65000u
#define PPM 1000000u

/* ---- memory and randomness of the stack ---- */

/* Before each allocation stands its size; as large as any alignment asks for. */
union block_head {
    size_t size;
    max_align_t align;
};

static void *host_alloc(void *ctx, size_t size)
{
    struct host *host = ctx;
    struct host_memory *m = &host->memory;
    bool refused = (m->limit_bytes && m->live_bytes + size > m->limit_bytes) ||
                   (m->refuse_ppm && prng_below(&host->refusals, PPM) < m->refuse_ppm);
    if (refused) {
        m->refused++;
        return NULL;
    }
    union block_head *head = malloc(sizeof *head + size);
    CHECK(head);
    head->size = size;
    m->live_objects++;
    m->live_bytes += size;
    m->peak_bytes = HW_MAX(m->peak_bytes, m->live_bytes);
    return head + 1;
}

static void host_free(void *ctx, void *ptr)
{
    struct host *host = ctx;
    union block_head *head = (union block_head *)ptr - 1;
    CHECK(host->memory.live_objects > 0);
    host->memory.live_objects--;
    host->memory.live_bytes -= head->size;
    free(head);
}

static void host_random(void *ctx, void *dst, size_t len)
{
    struct host *host = ctx;
    prng_fill(&host->secrets, dst, len);
}

/* ---- the node ---- */

static void show(struct host *host, bool sent, const struct packet *packet, uint64_t now_ns)
{
    LIST_EACH (it, &host->taps) {
        struct tap *tap = LIST_ENTRY(it, struct tap, link);
        tap->packet(tap, host, sent, packet, now_ns);
    }
}

static void host_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    (void)now_ns;
    struct host *host = HW_CONTAINER(node, struct host, node);
    host->has_work = true;
    packet->at_ns = port;
    list_push_back(&host->arrivals, &packet->link);
}

/* Moves the packet to where a device would have put it. */
static void lend(struct rx_buffers *buffers, struct hawser_rx *rx)
{
    uint8_t *room = rx_buffers_room(buffers, &rx->buf);
    rx->data = memcpy(room, rx->data, rx->len);
    rx_buffers_commit(buffers, rx->buf, rx->len);
}

static void take_arrivals(struct host *host, uint64_t now_ns)
{
    LIST_EACH (it, &host->arrivals) {
        struct packet *packet = LIST_ENTRY(it, struct packet, link);
        struct hawser_rx rx = {.buf = host->lends_nothing ? NULL : packet->buf,
                               .data = packet->data,
                               .len = packet->len,
                               .flags = packet->checksum_pending ? HAWSER_RX_CSUM_OK : 0};
        if (host->lends)
            lend(host->lends, &rx);
        show(host, false, packet, now_ns);
        hawser_stack_input(host->stack, (int)packet->at_ns, &rx, 1, now_ns);
        if (host->lends)
            rx_buffers_release(host->lends);
        packet_free(packet);
    }
}

static uint64_t host_next_run_at(const struct node *node)
{
    const struct host *host = (const struct host *)(const void *)node; /* its first member */
    return host->has_work ? node->world->now_ns : hawser_stack_deadline(host->stack);
}

static void send_segment(struct host *host, const struct hawser_tx *tx, uint64_t now_ns)
{
    struct packet *packet = packet_from_tx(host->node.world->packets, tx);
    CHECK(packet); /* the world's pool has no limit */
    if (host->tamper && !host->tamper(host->tamper_ctx, packet)) {
        packet_free(packet);
        return;
    }
    show(host, true, packet, now_ns);
    node_emit(&host->node, tx->link, packet, now_ns);
}

static size_t send_batch(struct host *host, uint64_t now_ns)
{
    struct hawser_tx batch[BATCH];
    size_t n = hawser_stack_output(host->stack, batch, BATCH, now_ns);
    for (size_t i = 0; i < n; i++) {
        struct hawser_tx segment;
        uint32_t offset = 0;
        while (hawser_tx_segment(&batch[i], &offset, &segment))
            send_segment(host, &segment, now_ns);
    }
    return n;
}

static bool take_events(struct host *host, uint64_t now_ns)
{
    bool pending = hawser_stack_pending(host->stack), any = false;
    for (struct hawser_event event; hawser_next_event(host->stack, &event); any = true) {
        struct host_user *user = event.user;
        if (event.what == 0)
            world_violation(host->node.world, "events-tell", "%s is told of nothing", host->node.name);
        if (user)
            user->event(user, event.what, now_ns);
    }
    if (any != pending)
        world_violation(host->node.world, "events-tell", "%s has %s, and says otherwise", host->node.name,
                        any ? "an event" : "no event");
    return any;
}

static bool tell_users(struct host *host, uint64_t now_ns)
{
    bool any = false;
    LIST_EACH (it, &host->listeners) {
        struct host_listener *listener = LIST_ENTRY(it, struct host_listener, link);
        struct hawser_conn *conn;
        while (!list_empty(&listener->link) && hawser_accept(listener->listener, &conn) == 0) {
            any = true;
            listener->accepted(listener, conn, now_ns);
        }
    }
    return take_events(host, now_ns) || any;
}

/* Deadlines lie in the future or are served: a host that runs again and again at one time serves none. */
static void watch_progress(struct host *host, bool idle, uint64_t now_ns)
{
    host->idle_runs = idle && host->last_run_ns == now_ns ? host->idle_runs + 1 : 0;
    host->last_run_ns = now_ns;
    if (host->idle_runs > IDLE_RUNS_MAX)
        world_violation(host->node.world, "deadline-served", "%s has a deadline at %" PRIu64 " that nothing serves",
                        host->node.name, hawser_stack_deadline(host->stack));
}

static void host_run(struct node *node, uint64_t now_ns)
{
    struct host *host = HW_CONTAINER(node, struct host, node);
    bool idle = !host->has_work, told;
    size_t sent;
    host->has_work = false;
    take_arrivals(host, now_ns);
    hawser_stack_advance(host->stack, now_ns);
    do {
        told = tell_users(host, now_ns);
        sent = send_batch(host, now_ns);
        idle = idle && !sent && !told;
    } while (sent || told);
    watch_progress(host, idle, now_ns);
}

static void host_destroy(struct node *node)
{
    struct host *host = HW_CONTAINER(node, struct host, node);
    LIST_EACH (it, &host->arrivals)
        packet_free(LIST_ENTRY(it, struct packet, link));
    hawser_stack_free(host->stack);
    if (host->lends) {
        rx_buffers_destroy(host->lends);
        hawser_buf_pool_close(host->lends->pool);
        sim_free(host->lends);
    }
    if (host->memory.live_objects)
        world_violation(node->world, "nothing-leaks", "%s leaves %" PRIu64 " objects of %" PRIu64 " bytes", node->name,
                        host->memory.live_objects, host->memory.live_bytes);
    node_fini(node);
    sim_free(host);
}

static const struct node_ops host_ops = {"host", host_forward, host_next_run_at, host_run, host_destroy};

struct host *host_new(struct world *world, const char *name, const struct hawser_stack_options *options, bool wrap_soon)
{
    struct host *host = sim_new(sizeof *host);
    char stream[NODE_NAME_MAX + 16];
    node_init(&host->node, world, &host_ops, name, 0);
    snprintf(stream, sizeof stream, "%s/secrets", name);
    world_stream(world, stream, &host->secrets);
    snprintf(stream, sizeof stream, "%s/refusals", name);
    world_stream(world, stream, &host->refusals);
    list_init(&host->arrivals);
    list_init(&host->taps);
    list_init(&host->listeners);
    host->lends_nothing = options && options->max_memory_bytes;
    const struct hawser_env env = {host, host_alloc, host_free, host_random};
    CHECK(hawser_stack_new(&env, options, &host->stack) == 0);
    if (wrap_soon)
        wrap_soon_install(host->stack, &host->numbers);
    return host;
}

void host_lend_buffers(struct host *host, uint64_t bytes)
{
    const uint32_t each = 2 * LINK_PACKET_MAX;
    uint32_t count = (uint32_t)HW_MAX(bytes / each, 1u);
    host->lends = sim_new(sizeof *host->lends);
    struct hawser_buf_pool *pool;
    CHECK(hawser_buf_pool_new(&host->node.world->env, each, count, &pool) == 0);
    rx_buffers_init(host->lends, pool);
}

unsigned host_add_interface(struct host *host, uint32_t mtu)
{
    const struct hawser_link_options options = {.size = sizeof options, .mtu = mtu, .gso_bytes = GSO_BYTES};
    int link = hawser_stack_add_link(host->stack, &options);
    unsigned port = node_add_port(&host->node);
    CHECK(link >= 0 && (unsigned)link == port);
    return port;
}

void host_add_address(struct host *host, unsigned interface, const struct hawser_addr *addr)
{
    int err = hawser_stack_add_address(host->stack, (int)interface, addr, hawser_addr_is_v4(addr) ? 24 : 64,
                                       host->node.world->now_ns);
    CHECK(err == 0 || err == -EEXIST);
}

void host_remove_address(struct host *host, const struct hawser_addr *addr)
{
    int err = hawser_stack_remove_address(host->stack, addr, host->node.world->now_ns);
    CHECK(err == 0 || err == -ENOENT);
}

struct host *host_of(struct node *node)
{
    return node->ops == &host_ops ? HW_CONTAINER(node, struct host, node) : NULL;
}

void host_own(struct hawser_conn *conn, struct host_user *user) { hawser_conn_set_user(conn, user); }

int host_listen(struct host *host, struct host_listener *listener, uint16_t port, unsigned backlog,
                const struct hawser_conn_options *options)
{
    const struct hawser_addr any = {.port = port};
    int err = hawser_listen(host->stack, &any, backlog, options, &listener->listener);
    if (err == 0)
        list_push_back(&host->listeners, &listener->link);
    return err;
}

void host_stop_listening(struct host *host, struct host_listener *listener)
{
    list_remove(&listener->link);
    hawser_listener_close(listener->listener);
    listener->listener = NULL;
    host_wake(host, host->node.world->now_ns);
}

uint64_t host_counter(const struct host *host, const char *name)
{
    struct hawser_counter counter;
    for (size_t i = 0; hawser_stack_counter(host->stack, i, &counter); i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    return 0;
}
