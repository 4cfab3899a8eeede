/*
 * One TCP subflow (RFC 9293): handshake, sequence space, acknowledgement, loss recovery, timers. It knows nothing of
 * MPTCP and stores no payload: the layer above hangs on one table of hooks, gives it slices to send and takes slices as
 * they arrive.
 *
 * Inside a subflow a sequence number is the relative subflow sequence number of RFC 8684 (the SYN has 0, the first byte
 * 1) extended to 64 bits and raised by SSN_ORIGIN, so that plain comparison is right even for what lies before the SYN.
 * The 32-bit numbers of the wire appear only where segments are read and written.
 *
 * Reading order: tcp.c (life), input.c (arrival), ack.c (acknowledgement), recovery.c (loss, with rack.c, dupack.c,
 * tail_probe.c, prr.c and undo.c), path_mtu.c (size), output.c (departure), congestion.c (how much, and how fast, with
 * rate.c and pacing.c), timers.c (when), expiry.c (what then), state.c (what all of them do to the state).
 */
#ifndef HW_TCP_TCP_H
#define HW_TCP_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>
#include <hawser/packet.h>

#include "base/buf.h"
#include "base/counters.h"
#include "base/deadline.h"
#include "base/iset.h"
#include "base/pool.h"
#include "base/seq.h"
#include "cc/cc.h"
#include "tcp/pacing.h"
#include "tcp/path_mtus.h"
#include "tcp/prr.h"
#include "tcp/rtt.h"
#include "tcp/rxseq.h"
#include "tcp/txq.h"
#include "tcp/undo.h"
#include "tcp/user_timeout.h"
#include "wire/tcp.h"
#include "wire/tcp_options.h"

#define SSN_ORIGIN (UINT64_C(1) << 32)

/* RFC 9293 3.3.2; LISTEN is the stack's affair. */
enum tcp_state {
    TCPS_CLOSED,
    TCPS_SYN_SENT,
    TCPS_SYN_RECEIVED,
    TCPS_ESTABLISHED,
    TCPS_FIN_WAIT_1,
    TCPS_FIN_WAIT_2,
    TCPS_CLOSE_WAIT,
    TCPS_CLOSING,
    TCPS_LAST_ACK,
    TCPS_TIME_WAIT,
};

/* What the layer above learns. */
enum tcp_event {
    TCP_EVENT_ESTABLISHED, /* the handshake is over */
    TCP_EVENT_FIN,         /* the peer's FIN arrived, in order */
    TCP_EVENT_SILENT,      /* two round trips without an answer: the path may be dead */
    TCP_EVENT_TIMEOUT,     /* the retransmission timer expired: it very likely is */
    TCP_EVENT_ALIVE,       /* the first acknowledgement of new data after silence or timeouts */
    TCP_EVENT_ASKED,       /* the peer's keepalive asks whether we are there: tcp_answer() */
    TCP_EVENT_TIME_WAIT, /* both directions are closed; once its acknowledgement has left it may be freed, and somebody
                            else answers late segments */
    TCP_EVENT_CLOSED,    /* over; tcp->error says why (0: in order). The subflow may be freed from a later call */
};

/* A segment that arrived. */
struct tcp_segment {
    struct tcp_header header;
    struct tcp_options *options;
    uint64_t ssn;           /* of its first sequence number */
    uint64_t ack;           /* in our own sequence space; meaningless without TCP_ACK */
    struct slice payload;   /* references are the caller's */
    uint16_t wire_segments; /* how many were merged into it, at least 1 */
    uint16_t wire_bytes;    /* payload of the largest of them */
    bool authentic;         /* a RST that says what only the peer knows */
};

struct tcp;

