/*
 * Clients, a relay and servers, each a stack, in simulated time: clients reach the relay, and the relay the servers, by
 * a wire of a millisecond. The relay listens on RELAY_PORT of an address of its own, or is a door.
 */
#ifndef HW_TESTS_SERVICE_RELAY_H
#define HW_TESTS_SERVICE_RELAY_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "service/door.h"
#include "service/stack_dialer.h"
#include "service/watch.h"
#include "support.h"

enum { CLIENT, RELAY, SERVER, STACKS };
enum { NEAR_LINK, FAR_LINK };
enum { RELAY_PORT = 8080, SERVER_PORT = 80, RELAY_FLIGHT = 16384, RELAY_BUFFER = 65000 + 100 };

struct flight {
    struct hawser_rx rx;
    int to, link;
};

struct relay {
    struct test_env env, wire; /* wire: of packets under way, for which there is always memory */
    struct hawser_stack *stacks[STACKS];
    struct hawser_listener *entry, *servers; /* entry: of a relay that is no door */
    struct joints joints;
    struct door *door;
    struct hawser_conn_options far; /* of the relay */
    const struct demands *demands;  /* of every client of a door; NULL: none */
    struct choice choice;           /* of a door: nobody is in it, unless a test adds some */
    struct stack_dialer dialer;
    uint64_t now_ns, packets;
    bool cut[2]; /* by link of the relay: packets vanish */
    struct flight *flight;
    unsigned in_flight;
};

