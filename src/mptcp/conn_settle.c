/* What the parts of a connection have to say to each other, and its timer. */
#include <errno.h>

#include "mptcp/conn.h"
#include "mptcp/outflow.h"

/* Both streams are over: the subflows may close. */
static void advance_close(struct conn *conn, uint64_t now_ns)
{
    if (!fallback_is_mptcp(&conn->fallback) || !conn_streams_over(conn))
        return;
    endings_note_farewell(&conn->endings, subflows_say_good_bye(&conn->subflows, now_ns));
}

/* Once the application has finished, nobody reads what still arrives. It is thrown away while our own last bytes,
 * and their end, are under way; after that the peer must learn that it speaks to nobody (RFC 1122 4.2.2.13). */
static void refuse_arrivals(struct conn *conn, uint64_t now_ns)
{
    if (data_rx_readable(&conn->data_rx) == 0 || !endings_finished(&conn->endings) || conn->listener)
        return;
    conn_consume(conn, SIZE_MAX);
    if (data_tx_end_acked(&conn->data_tx))
        conn_abort(conn, -ECONNRESET, now_ns);
}

static void arm(struct conn *conn, uint64_t others_ns)
{
    uint64_t due_ns = HW_MIN(outflow_due(&conn->data_tx, &conn->scheduler), conn_ending_due(conn));
    deadline_set(&conn->host->tcp.timers, &conn->timer, HW_MIN(due_ns, others_ns));
}

static void note_progress(struct conn *conn, uint64_t now_ns)
{
    uint64_t read = data_rx_read_bytes(&conn->data_rx) - conn->identity.remote_idsn.v - 1;
    uint64_t bytes = data_tx_acked_bytes(&conn->data_tx) + read;
    if (bytes == conn->progress.bytes)
        return;
    conn->progress.bytes = bytes;
    if (!list_empty(&conn->starved_link) && data_tx_finds_memory(&conn->data_tx))
        list_remove(&conn->starved_link); /* its own bytes came back: it need not wait for its turn */
    paths_note_bytes(&conn->paths, bytes);
    conn->host->ops->conn_progressed(conn->host, conn, now_ns);
}

/* What arrived, and what it made us hold. */
static void settle_arrivals(struct conn *conn, uint64_t now_ns)
{
    if (fallback_is_plain(&conn->fallback) && subflows_fin_acked(&conn->subflows))
        data_tx_take_end_ack(&conn->data_tx);
    if (conn->renege_wanted) /* not while the segment was looked at that wanted it */
        (void)conn_shed(conn, SHED_SACKED);
    conn->renege_wanted = false;
    note_progress(conn, now_ns);
    if (data_rx_tunes(&conn->data_rx))
        data_rx_tune(&conn->data_rx, subflows_slowest_ns(&conn->subflows), now_ns);
    refuse_arrivals(conn, now_ns);
    if (!conn->arrived)
        return;
    conn->arrived = false;
    conn_idle(conn); /* it may have been nothing new */
    subflows_note_unmapped(&conn->subflows, now_ns);
    if (fallback_is_mptcp(&conn->fallback))
        silence_look(&conn->subflows, now_ns);
}

static void settle_data(struct conn *conn, uint64_t now_ns)
{
    if (!fallback_is_mptcp(&conn->fallback) || endings_error(&conn->endings)) {
        data_tx_stop(&conn->data_tx);
    } else if (data_tx_watch(&conn->data_tx, fallback_peer_committed(&conn->fallback), now_ns)) {
        const struct tx_paths paths = conn_tx_paths(conn);
        data_tx_arm(&conn->data_tx, &paths, now_ns);
    }
    outflow_reset_laggards(&conn->data_tx, &conn->subflows, now_ns);
    advance_close(conn, now_ns);
    bool waits = !identity_established(&conn->identity) || data_tx_undelivered(&conn->data_tx);
    endings_watch_delivery(&conn->endings, waits, now_ns);
}

/* What subflows have to say, before anybody asks what there is. */
static void settle_subflows(struct conn *conn, uint64_t now_ns)
{
    if (!subflows_have_news(&conn->subflows))
        return;
    do
        EACH_SUBFLOW (it, conn)
            if (subflow_at(it)->news)
                conn_take_subflow_news(subflow_at(it), now_ns);
    while (subflows_have_news(&conn->subflows));
    if (!data_rx_knows_end(&conn->data_rx))
        subflows_answer_fins(&conn->subflows, now_ns);
    const struct ending_facts facts = conn_ending_facts(conn);
    if (facts.stranded && !paths_in_rescue(&conn->paths))
        paths_begin_rescue(&conn->paths, endings_strand(&conn->endings, &facts));
    endings_note(&conn->endings, &facts, now_ns);
    if (facts.stranded)
        conn_paths_changed(conn, HAWSER_PM_SUBFLOW_DOWN);
}

/*
 * Who brings news to whom, beside segments, timers and calls:
 *
 *   arrivals  close all subflows, when nobody reads what arrived
 *   subflows  close all others, when the stream is broken; have pairs looked for
 *   data      closes laggards, and those that have said good-bye
 *   paths     close those that do not answer, or that nobody needs; or all, when no other comes to bring the rest
 *
 * All of it is a subflow's end, and each has one: so there are no more rounds than subflows, and the last.
 */
void conn_settle(struct conn *conn, uint64_t now_ns)
{
    uint64_t paths_ns, subflows_ns;
    unsigned rounds = 0;
    settle_arrivals(conn, now_ns);
    do {
        settle_subflows(conn, now_ns);
        settle_data(conn, now_ns);
        paths_ns = conn_paths_settle(conn, now_ns);
        subflows_ns = subflows_due(&conn->subflows);
        rounds++;
    } while (subflows_ns == SUBFLOWS_HAVE_NEWS);
    if (rounds > conn->host->settle_rounds_most)
        conn->host->settle_rounds_most = (uint8_t)rounds;
    arm(conn, HW_MIN(paths_ns, subflows_ns));
    conn_event(conn);
    list_remove(&conn->touched_link); /* what it did to itself is worked off, too */
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
        conn_abort(conn, subflows_silence(&conn->subflows), now_ns);
}

static void on_data_timer(struct conn *conn, uint64_t now_ns)
{
    const struct outflow out = conn_outflow(conn);
    if (!outflow_on_timer(&out, identity_confirmed(&conn->identity), now_ns))
        conn_abort(conn, subflows_silence(&conn->subflows), now_ns);
    conn_wake(conn); /* bytes may go again */
}

void conn_on_timer(struct deadline *timer, uint64_t now_ns)
{
    struct conn *conn = HW_CONTAINER(timer, struct conn, timer);
    subflows_run_timers(&conn->subflows, endings_farewell(&conn->endings), now_ns);
    subflows_judge(&conn->subflows, now_ns);
    path_manager_judge(&conn->subflows, now_ns);
    silence_ask(&conn->subflows, &conn->host->questions, &conn->host->tcp.counters, now_ns);
    if (outflow_due(&conn->data_tx, &conn->scheduler) <= now_ns)
        on_data_timer(conn, now_ns);
    if (conn_ending_due(conn) <= now_ns)
        on_ending_timer(conn, now_ns);
    conn_settle(conn, now_ns);
}
