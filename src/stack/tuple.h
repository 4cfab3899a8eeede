/* A 4-tuple as bytes, to be hashed and signed. */
#ifndef HW_STACK_TUPLE_H
#define HW_STACK_TUPLE_H

#include <string.h>

#include <hawser/addr.h>

#include "wire/bytes.h"

enum { TUPLE_LEN = 36 };

static inline void tuple_write(uint8_t out[TUPLE_LEN], const struct hawser_addr *local,
                               const struct hawser_addr *remote)
{
    memcpy(out, local->ip, 16);
    memcpy(out + 16, remote->ip, 16);
    put16(out + 32, local->port);
    put16(out + 34, remote->port);
}

#endif
