/* Who may have more than two subflows, and who has to give one back (docs/ARCHITECTURE.md). */
#include <errno.h>

#include "stack/stack.h"

/* Every connection that there may be has so many for sure. What is more is lent. */
#define SUBFLOWS_SURE 2
/* Of the subflows beyond the first ones, what is not lent. */
#define JOINS_SPARE 8u
/* Connections looked at for one subflow. */
#define LOOKS_MAX 64u

static void note_lent(struct conn *conn)
{
    if (conn->subflow_count <= SUBFLOWS_SURE)
        list_remove(&conn->lent_link);
    else if (list_empty(&conn->lent_link))
        list_push_back(&conn->host->lent, &conn->lent_link);
}

static uint32_t all_joins(const struct mp_host *host) { return host->subflows.limit - host->conns.limit; }

static uint32_t joins_to_lend(const struct mp_host *host)
{
    return all_joins(host) - (all_joins(host) + JOINS_SPARE - 1) / JOINS_SPARE;
}

bool lend_may_join(const struct mp_host *host, const struct conn *conn)
{
    uint32_t limit = conn->subflow_count < SUBFLOWS_SURE ? all_joins(host) : joins_to_lend(host);
    uint32_t own = conn->opening ? SUBFLOWS_MAX : conn->subflow_limit; /* of attempts at most one will be left */
    return !conn_is_full(conn, own) && host->joined_subflows < limit;
}

/* Of those to whom some are lent, in turn, the one that has most. */
static struct conn *deepest_in_debt(struct mp_host *host)
{
    struct conn *deepest = NULL;
    unsigned most = SUBFLOWS_SURE, looks = LOOKS_MAX;
    const struct list *last = host->lent.prev;
    LIST_EACH (it, &host->lent) {
        struct conn *conn = LIST_ENTRY(it, struct conn, lent_link);
        list_move_back(&host->lent, it);
        unsigned alive = subflows_alive(&conn->subflows);
        deepest = alive > most ? conn : deepest;
        most = HW_MAX(most, alive);
        if (it == last || --looks == 0)
            break;
    }
    return deepest;
}

/* For each second subflow out of what is not lent, one that is comes back, so that this never runs out: the newest
 * but for the only one that may carry data. */
static void take_back(struct mp_host *host, uint64_t now_ns)
{
    struct conn *debtor = deepest_in_debt(host);
    struct subflow *newest = NULL;
    if (!debtor)
        return;
    EACH_SUBFLOW (it, debtor) {
        struct subflow *subflow = subflow_at(it);
        bool spared = subflow_usable(subflow) && !subflows_have_other(&debtor->subflows, subflow);
        if (subflow->tcp.state != TCPS_CLOSED && !spared)
            newest = subflow;
    }
    if (!newest)
        return;
    count(&host->tcp.counters, COUNT_LIMIT_SUBFLOWS_LENT);
    subflow_reset(newest, MP_RST_RESOURCES, -ENOBUFS, now_ns);
}

void lend_subflow_came(struct mp_host *host, struct conn *conn, uint64_t now_ns)
{
    host->joined_subflows += conn->subflow_count > 1;
    note_lent(conn);
    if (conn->subflow_count == SUBFLOWS_SURE && host->joined_subflows > joins_to_lend(host))
        take_back(host, now_ns);
}

void lend_subflow_left(struct mp_host *host, struct conn *conn)
{
    host->joined_subflows -= conn->subflow_count > 0;
    note_lent(conn);
}
