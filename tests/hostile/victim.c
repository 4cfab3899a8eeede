#include "victim.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/units.h"

enum { BATCH = 32, MTU = 1500, OTHER_ADDR = 2 };
#define WAY_NS (5 * NS_PER_MS)
#define PATIENCE_NS NS_PER_S

struct parcel {
    struct parcel *next;
    uint64_t at_ns;
    struct hawser_stack *to; /* NULL: the stack under attack */
    uint32_t len;
    uint8_t bytes[MTU];
};

static struct hawser_stack *host_new(struct victim *v, const struct hawser_addr *addr)
{
    struct hawser_stack *stack;
    CHECK(hawser_stack_new(&v->purse.env, NULL, &stack) == 0);
    struct hawser_link_options link = {.size = sizeof link, .mtu = MTU};
    CHECK(hawser_stack_add_link(stack, &link) == 0);
    CHECK(hawser_stack_add_address(stack, 0, addr, ground_prefix(v->ground), v->ground->now_ns) == 0);
    return stack;
}

void victim_init(struct victim *v, struct ground *ground, uint64_t seed)
{
    *v = (struct victim){.ground = ground, .newcomers = ground->options.connections < 2 * GROUND_NETWORKS};
    purse_init(&v->purse, seed + 1);
    for (unsigned i = 0; i < HW_ARRAY_LEN(v->addr); i++)
        v->addr[i] = ground_addr(ground, i, 9, 0);
    v->hosts[0] = host_new(v, &v->addr[0]);
    v->hosts[1] = host_new(v, &v->addr[OTHER_ADDR]);
}

bool victim_destroy(struct victim *v)
{
    for (unsigned i = 0; i < VICTIM_HOSTS; i++)
        hawser_stack_free(v->hosts[i]);
    for (struct parcel *p; (p = v->first); free(p))
        v->first = p->next;
    return v->purse.blocks == 0;
}

/* NULL: it is nobody's here. */
static struct hawser_stack *host_of(const struct victim *v, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < HW_ARRAY_LEN(v->addr); i++)
        if (hawser_addr_same_ip(addr, &v->addr[i]))
            return v->hosts[i == OTHER_ADDR];
    return NULL;
}

bool victim_is(const struct victim *v, const struct hawser_addr *addr) { return host_of(v, addr); }

/* ---- the way between ---- */

static void post(struct victim *v, const struct hawser_tx *tx, struct hawser_stack *to)
{
    struct hawser_tx segment;
    uint32_t offset = 0;
    while (hawser_tx_segment(tx, &offset, &segment)) {
        struct parcel *p = malloc(sizeof *p);
        CHECK(p);
        hawser_tx_finish_checksum(&segment);
        *p = (struct parcel){.at_ns = v->ground->now_ns + WAY_NS, .to = to};
        CHECK(segment.head_len + segment.payload_len <= MTU);
        p->len = (uint32_t)hawser_tx_flatten(&segment, p->bytes);
        if (v->first)
            v->last->next = p;
        else
            v->first = p;
        v->last = p;
    }
}

void victim_hear(struct victim *v, const struct hawser_tx *tx)
{
    struct hawser_addr to = ground_tx_to(tx);
    post(v, tx, host_of(v, &to));
}

static void deliver(struct victim *v)
{
    struct parcel *p = v->first;
    v->first = p->next;
    struct hawser_rx rx = {.data = p->bytes, .len = p->len};
    if (p->to)
        hawser_stack_input(p->to, 0, &rx, 1, v->ground->now_ns);
    else
        ground_input(v->ground, p->bytes, p->len, 0);
    free(p);
}

static void speak(struct victim *v, struct hawser_stack *host)
{
    struct hawser_tx batch[BATCH];
    size_t n;
    do {
        n = hawser_stack_output(host, batch, BATCH, v->ground->now_ns);
        for (size_t i = 0; i < n; i++)
            post(v, &batch[i], NULL);
    } while (n == BATCH);
}

/* Jumps to what happens next; false when that is not before `until_ns`. */
static bool step(struct victim *v, uint64_t until_ns)
{
    struct ground *g = v->ground;
    uint64_t next = ground_deadline(g);
    for (unsigned i = 0; i < VICTIM_HOSTS; i++) {
        speak(v, v->hosts[i]);
        next = HW_MIN(next, hawser_stack_deadline(v->hosts[i]));
    }
    next = v->first ? HW_MIN(next, v->first->at_ns) : next;
    if (next > until_ns) {
        g->now_ns = until_ns;
        return false;
    }
    g->now_ns = HW_MAX(g->now_ns, next);
    while (v->first && v->first->at_ns <= g->now_ns)
        deliver(v);
    for (unsigned i = 0; i < VICTIM_HOSTS; i++)
        if (hawser_stack_deadline(v->hosts[i]) <= g->now_ns)
            hawser_stack_advance(v->hosts[i], g->now_ns);
    if (ground_deadline(g) <= g->now_ns)
        ground_advance(g);
    return true;
}

