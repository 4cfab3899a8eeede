/*
 * What a connection costs: the growth of resident memory over many of them, tables and allocator included, divided by
 * their number. See bench/memory.
 *
 * Each end is a stack in a process of its own, so that each growth is of one end alone. The processes pass packets over
 * a socket, by turns, in virtual time; neither holds any other thing that grows.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <hawser/hawser.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "base/units.h"

#define AT_ONCE 200u /* connections that open, or close, at the same time */
#define PORTS 8u     /* of the server, so that a client has ports enough */
#define WORDS 100u   /* bytes that each end says before it is idle */
#define PACKET 1500u
#define BATCH 32u
#define SETTLE_NS (50 * NS_PER_MS)

static void die(const char *why)
{
    fprintf(stderr, "memory: %s\n", why);
    exit(2);
}

static void must(bool held, const char *why)
{
    if (!held)
        die(why);
}

/* ---- the ends ---- */

enum request { PASS, MEASURE };

/* What goes over the socket, either way: packets that leave now, in turns that end with a message that is not full. */
struct message {
    uint64_t now_ns;
    uint64_t answer; /* the deadline of who answers, or what was asked for */
    enum request request;
    uint32_t count;
    uint16_t len[BATCH];
    uint8_t packets[BATCH][PACKET];
};

struct end {
    struct hawser_stack *stack;
    struct prng rng;
    int fd;
    struct message out, in;
    struct hawser_listener *listeners[PORTS]; /* the server's */
};

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

static void env_random(void *ctx, void *dst, size_t len) { prng_fill(ctx, dst, len); }

static struct hawser_addr address(unsigned path, unsigned host, uint16_t port)
{
    char text[32];
    struct hawser_addr addr;
    snprintf(text, sizeof text, "10.0.%u.%u", path, host);
    must(hawser_addr_parse(&addr, text, port) == 0, "an address was refused");
    return addr;
}

static void end_init(struct end *end, uint32_t connections, unsigned host, unsigned addresses)
{
    const struct hawser_env env = {&end->rng, env_alloc, env_free, env_random};
    /* So many more that idle ones need not make room. */
    const struct hawser_stack_options options = {.size = sizeof options, .max_connections = 2 * connections + AT_ONCE};
    const struct hawser_link_options link = {.size = sizeof link, .mtu = PACKET};
    prng_seed(&end->rng, host);
    must(hawser_stack_new(&env, &options, &end->stack) == 0 && hawser_stack_add_link(end->stack, &link) == 0,
         "no stack");
    for (unsigned i = 0; i < addresses; i++) {
        struct hawser_addr addr = address(i, host, 0);
        must(hawser_stack_add_address(end->stack, 0, &addr, 24, 0) == 0, "an address was refused");
    }
}

static uint64_t resident_bytes(void)
{
    char line[128];
    unsigned long kib = 0;
    FILE *f = fopen("/proc/self/smaps_rollup", "r");
    must(f, "no /proc/self/smaps_rollup");
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "Rss: %lu", &kib) == 1)
            break;
    fclose(f);
    return UINT64_C(1024) * kib;
}

static void take_packets(struct end *end, const struct message *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        const struct hawser_rx rx = {.data = m->packets[i], .len = m->len[i], .flags = HAWSER_RX_CSUM_OK};
        hawser_stack_input(end->stack, 0, &rx, 1, m->now_ns);
    }
    hawser_stack_advance(end->stack, m->now_ns);
}

/* Fills `out`; true when there may be more. */
static bool put_packets(struct end *end, struct message *out, uint64_t now_ns)
{
    struct hawser_tx batch[BATCH];
    size_t n = hawser_stack_output(end->stack, batch, BATCH, now_ns);
    out->now_ns = now_ns;
    out->request = PASS;
    out->count = (uint32_t)n;
    for (size_t i = 0; i < n; i++)
        out->len[i] = (uint16_t)hawser_tx_flatten(&batch[i], out->packets[i]);
    return n == BATCH;
}

