#include "mptcp/subflow.h"

#include <errno.h>

/* When options must be deemed not to pass on a path: after so many timeouts. */
#define TERM_TIMEOUTS 3u
#define TERM_MAX_NS (5 * NS_PER_S)
#define SIGNALS_IN_A_ROW_MAX 2
/* RFC 8684 3.4.2: the answer to the keepalive has so many round trips, and what a busy peer takes for it. */
#define KEEPALIVE_ROUNDS 2u
#define KEEPALIVE_MIN_NS (10 * NS_PER_MS)
/* Retransmission timeouts that a subflow has for its FIN once both streams are over. */
#define GOOD_BYE_TIMEOUTS 2u

/* A byte of a mapping is outstanding until all of it has arrived: before that the peer cannot make sure of it. */
bool subflow_holds(const struct subflow *subflow, dsn64 at)
{
    TXQ_EACH (record, tcp_txq(&subflow->tcp))
        if (record->note.mapped && at.v - record->note.dsn < record->note.len)
            return true;
    return false;
}

uint32_t subflow_record_data(const struct tx_record *record, dsn64 *from)
{
    *from = dsn_at(record->note.dsn + (record->ssn - record->note.ssn));
    return record->note.mapped ? record->len : 0;
}

uint64_t subflow_lagging_bytes(const struct subflow *subflow, dsn64 una)
{
    uint64_t bytes = 0;
    TXQ_EACH (record, tcp_txq(&subflow->tcp)) {
        dsn64 from;
        uint32_t len = subflow_record_data(record, &from);
        if (dsn_lt(una, dsn_add(from, len)))
            break;
        bytes += len;
    }
    return bytes;
}

/* ---- news ---- */

void subflow_set_stale(struct subflow *subflow, bool stale)
{
    subflow->stale = stale;
    subflow->news &= (uint8_t) ~(SUBFLOW_WENT_STALE | SUBFLOW_CAME_BACK);
    subflow->news |= stale ? SUBFLOW_WENT_STALE : SUBFLOW_CAME_BACK;
}

void subflow_note(struct subflow *subflow, enum tcp_event event)
{
    switch (event) {
    case TCP_EVENT_ESTABLISHED:
    case TCP_EVENT_ASKED:
        break;
    case TCP_EVENT_FIN:
        subflow->news |= SUBFLOW_ENDED;
        break;
    case TCP_EVENT_SILENT:
    case TCP_EVENT_TIMEOUT:
        subflow_set_stale(subflow, true);
        break;
    case TCP_EVENT_ALIVE:
        subflow_set_stale(subflow, false);
        break;
    case TCP_EVENT_TIME_WAIT:
        subflow->news |= SUBFLOW_PARTED;
        break;
    case TCP_EVENT_CLOSED:
        subflow->suspect_since_ns = 0;
        rx_mapping_close(&subflow->rx_mapping);
        subflow->news |= SUBFLOW_CLOSED;
        break;
    }
}

/* ---- paths that deliver nothing ---- */

static uint64_t timeouts_of(const struct subflow *subflow, unsigned count)
{
    return HW_MIN(count * rtt_rto(&subflow->tcp.rtt), TERM_MAX_NS * count / TERM_TIMEOUTS);
}

/* A suspicion has one timeout less: the questions before it took their time. */
static uint64_t suspicion_due(const struct subflow *subflow)
{
    return subflow->suspect_since_ns ? subflow->suspect_since_ns + timeouts_of(subflow, TERM_TIMEOUTS - 1) : TIME_NEVER;
}

static uint64_t unmapped_due(const struct subflow *subflow)
{
    uint64_t since_ns = rx_mapping_unmapped_since(&subflow->rx_mapping);
    return since_ns ? since_ns + timeouts_of(subflow, TERM_TIMEOUTS) : TIME_NEVER;
}

static uint64_t keepalive_ns(const struct rtt *rtt)
{
    if (rtt->srtt_ns == 0)
        return rtt_rto(rtt);
    return HW_MAX(KEEPALIVE_ROUNDS * rtt->srtt_ns + 4 * rtt->rttvar_ns, KEEPALIVE_MIN_NS);
}

