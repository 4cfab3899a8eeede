/* What happens when a timer expires. */
#include <errno.h>

#include "base/compiler.h"
#include "tcp/internal.h"

/* R2 (RFC 9293 3.8.3): a longer user timeout is what somebody asked for. */
static uint64_t r2_ns(const struct tcp *tcp)
{
    return HW_MAX(TCP_R2_NS, user_timeout_in_force(&tcp->config.patience->user_timeout, true));
}

/* RFC 9293 3.8.3: has the peer left us without an answer for R2? Counted from the first question it did not answer. */
static bool peer_vanished(struct tcp *tcp, uint64_t now_ns)
{
    if (tcp->state == TCPS_SYN_SENT)
        return tcp->handshake_tries >= TCP_SYN_TRIES_MAX;
    if (tcp->state == TCPS_SYN_RECEIVED) /* a SYN/ACK that answers a repeated SYN shows that the peer is there */
        return tcp->liveness.timeouts + 1 >= TCP_SYNACK_TRIES_MAX ||
               tcp->handshake_tries >= TCP_SYNACK_TRIES_MAX + TCP_SYN_TRIES_MAX;
    if (tcp->liveness.unanswered_since_ns == 0)
        tcp->liveness.unanswered_since_ns = now_ns;
    return now_ns - tcp->liveness.unanswered_since_ns + tcp->liveness.stuck_ns >= r2_ns(tcp);
}

static void give_up(struct tcp *tcp, uint64_t now_ns)
{
    tcp->reset_wanted = tcp->state >= TCPS_ESTABLISHED;
    int error = tcp->config.path.icmp_error ? tcp->config.path.icmp_error : ETIMEDOUT; /* RFC 1122 4.2.3.9 */
    tcp_close_now(tcp, -error, now_ns);
}

static void on_retransmit_timeout(struct tcp *tcp, uint64_t now_ns)
{
    tcp->flight->timers.retransmit = TIME_NEVER;
    if (tcp->flight->txq.count == 0)
        return;
    if (peer_vanished(tcp, now_ns)) {
        give_up(tcp, now_ns);
        return;
    }
    count(&tcp->host->counters, COUNT_TCP_TIMEOUTS);
    if (tcp->liveness.timeouts < UINT16_MAX)
        tcp->liveness.timeouts++;
    const uint32_t ssthresh = tcp->cc.ssthresh_bytes;
    bool told = tcp_path_on_timeout(tcp, now_ns);
    tcp_recovery_on_timeout(tcp, now_ns);
    if (told) /* RFC 1191 6.4: slow start, but back to where it was */
        tcp->cc.ssthresh_bytes = ssthresh;
    rtt_back_off(&tcp->rtt);
    if (tcp->flight->timeouts < UINT8_MAX)
        tcp->flight->timeouts++;
    tcp->flight->alive_pending = true;
    tcp_arm_retransmit(tcp, now_ns);
    tcp->hooks->event(tcp, TCP_EVENT_TIMEOUT, now_ns);
    tcp->hooks->wake(tcp);
}

/* RFC 8985 7.3: the next output sends new data, or the last segment again if there is none. */
static void on_probe_timeout(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    f->timers.probe = TIME_NEVER;
    const struct tx_record *last = txq_newest(&f->txq);
    if (!last || last->lost || last->sacked || tcp_path_on_silence(tcp, now_ns))
        return;
    f->tail.wanted = TAIL_NEW_DATA;
    tcp_arm_retransmit(tcp, now_ns);
    f->alive_pending = true;
    tcp->hooks->event(tcp, TCP_EVENT_SILENT, now_ns);
    tcp->hooks->wake(tcp);
}

/* RFC 9293 3.8.6.1: the window stays shut; ask again, backing off, for as long as the peer answers. */
static void on_persist(struct tcp *tcp, uint64_t now_ns)
{
    tcp->timers.persist = TIME_NEVER;
    if (!tcp_is_held_back(tcp))
        return;
    if (peer_vanished(tcp, now_ns)) {
        give_up(tcp, now_ns);
        return;
    }
    if (tcp->liveness.window_probes < UINT8_MAX)
        tcp->liveness.window_probes++;
    tcp_probe_now(tcp);
    tcp_update_persist(tcp, now_ns);
}

/* Something waits for an answer anyway, and its own timers ask, and find out. */
static bool has_other_questions(const struct tcp *tcp)
{
    return tcp_txq(tcp)->count || tcp->timers.persist != TIME_NEVER;
}

