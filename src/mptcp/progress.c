/* Does the data level get on (RFC 8684 3.3.6, 3.7)? What the peer does not acknowledge there, though its subflow
 * delivered it, is asked for, sent again elsewhere, and in the end given up: the subflow that it was lost on, or the
 * connection. */
#include <errno.h>

#include "mptcp/conn.h"

/* RFC 9293 3.8.3, R2: so long without progress means that nobody is there. */
#define GIVE_UP_NS (120 * NS_PER_S)
/* When options must be deemed not to pass: after so many timeouts, of a path, of the last one. */
#define TERM_TIMEOUTS 3u
#define PATH_TERM_MAX_NS (5 * NS_PER_S)
#define CONNECTION_TERM_MAX_NS (10 * NS_PER_S)
/* The pauses of a mapping that was begun, and all of it: a byte now and then must not keep it for ever. */
#define ASSEMBLY_PAUSE_NS (10 * NS_PER_S)
#define ASSEMBLY_TERM_NS (60 * NS_PER_S)
/* And so many answers that say nothing of what was asked. */
#define ANSWERS_ENOUGH 3u

#define PROBE_MIN_NS (10 * NS_PER_MS)
/* Questions before their interval doubles each time, and the most doublings. */
#define STEADY_QUESTIONS 4u
#define BACKOFF_MAX 8u
#define QUESTION_MAX_NS (4 * NS_PER_S)
/* Bytes that are sent again first; then four times as many each time. */
#define AGAIN_BYTES UINT64_C(1000)

/* ---- paths that deliver nothing ---- */

static uint64_t timeouts_of(const struct subflow *subflow, unsigned count)
{
    return HW_MIN(count * rtt_rto(&subflow->tcp.rtt), PATH_TERM_MAX_NS * count / TERM_TIMEOUTS);
}

/* A suspicion has one timeout less: the questions before it took their time. */
static uint64_t suspicion_due(const struct subflow *subflow)
{
    return subflow->suspect_since_ns + timeouts_of(subflow, TERM_TIMEOUTS - 1);
}

static uint64_t unmapped_due(const struct subflow *subflow)
{
    return subflow->rx_mapping.unmapped_since_ns + timeouts_of(subflow, TERM_TIMEOUTS);
}

static uint64_t assembly_due(const struct subflow *subflow)
{
    const struct assembly *a = &subflow->rx_mapping.assembly;
    return HW_MIN(a->touched_ns + ASSEMBLY_PAUSE_NS, a->begun_ns + ASSEMBLY_TERM_NS);
}

static bool is_alive(const struct subflow *subflow)
{
    return !subflow->stale && subflow->tcp.state >= TCPS_ESTABLISHED && subflow->tcp.state != TCPS_TIME_WAIT;
}

static bool is_trusted(const struct subflow *subflow)
{
    return send_usable(subflow) && is_alive(subflow) && !subflow->suspect_since_ns;
}

static bool any_trusted(const struct conn *conn)
{
    EACH_SUBFLOW (it, conn)
        if (is_trusted(subflow_at(it)))
            return true;
    return false;
}

/* Is the oldest missing byte still on its way on a subflow that answers? */
static bool is_under_way(const struct conn *conn)
{
    EACH_SUBFLOW (it, conn) {
        const struct subflow *subflow = subflow_at(it);
        if (is_alive(subflow) && !subflow->suspect_since_ns && send_holds(subflow, conn->data_tx.sendq.una))
            return true;
    }
    return false;
}

/* Whoever delivered the oldest missing byte is under suspicion; when that leaves nobody, it must be the peer's fault.
 */
static void suspect_carriers(struct conn *conn, uint64_t now_ns)
{
    uint8_t first = carriers_oldest(&conn->data_tx.carriers);
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        bool carried = subflow->slot == first || subflow->carried_again;
        if (carried && is_trusted(subflow))
            subflow->suspect_since_ns = now_ns;
    }
    if (any_trusted(conn))
        return;
    EACH_SUBFLOW (it, conn)
        subflow_at(it)->suspect_since_ns = 0;
}