uint64_t subflow_doubt_due(const struct subflow *subflow)
{
    const struct rtt *rtt = &subflow->tcp.rtt;
    uint64_t later_ns = ((UINT64_C(1) << (subflow->doubts - 1)) - 1) * rtt_rto(rtt);
    return subflow->doubted_ns + keepalive_ns(rtt) + later_ns;
}

uint64_t subflow_question_due(const struct subflow *subflow)
{
    const struct silence *s = &subflow->silence;
    return s->due_ms && s->questions < UINT8_MAX ? s->due_ms * NS_PER_MS : TIME_NEVER;
}

uint64_t subflow_next_judgement(const struct subflow *subflow)
{
    uint64_t assembly = rx_mapping_assembly_due(&subflow->rx_mapping);
    uint64_t doubt = subflow->doubts ? subflow_doubt_due(subflow) : TIME_NEVER;
    uint64_t doubted = HW_MIN(doubt, subflow_question_due(subflow));
    return HW_MIN(HW_MIN(suspicion_due(subflow), unmapped_due(subflow)), HW_MIN(assembly, doubted));
}

enum subflow_verdict subflow_judge(struct subflow *subflow, uint64_t now_ns)
{
    struct rx_mapping *rx = &subflow->rx_mapping;
    if (unmapped_due(subflow) <= now_ns)
        return SUBFLOW_UNMAPPED;
    if (suspicion_due(subflow) <= now_ns) {
        subflow_acquit(subflow);
        if (subflow->bare_acks) /* that was not the peer, or its options do not come through; one that says by a DSS */
            return SUBFLOW_CONVICTED; /* that it lacks bytes had no memory for them, or resets the subflow itself */
    }
    if (rx_mapping_assembly_due(rx) <= now_ns && !rx_mapping_extend_assembly(rx, now_ns))
        return SUBFLOW_HOARDING;
    return SUBFLOW_FINE;
}

void subflow_note_unmapped(struct subflow *subflow, uint64_t now_ns)
{
    uint64_t next = subflow->fail_stage == FAIL_ASKING ? 0 : subflow->tcp.rx.next;
    rx_mapping_note_unmapped(&subflow->rx_mapping, next, now_ns);
}

/* ---- bare acknowledgements for the sake of options ---- */

static uint32_t sent(const struct tcp *tcp) { return (uint32_t)(tcp->snd_nxt + tcp->retransmitted_bytes); }

static bool came_between(const struct subflow *subflow)
{
    return subflow->signals_snd != sent(&subflow->tcp) || subflow->signals_rcv != (uint32_t)subflow->tcp.rx.next;
}

unsigned subflow_signals(const struct subflow *subflow) { return came_between(subflow) ? 0 : subflow->signals; }

bool subflow_may_signal(const struct subflow *subflow) { return subflow_signals(subflow) < SIGNALS_IN_A_ROW_MAX; }

void subflow_count_signal(struct subflow *subflow)
{
    if (came_between(subflow))
        subflow->signals = 0;
    subflow->signals++;
    subflow->row_full = false;
    subflow->signals_snd = sent(&subflow->tcp);
    subflow->signals_rcv = (uint32_t)subflow->tcp.rx.next;
}

void subflow_end_row(struct subflow *subflow, uint64_t now_ns)
{
    const uint32_t now_ms = (uint32_t)(now_ns / NS_PER_MS);
    bool full = !subflow_may_signal(subflow);
    if (full && !subflow->row_full)
        subflow->row_full_ms = now_ms;
    subflow->row_full = full && (!subflow->row_full || now_ms - subflow->row_full_ms < SIGNAL_ROW_NS / NS_PER_MS);
    if (full && !subflow->row_full)
        subflow->signals = 0;
}

uint64_t subflow_signal_due(const struct subflow *subflow, uint64_t now_ns)
{
    const uint32_t full_ms = (uint32_t)(now_ns / NS_PER_MS) - subflow->row_full_ms;
    bool waits = subflow->row_full && !subflow_may_signal(subflow) && full_ms < SIGNAL_ROW_NS / NS_PER_MS;
    return waits ? now_ns + SIGNAL_ROW_NS - full_ms * NS_PER_MS : now_ns;
}

/* ---- its end ---- */

void subflow_reset(struct subflow *subflow, uint8_t reason, int error, uint64_t now_ns)
{
    subflow->reset_reason = reason;
    subflow->reset_with_reason = true;
    tcp_abort(&subflow->tcp, error, now_ns);
}

