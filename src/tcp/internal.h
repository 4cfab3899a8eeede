/* What the files of src/tcp tell each other. */
#ifndef HW_TCP_INTERNAL_H
#define HW_TCP_INTERNAL_H

#include "tcp/tcp.h"
#include "wire/ip.h"

#define TCP_DELAYED_ACK_NS (40 * NS_PER_MS)
/* RFC 9293 3.8.3: R2 is at least 3 minutes for a SYN, which eight of them last, and 100 s for data. A SYN/ACK that
 * nobody answers is likelier a forgery than a slow path. */
#define TCP_SYN_TRIES_MAX 8
#define TCP_SYNACK_TRIES_MAX 6
#define TCP_R2_NS (120 * NS_PER_S)
#define TCP_QUICK_ACKS 16
/* Duplicate acknowledgements that wait to leave: as many as have a peer send again what is missing (RFC 5681 3.2),
 * however many segments came out of order at once. */
#define TCP_DUPLICATE_ACKS 3
/* What is taken for a full segment of a peer that has not shown a larger one: what fits in a packet that every host
 * takes. */
#define TCP_FULL_BYTES 536
/* RFC 5961 7: challenge ACKs a second. */
#define TCP_CHALLENGE_ACKS 10
/* RFC 9293 3.10.7.4 wants an answer to each segment outside of the window; this many a second tell an honest peer where
 * we are, and what came twice. */
#define TCP_REPEAT_ACKS 100
/* What asks by the exact number is the peer, or somebody who sees it: strangers do not use up what that is answered by.
 */
#define TCP_KEEPALIVE_ACKS 10
/* Questions to the peer a second that others' keepalives give rise to, and the silence before one. */
#define TCP_QUESTIONS 1
#define TCP_QUESTION_SILENCE_NS NS_PER_S

/* Questions after a rest, any of which may be lost: a second after the first, then two, four... */
#define TCP_HAILS 7

/* Acts on ICMP errors a second: as many as it takes to learn of a path that becomes narrower step by step. */
#define TCP_ICMP_ACTS 8

/* RFC 791: the packet that every host takes. A path that is narrower yet has to reassemble, or is none; nobody who
 * forges an ICMP error gets us below it. RFC 8200 5. */
#define PATH_MTU_MIN_V4 576
#define PATH_MTU_MIN_V6 1280
/* RFC 1191 6.3, RFC 8201 4: larger packets are tried again after so long. */
#define PATH_MTU_RAISE_MIN 10u
/* Who was not told the size, but had to guess it, looks sooner, and goes on as soon: a dead path looks like a narrow
 * one (RFC 4821 7.7), and a probe that is lost costs a round trip of its own bytes, and no more. */
#define PATH_MTU_SEARCH_NS NS_PER_S
/* The search ends when what arrives and what does not are so close. */
#define PATH_MTU_PRECISION 16
/* Timeouts of a large packet after which smaller ones leave, where such a one has arrived; elsewhere the first one will
 * do. */
#define PATH_MTU_TIMEOUTS 2

/* RFC 7323 2.3 */
#define TCP_WSCALE_MAX 14

/* Calls go one way only: a file calls those named after it, besides txq, rxseq, rtt, prr, undo, rate and pacing.
 * tcp.c, input.c, output.c, ack.c, expiry.c, recovery.c, rack.c, dupack.c, congestion.c, path_mtu.c, tail_probe.c,
 * state.c, timers.c, flight.c */

/* flight.c */
/* The record of what is under way, a new one after idleness; NULL, which is counted, when they are out. */
struct tcp_flight *tcp_unfold(struct tcp *tcp, uint64_t now_ns);
/* A record for what is sent next, or NULL, which is counted. */
struct tx_record *tcp_append(struct tcp *tcp, uint64_t now_ns);
/* The controller begins, from idleness or anew: a first window of its bytes may leave at once (RFC 6928). */
void tcp_congestion_begin(struct tcp *tcp, uint64_t now_ns);
/* Around each call of it: what it sees, and what it has set. */
struct hawser_flow *tcp_congestion_see(struct tcp *tcp);
void tcp_congestion_obey(struct tcp *tcp);
/* Idle: drops what is of no use any more. What is still outstanding is forgotten. */
void tcp_fold(struct tcp *tcp);

