/* Departure: building segments from records, and deciding which leave now. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "tcp/internal.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

/* That a shut window is open may be lost, and the peer, whose part it is to ask (RFC 9293 3.8.6.1), does so ever more
 * rarely. */
#define OPENED_AGAIN 3u

/* The window field, and the edge it promises (RFC 9293 3.8.6: never taken back). */
static uint16_t window_field(struct tcp *tcp, bool syn)
{
    bool shut = tcp->recv_bytes && tcp_promised(tcp) < tcp->segment_bytes;
    uint8_t scale = syn ? 0 : tcp->rcv_wscale;
    uint32_t window = tcp->hooks->window(tcp, (uint32_t)UINT16_MAX << scale);
    uint32_t field = HW_MIN(window >> scale, UINT16_MAX);
    tcp->rcv_edge = HW_MAX(tcp->rcv_edge, tcp->rx.next + ((uint64_t)field << scale));
    if (shut && tcp_promised(tcp) >= tcp->segment_bytes && !tcp->fin_at)
        tcp->acking.opened = OPENED_AGAIN;
    return (uint16_t)field;
}

static void own_options(struct tcp *tcp, uint8_t flags, bool with_sack, uint64_t now_ns, struct tcp_options *o)
{
    tcp_options_clear(o);
    bool syn = flags & TCP_SYN, reply = flags & TCP_ACK;
    if (syn) {
        o->present |= TCP_OPT_MSS;
        o->mss = (uint16_t)(tcp->config.mtu - tcp_headers(tcp));
        if (!reply || tcp->sack)
            o->present |= TCP_OPT_SACK_PERMITTED;
        if (!reply || tcp->window_scaling) { /* RFC 7323 2.2: even when our own shift is 0, or the peer's is void */
            o->present |= TCP_OPT_WSCALE;
            o->wscale = tcp->rcv_wscale;
        }
    }
    if (tcp->ts.used || (syn && !reply)) {
        o->present |= TCP_OPT_TIMESTAMPS;
        o->ts_val = tcp_timestamp(tcp, now_ns);
        o->ts_ecr = reply ? tcp->ts.recent : 0;
    }
    if (with_sack) {
        struct range blocks[TCP_SACK_MAX];
        unsigned later = tcp->acking.duplicates ? tcp->acking.duplicates - 1u : 0;
        unsigned n = rxseq_sack_blocks(&tcp->rx, blocks, TCP_SACK_MAX, later);
        for (unsigned i = 0; i < n; i++)
            o->sack[i] = (struct sack_block){seq_at(tcp->irs + (uint32_t)blocks[i].start),
                                             seq_at(tcp->irs + (uint32_t)blocks[i].end)};
        o->sack_count = (uint8_t)n;
        if (n)
            o->present |= TCP_OPT_SACK;
    }
}

/* RFC 5482 3: a SYN says it, then the first segment without SYN, and the next one when it has changed. None that
 * carries data, whose size never changes. */
static bool says_user_timeout(const struct tcp *tcp, const struct tx_record *record, uint8_t flags)
{
    return flags & TCP_SYN || (tcp->acking.user_timeout && !record && !(flags & TCP_RST));
}

/* What every segment with ACK says it has acknowledged. SACK blocks that data left no room for still want a segment;
 * and none that carries data is a duplicate acknowledgement (RFC 5681 2). */
static void note_acknowledged(struct tcp *tcp, bool bare, bool with_sack, uint64_t now_ns)
{
    tcp->acking.last_sent = tcp->rx.next;
    tcp->acking.unacked_bytes = 0;
    tcp->timers.delayed_ack = TIME_NEVER;
    if (tcp->acking.opened) {
        tcp->timers.delayed_ack = now_ns + (rtt_timeout(&tcp->rtt) << (OPENED_AGAIN - tcp->acking.opened));
        tcp_timers_arm(tcp);
    }
    if (bare && tcp->acking.duplicates)
        tcp->acking.duplicates--;
    bool untold = tcp->sack && !bare && rxseq_has_blocks(&tcp->rx);
    if (!untold && tcp->acking.duplicates == 0)
        tcp->acking.now = false;
    if (with_sack)
        rxseq_blocks_sent(&tcp->rx);
}

