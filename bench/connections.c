/*
 * Many connections in one stack: what a busy one costs beside a million idle ones, and how fast they come and go. See
 * bench/connections.
 *
 * Both ends are stacks in this process, in virtual time. The cost is processor time, of both ends, for a packet of a
 * thousand busy connections, alone and then with the idle ones about; in turns, since machines are noisy.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <hawser/hawser.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "base/units.h"

#define PORTS 64u    /* of the server, so that one client has ports enough */
#define AT_ONCE 500u /* connections that open, or close, at the same time */
#define BUSY 1000u
#define BUSY_BYTES (200u * 1000)
#define ROUNDS 5u
#define PACKET 1500u
#define BATCH 64u

static void must(bool held, const char *why)
{
    if (held)
        return;
    fprintf(stderr, "connections: %s\n", why);
    exit(2);
}

struct end {
    struct hawser_stack *stack;
    struct prng rng;
    uint64_t packets, held_bytes;
};

/* What a client's connection has to send, and a server's to read; hangs on its handle. */
struct load {
    struct hawser_conn *conn;
    uint32_t left;
};

struct pair {
    struct end client, server;
    struct hawser_listener *listeners[PORTS];
    uint64_t now_ns, received, opened, connected, closed;
};

static void *env_alloc(void *ctx, size_t size)
{
    struct end *end = ctx;
    uint64_t *block = malloc(size + 16);
    if (!block)
        return NULL;
    end->held_bytes += size;
    *block = size;
    return block + 2;
}

static void env_free(void *ctx, void *ptr)
{
    struct end *end = ctx;
    uint64_t *block = (uint64_t *)ptr - 2;
    end->held_bytes -= *block;
    free(block);
}

static void env_random(void *ctx, void *dst, size_t len) { prng_fill(&((struct end *)ctx)->rng, dst, len); }

static struct hawser_addr address(unsigned host, uint16_t port)
{
    char text[32];
    struct hawser_addr addr;
    snprintf(text, sizeof text, "10.0.0.%u", host);
    must(hawser_addr_parse(&addr, text, port) == 0, "an address was refused");
    return addr;
}

static void end_init(struct end *end, uint32_t connections, unsigned host)
{
    const struct hawser_env env = {end, env_alloc, env_free, env_random};
    const struct hawser_stack_options options = {.size = sizeof options,
                                                 .max_connections = 2 * connections + 2 * AT_ONCE,
                                                 .max_memory_bytes = UINT32_MAX,
                                                 .max_time_wait = 1 << 20};
    const struct hawser_link_options link = {.size = sizeof link, .mtu = PACKET};
    const struct hawser_addr addr = address(host, 0);
    prng_seed(&end->rng, host);
    must(hawser_stack_new(&env, &options, &end->stack) == 0, "no stack");
    must(hawser_stack_add_link(end->stack, &link) == 0, "no link");
    must(hawser_stack_add_address(end->stack, 0, &addr, 24, 0) == 0, "an address was refused");
}

static void pair_init(struct pair *p, uint32_t connections)
{
    const struct hawser_conn_options trusting = {.size = sizeof trusting, .share = HAWSER_SHARE_NONE};
    *p = (struct pair){.now_ns = NS_PER_S};
    end_init(&p->client, connections, 1);
    end_init(&p->server, connections, 2);
    for (unsigned i = 0; i < PORTS; i++) {
        struct hawser_addr any = {.port = (uint16_t)(80 + i)};
        must(hawser_listen(p->server.stack, &any, 2 * AT_ONCE, &trusting, &p->listeners[i]) == 0, "cannot listen");
    }
}

static void pair_free(struct pair *p)
{
    hawser_stack_free(p->client.stack);
    hawser_stack_free(p->server.stack);
    must(p->client.held_bytes == 0 && p->server.held_bytes == 0, "memory is left");
}

/* ---- the two programs ---- */

static void send_some(struct load *load)
{
    static const uint8_t bytes[16384];
    ssize_t n = 1;
    while (load->left && (n = hawser_send(load->conn, bytes, HW_MIN(load->left, (uint32_t)sizeof bytes))) > 0)
        load->left -= (uint32_t)n;
    must(n > 0 || n == -EAGAIN, "the client cannot send");
}

static void client_events(struct pair *p)
{
    struct hawser_event e;
    while (hawser_next_event(p->client.stack, &e)) {
        struct load *load = e.user;
        must(!(e.what & HAWSER_ERROR), "a connection failed");
        p->connected += !!(e.what & HAWSER_CONNECTED);
        if (e.what & (HAWSER_CONNECTED | HAWSER_WRITABLE))
            send_some(load);
    }
}

static void server_events(struct pair *p)
{
    static uint8_t bytes[65536];
    struct hawser_event e;
    struct hawser_conn *conn;
    while (hawser_next_event(p->server.stack, &e)) {
        while (e.listener && hawser_accept(e.listener, &conn) == 0)
            ;
        ssize_t n = -EAGAIN;
        while (e.conn && (n = hawser_recv(e.conn, bytes, sizeof bytes)) > 0)
            p->received += (uint64_t)n;
        if (n == -EAGAIN)
            continue;
        hawser_close(e.conn);
        p->closed++;
    }
}

/* ---- the wire ---- */

static size_t pass(struct end *from, struct end *to, uint64_t now_ns)
{
    static uint8_t bytes[BATCH][PACKET];
    struct hawser_tx out[BATCH];
    struct hawser_rx in[BATCH];
    size_t n = hawser_stack_output(from->stack, out, BATCH, now_ns);
    for (size_t i = 0; i < n; i++)
        in[i] = (struct hawser_rx){
            .data = bytes[i], .len = (uint32_t)hawser_tx_flatten(&out[i], bytes[i]), .flags = HAWSER_RX_CSUM_OK};
    hawser_stack_input(to->stack, 0, in, n, now_ns);
    from->packets += n;
    return n;
}

