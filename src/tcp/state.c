/* What every part of a subflow does to its state: what a handshake settles, how it ends, and what shall leave next. */
#include "base/compiler.h"
#include "tcp/internal.h"

/* RFC 9293 3.7.1: what to assume when the peer names no MSS. */
#define MSS_DEFAULT_V4 536
#define MSS_DEFAULT_V6 1220
/* A peer may name any MSS, and options count (RFC 9293 3.7.1). Of less than this the longest ones would leave nothing;
 * nor is there a host that takes less, for a path that is fit for IPv4 takes packets of 68 bytes (RFC 791 3.2), and
 * what is reassembled may have 576. */
#define MSS_FLOOR (TCP_OPTION_SPACE + 8)
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

uint32_t tcp_overhead(const struct tcp *tcp)
{
    return tcp_headers(tcp) + tcp->config.upper_overhead + (tcp->ts.used ? TIMESTAMP_OPTION_LEN : 0);
}

/* The payload of a full segment: the path's limit and the peer's, less the options every data segment carries. */
void tcp_settle_segment_size(struct tcp *tcp)
{
    uint32_t headers = tcp_headers(tcp);
    uint32_t mss = HW_MIN(tcp->config.path.mtu - headers, tcp->peer_mss);
    tcp->segment_bytes = HW_MAX(mss, MSS_FLOOR) - (tcp_overhead(tcp) - headers);
}

/* RFC 5961 7, and likewise for what else is rationed. */
struct tcp_rations *tcp_rations_now(struct tcp *tcp, uint64_t now_ns)
{
    uint32_t now_ms = (uint32_t)(now_ns / NS_PER_MS);
    if (now_ms - tcp->rations.since_ms >= 1000)
        tcp->rations = tcp_rations_of(now_ms);
    return &tcp->rations;
}

void tcp_begin_window(struct tcp *tcp, const struct hawser_congestion *policy)
{
    tcp->cc = (struct tcp_window){
        .policy = policy, .cwnd_bytes = cc_initial_window(tcp->segment_bytes), .ssthresh_bytes = UINT32_MAX};
}

void tcp_note_lost_syn(struct tcp *tcp)
{
    tcp->cc.cwnd_bytes = tcp->segment_bytes; /* RFC 5681 3.1 */
    if (tcp->rtt.srtt_ns == 0)
        rtt_syn_lost(&tcp->rtt);
}

void tcp_set_state(struct tcp *tcp, enum tcp_state state, uint64_t now_ns)
{
    enum tcp_state before = tcp->state;
    tcp->state = state;
    if (state == TCPS_ESTABLISHED && before != TCPS_ESTABLISHED) {
        tcp->config.path.looked_min = (uint8_t)(now_ns / (60 * NS_PER_S));
        if (tcp->handshake_tries > 1)
            tcp_note_lost_syn(tcp);
        if (tcp->flight) {
            tcp->flight->round_end = tcp->snd_nxt;
            tcp->flight->search.raise_ns = tcp_raise_due(tcp, now_ns);
        }
        tcp_start_keepalive(tcp, now_ns);
        tcp_user_timeout_changed(tcp); /* RFC 5482 3: once more without SYN */
        tcp->hooks->event(tcp, TCP_EVENT_ESTABLISHED, now_ns);
    }
}

uint16_t tcp_assumed_mss(const struct hawser_addr *peer)
{
    return hawser_addr_is_v4(peer) ? MSS_DEFAULT_V4 : MSS_DEFAULT_V6;
}

void tcp_read_terms(struct tcp_terms *terms, const struct tcp_segment *syn, const struct hawser_addr *peer,
                    uint64_t now_ns)
{
    const struct tcp_options *o = syn->options;
    *terms = (struct tcp_terms){
        .irs = syn->header.seq.v,
        .mss = o->present & TCP_OPT_MSS ? (uint16_t)HW_MAX(o->mss, MSS_FLOOR) : tcp_assumed_mss(peer),
        .window_scaling = o->present & TCP_OPT_WSCALE,
        .sack = o->present & TCP_OPT_SACK_PERMITTED,
        .timestamps = o->present & TCP_OPT_TIMESTAMPS,
    };
    if (terms->window_scaling)
        terms->wscale = (uint8_t)HW_MIN(o->wscale, TCP_WSCALE_MAX);
    if (terms->timestamps) {
        terms->ts_recent = o->ts_val;
        terms->ts_recent_at_ns = now_ns;
    }
}

