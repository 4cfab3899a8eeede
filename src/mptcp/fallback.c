/* The fall to plain TCP when options do not come through (RFC 8684 3.7). */
#include <errno.h>

#include "mptcp/conn.h"

/* Bare segments that carry the infinite mapping: more than one, as the first may be lost. Data carries it until some of
 * it is acknowledged. A peer that misses it may send bytes again that would count as new ones. */
#define INFINITE_TELLS 8

/* The infinite mapping must mean what a plain connection means: each byte of the subflow is that byte of the stream. So
 * it takes the first subflow, which has carried all there was, once and in order, and before any other was added. */
static struct subflow *only_carrier(const struct conn *conn)
{
    struct subflow *first = NULL;
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (!subflow->join)
            first = subflow;
        else if (tcp_sent_bytes(&subflow->tcp) || tcp_recv_bytes(&subflow->tcp))
            return NULL;
    }
    bool all = first && conn->data_tx.reinjected_bytes == 0 && tcp_sent_bytes(&first->tcp) == conn->data_tx.sent_bytes;
    all = all && (data_tx_fin_sent(&conn->data_tx) ||
                  !first->tcp.fin_wanted); /* its FIN would end a stream that has not ended */
    return all && !conn->fallback.scattered && !conn->fallback.multipath ? first : NULL;
}

bool fallback_possible(const struct conn *conn) { return only_carrier(conn) != NULL; }

void conn_fall_back(struct conn *conn, uint64_t now_ns)
{
    struct subflow *first = only_carrier(conn);
    if (conn->fallback.mode == CONN_PLAIN || !first)
        return;
    count(&conn->host->tcp.counters, COUNT_MPTCP_FALLBACKS);
    if (conn->fallback.mode == CONN_MPTCP) {
        conn->fallback.infinite_tells = INFINITE_TELLS;
        conn->fallback.infinite_from = first->tcp.snd_nxt;
    }
    conn->fallback.mode = CONN_PLAIN;
    iset_clear(&conn->data_tx.reinject); /* the one subflow's own retransmission is all there is now */
    data_tx_disarm(&conn->data_tx);
    conn->signal_due_ns = first->due_ns = TIME_NEVER;
    conn_touch(conn);
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it) != first)
            tcp_abort(&subflow_at(it)->tcp, -EPROTO, now_ns);
    const struct mapping infinite = {.ssn = SSN_ORIGIN + 1, .dsn = dsn_add(conn->identity.remote_idsn, 1)};
    place_mapped(first, &infinite, now_ns);                      /* what waited for its mapping */
    conn->data_rx.peer_fin_known = conn->data_rx.peer_fin_taken; /* now its FIN counts, */
    if (first->tcp.fin_at && first->tcp.rx.next > first->tcp.fin_at)
        close_subflow_event(first, TCP_EVENT_FIN, now_ns); /* and one that came before */
    if (conn->fallback.infinite_tells)
        tcp_signal_now(&first->tcp);
    if (data_tx_fin_sent(&conn->data_tx))
        tcp_shutdown(&first->tcp, now_ns);
}

void fallback_or_reset(struct subflow *subflow, enum counter cause, uint64_t now_ns)
{
    if (fallback_possible(subflow->conn) && !subflow->join)
        conn_fall_back(subflow->conn, now_ns);
    else
        conn_give_up_subflow(subflow, cause, now_ns);
}

/* RFC 8684 3.7: data without options before any DSS came, or the acknowledgement of data without a DATA_ACK before any
 * came with one. */
bool fallback_needed(const struct subflow *subflow, const struct tcp_segment *segment)
{
    const struct conn *conn = subflow->conn;
    if (segment->options->mp.present || segment->header.flags & TCP_RST)
        return false;
    bool acks_data = segment->ack > SSN_ORIGIN + 1;
    if (subflow->join)
        return acks_data && !subflow->heard;
    return (segment->payload.len && !conn->identity.confirmed) || (acks_data && !conn->fallback.answered);
}

/* RFC 8684 3.7: a checksum of ours failed at the peer's, or it answers that one of its own did at ours. */
void fallback_take_fail(struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    if (conn->fallback.mode == CONN_MPTCP && conn->identity.checksums) {
        bool answer = !subflow->failing;
        subflow->failed = true; /* for the RST, if it comes to one */
        subflow->fail_dsn = receive_next(conn);
        fallback_or_reset(subflow, COUNT_DROP_DATA_CHECKSUM, now_ns);
        conn->fallback.answers_fail = answer && conn->fallback.mode == CONN_PLAIN;
    }
    conn->fallback.fail_due = conn->fallback.answers_fail;
    if (conn->fallback.fail_due)
        tcp_signal_now(&subflow->tcp);
}

bool fallback_contradicted(const struct subflow *subflow, const struct tcp_segment *segment)
{
    const struct conn *conn = subflow->conn;
    const struct mp_dss *dss = &segment->options->mp.dss;
    if (conn->fallback.mode != CONN_PLAIN || conn->fallback.infinite_from == 0 || segment->payload.len == 0)
        return false;
    if (!mptcp_has(&segment->options->mp, MPTCP_DSS) || !dss->has_map || dss->len == 0)
        return false;
    return (uint32_t)(dss->dsn - conn->identity.remote_idsn.v) != dss->ssn; /* both are 1 for the first byte */
}

/* RFC 8684 3.3: a mapping of length 0 is infinite: the peer has fallen back. */
void fallback_take_infinite(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    bool plain = !subflow->join && map->dsn.v - map->ssn == conn->identity.remote_idsn.v - SSN_ORIGIN;
    if (plain)
        fallback_or_reset(subflow, COUNT_DROP_MAPPING, now_ns);
    else
        count(&conn->host->tcp.counters, COUNT_DROP_MAPPING);
}

/* RFC 8684 3.7: what is said yet: the answer to an MP_FAIL, and the last mapping, which acts backwards, from the last
 * byte that is known to have arrived intact. It tells the peer in case options are lost in one direction only. */
void fallback_write(const struct subflow *subflow, const struct tx_record *record, uint8_t flags,
                    struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    bool untold = record ? subflow->tcp.snd_una <= conn->fallback.infinite_from : conn->fallback.infinite_tells > 0;
    if (subflow->join || flags & (TCP_SYN | TCP_RST))
        return;
    if (conn->fallback.fail_due && !record) {
        mp->fail.dsn = receive_next(conn).v;
        mp->present |= 1u << MPTCP_FAIL;
        return;
    }
    if (conn->fallback.infinite_from == 0 || !untold)
        return;
    dsn64 intact = conn->data_tx.sendq.una;
    mp->dss = (struct mp_dss){.has_map = true,
                              .dsn_is_64 = true,
                              .dsn = intact.v,
                              .ssn = ssn_wire(SSN_ORIGIN + (intact.v - conn->identity.local_idsn.v)),
                              .has_checksum = conn->identity.checksums};
    mp->present |= 1u << MPTCP_DSS;
}

void fallback_sent(struct subflow *subflow, const struct mptcp_options *sent)
{
    struct conn *conn = subflow->conn;
    if (mptcp_has(sent, MPTCP_DSS) && conn->fallback.infinite_tells)
        conn->fallback.infinite_tells--;
    if (!mptcp_has(sent, MPTCP_FAIL))
        return;
    conn->fallback.fail_due = false;
    if (conn->fallback.infinite_tells) /* which found no room beside it */
        tcp_signal_now(&subflow->tcp);
}
