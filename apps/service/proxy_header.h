/* The header by which a server is told who its client is: the PROXY protocol, version 2, of HAProxy. */
#ifndef HW_APPS_SERVICE_PROXY_HEADER_H
#define HW_APPS_SERVICE_PROXY_HEADER_H

#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum { PROXY_HEADER_MAX = 16 + 36 };

/* Writes what stands before the first byte of a TCP connection from `client` to `called`, of one family. Returns its
 * length in bytes. */
size_t proxy_header_write(const struct hawser_addr *client, const struct hawser_addr *called,
                          uint8_t out[PROXY_HEADER_MAX]);

#endif