void subflow_give_up(struct subflow *subflow, enum counter cause, uint64_t now_ns)
{
    count(&subflow->tcp.host->counters, cause);
    subflow_reset(subflow, MP_RST_MIDDLEBOX, -EPROTO, now_ns);
}

bool subflow_is_useless(const struct subflow *subflow)
{
    const uint8_t reason = subflow->reset_reason;
    bool for_now = reason == MP_RST_OUTSTANDING || reason == MP_RST_RESOURCES || reason == MP_RST_PERFORMANCE;
    return subflow->reset_with_reason && !for_now;
}

static void await_good_bye(struct subflow *subflow, uint64_t now_ns)
{
    subflow->due_ns = now_ns + GOOD_BYE_TIMEOUTS * rtt_rto(&subflow->tcp.rtt);
}

void subflow_say_good_bye(struct subflow *subflow, uint64_t now_ns)
{
    struct tcp *tcp = &subflow->tcp;
    if (subflow->stage == SUBFLOW_PROVING) { /* RFC 8684 3.2: nothing goes before the proof, nor a FIN */
        subflow_reset(subflow, MP_RST_UNSPECIFIED, -ECANCELED, now_ns);
        return;
    }
    tcp_shutdown(tcp, now_ns);
    if (subflow->stage == SUBFLOW_LEAVING || tcp->state == TCPS_CLOSED || tcp->state == TCPS_TIME_WAIT)
        return;
    subflow->stage = SUBFLOW_LEAVING;
    await_good_bye(subflow, now_ns);
}

/* ---- its timer, and options ---- */

void subflow_insist(struct subflow *subflow, uint64_t now_ns)
{
    bool asks = subflow->fail_stage == FAIL_ASKING;
    subflow_end_row(subflow, now_ns);
    if (asks && !subflow_may_signal(subflow)) {
        subflow->due_ns = now_ns + SIGNAL_ROW_NS;
        return;
    }
    uint64_t wait_ns = join_proof_retry(&subflow->join_proof, rtt_timeout(&subflow->tcp.rtt));
    if (wait_ns == 0) {
        tcp_abort(&subflow->tcp, -ETIMEDOUT, now_ns);
        return;
    }
    if (asks)
        subflow_count_signal(subflow);
    tcp_signal_now(&subflow->tcp);
    subflow->due_ns = now_ns + wait_ns;
}

void subflow_on_timer(struct subflow *subflow, bool farewell, uint64_t now_ns)
{
    subflow->due_ns = TIME_NEVER;
    if (tcp_rests(&subflow->tcp)) {
        count(&subflow->tcp.host->counters, COUNT_TCP_RESTS_IN_VAIN);
        tcp_abort(&subflow->tcp, subflow->tcp.error, now_ns);
    } else if (subflow->stage != SUBFLOW_LEAVING)
        subflow_insist(subflow, now_ns);
    else if (subflow->tcp.state == TCPS_TIME_WAIT)
        return;
    else if (farewell)
        tcp_abort(&subflow->tcp, -ETIMEDOUT, now_ns);
    else
        await_good_bye(subflow, now_ns);
}

void subflow_write_join(const struct subflow *subflow, const struct identity *id, bool syn, struct mptcp_options *mp)
{
    if (syn)
        join_proof_write_syn(&subflow->join_proof, id, subflow->local_id, subflow->backup_local, mp);
    else if (subflow->stage == SUBFLOW_PROVING)
        join_proof_write_third(&subflow->join_proof, id, mp);
}

void subflow_write_fail(const struct subflow *subflow, struct mptcp_options *mp)
{
    mp->fail.dsn = subflow->fail_dsn.v;
    mp->present |= 1u << MPTCP_FAIL;
}

void subflow_write_reset(const struct subflow *subflow, struct mptcp_options *mp)
{
    if (subflow->fail_stage) /* RFC 8684 3.7 */
        subflow_write_fail(subflow, mp);
    if (!subflow->reset_with_reason)
        return;
    mp->tcprst = (struct mp_tcprst){.reason = subflow->reset_reason, .transient = !subflow_is_useless(subflow)};
    mp->present |= 1u << MPTCP_TCPRST;
}
