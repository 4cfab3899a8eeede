/* Is the connection MPTCP, or plain TCP, and what the peer has been told of that (RFC 8684 3.7). */
#ifndef HW_MPTCP_FALLBACK_H
#define HW_MPTCP_FALLBACK_H

#include <stdbool.h>
#include <stdint.h>

enum conn_mode {
    CONN_NEGOTIATING, /* MP_CAPABLE was offered and not answered yet */
    CONN_MPTCP,
    CONN_PLAIN, /* one subflow, infinite mapping: by choice or by fallback */
};

struct fallback {
    enum conn_mode mode;
    uint8_t infinite_tells; /* bare segments that still carry the infinite mapping */
    uint64_t infinite_from; /* subflow sequence number where it was in force first; 0: never */
    bool answered;          /* a DATA_ACK came with the acknowledgement of data: options pass both ways */
    bool multipath;         /* another subflow was added: no way back to plain TCP (RFC 8684 3.7) */
    bool peer_committed;    /* the peer knows of one: nor has it a way back */
    bool scattered;         /* what arrived is not the stream from its begin, in order (place.c, receive.c) */
    bool answers_fail;      /* the peer's MP_FAIL made us fall back: whenever it comes again it is answered */
    bool fail_due;          /* and an answer is due */
};

#endif
