/* What the parts of a connection have to say to each other, and its timer. */
#include <errno.h>

#include "mptcp/conn.h"
#include "mptcp/pressure.h"

/* Retransmission timeouts that a subflow has for its FIN once both streams are over. */
#define GOOD_BYE_TIMEOUTS 2u

/* ---- how it stands ---- */

struct tx_paths conn_tx_paths(const struct conn *conn)
{
    return subflows_tx_paths(&conn->subflows, fallback_peer_committed(&conn->fallback));
}

static bool is_end_acked(const struct conn *conn)
{
    return conn->fallback.mode == CONN_PLAIN ? subflows_fin_acked(&conn->subflows)
                                             : conn->data_tx.fin == DATA_FIN_ACKED;
}

static bool is_delivering(const struct conn *conn) { return !data_tx_all_acked(&conn->data_tx) || !is_end_acked(conn); }

struct ending_facts conn_ending_facts(const struct conn *conn)
{
    return (struct ending_facts){.acked_bytes = conn->data_tx.acked_bytes,
                                 .delivering = is_delivering(conn),
                                 .stranded = !data_rx_is_over(&conn->data_rx) && subflows_stranded(&conn->subflows),
                                 .lost = subflows_only_joins(&conn->subflows)};
}

bool conn_unfinished(const struct conn *conn)
{
    return !conn->listener && endings_unattended(&conn->endings, is_delivering(conn));
}

/* ---- subflows that are given up ---- */

void conn_reset_subflow(struct subflow *subflow, uint8_t reason, int error, uint64_t now_ns)
{
    subflow->reset_reason = reason;
    subflow->reset_with_reason = true;
    tcp_abort(&subflow->tcp, error, now_ns);
}

void conn_give_up_subflow(struct subflow *subflow, enum counter cause, uint64_t now_ns)
{
    count(&subflow->conn->host->tcp.counters, cause);
    conn_reset_subflow(subflow, MP_RST_MIDDLEBOX, -EPROTO, now_ns);
}

/* Those that do not answer may be well again one day. */
static void give_up_answering(struct conn *conn, uint64_t now_ns)
{
    EACH_SUBFLOW (it, conn)
        if (subflow_alive(subflow_at(it)))
            conn_give_up_subflow(subflow_at(it), COUNT_MPTCP_USELESS, now_ns);
}

static void judge_subflows(struct conn *conn, uint64_t now_ns)
{
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        switch (subflow_judge(subflow, now_ns)) {
        case SUBFLOW_FINE:
            break;
        case SUBFLOW_UNMAPPED:
            conn_give_up_subflow(subflow, COUNT_DROP_UNMAPPED, now_ns);
            break;
        case SUBFLOW_CONVICTED:
            if (subflows_any_trusted(&conn->subflows))
                conn_give_up_subflow(subflow, COUNT_MPTCP_USELESS, now_ns);
            break;
        case SUBFLOW_HOARDING:
            conn_give_up_subflow(subflow, COUNT_LIMIT_ASSEMBLY, now_ns);
            break;
        }
    }
}

/* ---- what the peer acknowledges, or does not ---- */

void conn_take_data_ack(struct conn *conn, dsn64 ack, uint32_t window, uint64_t now_ns)
{
    struct tx_news news = data_tx_take_ack(&conn->data_tx, ack, window, now_ns);
    count_n(&conn->host->tcp.counters, COUNT_DROP_DATA_ACK, news.what & TX_IMPOSSIBLE);
    if (!(news.what & TX_ACKED))
        return;
    subflows_clear(&conn->subflows, news.merit);
    conn_event(conn);
    conn_wake(conn);
}

/* Asks for a DATA_ACK. The probe draws an answer, and what leaves before it sees to it that the answer's timestamp
 * tells what was asked. */
static void ask(struct conn *conn)
{
    EACH_SUBFLOW (it, conn) {
        tcp_signal_now(&subflow_at(it)->tcp);
        tcp_probe_now(&subflow_at(it)->tcp);
    }
}

