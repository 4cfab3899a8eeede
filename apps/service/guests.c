#include "service/guests.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

struct guest {
    struct hash_node node;
    struct guests *of;
    uint8_t ip[16];
    uint32_t count;
};

void guest_subscriber(struct hawser_addr *addr)
{
    if (!hawser_addr_is_v4(addr))
        memset(addr->ip + 8, 0, sizeof addr->ip - 8);
}

uint64_t guests_hash(const struct guests *guests, const struct hawser_addr *addr)
{
    return hash_bytes(&guests->table, addr->ip, sizeof addr->ip);
}

int guests_init(struct guests *guests, const struct hawser_env *env, uint32_t max)
{
    *guests = (struct guests){.max = max};
    return hash_init(&guests->table, env, 16);
}

void guests_destroy(struct guests *guests) { hash_destroy(&guests->table); }

static struct guest *find(const struct guests *guests, const struct hawser_addr *addr, uint64_t hash)
{
    for (struct hash_node *node = hash_first(&guests->table, hash); node; node = hash_next(node)) {
        struct guest *guest = HW_CONTAINER(node, struct guest, node);
        if (memcmp(guest->ip, addr->ip, sizeof guest->ip) == 0)
            return guest;
    }
    return NULL;
}

struct guest *guests_enter(struct guests *guests, const struct hawser_addr *addr)
{
    uint64_t hash = guests_hash(guests, addr);
    struct guest *guest = find(guests, addr, hash);
    uint32_t has = guest ? guest->count : 0;
    bool fits = guests->count < guests->max && has < guests->max - guests->count;
    if (fits && !guest && (guest = calloc(1, sizeof *guest))) {
        guest->of = guests;
        memcpy(guest->ip, addr->ip, sizeof guest->ip);
        hash_insert(&guests->table, &guest->node, hash);
    }
    if (!fits || !guest) {
        guests->turned_away++;
        return NULL;
    }
    guest->count++;
    guests->count++;
    return guest;
}

void guests_leave(struct guests *guests, struct guest *guest)
{
    guests->count--;
    if (--guest->count > 0)
        return;
    hash_remove(&guests->table, &guest->node);
    free(guest);
}

void guest_left(void *guest) { guests_leave(((struct guest *)guest)->of, guest); }

uint32_t guest_count(const struct guest *guest) { return guest->count; }
