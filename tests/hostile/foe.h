/*
 * A host that says whatever it likes: subflows whose segments are made by hand, with the real encoders. Numbers are
 * relative to the initial ones of both sides, so that the first byte of each has number 1, at the data level too.
 */
#ifndef HW_HOSTILE_FOE_H
#define HW_HOSTILE_FOE_H

#include "ground.h"
#include "wire/tcp.h"
#include "wire/tcp_options.h"

enum {
    FOES_MAX = 32768 /* then the oldest is forgotten */,
    FOE_PAYLOAD_MAX = 65000,
    FOE_WIRE_PAYLOAD = 1400,
    FOE_WSCALE = 7
};

enum foe_kind { FOE_PLAIN, FOE_MPTCP };

struct foe {
    struct foes *all;
    struct foe *first; /* of a join: the subflow that opened the connection; else itself */
    struct hawser_addr addr, target;
    uint32_t iss, irs;
    uint16_t window;       /* as on the wire, of what it says */
    uint16_t gso_size;     /* of what it says in one piece; 0: as wire segments go */
    bool heard, reset;     /* a SYN/ACK came; a RST */
    bool mptcp, checksums; /* as agreed */
    uint32_t seq;          /* of the next byte to send */
    uint32_t acked;        /* the target's last word */
    uint32_t next;         /* what the target has sent up to */
    uint8_t window_shift;  /* the target's */
    uint64_t edge;         /* right edge of the window the target offers, relative */
    uint64_t key, idsn, target_key, target_idsn;
    uint64_t data_seq, data_acked, data_next; /* likewise at the data level */
    uint32_t nonce, target_nonce;
    struct tcp_options said;          /* the target's last options */
    uint64_t segments, bytes, resets; /* heard in all */
    uint32_t seen_to;                 /* for an attacker to note how far it is */
};

/* Changes what is about to be said. */
typedef void foe_whim(struct foe *f, uint8_t *flags, uint32_t *seq, uint32_t *ack, uint32_t *len);

struct foes {
    struct ground *ground;
    struct foe *list; /* FOES_MAX of them */
    uint32_t count, next;
    unsigned network;       /* that the next one comes from: a /24, or a /64 */
    foe_whim *whim;         /* may be NULL */
    uint64_t sent;          /* packets */
    uint64_t fresh_bytes;   /* heard for the first time */
    uint64_t stray_answers; /* packets of the target to nobody */
    uint8_t payload[FOE_PAYLOAD_MAX];
};

void foes_init(struct foes *foes, struct ground *ground);
void foes_destroy(struct foes *foes);
/* What the target says to one of them. */
void foes_hear(struct foes *foes, const struct hawser_tx *tx);

/* One more, that has said nothing yet; its key and numbers are drawn. */
struct foe *foe_new(struct foes *foes, enum role role);

/* A segment, as it stands; `options` may be NULL, `payload` is any. */
void foe_say(struct foe *f, uint8_t flags, uint32_t seq, uint32_t ack, const struct tcp_options *options, uint32_t len);

/* Likewise with an option area of `area_len` bytes, a multiple of 4 and 40 at most. */
void foe_say_raw(struct foe *f, uint8_t flags, uint32_t seq, uint32_t ack, const uint8_t *area, size_t area_len,
                 uint32_t len);

/* A SYN with the usual options, and MP_CAPABLE or MP_JOIN. */
void foe_syn(struct foe *f, enum foe_kind kind);
void foe_syn_join(struct foe *f, uint32_t token);
/* The third packet of each. */
void foe_third(struct foe *f);
void foe_third_join(struct foe *f, bool honest);

/* Opens a connection, with a first DSS when it is MPTCP; NULL when it is not let in. */
struct foe *foe_open(struct foes *foes, enum role role, enum foe_kind kind);
/* The target's program connects to it, and it answers as it should; NULL when that fails. */
struct foe *foe_called(struct foes *foes, enum foe_kind kind);
/* Joins the connection of `first`; NULL when it is not let in. */
struct foe *foe_join(struct foe *first);

/* A DSS with a DATA_ACK of all that came and, when `len` is not 0, a mapping. */
struct tcp_options foe_dss(const struct foe *f, uint64_t data_seq, uint32_t seq, uint16_t len);

/* The next `len` bytes, mapped as they should be. */
void foe_data(struct foe *f, uint32_t len);
/* An acknowledgement of all that came. */
void foe_ack(struct foe *f);
/* Every one ends with a RST where the target expects it. */
void foes_reset_all(struct foes *foes);

#endif