/* state.c */
void tcp_set_state(struct tcp *tcp, enum tcp_state state, uint64_t now_ns);
/* The initial window, for segments as large as is known by now, and a controller that knows nothing. */
void tcp_begin_window(struct tcp *tcp, const struct hawser_congestion *policy);
/* The handshake needed another SYN or SYN/ACK. */
void tcp_note_lost_syn(struct tcp *tcp);
void tcp_close_now(struct tcp *tcp, int error, uint64_t now_ns);
void tcp_enter_time_wait(struct tcp *tcp, uint64_t now_ns);
/* Takes MSS, window scale, timestamps, SACK and window from a SYN or SYN/ACK. */
void tcp_learn_options(struct tcp *tcp, const struct tcp_segment *syn, uint64_t now_ns);
void tcp_take_terms(struct tcp *tcp, const struct tcp_terms *terms);
uint16_t tcp_assumed_mss(const struct hawser_addr *peer);
/* The payload of a full segment, by what is known of the path and of the options in use. */
void tcp_settle_segment_size(struct tcp *tcp);
/* Bytes of a packet that are not payload. */
uint32_t tcp_overhead(const struct tcp *tcp);
/* Asks the peer, which may have forgotten it, and has the next question wait for twice as long as the last one. False:
 * there were enough. */
bool tcp_hail(struct tcp *tcp, uint64_t now_ns);
/* What a second has, and what is left of it now. */
static inline struct tcp_rations tcp_rations_of(uint32_t since_ms)
{
    return (struct tcp_rations){.since_ms = since_ms,
                                .challenges = TCP_CHALLENGE_ACKS,
                                .repeats = TCP_REPEAT_ACKS,
                                .keepalives = TCP_KEEPALIVE_ACKS,
                                .icmp = TCP_ICMP_ACTS,
                                .questions = TCP_QUESTIONS};
}
struct tcp_rations *tcp_rations_now(struct tcp *tcp, uint64_t now_ns);

/* Of IP and TCP, without options. */
static inline uint32_t tcp_headers(const struct tcp *tcp)
{
    return (uint32_t)(TCP_HEADER_LEN + ip_header_len(&tcp->config.remote));
}

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

struct delivery {         /* what one acknowledgement delivered */
    uint32_t bytes;       /* newly acknowledged or sacked; without SACK, a segment for each duplicate */
    uint32_t acked;       /* by which snd_una moved */
    uint32_t flight;      /* in flight before */
    uint32_t outstanding; /* likewise, what the peer holds beyond a gap and what is lost included */
    uint64_t rtt_ns;      /* of the newest record never retransmitted; 0: none */
    uint64_t doubtful_ns; /* likewise, of what left before the last timeout */
    bool advanced;        /* snd_una moved */
    bool duplicate_ack;   /* it says only what the one before said (RFC 5681 2) */
    bool probe_duplicate; /* a DSACK says that the tail loss probe came twice */
    bool resent;          /* something that had been sent twice is acknowledged */
    bool has_echo;        /* a timestamp came back */
    uint32_t echo;
};

/* recovery.c */
/* Marks what must be lost and enters recovery when that is new. */
void tcp_detect_loss(struct tcp *tcp, uint64_t now_ns);
/* Ends the episode when its point is passed, and says how much may leave. */
void tcp_recovery_on_ack(struct tcp *tcp, struct delivery *delivery, uint64_t now_ns);
void tcp_recovery_on_timeout(struct tcp *tcp, uint64_t now_ns);
/* `record` leaves once more. */
void tcp_recovery_on_retransmit(struct tcp *tcp, const struct tx_record *record, uint64_t now_ns);
/* Bytes that may be in flight beyond those that are. */
static inline uint32_t tcp_cwnd_room(const struct tcp *tcp)
{
    if (!tcp->flight)
        return tcp->cc.cwnd_bytes;
    const struct tcp_recovery *r = &tcp->flight->recovery;
    bool prr = r->active && !r->timed_out_ns && !tcp->cc.policy->rules_recovery;
    uint32_t cwnd = prr ? r->cwnd : tcp->cc.cwnd_bytes, flight = tcp_in_flight(tcp);
    return cwnd > flight ? cwnd - flight : 0;
}

/* congestion.c: what the controller is told, and the pace. */
/* Before an acknowledgement takes effect: had the program less to send than could have left? */
void tcp_congestion_look(struct tcp *tcp);
/* It delivers something. */
void tcp_congestion_settle(struct tcp *tcp, const struct delivery *d, uint64_t now_ns);
/* All of it has taken effect. `limited`: what was sent last before had filled the window. */
void tcp_congestion_on_ack(struct tcp *tcp, const struct delivery *d, bool limited, uint64_t now_ns);
/* The record is lost; an episode begins, with so much outstanding; all that was in flight is, by a timeout, the `first`
 * in a row. */
void tcp_congestion_on_lost(struct tcp *tcp, const struct tx_record *record, uint64_t now_ns);
void tcp_congestion_on_loss(struct tcp *tcp, uint32_t outstanding, uint64_t now_ns);
void tcp_congestion_on_timeout(struct tcp *tcp, uint32_t flight, bool first, uint64_t now_ns);
/* The episode is over; it was for nothing. */
void tcp_congestion_recovered(struct tcp *tcp);
void tcp_congestion_undo(struct tcp *tcp);
/* Data leaves after longer idleness than a timeout: a first window may leave at once, as on a new connection. */
void tcp_congestion_restart(struct tcp *tcp, uint64_t now_ns);
/* The record leaves, and is in flight. */
void tcp_congestion_on_sent(struct tcp *tcp, struct tx_record *record, uint64_t now_ns);
/* Bytes that may, by window and pace; none where that is less than a segment by the pace. */
static inline uint32_t tcp_room_now(const struct tcp *tcp)
{
    uint32_t paced = tcp->flight ? pacing_room(&tcp->flight->pacing) : UINT32_MAX;
    return paced < tcp->segment_bytes ? 0 : HW_MIN(paced, tcp_cwnd_room(tcp));
}

