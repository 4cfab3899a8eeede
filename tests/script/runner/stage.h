/*
 * Where a script is played: one host, which is a real stack behind its sans-I/O entry points, and a peer that is
 * nothing but what the script has it say. The clock stands still but for who asks that it goes on.
 */
#ifndef HW_TESTS_SCRIPT_STAGE_H
#define HW_TESTS_SCRIPT_STAGE_H

#include <hawser/hawser.h>

#include "base/prng.h"
#include "story.h"

enum { STAGE_QUEUE_MAX = 1024, STAGE_LOG_MAX = 12, STAGE_BATCH = 64 };

/* A segment, either way, by relative numbers. */
struct seen {
    uint64_t at_ns;
    bool from_host;
    bool other; /* it is no TCP, and nothing of what follows is known */
    uint8_t flags, ecn;
    int64_t seq, ack;
    uint32_t number; /* `seq` as on the wire */
    int64_t next;    /* where its sender had come to before it: the number that is to follow */
    int64_t acked;   /* and what it had acknowledged before */
    uint32_t window; /* bytes */
    uint16_t urgent;
    uint32_t len, packet_len;
    struct tcp_options options;
    int64_t sack[TCP_SACK_MAX][2];
    int64_t ts, echo;
    bool text_right; /* its payload is what its sender's program gave it */
};

/* What one end has said. */
struct speaker {
    uint32_t isn;
    bool isn_known;
    int64_t next, acked;
    int wscale; /* -1: not offered */
    bool timestamps;
    uint32_t ts_zero; /* what counts as 0 */
    bool ts_known;
    uint32_t ts_last; /* as on the wire */
};

struct stage {
    const struct facts *facts;
    struct hawser_env env;
    struct prng rng;
    uint64_t live; /* allocations */
    struct hawser_stack *stack;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    struct hawser_addr local, remote; /* the host's and the peer's */
    uint64_t now_ns, zero_ns;         /* the clock, and where the script's begins */
    struct speaker host, peer;
    uint64_t sent_bytes, read_bytes; /* by the host's program */
    uint32_t told;                   /* events not asked for yet */
    struct seen queue[STAGE_QUEUE_MAX];
    unsigned queue_first, queue_count;
    struct seen log[STAGE_LOG_MAX]; /* the last ones, either way */
    unsigned logged;
    char trouble[128]; /* what cannot be gone on with; empty: nothing */
};

/* A segment that the peer is about to say. Relative numbers; the options are as on the wire, but for `ts` and SACK. */
struct utterance {
    uint8_t flags, ecn;
    int64_t seq, ack;
    uint32_t window; /* bytes */
    uint16_t urgent;
    uint32_t len; /* at most 65,000 */
    uint16_t merged;
    bool bad_checksum, multicast;
    struct tcp_options options;
};

bool stage_open(struct stage *stage, const struct facts *facts, bool v6);
/* False: something was not freed. */
bool stage_close(struct stage *stage);

/* All of them arrive in one batch. */
void stage_say(struct stage *stage, const struct utterance *list, unsigned count);
/* A router's word on the segment of the host's that begins at `seq`; false: there was none. */
bool stage_route(struct stage *stage, enum icmp_word kind, uint32_t mtu, int64_t seq);

/* Takes what the host has to say now; to be called after each call into it. */
void stage_drain(struct stage *stage);
/* The next segment that leaves by `until_ns`, at which the clock stands when there is none. */
const struct seen *stage_next(struct stage *stage, uint64_t until_ns);
const struct seen *stage_peek(const struct stage *stage);
enum story_state stage_state(const struct stage *stage);

/* What the host would name as its MSS. */
uint32_t stage_mss(const struct stage *stage);
/* A byte of either stream. */
uint8_t stage_byte(bool of_host, uint64_t offset);
/* A timestamp of the peer's, by its relative number. */
uint32_t stage_peer_ts(const struct stage *stage, int64_t ts);
/* Nanoseconds of the script's clock. */
int64_t stage_time(const struct stage *stage, uint64_t at_ns);

#endif
