/* The TCP header (RFC 9293 3.1). */
#ifndef HW_WIRE_TCP_H
#define HW_WIRE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/seq.h"

enum {
    TCP_FIN = 0x01,
    TCP_SYN = 0x02,
    TCP_RST = 0x04,
    TCP_PSH = 0x08,
    TCP_ACK = 0x10,
    TCP_URG = 0x20,
    TCP_ECE = 0x40,
    TCP_CWR = 0x80,

    TCP_HEADER_LEN = 20,
    TCP_OPTION_SPACE = 40,
};

struct tcp_header {
    uint16_t src_port, dst_port;
    seq32 seq, ack;
    uint8_t flags;
    uint8_t header_len; /* bytes, options included: 20 to 60 */
    uint16_t window;    /* as on the wire, not scaled */
    uint16_t checksum;
    uint16_t urgent;
};

/* Reads the header of a segment of `len` bytes. False when it is shorter than its header or the offset is below 5. */
bool tcp_header_parse(const uint8_t *p, size_t len, struct tcp_header *out);

/* Writes the 20 fixed bytes; `h->header_len` must be a multiple of 4. */
void tcp_header_emit(uint8_t *p, const struct tcp_header *h);

#endif
