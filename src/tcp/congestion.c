/* What the controller of a subflow is told (hawser/congestion.h), and what it makes of pacing. */
#include "tcp/internal.h"

#define SIBLINGS_MAX 16
#define BITS_PER_BYTE 8
/* A super-segment; and where a link takes none, what need not wait for a timer each. */
#define QUANTUM_MAX 65000u

/* draft-ietf-ccwg-bbr 4.1.2.4: nothing kept it from sending more but that there was no more. That is so only if the
 * layer above was asked since there was room. */
void tcp_congestion_look(struct tcp *tcp)
{
    struct tcp_flight *f = tcp->flight;
    uint64_t edge = tcp_window_edge(tcp);
    bool window = edge >= tcp->snd_nxt + tcp->segment_bytes;
    bool room = tcp_cwnd_room(tcp) >= tcp->segment_bytes && f->pacing.due_ns == TIME_NEVER;
    if (f->asked && window && room && f->txq.lost_bytes == 0)
        rate_mark_limited(&f->rate, tcp_in_flight(tcp));
}

void tcp_congestion_settle(struct tcp *tcp, const struct delivery *d, uint64_t now_ns)
{
    rate_settle(&tcp->flight->rate, d->bytes, now_ns);
}

void tcp_congestion_on_ack(struct tcp *tcp, const struct delivery *d, bool limited, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    struct hawser_sibling siblings[SIBLINGS_MAX];
    struct hawser_ack ack = {
        .now_ns = now_ns,
        .rate = rate_take(&f->rate, tcp->rtt.min_ns, now_ns),
        .acked_bytes = d->acked,
        .cwnd_limited = limited,
        .siblings = siblings,
    };
    bool tell = !f->recovery.active || f->recovery.timed_out_ns || tcp->cc.policy->rules_recovery;
    if (d->bytes == 0 || !tell)
        return;
    ack.sibling_count = tcp->hooks->siblings(tcp, siblings, SIBLINGS_MAX);
    ack.rate.prior_in_flight_bytes = d->flight;
    ack.rate.newly_acked_bytes = d->bytes;
    ack.rate.rtt_ns = d->rtt_ns;
    if (tcp->snd_una > f->round_end) {
        ack.round_start = true;
        f->round_end = tcp->snd_nxt;
    }
    cc_on_ack(tcp_congestion_see(tcp), &ack);
    tcp_congestion_obey(tcp);
}

void tcp_congestion_on_lost(struct tcp *tcp, const struct tx_record *record, uint64_t now_ns)
{
    struct rate *rate = &tcp->flight->rate;
    rate_lost(rate, tx_record_span(record));
    struct hawser_loss loss = {
        .now_ns = now_ns,
        .lost_bytes = (uint32_t)((uint32_t)rate->lost - record->stamp.lost),
        .prior_in_flight_bytes = tcp_in_flight(tcp) + tx_record_span(record),
        .size_bytes = record->len,
        .tx_in_flight_bytes = record->stamp.tx_in_flight,
        .is_app_limited = record->stamp.app_limited,
    };
    cc_on_lost(tcp_congestion_see(tcp), &loss);
    tcp_congestion_obey(tcp);
}

void tcp_congestion_on_loss(struct tcp *tcp, uint32_t outstanding, uint64_t now_ns)
{
    struct hawser_loss loss = {
        .now_ns = now_ns, .lost_bytes = tcp->flight->txq.lost_bytes, .prior_in_flight_bytes = outstanding};
    cc_on_loss(tcp_congestion_see(tcp), &loss);
    tcp_congestion_obey(tcp);
}

void tcp_congestion_on_timeout(struct tcp *tcp, uint32_t flight, bool first, uint64_t now_ns)
{
    struct hawser_loss loss = {.now_ns = now_ns,
                               .lost_bytes = tcp->flight->txq.lost_bytes,
                               .prior_in_flight_bytes = (uint32_t)(tcp->snd_nxt - tcp->snd_una)};
    rate_lost(&tcp->flight->rate, flight); /* what was deemed lost before is counted */
    if (!first)
        return;
    cc_on_timeout(tcp_congestion_see(tcp), &loss);
    tcp_congestion_obey(tcp);
}

void tcp_congestion_recovered(struct tcp *tcp)
{
    cc_on_recovery_end(tcp_congestion_see(tcp));
    tcp_congestion_obey(tcp);
}

void tcp_congestion_undo(struct tcp *tcp)
{
    cc_undo(tcp_congestion_see(tcp));
    tcp_congestion_obey(tcp);
}

void tcp_congestion_restart(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    cc_restart(tcp_congestion_see(tcp), now_ns - f->last_data_ns, now_ns);
    tcp_congestion_obey(tcp);
    f->pacing.burst = tcp->cc.pacing_bps ? 0 : cc_initial_window(tcp->segment_bytes); /* a model knows the rate */
}

/* ---- when it may leave ---- */

static uint64_t rate_now(const struct tcp *tcp)
{
    const struct tcp_window *cc = &tcp->cc;
    if (cc->pacing_bps)
        return HW_MAX(cc->pacing_bps / BITS_PER_BYTE, 1);
    return pacing_rate(cc->cwnd_bytes, cc->ssthresh_bytes, tcp->rtt.srtt_ns);
}

void tcp_begin_turn(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    if (!f)
        return;
    uint64_t rate = rate_now(tcp);
    uint32_t quantum = pacing_quantum(rate, tcp->segment_bytes, QUANTUM_MAX, tcp->rtt.min_ns);
    if (f->flow.quantum_bytes)
        quantum = HW_MAX(HW_MIN(f->flow.quantum_bytes, QUANTUM_MAX), tcp->segment_bytes);
    pacing_look(&f->pacing, rate, quantum, now_ns);
    f->asked = true;
}

void tcp_congestion_on_sent(struct tcp *tcp, struct tx_record *record, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    uint32_t span = tx_record_span(record);
    rate_sent(&f->rate, &record->stamp, tcp_in_flight(tcp), span, now_ns);
    if (record->len)
        pacing_sent(&f->pacing, rate_now(tcp), record->len, tcp->segment_bytes, now_ns);
}
