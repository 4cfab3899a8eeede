#include "sim/addresses.h"

#include "base/compiler.h"
#include "sim/digest.h"
#include "sim/memory.h"

#define SLOTS_MIN 64u

void address_book_fini(struct address_book *book)
{
    sim_free(book->list);
    sim_free(book->slots);
    *book = (struct address_book){0};
}

/* The slot where the address stands or would stand. */
static uint32_t slot_of(const struct address_book *book, const struct hawser_addr *addr)
{
    uint32_t mask = book->slot_count - 1, i = (uint32_t)digest_bytes(0, addr->ip, sizeof addr->ip) & mask;
    while (book->slots[i] && !hawser_addr_same_ip(&book->list[book->slots[i] - 1], addr))
        i = (i + 1) & mask;
    return i;
}

uint32_t address_book_find(const struct address_book *book, const struct hawser_addr *addr)
{
    return book->count ? book->slots[slot_of(book, addr)] - 1 : ADDRESS_UNKNOWN; /* 0 - 1 is unknown */
}

static void grow(struct address_book *book)
{
    sim_free(book->slots);
    book->slot_count = HW_MAX(2 * book->slot_count, SLOTS_MIN);
    book->slots = sim_new(book->slot_count * sizeof *book->slots);
    for (uint32_t i = 0; i < book->count; i++)
        book->slots[slot_of(book, &book->list[i])] = i + 1;
}

uint32_t address_book_add(struct address_book *book, const struct hawser_addr *addr)
{
    uint32_t known = address_book_find(book, addr);
    if (known != ADDRESS_UNKNOWN)
        return known;
    if (2 * (book->count + 1) > book->slot_count)
        grow(book);
    book->list = sim_grow(book->list, book->count, sizeof *book->list);
    book->list[book->count] = *addr;
    book->slots[slot_of(book, addr)] = book->count + 1;
    return book->count++;
}