/* Guilty is whoever acknowledged data without a word of MPTCP: that was not the peer, or its options do not come
 * through. A peer that says so by a DSS had no memory for the bytes, or resets the subflow itself. */
static void judge_suspect(struct subflow *subflow, uint64_t now_ns)
{
    subflow->suspect_since_ns = 0;
    if (subflow->bare_acks && any_trusted(subflow->conn))
        place_give_up(subflow, COUNT_MPTCP_USELESS, now_ns);
}

/* A mapping that has begun keeps a whole buffer waiting for its rest, and its pieces. When memory is scarce not for
 * ever. */
static void judge_assembly(struct subflow *subflow, uint64_t now_ns)
{
    if (buf_is_scarce(subflow->rx_mapping.assembly.buf) || pool_is_scarce(&subflow->conn->host->holds))
        place_give_up(subflow, COUNT_LIMIT_ASSEMBLY, now_ns);
    else
        subflow->rx_mapping.assembly.begun_ns = subflow->rx_mapping.assembly.touched_ns = now_ns;
}

/* What a middlebox did to this subflow cannot be mended here (RFC 8684 3.7), and others are at hand or nothing is lost.
 */
static void judge_paths(struct conn *conn, uint64_t now_ns)
{
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        if (subflow->rx_mapping.unmapped_since_ns && unmapped_due(subflow) <= now_ns)
            place_give_up(subflow, COUNT_DROP_UNMAPPED, now_ns);
        if (subflow->suspect_since_ns && suspicion_due(subflow) <= now_ns)
            judge_suspect(subflow, now_ns);
        if (subflow->rx_mapping.assembly.len && assembly_due(subflow) <= now_ns)
            judge_assembly(subflow, now_ns);
    }
}

void progress_rearm(struct conn *conn) { conn->data_tx.progress.armed = AWAITS_NOTHING; }

void progress_note_unmapped(struct subflow *subflow, uint64_t now_ns)
{
    uint64_t ssn;
    bool unmapped = !subflow->failing && holdq_first(&subflow->rx_mapping.held, &ssn) && ssn < subflow->tcp.rx.next &&
                    !rxmap_find(&subflow->rx_mapping.maps, ssn);
    if (unmapped && subflow->rx_mapping.unmapped_since_ns)
        return;
    subflow->rx_mapping.unmapped_since_ns = unmapped ? now_ns : 0;
    if (unmapped)
        progress_rearm(subflow->conn);
}

/* ---- the connection ---- */

static bool data_outstanding(const struct conn *conn) { return dsn_lt(conn->data_tx.sendq.una, conn->data_tx.snd_nxt); }

static uint64_t slowest_timeout(const struct conn *conn)
{
    uint64_t timeout = 0;
    EACH_SUBFLOW (it, conn)
        if (is_alive(subflow_at(it)))
            timeout = HW_MAX(timeout, rtt_rto(&subflow_at(it)->tcp.rtt));
    return timeout ? timeout : RTO_INITIAL_NS;
}

/* Is a join under way that may bring a path on which options pass? */
static bool any_opening(const struct conn *conn)
{
    EACH_SUBFLOW (it, conn) {
        enum tcp_state state = subflow_at(it)->tcp.state;
        if (state == TCPS_SYN_SENT || state == TCPS_SYN_RECEIVED)
            return true;
    }
    return false;
}

/* RFC 8684 3.7: the peer answers, and never by an option; or never to a DATA_FIN that came with each question, for
 * which it needs no room. */
static bool options_vanished(const struct conn *conn, uint64_t now_ns)
{
    const struct progress *p = &conn->data_tx.progress;
    uint64_t term = CONNECTION_TERM_MAX_NS;
    if (!any_opening(conn) && !p->answers_with_options)
        term = HW_MIN(TERM_TIMEOUTS * slowest_timeout(conn), term);
    if (now_ns - p->asked_since_ns < term || p->answers < ANSWERS_ENOUGH)
        return false;
    return !p->answers_with_options || (conn->data_tx.fin_sent && !data_outstanding(conn));
}

