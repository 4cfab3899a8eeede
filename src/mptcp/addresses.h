/* Addresses the two hosts told each other (RFC 8684 3.4): a bounded table per connection and side. */
#ifndef HW_MPTCP_ADDRESSES_H
#define HW_MPTCP_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/addr.h>

#define ADDRESSES_MAX 16

struct known_address {
    struct hawser_addr addr; /* port 0: the port of the first subflow */
    uint8_t id;
};

struct addresses {
    struct known_address list[ADDRESSES_MAX];
    uint8_t count;
};

enum addresses_result { ADDRESSES_ADDED, ADDRESSES_SAME, ADDRESSES_CHANGED, ADDRESSES_FULL };

/* Records `addr` under `id`. An ID already there with another address is replaced (CHANGED). */
enum addresses_result addresses_put(struct addresses *a, uint8_t id, const struct hawser_addr *addr);

/* The entry with that ID, or NULL. */
const struct known_address *addresses_by_id(const struct addresses *a, uint8_t id);

/* The entry with that IP address (the port is not compared), or NULL. */
const struct known_address *addresses_by_ip(const struct addresses *a, const struct hawser_addr *addr);

/* Forgets the ID; false when it was not there. */
bool addresses_drop(struct addresses *a, uint8_t id);

/* The least ID above 0 that is free, or 0 when none is. (ID 0 is the address of the first subflow.) */
uint8_t addresses_free_id(const struct addresses *a);

#endif
