/* RSTs for segments that belong to nothing (RFC 9293 3.10.7.1). */
#ifndef HW_STACK_REPLIES_H
#define HW_STACK_REPLIES_H

#include "base/counters.h"
#include "stack/arrival.h"
#include "stack/handshake.h"
#include "wire/mptcp_options.h"

/* That wait for the next output; more are dropped and counted. */
#define REPLIES_MAX 64

enum reply_kind {
    REPLY_BARE,
    REPLY_TO_JOIN, /* it says why: RFC 8684 3.2, 3.6 */
    REPLY_ABORTED, /* nor is there a connection any more: RFC 8684 3.5 */
};

struct stateless_reply {
    struct hawser_addr local, remote;
    seq32 seq, ack;
    bool with_ack;
    uint8_t link;
    uint8_t kind; /* enum reply_kind */
    uint8_t reason;
    uint64_t peer_key;
};

struct replies {
    struct stateless_reply list[REPLIES_MAX];
    uint8_t count;
};

/* Unless it is a RST itself. */
void replies_refuse(struct replies *r, const struct arrival *a, struct counters *counters);
/* RFC 8684 3.2: a join is refused by a RST that says why (MP_RST_...). */
void replies_refuse_join(struct replies *r, const struct arrival *a, uint8_t reason, struct counters *counters);
/* RFC 8684 3.5: a segment of a connection that was aborted, and whose peer has this key, is refused by MP_FASTCLOSE. */
void replies_refuse_aborted(struct replies *r, const struct arrival *a, uint64_t peer_key, struct counters *counters);
/* RFC 9293 3.10.5: a handshake is given up on our side; its peer learns that if it may have our SYN/ACK. */
void replies_abort(struct replies *r, const struct handshake *h, struct counters *counters);
/* What would leave by that link leaves no more. */
void replies_lose_link(struct replies *r, uint8_t link);
/* Writes one of them to `tx`; there must be one. */
void replies_write(struct replies *r, struct hawser_tx *tx);

#endif