/* Until nobody has anything to say. */
static void exchange(struct pair *p)
{
    size_t moved;
    do {
        moved = pass(&p->client, &p->server, p->now_ns);
        p->now_ns += 10 * NS_PER_US;
        server_events(p);
        moved += pass(&p->server, &p->client, p->now_ns);
        client_events(p);
    } while (moved);
}

static void to_next_deadline(struct pair *p, uint64_t most_ns)
{
    uint64_t next = HW_MIN(hawser_stack_deadline(p->client.stack), hawser_stack_deadline(p->server.stack));
    p->now_ns = HW_MIN(HW_MAX(next, p->now_ns + 1), most_ns);
    hawser_stack_advance(p->client.stack, p->now_ns);
    hawser_stack_advance(p->server.stack, p->now_ns);
}

static void run_until(struct pair *p, const uint64_t *count, uint64_t target)
{
    uint64_t give_up_ns = p->now_ns + 600 * NS_PER_S;
    for (exchange(p); *count < target; exchange(p)) {
        must(p->now_ns < give_up_ns, "it does not get on");
        to_next_deadline(p, give_up_ns);
    }
}

/* What is needed only while something is under way goes. */
static void settle(struct pair *p)
{
    uint64_t until_ns = p->now_ns + 5 * NS_PER_S;
    for (exchange(p); p->now_ns < until_ns; exchange(p))
        to_next_deadline(p, until_ns);
}

/* ---- what is measured ---- */

static uint64_t cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void open_all(struct pair *p, struct load *loads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct hawser_addr server = address(2, (uint16_t)(80 + p->opened++ % PORTS));
        loads[i] = (struct load){0};
        int error = hawser_connect(p->client.stack, &server, NULL, p->now_ns, &loads[i].conn);
        must(error == 0, "cannot connect");
        hawser_conn_set_user(loads[i].conn, &loads[i]);
        if (p->opened % AT_ONCE == 0 || i + 1 == n)
            run_until(p, &p->connected, p->opened);
    }
}

static void close_all(struct pair *p, struct load *loads, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        hawser_close(loads[i].conn);
    run_until(p, &p->closed, p->closed + n);
}

/* Processor time for a packet, all busy ones at once. */
static double busy_ns(struct pair *p, struct load *loads)
{
    uint64_t packets = p->client.packets + p->server.packets, from_ns = cpu_ns();
    for (uint32_t i = 0; i < BUSY; i++) {
        loads[i].left = BUSY_BYTES;
        send_some(&loads[i]);
    }
    run_until(p, &p->received, p->received + (uint64_t)BUSY * BUSY_BYTES);
    return (double)(cpu_ns() - from_ns) / (double)(p->client.packets + p->server.packets - packets);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, by_value);
    return values[ROUNDS / 2];
}

/* Processor time for a packet of a busy one, with idle ones of the kind around and without: the caches are shared. */
#define CROWD_RATIO_MAX 3.0

static bool measure_busy(uint32_t idle)
{
    static struct load busy[2][BUSY];
    struct load *idlers = calloc(idle, sizeof *idlers);
    struct pair alone, crowded;
    double each[2][ROUNDS];
    must(idlers, "no memory");
    pair_init(&alone, BUSY);
    pair_init(&crowded, idle + BUSY);
    open_all(&alone, busy[0], BUSY);
    open_all(&crowded, idlers, idle);
    settle(&crowded);
    uint64_t client = crowded.client.held_bytes / idle, server = crowded.server.held_bytes / idle;
    open_all(&crowded, busy[1], BUSY);
    for (unsigned i = 0; i < ROUNDS; i++) {
        each[0][i] = busy_ns(&alone, busy[0]);
        each[1][i] = busy_ns(&crowded, busy[1]);
    }
    double quiet = median(each[0]), loud = median(each[1]);
    printf("%u idle connections hold %" PRIu64 " B each (client) and %" PRIu64 " B (server)\n", idle, client, server);
    printf("%u busy ones: %.0f ns a packet alone, %.0f ns beside them: ratio %.2f, at most %.0f: %s\n", BUSY, quiet,
           loud, loud / quiet, CROWD_RATIO_MAX, loud / quiet <= CROWD_RATIO_MAX ? "ok" : "FAILED");
    pair_free(&alone);
    pair_free(&crowded);
    free(idlers);
    return loud / quiet <= CROWD_RATIO_MAX;
}

static void measure_loop(uint32_t count)
{
    static struct load loads[AT_ONCE];
    struct pair p;
    uint64_t from_ns = cpu_ns();
    pair_init(&p, AT_ONCE);
    for (uint32_t i = 0; i < count / AT_ONCE; i++) {
        open_all(&p, loads, AT_ONCE);
        close_all(&p, loads, AT_ONCE);
    }
    double seconds = (double)(cpu_ns() - from_ns) / (double)NS_PER_S;
    printf("%" PRIu64 " opened and closed, %u at once: %.0f a second, both ends on one core\n", p.opened, AT_ONCE,
           (double)p.opened / seconds);
    pair_free(&p);
}

int main(int argc, char **argv)
{
    unsigned long idle = argc > 1 ? strtoul(argv[1], NULL, 10) : 1000000;
    must(idle > 0 && idle <= 4000000, "usage: connections [IDLE], up to 4,000,000");
    measure_loop(100000);
    return measure_busy((uint32_t)idle) ? 0 : 1;
}
