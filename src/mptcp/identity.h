/*
 * Who the two ends of a connection are to each other: keys, tokens, and what MP_CAPABLE settled (RFC 8684 3.1). It
 * knows neither connection nor subflows. Which token is free, and who may know of it, is the host's affair.
 */
#ifndef HW_MPTCP_IDENTITY_H
#define HW_MPTCP_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"
#include "wire/mptcp_options.h"

/* How far the handshake is. */
enum identity_stage {
    IDENTITY_OPENING,
    IDENTITY_ESTABLISHED, /* the first subflow is */
    IDENTITY_CONFIRMED,   /* and the peer's first DSS arrived, so that joins may begin (RFC 8684 3.1) */
};

struct identity {
    enum identity_stage stage;
    bool server;
    bool checksums;    /* DSS checksums are in use (RFC 8684 3.1, flag A) */
    bool peer_dsn_64;  /* the peer maps with 64-bit DSNs */
    bool capable_said; /* the last segment carried MP_CAPABLE with both keys */
    uint64_t local_key, remote_key;
    uint32_t local_token, remote_token;
    dsn64 local_idsn, remote_idsn; /* the first byte of a stream is one higher */
};

static inline bool identity_established(const struct identity *id) { return id->stage >= IDENTITY_ESTABLISHED; }
static inline bool identity_confirmed(const struct identity *id) { return id->stage == IDENTITY_CONFIRMED; }
/* It is so far, or farther. */
static inline void identity_reach(struct identity *id, enum identity_stage stage)
{
    id->stage = stage > id->stage ? stage : id->stage;
}

/* What makes a token and an IDSN of a key: mptcp_key_derive(), where nobody chooses the numbers. */
typedef void key_derive(uint64_t key, uint32_t *token, uint64_t *idsn);
void identity_set_local_key(struct identity *id, key_derive *derive, uint64_t key);
void identity_set_remote_key(struct identity *id, key_derive *derive, uint64_t key);

/* RFC 8684 3.1: an offer that we can go along with. */
bool identity_acceptable(const struct mptcp_options *mp);
/* Likewise, and of our version, with the key of whoever sends it, as in a SYN/ACK. */
bool identity_answerable(const struct mptcp_options *mp);
/* The SYN/ACK of the first subflow, which is answerable: takes its key and settles checksums. */
void identity_take_synack(struct identity *id, key_derive *derive, const struct mp_capable *answer,
                          bool checksum_required);

/* MP_CAPABLE on a SYN. */
void identity_write_syn(bool checksum_required, struct mptcp_options *mp);
/* On a later segment, with both keys; and with the mapping of the first data, `len` bytes, unless that is 0. */
void identity_write_keys(const struct identity *id, uint32_t len, uint16_t checksum, struct mptcp_options *mp);
/* RFC 8684 3.1: our key must reach the peer, so it goes with the first data and with bare segments, of which one may
 * answer a repeated SYN/ACK. A stream that has ended needs a DSS for its DATA_FIN, so the two options take turns until
 * one is answered. */
bool identity_owes_key(const struct identity *id, bool bare, bool first_data, bool fin_sent);

/* RFC 8684 3.5: the peer closes the connection at once, and proves that it is the peer by our key. */
bool identity_closed_by(const struct identity *id, const struct mptcp_options *mp);

#endif
