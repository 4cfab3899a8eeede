/* Subflows come and go. */
#include "mptcp/conn.h"

#include <errno.h>

#include "mptcp/subflow_life.h"

void conn_drop_subflow(struct subflow *subflow)
{
    struct conn *conn = subflow->conn;
    struct mp_host *host = conn->host;
    scheduler_drop(&conn->scheduler, &conn->account, subflow->slot, subflow->id);
    data_tx_forget_carrier(&conn->data_tx, subflow->slot);
    conn->subflow_count--;
    host->ops->subflow_left(host, conn);
    subflow_free(host, subflow);
}

int conn_add_subflow(struct conn *conn, const struct local_address *local, uint16_t local_port,
                     const struct hawser_addr *remote, uint64_t now_ns, struct subflow **out)
{
    struct mp_host *host = conn->host;
    bool joins = conn->subflow_count > 0;
    const struct subflow_plan plan = {.owner = conn,
                                      .slot = subflows_free_slot(&conn->subflows),
                                      .local = local,
                                      .local_port = local_port,
                                      .remote = *remote,
                                      .patience = &conn->patience,
                                      .window_max = data_rx_limit_max(&conn->data_rx),
                                      .arrivals = data_rx_account(&conn->data_rx),
                                      .plain = fallback_is_plain(&conn->fallback)};
    int err = joins && !host->ops->may_join(host, conn) ? -ENOBUFS : subflow_new(host, &plan, now_ns, out);
    count_n(&host->tcp.counters, COUNT_LIMIT_SUBFLOWS, err == -ENOBUFS);
    if (err < 0)
        return err;
    list_push_back(&conn->subflows, &(*out)->link);
    (*out)->id = conn->subflow_ids++;
    conn->subflow_count++;
    scheduler_serve(&conn->scheduler, &conn->account, subflows_slots(&conn->subflows), &host->tcp.counters);
    host->ops->subflow_came(host, conn, now_ns);
    if (!joins && !paths_begun(&conn->paths))
        paths_begin(&conn->paths, local, (*out)->tcp.config.local.port, remote);
    return 0;
}