static void put_headers(struct tcp *tcp, struct hawser_tx *tx, uint64_t ssn, uint8_t flags, const uint8_t *options,
                        size_t options_len)
{
    const struct tcp_config *c = &tcp->config;
    size_t l3 = ip_header_len(&c->remote);
    struct tcp_header h = {
        .src_port = c->local.port,
        .dst_port = c->remote.port,
        .seq = seq_at(c->iss + (uint32_t)ssn),
        .ack = seq_at(flags & TCP_ACK ? tcp->irs + (uint32_t)tcp->rx.next : 0),
        .flags = flags,
        .header_len = (uint8_t)(TCP_HEADER_LEN + options_len),
        .window = window_field(tcp, flags & TCP_SYN),
    };
    uint32_t tcp_len = h.header_len + tx->payload_len;
    struct csum pseudo = {0, false};
    csum_add_pseudo(&pseudo, &c->local, &c->remote, tcp_len);
    h.checksum = csum_fold(&pseudo);
    ip_emit(tx->head, &c->local, &c->remote, 0, tcp_len);
    tcp_header_emit(tx->head + l3, &h);
    memcpy(tx->head + l3 + TCP_HEADER_LEN, options, options_len);
    tx->l3_len = (uint8_t)l3;
    tx->head_len = (uint8_t)(l3 + h.header_len);
    tx->link = c->link;
    tx->flags = 0;
}

/* Builds one packet: `record` when it takes sequence space, else a bare segment at `ssn`. */
static void emit(struct tcp *tcp, const struct tx_record *record, uint64_t ssn, uint8_t flags, struct tx_batch *batch,
                 uint64_t now_ns)
{
    struct hawser_tx *tx = &batch->packets[batch->count++];
    uint8_t bytes[TCP_OPTION_SPACE];
    struct tcp_options options;
    /* Data segments carry no SACK blocks, so that their size never changes. */
    bool with_sack = tcp->sack && !record && !(flags & TCP_RST);
    own_options(tcp, flags, with_sack, now_ns, &options);
    if (says_user_timeout(tcp, record, flags))
        user_timeout_write(&tcp->config.patience->user_timeout, &options);
    tcp->hooks->write_options(tcp, record, flags, &options);
    size_t options_len = tcp_options_plan(bytes, &options, &options);
    tcp->hooks->options_sent(tcp, &options);
    if (options.present & TCP_OPT_USER_TIMEOUT)
        tcp->acking.user_timeout = false;
    tx->part_count = 0;
    tx->payload_len = 0;
    tx->gso_size = 0;
    if (record && record->len) {
        for (unsigned i = 0; i < TX_RECORD_PARTS; i++)
            if (record->parts[i].len)
                tx->parts[tx->part_count++] = (struct hawser_part){record->parts[i].data, record->parts[i].len};
        tx->payload_len = record->len;
        if (record->len > tcp->segment_bytes && !record->probe)
            tx->gso_size = (uint16_t)tcp->segment_bytes;
    }
    put_headers(tcp, tx, ssn, flags, bytes, options_len);
    if (flags & TCP_ACK)
        note_acknowledged(tcp, !record, options.present & TCP_OPT_SACK, now_ns);
}

static uint8_t record_flags(const struct tcp *tcp, const struct tx_record *r, bool push)
{
    uint8_t flags = tcp->state == TCPS_SYN_SENT ? 0 : TCP_ACK;
    if (r->syn)
        flags |= TCP_SYN;
    if (r->fin)
        flags |= TCP_FIN;
    if (push)
        flags |= TCP_PSH;
    return flags;
}

uint32_t tcp_send_room(const struct tcp *tcp)
{
    if (!tcp_may_send(tcp) || tcp_txq(tcp)->lost_bytes) /* what was lost goes first */
        return 0;
    uint64_t edge = tcp_window_edge(tcp);
    uint64_t window = edge > tcp->snd_nxt ? edge - tcp->snd_nxt : 0;
    uint32_t room = tcp_room_now(tcp);
    if (tcp->flight && tcp->flight->tail.wanted == TAIL_NEW_DATA) /* RFC 8985 7.3: one beyond the window */
        room = HW_MAX(room, tcp->segment_bytes);
    return (uint32_t)HW_MIN(window, room);
}

