/* Counts the subflows that came to life, by their handshakes on the wire. */
#ifndef HW_APPS_LAB_FLOWS_H
#define HW_APPS_LAB_FLOWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FLOWS_MAX = 64, FLOWS_TUPLE_BYTES = 36 };

/* Source and destination, address and port, as the initiator sends them. */
struct flow {
    uint8_t tuple[FLOWS_TUPLE_BYTES];
    bool established;
};

struct flows {
    struct flow flow[FLOWS_MAX];
    unsigned count, established;
};

/* Looks at one IP packet of `len` bytes. Returns how many of them are TCP payload. */
size_t flows_note(struct flows *f, const uint8_t *packet, size_t len);

#endif
