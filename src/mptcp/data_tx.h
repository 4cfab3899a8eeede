/* The stream on its way out: what the program queued, what was sent, and what the peer acknowledges (RFC 8684 3.3). */
#ifndef HW_MPTCP_DATA_TX_H
#define HW_MPTCP_DATA_TX_H

#include "base/deadline.h"
#include "base/iset.h"
#include "mptcp/carriers.h"
#include "mptcp/sendq.h"

#define REINJECT_RANGES_MIN 256u

/* What the data level waits for. */
enum awaited {
    AWAITS_NOTHING,
    AWAITS_WINDOW,
    AWAITS_DATA_ACK,
};

/* How the data level gets on (progress.c). */
struct progress {
    struct deadline timer;
    enum awaited armed; /* for that the timer fires early enough */
    dsn64 una;          /* the oldest missing byte, and since when: as last looked */
    uint64_t una_since_ns;
    uint64_t asked_since_ns; /* the first question, or repetition, that the peer did not answer by progress; 0: none */
    uint32_t questions;      /* since then */
    uint8_t answers;         /* bare acknowledgements that tell that the peer heard it, up to 255 */
    bool answers_with_options;
    uint32_t again;  /* bytes that were sent again last; 0: it is not recovering */
    dsn64 again_end; /* where they end */
};

struct data_tx {
    struct sendq sendq;
    dsn64 snd_nxt;        /* next byte never sent */
    dsn64 snd_edge;       /* right edge of the peer's window */
    struct iset reinject; /* offsets from local_idsn of bytes to be sent again elsewhere */
    struct iset repeated; /* likewise, of those that were */
    struct carriers carriers;
    struct progress progress;
    bool fin_wanted, fin_sent, fin_acked;
    uint8_t fin_tries; /* how often the DATA_FIN was repeated since data was last acknowledged */
    uint64_t sent_bytes, acked_bytes, reinjected_bytes;
};

#endif
