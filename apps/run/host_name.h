/* "host.hawser": what the host's own services on loopback addresses are called in a program's namespace. */
#ifndef HW_APPS_RUN_HOST_NAME_H
#define HW_APPS_RUN_HOST_NAME_H

#include <stddef.h>
#include <stdint.h>

enum { HOST_NAME_ANSWER = 64 };

/* The answer (RFC 1035) to a query for this name, 127.0.0.1, written to `out`, HOST_NAME_ANSWER bytes. Returns its
 * length; 0: it is about something else, or nonsense, and for a resolver. */
size_t host_name_answer(const uint8_t *query, size_t len, uint8_t *out);

#endif
