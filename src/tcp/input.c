/* Arrival of a segment: the checks of RFC 9293 3.10.7 and RFC 5961, then acknowledgement, payload and FIN. */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/internal.h"

/* RFC 7323 5.5: a timestamp older than this says nothing. */
#define PAWS_STALE_S (24 * 3600u)
/* Of the peer's clock, whose ticks are a millisecond long or longer. */
#define OVERTAKEN_TICKS_MAX 50u

/* The least that is full, where it may be less than that for want of data: a packet of 576 bytes with all options. */
#define FULL_WITH_OPTIONS (TCP_FULL_BYTES - TCP_OPTION_SPACE)
/* Segments in a row after which the largest of them is full, however large one was before. */
#define LESSER_MAX 16

static uint32_t segment_span(const struct tcp_segment *s)
{
    return s->payload.len + !!(s->header.flags & TCP_SYN) + !!(s->header.flags & TCP_FIN);
}

/* RFC 5961 7: challenge acknowledgements are rationed. */
static void challenge(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_rations *r = tcp_rations_now(tcp, now_ns);
    if (r->challenges == 0)
        return;
    r->challenges--;
    count(&tcp->host->counters, COUNT_TCP_CHALLENGE_ACK);
    tcp_ack_now(tcp);
}

/* RFC 9293 3.10.7.4: a peer whose numbers are not ours is told where we are; not as often as anybody likes. */
static void answer_repeat(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_rations *r = tcp_rations_now(tcp, now_ns);
    if (r->repeats == 0) {
        count(&tcp->host->counters, COUNT_LIMIT_REPEATS);
        return;
    }
    r->repeats--;
    tcp_ack_now(tcp);
}

/* RFC 9293 3.8.4, 3.8.6.1. False: there were many. */
static bool answer_keepalive(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_rations *r = tcp_rations_now(tcp, now_ns);
    if (r->keepalives == 0) {
        count(&tcp->host->counters, COUNT_LIMIT_KEEPALIVES);
        return false;
    }
    r->keepalives--;
    tcp_ack_now(tcp);
    return true;
}

/* RFC 7323 5.3, 5.5: is it from before the last one, while that says anything? */
static bool is_old(const struct tcp *tcp, uint32_t ts_val, uint64_t now_ns)
{
    return (int32_t)(ts_val - tcp->ts.recent) < 0 && (uint32_t)(now_ns / NS_PER_S) - tcp->ts.recent_at_s < PAWS_STALE_S;
}

/* Others overtook it on the way, as a retransmission does, which moves the left edge and our idea of the peer's time.
 * RFC 7323 5.3 would have it dropped, and so sent again; but it is no duplicate from before the numbers wrapped, for
 * which so short a time is enough at 170 Gbit/s only. */
static bool is_overtaken(const struct tcp *tcp, const struct tcp_segment *s)
{
    uint32_t age = tcp->ts.recent - s->options->ts_val;
    return age <= OVERTAKEN_TICKS_MAX && age * NS_PER_MS <= rtt_rto(&tcp->rtt);
}

/* Protection against wrapped sequence numbers. */
static bool paws_rejects(const struct tcp *tcp, const struct tcp_segment *s, uint64_t now_ns)
{
    if (!tcp->ts.used || !(s->options->present & TCP_OPT_TIMESTAMPS) || s->header.flags & TCP_RST)
        return false;
    return is_old(tcp, s->options->ts_val, now_ns) && !is_overtaken(tcp, s);
}

static void remember_timestamp(struct tcp *tcp, const struct tcp_segment *s, uint64_t now_ns)
{
    if (!tcp->ts.used || !(s->options->present & TCP_OPT_TIMESTAMPS))
        return;
    /* RFC 7323 4.3: of the segment that begins at or before what we acknowledged last. */
    if (!is_old(tcp, s->options->ts_val, now_ns) && s->ssn <= tcp->acking.last_sent) {
        tcp->ts.recent = s->options->ts_val;
        tcp->ts.recent_at_s = (uint32_t)(now_ns / NS_PER_S);
    }
}

/* RFC 9293 3.4, with the widest window ever offered: data that other subflows delivered may have moved the shared edge
 * in the meantime (RFC 8684 3.3.4). */
