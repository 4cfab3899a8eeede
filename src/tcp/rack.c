/* What is lost, by time (RACK, RFC 8985 6). */
#include "base/compiler.h"
#include "tcp/internal.h"

/* RFC 8985 3.1: as many segments sacked as three duplicate acknowledgements would have told. */
#define DUP_THRESHOLD UINT64_C(3)
/* RFC 8985 6.2, step 4: recoveries without duplicates after which the reordering window is what it was at first. */
#define WIDE_FOR_RECOVERIES 16u

void tcp_rack_begin_ack(struct tcp *tcp)
{
    struct tcp_rack *r = &tcp->flight->rack;
    r->highest = r->highest_now;
}

/* RFC 8985 6.2, steps 1 to 3. What one acknowledgement brings, in whatever order, has not overtaken each other. */
void tcp_rack_delivered(struct tcp *tcp, const struct tx_record *record, uint64_t end, uint64_t now_ns)
{
    struct tcp_rack *r = &tcp->flight->rack;
    uint64_t rtt = now_ns - record->sent_ns;
    if (!record->retransmitted && end < r->highest && !tcp->reordering.seen) {
        tcp->reordering.seen = true;
        count(&tcp->host->counters, COUNT_TCP_REORDERINGS);
    }
    r->highest_now = HW_MAX(r->highest_now, end);
    if (record->retransmitted && rtt < tcp->rtt.min_ns)
        return; /* more likely an answer to the first transmission */
    r->rtt_ns = rtt;
    if (record->sent_ns > r->sent_ns || (record->sent_ns == r->sent_ns && end > r->end)) {
        r->sent_ns = record->sent_ns;
        r->end = end;
    }
}

void tcp_rack_note_duplicate(struct tcp *tcp)
{
    struct tcp_rack *r = &tcp->flight->rack;
    struct tcp_reordering *reordering = &tcp->reordering;
    if (r->widened_until > tcp->snd_una)
        return; /* once a round trip */
    r->widened_until = tcp->snd_nxt;
    if (reordering->widened < UINT8_MAX)
        reordering->widened++;
    reordering->recoveries_left = WIDE_FOR_RECOVERIES;
}

void tcp_rack_recovered(struct tcp *tcp)
{
    struct tcp_reordering *reordering = &tcp->reordering;
    if (reordering->recoveries_left && --reordering->recoveries_left == 0)
        reordering->widened = 0;
}

/* How much later than its successors a record may arrive without being deemed lost (RFC 8985 6.2, step 4). */
static uint64_t reordering_window(const struct tcp *tcp)
{
    const struct tcp_flight *f = tcp->flight;
    if (!tcp->reordering.seen && (f->recovery.active || f->txq.sacked_bytes >= DUP_THRESHOLD * tcp->segment_bytes))
        return 0;
    return HW_MIN((tcp->reordering.widened + UINT64_C(1)) * tcp->rtt.min_ns / 4, tcp->rtt.srtt_ns);
}

/* RFC 8985 6.2, step 5. The `sent` list is in order of transmission, so the walk ends at the first record that is too
 * young: its length is what is newly judged. */
struct rack_verdict tcp_rack_judge(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_rack *r = &tcp->flight->rack;
    struct rack_verdict verdict = {0};
    if (r->sent_ns == 0 || !tcp->sack)
        return verdict;
    uint64_t patience = r->rtt_ns + reordering_window(tcp), wait_until = 0;
    LIST_EACH (node, &tcp->flight->txq.sent) {
        struct tx_record *record = LIST_ENTRY(node, struct tx_record, link);
        if (record->sent_ns > r->sent_ns || (record->sent_ns == r->sent_ns && tx_record_end(record) > r->end))
            break;
        if (record->sent_ns + patience > now_ns) {
            wait_until = r->sent_ns + patience; /* by then all that left before are late */
            break;
        }
        txq_mark_lost(&tcp->flight->txq, record);
        verdict.probe_lost |= record->probe;
        verdict.lost |= !record->probe; /* RFC 4821 7.5: that is no sign of congestion */
        if (!record->probe)
            tcp_congestion_on_lost(tcp, record, now_ns);
    }
    tcp->flight->timers.reorder = wait_until ? wait_until : TIME_NEVER;
    return verdict;
}
