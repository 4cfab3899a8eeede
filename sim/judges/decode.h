/*
 * The judges' own reading of a packet, written from the RFCs and apart from src/wire, so that a mistake in one is seen
 * by the other. It forgives nothing that a host may send, and reads on where it can, for what a host receives.
 */
#ifndef HW_SIM_JUDGES_DECODE_H
#define HW_SIM_JUDGES_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum { SEEN_FIN = 0x01, SEEN_SYN = 0x02, SEEN_RST = 0x04, SEEN_PSH = 0x08, SEEN_ACK = 0x10, SEEN_URG = 0x20 };

/* Subtypes of RFC 8684 7.2. */
enum {
    SEEN_CAPABLE,
    SEEN_JOIN,
    SEEN_DSS,
    SEEN_ADD_ADDR,
    SEEN_REMOVE_ADDR,
    SEEN_PRIO,
    SEEN_FAIL,
    SEEN_FASTCLOSE,
    SEEN_TCPRST,
    SEEN_EXPERIMENTAL = 0xf,
};

enum { SEEN_SACK_MAX = 4 };

struct seen_capable {
    uint8_t len, version, flags;       /* flags: A to H, A the highest bit */
    uint64_t sender_key, receiver_key; /* by len: from 12, from 20 */
    uint16_t data_len, checksum;       /* from 22, from 24 */
};

struct seen_dss {
    bool has_ack, ack_is_64, has_map, dsn_is_64, has_checksum, fin;
    uint64_t ack, dsn; /* 32 significant bits unless ..._is_64 */
    uint32_t ssn;
    uint16_t len, checksum;
};

struct seen {
    const char *fault;        /* of IP and TCP headers, in words; NULL: none */
    const char *option_fault; /* of the options */
    bool checksum_wrong;      /* a checksum that is not pending */
    struct hawser_addr src, dst;
    uint32_t seq, ack;
    uint8_t flags, option_bytes;
    uint16_t window;
    const uint8_t *payload;
    uint32_t len; /* of the payload */
    /* what options were there */
    bool has_mss, has_scale, has_sack_permitted, has_timestamps;
    uint8_t scale, sack_count;
    uint16_t mss, mptcp; /* mptcp: bit 1 << subtype */
    uint32_t ts_val, ts_ecr;
    struct {
        uint32_t start, end;
    } sack[SEEN_SACK_MAX];
    struct seen_capable capable;
    struct seen_dss dss;
    uint8_t join_len;
    uint32_t join_token; /* with join_len 12 */
};

/* Reads a packet. False when it holds no TCP header (`fault` says why); else the fields are set as far as they go. */
bool decode(const uint8_t *packet, size_t len, bool checksum_pending, struct seen *out);

static inline bool seen_has(const struct seen *s, unsigned subtype) { return s->mptcp >> subtype & 1; }
/* Sequence numbers the segment takes. */
static inline uint32_t seen_span(const struct seen *s)
{
    return s->len + !!(s->flags & SEEN_SYN) + !!(s->flags & SEEN_FIN);
}

#endif
