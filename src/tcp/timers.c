/* The timers of a subflow: seven purposes, one node in the stack's deadline queue. */
#include <errno.h>

#include "base/units.h"
#include "tcp/internal.h"

/* RFC 8985 7.2 */
#define PROBE_MIN_NS (10 * NS_PER_MS)
#define PROBE_SINGLE_SEGMENT_EXTRA_NS (200 * NS_PER_MS)

static void on_deadline(struct deadline *deadline, uint64_t now_ns);

void tcp_timers_init(struct tcp *tcp)
{
    tcp_timers_stop(tcp);
    deadline_init(&tcp->deadline, on_deadline);
}

void tcp_timers_stop(struct tcp *tcp)
{
    tcp->timers =
        (struct tcp_timers){TIME_NEVER, TIME_NEVER, TIME_NEVER, TIME_NEVER, TIME_NEVER, TIME_NEVER, TIME_NEVER};
}

void tcp_timers_arm(struct tcp *tcp)
{
    const struct tcp_timers *t = &tcp->timers;
    uint64_t at = HW_MIN(t->retransmit, t->probe);
    at = HW_MIN(at, t->reorder);
    at = HW_MIN(at, t->delayed_ack);
    at = HW_MIN(at, t->persist);
    at = HW_MIN(at, t->keepalive);
    at = HW_MIN(at, t->time_wait);
    deadline_set(&tcp->host->timers, &tcp->deadline, at);
}

/* RFC 6298 5.1-5.3: runs while anything is outstanding. */
void tcp_arm_retransmit(struct tcp *tcp, uint64_t now_ns)
{
    tcp->timers.retransmit = tcp->txq.count ? now_ns + rtt_timeout(&tcp->rtt) : TIME_NEVER;
}

/* RFC 8985 7.2: a tail loss probe after two round trips of silence, outside recovery, if SACK can tell what it hit. */
void tcp_arm_probe(struct tcp *tcp, uint64_t now_ns)
{
    tcp->timers.probe = TIME_NEVER;
    if (!tcp->sack || tcp->recovery.active || tcp->txq.count == 0 || tcp->txq.sacked_bytes || tcp->rtt.srtt_ns == 0 ||
        tcp->recovery.probe_end || tcp->state < TCPS_ESTABLISHED || tcp->rtt.backoff)
        return;
    uint64_t timeout = HW_MAX(2 * tcp->rtt.srtt_ns, PROBE_MIN_NS);
    if (tcp_in_flight(tcp) <= tcp->segment_bytes)
        timeout += PROBE_SINGLE_SEGMENT_EXTRA_NS; /* the peer may be delaying its acknowledgement */
    if (now_ns + timeout < tcp->timers.retransmit)
        tcp->timers.probe = now_ns + timeout;
}

/* RFC 9293 3.8.3: has the peer left us without an answer for R2? Counted from the first question it did not answer. */
static bool peer_vanished(struct tcp *tcp, uint64_t now_ns)
{
    if (tcp->state == TCPS_SYN_SENT)
        return tcp->handshake_tries >= TCP_SYN_TRIES_MAX;
    if (tcp->state == TCPS_SYN_RECEIVED) /* a SYN/ACK that answers a repeated SYN shows that the peer is there */
        return tcp->timeouts + 1 >= TCP_SYNACK_TRIES_MAX ||
               tcp->handshake_tries >= TCP_SYNACK_TRIES_MAX + TCP_SYN_TRIES_MAX;
    if (tcp->unanswered_since_ns == 0)
        tcp->unanswered_since_ns = now_ns;
    return now_ns - tcp->unanswered_since_ns >= TCP_R2_NS;
}

static void give_up(struct tcp *tcp, uint64_t now_ns)
{
    tcp->reset_wanted = tcp->state >= TCPS_ESTABLISHED;
    tcp_close_now(tcp, -ETIMEDOUT, now_ns);
}

static void on_retransmit_timeout(struct tcp *tcp, uint64_t now_ns)
{
    tcp->timers.retransmit = TIME_NEVER;
    if (tcp->txq.count == 0)
        return;
    if (peer_vanished(tcp, now_ns)) {
        give_up(tcp, now_ns);
        return;
    }
    count(&tcp->host->counters, COUNT_TCP_TIMEOUTS);
    tcp->timeouts++;
    tcp_recovery_on_timeout(tcp, now_ns);
    rtt_back_off(&tcp->rtt);
    tcp->alive_pending = true;
    tcp_arm_retransmit(tcp, now_ns);
    tcp->hooks->event(tcp, TCP_EVENT_TIMEOUT, now_ns);
    tcp->hooks->wake(tcp);
}