/* rack.c */
struct rack_verdict {
    bool lost;       /* something is */
    bool probe_lost; /* a packet that was to find out whether so large ones arrive */
};
/* An acknowledgement is about to be taken. */
void tcp_rack_begin_ack(struct tcp *tcp);
/* The peer holds `record` up to sequence number `end`. */
void tcp_rack_delivered(struct tcp *tcp, const struct tx_record *record, uint64_t end, uint64_t now_ns);
/* Something came twice that was no tail loss probe: it was deemed lost too early. */
void tcp_rack_note_duplicate(struct tcp *tcp);
/* An episode is over. */
void tcp_rack_recovered(struct tcp *tcp);
/* Marks what is lost by now, and sets the timer for what may be. */
struct rack_verdict tcp_rack_judge(struct tcp *tcp, uint64_t now_ns);

/* dupack.c */
enum dupack_verdict {
    DUPACK_NOTHING,
    DUPACK_LOSS,      /* enough duplicates: the oldest segment is marked lost */
    DUPACK_NEXT_HOLE, /* likewise, in recovery: what was sent again arrived, and the next one is missing */
};
/* Does the segment say nothing new (RFC 5681 2)? Without MPTCP's signals, which may come by such a one (RFC 8684 3). */
bool tcp_is_duplicate_ack(const struct tcp *tcp, const struct tcp_segment *segment);
/* Of a peer without SACK: counts what the acknowledgement says, in delivery->bytes as well. */
enum dupack_verdict tcp_take_duplicates(struct tcp *tcp, struct delivery *delivery, uint64_t now_ns);

/* tail_probe.c */
void tcp_arm_probe(struct tcp *tcp, uint64_t now_ns);
/* What leaves now, up to snd_nxt, is the probe if one is due. */
void tcp_tail_probe_is_new(struct tcp *tcp);
/* The probe is to be what was sent last: the record to be marked lost, or NULL. */
struct tx_record *tcp_tail_probe_again(struct tcp *tcp);
/* Has the probe repaired a loss that nobody else would hear of? */
bool tcp_tail_probe_repaired(struct tcp *tcp, const struct delivery *delivery);

/* path_mtu.c */
/* Payload of the probe that is due; 0: none is. */
uint32_t tcp_probe_bytes(const struct tcp *tcp);
/* It leaves. */
void tcp_path_probing(struct tcp *tcp, uint32_t len);
/* It did not arrive. */
void tcp_path_refuses(struct tcp *tcp, uint64_t now_ns);
/* The record did, up to `end`; then, after all of an acknowledgement, what follows from that. */
void tcp_path_passes(struct tcp *tcp, const struct tx_record *record, uint64_t end);
void tcp_path_settle(struct tcp *tcp, uint64_t now_ns);
/* It did not, where others did: nor was it for congestion, then, if silence alone had smaller ones leave. */
void tcp_path_was_narrow(struct tcp *tcp);
/* Something was lost that was not too large. */
void tcp_path_is_congested(struct tcp *tcp);
/* It may have arrived or not. */
void tcp_path_forget_probe(struct tcp *tcp);
/* Two round trips without an answer. True: packets were too big, a router said so, and smaller ones leave. */
bool tcp_path_on_silence(struct tcp *tcp, uint64_t now_ns);
/* The retransmission timer has expired: smaller ones may leave. True: a router said so, and it was not for congestion.
 */
bool tcp_path_on_timeout(struct tcp *tcp, uint64_t now_ns);
/* What the path takes is as old as it is: when larger packets are to be tried. */
static inline uint64_t tcp_raise_due(const struct tcp *tcp, uint64_t now_ns)
{
    uint8_t age_min = (uint8_t)(now_ns / (60 * NS_PER_S) - tcp->config.path.looked_min);
    bool lowered = tcp->config.path.mtu < tcp->config.mtu;
    return lowered ? now_ns + (PATH_MTU_RAISE_MIN - HW_MIN(age_min, PATH_MTU_RAISE_MIN)) * 60 * NS_PER_S : TIME_NEVER;
}

/* timers.c */
void tcp_timers_stop(struct tcp *tcp);
/* Tells when the earliest timer is due. */
void tcp_timers_arm(struct tcp *tcp);
/* While anything is outstanding the retransmission timer runs, and after that the one that ends the flight. */
void tcp_arm_retransmit(struct tcp *tcp, uint64_t now_ns);
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