static bool in_window(const struct tcp *tcp, const struct tcp_segment *s)
{
    uint64_t edge = HW_MAX(tcp->rcv_edge, tcp->rx.next), end = s->ssn + segment_span(s);
    if (s->ssn == end) /* 3.10.7.4: at a shut window there is special allowance: the peer may have probed with a byte */
        return s->ssn >= tcp->rx.next && s->ssn <= edge + (edge == tcp->rx.next);
    return s->ssn <= edge && end > tcp->rx.next;
}

/* RFC 5961 3.2: only the exact next number resets; one inside the window is challenged, as anybody may have guessed it.
 */
static void handle_reset(struct tcp *tcp, const struct tcp_segment *s, uint64_t now_ns)
{
    if (s->ssn != tcp->rx.next && !s->authentic) {
        count(&tcp->host->counters, COUNT_DROP_BAD_RST);
        challenge(tcp, now_ns);
        return;
    }
    count(&tcp->host->counters, COUNT_TCP_RESETS_IN);
    bool gone = !tcp->hooks->segment(tcp, s, now_ns) && tcp->state == TCPS_CLOSED;
    tcp->reset_wanted = false; /* nor is it answered by one, whatever it carried */
    if (gone)
        return;
    /* RFC 9293 3.10.7.4, second: once both sides have closed, a RST only hastens the end. */
    bool over = tcp->state == TCPS_CLOSING || tcp->state == TCPS_LAST_ACK || tcp->state == TCPS_TIME_WAIT;
    int refused = tcp->state == TCPS_SYN_RECEIVED ? -ECONNREFUSED : -ECONNRESET;
    tcp_close_now(tcp, over ? 0 : refused, now_ns);
}

/* RFC 9293 3.10.7.3, fourth; 3.5, figure 7: both ends opened at once. The SYN goes out again as a SYN/ACK. */
static void simultaneous_open(struct tcp *tcp, struct tcp_segment *s, uint64_t now_ns)
{
    tcp_learn_options(tcp, s, now_ns);
    s->ssn = SSN_ORIGIN;
    if (!tcp->hooks->segment(tcp, s, now_ns))
        return;
    user_timeout_read(&tcp->config.patience->user_timeout, s->options);
    tcp->state = TCPS_SYN_RECEIVED;
    txq_mark_all_lost(&tcp->flight->txq, false);
    tcp->hooks->wake(tcp);
}

static void input_syn_sent(struct tcp *tcp, struct tcp_segment *s, uint64_t now_ns)
{
    uint8_t flags = s->header.flags;
    bool good_ack = flags & TCP_ACK && s->ack == SSN_ORIGIN + 1 && tcp->snd_nxt > SSN_ORIGIN;
    if (flags & TCP_ACK && !good_ack) {
        count(&tcp->host->counters, COUNT_DROP_BAD_ACK);
        if (!(flags & TCP_RST)) { /* RFC 9293 3.10.7.3: it belongs to an old connection, which a RST ends */
            tcp->flight->stray_ack = s->ack;
            tcp->hooks->wake(tcp);
        }
        return;
    }
    if (flags & TCP_RST) {
        if (good_ack) {
            count(&tcp->host->counters, COUNT_TCP_RESETS_IN);
            tcp_close_now(tcp, -ECONNREFUSED, now_ns);
        }
        return;
    }
    if (!(flags & TCP_SYN)) {
        count(&tcp->host->counters, COUNT_DROP_NO_ACK);
        return;
    }
    if (!good_ack) {
        simultaneous_open(tcp, s, now_ns);
        return;
    }
    tcp_learn_options(tcp, s, now_ns);
    s->ssn = SSN_ORIGIN;
    if (!tcp->hooks->segment(tcp, s, now_ns))
        return;
    user_timeout_read(&tcp->config.patience->user_timeout, s->options);
    tcp_process_ack(tcp, s, now_ns);
    tcp->acking.now = true;
    tcp_set_state(tcp, TCPS_ESTABLISHED, now_ns);
    tcp->hooks->wake(tcp);
}

