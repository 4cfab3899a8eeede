#include "mptcp/addresses.h"

#include <string.h>

#include "base/compiler.h"
#include "wire/bytes.h"

#define CAPACITY_MIN 2u
/* The last prefix with a broadcast address (RFC 3021). */
#define BROADCAST_PREFIX_MAX 30u

bool local_address_broadcasts(const struct local_address *own, const struct hawser_addr *addr)
{
    if (!hawser_addr_is_v4(&own->addr) || !hawser_addr_is_v4(addr) || own->prefix_len > BROADCAST_PREFIX_MAX)
        return false;
    uint32_t host = UINT32_MAX >> own->prefix_len; /* all ones; all zeros, an old form, is a host's as likely as not */
    return get32(addr->ip + 12) == (get32(own->addr.ip + 12) | host);
}

static struct known_address *entry_of(struct addresses *a, uint8_t id)
{
    for (unsigned i = 0; i < a->count; i++)
        if (a->list[i].id == id)
            return &a->list[i];
    return NULL;
}

static bool make_room(struct addresses *a, struct account *payer)
{
    if (a->count < a->capacity)
        return true;
    const unsigned capacity = HW_MAX(2u * a->capacity, CAPACITY_MIN);
    struct known_address *list = NULL;
    if (capacity <= ADDRESSES_MAX)
        list = account_grow(payer, a->list, a->capacity * sizeof *list, capacity * sizeof *list);
    if (!list)
        return false;
    a->list = list;
    a->capacity = (uint8_t)capacity;
    return true;
}

void addresses_destroy(struct addresses *a, struct account *payer)
{
    account_free(payer, a->list, a->capacity * sizeof *a->list);
    *a = (struct addresses){0};
}

/* They are in the order in which they came. */
static void mark_latest(struct addresses *a, const struct hawser_addr *addr)
{
    struct known_address *latest = NULL;
    for (unsigned i = 0; i < a->count; i++)
        if (hawser_addr_equal(&a->list[i].addr, addr)) {
            latest = &a->list[i];
            latest->latest = false;
        }
    if (latest)
        latest->latest = true;
}

enum addresses_result addresses_put(struct addresses *a, struct account *payer, uint8_t id,
                                    const struct hawser_addr *addr)
{
    struct known_address *known = entry_of(a, id);
    if (known) {
        if (hawser_addr_equal(&known->addr, addr))
            return ADDRESSES_SAME;
        if (!hawser_addr_same_ip(&known->addr, addr))
            return ADDRESSES_TAKEN;
        const struct hawser_addr before = known->addr;
        known->addr = *addr;
        mark_latest(a, &before);
        mark_latest(a, addr);
        return ADDRESSES_CHANGED;
    }
    if (!make_room(a, payer))
        return ADDRESSES_FULL;
    a->list[a->count++] = (struct known_address){.addr = *addr, .id = id};
    mark_latest(a, addr);
    return ADDRESSES_ADDED;
}

bool addresses_drop(struct addresses *a, uint8_t id)
{
    struct known_address *known = entry_of(a, id);
    if (!known)
        return false;
    const struct hawser_addr addr = known->addr;
    /* The order stays, so that what is tried next does not depend on what was dropped. */
    a->count--;
    memmove(known, known + 1, (size_t)(a->list + a->count - known) * sizeof *known);
    mark_latest(a, &addr);
    return true;
}
