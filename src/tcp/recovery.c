/* Loss detection by time (RACK-TLP, RFC 8985) and the rate of recovery (PRR, RFC 6937). */
#include "base/compiler.h"
#include "tcp/internal.h"

/* RFC 8985 3.1: as many segments sacked as three duplicate acknowledgements would have told. */
#define DUP_THRESHOLD UINT64_C(3)

/* RFC 8985 6.2, steps 1 to 3. */
void tcp_rack_delivered(struct tcp *tcp, const struct tx_record *record, uint64_t end, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    uint64_t rtt = now_ns - record->sent_ns;
    if (!record->retransmitted && end < r->highest_delivered && !tcp->reorders) {
        tcp->reorders = true;
        count(&tcp->host->counters, COUNT_TCP_REORDERINGS);
    }
    r->highest_delivered = HW_MAX(r->highest_delivered, end);
    if (record->retransmitted && rtt < tcp->rtt.min_ns)
        return; /* more likely an answer to the first transmission */
    r->rack_rtt_ns = rtt;
    if (record->sent_ns > r->rack_sent_ns || (record->sent_ns == r->rack_sent_ns && end > r->rack_end)) {
        r->rack_sent_ns = record->sent_ns;
        r->rack_end = end;
    }
}

/* How much later than its successors a record may arrive without being deemed lost (RFC 8985 6.2, step 4). */
static uint64_t reordering_window(const struct tcp *tcp)
{
    if (!tcp->reorders &&
        (tcp->flight->recovery.active || tcp->flight->txq.sacked_bytes >= DUP_THRESHOLD * tcp->segment_bytes))
        return 0;
    return HW_MIN(tcp->rtt.min_ns / 4, tcp->rtt.srtt_ns);
}

/* The controller is about to reduce its window: remember how to tell that it need not have. */
static void watch_for_undo(struct tcp *tcp)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    r->undo_possible = true;
    r->echo_awaited = r->resent = false;
    r->unneeded_bytes = 0;
    iset_clear(&r->again);
}

void tcp_recovery_on_retransmit(struct tcp *tcp, const struct tx_record *record, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    if (!r->undo_possible || !r->active)
        return;
    r->unneeded_bytes += tx_record_span(record);
    (void)iset_add(&r->again, record->ssn, tx_record_end(record)); /* full: then it counts as needed */
    if (!r->resent && tcp->ts.used) {
        r->first_ts = tcp_timestamp(tcp, now_ns);
        r->echo_awaited = true;
    }
    r->resent = true;
}

/* Only what was sent again can have come twice by our doing, and is reported once. */
void tcp_recovery_on_duplicate(struct tcp *tcp, uint64_t start, uint64_t end)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    const struct range *range = iset_find(&r->again, start);
    if (r->probe_end || !range || range->start > start || range->end < end)
        return;
    if (iset_remove(&r->again, start, end) == 0)
        r->unneeded_bytes -= end - start;
}

static bool was_spurious(struct tcp *tcp, const struct delivery *d)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    if (!r->undo_possible || !r->resent)
        return false;
    if (r->unneeded_bytes == 0)
        return true;
    if (!d->advanced || !r->echo_awaited)
        return false;
    r->echo_awaited = false; /* RFC 3522 3.2: the first one decides */
    return r->active && d->resent && d->has_echo && (int32_t)(d->echo - r->first_ts) < 0;
}

static void end_episode(struct tcp *tcp)
{
    tcp->flight->recovery.active = false;
    tcp->flight->recovery.timed_out_ns = 0;
    tcp_congestion_recovered(tcp);
}

/* RFC 4015, RFC 9438 4.9: nothing was lost, only late. What waits to be sent again need not be. */
static void undo_if_spurious(struct tcp *tcp, const struct delivery *d)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    if (!was_spurious(tcp, d))
        return;
    count(&tcp->host->counters, COUNT_TCP_SPURIOUS);
    r->undo_possible = false;
    cc_undo(&tcp->cc);
    if (!r->active)
        return;
    if (!r->timed_out_ns)
        tcp->reorders = true;
    end_episode(tcp);
    txq_unmark_lost(&tcp->flight->txq);
}

static void enter_recovery(struct tcp *tcp, uint32_t flight, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    count(&tcp->host->counters, COUNT_TCP_RECOVERIES);
    tcp_path_is_congested(tcp);
    r->active = true;
    r->timed_out_ns = 0;
    r->point = tcp->snd_nxt;
    r->prr_delivered = r->prr_out = 0;
    r->recover_flight = HW_MAX(flight, tcp->segment_bytes);
    r->probe_end = 0;
    watch_for_undo(tcp);
    tcp_congestion_on_loss(tcp, flight, now_ns);
    /* The first retransmission goes out at once, whatever the pipe holds. */
    r->cwnd = tcp_in_flight(tcp) + tcp->segment_bytes;
}