/* RFC 5961 5.2 */
static bool acknowledges_wrongly(const struct tcp *tcp, const struct tcp_segment *s)
{
    return s->ack > tcp->snd_nxt || s->ack + HW_MAX(tcp->snd_wnd_max, UINT16_MAX) < tcp->snd_una ||
           (tcp->state == TCPS_SYN_RECEIVED && s->ack != SSN_ORIGIN + 1);
}

/* RFC 9293 3.8.4: does it ask whether we are there? With a byte, it may also be the last one that came, once more. */
static bool is_keepalive(const struct tcp *tcp, const struct tcp_segment *s)
{
    bool open = tcp->state >= TCPS_ESTABLISHED && tcp->state != TCPS_TIME_WAIT;
    bool bare = (s->header.flags & (TCP_SYN | TCP_FIN | TCP_RST | TCP_ACK)) == TCP_ACK && s->payload.len <= 1;
    return open && bare && s->ssn + 1 == tcp->rx.next && !acknowledges_wrongly(tcp, s);
}

/* True: the upper layer answers it. */
static bool pass_on_keepalive(struct tcp *tcp, const struct tcp_segment *s, uint64_t now_ns)
{
    count(&tcp->host->counters, COUNT_TCP_KEEPALIVES_IN);
    if (!tcp->config.patience->keepalive.passed_on)
        return false;
    tcp->acking.asked = true;
    tcp->hooks->event(tcp, TCP_EVENT_ASKED, now_ns);
    return s->payload.len == 0;
}

void tcp_answer(struct tcp *tcp, bool there, uint64_t now_ns)
{
    if (tcp->acking.asked && there)
        (void)answer_keepalive(tcp, now_ns);
    tcp->acking.asked = false;
}

/* It lies outside of the window: who sends such things is told where we are. */
static void refuse(struct tcp *tcp, const struct tcp_segment *s, uint64_t now_ns)
{
    bool duplicate = s->ssn + segment_span(s) <= tcp->rx.next, asks = is_keepalive(tcp, s);
    count(&tcp->host->counters, duplicate ? COUNT_TCP_DUPLICATES : COUNT_DROP_OUT_OF_WINDOW);
    if (s->header.flags & TCP_RST || (asks && pass_on_keepalive(tcp, s, now_ns)))
        return;
    if (duplicate && tcp->sack)
        rxseq_note_duplicate(&tcp->rx, tcp->hooks->payer(tcp, false), s->ssn, s->ssn + s->payload.len);
    if (asks && (answer_keepalive(tcp, now_ns) || segment_span(s) == 0)) /* a byte may be what was sent again */
        return;
    if (segment_span(s))
        answer_repeat(tcp, now_ns);
    else
        challenge(tcp, now_ns); /* rationed: two ends that disagree would answer each other for ever */
}

/* Everything RFC 9293 3.10.7.4 checks before a segment may change anything. */
static bool acceptable(struct tcp *tcp, struct tcp_segment *s, uint64_t now_ns)
{
    uint8_t flags = s->header.flags;
    if (paws_rejects(tcp, s, now_ns)) {
        count(&tcp->host->counters, COUNT_DROP_PAWS);
        challenge(tcp, now_ns);
        return false;
    }
    if (tcp->state == TCPS_SYN_RECEIVED && flags & TCP_SYN && !(flags & TCP_ACK) && s->ssn == SSN_ORIGIN) {
        txq_mark_all_lost(&tcp->flight->txq, false); /* our SYN/ACK was lost */
        tcp->hooks->wake(tcp);
        return false;
    }
    bool crossed = tcp->state == TCPS_SYN_RECEIVED && flags & TCP_SYN && flags & TCP_ACK && s->ssn == SSN_ORIGIN;
    if (crossed) { /* RFC 9293 3.5, figure 7: the peer's SYN again, of which only the acknowledgement is news */
        s->ssn++;
        s->header.flags = flags &= (uint8_t)~TCP_SYN;
    }
    if (!in_window(tcp, s)) {
        refuse(tcp, s, now_ns);
        return false;
    }
    if (flags & TCP_RST) {
        handle_reset(tcp, s, now_ns);
        return false;
    }
    if (flags & TCP_SYN) { /* RFC 5961 4.2 */
        count(&tcp->host->counters, COUNT_DROP_BAD_SYN);
        challenge(tcp, now_ns);
        return false;
    }
    if (!(flags & TCP_ACK)) {
        count(&tcp->host->counters, COUNT_DROP_NO_ACK);
        return false;
    }
    if (acknowledges_wrongly(tcp, s)) {
        count(&tcp->host->counters, COUNT_DROP_BAD_ACK);
        challenge(tcp, now_ns);
        return false;
    }
    return true;
}

