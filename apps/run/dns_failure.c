#include "run/dns_failure.h"

#include <string.h>

/* RFC 1035 4.1: a header, and the question: a name, its type and class. */
enum { HEADER = 12, NAME_MAX_BYTES = 255, LABEL_MAX = 63, RESPONSE = 0x80, KEPT = 0x79, AVAILABLE = 0x80, FAILURE = 2 };

/* With the empty label that is its end; 0: it is none. */
static size_t name_len(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len && i < NAME_MAX_BYTES && at[i] <= LABEL_MAX; i += 1u + at[i])
        if (at[i] == 0)
            return i + 1;
    return 0;
}

size_t dns_failure(const uint8_t *query, size_t len, uint8_t *out)
{
    if (len < HEADER || query[2] & RESPONSE || query[4] != 0 || query[5] != 1)
        return 0;
    const size_t name = name_len(query + HEADER, len - HEADER), asked = HEADER + name + 4;
    if (name == 0 || asked > len)
        return 0;
    memcpy(out, query, asked);
    out[2] = (uint8_t)(RESPONSE | (query[2] & KEPT)); /* of what kind it was, and whether recursion was desired */
    out[3] = AVAILABLE | FAILURE;
    memset(out + 6, 0, HEADER - 6);
    return asked;
}