/* Bookkeeping common to everything that takes sequence space and leaves now. */
static void sent(struct tcp *tcp, struct tx_record *r, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    f->last_data_ns = now_ns;
    prr_sent(&f->prr, tx_record_span(r));
    tcp_congestion_on_sent(tcp, r, now_ns);
    if (tcp_cwnd_room(tcp) < tcp->segment_bytes)
        f->limited_until = tcp->snd_nxt;
    if (f->timers.retransmit == TIME_NEVER)
        tcp_arm_retransmit(tcp, now_ns);
}

int tcp_send(struct tcp *tcp, const struct slice *parts, unsigned count, uint32_t len, const struct tx_note *note,
             bool push, struct tx_batch *batch, uint64_t now_ns)
{
    CHECK(count >= 1 && count <= TX_RECORD_PARTS && len > 0);
    if (tx_batch_full(batch))
        return -ENOBUFS;
    struct tcp_flight *f = tcp_unfold(tcp, now_ns);
    if (!f)
        return -ENOMEM;
    if (f->txq.count == 0 && now_ns - f->last_data_ns > rtt_timeout(&tcp->rtt)) /* RFC 5681 4.1 */
        tcp_congestion_restart(tcp, now_ns);
    struct tx_record *r = tcp_append(tcp, now_ns);
    if (!r) {
        tcp_arm_retransmit(tcp, now_ns); /* it may be idle still */
        tcp_timers_arm(tcp);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < count; i++) {
        r->parts[i] = parts[i];
        hawser_buf_ref(parts[i].buf);
    }
    r->len = len;
    r->probe = len > tcp->segment_bytes && len == tcp_probe_bytes(tcp);
    if (r->probe)
        tcp_path_probing(tcp, len);
    r->note = *note;
    r->sent_ns = now_ns;
    tcp->snd_nxt += len;
    tcp_tail_probe_is_new(tcp);
    emit(tcp, r, r->ssn, record_flags(tcp, r, push), batch, now_ns);
    sent(tcp, r, now_ns);
    tcp_arm_probe(tcp, now_ns);
    tcp_timers_arm(tcp);
    return 0;
}

/* Cuts the record that is about to be sent again to what the window and one super-segment admit. */
static void fit_retransmission(struct tcp *tcp, struct tx_record *r, uint32_t room)
{
    uint32_t most = HW_MAX(HW_MIN(room, tcp_send_max(tcp)), tcp->segment_bytes);
    most -= most % tcp->segment_bytes;
    if (r->len > most)
        (void)txq_split(&tcp->flight->txq, r, r->ssn + most); /* without memory: all at once */
}

static void retransmit_lost(struct tcp *tcp, struct tx_batch *batch, uint64_t now_ns)
{
    for (struct list *node; (node = list_first(&tcp->flight->txq.lost)) && !tx_batch_full(batch);) {
        struct tx_record *r = LIST_ENTRY(node, struct tx_record, link);
        uint32_t room = tcp_room_now(tcp);
        if (room == 0 && tcp->flight->tail.wanted != TAIL_AGAIN)
            return;
        tcp->flight->tail.wanted = TAIL_NOTHING;
        fit_retransmission(tcp, r, room);
        r->probe = false;
        bool first_syn = r->syn && tcp->handshake_tries == 0;
        if (r->syn)
            tcp->handshake_tries++;
        if (!first_syn) {
            r->retransmitted = true;
            tcp->retransmitted_bytes += r->len;
            count(&tcp->host->counters, COUNT_TCP_RETRANSMITS);
            tcp_recovery_on_retransmit(tcp, r, now_ns);
        }
        txq_mark_sent(&tcp->flight->txq, r, now_ns);
        emit(tcp, r, r->ssn, record_flags(tcp, r, r->len > 0), batch, now_ns);
        sent(tcp, r, now_ns);
    }
}