/* Those that do not answer may be well again one day. */
static void give_up_answering(struct conn *conn, uint64_t now_ns)
{
    conn->data_tx.progress.answers = 0;
    EACH_SUBFLOW (it, conn)
        if (is_alive(subflow_at(it)))
            place_give_up(subflow_at(it), COUNT_MPTCP_USELESS, now_ns);
}

bool progress_asked(struct conn *conn, uint64_t now_ns)
{
    struct progress *p = &conn->data_tx.progress;
    if (p->asked_since_ns == 0) {
        p->asked_since_ns = now_ns;
        p->answers = 0;
        p->answers_with_options = false;
    }
    if (options_vanished(conn, now_ns))
        give_up_answering(conn, now_ns);
    else if (now_ns - p->asked_since_ns >= GIVE_UP_NS)
        conn_abort(conn, -ETIMEDOUT, now_ns);
    else
        return true;
    return false;
}

void progress_note_answer(struct subflow *subflow, const struct tcp_segment *segment)
{
    struct progress *p = &subflow->conn->data_tx.progress;
    if (p->asked_since_ns == 0 || segment->payload.len || segment->header.flags & (TCP_SYN | TCP_FIN | TCP_RST) ||
        !tcp_echoes_since(&subflow->tcp, segment, p->asked_since_ns))
        return;
    if (p->answers < UINT8_MAX)
        p->answers++;
    p->answers_with_options |= segment->options->mp.present != 0;
}

void progress_made(struct conn *conn)
{
    conn->data_tx.progress.asked_since_ns = 0;
    if (conn->data_tx.progress.questions) /* the next one comes sooner */
        progress_rearm(conn);
    conn->data_tx.progress.questions = 0;
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

static void send_again(struct conn *conn, uint64_t bytes)
{
    struct progress *p = &conn->data_tx.progress;
    uint64_t start = conn->data_tx.sendq.una.v - conn->identity.local_idsn.v,
             held = (uint64_t)dsn_diff(conn->data_tx.snd_nxt, conn->data_tx.sendq.una);
    p->again = (uint32_t)HW_MIN(held, bytes);
    p->again_end = dsn_add(conn->data_tx.sendq.una, p->again);
    (void)iset_add(&conn->data_tx.reinject, start, start + p->again); /* full: then enough waits there already */
    conn_wake(conn);
}

/* The answer to bytes that were sent again: if it asks for just the next ones, these are missing too, and twice as many
 * go out. If it skips some, the peer had them, and nothing says that it lacks more. */
static void go_on_again(struct conn *conn)
{
    struct progress *p = &conn->data_tx.progress;
    if (p->again == 0 || dsn_lt(conn->data_tx.sendq.una, p->again_end))
        return;
    if (dsn_eq(conn->data_tx.sendq.una, p->again_end) && data_outstanding(conn))
        send_again(conn, UINT64_C(2) * p->again);
    else
        p->again = 0;
}

void progress_data_acked(struct conn *conn)
{
    uint32_t merit = carriers_acked(&conn->data_tx.carriers, conn->data_tx.sendq.una, &conn->data_tx.repeated,
                                    conn->identity.local_idsn);
    iset_remove_below(&conn->data_tx.repeated, conn->data_tx.sendq.una.v - conn->identity.local_idsn.v);
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        subflow->carried_again = false;
        if (merit >> subflow->slot & 1) {
            subflow->suspect_since_ns = 0;
            subflow->bare_acks = false;
        }
    }
    progress_made(conn);
    go_on_again(conn);
}

/* The window counts when it is shut, bytes wait for it, and all before them is acknowledged. */
static enum awaited awaited(const struct conn *conn)
{
    return data_outstanding(conn) ? AWAITS_DATA_ACK : send_blocked_by_window(conn) ? AWAITS_WINDOW : AWAITS_NOTHING;
}

/* As with a tail loss probe (RFC 8985 7.2), the first questions come after two round trips each; then at the
 * retransmission timeout, which doubles. 0: nobody is there to be asked; subflows' own timers watch. */