static inline struct hawser_addr relay_addr(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static inline void relay_stack(struct relay *r, int which, const char *addr, const struct hawser_stack_options *options)
{
    const struct hawser_link_options link = {.size = sizeof link, .gso_bytes = 65000};
    struct hawser_addr own = relay_addr(addr, 0);
    assert_int_equal(hawser_stack_new(&r->env.env, options, &r->stacks[which]), 0);
    assert_int_equal(hawser_stack_add_link(r->stacks[which], &link), 0);
    assert_int_equal(hawser_stack_add_address(r->stacks[which], 0, &own, 24, r->now_ns), 0);
}

static inline const struct demands *relay_demands(void *of, const struct hawser_addr *client)
{
    const struct relay *r = of;
    assert_int_not_equal(client->port, 0);
    return r->demands;
}

/* `near` and `far`: of the relay's connections; may be NULL. `own`: of its stack. */
static inline void relay_init_of(struct relay *r, bool is_door, const struct hawser_conn_options *near,
                                 const struct hawser_conn_options *far, const struct hawser_stack_options *own_options)
{
    const struct hawser_stack_options many = {.size = sizeof many, .max_connections = 8192};
    const struct hawser_conn_options plain = {.size = sizeof plain};
    memset(r, 0, sizeof *r);
    test_env_init(&r->env, test_seed());
    test_env_init(&r->wire, 1);
    r->now_ns = NS_PER_S;
    r->flight = calloc(RELAY_FLIGHT, sizeof *r->flight);
    assert_non_null(r->flight);
    relay_stack(r, CLIENT, "10.1.0.2", &many);
    relay_stack(r, SERVER, "10.2.0.2", &many);
    assert_int_equal(hawser_stack_new(&r->env.env, own_options, &r->stacks[RELAY]), 0);
    const struct hawser_link_options near_link = {.size = sizeof near_link, .gso_bytes = 65000, .door = is_door};
    const struct hawser_link_options far_link = {.size = sizeof far_link, .gso_bytes = 65000};
    assert_int_equal(hawser_stack_add_link(r->stacks[RELAY], &near_link), NEAR_LINK);
    assert_int_equal(hawser_stack_add_link(r->stacks[RELAY], &far_link), FAR_LINK);
    struct hawser_addr own = relay_addr("10.2.0.1", 0), entry = relay_addr("10.1.0.1", RELAY_PORT);
    assert_int_equal(hawser_stack_add_address(r->stacks[RELAY], FAR_LINK, &own, 24, r->now_ns), 0);
    joints_init(&r->joints);
    r->far = far ? *far : plain;
    if (is_door) {
        choice_init(&r->choice);
        stack_dialer_init(&r->dialer, r->stacks[RELAY], &r->choice, &r->far);
        const struct door_options options = {
            .backlog = 64, .near = near ? *near : plain, .far = &r->dialer.dialer, .demands = relay_demands, .of = r};
        assert_int_equal(door_open(r->stacks[RELAY], NEAR_LINK, &r->joints, &options, &r->door), 0);
    } else {
        assert_int_equal(hawser_stack_add_address(r->stacks[RELAY], NEAR_LINK, &entry, 24, r->now_ns), 0);
        assert_int_equal(hawser_listen(r->stacks[RELAY], &entry, 4096, near, &r->entry), 0);
    }
    struct hawser_addr server = relay_addr("10.2.0.2", SERVER_PORT);
    assert_int_equal(hawser_listen(r->stacks[SERVER], &server, 4096, NULL, &r->servers), 0);
}

/* At most `max` connections at once. */
static inline void relay_init_with(struct relay *r, bool is_door, const struct hawser_conn_options *near,
                                   const struct hawser_conn_options *far, uint32_t max)
{
    const struct hawser_stack_options limited = {.size = sizeof limited, .max_connections = max};
    relay_init_of(r, is_door, near, far, &limited);
}

static inline void relay_init(struct relay *r, bool is_door, const struct hawser_conn_options *near,
                              const struct hawser_conn_options *far)
{
    relay_init_with(r, is_door, near, far, 8192);
}

/* A packet of a stack lies in a buffer of its own from then on, as behind a link. */
static inline void relay_take(struct relay *r, int from, const struct hawser_tx *tx)
{
    int near = from == CLIENT || (from == RELAY && tx->link == NEAR_LINK);
    if (r->cut[near ? NEAR_LINK : FAR_LINK])
        return;
    struct hawser_buf *buf;
    uint8_t *at = malloc(tx->head_len + tx->payload_len);
    assert_non_null(at);
    assert_true(r->in_flight < RELAY_FLIGHT);
    uint32_t len = (uint32_t)hawser_tx_flatten(tx, at);
    assert_int_equal(hawser_buf_wrap(&r->wire.env, at, len, free, at, &buf), 0);
    uint8_t flags = tx->flags & HAWSER_TX_CSUM_DONE ? 0 : HAWSER_RX_CSUM_OK;
    r->flight[r->in_flight++] = (struct flight){
        .rx = {.buf = buf, .data = at, .len = len, .gso_size = tx->gso_size, .flags = flags},
        .to = from != RELAY ? RELAY
              : near        ? CLIENT
                            : SERVER,
        .link = from == SERVER ? FAR_LINK : 0,
    };
    r->packets++;
}

static inline void relay_output(struct relay *r)
{
    struct hawser_tx batch[32];
    for (int from = 0; from < STACKS; from++) {
        size_t n;
        do {
            n = hawser_stack_output(r->stacks[from], batch, 32, r->now_ns);
            for (size_t i = 0; i < n; i++)
                relay_take(r, from, &batch[i]);
        } while (n == 32);
    }
}

static inline void relay_input(struct relay *r)
{
    unsigned count = r->in_flight;
    for (unsigned i = 0; i < count; i++) {
        const struct flight *f = &r->flight[i];
        hawser_stack_input(r->stacks[f->to], f->link, &f->rx, 1, r->now_ns);
        hawser_buf_unref(f->rx.buf);
    }
    r->in_flight = 0;
}

/* Where the relay is no door, whoever comes is joined to a connection to the server. */
static inline void relay_serve(struct relay *r)
{
    struct hawser_addr server = relay_addr("10.2.0.2", SERVER_PORT);
    struct hawser_conn *near, *far;
    while (r->entry && hawser_accept(r->entry, &near) == 0) {
        assert_int_equal(hawser_connect(r->stacks[RELAY], &server, &r->far, r->now_ns, &far), 0);
        assert_int_equal(joint_make(&r->joints, conn_end(near), conn_end(far),
                                    &(struct joint_origin){.way = JOINT_BY_LINK}, r->now_ns),
                         0);
    }
    watch_serve(r->stacks[RELAY], r->now_ns);
    if (r->door)
        door_turn(r->door, r->now_ns);
}

/* One millisecond, or until the next deadline where nothing is under way; false: nothing will happen by itself until
 * `until_ns`. */
static inline bool relay_step(struct relay *r, uint64_t until_ns)
{
    relay_serve(r);
    bool more = joints_turn(&r->joints);
    relay_output(r);
    uint64_t next = r->in_flight || more ? r->now_ns + NS_PER_MS : HAWSER_NEVER;
    for (int i = 0; i < STACKS; i++)
        next = HW_MIN(next, hawser_stack_deadline(r->stacks[i]));
    if (next > until_ns)
        return false;
    r->now_ns = HW_MAX(next, r->now_ns + (r->in_flight ? NS_PER_MS : 0));
    relay_input(r);
    for (int i = 0; i < STACKS; i++)
        hawser_stack_advance(r->stacks[i], r->now_ns);
    return true;
}

static inline void relay_run(struct relay *r, uint64_t ns)
{
    for (uint64_t until = r->now_ns + ns; relay_step(r, until);)
        ;
    relay_serve(r);
}

static inline void relay_destroy(struct relay *r)
{
    for (unsigned i = 0; i < r->in_flight; i++)
        hawser_buf_unref(r->flight[i].rx.buf);
    joints_break(&r->joints);
    assert_int_equal(r->joints.count, 0);
    assert_int_equal(r->joints.held_bytes, 0);
    if (r->door)
        door_close(r->door);
    for (int i = 0; i < STACKS; i++)
        hawser_stack_free(r->stacks[i]);
    test_env_check_clean(&r->env);
    test_env_check_clean(&r->wire);
    free(r->flight);
}

/* A client that asks: of a door for the server itself. With RELAY_ONE_TRY it asks for one connection, not for others
 * beside it when there is no answer. */
#define RELAY_ONE_TRY                                                                                                  \
    (&(const struct hawser_conn_options){                                                                              \
        .size = sizeof(struct hawser_conn_options), .no_mptcp = true, .local = relay_addr("10.1.0.2", 0)})
static inline struct hawser_conn *relay_connect(struct relay *r, const char *to, uint16_t port,
                                                const struct hawser_conn_options *options)
{
    struct hawser_addr addr = relay_addr(to, port);
    struct hawser_conn *conn;
    assert_int_equal(hawser_connect(r->stacks[CLIENT], &addr, options, r->now_ns, &conn), 0);
    return conn;
}

/* A connection of a client and what the server has of it. */
struct line {
    struct hawser_conn *client, *server;
};

static inline struct line relay_line(struct relay *r, const struct hawser_conn_options *options)
{
    struct line line = {0};
    line.client = r->door ? relay_connect(r, "10.2.0.2", SERVER_PORT, options)
                          : relay_connect(r, "10.1.0.1", RELAY_PORT, options);
    for (uint64_t until = r->now_ns + 10 * NS_PER_S; !line.server && relay_step(r, until);)
        (void)hawser_accept(r->servers, &line.server);
    assert_non_null(line.server);
    relay_run(r, 50 * NS_PER_MS); /* the client hears of it, too */
    return line;
}

#endif
