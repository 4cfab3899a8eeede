#include "service/guests.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

struct guest {
    struct hash_node node;
    uint8_t key[GUEST_KEY_BYTES];
    uint32_t count;
};

void guest_key(uint8_t key[GUEST_KEY_BYTES], const struct hawser_addr *addr)
{
    memset(key, 0, GUEST_KEY_BYTES);
    memcpy(key, addr->ip, hawser_addr_is_v4(addr) ? 16 : 8);
}

uint64_t guests_hash(const struct guests *guests, const struct hawser_addr *addr)
{
    uint8_t key[GUEST_KEY_BYTES];
    guest_key(key, addr);
    return hash_bytes(&guests->table, key, sizeof key);
}

int guests_init(struct guests *guests, const struct hawser_env *env, uint32_t max)
{
    *guests = (struct guests){.max = max};
    return hash_init(&guests->table, env, 16);
}

void guests_destroy(struct guests *guests) { hash_destroy(&guests->table); }

static struct guest *find(const struct guests *guests, const uint8_t *key, uint64_t hash)
{
    for (struct hash_node *node = hash_first(&guests->table, hash); node; node = hash_next(node)) {
        struct guest *guest = HW_CONTAINER(node, struct guest, node);
        if (memcmp(guest->key, key, sizeof guest->key) == 0)
            return guest;
    }
    return NULL;
}

struct guest *guests_enter(struct guests *guests, const struct hawser_addr *addr)
{
    uint8_t key[GUEST_KEY_BYTES];
    guest_key(key, addr);
    uint64_t hash = hash_bytes(&guests->table, key, sizeof key);
    struct guest *guest = find(guests, key, hash);
    uint32_t has = guest ? guest->count : 0;
    bool fits = guests->count < guests->max && has < guests->max - guests->count;
    if (fits && !guest && (guest = calloc(1, sizeof *guest))) {
        memcpy(guest->key, key, sizeof key);
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

uint32_t guest_count(const struct guest *guest) { return guest->count; }
