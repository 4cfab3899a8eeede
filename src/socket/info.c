/* What a connection and its subflows are doing, for the application. */
#include <errno.h>

#include <hawser/info.h>

#include "base/sized.h"
#include "stack/stack.h"

/* A join whose handshake is not over is none yet; nor is one any more that is closed and has only to say so. */
static bool counts(const struct subflow *subflow)
{
    return subflow->tcp.state != TCPS_CLOSED && (!subflow->join || subflow->stage >= SUBFLOW_JOINED);
}

static uint32_t count_subflows(const struct conn *conn)
{
    uint32_t n = 0;
    EACH_SUBFLOW (it, conn)
        n += counts(subflow_at(it));
    return n;
}

int hawser_conn_get_info(const struct hawser_conn *handle, struct hawser_conn_info *out)
{
    const struct conn *conn = (const struct conn *)(const void *)handle;
    bool mptcp = fallback_is_mptcp(&conn->fallback);
    dsn64 first = dsn_add(conn->identity.remote_idsn, 1);
    const struct hawser_conn_info info = {
        .mptcp = mptcp,
        .checksums = mptcp && conn->identity.checksums,
        .local_token = mptcp ? conn->identity.local_token : 0,
        .remote_token = mptcp ? conn->identity.remote_token : 0,
        .subflows = count_subflows(conn),
        .sent_bytes = data_tx_sent_bytes(&conn->data_tx),
        .acked_bytes = data_tx_acked_bytes(&conn->data_tx),
        .recv_bytes = (uint64_t)dsn_diff(data_rx_next(&conn->data_rx), first) - data_rx_is_over(&conn->data_rx),
        .reinjected_bytes = data_tx_reinjected_bytes(&conn->data_tx),
        .duplicate_bytes = data_rx_duplicate_bytes(&conn->data_rx),
        .scheduler = scheduler_policy(&conn->scheduler)->name,
        .copied_bytes = scheduler_copied_bytes(&conn->scheduler),
        .peer_user_timeout_ns = user_timeout_remote(&conn->patience.user_timeout),
        .plain_why = fallback_is_plain(&conn->fallback) ? plain_cause_name(fallback_cause(&conn->fallback)) : NULL,
    };
    return sized_give(out, &info, sizeof info, SIZED_SINCE(struct hawser_conn_info, duplicate_bytes));
}

int hawser_subflow_get_info(const struct hawser_conn *handle, size_t i, struct hawser_subflow_info *out)
{
    const struct conn *conn = (const struct conn *)(const void *)handle;
    EACH_SUBFLOW (it, conn) {
        const struct subflow *subflow = subflow_at(it);
        if (!counts(subflow) || i-- > 0)
            continue;
        const struct tcp *tcp = &subflow->tcp;
        const struct hawser_subflow_info info = {
            .id = subflow->id,
            .local = tcp->config.local,
            .remote = tcp->config.remote,
            .local_id = subflow->local_id,
            .remote_id = subflow->remote_id,
            .state = tcp_state_name(tcp->state),
            .backup = subflow->backup_local || subflow->backup_remote,
            .cwnd_bytes = tcp->cc.cwnd_bytes,
            .in_flight_bytes = tcp_in_flight(tcp),
            .mss_bytes = tcp->segment_bytes,
            .srtt_ns = tcp->rtt.srtt_ns,
            .rttvar_ns = tcp->rtt.rttvar_ns,
            .min_rtt_ns = tcp->rtt.min_ns,
            .sent_bytes = tcp_sent_bytes(tcp),
            .recv_bytes = tcp_recv_bytes(tcp),
            .retransmitted_bytes = tcp->retransmitted_bytes,
            .timeouts = tcp->liveness.timeouts,
            .link = tcp->config.link,
            .peer_window_bytes = tcp->snd_wnd,
        };
        return sized_give(out, &info, sizeof info, SIZED_SINCE(struct hawser_subflow_info, timeouts));
    }
    return -ENOENT;
}

int hawser_subflow_set_backup(struct hawser_conn *handle, uint32_t id, bool backup)
{
    struct conn *conn = (struct conn *)(void *)handle;
    const struct path_manager pm = conn_path_manager(conn);
    if (!fallback_is_mptcp(&conn->fallback))
        return -ENOENT;
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (subflow->id != id || !counts(subflow))
            continue;
        path_manager_set_backup(&pm, subflow, backup);
        conn_wake(conn);
        return 0;
    }
    return -ENOENT;
}