static void say(struct end *end, const struct message *m)
{
    size_t len = offsetof(struct message, packets) + m->count * sizeof m->packets[0];
    must(send(end->fd, m, len, 0) == (ssize_t)len, "the other process is gone");
}

static bool hear(struct end *end, struct message *m) { return recv(end->fd, m, sizeof *m, 0) > 0; }

/* ---- the server ---- */

static void echo(struct end *end)
{
    struct hawser_conn *conn;
    uint8_t words[WORDS];
    for (unsigned i = 0; i < PORTS; i++)
        while (hawser_accept(end->listeners[i], &conn) == 0)
            ;
    for (struct hawser_event event; hawser_next_event(end->stack, &event);) {
        conn = event.conn;
        ssize_t n = hawser_recv(conn, words, sizeof words);
        if (n > 0)
            must(hawser_send(conn, words, (size_t)n) == n, "the server cannot answer");
        else if (n != -EAGAIN)
            hawser_close(conn);
    }
}

static void serve(struct end *end)
{
    const struct hawser_conn_options trusting = {.size = sizeof trusting, .share = HAWSER_SHARE_NONE};
    for (unsigned i = 0; i < PORTS; i++) {
        struct hawser_addr any = {.port = (uint16_t)(80 + i)};
        must(hawser_listen(end->stack, &any, AT_ONCE, &trusting, &end->listeners[i]) == 0, "cannot listen");
    }
    while (hear(end, &end->in)) {
        if (end->in.request == MEASURE) {
            end->out = (struct message){.answer = resident_bytes()};
            say(end, &end->out);
            continue;
        }
        take_packets(end, &end->in);
        echo(end);
        bool more;
        do {
            more = put_packets(end, &end->out, end->in.now_ns);
            end->out.answer = hawser_stack_deadline(end->stack);
            say(end, &end->out);
        } while (more);
    }
}

/* ---- the client ---- */

struct client {
    struct end end;
    uint64_t now_ns, server_deadline_ns;
    struct hawser_conn **conns;
    uint32_t opened, answered, over;
};

static void client_events(struct client *c)
{
    uint8_t words[WORDS] = {0};
    for (struct hawser_event event; hawser_next_event(c->end.stack, &event);) {
        struct hawser_conn *conn = event.conn;
        must(hawser_conn_error(conn) == 0, "a connection failed");
        ssize_t n = hawser_recv(conn, words, sizeof words);
        c->answered += n > 0;
        bool greeted = hawser_conn_user(conn);
        if (!greeted && hawser_conn_ready(conn) & HAWSER_CONNECTED) {
            hawser_conn_set_user(conn, conn);
            must(hawser_send(conn, words, sizeof words) == WORDS, "the client cannot speak");
        }
    }
}

/* Packets go to and fro until nobody has any. */
static void exchange(struct client *c)
{
    struct end *end = &c->end;
    bool more, quiet;
    do {
        quiet = true;
        more = put_packets(end, &end->out, c->now_ns);
        say(end, &end->out);
        do {
            must(hear(end, &end->in), "the server is gone");
            c->server_deadline_ns = end->in.answer;
            quiet &= end->in.count == 0;
            take_packets(end, &end->in);
        } while (end->in.count == BATCH);
        client_events(c);
    } while (more || !quiet);
}

static void pass(struct client *c, uint64_t ns)
{
    uint64_t until = c->now_ns + ns;
    for (exchange(c); c->now_ns < until; exchange(c)) {
        uint64_t next = HW_MIN(hawser_stack_deadline(c->end.stack), c->server_deadline_ns);
        c->now_ns = HW_MIN(HW_MAX(next, c->now_ns + 1), until);
    }
}

static void open_some(struct client *c, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        struct hawser_addr server = address(0, 2, (uint16_t)(80 + c->opened % PORTS));
        struct hawser_conn **conn = &c->conns[c->opened++];
        must(hawser_connect(c->end.stack, &server, NULL, c->now_ns, conn) == 0, "cannot connect");
    }
    pass(c, SETTLE_NS);
    must(c->answered == c->opened, "a connection is not served");
}

