/* Subflows come and go. */
#include "mptcp/conn.h"

#include <errno.h>
#include <string.h>

void conn_drop_subflow(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    struct mp_host *host = conn->host;
    if (subflow->bound)
        host->ops->subflow_unbind(host, subflow);
    rx_mapping_destroy(&subflow->rx_mapping);
    tcp_destroy(&subflow->tcp);
    data_tx_forget_carrier(&conn->data_tx, subflow->slot);
    list_remove(&subflow->link);
    host->joined_subflows -= --conn->subflow_count > 0;
    pool_put(&host->subflows, subflow);
}

/* Of the subflows beyond the first ones, what is kept for connections that have none. */
#define JOINS_SPARE 8u

/* Every connection that there may be has a first subflow for sure: others take what is left, and the last of that only
 * those that would be a connection's second. */
static bool may_join(const struct mp_host *host, const struct conn *conn)
{
    uint32_t limit = host->subflows.limit - host->conns.limit;
    if (conn->subflow_count > 1)
        limit -= limit / JOINS_SPARE;
    return conn->subflow_count < SUBFLOWS_MAX && host->joined_subflows < limit;
}

int conn_add_subflow(struct conn *conn, const struct local_address *local, uint16_t local_port,
                     const struct hawser_addr *remote, uint64_t now_ns, struct subflow **out)
{
    struct mp_host *host = conn->host;
    bool joins = conn->subflow_count > 0;
    if (joins && !may_join(host, conn)) {
        count(&host->tcp.counters, COUNT_LIMIT_SUBFLOWS);
        return -ENOBUFS;
    }
    struct subflow *subflow = pool_get(&host->subflows);
    if (!subflow) {
        count(&host->tcp.counters, COUNT_LIMIT_SUBFLOWS);
        return -ENOBUFS;
    }
    memset(subflow, 0, sizeof *subflow);
    subflow->conn = conn;
    subflow->slot = subflows_free_slot(&conn->subflows);
    list_init(&subflow->link);
    subflow->due_ns = TIME_NEVER;
    rx_mapping_init(&subflow->rx_mapping, &host->holds, &host->store, data_rx_account(&conn->data_rx));
    rx_mapping_retire(&subflow->rx_mapping, SSN_ORIGIN + 1); /* a first mapping is one of what is due next */
    struct tcp_config config = {
        .local = local->addr,
        .remote = *remote,
        .mtu = (uint16_t)HW_MIN(local->mtu, UINT16_MAX),
        .gso_bytes = (uint16_t)HW_MIN(local->gso_bytes, UINT16_MAX),
        .link = local->link,
        .upper_overhead = 28, /* DSS: 64-bit DATA_ACK, 64-bit DSN, checksum or not */
        .keepalive = &conn->keepalive,
    };
    config.local.port = local_port;
    tcp_init(&subflow->tcp, host->hooks, &host->tcp, &config, host->cc, data_rx_limit_max(&conn->data_rx));
    list_push_back(&conn->subflows, &subflow->link);
    conn->subflow_count++;
    host->joined_subflows += joins;
    if (!joins && !paths_begun(&conn->paths))
        paths_begin(&conn->paths, local, remote);
    int err = host->ops->subflow_bind(host, subflow); /* settles the local port */
    if (err < 0) {
        conn_drop_subflow(subflow);
        return err;
    }
    subflow->bound = true;
    struct tcp_config *c = &subflow->tcp.config;
    const struct initial_numbers numbers = host->ops->initial_numbers(host, &c->local, &c->remote, now_ns);
    c->iss = numbers.iss;
    c->ts_offset = numbers.ts_offset;
    *out = subflow;
    return 0;
}
