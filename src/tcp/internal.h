/* What the files of src/tcp tell each other. */
#ifndef HW_TCP_INTERNAL_H
#define HW_TCP_INTERNAL_H

#include "tcp/tcp.h"

#define TCP_DELAYED_ACK_NS (40 * NS_PER_MS)
/* RFC 9293 3.8.3: R2 is at least 3 minutes for a SYN, which eight of them last, and 100 s for data. A SYN/ACK that
 * nobody answers is likelier a forgery than a slow path. */
#define TCP_SYN_TRIES_MAX 8
#define TCP_SYNACK_TRIES_MAX 6
#define TCP_R2_NS (120 * NS_PER_S)
#define TCP_QUICK_ACKS 16
/* RFC 5961 7: challenge ACKs a second. */
#define TCP_CHALLENGE_ACKS 10
/* RFC 9293 3.10.7.4 wants an answer to each segment outside of the window; this many a second tell an honest peer where
 * we are, and what came twice. */
#define TCP_REPEAT_ACKS 100
/* Ranges of an episode that are remembered as sent again; of what is more nobody can say that it was for nothing. */
#define TCP_AGAIN_MAX 64

/* RFC 7323 2.3 */
#define TCP_WSCALE_MAX 14

/* Calls go one way only: a file calls those named after it, besides txq, rxseq and rtt.
 * tcp.c, input.c, output.c, ack.c, expiry.c, recovery.c, state.c, timers.c, flight.c */

/* flight.c */
/* The record of what is under way, a new one after idleness; NULL, which is counted, when they are out. */
struct tcp_flight *tcp_unfold(struct tcp *tcp, uint64_t now_ns);
/* A record for what is sent next, or NULL, which is counted. */
struct tx_record *tcp_append(struct tcp *tcp, uint64_t now_ns);
/* Idle: drops what is of no use any more. What is still outstanding is forgotten. */
void tcp_fold(struct tcp *tcp);

/* state.c */
void tcp_set_state(struct tcp *tcp, enum tcp_state state, uint64_t now_ns);
void tcp_close_now(struct tcp *tcp, int error, uint64_t now_ns);
void tcp_enter_time_wait(struct tcp *tcp, uint64_t now_ns);
/* Takes MSS, window scale, timestamps, SACK and window from a SYN or SYN/ACK. */
void tcp_learn_options(struct tcp *tcp, const struct tcp_segment *syn, uint64_t now_ns);
void tcp_take_terms(struct tcp *tcp, const struct tcp_terms *terms);
uint16_t tcp_assumed_mss(const struct hawser_addr *peer);
/* The payload of a full segment, by what is known of the path and of the options in use. */
void tcp_settle_segment_size(struct tcp *tcp);

/* Between the wire's numbers and ours: the number nearest to what was expected. */
static inline uint64_t tcp_rx_ssn(const struct tcp *tcp, seq32 seq)
{
    uint32_t next = tcp->irs + (uint32_t)tcp->rx.next;
    return tcp->rx.next + (uint64_t)(int64_t)(int32_t)(seq.v - next);
}
static inline uint64_t tcp_tx_ssn(const struct tcp *tcp, seq32 ack)
{
    uint32_t una = tcp->config.iss + (uint32_t)tcp->snd_una;
    return tcp->snd_una + (uint64_t)(int64_t)(int32_t)(ack.v - una);
}

/* ack.c: takes the acknowledgement of an acceptable segment. */
void tcp_process_ack(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns);

/* recovery.c */
struct delivery {         /* what one acknowledgement delivered */
    uint32_t bytes;       /* newly acknowledged or sacked */
    uint32_t flight;      /* in flight before */
    uint64_t rtt_ns;      /* of the newest record never retransmitted; 0: none */
    uint64_t doubtful_ns; /* likewise, of what left before the last timeout */
    bool advanced;        /* snd_una moved */
    bool duplicate;       /* a DSACK says that the tail loss probe was one */
    bool resent;          /* something that had been sent twice is acknowledged */
    bool has_echo;        /* a timestamp came back */
    uint32_t echo;
};
/* The peer holds `record` up to sequence number `end`. */
void tcp_rack_delivered(struct tcp *tcp, const struct tx_record *record, uint64_t end, uint64_t now_ns);
/* Marks what must be lost and enters recovery when that is new. */
void tcp_detect_loss(struct tcp *tcp, uint64_t now_ns);
/* Ends the episode when its point is passed, and does PRR's accounting. */
void tcp_recovery_on_ack(struct tcp *tcp, const struct delivery *delivery, uint64_t now_ns);
void tcp_recovery_on_timeout(struct tcp *tcp, uint64_t now_ns);
/* `record` leaves once more. */
void tcp_recovery_on_retransmit(struct tcp *tcp, const struct tx_record *record, uint64_t now_ns);
/* The peer says that [start, end) came twice. */
void tcp_recovery_on_duplicate(struct tcp *tcp, uint64_t start, uint64_t end);
/* Bytes that may go out now, new or again. */
uint32_t tcp_cwnd_room(const struct tcp *tcp);

/* timers.c */
void tcp_timers_stop(struct tcp *tcp);
/* Tells when the earliest timer is due. */
void tcp_timers_arm(struct tcp *tcp);
/* While anything is outstanding the retransmission timer runs, and after that the one that ends the flight. */
void tcp_arm_retransmit(struct tcp *tcp, uint64_t now_ns);
void tcp_arm_probe(struct tcp *tcp, uint64_t now_ns);
/* Something waits to be sent that no acknowledgement will let go: the window is shut, or there was no memory. */
bool tcp_is_held_back(struct tcp *tcp);
void tcp_arm_keepalive(struct tcp *tcp, uint64_t wait_ns, uint64_t now_ns);
void tcp_start_keepalive(struct tcp *tcp, uint64_t now_ns);
/* A segment passed every check. */
void tcp_heard(struct tcp *tcp, uint64_t now_ns);

/* The clock of our timestamps (RFC 7323 5.4): a tick a millisecond. */
static inline uint32_t tcp_timestamp(const struct tcp *tcp, uint64_t now_ns)
{
    return (uint32_t)(now_ns / NS_PER_MS) + tcp->config.ts_offset;
}

#endif