static uint64_t server_resident(struct client *c)
{
    c->end.out = (struct message){.request = MEASURE};
    say(&c->end, &c->end.out);
    must(hear(&c->end, &c->end.in), "the server is gone");
    return c->end.in.answer;
}

struct growth {
    double client, server;
};

struct measured {
    const char *name;
    unsigned addresses; /* of the client, and so subflows */
    bool closed;        /* by the client, connection after connection */
    double bar;
};

/* One in a thousand may be plain: a token that is taken already makes it so. */
static void check_subflows(const struct client *c, unsigned wanted)
{
    uint32_t others = 0;
    for (uint32_t i = 0; i < c->opened; i++) {
        struct hawser_conn_info info = {.size = sizeof info};
        must(hawser_conn_get_info(c->conns[i], &info) == 0, "nothing is known of a connection");
        others += info.subflows != wanted || !info.mptcp;
    }
    must(others <= c->opened / 1000, "connections are not as they should be");
}

static struct growth drive(struct client *c, const struct measured *m, uint32_t connections)
{
    uint64_t client_before = resident_bytes(), server_before = server_resident(c);
    while (c->opened < connections) {
        uint32_t from = c->opened;
        open_some(c, HW_MIN(connections - from, AT_ONCE));
        if (!m->closed)
            continue;
        for (uint32_t i = from; i < c->opened; i++)
            hawser_close(c->conns[i]);
        pass(c, SETTLE_NS);
    }
    pass(c, NS_PER_S);
    if (!m->closed)
        check_subflows(c, m->addresses);
    return (struct growth){(double)(resident_bytes() - client_before) / connections,
                           ((double)server_resident(c) - (double)server_before) / connections};
}

static struct growth measure(const struct measured *m, uint32_t connections)
{
    static struct client c;
    int fds[2];
    c = (struct client){.now_ns = NS_PER_S, .conns = calloc(connections, sizeof(struct hawser_conn *))};
    must(c.conns && socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds) == 0, "no socket");
    memset(c.conns, 1, connections * sizeof(struct hawser_conn *)); /* resident before anything is measured */
    pid_t child = fork();
    must(child >= 0, "no process");
    c.end.fd = fds[child == 0];
    close(fds[child != 0]);
    end_init(&c.end, connections, child ? 1 : 2, child ? m->addresses : 1);
    if (child == 0) {
        serve(&c.end);
        exit(0);
    }
    struct growth growth = drive(&c, m, connections);
    close(c.end.fd);
    must(waitpid(child, NULL, 0) == child, "no child");
    return growth;
}

/* In a process of its own each, so that none finds what another left to the allocator. */
static bool measure_apart(const struct measured *m, uint32_t connections)
{
    fflush(stdout);
    pid_t child = fork();
    must(child >= 0, "no process");
    if (child) {
        int status;
        must(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) < 2, "not measured");
        return WEXITSTATUS(status) == 0;
    }
    struct growth g = measure(m, connections);
    double most = HW_MAX(g.client, g.server);
    printf("%-20s  %6.0f  %8.0f  %6.0f  %5.2f of the bar: %s\n", m->name, g.client, g.server, m->bar, most / m->bar,
           most > m->bar ? "FAILED" : "ok");
    fflush(stdout);
    exit(most > m->bar);
}

int main(int argc, char **argv)
{
    static const struct measured cases[] = {
        {"idle, one subflow", 1, false, 1800},
        {"idle, two subflows", 2, false, 2600},
        {"closed, TIME-WAIT", 1, true, 160},
    };
    unsigned long connections = argc > 1 ? strtoul(argv[1], NULL, 10) : 100000;
    bool within = true;
    if (connections < 1 || connections > 150000) {
        fprintf(stderr, "usage: memory [CONNECTIONS, at most 150000]\n");
        return 2;
    }
    printf("memory: resident bytes a connection, over %lu of them\n%-20s  %6s  %8s  %6s\n", connections, "", "opened",
           "accepted", "bar");
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++)
        within &= measure_apart(&cases[i], (uint32_t)connections);
    return within ? 0 : 1;
}
