/* The timers of a subflow: when each is due, and when the first of them is. */
#include "base/units.h"
#include "tcp/internal.h"

void tcp_timers_stop(struct tcp *tcp)
{
    struct tcp_flight *f = tcp->flight;
    tcp->timers = (struct tcp_timers){TIME_NEVER, TIME_NEVER, TIME_NEVER};
    if (f)
        f->timers.retransmit = f->timers.probe = f->timers.reorder = f->timers.fold = f->pacing.due_ns = TIME_NEVER;
}

void tcp_timers_arm(struct tcp *tcp)
{
    const struct tcp_timers *t = &tcp->timers;
    const struct tcp_flight *f = tcp->flight;
    uint64_t at = HW_MIN(t->delayed_ack, t->persist);
    if (f) {
        at = HW_MIN(at, HW_MIN(f->timers.retransmit, f->timers.probe));
        at = HW_MIN(at, HW_MIN(f->timers.reorder, f->timers.fold));
        at = HW_MIN(at, f->pacing.due_ns);
    }
    at = HW_MIN(at, t->keepalive);
    tcp->due_ns = tcp_rests(tcp) ? TIME_NEVER : at;
}

/* RFC 6298 5.1-5.3; a flight ends when RFC 5681 4.1 would have the next one restart. */
void tcp_arm_retransmit(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    uint64_t at = now_ns + rtt_timeout(&tcp->rtt);
    f->timers.retransmit = f->txq.count ? at : TIME_NEVER;
    f->timers.fold = f->txq.count ? TIME_NEVER : at;
}

void tcp_resume(struct tcp *tcp, uint64_t now_ns)
{
    if (!tcp->flight || tcp->flight->txq.count == 0 || tcp->flight->timeouts == 0)
        return;
    tcp->flight->timers.retransmit = now_ns;
    tcp_timers_arm(tcp);
}

/* RFC 9293 3.8.6.1: the interval between window probes grows like the retransmission timeout, but is no sign of loss
 * and leaves that one alone. */
static uint64_t window_probe_interval(const struct tcp *tcp)
{
    uint64_t interval = rtt_timeout(&tcp->rtt) << HW_MIN(tcp->liveness.window_probes, 16u);
    return HW_MIN(interval, RTO_MAX_NS);
}

bool tcp_is_held_back(struct tcp *tcp)
{
    bool fin_waits = tcp->fin_wanted && !tcp->fin_sent && tcp->state >= TCPS_ESTABLISHED;
    return fin_waits || tcp->hooks->blocked_by_window(tcp);
}

void tcp_update_persist(struct tcp *tcp, uint64_t now_ns)
{
    /* What is outstanding has the retransmission timer to keep asking. */
    bool wanted = tcp->state >= TCPS_ESTABLISHED && tcp->state != TCPS_TIME_WAIT && tcp_txq(tcp)->count == 0 &&
                  tcp_is_held_back(tcp);
    if (!wanted) {
        tcp->timers.persist = TIME_NEVER;
        tcp->liveness.window_probes = 0;
    } else if (tcp->timers.persist == TIME_NEVER) {
        tcp->timers.persist = now_ns + window_probe_interval(tcp);
    } else {
        return;
    }
    tcp_timers_arm(tcp);
}

void tcp_arm_keepalive(struct tcp *tcp, uint64_t wait_ns, uint64_t now_ns)
{
    tcp->timers.keepalive = wait_ns && wait_ns < TIME_NEVER - now_ns ? now_ns + wait_ns : TIME_NEVER;
}

void tcp_start_keepalive(struct tcp *tcp, uint64_t now_ns)
{
    tcp->liveness.heard_ns = now_ns;
    tcp->liveness.keepalive_probes = 0;
    tcp->liveness.hails = 0;
    tcp_arm_keepalive(tcp, tcp_keepalive_idle_ns(&tcp->config.patience->keepalive), now_ns);
}

void tcp_keepalive_changed(struct tcp *tcp)
{
    if (tcp->state < TCPS_ESTABLISHED || tcp->state == TCPS_TIME_WAIT || tcp->liveness.hails)
        return;
    tcp->liveness.keepalive_probes = 0;
    tcp_arm_keepalive(tcp, tcp_keepalive_idle_ns(&tcp->config.patience->keepalive), tcp->liveness.heard_ns);
    tcp_timers_arm(tcp);
}

/* The timer need not move with every segment: when it expires it waits for what is left since the last one. */
void tcp_heard(struct tcp *tcp, uint64_t now_ns)
{
    tcp->liveness.heard_ns = now_ns;
    if (tcp->liveness.keepalive_probes || tcp->liveness.hails)
        tcp_start_keepalive(tcp, now_ns);
}
