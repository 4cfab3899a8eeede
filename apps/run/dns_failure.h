/* What a program hears when the host's resolver is not there. */
#ifndef HW_APPS_RUN_DNS_FAILURE_H
#define HW_APPS_RUN_DNS_FAILURE_H

#include <stddef.h>
#include <stdint.h>

enum { DNS_FAILURE_MAX = 12 + 255 + 4 };

/* The answer "server failure" (RFC 1035) to a query, written to `out`, DNS_FAILURE_MAX bytes. Returns its length; 0: it
 * is no query. */
size_t dns_failure(const uint8_t *query, size_t len, uint8_t *out);

#endif