/* RFC 8985 6.2, step 5. The `sent` list is in order of transmission, so the walk ends at the first record that is too
 * young: its length is what is newly judged. */
void tcp_detect_loss(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    if (r->rack_sent_ns == 0)
        return;
    uint32_t flight = tcp_in_flight(tcp);
    uint64_t patience = r->rack_rtt_ns + reordering_window(tcp), wait_until = 0;
    bool lost_any = false, refused = false;
    LIST_EACH (node, &tcp->flight->txq.sent) {
        struct tx_record *record = LIST_ENTRY(node, struct tx_record, link);
        if (record->sent_ns > r->rack_sent_ns ||
            (record->sent_ns == r->rack_sent_ns && tx_record_end(record) > r->rack_end))
            break;
        if (record->sent_ns + patience > now_ns) {
            wait_until = r->rack_sent_ns + patience; /* by then all that left before are late */
            break;
        }
        txq_mark_lost(&tcp->flight->txq, record);
        refused |= record->probe;
        lost_any |= !record->probe; /* RFC 4821 7.5: that is no sign of congestion */
        if (!record->probe)
            tcp_congestion_on_lost(tcp, record, now_ns);
    }
    tcp->flight->timers.reorder = wait_until ? wait_until : TIME_NEVER;
    if (refused) {
        tcp_path_refuses(tcp, now_ns);
        tcp_path_was_narrow(tcp);
    }
    if (lost_any && !r->active)
        enter_recovery(tcp, flight, now_ns);
}

static void prr_update(struct tcp *tcp, uint32_t delivered)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    uint32_t pipe = tcp_in_flight(tcp), allowance;
    r->prr_delivered += delivered;
    if (pipe > tcp->cc.ssthresh_bytes) {
        uint64_t target = (r->prr_delivered * tcp->cc.ssthresh_bytes + r->recover_flight - 1) / r->recover_flight;
        allowance = target > r->prr_out ? (uint32_t)(target - r->prr_out) : 0;
    } else { /* slow start reduction bound */
        uint64_t behind = r->prr_delivered > r->prr_out ? r->prr_delivered - r->prr_out : 0;
        uint64_t limit = HW_MAX(behind, delivered) + tcp->segment_bytes;
        allowance = (uint32_t)HW_MIN(tcp->cc.ssthresh_bytes - pipe, limit);
    }
    if (r->prr_out == 0)
        allowance = HW_MAX(allowance, tcp->segment_bytes);
    r->cwnd = pipe + allowance;
}

/* RFC 8985 7.4: the probe was acknowledged and no duplicate was reported, so the probe repaired a loss. */
static void check_probe(struct tcp *tcp, const struct delivery *delivery, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    if (r->probe_end == 0 || tcp->snd_una < r->probe_end)
        return;
    r->probe_end = 0;
    if (delivery->duplicate || r->active)
        return;
    tcp_path_is_congested(tcp);
    tcp_congestion_on_loss(tcp, delivery->flight, now_ns);
}

void tcp_recovery_on_ack(struct tcp *tcp, const struct delivery *delivery, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    undo_if_spurious(tcp, delivery);
    check_probe(tcp, delivery, now_ns);
    if (r->active && tcp->snd_una >= r->point)
        end_episode(tcp);
    if (delivery->bytes || r->active)
        tcp_detect_loss(tcp, now_ns);
    if (r->active && !r->timed_out_ns)
        prr_update(tcp, delivery->bytes);
}

void tcp_recovery_on_timeout(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    uint32_t flight = tcp_in_flight(tcp);
    const struct tx_record *oldest = txq_oldest(&tcp->flight->txq);
    txq_mark_all_lost(&tcp->flight->txq, oldest && oldest->sacked);
    bool first = tcp->rtt.backoff == 0 && tcp->state >= TCPS_ESTABLISHED;
    if (first)
        watch_for_undo(tcp);
    tcp_congestion_on_timeout(tcp, flight, first, now_ns);
    r->active = true;
    r->timed_out_ns = now_ns;
    r->point = tcp->snd_nxt;
    r->probe_end = 0;
    tcp->flight->timers.reorder = tcp->flight->timers.probe = TIME_NEVER;
}
