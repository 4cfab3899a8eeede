#include "tcp/tcp.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "tcp/internal.h"

/* RFC 9293 3.7.1: what to assume when the peer names no MSS. */
#define MSS_DEFAULT_V4 536
#define MSS_DEFAULT_V6 1220

static uint8_t window_scale_for(uint32_t window_max)
{
    uint8_t scale = 0;
    while (scale < TCP_WSCALE_MAX && window_max >> scale > UINT16_MAX)
        scale++;
    return scale;
}

static void on_deadline(struct deadline *deadline, uint64_t now_ns)
{
    tcp_run_timers(HW_CONTAINER(deadline, struct tcp, deadline), now_ns);
}

void tcp_init(struct tcp *tcp, const struct tcp_hooks *hooks, struct tcp_host *host, const struct tcp_config *config)
{
    memset(tcp, 0, sizeof *tcp);
    tcp->hooks = hooks;
    tcp->host = host;
    tcp->config = *config;
    tcp->snd_una = tcp->snd_nxt = SSN_ORIGIN;
    tcp->peer_mss = hawser_addr_is_v4(&config->remote) ? MSS_DEFAULT_V4 : MSS_DEFAULT_V6;
    tcp->rcv_wscale = window_scale_for(config->window_max);
    tcp->quick_acks = TCP_QUICK_ACKS;
    txq_init(&tcp->txq, &host->records, &host->env);
    rxseq_init(&tcp->rx, &host->env);
    rxseq_start(&tcp->rx, SSN_ORIGIN);
    tcp->rcv_edge = SSN_ORIGIN;
    rtt_init(&tcp->rtt);
    tcp_timers_stop(tcp);
    tcp->due_ns = TIME_NEVER;
    deadline_init(&tcp->deadline, on_deadline);
    tcp_settle_segment_size(tcp);
    cc_init(&tcp->cc, config->cc, tcp->segment_bytes);
}

void tcp_destroy(struct tcp *tcp)
{
    tcp_timers_stop(tcp);
    deadline_set(&tcp->host->timers, &tcp->deadline, TIME_NEVER);
    txq_destroy(&tcp->txq);
    rxseq_destroy(&tcp->rx);
    tcp->state = TCPS_CLOSED;
}

static int queue_syn(struct tcp *tcp, uint64_t now_ns)
{
    struct tx_record *syn = txq_append(&tcp->txq, tcp->snd_nxt);
    if (!syn)
        return -ENOMEM;
    syn->syn = true;
    syn->sent_ns = now_ns;
    tcp->snd_nxt++;
    txq_mark_lost(&tcp->txq, syn); /* "to be sent" */
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

int tcp_accept(struct tcp *tcp, const struct tcp_segment *syn, uint64_t now_ns)
{
    CHECK(tcp->state == TCPS_CLOSED);
    tcp_learn_options(tcp, syn, now_ns);
    int err = queue_syn(tcp, now_ns);
    if (err < 0)
        return err;
    tcp->state = TCPS_SYN_RECEIVED;
    tcp->hooks->wake(tcp);
    return 0;
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
    /* RFC 9293 3.10.5: nothing to reset where the peer has no connection yet or any more. */
    tcp->reset_wanted = tcp->state != TCPS_SYN_SENT && tcp->state != TCPS_TIME_WAIT;
    tcp_close_now(tcp, error, now_ns);
}
