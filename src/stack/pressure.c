/*
 * Who gives up what when memory is short, in this order (docs/ARCHITECTURE.md): data without a mapping, data behind a
 * gap of the stream that its subflow acknowledged, data that was SACKed and not acknowledged; only of connections that
 * hold more than their share, or of the very one that is helped. In the end a connection that holds more than its
 * share.
 */
#include "stack/stack.h"

/* Connections looked at, in turn, for one segment. */
#define LOOKS_MAX 64u
/* When nobody at all could place the next bytes of a stream, or queue the first ones, for so long, somebody must go. */
#define PATIENCE_NS (10 * NS_PER_S)

/* The next of those who hold more than their share, and something of that kind. */
static bool drop_of_greedy(struct mp_host *host, enum shed what, const struct conn *except)
{
    uint32_t looks = LOOKS_MAX;
    const struct list *last = host->disordered.prev;
    LIST_EACH (it, &host->disordered) {
        struct conn *conn = LIST_ENTRY(it, struct conn, disorder_link);
        list_move_back(&host->disordered, it);
        bool dropped = conn != except && account_is_greedy(&conn->account) && conn_shed(conn, what);
        if (dropped)
            conn_touch(conn); /* or it would wait for the mapping of what is gone */
        if (dropped || it == last || --looks == 0)
            return dropped;
    }
    return false;
}

static void lose_patience(uint64_t *since_ns, const struct conn *sufferer, uint64_t now_ns)
{
    if (*since_ns == 0)
        *since_ns = now_ns;
    if (now_ns - *since_ns >= PATIENCE_NS && evict_greediest(stack_of(sufferer->host), sufferer, now_ns))
        *since_ns = 0;
}

bool pressure_make_room(struct mp_host *host, struct conn *conn, uint64_t now_ns)
{
    if (drop_of_greedy(host, SHED_UNMAPPED, NULL) || drop_of_greedy(host, SHED_DISORDER, NULL) ||
        drop_of_greedy(host, SHED_SACKED, conn) || conn_shed(conn, SHED_UNMAPPED) || conn_shed(conn, SHED_DISORDER))
        return true;
    conn->renege_wanted = true;
    lose_patience(&host->refused_since_ns, conn, now_ns);
    return false;
}

void pressure_starves(struct conn *conn, uint64_t now_ns)
{
    lose_patience(&conn->host->starved_since_ns, conn, now_ns);
}
