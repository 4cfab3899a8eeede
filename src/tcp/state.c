/* What every part of a subflow does to its state: what a handshake settles, how it ends, and what shall leave next. */
#include "base/compiler.h"
#include "tcp/internal.h"

/* A peer may name any MSS; below this, headers would drown the payload (RFC 9293 3.7.1 leaves the floor to us). */
#define MSS_FLOOR 88
#define TIMESTAMP_OPTION_LEN 12

const char *tcp_state_name(enum tcp_state state)
{
    static const char *const names[] = {
        [TCPS_CLOSED] = "CLOSED",           [TCPS_SYN_SENT] = "SYN-SENT",     [TCPS_SYN_RECEIVED] = "SYN-RECEIVED",
        [TCPS_ESTABLISHED] = "ESTABLISHED", [TCPS_FIN_WAIT_1] = "FIN-WAIT-1", [TCPS_FIN_WAIT_2] = "FIN-WAIT-2",
        [TCPS_CLOSE_WAIT] = "CLOSE-WAIT",   [TCPS_CLOSING] = "CLOSING",       [TCPS_LAST_ACK] = "LAST-ACK",
        [TCPS_TIME_WAIT] = "TIME-WAIT",
    };
    return names[state];
}

/* The payload of a full segment: our link's limit and the peer's, less the options every data segment carries. */
void tcp_settle_segment_size(struct tcp *tcp)
{
    uint32_t headers = TCP_HEADER_LEN + (hawser_addr_is_v4(&tcp->config.remote) ? 20 : 40);
    uint32_t mss = HW_MIN(tcp->config.mtu - headers, tcp->peer_mss);
    uint32_t options = tcp->config.upper_overhead + (tcp->timestamps ? TIMESTAMP_OPTION_LEN : 0);
    tcp->segment_bytes = HW_MAX(mss, MSS_FLOOR) - options;
}

void tcp_set_state(struct tcp *tcp, enum tcp_state state, uint64_t now_ns)
{
    enum tcp_state before = tcp->state;
    tcp->state = state;
    if (state == TCPS_ESTABLISHED && before != TCPS_ESTABLISHED) {
        tcp->round_end = tcp->snd_nxt;
        tcp_start_keepalive(tcp, now_ns);
        tcp->hooks->event(tcp, TCP_EVENT_ESTABLISHED, now_ns);
    }
}

void tcp_learn_options(struct tcp *tcp, const struct tcp_segment *syn, uint64_t now_ns)
{
    const struct tcp_options *o = syn->options;
    tcp->irs = syn->header.seq.v;
    rxseq_start(&tcp->rx, SSN_ORIGIN + 1);
    tcp->rcv_edge = tcp->last_ack_sent = SSN_ORIGIN + 1;
    if (o->present & TCP_OPT_MSS)
        tcp->peer_mss = HW_MAX(o->mss, MSS_FLOOR);
    tcp->window_scaling = o->present & TCP_OPT_WSCALE;
    if (tcp->window_scaling)
        tcp->snd_wscale = HW_MIN(o->wscale, TCP_WSCALE_MAX);
    else
        tcp->rcv_wscale = 0; /* RFC 7323 2.2: both or neither */
    tcp->sack = o->present & TCP_OPT_SACK_PERMITTED;
    tcp->timestamps = o->present & TCP_OPT_TIMESTAMPS;
    if (tcp->timestamps) {
        tcp->ts_recent = o->ts_val;
        tcp->ts_recent_at_ns = now_ns;
    }
    /* The window of a SYN is never scaled (RFC 7323 2.2). */
    tcp->snd_wnd = tcp->snd_wnd_max = syn->header.window;
    tcp->snd_wl1 = SSN_ORIGIN;
    tcp->snd_wl2 = tcp->snd_una;
    tcp_settle_segment_size(tcp);
    cc_init(&tcp->cc, tcp->config.cc, tcp->segment_bytes);
}

void tcp_close_now(struct tcp *tcp, int error, uint64_t now_ns)
{
    if (tcp->state == TCPS_CLOSED)
        return;
    tcp->error = error;
    tcp->state = TCPS_CLOSED;
    tcp->fin_wanted = tcp->ack_now = tcp->signal_now = false;
    tcp_timers_stop(tcp);
    tcp_timers_arm(tcp);
    tcp->hooks->event(tcp, TCP_EVENT_CLOSED, now_ns);
    tcp->hooks->wake(tcp); /* somebody may have to free it */
}

void tcp_enter_time_wait(struct tcp *tcp, uint64_t now_ns)
{
    tcp->state = TCPS_TIME_WAIT;
    tcp_timers_stop(tcp);
    tcp_timers_arm(tcp);
    tcp->hooks->event(tcp, TCP_EVENT_TIME_WAIT, now_ns);
}

void tcp_signal_now(struct tcp *tcp)
{
    tcp_ack_now(tcp);
    tcp->signal_now = tcp->ack_now;
}

void tcp_ack_soon(struct tcp *tcp, uint64_t now_ns)
{
    if (tcp->state < TCPS_ESTABLISHED || tcp->timers.delayed_ack != TIME_NEVER)
        return;
    tcp->timers.delayed_ack = now_ns + TCP_DELAYED_ACK_NS;
    tcp_timers_arm(tcp);
}

void tcp_probe_now(struct tcp *tcp)
{
    if (tcp->state < TCPS_ESTABLISHED)
        return;
    tcp->probe_wanted = true;
    tcp->hooks->wake(tcp);
}

void tcp_ack_now(struct tcp *tcp)
{
    if (tcp->state == TCPS_CLOSED || tcp->state == TCPS_SYN_SENT)
        return;
    tcp->ack_now = true;
    tcp->hooks->wake(tcp);
}