void tcp_drop_upper_options(struct tcp *tcp)
{
    if (tcp->config.upper_overhead == 0)
        return;
    tcp->config.upper_overhead = 0;
    tcp_settle_segment_size(tcp);
    if (tcp->snd_una > SSN_ORIGIN)
        return;
    tcp->cc.cwnd_bytes = cc_initial_window(tcp->segment_bytes); /* nothing but a SYN was sent */
    if (tcp->flight)
        tcp->flight->pacing.burst = tcp->cc.cwnd_bytes;
}

void tcp_take_terms(struct tcp *tcp, const struct tcp_terms *terms)
{
    tcp->irs = terms->irs;
    rxseq_start(&tcp->rx, SSN_ORIGIN + 1);
    tcp->rcv_edge = tcp->acking.last_sent = SSN_ORIGIN + 1;
    tcp->peer_mss = terms->mss;
    tcp->window_scaling = terms->window_scaling;
    tcp->snd_wscale = terms->wscale;
    if (!terms->window_scaling)
        tcp->rcv_wscale = 0; /* RFC 7323 2.2: both or neither */
    tcp->sack = terms->sack;
    tcp->ts = (struct tcp_timestamps){
        .used = terms->timestamps,
        .recent = terms->ts_recent,
        .recent_at_s = (uint32_t)(terms->ts_recent_at_ns / NS_PER_S),
    };
    tcp->snd_wl1 = SSN_ORIGIN;
    tcp_settle_segment_size(tcp);
    tcp_begin_window(tcp, tcp->cc.policy);
}

void tcp_learn_options(struct tcp *tcp, const struct tcp_segment *syn, uint64_t now_ns)
{
    struct tcp_terms terms;
    tcp_read_terms(&terms, syn, &tcp->config.remote, now_ns);
    tcp_take_terms(tcp, &terms);
    if (tcp->flight)
        tcp_congestion_begin(tcp, now_ns);
    /* The window of a SYN is never scaled (RFC 7323 2.2). */
    tcp->snd_wnd = tcp->snd_wnd_max = syn->header.window;
}

void tcp_close_now(struct tcp *tcp, int error, uint64_t now_ns)
{
    if (tcp->state == TCPS_CLOSED)
        return;
    tcp->error = error;
    tcp->state = TCPS_CLOSED;
    tcp->resting = false;
    tcp->fin_wanted = tcp->acking.now = tcp->acking.signal = tcp->acking.asked = false;
    tcp_timers_stop(tcp);
    tcp_timers_arm(tcp);
    tcp->hooks->event(tcp, TCP_EVENT_CLOSED, now_ns);
    tcp->hooks->wake(tcp); /* somebody may have to free it */
}

void tcp_enter_time_wait(struct tcp *tcp, uint64_t now_ns)
{
    tcp->state = TCPS_TIME_WAIT;
    tcp_timers_stop(tcp);
    tcp_fold(tcp);
    tcp_timers_arm(tcp);
    tcp->hooks->event(tcp, TCP_EVENT_TIME_WAIT, now_ns);
}

void tcp_signal_now(struct tcp *tcp)
{
    tcp_ack_now(tcp);
    tcp->acking.signal = tcp->acking.now;
}

void tcp_user_timeout_changed(struct tcp *tcp)
{
    bool open = tcp->state >= TCPS_ESTABLISHED && tcp->state != TCPS_TIME_WAIT;
    tcp->acking.user_timeout = open && user_timeout_advertised(&tcp->config.patience->user_timeout);
    if (tcp->acking.user_timeout)
        tcp_signal_now(tcp);
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

void tcp_question_now(struct tcp *tcp)
{
    tcp_probe_now(tcp);
    tcp->time_wanted = tcp->probe_wanted && !(tcp->acking.signal && tcp->snd_una == tcp->snd_nxt);
}

bool tcp_hail(struct tcp *tcp, uint64_t now_ns)
{
    struct tcp_liveness *l = &tcp->liveness;
    bool more = l->hails < TCP_HAILS;
    if (more) {
        tcp_probe_now(tcp);
        tcp_arm_keepalive(tcp, NS_PER_S << l->hails++, now_ns);
    }
    return more;
}

void tcp_ack_now(struct tcp *tcp)
{
    if (tcp->state == TCPS_CLOSED || tcp->state == TCPS_SYN_SENT)
        return;
    tcp->acking.now = true;
    tcp->hooks->wake(tcp);
}