void victim_pass(struct victim *v, uint64_t ns)
{
    uint64_t until_ns = v->ground->now_ns + ns;
    while (step(v, until_ns))
        ;
}

/* ---- being served ---- */

static uint64_t retransmits(const struct hawser_stack *host)
{
    struct hawser_counter c;
    for (size_t i = 0; hawser_stack_counter(host, i, &c); i++)
        if (strcmp(c.name, "tcp.retransmits") == 0)
            return c.value;
    CHECK(false);
}

/* Goes on until `is_done` says so, the connection fails, or patience is over. */
static struct service await(struct victim *v, const struct hawser_stack *host, struct hawser_conn *conn,
                            bool (*is_done)(struct hawser_conn *conn, uint32_t *got))
{
    struct service s = {.retransmits = retransmits(host)};
    uint64_t begin_ns = v->ground->now_ns;
    uint32_t got = 0;
    while (!(s.served = is_done(conn, &got)) && !hawser_conn_error(conn) && step(v, begin_ns + PATIENCE_NS))
        ;
    s.error = hawser_conn_error(conn);
    s.took_ns = v->ground->now_ns - begin_ns;
    s.retransmits = retransmits(host) - s.retransmits;
    return s;
}

/* Asks once it is connected; `got` counts what was said and heard. */
static bool is_answered(struct hawser_conn *conn, uint32_t *got)
{
    char bytes[ANSWERED + 1];
    if (*got == 0 && hawser_send(conn, "knock", ASKED) == ASKED)
        *got = ASKED;
    ssize_t n = hawser_recv(conn, bytes, sizeof bytes);
    if (n > 0 && *got + (uint32_t)n <= ASKED + ANSWERED && memcmp(bytes, &"answered"[*got - ASKED], (size_t)n) == 0)
        *got += (uint32_t)n;
    return *got == ASKED + ANSWERED;
}

static struct hawser_conn *connect_from(struct victim *v, unsigned host, bool plain)
{
    struct hawser_addr to = v->ground->addr;
    struct hawser_conn_options options = {
        .size = sizeof options, .no_mptcp = plain, .local = v->addr[host ? OTHER_ADDR : 0]};
    struct hawser_conn *conn;
    to.port = GROUND_PORT;
    CHECK(hawser_connect(v->hosts[host], &to, &options, v->ground->now_ns, &conn) == 0);
    return conn;
}

struct service victim_try(struct victim *v, bool plain)
{
    struct hawser_conn *conn = connect_from(v, v->newcomers, plain);
    struct service s = await(v, v->hosts[v->newcomers], conn, is_answered);
    struct hawser_conn_info info = {.size = sizeof info};
    CHECK(hawser_conn_get_info(conn, &info) == 0);
    s.mptcp = info.mptcp;
    if (s.served)
        hawser_close(conn);
    else
        hawser_abort(conn);
    return s;
}

/* The program knows which of its clients this is. */
static void make_known(struct ground *g, const struct victim *v)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    for (uint32_t i = 0; i < g->client_count; i++)
        if (g->clients[i].conn && hawser_subflow_get_info(g->clients[i].conn, 0, &info) == 0)
            g->clients[i].honest = victim_is(v, &info.remote);
}

struct service victim_ask_again(struct victim *v) { return await(v, v->hosts[0], v->friend, is_answered); }

struct service victim_befriend(struct victim *v)
{
    v->friend = connect_from(v, 0, false);
    struct service s = victim_ask_again(v);
    make_known(v->ground, v);
    return s;
}

uint32_t victim_friend(const struct victim *v, struct hawser_addr *addr)
{
    struct hawser_conn_info info = {.size = sizeof info};
    struct hawser_subflow_info subflow = {.size = sizeof subflow};
    CHECK(hawser_conn_get_info(v->friend, &info) == 0 && info.mptcp);
    CHECK(hawser_subflow_get_info(v->friend, 0, &subflow) == 0);
    *addr = subflow.local;
    return info.remote_token;
}

static bool has_two(struct hawser_conn *conn, uint32_t *got)
{
    struct hawser_subflow_info info = {.size = sizeof info};
    *got = 0;
    for (size_t i = 0; hawser_subflow_get_info(conn, i, &info) == 0; i++)
        *got += strcmp(info.state, "ESTABLISHED") == 0;
    return *got == 2;
}

struct service victim_join(struct victim *v)
{
    CHECK(hawser_stack_add_address(v->hosts[0], 0, &v->addr[1], ground_prefix(v->ground), v->ground->now_ns) == 0);
    return await(v, v->hosts[0], v->friend, has_two);
}

void victim_leave(struct victim *v)
{
    CHECK(hawser_stack_remove_address(v->hosts[0], &v->addr[1], v->ground->now_ns) == 0);
}