/* The one table by which the layer above takes part. No pointer may be NULL. */
struct tcp_hooks {
    /* Adds the upper layer's options to a segment about to leave. `record` is what is being sent, NULL on a segment
     * that takes no sequence space. `flags` are the segment's TCP flags. */
    void (*write_options)(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options);
    /* What of those options found room. */
    void (*options_sent)(struct tcp *tcp, const struct tcp_options *sent);
    /* A segment passed every check of TCP and is about to take effect. False: forget it (it was counted). */
    bool (*segment)(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns);
    /* Payload bytes that arrived for the first time, in whatever order. Returns how many from the front found room; the
     * others count as not arrived and the peer sends them again. */
    uint32_t (*receive)(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns);
    /* A segment has taken effect: acknowledgement and payload, if any. */
    void (*progress)(struct tcp *tcp, uint64_t now_ns);
    void (*event)(struct tcp *tcp, enum tcp_event event, uint64_t now_ns);
    /* Bytes the peer may send now, for a window field that can say `most`. */
    uint32_t (*window)(struct tcp *tcp, uint32_t most);
    /* Data waits that only the peer's window holds back: keep probing it. */
    bool (*blocked_by_window)(struct tcp *tcp);
    /* Fills `out` with the subflows of the same connection for a coupled controller; returns how many. */
    size_t (*siblings)(struct tcp *tcp, struct hawser_sibling *out, size_t max);
    /* Who pays for the records of what is outstanding, or of what arrived out of order. */
    struct account *(*payer)(struct tcp *tcp, bool sending);
    /* Output is waiting: see that tcp_output() is called. */
    void (*wake)(struct tcp *tcp);
};

/* What all subflows of a stack share. */
struct tcp_host {
    struct hawser_env env;
    struct deadline_queue timers;
    struct pool records;   /* of struct tx_record */
    struct pool flights;   /* of struct tcp_flight */
    struct pool disorders; /* of struct rx_disorder */
    struct path_mtus path_mtus;
    struct counters counters;
};

/* RFC 9293 3.8.4 */
struct tcp_keepalive {
    uint32_t idle_ms, interval_ms; /* silence before the first question, and between questions; idle 0: never asks */
    uint32_t tries : 31;           /* questions without an answer */
    uint32_t passed_on : 1;        /* the peer's are the upper layer's to answer */
};
#define TCP_KEEPALIVE_TRIES_MAX (UINT32_MAX >> 1)
static inline uint64_t tcp_keepalive_idle_ns(const struct tcp_keepalive *k) { return ns_of_ms(k->idle_ms); }
static inline uint64_t tcp_keepalive_interval_ns(const struct tcp_keepalive *k) { return ns_of_ms(k->interval_ms); }

/* With a peer that does not answer. */
struct tcp_patience {
    struct tcp_keepalive keepalive;
    struct user_timeout user_timeout;
};

/* What the path takes (RFC 1191, 8201; RFC 4821 where routers say nothing). Sizes are of whole packets, bytes. */
struct tcp_path {
    uint16_t mtu;       /* none larger leaves but to find out whether it arrives */
    uint8_t looked_min; /* when that was found out, in minutes */
    uint8_t icmp_error; /* that came about what is under way: an errno; 0 when something was acknowledged since */
};

#define TCP_NO_LINK UINT8_MAX

/* Fixed when the subflow opens, but for `path`, the link when it goes on after a rest, and options that are no more. */
struct tcp_config {
    struct hawser_addr local, remote;
    uint32_t iss;                  /* our initial sequence number (RFC 6528) */
    uint32_t ts_offset;            /* added to our timestamps (RFC 7323 5.4) */
    uint16_t mtu;                  /* of the link */
    struct tcp_path path;          /* what is known when it opens, or an MTU of 0 */
    uint16_t gso_bytes;            /* largest payload of a super-segment the link takes; 0: none */
    uint8_t link;                  /* index of the link, or TCP_NO_LINK */
    uint8_t upper_overhead;        /* option bytes the upper layer puts on data segments, padded */
    struct tcp_patience *patience; /* borrowed; the subflows of a connection share it */
};

