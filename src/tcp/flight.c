/* What a subflow has while something of it is under way, and folds away when it has been idle. */
#include <string.h>

#include "tcp/internal.h"

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
    cc_resume(&tcp->cc, f->cc);
    tcp->flight = f;
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
    cc_fold(&tcp->cc);
    txq_destroy(&f->txq);
    undo_destroy(&f->undo);
    pool_put(&tcp->host->flights, f);
    tcp->flight = NULL;
}
