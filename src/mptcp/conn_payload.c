/* Arrived payload: to its place in the stream, and what is done where that is not so simple. */
#include "mptcp/conn.h"
#include "mptcp/inflow.h"

static struct inflow inflow_of(struct conn *conn)
{
    return (struct inflow){.rx = &conn->data_rx,
                           .plain = fallback_is_plain(&conn->fallback),
                           .checksums = conn->identity.checksums,
                           .sheds = conn_sheds(conn),
                           .idsn = conn->identity.remote_idsn,
                           .began = data_rx_next(&conn->data_rx)};
}

/* RFC 8684 3.7: on the only subflow the bytes wait until the peer answers the MP_FAIL. */
void conn_refuse_forged(struct subflow *subflow, uint64_t now_ns)
{
    if (conn_way_back(subflow->conn)) {
        count(&subflow->tcp.host->counters, COUNT_DROP_DATA_CHECKSUM);
        subflow->fail_stage = FAIL_ASKING;
        subflow_insist(subflow, now_ns);
    } else {
        subflow->fail_stage = FAIL_ON_RESET;
        subflow_give_up(subflow, COUNT_DROP_DATA_CHECKSUM, now_ns);
    }
}

/* Does what the verdict asks for; true when there is something to try again. */
static bool help(struct inflow *in, enum inflow_verdict verdict, struct subflow *subflow, uint64_t now_ns)
{
    struct conn *conn = subflow->conn;
    conn->arrived = true;
    /* Where bytes were lost, plain TCP is out of the question: nobody sends them again there. */
    fallback_note_divergence(&conn->fallback, in->missed);
    conn_note_disorder(conn);
    if (dsn_lt(in->began, data_rx_next(&conn->data_rx)))
        conn->host->refused_since_ns = 0;
    if (verdict == INFLOW_NO_ROOM)
        in->hopeless = !conn->host->ops->make_room(conn->host, conn, now_ns);
    else if (verdict == INFLOW_FORGED)
        conn_refuse_forged(subflow, now_ns);
    return verdict != INFLOW_TAKEN;
}

uint32_t conn_receive_payload(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    struct subflow *subflow = subflow_of(tcp);
    struct inflow in = inflow_of(subflow->conn);
    enum inflow_verdict verdict;
    uint32_t done = 0, taken;
    silence_end(subflow, true);
    count_n(&tcp->host->counters, COUNT_LIMIT_LENT_BUFFERS, bytes.buf && buf_is_scarce(bytes.buf));
    do {
        struct slice rest = slice_sub(bytes, done, bytes.len - done);
        verdict = inflow_place(&in, subflow, ssn + done, rest, &taken, now_ns);
        done += taken;
    } while (help(&in, verdict, subflow, now_ns));
    return done;
}

void conn_hand_up(struct subflow *subflow, const struct mapping *map, uint64_t now_ns)
{
    struct inflow in = inflow_of(subflow->conn);
    enum inflow_verdict verdict;
    do
        verdict = inflow_mapped(&in, subflow, map, now_ns);
    while (help(&in, verdict, subflow, now_ns));
}
