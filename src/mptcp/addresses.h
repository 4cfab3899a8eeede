/* Addresses the two hosts told each other (RFC 8684 3.4): a bounded table per connection and side. */
#ifndef HW_MPTCP_ADDRESSES_H
#define HW_MPTCP_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/addr.h>

#include "base/account.h"

/* Addresses of a host. */
#define HOST_ADDRESSES_MAX 64
/* Those of the peer that a connection knows. */
#define ADDRESSES_MAX 64

/* A set of address IDs. */
struct address_ids {
    uint32_t bits[256 / 32];
};

static inline bool address_ids_have(const struct address_ids *ids, uint8_t id)
{
    return ids->bits[id / 32] >> id % 32 & 1;
}
static inline void address_ids_put(struct address_ids *ids, uint8_t id, bool in)
{
    const uint32_t bit = UINT32_C(1) << id % 32;
    ids->bits[id / 32] = in ? ids->bits[id / 32] | bit : ids->bits[id / 32] & ~bit;
}

/* An address of ours. */
struct local_address {
    struct hawser_addr addr; /* port 0 */
    /* Where peers reach it, and the port where they are to join, or 0: the same address, unless it is translated on the
     * way. Of the same family. */
    struct hawser_addr outside;
    uint8_t prefix_len;
    uint8_t link;
    uint8_t id;              /* its address ID, 1 or more; stays while others come and go */
    bool backup;             /* of connections that say nothing else */
    uint32_t mtu, gso_bytes; /* of that link */
};

/* One of the peer's. */
struct known_address {
    struct hawser_addr addr;
    uint8_t id;
    bool latest; /* of the IDs that it has */
};

/* All zero: none. */
struct addresses {
    struct known_address *list;
    uint8_t count, capacity;
};

enum addresses_result { ADDRESSES_ADDED, ADDRESSES_SAME, ADDRESSES_CHANGED, ADDRESSES_TAKEN, ADDRESSES_FULL };

/* Records `addr` under `id`. An ID that is there keeps its IP address (TAKEN) until it is dropped, but may get another
 * port (CHANGED; RFC 8684 3.4.1). FULL: they are as many as may be, or `payer`, always the same one, has no memory for
 * more. */
enum addresses_result addresses_put(struct addresses *a, struct account *payer, uint8_t id,
                                    const struct hawser_addr *addr);
void addresses_destroy(struct addresses *a, struct account *payer);

/* Does that IPv4 address mean all hosts beside this address of ours (RFC 1122 3.2.1.3, RFC 3021)? */
bool local_address_broadcasts(const struct local_address *own, const struct hawser_addr *addr);

/* Forgets the ID; false when it was not there. */
bool addresses_drop(struct addresses *a, uint8_t id);

#endif