/* The episode of recovery, if there is one. */
struct tcp_recovery {
    bool active;            /* fast recovery or after a timeout, until `point` is acknowledged */
    uint64_t timed_out_ns;  /* the episode's last timeout: slow start, not PRR; 0: it is none that began with one */
    uint64_t point;         /* snd_nxt when the episode began */
    uint64_t careful_until; /* duplicate acknowledgements below may be our own doing */
    uint64_t undone_until;  /* no other episode is undone before that is acknowledged */
    uint32_t cwnd;          /* PRR's window while the episode lasts, in place of the controller's */
};

/* The most recently sent of what was delivered, by which all else is judged (RACK, RFC 8985 6). */
struct tcp_rack {
    uint64_t sent_ns;              /* its last transmission; 0: nothing was delivered yet */
    uint64_t end;                  /* and its end */
    uint64_t rtt_ns;               /* and how long it took */
    uint64_t highest, highest_now; /* end of the highest record delivered: before this acknowledgement, and with it */
    uint64_t widened_until;        /* the reordering window was widened for the round trip until this is acknowledged */
};

enum tail_probe_wanted { TAIL_NOTHING, TAIL_NEW_DATA, TAIL_AGAIN };

/* RFC 8985 7 */
struct tcp_tail_probe {
    uint64_t end;                  /* snd_nxt when the last one left, until it is answered; 0: none is outstanding */
    bool again;                    /* it was the last segment once more */
    bool unmeasured;               /* no round trip was measured since */
    enum tail_probe_wanted wanted; /* leaves next, be the congestion window full */
};

/* Of a peer without SACK, since its last acknowledgement of something new. */
struct tcp_duplicates {
    uint32_t count;
    uint32_t bytes; /* that must have arrived therefore */
};

/* The same while something is under way. */
struct tcp_path_search {
    uint64_t raise_ns; /* a larger packet is tried from then on; or TIME_NEVER */
    uint64_t probe_ssn;
    /* A router says that the limit is `claim`, though larger ones arrived: believed when the segment of which it says
     * so, `claim_ssn`, is not answered. 0: none says so. */
    uint64_t claim_ssn;
    uint16_t claim;
    uint16_t passed;   /* the largest that was acknowledged */
    uint16_t probing;  /* is under way to find out, from `probe_ssn` on; 0: none */
    uint16_t next;     /* is tried next; 0: the largest */
    uint16_t too_big;  /* the smallest that did not arrive; 0: none is known */
    uint8_t timeouts;  /* of large packets, since one was acknowledged */
    uint32_t ssthresh; /* before a timeout that may have been for their size; 0: there was none, or it was not */
};

/*
 * What a subflow needs only while something of it is under way, and for a timeout afterwards: a record from the host's
 * pool that comes with what is sent first and goes when the subflow has been idle. What a path has taught stays in
 * struct tcp: the round-trip time, ssthresh and what the controller keeps (struct hawser_flow), whether it reorders.
 */
struct tcp_flight {
    struct txq txq;
    struct tcp_recovery recovery;
    struct tcp_rack rack;
    struct tcp_tail_probe tail;
    struct tcp_duplicates duplicates;
    struct prr prr;
    struct undo undo;
    struct {
        uint64_t retransmit, probe, reorder;
        uint64_t fold; /* it has been idle for long enough */
    } timers;
    uint64_t round_end;     /* a round trip ends when this is acknowledged */
    uint64_t limited_until; /* what was in flight when the congestion window was last full ends here */
    uint64_t last_data_ns;
    uint64_t stray_ack; /* of an old connection's segment that met our SYN, to be answered by a RST; 0: none */
    uint32_t last_echo; /* newest timestamp of ours that came back with an acknowledgement of data */
    uint8_t timeouts;   /* in a row, since something was acknowledged, up to 255 */
    bool alive_pending; /* it went silent or timed out, and nothing new was acknowledged since */
    struct tcp_path_search search;
    struct rate rate;
    struct pacing pacing;
    struct hawser_flow flow; /* as the controller sees it */
    bool asked;              /* the layer above was, for what is to be sent, since the last acknowledgement */
    uint64_t controller[];   /* the memory of the controller */
};
static inline size_t tcp_flight_bytes(const struct hawser_congestion *policy)
{
    return sizeof(struct tcp_flight) + policy->state_bytes;
}

