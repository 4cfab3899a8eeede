/* ICMP errors that tell a host that its packet led nowhere (RFC 792, RFC 4443 3.1): written. icmp_error.h reads them.
 */
#ifndef HW_WIRE_ICMP_H
#define HW_WIRE_ICMP_H

#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum icmp_unreachable {
    ICMP_UNREACHABLE_NETWORK,
    ICMP_UNREACHABLE_HOST,
    ICMP_UNREACHABLE_PROTOCOL, /* by IPv6 there is no such code (RFC 4443 3.1): the port's */
    ICMP_UNREACHABLE_PORT,
    ICMP_UNREACHABLE_PROHIBITED,
};

enum { ICMP_HEADER_LEN = 8 };

/*
 * Writes IP and ICMP header of a "destination unreachable" to `p`, complete with checksums: 28 or 48 bytes, by the
 * family of `dst`; returns how many. `quote` is the packet that it answers, from its first header byte, as much of it
 * as shall follow (RFC 1812 4.3.2.3: up to 576 bytes in all; RFC 4443 2.4: up to 1280): the caller sends it behind.
 */
size_t icmp_unreachable_emit(uint8_t *p, enum icmp_unreachable why, const struct hawser_addr *src,
                             const struct hawser_addr *dst, const uint8_t *quote, size_t quote_len);

#endif
