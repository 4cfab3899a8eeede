/* Internet addresses: one representation for IPv4 and IPv6. */
#ifndef HAWSER_ADDR_H
#define HAWSER_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/env.h>

/* An address and a port. IPv4 is held as ::ffff:a.b.c.d, so that the two families compare and hash alike. */
struct hawser_addr {
    uint8_t ip[16]; /* network order */
    uint16_t port;  /* host order; 0 where a port means nothing */
};

/* Room for any formatted address: "[v6]:port" and the final NUL. */
#define HAWSER_ADDR_STRLEN 56

/*
 * Reads a literal IPv4 or IPv6 address (no name look-up, no port, no zone) from `text`, NUL-terminated.
 * Sets `addr->port` to `port`. Returns 0, or -EINVAL when `text` is not an address.
 */
HAWSER_API int hawser_addr_parse(struct hawser_addr *addr, const char *text, uint16_t port);

/*
 * Writes "a.b.c.d:port" or "[v6]:port", without ":port" (and brackets) when the port is 0, into `text` of `size`
 * bytes, always NUL-terminated when size > 0. Returns `text`. RFC 5952 spelling.
 */
HAWSER_API char *hawser_addr_format(const struct hawser_addr *addr, char *text, size_t size);

/* True for an address of the IPv4 family. */
HAWSER_API bool hawser_addr_is_v4(const struct hawser_addr *addr);

/* True when both name the same IP address, whatever the ports. */
HAWSER_API bool hawser_addr_same_ip(const struct hawser_addr *a, const struct hawser_addr *b);

/* True when the IP addresses and the ports are equal. */
HAWSER_API bool hawser_addr_equal(const struct hawser_addr *a, const struct hawser_addr *b);

#endif