/* Does the path deliver out of order, and how far (RFC 8985 6.2, step 4)? */
struct tcp_reordering {
    bool seen;
    uint8_t widened;         /* the reordering window is so many quarters of the least round trip more than one */
    uint8_t recoveries_left; /* until it is not, unless duplicates come */
};

/* What a controller has set, and keeps through idleness (hawser/congestion.h). */
struct tcp_window {
    const struct hawser_congestion *policy;
    uint64_t pacing_bps;
    uint32_t cwnd_bytes, ssthresh_bytes;
    uint32_t kept[HAWSER_CONGESTION_KEPT];
};

/* When each of the other timers is due; TIME_NEVER when it is not running. */
struct tcp_timers {
    uint64_t delayed_ack, persist, keepalive;
};

/* RFC 7323 */
struct tcp_timestamps {
    uint32_t recent, recent_at_s;
    bool used;
};

/* What we owe the peer for what it sent. */
struct tcp_acking {
    uint64_t last_sent;     /* rcv_nxt of our last segment (RFC 7323 4.3) */
    uint32_t unacked_bytes; /* arrived since our last acknowledgement */
    uint16_t full_bytes;    /* payload of a full segment of the peer's, by those that came */
    uint16_t lesser_bytes;  /* the largest of those in a row that were smaller, */
    uint8_t lesser;         /* and how many these are */
    uint8_t quick;          /* segments still to be acknowledged at once */
    uint8_t duplicates;     /* acknowledgements for what came out of order, one each, with `now` */
    bool now;               /* a segment with an acknowledgement must leave */
    bool signal;            /* a bare one must */
    bool asked : 1;         /* its keepalive waits for tcp_answer() */
    bool user_timeout : 1;  /* the peer is to be told of ours */
    uint8_t opened : 2; /* how often it is to be told once more that a window is open again, until something comes */
};

/* Is the peer there? */
struct tcp_liveness {
    uint64_t unanswered_since_ns; /* the first timeout or window probe since the peer last answered; 0: none */
    uint64_t stuck_ns;            /* what of such times passed until the window shut, since anything was acknowledged */
    uint64_t heard_ns;            /* when a segment last passed every check */
    uint8_t window_probes;        /* since the window shut, up to 255 */
    uint8_t hails;                /* questions since a rest, as long as nothing is heard; 0: there are none to come */
    uint16_t timeouts;            /* in all, up to 65535 */
    uint32_t keepalive_probes;    /* since it was heard */
};

/* Answers to what is no part of the connection, still allowed in the second that began at `since_ms`. */
struct tcp_rations {
    uint32_t since_ms;
    uint8_t challenges;    /* RFC 5961 7 */
    uint8_t repeats;       /* to segments outside of the window that take sequence space */
    uint8_t keepalives;    /* and to those that ask whether we are there */
    uint8_t icmp : 4;      /* errors that are acted on */
    uint8_t questions : 4; /* that others have us ask: tcp_ask() */
};

struct tcp {
    const struct tcp_hooks *hooks;
    struct tcp_host *host;
    struct tcp_config config;
    enum tcp_state state;
    int error;                 /* negative errno: why it is CLOSED, or rests */
    struct tcp_flight *flight; /* NULL: idle */

    /* sending (RFC 9293 3.3.1) */
    uint64_t snd_una, snd_nxt;
    uint64_t snd_wl1; /* the highest number of a segment whose window was taken */
    uint32_t snd_wnd, snd_wnd_max;
    uint32_t segment_bytes; /* payload of a full wire segment with the usual options */
    uint16_t peer_mss;
    uint8_t snd_wscale;
    bool fin_wanted, fin_sent;
    struct tcp_reordering reordering;
    uint8_t handshake_tries; /* SYNs or SYN/ACKs sent */