void conn_obey(struct conn *conn, enum tx_due due, uint64_t now_ns)
{
    switch (due) {
    case TX_WAIT:
        break;
    case TX_ASK:
        ask(conn);
        break;
    case TX_AGAIN:
        subflows_suspect(&conn->subflows, carriers_oldest(&conn->data_tx.carriers), now_ns);
        conn_wake(conn);
        break;
    case TX_USELESS:
        give_up_answering(conn, now_ns);
        break;
    case TX_TIMEOUT:
        conn_abort(conn, -ETIMEDOUT, now_ns);
        break;
    }
}

static void on_data_timer(struct conn *conn, uint64_t now_ns)
{
    const struct tx_paths paths = conn_tx_paths(conn);
    if (conn->fallback.mode == CONN_MPTCP && !conn->endings.error)
        conn_obey(
            conn,
            data_tx_on_timer(&conn->data_tx, &paths, subflows_carry(&conn->subflows, conn->data_tx.sendq.una), now_ns),
            now_ns);
    else
        data_tx_disarm(&conn->data_tx);
}

/* What the peer has is kept as long as a slow subflow has not delivered it too (RFC 8684 3.3.2), beside the send
 * buffer: past half of that the subflow is not worth it. */
static void reset_laggards(struct conn *conn, uint64_t now_ns)
{
    if (!data_tx_look_for_laggards(&conn->data_tx))
        return;
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        bool laggard = subflow_lagging_bytes(subflow, conn->data_tx.sendq.una) > data_tx_laggard_limit(&conn->data_tx);
        if (!laggard || !subflows_have_successor(&conn->subflows, subflow))
            continue;
        count(&conn->host->tcp.counters, COUNT_LIMIT_LAGGARD);
        conn_reset_subflow(subflow, MP_RST_OUTSTANDING, -ENOBUFS, now_ns);
    }
}

/* ---- ends ---- */

static void await_good_bye(struct subflow *subflow, uint64_t now_ns)
{
    subflow->due_ns = now_ns + GOOD_BYE_TIMEOUTS * rtt_rto(&subflow->tcp.rtt);
}

/* A path that is dead by then must not keep alive what is over; unless no other has told the peer so yet. */
static void say_good_bye(struct subflow *subflow, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    tcp_shutdown(tcp, now_ns);
    if (subflow->stage == SUBFLOW_LEAVING || tcp->state == TCPS_CLOSED || tcp->state == TCPS_TIME_WAIT)
        return;
    subflow->stage = SUBFLOW_LEAVING;
    await_good_bye(subflow, now_ns);
}

static void on_subflow_timer(struct subflow *subflow, uint64_t now_ns)
{
    subflow->due_ns = TIME_NEVER;
    if (subflow->stage != SUBFLOW_LEAVING)
        conn_insist(subflow, now_ns);
    else if (subflow->conn->endings.farewell && subflow->tcp.state != TCPS_TIME_WAIT)
        tcp_abort(&subflow->tcp, -ETIMEDOUT, now_ns);
    else if (subflow->tcp.state != TCPS_TIME_WAIT)
        await_good_bye(subflow, now_ns);
}

/* Both streams are over: the subflows may close. */
static void advance_close(struct conn *conn, uint64_t now_ns)
{
    if (conn->fallback.mode != CONN_MPTCP || conn->data_tx.fin != DATA_FIN_ACKED || !data_rx_is_over(&conn->data_rx))
        return;
    EACH_SUBFLOW (it, conn) {
        const struct tcp *tcp = &subflow_at(it)->tcp;
        conn->endings.farewell |= tcp->fin_sent && tcp->snd_una == tcp->snd_nxt;
        say_good_bye(subflow_at(it), now_ns);
    }
    conn_event(conn);
}

/* Once the application has closed, nobody reads what still arrives. It is thrown away while our own last bytes are
 * under way; after that the peer must learn that it speaks to nobody (RFC 1122 4.2.2.13). */
