/* The ends of subflows and of the connection (RFC 8684 3.3.3). */
#include <errno.h>

#include "mptcp/conn.h"

/* Retransmission timeouts that a subflow has for its FIN once both streams are over. */
#define GOOD_BYE_TIMEOUTS 2u

void close_with_reason(struct subflow *subflow, uint8_t reason, int error, uint64_t now_ns)
{
    subflow->reset_reason = reason;
    subflow->reset_with_reason = true;
    tcp_abort(&subflow->tcp, error, now_ns);
}

static void await_good_bye(struct subflow *subflow, uint64_t now_ns)
{
    uint64_t patience_ns = GOOD_BYE_TIMEOUTS * rtt_rto(&subflow->tcp.rtt);
    deadline_set(&subflow->conn->host->tcp.timers, &subflow->timer, now_ns + patience_ns);
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

void close_on_subflow_timer(struct subflow *subflow, uint64_t now_ns)
{
    if (subflow->tcp.state == TCPS_TIME_WAIT)
        return;
    if (subflow->conn->endings.farewell)
        tcp_abort(&subflow->tcp, -ETIMEDOUT, now_ns);
    else
        await_good_bye(subflow, now_ns);
}

/* Both streams are over: the subflows may close. */
void close_advance(struct conn *conn, uint64_t now_ns)
{
    if (conn->fallback.mode != CONN_MPTCP || !conn->data_tx.fin_acked || !conn->data_rx.peer_fin_taken)
        return;
    EACH_SUBFLOW (it, conn) {
        const struct tcp *tcp = &subflow_at(it)->tcp;
        conn->endings.farewell |= tcp->fin_sent && tcp->snd_una == tcp->snd_nxt;
        say_good_bye(subflow_at(it), now_ns);
    }
    signal_arm(conn, now_ns);
    conn_event(conn);
}

unsigned close_alive_subflows(const struct conn *conn)
{
    unsigned n = 0;
    EACH_SUBFLOW (it, conn)
        n += subflow_at(it)->tcp.state != TCPS_CLOSED;
    return n;
}

static void subflow_established(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (subflow->join) {
        if (!subflow->passive) {
            subflow->stage = SUBFLOW_PROVING;
            subflow_insist(subflow, now_ns);
        }
        return;
    }
    subflow->stage = SUBFLOW_JOINED;
    conn->identity.established = true;
    conn->data_tx.snd_edge = dsn_max(conn->data_tx.snd_edge, dsn_add(conn->data_tx.sendq.una, subflow->tcp.snd_wnd));
    conn_event(conn);
}

/* Closed only after a time, as a new subflow may come (RFC 8684 3.3.3). */
static void linger_if_stranded(struct conn *conn, uint64_t now_ns)
{
    bool lingers = conn->endings.linger_timer.pos != 0;
    if (close_stranded(conn) && !conn->endings.detached && !conn->endings.error && !lingers)
        conn_linger(conn, now_ns);
}

static void subflow_closed(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    subflow->suspect_since_ns = subflow->rx_mapping.unmapped_since_ns = 0;
    place_release(&subflow->rx_mapping.assembly);
    send_reinject(subflow);
    progress_rearm(conn);
    bool last = close_alive_subflows(conn) == 0;
    if (last) {
        int error = subflow->tcp.error ? subflow->tcp.error : -ECONNRESET;
        /* RFC 9293 3.10.7.4: as in LAST-ACK, a RST for the end of the stream comes from a peer that knows it is over.
         */
        bool all_acked = dsn_eq(conn->data_tx.sendq.una, conn->data_tx.sendq.end);
        bool in_order = subflow->tcp.error == 0 || (subflow->tcp.error == -ECONNRESET && all_acked);
        bool over = conn->data_rx.peer_fin_taken && (conn->data_tx.fin_acked || (conn->data_tx.fin_sent && in_order));
        if (!over) {
            conn->endings.aborted |= subflow->tcp.reset_wanted; /* no use in the peer's waiting for another subflow */
            conn_fail(conn, error);
        }
        deadline_set(&conn->host->tcp.timers, &conn->signal_timer, TIME_NEVER);
        place_forget_disorder(conn);
    }
    linger_if_stranded(conn, now_ns);
    signal_arm(conn, now_ns);
    conn_event(conn);
}

static bool may_receive(const struct tcp *tcp) { return tcp->state >= TCPS_SYN_SENT && tcp->state <= TCPS_FIN_WAIT_2; }

bool close_stranded(const struct conn *conn)
{
    EACH_SUBFLOW (it, conn)
        if (may_receive(&subflow_at(it)->tcp))
            return false;
    return !conn->data_rx.peer_fin_taken;
}

bool close_delivering(const struct conn *conn)
{
    bool end_acked = conn->data_tx.fin_acked;
    if (conn->fallback.mode == CONN_PLAIN) {
        end_acked = true;
        EACH_SUBFLOW (it, conn) {
            const struct tcp *tcp = &subflow_at(it)->tcp;
            end_acked &= tcp->fin_sent && tcp->snd_una == tcp->snd_nxt;
        }
    }
    return dsn_lt(conn->data_tx.sendq.una, conn->data_tx.sendq.end) || !end_acked;
}

bool close_unfinished(const struct conn *conn)
{
    bool given_up = conn->endings.error || conn->endings.abort_asked;
    return conn->endings.detached && !conn->listener && !given_up && close_delivering(conn);
}

bool close_has_successor(const struct subflow *subflow)
{
    EACH_SUBFLOW (it, subflow->conn)
        if (subflow_at(it) != subflow && send_usable(subflow_at(it)))
            return true;
    return false;
}

static void subflow_fin(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (conn->fallback.mode == CONN_PLAIN &&
        conn->data_rx.reassembly.held > reassembly_readable(&conn->data_rx.reassembly)) {
        conn_abort(conn, -EPROTO, now_ns); /* the end, but not all that lies before it */
    } else if (conn->fallback.mode == CONN_PLAIN) {
        conn->data_rx.peer_fin_known = conn->data_rx.peer_fin_taken = true;
        conn->data_rx.peer_fin = reassembly_next(&conn->data_rx.reassembly);
        conn_event(conn);
    } else if (!conn->data_rx.peer_fin_known && close_has_successor(subflow)) {
        /* RFC 8684 3.3.3: a subflow's FIN says nothing of the connection; answer it and keep the others. */
        tcp_shutdown(&subflow->tcp, now_ns);
    }
    linger_if_stranded(conn, now_ns);
}

void close_subflow_event(struct subflow *subflow, enum tcp_event event, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    switch (event) {
    case TCP_EVENT_ESTABLISHED:
        subflow_established(subflow, now_ns);
        break;
    case TCP_EVENT_FIN:
        subflow_fin(subflow, now_ns);
        break;
    case TCP_EVENT_SILENT: /* with another path at hand there is no reason to wait for the timeout */
    case TCP_EVENT_TIMEOUT:
        subflow->stale = true;
        send_reinject(subflow);
        progress_rearm(conn);
        progress_arm(conn, now_ns);
        break;
    case TCP_EVENT_ALIVE:
        subflow->stale = false;
        send_forget_reinjection(subflow);
        break;
    case TCP_EVENT_TIME_WAIT:
        conn_event(conn);
        break;
    case TCP_EVENT_CLOSED:
        subflow_closed(subflow, now_ns);
        break;
    }
    conn_wake(conn);
}