    /* receiving */
    uint8_t rcv_wscale;
    uint32_t irs;
    struct rxseq rx;
    uint64_t fin_at;   /* sequence number of the peer's FIN; 0: not seen */
    uint64_t rcv_edge; /* right edge of the window we advertised last */
    struct tcp_acking acking;

    struct tcp_timestamps ts;
    bool sack, window_scaling;
    bool probe_wanted : 1; /* send a probe */
    bool time_wanted : 1;  /* and before it the time, where a peer that lacks something takes it */
    bool reset_wanted;     /* send a RST, then be gone */
    bool resting;          /* nothing can leave or arrive for now: tcp_rest() */
    struct rtt rtt;
    struct tcp_window cc;
    struct tcp_timers timers;
    uint64_t due_ns; /* when the first timer is; TIME_NEVER: none runs */
    struct tcp_rations rations;
    struct tcp_liveness liveness;
    uint64_t recv_bytes, retransmitted_bytes;
};

/* The packets being filled for one hawser_stack_output() call. */
struct tx_batch {
    struct hawser_tx *packets;
    size_t count, max;
};
static inline bool tx_batch_full(const struct tx_batch *b) { return b->count == b->max; }

/* ---- life (tcp.c) ---- */

/* Prepares a closed subflow. `window_max` is the largest window that will ever be offered, bytes: it decides the window
 * scale. */
void tcp_init(struct tcp *tcp, const struct tcp_hooks *hooks, struct tcp_host *host, const struct tcp_config *config,
              const struct hawser_congestion *cc, uint32_t window_max);
/* Frees what it holds, without a word on the wire and without an event. */
void tcp_destroy(struct tcp *tcp);

/* Active open: SYN-SENT, the SYN waits for tcp_output(). Returns 0 or -ENOMEM. */
int tcp_connect(struct tcp *tcp, uint64_t now_ns);

/* What a SYN says of its sender, as far as we go along with it. */
struct tcp_terms {
    uint32_t irs;
    uint16_t mss; /* what is to be assumed where it says nothing, or too little */
    uint8_t wscale;
    bool window_scaling, sack, timestamps;
    uint32_t ts_recent;
    uint64_t ts_recent_at_ns;
};
void tcp_read_terms(struct tcp_terms *terms, const struct tcp_segment *syn, const struct hawser_addr *peer,
                    uint64_t now_ns);

/* A handshake that the peer began and that somebody else conducted for us. */
struct tcp_opened {
    struct tcp_terms terms;
    uint32_t iss, ts_offset;
    uint32_t rcv_wnd;    /* that our SYN/ACK promised */
    uint32_t window_max; /* for which it chose the window scale */
    uint32_t snd_wnd;    /* that its acknowledgement did; bytes */
    uint64_t rtt_ns;     /* between the two; 0: not known */
    bool synack_lost;
};
/* Passive open, of which the peer has acknowledged the SYN/ACK: ESTABLISHED. */
void tcp_open_passive(struct tcp *tcp, const struct tcp_opened *opened, uint64_t now_ns);

/* The window scale of somebody who will never offer more than this (RFC 7323 2.3). */
uint8_t tcp_window_scale(uint32_t window_max);

/* No more data: a FIN follows what was sent; a subflow still in SYN-SENT is gone at once. Idempotent. */
void tcp_shutdown(struct tcp *tcp, uint64_t now_ns);
/* RST to the peer and CLOSED with `error`. The RST leaves with the next tcp_output(). */
void tcp_abort(struct tcp *tcp, int error, uint64_t now_ns);
/* Nothing can leave or arrive for now, by `error`: it sends nothing and waits for nothing, until it goes on or ends. To
 * be called in ESTABLISHED or later. Time at rest is no silence of the peer's. */
