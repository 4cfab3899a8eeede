#include "stack/attempts.h"

#include <errno.h>

#include "stack/source.h"

struct attempts {
    struct conn *conn;
    struct deadline timer; /* when the next one has its turn */
    struct hawser_addr remote;
    uint16_t port;                            /* the source's, which the program chose; 0: any */
    bool bound;                               /* to the address from which the first one was begun */
    bool at_once;                             /* what is unreachable ends */
    bool again, plain;                        /* each pair was tried once more; and without MP_CAPABLE */
    uint8_t count;                            /* of addresses that were tried */
    uint64_t latest_ns;                       /* when an attempt was begun or refused last */
    int refused;                              /* the error, if one was; else 0 */
    int unreachable;                          /* likewise, of the last one that a router put an end to, */
    uint64_t unreachable_ns;                  /* and when */
    uint8_t tried[ATTEMPT_ADDRESSES_MAX];     /* IDs */
    uint32_t subflows[ATTEMPT_ADDRESSES_MAX]; /* the IDs of what was begun there, */
    uint64_t begun_ns[ATTEMPT_ADDRESSES_MAX];
};

/* or that nothing could be. */
#define NO_SUBFLOW UINT32_MAX

size_t attempts_size(void) { return sizeof(struct attempts); }

static void arm(struct attempts *a, uint64_t at_ns) { deadline_set(&a->conn->host->tcp.timers, &a->timer, at_ns); }

/* ---- one of them ---- */

static int begin(struct attempts *a, const struct local_address *local, bool plain, uint64_t now_ns)
{
    struct subflow *subflow;
    int err = conn_add_subflow(a->conn, local, a->port, &a->remote, now_ns, &subflow);
    if (err < 0)
        return err;
    err = tcp_connect(&subflow->tcp, now_ns);
    if (err < 0) {
        conn_drop_subflow(subflow);
        return err;
    }
    subflow->plain = plain;
    a->latest_ns = now_ns;
    return 0;
}

/* Where it comes from. */
static struct local_address local_of(const struct subflow *subflow)
{
    const struct tcp_config *c = &subflow->tcp.config;
    struct local_address local = {.addr = c->local, .link = c->link, .mtu = c->mtu, .gso_bytes = c->gso_bytes};
    local.addr.port = 0;
    return local;
}

static bool waits(const struct subflow *subflow) { return subflow->tcp.state == TCPS_SYN_SENT; }

/* ---- which is next ---- */

/* The last one is a backup if there is any: however many do not work, one of those has its turn. */
static const struct local_address *untried(const struct attempts *a)
{
    const struct mp_host *host = a->conn->host;
    const struct source_wish wish = {.plan = a->conn->paths.plan,
                                     .remote = &a->remote,
                                     .tried = a->tried,
                                     .tried_count = a->count,
                                     .backup = a->count == ATTEMPT_ADDRESSES_MAX - 1};
    return a->bound ? NULL : source_best(host->addresses, host->address_count, &wish);
}

static int begin_from(struct attempts *a, const struct local_address *local, uint64_t now_ns)
{
    int err = begin(a, local, false, now_ns);
    a->tried[a->count] = local->id;
    a->subflows[a->count] = err < 0 ? NO_SUBFLOW : subflow_at(a->conn->subflows.prev)->id;
    a->begun_ns[a->count++] = now_ns;
    return err;
}

/* From the next address from which one can be begun. */
static bool begin_next(struct attempts *a, uint64_t now_ns)
{
    struct counters *counters = &a->conn->host->tcp.counters;
    for (const struct local_address *local; a->count < ATTEMPT_ADDRESSES_MAX && (local = untried(a));) {
        int err = begin_from(a, local, now_ns);
        count_n(counters, COUNT_LIMIT_ATTEMPTS, a->count == ATTEMPT_ADDRESSES_MAX && untried(a));
        if (err == 0) {
            count(counters, COUNT_TCP_ATTEMPTS);
            return true;
        }
    }
    return false;
}

static struct subflow *waiting(const struct conn *conn, uint32_t id)
{
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it)->id == id && waits(subflow_at(it)))
            return subflow_at(it);
    return NULL;
}

/* Beside each attempt that has no answer. False: none could be begun. */
static bool begin_beside(struct attempts *a, bool plain, uint64_t now_ns)
{
    bool begun = false;
    for (unsigned i = 0; i < a->count; i++) {
        struct subflow *first = waiting(a->conn, a->subflows[i]);
        if (!first || first->tcp.config.path.icmp_error) /* from there it would be the same */
            continue;
        const struct local_address local = local_of(first);
        if (a->port)
            conn_drop_subflow(first);
        begun |= begin(a, &local, plain, now_ns) == 0;
    }
    return begun;
}

static uint64_t otherwise_due(const struct attempts *a)
{
    if (a->port)
        return HW_MIN(a->latest_ns + ATTEMPT_PLAIN_ALONE_NS, a->begun_ns[0] + ATTEMPT_PLAIN_LATEST_NS);
    return a->latest_ns + (a->again ? ATTEMPT_PLAIN_NS : ATTEMPT_AGAIN_NS);
}

