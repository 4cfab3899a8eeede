/* What an acknowledgement does: the scoreboard, the round-trip time, the windows (RFC 9293 3.10.7.4, RFC 2018). */
#include "base/compiler.h"
#include "tcp/internal.h"

static void delivered(struct tcp *tcp, const struct tx_record *record, uint64_t end, struct delivery *d,
                      uint64_t now_ns)
{
    /* RFC 8985 6.2, step 2: an echo older than the last transmission answers an earlier one. */
    bool earlier = record->retransmitted && d->has_echo && end <= tcp->snd_una &&
                   (int32_t)(d->echo - tcp_timestamp(tcp, record->sent_ns)) < 0;
    if (!earlier)
        tcp_rack_delivered(tcp, record, end, now_ns);
    d->resent |= record->retransmitted;
    tcp_path_passes(tcp, record, end);
    rate_delivered(&tcp->flight->rate, &record->stamp, record->sent_ns, end);
    if (record->retransmitted) /* RFC 6298 3 (Karn): what was sent twice tells no round trip */
        return;
    uint64_t rtt_ns = HW_MAX(now_ns - record->sent_ns, 1);
    if (record->sent_ns < tcp->flight->recovery.timed_out_ns)
        d->doubtful_ns = rtt_ns;
    else
        d->rtt_ns = rtt_ns;
}

/* Where the whole wire segments of a record that lie in [start, end) begin and end: who says that he holds half a
 * segment holds none of it, for records must not become smaller than what is sent. */
static struct range whole_segments(const struct tcp *tcp, const struct tx_record *record, uint64_t start, uint64_t end)
{
    uint64_t size = tcp->segment_bytes, span = tx_record_span(record), from = 0, to = span;
    if (start > record->ssn)
        from = (start - record->ssn + size - 1) / size * size;
    if (end < record->ssn + span)
        to = (end - record->ssn) / size * size;
    if ((from && from >= record->len) || (to < span && to >= record->len)) /* a FIN goes with the last segment */
        return (struct range){0, 0};
    return (struct range){record->ssn + from, record->ssn + to};
}

/* The peer holds [start, end). Costs what is new in it: what it is known to hold is not looked at. */
static void sack_range(struct tcp *tcp, uint64_t start, uint64_t end, struct delivery *d, uint64_t now_ns)
{
    struct txq *q = &tcp->flight->txq;
    for (struct tx_record *r; start < end && (r = txq_find_unsacked(q, start)) && r->ssn < end;) {
        const struct range whole = whole_segments(tcp, r, start, end);
        struct tx_record arrived = *r; /* which may be one with others when it is marked */
        start = tx_record_end(r);
        if (whole.start >= whole.end)
            continue;
        if (txq_mark_sacked(q, r, whole.start, whole.end) < 0) { /* which costs only a retransmission */
            count(&tcp->host->counters, COUNT_LIMIT_SACKED);
            continue; /* others may need no new record */
        }
        arrived.len -= (uint32_t)(whole.start - arrived.ssn);
        arrived.ssn = whole.start;
        d->bytes += (uint32_t)(whole.end - whole.start);
        delivered(tcp, &arrived, whole.end, d, now_ns);
    }
}

/* RFC 2883 4: a first block below the cumulative point, or inside of the second one, reports a duplicate. */
static bool is_dsack(const struct tcp *tcp, const struct tcp_segment *segment, struct range first)
{
    const struct tcp_options *o = segment->options;
    if (first.end <= segment->ack || o->sack_count < 2)
        return first.end <= segment->ack;
    return first.start >= tcp_tx_ssn(tcp, o->sack[1].start) && first.end <= tcp_tx_ssn(tcp, o->sack[1].end);
}

static void take_dsack(struct tcp *tcp, struct range twice, struct delivery *d)
{
    const struct tcp_tail_probe *tail = &tcp->flight->tail;
    bool of_probe = tail->end && tail->again && twice.end + tcp->fin_sent >= tail->end;
    d->probe_duplicate |= of_probe;
    if (of_probe)
        return;
    undo_duplicate(&tcp->flight->undo, twice.start, twice.end);
    tcp_rack_note_duplicate(tcp);
}

