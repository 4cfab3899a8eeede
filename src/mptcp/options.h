/*
 * What a segment of a subflow says (RFC 8684 3): each part of the connection has its say, in the order in which one
 * option makes way for another. It reads all of them and changes none.
 */
#ifndef HW_MPTCP_OPTIONS_H
#define HW_MPTCP_OPTIONS_H

#include "mptcp/data_rx.h"
#include "mptcp/data_tx.h"
#include "mptcp/fallback.h"
#include "mptcp/path_manager.h"

struct speakers {
    const struct identity *id;
    const struct fallback *fallback;
    const struct data_tx *tx;
    const struct data_rx *rx;
    const struct path_manager *pm; /* NULL: no address is owed on this subflow */
    bool checksum_required;        /* by the host */
    bool aborted;                  /* RSTs say so */
};

/* `record`: what the segment carries; NULL: it takes no sequence space. `flags` are those of TCP. */
void options_write(const struct speakers *who, const struct subflow *subflow, const struct tx_record *record,
                   uint8_t flags, struct tcp_options *options);

#endif
