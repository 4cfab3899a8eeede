/* Episodes of recovery: when one begins, how much may leave while it lasts, when it ends, and whether it was for
 * nothing. What is lost `rack.c` and `dupack.c` say, how much leaves `prr.c`. */
#include "base/compiler.h"
#include "tcp/internal.h"

void tcp_recovery_on_retransmit(struct tcp *tcp, const struct tx_record *record, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    if (f->recovery.active)
        undo_resent(&f->undo, record->ssn, tx_record_end(record), tcp->snd_una, tcp->ts.used,
                    tcp_timestamp(tcp, now_ns));
    if (record->ssn <= tcp->snd_una) /* RFC 6675 6: what all others wait for has its time once more */
        tcp_arm_retransmit(tcp, now_ns);
}

static void end_episode(struct tcp *tcp)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    if (r->timed_out_ns) /* RFC 6582 3.2: what was sent again for nothing draws duplicates, too */
        r->careful_until = r->point + 1;
    r->active = false;
    r->timed_out_ns = 0;
    tcp_rack_recovered(tcp);
    tcp_congestion_recovered(tcp);
}

/* The controller is about to reduce its window. What was taken back once is not before a round trip is over: each time
 * costs all that is under way, and a peer could have it so with every acknowledgement. */
static void watch_for_undo(struct tcp *tcp)
{
    struct tcp_flight *f = tcp->flight;
    undo_watch(&f->undo);
    if (tcp->snd_una < f->recovery.undone_until)
        f->undo.possible = false;
}

/* RFC 4015, RFC 9438 4.9: nothing was lost, only late. What waits to be sent again need not be. */
static void undo_if_spurious(struct tcp *tcp, const struct delivery *d)
{
    struct tcp_flight *f = tcp->flight;
    if (!undo_is_due(&f->undo, tcp->snd_una, d->has_echo, d->echo))
        return;
    count(&tcp->host->counters, COUNT_TCP_SPURIOUS);
    f->recovery.undone_until = tcp->snd_nxt;
    tcp_congestion_undo(tcp);
    if (!f->recovery.active)
        return;
    if (!f->recovery.timed_out_ns)
        tcp->reordering.seen = true;
    end_episode(tcp);
    txq_unmark_lost(&f->txq);
}

/* RFC 5681 3.1, equation 4: the controller goes by all that is outstanding, what the peer holds beyond a gap included.
 */
static void enter_recovery(struct tcp *tcp, uint32_t outstanding, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    struct tcp_recovery *r = &f->recovery;
    count(&tcp->host->counters, COUNT_TCP_RECOVERIES);
    tcp_path_is_congested(tcp);
    r->active = true;
    r->timed_out_ns = 0;
    r->point = tcp->snd_nxt;
    prr_begin(&f->prr, outstanding);
    f->tail.end = 0;
    watch_for_undo(tcp);
    tcp_congestion_on_loss(tcp, outstanding, now_ns);
    /* The first retransmission goes out at once, whatever the pipe holds. */
    r->cwnd = tcp_in_flight(tcp) + tcp->segment_bytes;
}

void tcp_detect_loss(struct tcp *tcp, uint64_t now_ns)
{
    struct rack_verdict verdict = tcp_rack_judge(tcp, now_ns);
    if (verdict.probe_lost) {
        tcp_path_refuses(tcp, now_ns);
        tcp_path_was_narrow(tcp);
    }
    if (verdict.lost && !tcp->flight->recovery.active)
        enter_recovery(tcp, (uint32_t)(tcp->snd_nxt - tcp->snd_una), now_ns);
}

static void reduce_rate(struct tcp *tcp, const struct delivery *d, bool next_hole)
{
    struct tcp_flight *f = tcp->flight;
    uint32_t pipe = tcp_in_flight(tcp);
    uint32_t allowance = prr_allowance(&f->prr, d->bytes, pipe, tcp->cc.ssthresh_bytes, tcp->segment_bytes);
    f->recovery.cwnd = pipe + (next_hole ? HW_MAX(allowance, tcp->segment_bytes) : allowance);
}

void tcp_recovery_on_ack(struct tcp *tcp, struct delivery *d, uint64_t now_ns)
{
    struct tcp_recovery *r = &tcp->flight->recovery;
    undo_if_spurious(tcp, d);
    if (tcp_tail_probe_repaired(tcp, d)) { /* RFC 8985 7.4.2 */
        tcp_path_is_congested(tcp);
        tcp_congestion_on_loss(tcp, d->outstanding, now_ns);
    }
    if (r->active && tcp->snd_una >= r->point)
        end_episode(tcp);
    enum dupack_verdict duplicates = tcp_take_duplicates(tcp, d, now_ns);
    if (duplicates == DUPACK_LOSS)
        enter_recovery(tcp, d->outstanding, now_ns);
    if (d->bytes || r->active)
        tcp_detect_loss(tcp, now_ns);
    if (r->active && !r->timed_out_ns)
        reduce_rate(tcp, d, duplicates == DUPACK_NEXT_HOLE);
}

void tcp_recovery_on_timeout(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    struct tcp_recovery *r = &f->recovery;
    const struct tx_record *oldest = txq_oldest(&f->txq);
    uint32_t flight = tcp_in_flight(tcp);
    bool first = f->timeouts == 0 && tcp->state >= TCPS_ESTABLISHED;
    txq_mark_all_lost(&f->txq, oldest && oldest->sacked);
    if (first)
        watch_for_undo(tcp);
    tcp_congestion_on_timeout(tcp, flight, first, now_ns);
    r->active = true;
    r->timed_out_ns = now_ns;
    r->point = tcp->snd_nxt;
    f->tail = (struct tcp_tail_probe){0};
    f->duplicates = (struct tcp_duplicates){0};
    f->timers.reorder = f->timers.probe = TIME_NEVER;
}