/* RFC 9293 3.8.6.3: full is what the peer sends as such, whatever our own segments are. A larger one shows it at once,
 * and that they are smaller now, a row of them. What is small and pushed may be all that there was to send. */
static void learn_full_segment(struct tcp_acking *a, const struct tcp_segment *s)
{
    bool all_there_was = s->header.flags & TCP_PSH && s->wire_segments == 1 && s->wire_bytes < FULL_WITH_OPTIONS;
    if (all_there_was)
        return;
    a->lesser_bytes = (uint16_t)HW_MAX(a->lesser_bytes, s->wire_bytes);
    a->lesser = (uint8_t)HW_MIN(a->lesser + s->wire_segments, LESSER_MAX);
    if (a->lesser_bytes < a->full_bytes && a->lesser < LESSER_MAX)
        return;
    a->full_bytes = a->lesser_bytes;
    a->lesser_bytes = a->lesser = 0;
}

/* RFC 5681 4.2: what comes out of order has an acknowledgement each, also where several come at once. If the first of
 * these tells of something new, it is none of the duplicates that the peer counts. */
static void owe_duplicates(struct tcp *tcp, const struct tcp_segment *s, bool advanced)
{
    bool ahead = !advanced && rxseq_gaps(&tcp->rx) > 0;
    int most = TCP_DUPLICATE_ACKS + (tcp->rx.next > tcp->acking.last_sent);
    tcp->acking.duplicates = ahead ? (uint8_t)HW_MIN(tcp->acking.duplicates + s->wire_segments, most) : 0;
}

/* RFC 9293 3.8.6.3, RFC 5681 4.2: at least every second full segment, and at once when something is out of order. */
static void schedule_ack(struct tcp *tcp, const struct tcp_segment *s, bool in_order, uint64_t now_ns)
{
    learn_full_segment(&tcp->acking, s);
    tcp->acking.unacked_bytes += s->payload.len;
    if (tcp->acking.quick) {
        tcp->acking.quick -= (uint8_t)HW_MIN(tcp->acking.quick, s->wire_segments);
        in_order = false;
    }
    if (!in_order || tcp->acking.unacked_bytes > tcp->acking.full_bytes || s->header.flags & TCP_FIN) {
        tcp_ack_now(tcp);
    } else {
        tcp_ack_soon(tcp, now_ns);
    }
}

/* Records the arrival of bytes that are new and hands them up; false when there is no room for all of them. */
static bool take_part(struct tcp *tcp, const struct tcp_segment *s, struct range part, uint64_t now_ns)
{
    struct slice bytes = slice_sub(s->payload, (uint32_t)(part.start - s->ssn), (uint32_t)(part.end - part.start));
    if (rxseq_add(&tcp->rx, tcp->hooks->payer(tcp, false), part.start, part.end) < 0) {
        count(&tcp->host->counters, COUNT_DROP_GAPS);
        return false;
    }
    uint32_t taken = tcp->hooks->receive(tcp, part.start, bytes, now_ns);
    if (taken < bytes.len)
        rxseq_take_back(&tcp->rx, part.start, part.start + taken, part.end);
    tcp->recv_bytes += taken;
    return taken == bytes.len;
}

