#include "mptcp/pressure.h"

#include <errno.h>

/* Connections looked at, in turn, for one segment. */
#define LOOKS_MAX 64u
/* When nobody at all could place the next bytes of a stream, or queue the first ones, for so long, somebody must go. */
#define PATIENCE_NS (10 * NS_PER_S)

static struct counters *counters_of(const struct conn *conn) { return &conn->host->tcp.counters; }

/* RFC 8684 3.3.2: the peer keeps what was not acknowledged at the data level and sends it again. For sure only where it
 * knows of another subflow, for then it cannot fall back; and bytes that one subflow has SACKed only its own peer would
 * send again. */
bool pressure_may_shed(const struct conn *conn)
{
    return conn->fallback.mode == CONN_MPTCP && fallback_peer_committed(&conn->fallback);
}

/* RFC 2018 8: whoever sent what was SACKed keeps it until it is acknowledged. What lies behind a gap of the stream is
 * that, and nothing else, where one subflow carries the stream in order. */
static bool may_renege(const struct conn *conn)
{
    return !pressure_may_shed(conn) && conn->subflow_count == 1 &&
           (conn->fallback.mode == CONN_PLAIN || !conn->fallback.rx_diverged);
}

static bool holds_unmapped(const struct conn *conn)
{
    EACH_SUBFLOW (it, conn)
        if (rx_mapping_holds(&subflow_at(it)->rx_mapping))
            return true;
    return false;
}

void pressure_note(struct conn *conn)
{
    bool holds = data_rx_has_disorder(&conn->data_rx) || holds_unmapped(conn);
    if (!holds)
        list_remove(&conn->disorder_link);
    else if (list_empty(&conn->disorder_link))
        list_push_back(&conn->host->disordered, &conn->disorder_link);
}

void pressure_forget_disorder(struct conn *conn)
{
    data_rx_forget_disorder(&conn->data_rx);
    EACH_SUBFLOW (it, conn)
        rx_mapping_idle(&subflow_at(it)->rx_mapping);
    pressure_note(conn);
}

static bool drop_unmapped(struct conn *conn)
{
    if (!pressure_may_shed(conn) || !holds_unmapped(conn))
        return false;
    EACH_SUBFLOW (it, conn)
        rx_mapping_surrender(&subflow_at(it)->rx_mapping);
    pressure_note(conn);
    count(counters_of(conn), COUNT_LIMIT_UNMAPPED_DROPPED);
    return true;
}

static bool drop_disorder(struct conn *conn)
{
    if (!pressure_may_shed(conn) || !data_rx_has_disorder(&conn->data_rx))
        return false;
    pressure_forget_disorder(conn);
    count(counters_of(conn), COUNT_LIMIT_DISORDER_DROPPED);
    return true;
}

static bool renege(struct conn *conn)
{
    if (!may_renege(conn))
        return false;
    bool forgot = data_rx_has_disorder(&conn->data_rx);
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        forgot |= rx_mapping_forget_ahead(&subflow->rx_mapping, subflow->tcp.rx.next);
        if (forgot)
            rxseq_forget_ahead(&subflow->tcp.rx);
    }
    if (!forgot)
        return false;
    pressure_forget_disorder(conn);
    count(counters_of(conn), COUNT_LIMIT_SACKED_DROPPED);
    return true;
}

/* The next of those who hold more than their share, and something of that kind. */
static bool drop_of_greedy(struct mp_host *host, bool (*drop)(struct conn *conn), const struct conn *except)
{
    uint32_t looks = LOOKS_MAX;
    const struct list *last = host->disordered.prev;
    LIST_EACH (it, &host->disordered) {
        struct conn *conn = LIST_ENTRY(it, struct conn, disorder_link);
        list_remove(it); /* to the end of the line */
        list_push_back(&host->disordered, it);
        bool dropped = conn != except && account_is_greedy(&conn->account) && drop(conn);
        if (dropped || it == last || --looks == 0)
            return dropped;
    }
    return false;
}

/* The one that holds most above its share. */
static void reset_somebody(struct mp_host *host, const struct conn *except, uint64_t now_ns)
{
    struct conn *worst = NULL;
    uint64_t most = 0;
    LIST_EACH (it, &host->connections) {
        struct conn *conn = LIST_ENTRY(it, struct conn, link);
        uint64_t share = account_share(&conn->account);
        if (conn == except || subflows_over(&conn->subflows) || conn->account.held <= share ||
            conn->account.held - share < most)
            continue;
        worst = conn;
        most = conn->account.held - share;
    }
    if (!worst)
        return;
    count(&host->tcp.counters, COUNT_LIMIT_RESET);
    conn_abort(worst, -ENOBUFS, now_ns);
}

static void lose_patience(uint64_t *since_ns, const struct conn *sufferer, uint64_t now_ns)
{
    if (*since_ns == 0)
        *since_ns = now_ns;
    if (now_ns - *since_ns < PATIENCE_NS)
        return;
    *since_ns = 0;
    reset_somebody(sufferer->host, sufferer, now_ns);
}

bool pressure_relieve(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    struct mp_host *host = conn->host;
    if (drop_of_greedy(host, drop_unmapped, NULL) || drop_of_greedy(host, drop_disorder, NULL) ||
        drop_of_greedy(host, renege, conn) || drop_disorder(conn))
        return true;
    conn->renege_wanted = true;
    lose_patience(&host->refused_since_ns, conn, now_ns);
    return false;
}

void pressure_starves(struct conn *conn, uint64_t now_ns)
{
    lose_patience(&conn->host->starved_since_ns, conn, now_ns);
}

void pressure_settle(struct conn *conn)
{
    if (!conn->renege_wanted)
        return;
    conn->renege_wanted = false;
    (void)renege(conn);
}
