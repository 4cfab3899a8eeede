/* The stream on its way in: what arrived, in data sequence order, and the window that was promised (RFC 8684 3.3). */
#ifndef HW_MPTCP_DATA_RX_H
#define HW_MPTCP_DATA_RX_H

#include "base/packer.h"
#include "mptcp/reassembly.h"

struct data_rx {
    struct reassembly reassembly;
    struct packer packed; /* where data behind a gap goes while memory of the links is scarce */
    uint32_t recv_limit;
    dsn64 rcv_edge; /* right edge of the window we promised */
    dsn64 peer_fin; /* number of the DATA_FIN */
    bool peer_fin_known, peer_fin_taken;
};

#endif
