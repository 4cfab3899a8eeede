#include "victim.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/units.h"

enum { BATCH = 32, MTU = 1500 };
#define WAY_NS (5 * NS_PER_MS)
#define PATIENCE_NS NS_PER_S

struct parcel {
    struct parcel *next;
    uint64_t at_ns;
    bool to_victim;
    uint32_t len;
    uint8_t bytes[MTU];
};

void victim_init(struct victim *v, struct ground *ground, uint64_t seed)
{
    *v = (struct victim){.ground = ground};
    purse_init(&v->purse, seed + 1);
    v->stack = hawser_stack_new(&v->purse.env, NULL);
    CHECK(v->stack);
    struct hawser_link_options link = {.size = sizeof link, .mtu = MTU};
    CHECK(hawser_stack_add_link(v->stack, &link) == 0);
    v->addr[0] = ground_addr(ground, 0, 9, 0);
    v->addr[1] = ground_addr(ground, 1, 9, 0);
    CHECK(hawser_stack_add_address(v->stack, 0, &v->addr[0], ground_prefix(ground), ground->now_ns) == 0);
}

bool victim_destroy(struct victim *v)
{
    hawser_stack_free(v->stack);
    for (struct parcel *p; (p = v->first); free(p))
        v->first = p->next;
    return v->purse.blocks == 0;
}

bool victim_is(const struct victim *v, const struct hawser_addr *addr)
{
    return hawser_addr_same_ip(addr, &v->addr[0]) || hawser_addr_same_ip(addr, &v->addr[1]);
}

/* ---- the way between ---- */

static void post(struct victim *v, const struct hawser_tx *tx, bool to_victim)
{
    struct hawser_tx segment;
    uint32_t offset = 0;
    while (hawser_tx_segment(tx, &offset, &segment)) {
        struct parcel *p = malloc(sizeof *p);
        CHECK(p);
        hawser_tx_finish_checksum(&segment);
        *p = (struct parcel){.at_ns = v->ground->now_ns + WAY_NS, .to_victim = to_victim};
        CHECK(segment.head_len + segment.payload_len <= MTU);
        p->len = (uint32_t)hawser_tx_flatten(&segment, p->bytes);
        if (v->first)
            v->last->next = p;
        else
            v->first = p;
        v->last = p;
    }
}

void victim_hear(struct victim *v, const struct hawser_tx *tx) { post(v, tx, true); }

static void deliver(struct victim *v)
{
    struct parcel *p = v->first;
    v->first = p->next;
    struct hawser_rx rx = {.data = p->bytes, .len = p->len};
    if (p->to_victim)
        hawser_stack_input(v->stack, 0, &rx, 1, v->ground->now_ns);
    else
        ground_input(v->ground, p->bytes, p->len, 0);
    free(p);
}

static void speak(struct victim *v)
{
    struct hawser_tx batch[BATCH];
    size_t n;
    do {
        n = hawser_stack_output(v->stack, batch, BATCH, v->ground->now_ns);
        for (size_t i = 0; i < n; i++)
            post(v, &batch[i], false);
    } while (n == BATCH);
}

/* Jumps to what happens next; false when that is not before `until_ns`. */
static bool step(struct victim *v, uint64_t until_ns)
{
    struct ground *g = v->ground;
    speak(v);
    uint64_t next = HW_MIN(ground_deadline(g), hawser_stack_deadline(v->stack));
    next = v->first ? HW_MIN(next, v->first->at_ns) : next;
    if (next > until_ns) {
        g->now_ns = until_ns;
        return false;
    }
    g->now_ns = HW_MAX(g->now_ns, next);
    while (v->first && v->first->at_ns <= g->now_ns)
        deliver(v);
    if (hawser_stack_deadline(v->stack) <= g->now_ns)
        hawser_stack_advance(v->stack, g->now_ns);
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

static uint64_t retransmits(const struct victim *v)
{
    struct hawser_counter c;
    for (size_t i = 0; hawser_stack_counter(v->stack, i, &c); i++)
        if (strcmp(c.name, "tcp.retransmits") == 0)
            return c.value;
    CHECK(false);
}

/* Goes on until `is_done` says so, the connection fails, or patience is over. */
static struct service await(struct victim *v, struct hawser_conn *conn,
                            bool (*is_done)(struct hawser_conn *conn, uint32_t *got))
{
    struct service s = {.retransmits = retransmits(v)};
    uint64_t begin_ns = v->ground->now_ns;
    uint32_t got = 0;
    while (!(s.served = is_done(conn, &got)) && !hawser_conn_error(conn) && step(v, begin_ns + PATIENCE_NS))
        ;
    s.error = hawser_conn_error(conn);
    s.took_ns = v->ground->now_ns - begin_ns;
    s.retransmits = retransmits(v) - s.retransmits;
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

static struct hawser_conn *connect_to(struct victim *v, bool plain)
{
    struct hawser_addr to = v->ground->addr;
    struct hawser_conn_options options = {.size = sizeof options, .no_mptcp = plain, .local = v->addr[0]};
    struct hawser_conn *conn;
    to.port = GROUND_PORT;
    CHECK(hawser_connect(v->stack, &to, &options, v->ground->now_ns, &conn) == 0);
    return conn;
}

struct service victim_try(struct victim *v, bool plain)
{
    struct hawser_conn *conn = connect_to(v, plain);
    struct service s = await(v, conn, is_answered);
    struct hawser_conn_info info;
    hawser_conn_info(conn, &info);
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
    struct hawser_subflow_info info;
    for (uint32_t i = 0; i < g->client_count; i++)
        if (g->clients[i].conn && hawser_subflow_info(g->clients[i].conn, 0, &info))
            g->clients[i].honest = victim_is(v, &info.remote);
}

struct service victim_befriend(struct victim *v)
{
    v->friend = connect_to(v, false);
    struct service s = await(v, v->friend, is_answered);
    make_known(v->ground, v);
    return s;
}

struct service victim_ask_again(struct victim *v) { return await(v, v->friend, is_answered); }

uint32_t victim_friend(const struct victim *v, struct hawser_addr *addr)
{
    struct hawser_conn_info info;
    struct hawser_subflow_info subflow;
    hawser_conn_info(v->friend, &info);
    CHECK(info.mptcp && hawser_subflow_info(v->friend, 0, &subflow));
    *addr = subflow.local;
    return info.remote_token;
}

static bool has_two(struct hawser_conn *conn, uint32_t *got)
{
    struct hawser_subflow_info info;
    *got = 0;
    for (size_t i = 0; hawser_subflow_info(conn, i, &info); i++)
        *got += strcmp(info.state, "ESTABLISHED") == 0;
    return *got == 2;
}

struct service victim_join(struct victim *v)
{
    CHECK(hawser_stack_add_address(v->stack, 0, &v->addr[1], ground_prefix(v->ground), v->ground->now_ns) == 0);
    return await(v, v->friend, has_two);
}

void victim_leave(struct victim *v)
{
    CHECK(hawser_stack_remove_address(v->stack, &v->addr[1], v->ground->now_ns) == 0);
}
