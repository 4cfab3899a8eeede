/* What a subflow has while something of it is under way, and folds away when it has been idle. */
#include <string.h>

#include "tcp/internal.h"

struct hawser_flow *tcp_congestion_see(struct tcp *tcp)
{
    struct tcp_flight *f = tcp->flight;
    const struct tcp_window *w = &tcp->cc;
    f->flow = (struct hawser_flow){
        .policy = w->policy,
        .memory = f->controller,
        .pacing_bps = w->pacing_bps,
        .cwnd_bytes = w->cwnd_bytes,
        .ssthresh_bytes = w->ssthresh_bytes,
        .quantum_bytes = f->flow.quantum_bytes,
        .segment_bytes = tcp->segment_bytes,
        .in_flight_bytes = tcp_in_flight(tcp),
        .in_recovery = f->recovery.active,
        .app_limited = rate_is_limited(&f->rate),
        .has_sack = tcp->sack,
        .delivered_bytes = f->rate.delivered,
        .srtt_ns = tcp->rtt.srtt_ns,
        .min_rtt_ns = tcp->rtt.min_ns,
    };
    memcpy(f->flow.kept, w->kept, sizeof w->kept);
    return &f->flow;
}

void tcp_congestion_obey(struct tcp *tcp)
{
    const struct hawser_flow *flow = &tcp->flight->flow;
    tcp->cc.pacing_bps = flow->pacing_bps;
    tcp->cc.cwnd_bytes = flow->cwnd_bytes;
    tcp->cc.ssthresh_bytes = flow->ssthresh_bytes;
    memcpy(tcp->cc.kept, flow->kept, sizeof flow->kept);
}

void tcp_congestion_begin(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    uint32_t seed = (tcp->config.iss + (uint32_t)tcp->snd_nxt) * UINT32_C(2654435761) + (uint32_t)(now_ns / NS_PER_US);
    f->rate = (struct rate){0};
    f->flow.quantum_bytes = 0;
    cc_resume(tcp_congestion_see(tcp), f->controller, seed, now_ns);
    tcp_congestion_obey(tcp);
    pacing_begin(&f->pacing, cc_initial_window(tcp->segment_bytes));
}

struct tcp_flight *tcp_unfold(struct tcp *tcp, uint64_t now_ns)
{
    if (tcp->flight)
        return tcp->flight;
    struct tcp_flight *f = pool_get(&tcp->host->flights);
    if (!f) {
        count(&tcp->host->counters, COUNT_LIMIT_FLIGHTS);
        return NULL;
    }
    memset(f, 0, sizeof *f);
    struct account *payer = tcp->hooks->payer(tcp, true);
    txq_init(&f->txq, &tcp->host->records, payer);
    f->timers.retransmit = f->timers.probe = f->timers.reorder = f->timers.fold = TIME_NEVER;
    undo_init(&f->undo, payer);
    f->rack.highest_now = tcp->snd_una;
    f->round_end = tcp->snd_nxt;
    f->last_echo = tcp_timestamp(tcp, now_ns) - 1;
    tcp->flight = f;
    tcp_congestion_begin(tcp, now_ns);
    f->search.raise_ns = tcp_raise_due(tcp, now_ns);
    return f;
}

struct tx_record *tcp_append(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp_unfold(tcp, now_ns);
    if (!f)
        return NULL;
    struct tx_record *r = txq_append(&f->txq, tcp->snd_nxt);
    count_n(&tcp->host->counters, COUNT_LIMIT_RECORDS, !r);
    return r;
}

void tcp_fold(struct tcp *tcp)
{
    struct tcp_flight *f = tcp->flight;
    if (!f)
        return;
    cc_fold(tcp_congestion_see(tcp));
    tcp_congestion_obey(tcp);
    txq_destroy(&f->txq);
    undo_destroy(&f->undo);
    pool_put(&tcp->host->flights, f);
    tcp->flight = NULL;
}
