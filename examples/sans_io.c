/*
 * The core library alone: two stacks in one thread, packets carried by hand, and a clock that only this file moves. No
 * system call is made but for printing, so that it prints the same whenever and wherever it runs. The way to embed the
 * stack in an event loop, a simulator or a test of one's own.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hawser/hawser.h>

#define MS UINT64_C(1000000)

enum { PORT = 5000, PATHS = 2, STREAM_BYTES = 2000000, PACKET_MAX = 1500, QUEUE_MAX = 512 };

/* Each way of each path: how long it takes, and the time that each byte takes it (20 and 10 Mbit/s). */
static const uint64_t delay_ns[PATHS] = {10 * MS, 25 * MS}, byte_ns[PATHS] = {400, 800};

struct packet {
    uint64_t due_ns;
    uint32_t len;
    uint8_t bytes[PACKET_MAX];
};

/* What is under way to one end of a path, first in, first out. */
struct wire {
    struct packet *packets; /* a ring of QUEUE_MAX */
    unsigned head, count;
    uint64_t busy_ns; /* until then earlier packets take it */
};

struct end {
    const char *name;
    struct hawser_stack *stack;
    struct wire in[PATHS];
    uint64_t random;
};

struct world {
    struct end client, server;
    uint64_t now_ns;
};

static void check(int error, const char *what)
{
    if (error < 0) {
        fprintf(stderr, "%s: %s\n", what, strerror(-error));
        exit(EXIT_FAILURE);
    }
}

/* The surroundings of a stack. A real host gives it the system's cryptographic generator. */

static void *env_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void env_free(void *ctx, void *ptr)
{
    (void)ctx;
    free(ptr);
}

static void env_random(void *ctx, void *dst, size_t len)
{
    uint64_t *state = ctx;
    for (size_t i = 0; i < len; i++) { /* a linear congruential generator: repeatable, and good for nothing else */
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        ((uint8_t *)dst)[i] = (uint8_t)(*state >> 56);
    }
}

static void end_new(struct end *end, const char *name, unsigned host)
{
    struct hawser_env env = {.ctx = &end->random, .alloc = env_alloc, .free = env_free, .random = env_random};
    *end = (struct end){.name = name, .random = host};
    check(hawser_stack_new(&env, NULL, &end->stack), "hawser_stack_new");
    for (unsigned path = 0; path < PATHS; path++) {
        char text[HAWSER_ADDR_STRLEN];
        struct hawser_addr addr;
        struct hawser_link_options options = {.size = sizeof(options), .mtu = PACKET_MAX};
        end->in[path].packets = calloc(QUEUE_MAX, sizeof(struct packet));
        check(end->in[path].packets ? 0 : -ENOMEM, "calloc");
        snprintf(text, sizeof(text), "10.%u.0.%u", path + 1, host);
        check(hawser_addr_parse(&addr, text, 0), text);
        int link = hawser_stack_add_link(end->stack, &options);
        check(link, "hawser_stack_add_link");
        check(hawser_stack_add_address(end->stack, link, &addr, 24, 0), "hawser_stack_add_address");
    }
}

static void end_free(struct end *end)
{
    hawser_stack_free(end->stack);
    for (unsigned path = 0; path < PATHS; path++)
        free(end->in[path].packets);
}

/* Prints how subflows begin and end. The first byte of an IPv4 header says its length, TCP's flags are 13 bytes on. */
static void trace(const struct world *world, const struct end *from, unsigned path, const struct packet *p)
{
    unsigned ip = (p->bytes[0] & 15u) * 4, tcp = (p->bytes[ip + 12] >> 4) * 4u, flags = p->bytes[ip + 13];
    if (flags & 7)
        printf("%6.1f ms  %s, path %u:%s%s%s%s, %u bytes of options, %u of payload\n", (double)world->now_ns / 1e6,
               from->name, path + 1, flags & 2 ? " SYN" : "", flags & 1 ? " FIN" : "", flags & 4 ? " RST" : "",
               flags & 16 ? " ACK" : "", tcp - 20, p->len - ip - tcp);
}

/* Takes every packet that `from` wants to send, and puts it on the way to `to`. */
static void carry(struct world *world, struct end *from, struct end *to)
{
    struct hawser_tx tx;
    while (hawser_stack_output(from->stack, &tx, 1, world->now_ns) == 1) {
        struct wire *wire = &to->in[tx.link];
        if (wire->count == QUEUE_MAX)
            continue; /* lost, as in any full queue */
        struct packet *p = &wire->packets[(wire->head + wire->count++) % QUEUE_MAX];
        hawser_tx_finish_checksum(&tx);
        p->len = (uint32_t)hawser_tx_flatten(&tx, p->bytes);
        if (wire->busy_ns < world->now_ns)
            wire->busy_ns = world->now_ns;
        wire->busy_ns += p->len * byte_ns[tx.link];
        p->due_ns = wire->busy_ns + delay_ns[tx.link];
        trace(world, from, tx.link, p);
    }
}