void tcp_rest(struct tcp *tcp, int error, uint64_t now_ns);
/* What was due meanwhile leaves at once, or the peer is asked, until it says something. */
void tcp_go_on(struct tcp *tcp, uint64_t now_ns);
/* One that rests or is CLOSED: the link that it left by is no more. It says nothing, unless it goes on by another one.
 */
void tcp_lose_link(struct tcp *tcp);
static inline bool tcp_rests(const struct tcp *tcp) { return tcp->resting; }
/* The terms of its keepalive have changed: they count from when the peer was heard last. */
void tcp_keepalive_changed(struct tcp *tcp);
/* So has what the peer is told of the user timeout: a bare segment says so. */
void tcp_user_timeout_changed(struct tcp *tcp);
/* True when the subflow is CLOSED and owes nothing to the wire. */
static inline bool tcp_finished(const struct tcp *tcp) { return tcp->state == TCPS_CLOSED && !tcp->reset_wanted; }

const char *tcp_state_name(enum tcp_state state);

/* May data be sent (ESTABLISHED or CLOSE-WAIT, no FIN sent, not at rest)? */
static inline bool tcp_may_send(const struct tcp *tcp)
{
    return (tcp->state == TCPS_ESTABLISHED || tcp->state == TCPS_CLOSE_WAIT) && !tcp->fin_wanted && !tcp->resting;
}

/* ---- arrival (input.c, ack.c) ---- */

/* A segment for this subflow, with options parsed, payload sliced and what is said of the wire set; ssn and ack are
 * filled in here. */
void tcp_input(struct tcp *tcp, struct tcp_segment *segment, uint64_t now_ns);

/* What the upper layer was told of by TCP_EVENT_ASKED is answered, within the limits of all such answers; or left
 * alone, as if the question had been lost. */
void tcp_answer(struct tcp *tcp, bool there, uint64_t now_ns);

/* ---- what routers say (path_mtu.c) ---- */

/* Is that the sequence number of something that is under way (RFC 5927 4.1)? Of a SYN, the very one. */
bool tcp_is_under_way(const struct tcp *tcp, seq32 seq);
/* Something that is under way was too big: a packet of `packet_len` bytes for an MTU of `mtu`, 0: not named. */
void tcp_too_big(struct tcp *tcp, seq32 seq, uint32_t packet_len, uint32_t mtu, uint64_t now_ns);
/* It did not arrive, for the reason `error`, an errno. `hard`: the peer is out of reach, some router says: that makes
 * the path one that may be dead, until something is acknowledged. */
void tcp_note_unreachable(struct tcp *tcp, int error, bool hard, uint64_t now_ns);

/* ---- timers (expiry.c) ---- */

/* What is due at `now_ns` happens; to be called at `due_ns` or later. */
void tcp_run_timers(struct tcp *tcp, uint64_t now_ns);

/* Somebody else's keepalive wants to know whether the peer is there. If it was silent for a second and has nothing
 * outstanding to answer, it is asked, once a second at most; without an answer it is asked again as by our own
 * keepalive, and given up in the end. False: what was asked before had no answer within the retransmission timeout. */
bool tcp_ask(struct tcp *tcp, uint64_t now_ns);

/* ---- departure (output.c) ---- */

/* A turn of output begins: finds out what may leave in it, by the pace. */
void tcp_begin_turn(struct tcp *tcp, uint64_t now_ns);

/* Emits what the subflow itself has to say: SYN, retransmissions, FIN, RST, probes and acknowledgements. */
void tcp_output(struct tcp *tcp, struct tx_batch *batch, uint64_t now_ns);

/* New payload bytes that congestion control, recovery and the peer's window admit now. */
uint32_t tcp_send_room(const struct tcp *tcp);
/* Most payload one tcp_send() takes: a super-segment where the link can, else one segment; or one that is to find out
 * whether larger packets arrive. Less is best a multiple of `segment_bytes`. */
uint32_t tcp_send_max(const struct tcp *tcp);

