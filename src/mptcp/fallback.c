/* The fall to plain TCP when options do not come through (RFC 8684 3.7). */
#include <errno.h>

#include "mptcp/conn.h"

/* Bare segments that carry the infinite mapping; data does until some of it is acknowledged. */
#define INFINITE_TELLS 3

/* The infinite mapping must mean what a plain connection means: each byte of the subflow is that byte of the stream. So
 * it takes the first subflow, which has carried all there was, once and in order. */
static struct subflow *only_carrier(const struct conn *conn)
{
    struct subflow *first = NULL;
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (!subflow->join)
            first = subflow;
        else if (subflow->tcp.sent_bytes || subflow->tcp.recv_bytes)
            return NULL;
    }
    bool all = first && conn->reinjected_bytes == 0 && first->tcp.sent_bytes == conn->sent_bytes;
    return all ? first : NULL;
}

void conn_fall_back(struct conn *conn, uint64_t now_ns)
{
    struct subflow *first = only_carrier(conn);
    if (conn->mode == CONN_PLAIN || !first)
        return;
    count(&conn->host->tcp.counters, COUNT_MPTCP_FALLBACKS);
    if (conn->mode == CONN_MPTCP) {
        conn->infinite_tells = INFINITE_TELLS;
        conn->infinite_from = first->tcp.snd_nxt;
    }
    conn->mode = CONN_PLAIN;
    iset_clear(&conn->reinject); /* the one subflow's own retransmission is all there is now */
    deadline_set(&conn->host->tcp.timers, &conn->data_timer, TIME_NEVER);
    deadline_set(&conn->host->tcp.timers, &conn->signal_timer, TIME_NEVER);
    EACH_SUBFLOW (it, conn)
        if (subflow_at(it) != first)
            tcp_abort(&subflow_at(it)->tcp, -EPROTO, now_ns);
    const struct mapping infinite = {.ssn = SSN_ORIGIN + 1, .dsn = dsn_add(conn->remote_idsn, 1)};
    place_mapped(first, &infinite, now_ns); /* what waited for its mapping */
    if (conn->fin_sent)
        tcp_shutdown(&first->tcp, now_ns);
}

bool fallback_needed(const struct subflow *subflow, const struct tcp_segment *segment)
{
    const struct conn *conn = subflow->conn;
    if (subflow->join || segment->options->mp.present || segment->header.flags & TCP_RST)
        return false;
    bool acks_data = segment->ack > SSN_ORIGIN + 1;
    if (!conn->confirmed)
        return segment->payload.len || acks_data;
    return acks_data && conn->acked_bytes == 0; /* no DATA_ACK has ever come back */
}

/* RFC 8684 3.3: a mapping of length 0 is infinite: the peer has fallen back. */
void fallback_take_infinite(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    bool plain = !subflow->join && map->dsn.v - map->ssn == conn->remote_idsn.v - SSN_ORIGIN;
    if (plain && only_carrier(conn))
        conn_fall_back(conn, now_ns);
    else
        count(&conn->host->tcp.counters, COUNT_DROP_MAPPING);
}

/* RFC 8684 3.7: the last mapping, to tell the peer in case options are lost in one direction only. Without it a peer
 * that has seen mappings could not tell our plain bytes from those of a host that goes on mapping and is not heard. */
void fallback_write(const struct subflow *subflow, const struct tx_record *record, uint8_t flags,
                    struct mptcp_options *mp)
{
    const struct conn *conn = subflow->conn;
    bool untold = record ? subflow->tcp.snd_una <= conn->infinite_from : conn->infinite_tells > 0;
    if (conn->infinite_from == 0 || !untold || subflow->join || flags & (TCP_SYN | TCP_RST))
        return;
    uint64_t ssn = record ? record->ssn : subflow->tcp.snd_nxt;
    mp->dss = (struct mp_dss){.has_map = true,
                              .dsn_is_64 = true,
                              .dsn = conn->local_idsn.v + (ssn - SSN_ORIGIN),
                              .ssn = ssn_wire(ssn),
                              .has_checksum = conn->checksums};
    mp->present |= 1u << MPTCP_DSS;
}
