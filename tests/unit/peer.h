/*
 * A peer by hand: one stack, and a host that is nothing but what the test makes it say. Segments go to the stack one by
 * one, with any flags, numbers and options; what the stack answers is kept, parsed, in order. Numbers are relative to
 * the initial sequence numbers of both sides, so that the first byte of each has number 1.
 */
#ifndef HW_TESTS_PEER_H
#define HW_TESTS_PEER_H

#include <hawser/hawser.h>

#include "support.h"
#include "wire/tcp.h"
#include "wire/tcp_options.h"

#define PEER_PORT 80
#define PEER_SEEN_MAX 256
#define PEER_PAYLOAD_MAX 1460
#define PEER_PACKET_MAX (40 + 20 + 40 + PEER_PAYLOAD_MAX)
#define PEER_ICMP_MAX (40 + 8 + 40 + 8)

struct peer_segment {
    struct hawser_addr local, remote; /* of the stack and of the peer */
    uint8_t link;                     /* by which it left */
    uint8_t protocol;                 /* other than TCP: of what follows, only `len` and `payload` are set */
    uint8_t flags;
    uint32_t number;   /* sequence number as on the wire */
    uint32_t seq, ack; /* relative */
    uint16_t window;
    uint32_t len; /* payload bytes */
    uint8_t payload[PEER_PAYLOAD_MAX];
    struct tcp_options options;
};

struct peer {
    struct test_env env;
    struct hawser_stack *stack;
    struct hawser_listener *listener;
    struct hawser_conn *conn;
    struct hawser_addr own, addr; /* the stack's and ours, as segments go now */
    int link;                     /* by which they arrive */
    uint32_t iss, irs;            /* ours; the stack's, learned from its SYN */
    uint16_t window;              /* of what we send */
    struct hawser_buf_pool *rx;   /* the test's: where each segment lies in a buffer of its own; NULL: in none */
    uint64_t key, stack_key;      /* MPTCP, in host order */
    uint64_t idsn, stack_idsn;
    uint64_t now_ns;
    bool timestamps; /* what we send carries them, a millisecond a tick unless `ts_val` says otherwise */
    uint32_t ts_val; /* 0: the time */
    uint32_t ts_ecr;
    struct peer_segment seen[PEER_SEEN_MAX]; /* since peer_forget() */
    unsigned seen_count;
};

/* A stack with one address and a listener on PEER_PORT; options, of the stack and of the listener, may be NULL. */
void peer_init(struct peer *p, const struct hawser_stack_options *options, const struct hawser_conn_options *listening);
/* Frees all and asserts that nothing leaked. */
void peer_destroy(struct peer *p);

/* Sends a segment; `options` and `payload` may be NULL. What the stack answers at once is in `seen`. */
void peer_send(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, const struct tcp_options *options,
               const void *payload, uint32_t len);

/* The same segment as bytes, not sent; returns how many. */
size_t peer_packet(const struct peer *p, uint8_t *bytes, uint8_t flags, uint32_t seq, uint32_t ack,
                   const struct tcp_options *options, const void *payload, uint32_t len);

/* A router's word on a packet of the stack's. */
struct peer_icmp {
    uint8_t type, code;
    uint32_t rest;                    /* the second word of its header: where an MTU is named */
    struct hawser_addr local, remote; /* of the packet that it quotes */
    uint32_t number;                  /* its sequence number, as on the wire */
    uint32_t packet_len;
};
/* About that segment, of so many bytes. */
struct peer_icmp peer_icmp_about(const struct peer_segment *segment, uint8_t type, uint8_t code, uint32_t packet_len);
/* Sends it; what the stack answers at once is in `seen`. */
void peer_send_icmp(struct peer *p, const struct peer_icmp *icmp);
/* The same as bytes, not sent; returns how many. */
size_t peer_icmp_packet(uint8_t *bytes, const struct peer_icmp *icmp);

/* Lets time pass, with the stack's timers and what they make it send. */
void peer_wait(struct peer *p, uint64_t ns);
/* Takes what the stack has to say now, after a call into it. */
void peer_drain(struct peer *p);

static inline void peer_forget(struct peer *p) { p->seen_count = 0; }
/* The last segment seen with these flags set (0: any), or NULL. */
const struct peer_segment *peer_last(const struct peer *p, uint8_t flags);

/* Opens a connection to the listener and accepts it: plain TCP, or MPTCP with its keys settled and a first byte of data
 * each way, so that both ends are sure of it. */
void peer_open_plain(struct peer *p);
void peer_open_mptcp(struct peer *p);

/* The stack opens a connection to us; its SYN is the last segment seen. */
void peer_connect(struct peer *p, bool plain);
/* And we answer with MPTCP and a first DSS, so that the stack may open and look for more subflows. */
void peer_connect_mptcp(struct peer *p);

/* Counter of the stack by its public name. */
uint64_t peer_counter(const struct peer *p, const char *name);

/* A DSS with a DATA_ACK of all that the stack may have said and, when `len` is not 0, a mapping. `dsn` and `ack` are
 * relative to the two IDSNs. */
struct tcp_options peer_dss(const struct peer *p, uint64_t ack, uint64_t dsn, uint32_t ssn, uint16_t len);

/* Has the stack's connection neither failed nor ended? */
bool peer_is_open(const struct peer *p);

/* The stack's join, which must be the last SYN seen, gets its answer, with or without that to its third packet, or none
 * but a RST. */
void peer_answer_join(struct peer *p);
void peer_synack_join(struct peer *p);
void peer_refuse_join(struct peer *p);
/* SYNs among the segments seen. */
unsigned peer_count_syns(const struct peer *p);

#endif