/* What is left when every address has had its turn; returns when there is something to do again. */
static uint64_t begin_otherwise(struct attempts *a, uint64_t now_ns)
{
    if (a->plain || !fallback_is_negotiating(&a->conn->fallback))
        return TIME_NEVER;
    const uint64_t due_ns = otherwise_due(a);
    if (due_ns > now_ns)
        return due_ns;
    if (!a->again && !a->port) {
        a->again = true;
        a->latest_ns = now_ns; /* even if none could be begun */
        (void)begin_beside(a, false, now_ns);
        return now_ns + ATTEMPT_PLAIN_NS;
    }
    a->plain = begin_beside(a, true, now_ns);
    return a->plain ? TIME_NEVER : now_ns + ATTEMPT_DELAY_NS;
}

/* When others have had their time to do better. */
static uint64_t patience_ends(const struct attempts *a)
{
    if (a->refused)
        return a->latest_ns + ATTEMPT_REFUSED_NS;
    if (a->unreachable && a->at_once)
        return HW_MAX(a->unreachable_ns, a->begun_ns[a->count - 1]) + ATTEMPT_UNREACHABLE_NS;
    return TIME_NEVER;
}

static void fail(struct attempts *a, int error, uint64_t now_ns)
{
    error = a->refused ? a->refused : a->unreachable ? a->unreachable : error;
    conn_abort(a->conn, error, now_ns);
    arm(a, TIME_NEVER);
}

static void on_timer(struct deadline *timer, uint64_t now_ns)
{
    struct attempts *a = HW_CONTAINER(timer, struct attempts, timer);
    if (!endings_goes_on(&a->conn->endings))
        return;
    uint64_t due_ns = now_ns + ATTEMPT_DELAY_NS;
    if (!begin_next(a, now_ns))
        due_ns = HW_MIN(a->refused ? TIME_NEVER : begin_otherwise(a, now_ns), patience_ends(a));
    if (due_ns <= now_ns || subflows_closed(&a->conn->subflows))
        fail(a, -ENOBUFS, now_ns);
    else
        arm(a, due_ns);
}

/* ---- what becomes of them ---- */

int attempts_begin(struct hawser_stack *stack, struct conn *conn, const struct attempts_wish *wish, uint64_t now_ns)
{
    struct deadline_queue *timers = &stack->host.tcp.timers;
    struct attempts *a = pool_get(&stack->attempts);
    if (!a || deadline_queue_reserve(timers, 1) < 0) {
        if (a)
            pool_put(&stack->attempts, a);
        return -ENOMEM;
    }
    *a = (struct attempts){.conn = conn,
                           .remote = *wish->remote,
                           .port = wish->port,
                           .bound = wish->bound,
                           .at_once = wish->unreachable_at_once};
    deadline_init(&a->timer, on_timer);
    conn->opening = a;
    int err = begin_from(a, wish->local, now_ns);
    if (err < 0 && !begin_next(a, now_ns))
        return err;
    arm(a, now_ns + ATTEMPT_DELAY_NS);
    return 0;
}

void attempts_end(struct conn *conn)
{
    struct hawser_stack *stack = stack_of(conn->host);
    struct attempts *a = conn->opening;
    if (!a)
        return;
    arm(a, TIME_NEVER);
    deadline_queue_release(&stack->host.tcp.timers, 1);
    pool_put(&stack->attempts, a);
    conn->opening = NULL;
}

void attempts_hurry(struct conn *conn, uint64_t now_ns)
{
    if (conn->opening)
        arm(conn->opening, now_ns);
}

bool attempts_end_at_once(const struct conn *conn)
{
    const struct attempts *a = conn->opening;
    return a && a->at_once;
}

/* Did a middlebox eat MP_CAPABLE, and nothing else? */
static bool was_eaten(const struct subflow *winner)
{
    unsigned syns = 0; /* from the same address, that offered it */
    EACH_SUBFLOW (it, winner->conn) {
        const struct subflow *subflow = subflow_at(it);
        if (!subflow->plain && waits(subflow) &&
            hawser_addr_same_ip(&subflow->tcp.config.local, &winner->tcp.config.local))
            syns += subflow->tcp.handshake_tries;
    }
    return winner->plain && winner->tcp.handshake_tries == 1 && syns >= ATTEMPT_PROOF_SYNS;
}

void attempts_answered(struct mp_host *host, struct subflow *winner, bool mptcp, uint64_t now_ns)
{
    struct hawser_stack *stack = stack_of(host);
    struct conn *conn = winner->conn;
    const struct hawser_addr *remote = &winner->tcp.config.remote;
    const struct local_address local = local_of(winner);
    if (mptcp)
        plain_peers_forget(&stack->plain_peers, remote);
    else if (was_eaten(winner))
        plain_peers_note(&stack->plain_peers, remote, now_ns);
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it) != winner)
            conn_drop_subflow(subflow_at(it));
    paths_begin(&conn->paths, &local, winner->tcp.config.local.port, remote);
    attempts_end(conn);
}

void attempts_over(struct mp_host *host, struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    struct attempts *a = conn->opening;
    int error = subflow->tcp.error ? subflow->tcp.error : -ECONNRESET;
    (void)host;
    if (subflow->tcp.config.path.icmp_error) { /* that is said of its path only */
        a->unreachable = error;
        a->unreachable_ns = now_ns;
    } else if (error == -ECONNREFUSED) {
        a->refused = error;
        a->latest_ns = now_ns;
    }
    if (!endings_goes_on(&conn->endings))
        arm(a, TIME_NEVER);
    else if (begin_next(a, now_ns))
        arm(a, now_ns + ATTEMPT_DELAY_NS);
    else if (subflows_closed(&conn->subflows))
        fail(a, error, now_ns);
    else
        arm(a, now_ns);
}