static void ask(struct tcp *tcp)
{
    count(&tcp->host->counters, COUNT_TCP_KEEPALIVE_PROBES);
    tcp_probe_now(tcp);
}

static void ask_and_count(struct tcp *tcp, uint64_t now_ns)
{
    ask(tcp);
    tcp->liveness.hails = 0;
    tcp->liveness.keepalive_probes++;
    tcp_arm_keepalive(tcp, tcp_keepalive_interval_ns(&tcp->config.patience->keepalive), now_ns);
}

/* RFC 9293 3.8.4: nothing is outstanding and nothing comes: is the peer still there? Not answering a question or two
 * does not mean that it is gone. */
static void on_keepalive(struct tcp *tcp, uint64_t now_ns)
{
    const struct tcp_keepalive *k = &tcp->config.patience->keepalive;
    uint64_t silence_ns = now_ns - tcp->liveness.heard_ns, idle_ns = tcp_keepalive_idle_ns(k);
    uint32_t unanswered = tcp->liveness.keepalive_probes;
    bool asked_otherwise = has_other_questions(tcp), hails = tcp->liveness.hails != 0;
    if (hails && idle_ns && (NS_PER_S << tcp->liveness.hails) - NS_PER_S >= idle_ns)
        hails = false; /* the program's own questions are due */
    if (hails && !asked_otherwise && tcp_hail(tcp, now_ns))
        return;
    if (hails || asked_otherwise) {
        tcp->liveness.keepalive_probes = tcp->liveness.hails = 0;
        tcp_arm_keepalive(tcp, idle_ns, now_ns);
    } else if (unanswered == 0 && silence_ns < idle_ns) {
        tcp_arm_keepalive(tcp, idle_ns - silence_ns, now_ns);
    } else if (unanswered >= k->tries && silence_ns >= user_timeout_shared(&tcp->config.patience->user_timeout)) {
        give_up(tcp, now_ns);
    } else {
        ask_and_count(tcp, now_ns);
    }
}

/* An answer takes its time: should there have been one to the first question since the peer was heard? */
static bool lacks_answer(const struct tcp *tcp, uint64_t now_ns)
{
    uint64_t asked_for_ns =
        tcp->liveness.keepalive_probes * tcp_keepalive_interval_ns(&tcp->config.patience->keepalive);
    return tcp->timers.keepalive - asked_for_ns + rtt_timeout(&tcp->rtt) <= now_ns;
}

bool tcp_ask(struct tcp *tcp, uint64_t now_ns)
{
    bool open = tcp->state >= TCPS_ESTABLISHED && tcp->state != TCPS_TIME_WAIT;
    if (!open || has_other_questions(tcp) || now_ns - tcp->liveness.heard_ns < TCP_QUESTION_SILENCE_NS)
        return true;
    bool first = tcp->liveness.keepalive_probes == 0;
    if (!first && !lacks_answer(tcp, now_ns))
        return true;
    struct tcp_rations *r = tcp_rations_now(tcp, now_ns);
    if (r->questions == 0) {
        count(&tcp->host->counters, COUNT_LIMIT_QUESTIONS_PASSED_ON);
        return first;
    }
    r->questions--;
    if (first)
        ask_and_count(tcp, now_ns);
    else /* whose patience it is knows himself when it is at an end */
        ask(tcp);
    return first;
}

static void run_flight_timers(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    if (f->timers.reorder <= now_ns) {
        f->timers.reorder = TIME_NEVER;
        tcp_detect_loss(tcp, now_ns);
        tcp->hooks->wake(tcp);
    }
    if (pacing_is_due(&f->pacing, now_ns)) { /* output looks anew */
        f->pacing.due_ns = TIME_NEVER;
        tcp->hooks->wake(tcp);
    }
    if (f->timers.probe <= now_ns)
        on_probe_timeout(tcp, now_ns);
    if (f->timers.retransmit <= now_ns)
        on_retransmit_timeout(tcp, now_ns);
    if (f->timers.fold <= now_ns)
        tcp_fold(tcp);
}

void tcp_run_timers(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_timers *t = &tcp->timers;
    if (t->delayed_ack <= now_ns) {
        t->delayed_ack = TIME_NEVER;
        if (tcp->acking.opened)
            tcp->acking.opened--;
        tcp_ack_now(tcp);
    }
    if (tcp->flight)
        run_flight_timers(tcp, now_ns);
    if (t->persist <= now_ns)
        on_persist(tcp, now_ns);
    if (t->keepalive <= now_ns)
        on_keepalive(tcp, now_ns);
    tcp_timers_arm(tcp);
}
