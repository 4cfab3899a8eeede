#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "tcp/internal.h"

uint8_t tcp_window_scale(uint32_t window_max)
{
    uint8_t scale = 0;
    while (scale < TCP_WSCALE_MAX && window_max >> scale > UINT16_MAX)
        scale++;
    return scale;
}

void tcp_init(struct tcp *tcp, const struct tcp_hooks *hooks, struct tcp_host *host, const struct tcp_config *config,
              const struct hawser_congestion *cc, uint32_t window_max)
{
    memset(tcp, 0, sizeof *tcp);
    tcp->hooks = hooks;
    tcp->host = host;
    tcp->config = *config;
    tcp->snd_una = tcp->snd_nxt = SSN_ORIGIN;
    tcp->peer_mss = tcp_assumed_mss(&config->remote);
    if (config->path.mtu == 0 || config->path.mtu > config->mtu)
        tcp->config.path.mtu = config->mtu;
    tcp->rcv_wscale = tcp_window_scale(window_max);
    tcp->acking.quick = TCP_QUICK_ACKS;
    tcp->acking.full_bytes = TCP_FULL_BYTES;
    tcp->rations = tcp_rations_of(0);
    rxseq_init(&tcp->rx, &host->disorders);
    rxseq_start(&tcp->rx, SSN_ORIGIN);
    tcp->rcv_edge = SSN_ORIGIN;
    rtt_init(&tcp->rtt);
    tcp_timers_stop(tcp);
    tcp->due_ns = TIME_NEVER;
    tcp_settle_segment_size(tcp);
    tcp_begin_window(tcp, cc);
}

void tcp_destroy(struct tcp *tcp)
{
    tcp_timers_stop(tcp);
    tcp->due_ns = TIME_NEVER;
    tcp_fold(tcp);
    rxseq_destroy(&tcp->rx);
    tcp->state = TCPS_CLOSED;
}

static int queue_syn(struct tcp *tcp, uint64_t now_ns)
{
    struct tx_record *syn = tcp_append(tcp, now_ns);
    if (!syn)
        return -ENOMEM;
    syn->syn = true;
    syn->sent_ns = now_ns;
    tcp->snd_nxt++;
    txq_mark_lost(&tcp->flight->txq, syn); /* "to be sent" */
    return 0;
}

int tcp_connect(struct tcp *tcp, uint64_t now_ns)
{
    CHECK(tcp->state == TCPS_CLOSED);
    int err = queue_syn(tcp, now_ns);
    if (err < 0)
        return err;
    tcp->state = TCPS_SYN_SENT;
    tcp->hooks->wake(tcp);
    return 0;
}

void tcp_open_passive(struct tcp *tcp, const struct tcp_opened *opened, uint64_t now_ns)
{
    CHECK(tcp->state == TCPS_CLOSED);
    tcp->config.iss = opened->iss;
    tcp->config.ts_offset = opened->ts_offset;
    tcp->rcv_wscale = tcp_window_scale(opened->window_max);
    tcp_take_terms(tcp, &opened->terms);
    tcp->rcv_edge += opened->rcv_wnd;
    tcp->snd_una = tcp->snd_nxt = SSN_ORIGIN + 1;
    tcp->snd_wnd = tcp->snd_wnd_max = opened->snd_wnd;
    if (opened->rtt_ns)
        rtt_sample(&tcp->rtt, opened->rtt_ns, now_ns);
    if (opened->synack_lost)
        tcp_note_lost_syn(tcp);
    tcp_set_state(tcp, TCPS_ESTABLISHED, now_ns);
}

void tcp_shutdown(struct tcp *tcp, uint64_t now_ns)
{
    if (tcp->fin_wanted || tcp->state == TCPS_CLOSED)
        return;
    if (tcp->state == TCPS_SYN_SENT) { /* RFC 9293 3.10.4 */
        tcp_close_now(tcp, 0, now_ns);
        return;
    }
    tcp->fin_wanted = true;
    tcp->hooks->wake(tcp);
}

void tcp_abort(struct tcp *tcp, int error, uint64_t now_ns)
{
    if (tcp->state == TCPS_CLOSED)
        return;
    /* RFC 9293 3.10.5: nothing to reset where the peer has no connection yet or any more; but it has one if its SYN/ACK
     * is what we abort for (RFC 8684 3.2). */
    tcp->reset_wanted = tcp->rx.next > SSN_ORIGIN && tcp->state != TCPS_TIME_WAIT && tcp->config.link != TCP_NO_LINK;
    tcp_close_now(tcp, error, now_ns);
}

void tcp_rest(struct tcp *tcp, int error, uint64_t now_ns)
{
    struct tcp_liveness *l = &tcp->liveness;
    if (l->unanswered_since_ns && tcp_txq(tcp)->count) /* that silence was the peer's */
        l->stuck_ns += now_ns - l->unanswered_since_ns;
    l->unanswered_since_ns = 0;
    if (tcp_txq(tcp)->count == 0)
        tcp_fold(tcp);
    tcp->error = error;
    tcp->resting = true;
    tcp_timers_arm(tcp);
}

void tcp_lose_link(struct tcp *tcp)
{
    tcp->config.link = TCP_NO_LINK;
    tcp->reset_wanted = false;
    tcp->hooks->wake(tcp); /* it may be finished now */
}

/* What was due while it was away is; but nothing of that was the path's doing, nor the peer's. */
static void send_again(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_flight *f = tcp->flight;
    f->timers.probe = f->timers.reorder = TIME_NEVER;
    if (f->timers.retransmit > now_ns) {
        f->timers.retransmit = HW_MIN(f->timers.retransmit, now_ns + rtt_timeout(&tcp->rtt));
        return;
    }
    tcp_path_forget_probe(tcp);
    tcp_recovery_on_timeout(tcp, now_ns);
    tcp_arm_retransmit(tcp, now_ns);
}

void tcp_go_on(struct tcp *tcp, uint64_t now_ns)
{
    tcp->error = 0;
    tcp->resting = false;
    tcp->rtt.backoff = 0;
    tcp->liveness.unanswered_since_ns = 0;
    tcp->liveness.keepalive_probes = 0;
    tcp->liveness.hails = 0;
    if (tcp_txq(tcp)->count) {
        tcp_arm_keepalive(tcp, tcp_keepalive_idle_ns(&tcp->config.patience->keepalive), now_ns);
        send_again(tcp, now_ns);
    } else {
        (void)tcp_hail(tcp, now_ns);
    }
    tcp_timers_arm(tcp);
    tcp->hooks->wake(tcp);
}