static void offer_arrivals(struct conn *conn, uint64_t now_ns)
{
    if (data_rx_readable(&conn->data_rx) == 0)
        return;
    if (!conn->endings.detached || conn->listener) {
        conn_event(conn);
        return;
    }
    conn_consume(conn, SIZE_MAX);
    if (data_tx_fin_sent(&conn->data_tx) && data_tx_all_acked(&conn->data_tx))
        conn_abort(conn, -ECONNRESET, now_ns);
}

/* ---- all of it ---- */

static void arm(struct conn *conn, uint64_t paths_due_ns)
{
    uint64_t due_ns = HW_MIN(HW_MIN(conn->data_tx.progress.due_ns, conn->signal_due_ns), conn->endings.due_ns);
    due_ns = HW_MIN(due_ns, paths_due_ns);
    due_ns = HW_MIN(due_ns, subflows_due(&conn->subflows));
    deadline_set(&conn->host->tcp.timers, &conn->timer, due_ns);
}

static uint64_t slowest_round_trip(const struct conn *conn)
{
    uint64_t slowest = 0;
    EACH_SUBFLOW (it, conn)
        slowest = HW_MAX(slowest, subflow_at(it)->tcp.rtt.srtt_ns);
    return slowest;
}

static void note_progress(struct conn *conn, uint64_t now_ns)
{
    uint64_t bytes = conn->data_tx.acked_bytes + data_rx_read_bytes(&conn->data_rx);
    if (bytes == conn->progress_bytes)
        return;
    conn->progress_bytes = bytes;
    conn->host->ops->conn_progressed(conn->host, conn, now_ns);
}

void conn_settle(struct conn *conn, uint64_t now_ns)
{
    list_remove(&conn->touched_link);
    pressure_settle(conn);
    note_progress(conn, now_ns);
    if (data_rx_tunes(&conn->data_rx))
        data_rx_tune(&conn->data_rx, slowest_round_trip(conn), now_ns);
    offer_arrivals(conn, now_ns);
    conn_idle(conn); /* what arrived may have been nothing new */
    EACH_SUBFLOW (it, conn)
        subflow_note_unmapped(subflow_at(it), now_ns);
    if (conn->fallback.mode != CONN_MPTCP) {
        data_tx_disarm(&conn->data_tx);
    } else if (data_tx_watch(&conn->data_tx, fallback_peer_committed(&conn->fallback), now_ns)) {
        const struct tx_paths paths = conn_tx_paths(conn);
        data_tx_arm(&conn->data_tx, &paths, now_ns);
    }
    reset_laggards(conn, now_ns);
    advance_close(conn, now_ns);
    uint64_t paths_due_ns = conn_paths_settle(conn, now_ns);
    if (conn->news & NEWS_SUBFLOWS) {
        const struct ending_facts facts = conn_ending_facts(conn);
        endings_note(&conn->endings, &facts, now_ns);
    }
    conn->news = 0;
    arm(conn, paths_due_ns);
}

void conn_settle_touched(struct mp_host *host, uint64_t now_ns)
{
    LIST_EACH (it, &host->touched)
        conn_settle(LIST_ENTRY(it, struct conn, touched_link), now_ns);
}

static void on_ending_timer(struct conn *conn, uint64_t now_ns)
{
    const struct ending_facts facts = conn_ending_facts(conn);
    if (endings_on_timer(&conn->endings, &facts, now_ns))
        conn_abort(conn, -ETIMEDOUT, now_ns);
}

void conn_on_timer(struct deadline *timer, uint64_t now_ns)
{
    struct conn *conn = HW_CONTAINER(timer, struct conn, timer);
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (subflow->tcp.due_ns <= now_ns)
            tcp_run_timers(&subflow->tcp, now_ns);
        if (subflow->due_ns <= now_ns)
            on_subflow_timer(subflow, now_ns);
    }
    judge_subflows(conn, now_ns);
    if (conn->data_tx.progress.due_ns <= now_ns)
        on_data_timer(conn, now_ns);
    if (conn->signal_due_ns <= now_ns)
        signal_on_timer(conn, now_ns);
    if (conn->endings.due_ns <= now_ns)
        on_ending_timer(conn, now_ns);
    conn_settle(conn, now_ns);
}