/* Gives an end the packets that are there by now, and runs its timers. */
static void deliver(struct world *world, struct end *to)
{
    for (int path = 0; path < PATHS; path++) {
        struct wire *wire = &to->in[path];
        for (; wire->count && wire->packets[wire->head].due_ns <= world->now_ns; wire->count--) {
            struct packet *p = &wire->packets[wire->head];
            struct hawser_rx rx = {.data = p->bytes, .len = p->len};
            hawser_stack_input(to->stack, path, &rx, 1, world->now_ns);
            wire->head = (wire->head + 1) % QUEUE_MAX;
        }
    }
    if (hawser_stack_deadline(to->stack) <= world->now_ns)
        hawser_stack_advance(to->stack, world->now_ns);
}

/* When something will happen at an end: a packet comes in, or a timer is due. */
static uint64_t next_ns(const struct end *end)
{
    uint64_t least_ns = hawser_stack_deadline(end->stack);
    for (int path = 0; path < PATHS; path++) {
        const struct wire *wire = &end->in[path];
        if (wire->count && wire->packets[wire->head].due_ns < least_ns)
            least_ns = wire->packets[wire->head].due_ns;
    }
    return least_ns;
}

/* Sends what there is to send and moves the clock to the next thing that happens. False: nothing ever will. */
static bool turn(struct world *world)
{
    carry(world, &world->client, &world->server);
    carry(world, &world->server, &world->client);
    uint64_t client_ns = next_ns(&world->client), server_ns = next_ns(&world->server);
    uint64_t then_ns = client_ns < server_ns ? client_ns : server_ns;
    if (then_ns == HAWSER_NEVER)
        return false;
    if (then_ns > world->now_ns)
        world->now_ns = then_ns;
    deliver(world, &world->client);
    deliver(world, &world->server);
    return true;
}

static uint8_t sent[STREAM_BYTES], received[STREAM_BYTES];

static void print_subflows(const struct hawser_conn *conn)
{
    struct hawser_subflow_info s = {.size = sizeof(s)};
    char local[HAWSER_ADDR_STRLEN], remote[HAWSER_ADDR_STRLEN];
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &s) == 0; i++)
        printf("subflow %u, %s -> %s: %" PRIu64 " bytes sent, round trip %.1f ms\n", s.id,
               hawser_addr_format(&s.local, local, sizeof(local)),
               hawser_addr_format(&s.remote, remote, sizeof(remote)), s.sent_bytes, (double)s.srtt_ns / 1e6);
}

/* The two programs: one sends all, the other reads to the end. Returns how much arrived. */
static size_t transfer(struct world *world, struct hawser_conn *out, struct hawser_listener *listener)
{
    struct hawser_conn *in = NULL;
    struct hawser_event event;
    size_t queued = 0, got = 0;
    ssize_t n = -EAGAIN;
    while (n != 0 && turn(world)) {
        while (hawser_next_event(world->client.stack, &event)) {
            check(hawser_conn_error(out), "connection");
            if (!(event.what & HAWSER_WRITABLE) || queued == STREAM_BYTES)
                continue;
            while ((n = hawser_send(out, sent + queued, STREAM_BYTES - queued)) > 0)
                queued += (size_t)n;
            if (queued == STREAM_BYTES)
                hawser_shutdown(out);
        }
        if (!in)
            hawser_accept(listener, &in);
        while (hawser_next_event(world->server.stack, &event))
            ; /* of the one connection that is read in any case */
        n = -EAGAIN;
        while (in && (n = hawser_recv(in, received + got, STREAM_BYTES - got)) > 0)
            got += (size_t)n;
    }
    printf("%6.1f ms  the end of the stream is here\n", (double)world->now_ns / 1e6);
    print_subflows(out);
    hawser_close(out);
    if (in)
        hawser_close(in);
    while (turn(world))
        ; /* the ends are acknowledged, and remembered for a minute */
    return got;
}

int main(void)
{
    static struct world world;
    struct hawser_listener *listener;
    struct hawser_conn *out;
    struct hawser_addr any = {.port = PORT}, remote;
    for (size_t i = 0; i < STREAM_BYTES; i++)
        sent[i] = (uint8_t)(i * 2654435761u >> 13);

    end_new(&world.client, "client", 1);
    end_new(&world.server, "server", 2);
    check(hawser_addr_parse(&remote, "10.1.0.2", PORT), "address");
    check(hawser_listen(world.server.stack, &any, 1, NULL, &listener), "listen");
    check(hawser_connect(world.client.stack, &remote, NULL, world.now_ns, &out), "connect");

    size_t got = transfer(&world, out, listener);
    bool equal = got == STREAM_BYTES && memcmp(sent, received, STREAM_BYTES) == 0;
    printf("%zu bytes arrived, %s\n", got, equal ? "all of them right" : "NOT what was sent");
    end_free(&world.client);
    end_free(&world.server);
    return equal ? EXIT_SUCCESS : EXIT_FAILURE;
}