static uint64_t question_interval(const struct conn *conn)
{
    uint64_t timeout = 0, probe = PROBE_MIN_NS;
    unsigned questions = conn->data_tx.progress.questions;
    EACH_SUBFLOW (it, conn) {
        const struct subflow *subflow = subflow_at(it);
        if (!is_alive(subflow) || !send_usable(subflow))
            continue;
        timeout = HW_MAX(timeout, rtt_timeout(&subflow->tcp.rtt));
        probe = HW_MAX(probe, 2 * subflow->tcp.rtt.srtt_ns);
    }
    if (questions < 2 && data_outstanding(conn))
        return HW_MIN(timeout, probe);
    unsigned doublings = questions < STEADY_QUESTIONS ? 0 : HW_MIN(questions - STEADY_QUESTIONS + 1, BACKOFF_MAX);
    return HW_MIN(timeout << doublings, HW_MAX(timeout, QUESTION_MAX_NS));
}

/* The oldest byte is missing, and nobody is about to deliver it. First a question, for the DATA_ACK may just be lost;
 * then the bytes, on other subflows than those that had them. But never where the peer may have fallen back to plain
 * TCP: it would take them for new ones. */
static void question(struct conn *conn, uint64_t now_ns)
{
    struct progress *p = &conn->data_tx.progress;
    if (!progress_asked(conn, now_ns))
        return;
    if (p->questions == 0 || !conn->fallback.peer_committed || !data_outstanding(conn)) {
        ask(conn);
    } else {
        suspect_carriers(conn, now_ns);
        send_again(conn, AGAIN_BYTES << HW_MIN(2 * (p->questions - 1), 20u));
    }
    p->questions++;
}

static uint64_t question_due(const struct conn *conn)
{
    uint64_t interval = question_interval(conn);
    return interval ? conn->data_tx.progress.una_since_ns + interval : TIME_NEVER;
}

static uint64_t other_due(const struct conn *conn)
{
    uint64_t due = TIME_NEVER;
    EACH_SUBFLOW (it, conn) {
        const struct subflow *subflow = subflow_at(it);
        if (subflow->suspect_since_ns)
            due = HW_MIN(due, suspicion_due(subflow));
        if (subflow->rx_mapping.unmapped_since_ns)
            due = HW_MIN(due, unmapped_due(subflow));
        if (subflow->rx_mapping.assembly.len)
            due = HW_MIN(due, assembly_due(subflow));
    }
    return due;
}

/* The timer is left where it is as long as it is early enough: one that fires for nothing costs less than one that is
 * moved with every acknowledgement. */
void progress_arm(struct conn *conn, uint64_t now_ns)
{
    struct progress *p = &conn->data_tx.progress;
    enum awaited what = awaited(conn);
    if (what == AWAITS_NOTHING || !dsn_eq(p->una, conn->data_tx.sendq.una)) {
        p->una = conn->data_tx.sendq.una;
        p->una_since_ns = now_ns;
    }
    if (conn->fallback.mode != CONN_MPTCP) {
        deadline_set(&conn->host->tcp.timers, &p->timer, TIME_NEVER);
        return;
    }
    if (what && what == p->armed)
        return;
    uint64_t asks = what ? question_due(conn) : TIME_NEVER, due = HW_MAX(HW_MIN(asks, other_due(conn)), now_ns + 1);
    p->armed = asks == TIME_NEVER ? AWAITS_NOTHING : what;
    if (p->timer.pos == 0 || due < p->timer.at_ns)
        deadline_set(&conn->host->tcp.timers, &p->timer, due);
}

void progress_on_timer(struct deadline *timer, uint64_t now_ns)
{
    struct conn *conn = HW_CONTAINER(timer, struct conn, data_tx.progress.timer);
    progress_rearm(conn);
    judge_paths(conn, now_ns);
    if (conn->fallback.mode != CONN_MPTCP || conn->endings.error)
        return;
    if (awaited(conn) && question_due(conn) <= now_ns) {
        if (!is_under_way(conn))
            question(conn, now_ns);
        conn->data_tx.progress.una_since_ns = now_ns;
    }
    progress_arm(conn, now_ns);
}
