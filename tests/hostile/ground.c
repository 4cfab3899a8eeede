#include "ground.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/check.h"
#include "base/compiler.h"
#include "base/units.h"
#include "meter.h"
#include "wire/bytes.h"

enum {
    MEMORY_DEFAULT = 16 << 20,
    CONNECTIONS_DEFAULT = 256,
    BACKLOG_DEFAULT = 128,
    LINK_BUFFERS_DEFAULT = 16,
    LINK_BUFFER_BYTES = 256 << 10,
    LINK_GSO_BYTES = 65000,
    BATCH = 32,
    ROUNDS_MAX = 100000, /* of output and program without a packet between: more is a loop */
    /* What is no payload: README.md. */
    FIXED_BYTES = 512 << 10,
    BYTES_A_CONNECTION = 8192,
};

/* ---- what the stack gets from its surroundings ---- */

/* Before each allocation stands its size; as large as any alignment asks for. */
union block_head {
    size_t size;
    max_align_t align;
};

static void *purse_alloc(void *ctx, size_t size)
{
    struct purse *p = ctx;
    uint64_t reading = meter_read();
    if (p->refusals_ppm && prng_below(&p->moods, 1000000) < p->refusals_ppm)
        return NULL;
    union block_head *head = malloc(sizeof *head + size);
    CHECK(head);
    head->size = size;
    p->live_bytes += size;
    p->blocks++;
    memset(head + 1, 0xa5, size); /* whoever counts on zeroes shall notice */
    meter_set_back(reading);
    return head + 1;
}

static void purse_free(void *ctx, void *ptr)
{
    struct purse *p = ctx;
    union block_head *head = (union block_head *)ptr - 1;
    CHECK(p->blocks > 0);
    p->blocks--;
    p->live_bytes -= head->size;
    free(head);
}

static void purse_random(void *ctx, void *dst, size_t len) { prng_fill(&((struct purse *)ctx)->secrets, dst, len); }

void purse_init(struct purse *p, uint64_t seed)
{
    *p = (struct purse){.env = {p, purse_alloc, purse_free, purse_random}};
    prng_seed(&p->secrets, seed);
    prng_seed(&p->moods, seed);
}

uint64_t ground_bytes(const struct ground *g)
{
    uint32_t lent = buf_pool_in_use(g->pool) - (g->rx.open != NULL); /* the one being filled is the link's */
    return g->purse.live_bytes + (uint64_t)lent * LINK_BUFFER_BYTES;
}

uint64_t ground_bytes_limit(const struct ground *g)
{
    return g->options.memory_bytes + FIXED_BYTES + (uint64_t)g->options.connections * BYTES_A_CONNECTION;
}

/* ---- the program ---- */

static void drop(struct client *client)
{
    hawser_close(client->conn);
    *client = (struct client){0};
}

static struct client *admit(struct ground *g, struct hawser_conn *conn, enum role role)
{
    uint32_t i = 0;
    while (i < g->client_count && g->clients[i].conn)
        i++;
    CHECK(i < g->client_count); /* one for every connection there may be */
    g->clients[i] = (struct client){.conn = conn, .role = role};
    hawser_conn_set_user(conn, &g->clients[i]);
    if (role == ROLE_CLOSE)
        drop(&g->clients[i]);
    return &g->clients[i];
}

static void read_all(struct ground *g, struct hawser_conn *conn)
{
    static uint8_t bytes[65536];
    for (ssize_t n; (n = hawser_recv(conn, bytes, sizeof bytes)) > 0;)
        g->bytes_read += (uint64_t)n;
}

static void queue_much(struct hawser_conn *conn)
{
    static const uint8_t much[65536];
    while (hawser_send(conn, much, sizeof much) > 0)
        ;
}

static void answer(struct ground *g, struct client *c)
{
    uint8_t bytes[4096];
    ssize_t n;
    while ((n = hawser_recv(c->conn, bytes, sizeof bytes)) > 0) {
        g->bytes_read += (uint64_t)n;
        c->asked += (uint32_t)n;
        c->owed += c->asked / ASKED * ANSWERED;
        c->asked %= ASKED;
    }
    while (c->owed) {
        uint32_t at = -c->owed % ANSWERED, len = HW_MIN(c->owed, (uint32_t)sizeof g->answers - at);
        n = hawser_send(c->conn, g->answers + at, len);
        if (n <= 0)
            return;
        c->owed -= (uint32_t)n;
    }
}

static void do_anything(struct ground *g, struct client *c)
{
    uint8_t bytes[5000] = {0};
    uint32_t much = (uint32_t)prng_below(&g->whims, sizeof bytes);
    switch (prng_below(&g->whims, 40)) {
    case 0:
        hawser_shutdown(c->conn);
        break;
    case 1:
        drop(c);
        break;
    case 2:
        hawser_abort(c->conn);
        *c = (struct client){0};
        break;
    default:
        (void)hawser_recv(c->conn, bytes, much);
        (void)hawser_send(c->conn, bytes, prng_below(&g->whims, much + 1));
    }
}

