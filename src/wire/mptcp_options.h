/* MPTCP options (RFC 8684): compact values and their bytes. */
#ifndef HW_WIRE_MPTCP_OPTIONS_H
#define HW_WIRE_MPTCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum { MPTCP_OPTION_KIND = 30, MPTCP_VERSION = 1, MPTCP_HMAC_LEN = 20 };

/* IDs of a REMOVE_ADDR: as many as we name at once, and as many as 40 bytes have room for. */
enum { MPTCP_REMOVE_MAX = 16, MPTCP_REMOVE_READ_MAX = 37 };

/* RFC 8684 3.1, flag H: the algorithm that there is. */
enum { MPTCP_HMAC_SHA256 = 1 };

/* RFC 8684 7.2 */
enum mptcp_subtype {
    MPTCP_CAPABLE = 0x0,
    MPTCP_JOIN = 0x1,
    MPTCP_DSS = 0x2,
    MPTCP_ADD_ADDR = 0x3,
    MPTCP_REMOVE_ADDR = 0x4,
    MPTCP_PRIO = 0x5,
    MPTCP_FAIL = 0x6,
    MPTCP_FASTCLOSE = 0x7,
    MPTCP_TCPRST = 0x8,
    MPTCP_EXPERIMENTAL = 0xf,
};

/* RFC 8684 3.1. Length 4, 12, 20, 22 or 24. */
struct mp_capable {
    uint8_t version;
    bool checksum_required; /* A */
    bool extended;          /* B: unknown extension, the option must be ignored */
    bool no_more_here;      /* C: no joins to this source address and port */
    uint8_t algorithms;     /* D..H, H is bit 0: HMAC-SHA256 */
    bool has_sender_key, has_receiver_key, has_data_len, has_checksum;
    uint64_t sender_key, receiver_key;
    uint16_t data_len;
    uint16_t checksum; /* as on the wire */
};

/* RFC 8684 3.2. Three shapes by length: 12 (SYN), 16 (SYN/ACK), 24 (ACK). */
enum mp_join_shape { MP_JOIN_SYN, MP_JOIN_SYNACK, MP_JOIN_ACK };
struct mp_join {
    enum mp_join_shape shape;
    bool backup;                  /* SYN, SYN/ACK */
    uint8_t address_id;           /* SYN, SYN/ACK */
    uint32_t token;               /* SYN */
    uint32_t nonce;               /* SYN, SYN/ACK */
    uint64_t hmac64;              /* SYN/ACK: the leftmost 64 bits */
    uint8_t hmac[MPTCP_HMAC_LEN]; /* ACK: the leftmost 160 bits */
};

/* RFC 8684 3.3. */
struct mp_dss {
    bool has_ack, ack_is_64;
    bool ack_stays_64; /* not on the wire: the planner must not narrow it */
    bool has_map, dsn_is_64;
    bool has_checksum;
    bool data_fin;
    uint64_t ack;      /* 32 significant bits unless ack_is_64 */
    uint64_t dsn;      /* 32 significant bits unless dsn_is_64 */
    uint32_t ssn;      /* relative subflow sequence number */
    uint16_t len;      /* data-level length; 0 with an infinite mapping */
    uint16_t checksum; /* as on the wire */
};

/* RFC 8684 3.4.1. */
struct mp_add_addr {
    bool echo;
    bool is_v4;
    uint8_t address_id;
    bool has_port;
    struct hawser_addr addr; /* port 0 when has_port is false */
    uint64_t hmac64;         /* absent from echoes: 0 */
};

/* RFC 8684 3.4.2. */
struct mp_remove_addr {
    uint8_t count;
    uint8_t ids[MPTCP_REMOVE_READ_MAX];
};

/* RFC 8684 3.3.8; a 3-byte option names the subflow it arrives on. (4 bytes was version 0.) */
struct mp_prio {
    bool backup;
};

/* RFC 8684 3.7. */
struct mp_fail {
    uint64_t dsn;
};

/* RFC 8684 3.5. */
struct mp_fastclose {
    uint64_t receiver_key;
};

/* RFC 8684 3.6. */
struct mp_tcprst {
    bool transient; /* T */
    uint8_t flags;  /* U, V, W, T */
    uint8_t reason;
};

/* RFC 8684 7.4 */
enum {
    MP_RST_UNSPECIFIED = 0,
    MP_RST_MPTCP = 1,
    MP_RST_RESOURCES = 2,
    MP_RST_PROHIBITED = 3,
    MP_RST_OUTSTANDING = 4,
    MP_RST_PERFORMANCE = 5,
    MP_RST_MIDDLEBOX = 6,
};

/* Kept as bytes, uninterpreted; borrowed from the packet when parsed. */
struct mp_experimental {
    uint8_t len; /* whole option */
    const uint8_t *bytes;
};

/* At most one of each subtype; the first wins, later ones count as malformed. */
struct mptcp_options {
    uint16_t present; /* bit 1 << subtype */
    struct mp_capable capable;
    struct mp_join join;
    struct mp_dss dss;
    struct mp_add_addr add_addr;
    struct mp_remove_addr remove_addr;
    struct mp_prio prio;
    struct mp_fail fail;
    struct mp_fastclose fastclose;
    struct mp_tcprst tcprst;
    struct mp_experimental experimental;
};

static inline bool mptcp_has(const struct mptcp_options *o, enum mptcp_subtype s) { return o->present >> s & 1; }

enum mptcp_parse_result {
    MPTCP_PARSED,
    MPTCP_UNKNOWN,   /* a subtype not of RFC 8684: ignored */
    MPTCP_MALFORMED, /* a length or flag combination that the RFC does not allow: ignored and counted */
};

/*
 * Reads one MPTCP option of `len` bytes (kind and length bytes included, len >= 2 and as the length byte says) into
 * `o`, setting its present bit. On anything but MPTCP_PARSED nothing is changed. `syn` and `ack` are the segment's
 * flags: MP_CAPABLE and MP_JOIN shapes must match them (RFC 8684 3.1, 3.2).
 */
enum mptcp_parse_result mptcp_option_parse(const uint8_t *p, size_t len, bool syn, bool ack, struct mptcp_options *o);

/* Bytes that emitting `subtype` of `o` takes, unpadded. */
size_t mptcp_option_len(const struct mptcp_options *o, enum mptcp_subtype subtype);

/* Writes that option to `p`; returns its length, which equals mptcp_option_len(). */
size_t mptcp_option_emit(uint8_t *p, const struct mptcp_options *o, enum mptcp_subtype subtype);

#endif