static void take_payload(struct tcp *tcp, const struct tcp_segment *s, uint64_t now_ns)
{
    uint64_t end = HW_MIN(s->ssn + s->payload.len, HW_MAX(tcp->rcv_edge, tcp->rx.next)), at = s->ssn;
    if (tcp->fin_at) /* RFC 9293 3.10.7.4: there is no text after a FIN */
        end = HW_MIN(end, tcp->fin_at);
    uint64_t before = tcp->rx.next;
    const struct range twice = rxseq_old_part(&tcp->rx, s->ssn, end); /* RFC 2883 4.2: of two the first */
    bool had_gaps = rxseq_gaps(&tcp->rx) > 0, taken = true;
    if (tcp->acking.opened) { /* and the peer knows */
        tcp->acking.opened = 0;
        tcp->timers.delayed_ack = TIME_NEVER;
    }
    for (struct range part; part = rxseq_new_part(&tcp->rx, at, end), part.start < part.end; at = part.end) {
        taken = take_part(tcp, s, part, now_ns);
        if (tcp->state == TCPS_CLOSED)
            return;
        if (!taken)
            break;
    }
    if (tcp->sack)
        rxseq_note_duplicate(&tcp->rx, tcp->hooks->payer(tcp, false), twice.start, twice.end);
    rxseq_settle(&tcp->rx);
    bool in_order = s->ssn == before && !had_gaps && rxseq_gaps(&tcp->rx) == 0;
    owe_duplicates(tcp, s, tcp->rx.next > before);
    schedule_ack(tcp, s, in_order, now_ns);
}

/* RFC 9293 3.10.7.4, eighth: the FIN counts once everything before it has arrived. */
static void take_fin(struct tcp *tcp, uint64_t now_ns)
{
    if (tcp->fin_at == 0 || tcp->rx.next != tcp->fin_at)
        return;
    tcp->rx.next = tcp->fin_at + 1;
    tcp->acking.opened = 0;
    tcp_ack_now(tcp);
    if (tcp->state == TCPS_ESTABLISHED)
        tcp->state = TCPS_CLOSE_WAIT;
    else if (tcp->state == TCPS_FIN_WAIT_1)
        tcp->state = TCPS_CLOSING;
    else if (tcp->state == TCPS_FIN_WAIT_2)
        tcp_enter_time_wait(tcp, now_ns);
    else
        return;
    tcp->hooks->event(tcp, TCP_EVENT_FIN, now_ns);
}

/* Our FIN was acknowledged. */
static void fin_acknowledged(struct tcp *tcp, uint64_t now_ns)
{
    if (!tcp->fin_sent || tcp->snd_una != tcp->snd_nxt)
        return;
    if (tcp->state == TCPS_FIN_WAIT_1)
        tcp->state = TCPS_FIN_WAIT_2;
    else if (tcp->state == TCPS_CLOSING)
        tcp_enter_time_wait(tcp, now_ns);
    else if (tcp->state == TCPS_LAST_ACK)
        tcp_close_now(tcp, 0, now_ns);
}

void tcp_input(struct tcp *tcp, struct tcp_segment *s, uint64_t now_ns)
{
    s->ssn = tcp_rx_ssn(tcp, s->header.seq);
    s->ack = tcp_tx_ssn(tcp, s->header.ack);
    if (tcp->state == TCPS_CLOSED)
        return;
    if (tcp->state == TCPS_SYN_SENT) {
        input_syn_sent(tcp, s, now_ns);
        tcp_timers_arm(tcp);
        return;
    }
    if (!acceptable(tcp, s, now_ns) || !tcp->hooks->segment(tcp, s, now_ns))
        return;
    user_timeout_read(&tcp->config.patience->user_timeout, s->options);
    tcp_heard(tcp, now_ns);
    remember_timestamp(tcp, s, now_ns);
    tcp_process_ack(tcp, s, now_ns);
    if (tcp->state == TCPS_SYN_RECEIVED)
        tcp_set_state(tcp, TCPS_ESTABLISHED, now_ns);
    if (tcp->state != TCPS_TIME_WAIT) {
        if (s->payload.len)
            take_payload(tcp, s, now_ns);
        if (s->header.flags & TCP_FIN && tcp->fin_at == 0)
            tcp->fin_at = s->ssn + s->payload.len;
        take_fin(tcp, now_ns);
    }
    fin_acknowledged(tcp, now_ns);
    if (tcp->state == TCPS_CLOSED)
        return;
    tcp->hooks->progress(tcp, now_ns);
    tcp_timers_arm(tcp);
}
