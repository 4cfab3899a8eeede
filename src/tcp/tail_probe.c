/* A probe of the end of a flight, so that what was lost there is not left to the timeout (TLP, RFC 8985 7). */
#include "base/units.h"
#include "tcp/internal.h"

/* RFC 8985 7.2 */
#define PROBE_MIN_NS (10 * NS_PER_MS)
#define SINGLE_SEGMENT_EXTRA_NS (200 * NS_PER_MS) /* the peer may be delaying its acknowledgement */

/* Outside recovery, if SACK can tell what it hit, one at a time, and none before a round trip was measured since the
 * last one (RFC 8985 7.2, 7.3). */
static bool may_probe(const struct tcp *tcp)
{
    const struct tcp_flight *f = tcp->flight;
    return tcp->sack && !f->recovery.active && f->txq.count && !f->txq.sacked_bytes && tcp->rtt.srtt_ns &&
           f->tail.end == 0 && !f->tail.unmeasured && tcp->state >= TCPS_ESTABLISHED && f->timeouts == 0;
}

void tcp_arm_probe(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    f->timers.probe = TIME_NEVER;
    f->tail.wanted = TAIL_NOTHING;
    if (!may_probe(tcp))
        return;
    uint64_t timeout = HW_MAX(2 * tcp->rtt.srtt_ns, PROBE_MIN_NS);
    if (tcp_in_flight(tcp) <= tcp->segment_bytes)
        timeout += SINGLE_SEGMENT_EXTRA_NS;
    if (now_ns + timeout < f->timers.retransmit)
        f->timers.probe = now_ns + timeout;
}

static void begin(struct tcp *tcp, bool again)
{
    struct tcp_tail_probe *tail = &tcp->flight->tail;
    count(&tcp->host->counters, COUNT_TCP_PROBES);
    *tail = (struct tcp_tail_probe){.end = tcp->snd_nxt, .again = again, .unmeasured = true};
}

void tcp_tail_probe_is_new(struct tcp *tcp)
{
    if (tcp->flight->tail.wanted == TAIL_NEW_DATA)
        begin(tcp, false);
}

/* The last segment again: only the last wire segment, when it was a super-segment. */
struct tx_record *tcp_tail_probe_again(struct tcp *tcp)
{
    struct tcp_flight *f = tcp->flight;
    struct tx_record *last = txq_newest(&f->txq);
    f->tail.wanted = TAIL_NOTHING;
    if (!last || last->lost || last->sacked)
        return NULL;
    if (last->probe) /* RFC 4821 7.5: its loss is none */
        return last;
    begin(tcp, true);
    if (last->len > tcp->segment_bytes && txq_split(&f->txq, last, last->ssn + last->len - tcp->segment_bytes) == 0)
        last = txq_newest(&f->txq);
    f->tail.wanted = TAIL_AGAIN;
    return last;
}

bool tcp_tail_probe_repaired(struct tcp *tcp, const struct delivery *d)
{
    struct tcp_tail_probe *tail = &tcp->flight->tail;
    if (tail->end == 0 || tcp->snd_una < tail->end)
        return false;
    bool beyond = tcp->snd_una > tail->end;
    if (!tail->again || d->probe_duplicate || d->duplicate_ack) {
        tail->end = 0;
        return false;
    }
    if (beyond)
        tail->end = 0;
    return beyond && !tcp->flight->recovery.active;
}