/* RFC 8985 7.3: a probe is due, and the upper layer had nothing new for it. */
static void probe_again(struct tcp *tcp, struct tx_batch *batch, uint64_t now_ns)
{
    struct tx_record *last = tcp_tail_probe_again(tcp);
    if (!last)
        return;
    if (last->probe)
        tcp_path_refuses(tcp, now_ns);
    txq_mark_lost(&tcp->flight->txq, last);
    retransmit_lost(tcp, batch, now_ns);
}

/* RFC 9293 3.10.4: the FIN follows the last byte. */
static void send_fin(struct tcp *tcp, struct tx_batch *batch, uint64_t now_ns)
{
    if (!tcp->fin_wanted || tcp->fin_sent || tx_batch_full(batch))
        return;
    bool open = tcp->state == TCPS_ESTABLISHED;
    if (!open && tcp->state != TCPS_CLOSE_WAIT)
        return; /* still opening */
    struct tx_record *r = tcp_append(tcp, now_ns);
    if (!r)
        return; /* memory is out: the persist timer sees that it is tried again */
    tcp->state = open ? TCPS_FIN_WAIT_1 : TCPS_LAST_ACK;
    r->fin = true;
    r->sent_ns = now_ns;
    tcp->snd_nxt++;
    tcp->fin_sent = true;
    tcp_tail_probe_is_new(tcp);
    emit(tcp, r, r->ssn, record_flags(tcp, r, false), batch, now_ns);
    sent(tcp, r, now_ns);
}

static void send_reset(struct tcp *tcp, struct tx_batch *batch, uint64_t now_ns)
{
    tcp->reset_wanted = false;
    count(&tcp->host->counters, COUNT_TCP_RESETS_OUT);
    emit(tcp, NULL, tcp->snd_nxt, TCP_RST | TCP_ACK, batch, now_ns);
    /* RFC 5961 3.2: only the exact next number resets, and what is under way may be lost. */
    if (tcp->snd_una > SSN_ORIGIN && tcp->snd_una < tcp->snd_nxt && !tx_batch_full(batch))
        emit(tcp, NULL, tcp->snd_una, TCP_RST | TCP_ACK, batch, now_ns);
    tcp->hooks->wake(tcp); /* finished now */
}

void tcp_output(struct tcp *tcp, struct tx_batch *batch, uint64_t now_ns)
{
    if (tx_batch_full(batch))
        return;
    if (tcp->reset_wanted) {
        send_reset(tcp, batch, now_ns);
        return;
    }
    if (tcp->state == TCPS_CLOSED || tcp_rests(tcp))
        return;
    struct tcp_flight *f = tcp->flight;
    if (f && f->stray_ack) {
        count(&tcp->host->counters, COUNT_TCP_RESETS_OUT);
        emit(tcp, NULL, f->stray_ack, TCP_RST, batch, now_ns);
        f->stray_ack = 0;
    }
    if (f && f->txq.lost_bytes)
        retransmit_lost(tcp, batch, now_ns);
    send_fin(tcp, batch, now_ns);
    if (f && f->tail.wanted == TAIL_NEW_DATA)
        probe_again(tcp, batch, now_ns);
    if ((tcp->acking.now || tcp->acking.signal) && tcp->state >= TCPS_ESTABLISHED && !tx_batch_full(batch)) {
        tcp->acking.signal = false;
        do
            emit(tcp, NULL, tcp->snd_nxt, TCP_ACK, batch, now_ns);
        while (tcp->acking.duplicates && !tx_batch_full(batch));
    }
    if (tcp->time_wanted && !tx_batch_full(batch)) {
        tcp->time_wanted = false;
        /* RFC 7323 4.3: the peer echoes what begins no later than where it waits: here, if the first byte was lost. */
        emit(tcp, NULL, tcp->snd_una, TCP_ACK, batch, now_ns);
    }
    if (tcp->probe_wanted && !tx_batch_full(batch)) {
        tcp->probe_wanted = false;
        if (f)
            undo_asked(&f->undo);
        /* An old sequence number takes no space and draws an acknowledgement with the window (RFC 9293 3.8.6.1). */
        emit(tcp, NULL, tcp->snd_una - 1, TCP_ACK, batch, now_ns);
    }
    tcp->timers.keepalive =
        HW_MAX(tcp->timers.keepalive, now_ns + 1); /* its terms may have changed, without the time */
    tcp_timers_arm(tcp);
}