static void serve(struct ground *g, struct client *c)
{
    if (c->role == ROLE_WILD)
        do_anything(g, c);
    if (!c->conn)
        return;
    if (c->role == ROLE_SERVE)
        answer(g, c);
    if (c->role == ROLE_READ || c->role == ROLE_QUEUE)
        read_all(g, c->conn);
    if (c->role == ROLE_QUEUE)
        queue_much(c->conn);
    bool over = hawser_conn_error(c->conn) ||
                (c->role != ROLE_DEAF && c->role != ROLE_WILD && hawser_conn_ready(c->conn) & HAWSER_READABLE);
    if (over || hawser_conn_ready(c->conn) & HAWSER_CLOSED)
        drop(c);
}

static void run_program(struct ground *g)
{
    struct hawser_conn *conn;
    for (unsigned role = 0; role < ROLES; role++)
        while (hawser_accept(g->listeners[role], &conn) == 0)
            (void)admit(g, conn, (enum role)role);
    for (struct hawser_event event; hawser_next_event(g->stack, &event);)
        serve(g, event.user);
}

static bool may_call(const struct ground *g)
{
    uint32_t calls = 0;
    for (uint32_t i = 0; i < g->client_count; i++)
        calls += g->clients[i].conn && g->clients[i].called;
    return !g->options.calls || calls < g->options.calls;
}

void ground_connect(struct ground *g, const struct hawser_addr *to, bool plain)
{
    struct hawser_conn_options options = {
        .size = sizeof options, .no_mptcp = plain, .send_buffer_bytes = g->options.send_buffer_bytes};
    struct hawser_conn *conn;
    if (may_call(g) && hawser_connect(g->stack, to, &options, g->now_ns, &conn) == 0)
        admit(g, conn, ROLE_QUEUE)->called = true;
    ground_advance(g);
}

void ground_give_up(struct ground *g)
{
    for (uint32_t i = 0; i < g->client_count; i++)
        if (g->clients[i].conn && !g->clients[i].honest)
            drop(&g->clients[i]);
    ground_let_go(g);
}

/* ---- the stack ---- */

struct hawser_addr ground_addr(const struct ground *g, unsigned net, unsigned host, uint16_t port)
{
    char text[HAWSER_ADDR_STRLEN];
    struct hawser_addr addr;
    snprintf(text, sizeof text, g->options.v6 ? "fd00:0:0:%u::%x" : "10.0.%u.%u", net, host);
    CHECK(hawser_addr_parse(&addr, text, port) == 0);
    return addr;
}

struct hawser_addr ground_tx_to(const struct hawser_tx *tx)
{
    enum { IPV4_DESTINATION = 16, IPV6_DESTINATION = 24, TCP_DESTINATION = 2 };
    struct hawser_addr to = {.ip = {[10] = 0xff, [11] = 0xff}, .port = get16(tx->head + tx->l3_len + TCP_DESTINATION)};
    if (tx->head[0] >> 4 == 4)
        memcpy(to.ip + 12, tx->head + IPV4_DESTINATION, 4);
    else
        memcpy(to.ip, tx->head + IPV6_DESTINATION, 16);
    return to;
}

/* How many packets more the link takes now. */
static size_t link_room(struct ground *g)
{
    if (!g->options.link_bytes_a_ms)
        return BATCH;
    if (g->now_ns >= g->link_since_ns + NS_PER_MS) {
        g->link_since_ns = g->now_ns;
        g->link_bytes = 0;
    }
    return g->link_bytes < g->options.link_bytes_a_ms;
}

static void send_out(struct ground *g, const struct hawser_tx *batch, size_t n)
{
    uint64_t reading = meter_read();
    for (size_t i = 0; i < n; i++) {
        g->bytes_sent += batch[i].payload_len;
        g->link_bytes += batch[i].head_len + batch[i].payload_len;
        g->hear(g->ctx, &batch[i]);
    }
    meter_set_back(reading);
}

static void settle(struct ground *g)
{
    struct hawser_tx batch[BATCH];
    for (unsigned round = 0;; round++) {
        CHECK(round < ROUNDS_MAX);
        size_t room = link_room(g), n = room ? hawser_stack_output(g->stack, batch, room, g->now_ns) : 0;
        send_out(g, batch, n);
        g->link_full = n == room;
        if (n && n == room)
            continue;
        if (!hawser_stack_pending(g->stack))
            break;
        run_program(g);
    }
}

/* As many blocks as a packet takes that sets nothing in motion. */
static double beside_bytes(const struct ground *g, uint64_t cost, uint64_t sent, uint64_t read)
{
    enum { SENT_A_PACKET = 2 * 1400, READ_A_PACKET = 1400 }; /* as by ordinary ones */
    return (double)cost /
           (1 + (double)(g->bytes_sent - sent) / SENT_A_PACKET + (double)(g->bytes_read - read) / READ_A_PACKET);
}

