/*
 * Addresses numbered in the order they were met, so that each router can keep what it knows of them in an array: a
 * network of a thousand addresses and a hundred routers has a hundred thousand routes, and every packet needs one at
 * every router.
 */
#ifndef HW_SIM_ADDRESSES_H
#define HW_SIM_ADDRESSES_H

#include <stdint.h>

#include <hawser/addr.h>

struct address_book {
    struct hawser_addr *list; /* by number */
    uint32_t count;
    uint32_t *slots;     /* open addressing: number + 1, 0 for an empty one */
    uint32_t slot_count; /* a power of two, at least twice as many as addresses */
};

#define ADDRESS_UNKNOWN UINT32_MAX

/* A zeroed book is an empty one. */
void address_book_fini(struct address_book *book);

/* The number of an IP address (ports do not matter), or ADDRESS_UNKNOWN. */
uint32_t address_book_find(const struct address_book *book, const struct hawser_addr *addr);

/* The same, but a new address gets the next number. */
uint32_t address_book_add(struct address_book *book, const struct hawser_addr *addr);

#endif
