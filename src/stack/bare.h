/* A segment without payload that no subflow sends: of a handshake, or an answer to nobody's segment. */
#ifndef HW_STACK_BARE_H
#define HW_STACK_BARE_H

#include <hawser/packet.h>

#include "wire/tcp.h"
#include "wire/tcp_options.h"

/* Fills `tx`. Of `header`: numbers, flags and window. */
void bare_write(struct hawser_tx *tx, uint8_t link, const struct hawser_addr *local, const struct hawser_addr *remote,
                struct tcp_header header, const struct tcp_options *options);

#endif