static void work(struct ground *g, const struct hawser_rx *rx)
{
    uint64_t reading = meter_read(), sent = g->bytes_sent, read = g->bytes_read;
    if (rx)
        hawser_stack_input(g->stack, 0, rx, 1, g->now_ns);
    else
        hawser_stack_advance(g->stack, g->now_ns);
    if (!g->held)
        settle(g);
    uint64_t cost = meter_read() - reading, bytes = ground_bytes(g);
    g->cost += cost;
    if (rx)
        g->worst = HW_MAX(g->worst, beside_bytes(g, cost, sent, read));
    g->peak_bytes = HW_MAX(g->peak_bytes, bytes);
}

void ground_input(struct ground *g, const void *packet, uint32_t len, uint16_t gso_size)
{
    struct hawser_rx rx = {.len = len, .gso_size = gso_size, .flags = HAWSER_RX_CSUM_OK};
    uint8_t *room = rx_buffers_room(&g->rx, &rx.buf);
    rx.data = memcpy(room, packet, len);
    rx_buffers_commit(&g->rx, rx.buf, len);
    work(g, &rx);
    rx_buffers_release(&g->rx);
}

void ground_hold(struct ground *g) { g->held = true; }

void ground_let_go(struct ground *g)
{
    g->held = false;
    ground_advance(g);
}

void ground_advance(struct ground *g)
{
    if (g->press && g->now_ns >= g->next_tick_ns) {
        g->next_tick_ns = g->now_ns + NS_PER_MS;
        g->press(g->ctx, g->tick++);
    }
    work(g, NULL);
}

uint64_t ground_deadline(const struct ground *g)
{
    uint64_t next = hawser_stack_deadline(g->stack);
    if (g->link_full && g->options.link_bytes_a_ms)
        next = HW_MIN(next, g->link_since_ns + NS_PER_MS);
    return g->press ? HW_MIN(next, g->next_tick_ns) : next;
}

static void take_options(struct ground *g, const struct ground_options *options)
{
    g->options = options ? *options : (struct ground_options){0};
    struct ground_options *o = &g->options;
    o->memory_bytes = o->memory_bytes ? o->memory_bytes : MEMORY_DEFAULT;
    o->connections = o->connections ? o->connections : CONNECTIONS_DEFAULT;
    o->backlog = o->backlog ? o->backlog : BACKLOG_DEFAULT;
    o->link_buffers = o->link_buffers ? o->link_buffers : LINK_BUFFERS_DEFAULT;
}

void ground_init(struct ground *g, const struct ground_options *options, uint64_t seed)
{
    *g = (struct ground){.now_ns = NS_PER_S};
    take_options(g, options);
    purse_init(&g->purse, seed);
    purse_init(&g->link_purse, seed);
    prng_seed(&g->luck, ~seed);
    prng_seed(&g->whims, seed);
    struct hawser_stack_options stack = {.size = sizeof stack,
                                         .max_connections = g->options.connections,
                                         .max_memory_bytes = g->options.memory_bytes,
                                         .checksum_required = g->options.checksums};
    struct hawser_link_options link = {.size = sizeof link, .mtu = 1500, .gso_bytes = LINK_GSO_BYTES};
    struct hawser_conn_options listening = {.size = sizeof listening,
                                            .send_buffer_bytes = g->options.send_buffer_bytes,
                                            .recv_buffer_bytes = g->options.recv_buffer_bytes};
    CHECK(hawser_stack_new(&g->purse.env, &stack, &g->stack) == 0);
    CHECK(hawser_buf_pool_new(&g->link_purse.env, LINK_BUFFER_BYTES, g->options.link_buffers, &g->pool) == 0);
    rx_buffers_init(&g->rx, g->pool);
    CHECK(hawser_stack_add_link(g->stack, &link) == 0);
    g->addr = ground_addr(g, 0, 1, 0);
    CHECK(hawser_stack_add_address(g->stack, 0, &g->addr, ground_prefix(g), g->now_ns) == 0);
    for (unsigned role = 0; role < ROLES; role++) {
        struct hawser_addr any = {.port = (uint16_t)(GROUND_PORT + role)};
        CHECK(hawser_listen(g->stack, &any, g->options.backlog, &listening, &g->listeners[role]) == 0);
    }
    for (uint32_t i = 0; i < sizeof g->answers; i++)
        g->answers[i] = "answered"[i % ANSWERED];
    g->client_count = g->options.connections;
    g->clients = calloc(g->client_count, sizeof *g->clients);
    CHECK(g->clients);
}

bool ground_destroy(struct ground *g)
{
    hawser_stack_free(g->stack);
    rx_buffers_destroy(&g->rx);
    bool whole = buf_pool_in_use(g->pool) == 0;
    hawser_buf_pool_close(g->pool);
    free(g->clients);
    return whole && g->purse.blocks == 0 && g->link_purse.blocks == 0;
}

uint64_t ground_counter(const struct ground *g, const char *name)
{
    struct hawser_counter counter;
    for (size_t i = 0; hawser_stack_counter(g->stack, i, &counter); i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    CHECK(false); /* no counter is called that */
}
