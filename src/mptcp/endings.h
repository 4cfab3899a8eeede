/* How a connection ends: what the program asked for, errors, and how long it waits for what may never come. */
#ifndef HW_MPTCP_ENDINGS_H
#define HW_MPTCP_ENDINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"

struct endings {
    int error;
    bool detached;                  /* the application gave up its handle */
    bool abort_asked, linger_asked; /* by calls that bring no time: begun at the next output */
    bool aborted;                   /* reset by us: RSTs carry MP_FASTCLOSE */
    bool farewell;                  /* the peer acknowledged a subflow's FIN, and so knows that all is over */
    struct deadline linger_timer;   /* runs once the application, or every subflow of the peer's, has let go */
    uint64_t linger_acked;          /* acked_bytes when it was set */
};

#endif
