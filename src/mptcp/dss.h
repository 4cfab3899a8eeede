/*
 * The DSS option (RFC 8684 3.3): what a segment says of the two streams. It knows none of what it speaks of: numbers go
 * in, and come out.
 */
#ifndef HW_MPTCP_DSS_H
#define HW_MPTCP_DSS_H

#include "base/seq.h"
#include "mptcp/rxmap.h"
#include "tcp/txq.h"
#include "wire/mptcp_options.h"

/* With numbers of 64 bits, which may be needed any moment; what a checksum takes would be padding without. */
#define DSS_LEN_MAX 28

struct dss_facts {
    dsn64 rcv_next;             /* acknowledged by it */
    bool peer_dsn_64;           /* the peer maps with 64 bits */
    bool checksums;             /* are in use */
    bool bare;                  /* it takes no sequence space, and has room for a long DATA_ACK */
    const struct tx_note *note; /* what it carries; NULL: nothing that is mapped */
    bool fin;                   /* it is bare, and the stream ends before `end` */
    dsn64 end;
};
void dss_write(const struct dss_facts *facts, struct mptcp_options *mp);

enum dss_maps {
    DSS_NOTHING,
    DSS_BYTES,
    DSS_END,      /* a DATA_FIN, with bytes or none before it */
    DSS_INFINITE, /* RFC 8684 3.7 */
    DSS_INVALID,  /* a DATA_FIN for which there is no room */
};

struct dss_news {
    bool has_ack;
    dsn64 ack;
    enum dss_maps maps;
    bool dsn_is_64;
    struct mapping map; /* without the DATA_FIN, which is no payload */
};
/* What a DSS of the peer's says. Short numbers stand for those next to `una`, the oldest byte that it did not
 * acknowledge, `rcv_next` and `ssn_next`, the next that it is to send, of the stream and on this subflow. */
struct dss_news dss_read(const struct mp_dss *dss, dsn64 una, dsn64 rcv_next, uint64_t ssn_next);
/* RFC 8684 3.1: what stands for the DSS of the first data, whose first byte has these numbers. */
struct mapping dss_of_capable(const struct mp_capable *capable, uint64_t ssn, dsn64 dsn);
/* Is the checksum right of a DATA_FIN with no bytes before it? */
bool dss_end_is_proved(const struct mapping *end);

#endif