static void process_sack(struct tcp *tcp, const struct tcp_segment *segment, struct delivery *d, uint64_t now_ns)
{
    const struct tcp_options *o = segment->options;
    if (!tcp->sack || !(o->present & TCP_OPT_SACK))
        return;
    for (unsigned i = 0; i < o->sack_count; i++) {
        uint64_t start = tcp_tx_ssn(tcp, o->sack[i].start), end = tcp_tx_ssn(tcp, o->sack[i].end);
        if (start >= end || end > tcp->snd_nxt)
            continue;
        if (i == 0 && is_dsack(tcp, segment, (struct range){start, end}))
            take_dsack(tcp, (struct range){start, end}, d);
        else if (end > tcp->snd_una)
            sack_range(tcp, HW_MAX(start, tcp->snd_una), end, d, now_ns);
    }
}

static void process_cumulative(struct tcp *tcp, uint64_t ack, struct delivery *d, uint64_t now_ns)
{
    struct txq *q = &tcp->flight->txq;
    const struct delivery sacked = *d;
    d->resent = false;
    d->acked = (uint32_t)(ack - tcp->snd_una);
    tcp->snd_una = ack;
    for (struct tx_record *record; (record = txq_oldest(q)) && tx_record_end(record) <= ack;) {
        if (!record->sacked) {
            d->bytes += tx_record_span(record);
            delivered(tcp, record, tx_record_end(record), d, now_ns);
        }
        txq_pop(q);
    }
    struct tx_record *first = txq_oldest(q);
    if (first && first->ssn < ack) {
        uint32_t part = (uint32_t)(ack - first->ssn);
        if (!first->sacked) {
            d->bytes += part;
            delivered(tcp, first, ack, d, now_ns);
        }
        txq_trim_oldest(q, part);
    }
    if (d->resent) /* Karn again: what the peer held behind a gap waited for what was sent twice */
        d->rtt_ns = sacked.rtt_ns;
    d->resent |= sacked.resent;
    d->advanced = true;
}

bool tcp_echoes_since(const struct tcp *tcp, const struct tcp_segment *segment, uint64_t since_ns)
{
    const struct tcp_options *o = segment->options;
    return tcp->ts.used && o->present & TCP_OPT_TIMESTAMPS && (int32_t)(o->ts_ecr - tcp_timestamp(tcp, since_ns)) >= 0;
}

/* RFC 7323 4.1: the echo tells the round trip even of what was sent twice, to a millisecond. But one that has come
 * before may be an old one, of a peer to which no newer timestamp gets through. */
static uint64_t rtt_by_timestamp(const struct tcp *tcp, const struct delivery *d, uint64_t now_ns)
{
    if (!d->has_echo || (int32_t)(d->echo - tcp->flight->last_echo) <= 0)
        return 0;
    uint32_t ticks = tcp_timestamp(tcp, now_ns) - d->echo;
    return ticks < UINT32_C(1) << 24 ? HW_MAX(ticks, 1u) * NS_PER_MS : 0;
}

static bool echoes_before_timeout(const struct tcp *tcp, const struct delivery *d)
{
    uint64_t timed_out_ns = tcp->flight->recovery.timed_out_ns;
    return timed_out_ns && (int32_t)(d->echo - tcp_timestamp(tcp, timed_out_ns)) < 0;
}

/* What left before a timeout and is acknowledged after it may have been on its way for so long, or have arrived long
 * ago, and the acknowledgement that told so was lost: what a peer has already makes it echo nothing new (RFC 7323 4.3,
 * 5.3). */
static void measure(struct tcp *tcp, const struct delivery *d, uint64_t now_ns)
{
    uint64_t echoed_ns = d->advanced && !d->rtt_ns ? rtt_by_timestamp(tcp, d, now_ns) : 0;
    uint64_t rtt_ns = d->rtt_ns;
    if (echoed_ns && !echoes_before_timeout(tcp, d))
        rtt_ns = echoed_ns;
    if (rtt_ns) {
        rtt_sample(&tcp->rtt, rtt_ns, now_ns);
        tcp->flight->tail.unmeasured = false;
    } else if (echoed_ns || d->doubtful_ns) {
        rtt_doubt(&tcp->rtt, HW_MAX(echoed_ns, d->doubtful_ns));
    }
}

/* How long the peer has left us without progress though its window was open (RFC 9293 3.8.3). Where it is shut that
 * time stands still, for a peer that says so is not gone (RFC 1122 4.2.2.17), but is not forgotten: who opens and shuts
 * his window and acknowledges nothing is no better than who says nothing. */
