/* Peers without SACK: duplicate acknowledgements (RFC 5681 3.2), and partial ones (NewReno, RFC 6582). Each duplicate
 * says that a segment arrived, which one nobody knows: it is no longer under way, and so a new one may leave (limited
 * transmit, RFC 3042). */
#include "base/compiler.h"
#include "tcp/internal.h"

#define DUP_THRESHOLD 3u

bool tcp_is_duplicate_ack(const struct tcp *tcp, const struct tcp_segment *s)
{
    bool bare = s->payload.len == 0 && !(s->header.flags & (TCP_SYN | TCP_FIN | TCP_RST));
    bool signals = s->options->mp.present & ~(1u << MPTCP_DSS);
    return bare && !signals && !(s->options->present & TCP_OPT_SACK) && s->ack == tcp->snd_una &&
           (uint32_t)s->header.window << tcp->snd_wscale == tcp->snd_wnd;
}

/* The oldest segment is missing. */
static void lose_oldest(struct tcp *tcp, uint64_t now_ns)
{
    struct txq *q = &tcp->flight->txq;
    struct tx_record *oldest = txq_oldest(q);
    if (!oldest || oldest->lost)
        return;
    if (oldest->len > tcp->segment_bytes) /* without memory: all of it */
        (void)txq_split(q, oldest, oldest->ssn + tcp->segment_bytes);
    txq_mark_lost(q, oldest);
    tcp_congestion_on_lost(tcp, oldest, now_ns);
}

/* A segment arrived behind the oldest one, which is still missing. */
static uint32_t note_arrival(struct tcp *tcp)
{
    struct tcp_duplicates *dup = &tcp->flight->duplicates;
    uint64_t behind = tcp->snd_nxt - tcp->snd_una - dup->bytes;
    behind -= HW_MIN(behind, (uint64_t)tcp->segment_bytes);
    uint32_t arrived = (uint32_t)HW_MIN(behind, (uint64_t)tcp->segment_bytes);
    dup->bytes += arrived;
    dup->count++;
    return arrived;
}

enum dupack_verdict tcp_take_duplicates(struct tcp *tcp, struct delivery *d, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    struct tcp_duplicates *dup = &f->duplicates;
    const struct tcp_recovery *r = &f->recovery;
    if (tcp->sack || (r->active && r->timed_out_ns))
        return DUPACK_NOTHING;
    if (d->advanced) {
        d->bytes -= HW_MIN(d->bytes, dup->bytes); /* they were told of before */
        *dup = (struct tcp_duplicates){0};
        if (r->active)
            lose_oldest(tcp, now_ns);
        return r->active ? DUPACK_NEXT_HOLE : DUPACK_NOTHING;
    }
    if (!d->duplicate_ack || f->txq.count == 0 || tcp->snd_una < r->careful_until)
        return DUPACK_NOTHING;
    d->bytes = note_arrival(tcp);
    if (r->active || dup->count != DUP_THRESHOLD)
        return DUPACK_NOTHING;
    lose_oldest(tcp, now_ns);
    return DUPACK_LOSS;
}