/*
 * Sends new payload: `count` slices (1 or 2) of `len` bytes in all, described by `note`. References are taken. Returns
 * 0, -ENOBUFS (batch full) or -ENOMEM. The caller respects tcp_send_room() and tcp_send_max(); `push` sets PSH.
 */
int tcp_send(struct tcp *tcp, const struct slice *parts, unsigned count, uint32_t len, const struct tx_note *note,
             bool push, struct tx_batch *batch, uint64_t now_ns);

/* The upper layer has no options to say on data segments any more, nor on what is under way, of which there is best
 * nothing: full ones have that much more payload. */
void tcp_drop_upper_options(struct tcp *tcp);

/* An acknowledgement (with the upper layer's options) leaves at the next output. */
void tcp_ack_now(struct tcp *tcp);

/* Likewise, and data that leaves before it does not stand in for it: the upper layer has options to say that data
 * segments have no room for. */
void tcp_signal_now(struct tcp *tcp);

/* An acknowledgement leaves within the time it may be delayed. */
void tcp_ack_soon(struct tcp *tcp, uint64_t now_ns);

/* A segment that the peer must answer, whatever it has to say, leaves at the next output. */
void tcp_probe_now(struct tcp *tcp);

/* Likewise, and the answer's timestamp tells that it is one. */
void tcp_question_now(struct tcp *tcp);

/* The peer is there again: what went unanswered leaves again now, not when the timeout has doubled to. */
void tcp_resume(struct tcp *tcp, uint64_t now_ns);

/* Does the segment echo a timestamp of ours (RFC 7323 3.2) that left at `since_ns` or later? Then its sender has heard
 * from us since. False without timestamps. */
bool tcp_echoes_since(const struct tcp *tcp, const struct tcp_segment *segment, uint64_t since_ns);

/* What is outstanding, record by record, for the layer above to read. */
static inline const struct txq *tcp_txq(const struct tcp *tcp)
{
    static const struct txq nothing = {0};
    return tcp->flight ? &tcp->flight->txq : &nothing;
}

/* Payload bytes sent once or more, and received once; of those that arrived the ones for which there was room. */
static inline uint64_t tcp_sent_bytes(const struct tcp *tcp)
{
    uint64_t first = SSN_ORIGIN + 1;
    return tcp->snd_nxt < first ? 0 : tcp->snd_nxt - first - tcp->fin_sent;
}
static inline uint64_t tcp_recv_bytes(const struct tcp *tcp) { return tcp->recv_bytes; }

/* Bytes sent and neither acknowledged, sacked, told of by duplicates nor deemed lost. */
static inline uint32_t tcp_in_flight(const struct tcp *tcp)
{
    const struct txq *q = tcp_txq(tcp);
    uint32_t duplicates = tcp->flight ? tcp->flight->duplicates.bytes : 0;
    uint64_t gone = q->sacked_bytes + q->lost_bytes + duplicates, outstanding = tcp->snd_nxt - tcp->snd_una;
    return outstanding > gone ? (uint32_t)(outstanding - gone) : 0;
}

/* Bytes that the peer may send, by what we said last. */
static inline uint64_t tcp_promised(const struct tcp *tcp)
{
    return tcp->rcv_edge > tcp->rx.next ? tcp->rcv_edge - tcp->rx.next : 0;
}

/* Only the pace keeps it from sending, and it wakes the layer above when that is over. */
static inline bool tcp_waits_for_pace(const struct tcp *tcp)
{
    return tcp->flight && tcp->flight->pacing.due_ns != TIME_NEVER;
}

/* Right edge of the peer's window, in our sequence space. */
static inline uint64_t tcp_window_edge(const struct tcp *tcp) { return tcp->snd_una + tcp->snd_wnd; }

/* Relative subflow sequence number as DSS options carry it. */
static inline uint32_t ssn_wire(uint64_t ssn) { return (uint32_t)ssn; }

/* Re-examines whether the persist timer must run, after the upper layer's demand changed. */
void tcp_update_persist(struct tcp *tcp, uint64_t now_ns);

#endif