static void note_window(struct tcp *tcp, bool was_open, bool is_open, uint64_t now_ns)
{
    struct tcp_liveness *l = &tcp->liveness;
    if (was_open && !is_open && l->unanswered_since_ns)
        l->stuck_ns += now_ns - l->unanswered_since_ns;
    if (!is_open)
        l->unanswered_since_ns = 0;
    if (was_open || !is_open || tcp_txq(tcp)->count == 0)
        return;
    if (l->unanswered_since_ns == 0)
        l->unanswered_since_ns = now_ns;
    if (l->stuck_ns || tcp->flight->timeouts == 0)
        return;
    tcp->rtt.backoff = tcp->flight->timeouts = 0; /* it threw away what came meanwhile */
    tcp_arm_retransmit(tcp, now_ns);
}

/* RFC 9293 3.10.7.4: the window of the newest segment counts. What acknowledges more is newer, whatever its number: a
 * retransmission has an old one, and the window counts from there. Of the others the numbers tell; but one that
 * somebody forged ahead of the stream would make all that the peer says look old. So an answer counts, too, once we had
 * to ask. */
static void update_window(struct tcp *tcp, const struct tcp_segment *segment, bool advances, uint64_t now_ns)
{
    bool asked = tcp->liveness.unanswered_since_ns != 0;
    if (segment->ssn < tcp->snd_wl1 && !advances && !asked)
        return;
    uint8_t scale = segment->header.flags & TCP_SYN ? 0 : tcp->snd_wscale;
    uint32_t before = tcp->snd_wnd;
    tcp->snd_wnd = (uint32_t)segment->header.window << scale;
    tcp->snd_wnd_max = HW_MAX(tcp->snd_wnd_max, tcp->snd_wnd);
    tcp->snd_wl1 = HW_MAX(tcp->snd_wl1, segment->ssn);
    note_window(tcp, before > 0, tcp->snd_wnd > 0, now_ns);
}

static void note_progress(struct tcp *tcp)
{
    tcp->liveness.unanswered_since_ns = 0;
    tcp->liveness.stuck_ns = 0;
    tcp->config.path.icmp_error = 0;
}

static void note_echo(struct tcp_flight *f, const struct delivery *d)
{
    if (d->has_echo && d->advanced && (int32_t)(d->echo - f->last_echo) > 0)
        f->last_echo = d->echo;
}

/* Of something that is under way, or was a moment ago. */
static void process_delivery(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    struct delivery d = {
        .flight = tcp_in_flight(tcp),
        .outstanding = (uint32_t)(tcp->snd_nxt - tcp->snd_una),
        .echo = segment->options->ts_ecr,
        .duplicate_ack = tcp_is_duplicate_ack(tcp, segment),
    };
    d.has_echo = tcp->ts.used && segment->options->present & TCP_OPT_TIMESTAMPS && d.echo;
    bool news = segment->ack >= tcp->snd_una; /* or it was overtaken, and says what the peer held and had twice */
    bool limited = tcp->snd_una <= f->limited_until, fast = f->recovery.active && !f->recovery.timed_out_ns;
    tcp_rack_begin_ack(tcp);
    tcp_congestion_look(tcp);
    process_sack(tcp, segment, &d, now_ns);
    if (segment->ack > tcp->snd_una)
        process_cumulative(tcp, segment->ack, &d, now_ns);
    if (news)
        update_window(tcp, segment, d.advanced, now_ns);
    if (d.bytes)
        measure(tcp, &d, now_ns);
    note_echo(f, &d);
    if (d.advanced)
        f->timeouts = 0;
    if (d.bytes || (news && f->txq.count == 0))
        note_progress(tcp);
    tcp_path_settle(tcp, now_ns);
    tcp_congestion_settle(tcp, &d, now_ns);
    tcp_recovery_on_ack(tcp, &d, now_ns);
    if (fast) /* RFC 5681 3.2: what ends fast recovery leaves the window where that put it */
        d.acked = 0;
    tcp_congestion_on_ack(tcp, &d, limited, now_ns);
    f->asked = false;
    if (d.advanced) { /* RFC 6298 5.3 */
        tcp_arm_retransmit(tcp, now_ns);
        tcp_arm_probe(tcp, now_ns);
    } else if (d.bytes) { /* and what is known of now needs no probe */
        f->timers.probe = TIME_NEVER;
    }
    if (d.advanced && f->alive_pending) {
        f->alive_pending = false;
        tcp->hooks->event(tcp, TCP_EVENT_ALIVE, now_ns);
    }
}

void tcp_process_ack(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns)
{
    if (segment->ack < tcp->snd_una && !(tcp->flight && segment->options->present & TCP_OPT_SACK))
        return;
    if (tcp->flight) {
        process_delivery(tcp, segment, now_ns);
    } else {
        update_window(tcp, segment, false, now_ns);
        note_progress(tcp);
    }
    tcp->hooks->wake(tcp);
}