static void on_probe_timeout(struct tcp *tcp, uint64_t now_ns)
{
    tcp->timers.probe = TIME_NEVER;
    struct tx_record *last = txq_newest(&tcp->txq);
    if (!last || last->lost || last->sacked)
        return;
    count(&tcp->host->counters, COUNT_TCP_PROBES);
    tcp->recovery.probe_end = tcp->snd_nxt;
    /* RFC 8985 7.3: the last segment again. Only its last wire segment, when it was a super-segment. */
    if (last->len > tcp->segment_bytes &&
        txq_split(&tcp->txq, tcp->txq.count - 1, last->ssn + last->len - tcp->segment_bytes) == 0)
        last = txq_newest(&tcp->txq);
    txq_mark_lost(&tcp->txq, last);
    tcp_arm_retransmit(tcp, now_ns);
    tcp->alive_pending = true;
    tcp->hooks->event(tcp, TCP_EVENT_SILENT, now_ns);
    tcp->hooks->wake(tcp);
}

/* RFC 9293 3.8.6.1: the interval between window probes grows like the retransmission timeout, but is no sign of loss
 * and leaves that one alone. */
static uint64_t window_probe_interval(const struct tcp *tcp)
{
    uint64_t interval = rtt_timeout(&tcp->rtt) << HW_MIN(tcp->window_probes, 16u);
    return HW_MIN(interval, RTO_MAX_NS);
}

/* RFC 9293 3.8.6.1: the window stays shut; ask again, backing off, for as long as the peer answers. */
static void on_persist(struct tcp *tcp, uint64_t now_ns)
{
    tcp->timers.persist = TIME_NEVER;
    if (!tcp->hooks->blocked_by_window(tcp))
        return;
    if (peer_vanished(tcp, now_ns)) {
        give_up(tcp, now_ns);
        return;
    }
    tcp->window_probes++;
    tcp_probe_now(tcp);
    tcp_update_persist(tcp, now_ns);
}

void tcp_update_persist(struct tcp *tcp, uint64_t now_ns)
{
    /* What is outstanding has the retransmission timer to keep asking. */
    bool wanted = tcp->state >= TCPS_ESTABLISHED && tcp->state != TCPS_TIME_WAIT && tcp->txq.count == 0 &&
                  tcp->hooks->blocked_by_window(tcp);
    if (!wanted) {
        tcp->timers.persist = TIME_NEVER;
        tcp->window_probes = 0;
    } else if (tcp->timers.persist == TIME_NEVER) {
        tcp->timers.persist = now_ns + window_probe_interval(tcp);
    } else {
        return;
    }
    tcp_timers_arm(tcp);
}

static void arm_keepalive(struct tcp *tcp, uint64_t wait_ns, uint64_t now_ns)
{
    tcp->timers.keepalive = wait_ns && wait_ns < TIME_NEVER - now_ns ? now_ns + wait_ns : TIME_NEVER;
}

void tcp_start_keepalive(struct tcp *tcp, uint64_t now_ns)
{
    tcp->heard_ns = now_ns;
    tcp->keepalive_probes = 0;
    arm_keepalive(tcp, tcp->config.keepalive.idle_ns, now_ns);
}

/* The timer need not move with every segment: when it expires it waits for what is left since the last one. */
void tcp_heard(struct tcp *tcp, uint64_t now_ns)
{
    tcp->heard_ns = now_ns;
    if (tcp->keepalive_probes)
        tcp_start_keepalive(tcp, now_ns);
}

/* RFC 9293 3.8.4: nothing is outstanding and nothing comes: is the peer still there? Not answering a question or two
 * does not mean that it is gone. */
static void on_keepalive(struct tcp *tcp, uint64_t now_ns)
{
    const struct tcp_keepalive *k = &tcp->config.keepalive;
    uint64_t silence_ns = now_ns - tcp->heard_ns;
    if (tcp->txq.count || tcp->timers.persist != TIME_NEVER) { /* whose own timers ask, and find out */
        tcp->keepalive_probes = 0;
        arm_keepalive(tcp, k->idle_ns, now_ns);
    } else if (silence_ns < k->idle_ns) {
        arm_keepalive(tcp, k->idle_ns - silence_ns, now_ns);
    } else if (tcp->keepalive_probes == k->tries) {
        give_up(tcp, now_ns);
    } else {
        count(&tcp->host->counters, COUNT_TCP_KEEPALIVE_PROBES);
        tcp->keepalive_probes++;
        tcp_probe_now(tcp);
        arm_keepalive(tcp, k->interval_ns, now_ns);
    }
}

static void on_deadline(struct deadline *deadline, uint64_t now_ns)
{
    struct tcp *tcp = HW_CONTAINER(deadline, struct tcp, deadline);
    struct tcp_timers *t = &tcp->timers;
    if (t->time_wait <= now_ns) {
        tcp_close_now(tcp, 0, now_ns);
        return;
    }
    if (t->delayed_ack <= now_ns) {
        t->delayed_ack = TIME_NEVER;
        tcp_ack_now(tcp);
    }
    if (t->reorder <= now_ns) {
        t->reorder = TIME_NEVER;
        tcp_detect_loss(tcp, now_ns);
        tcp->hooks->wake(tcp);
    }
    if (t->probe <= now_ns)
        on_probe_timeout(tcp, now_ns);
    if (t->retransmit <= now_ns)
        on_retransmit_timeout(tcp, now_ns);
    if (t->persist <= now_ns)
        on_persist(tcp, now_ns);
    if (t->keepalive <= now_ns)
        on_keepalive(tcp, now_ns);
    tcp_timers_arm(tcp);
}
