/* Who the two ends of a connection are to each other: keys, tokens and what MP_CAPABLE settled (RFC 8684 3.1). */
#ifndef HW_MPTCP_IDENTITY_H
#define HW_MPTCP_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/seq.h"

struct identity {
    bool server;
    bool established, confirmed; /* confirmed: the peer's first DSS arrived, so joins may begin (RFC 8684 3.1) */
    bool checksums;              /* DSS checksums are in use (RFC 8684 3.1, flag A) */
    bool peer_dsn_64;            /* the peer maps with 64-bit DSNs */
    bool key_said;               /* the last segment carried MP_CAPABLE with both keys */
    uint64_t local_key, remote_key;
    uint32_t local_token, remote_token;
    dsn64 local_idsn, remote_idsn; /* the first byte of a stream is one higher */
};

#endif
