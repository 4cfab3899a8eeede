/* Of one subflow, on the way in: its mappings, and payload that waits for one or for a checksum (RFC 8684 3.3.1). */
#ifndef HW_MPTCP_RX_MAPPING_H
#define HW_MPTCP_RX_MAPPING_H

#include "mptcp/holdq.h"
#include "mptcp/rxmap.h"

/* Pieces of payload a subflow may hold while their mapping has not arrived. */
#define UNMAPPED_MAX 64u

/* Room for the whole of a mapping of which the first bytes have come: a checksum lets none of it up before the last.
 * The next one goes behind it, as long as somebody holds the buffer anyway. */
struct assembly {
    struct hawser_buf *buf; /* NULL: none */
    uint64_t ssn;           /* the mapping in progress, */
    uint32_t len;           /* 0: none is; */
    uint32_t at, used;      /* where it begins in the buffer, and how far that is taken */
    uint64_t begun_ns;      /* or later, when there was memory enough to let it go on */
    uint64_t touched_ns;    /* some of it came */
};

struct rx_mapping {
    struct rxmap maps;
    struct assembly assembly;
    uint64_t swallowed_to; /* payload before was forgotten, for want of memory: a mapping is held whole or not at all */
    struct holdq held;     /* payload without its mapping, or waiting for a checksum */
    uint64_t unmapped_since_ns; /* payload that came in order waits for its mapping; 0: none does */
};

#endif
