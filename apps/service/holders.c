#include "service/holders.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

struct holder {
    struct hash_node node;
    struct list link, held;
    uint8_t ip[16];
    uint64_t bytes;
};

int holders_init(struct holders *holders, const struct hawser_env *env, uint64_t max)
{
    *holders = (struct holders){.max = max};
    list_init(&holders->all);
    return hash_init(&holders->table, env, 16);
}

void holders_destroy(struct holders *holders) { hash_destroy(&holders->table); }

static struct holder *find(const struct holders *holders, const struct hawser_addr *addr, uint64_t hash)
{
    for (struct hash_node *node = hash_first(&holders->table, hash); node; node = hash_next(node)) {
        struct holder *holder = HW_CONTAINER(node, struct holder, node);
        if (memcmp(holder->ip, addr->ip, sizeof holder->ip) == 0)
            return holder;
    }
    return NULL;
}

static struct holder *new_holder(struct holders *holders, const struct hawser_addr *addr, uint64_t hash)
{
    struct holder *holder = calloc(1, sizeof *holder);
    if (!holder)
        return NULL;
    memcpy(holder->ip, addr->ip, sizeof holder->ip);
    list_init(&holder->held);
    list_push_back(&holders->all, &holder->link);
    hash_insert(&holders->table, &holder->node, hash);
    return holder;
}

int holders_enter(struct holders *holders, struct held *held, const struct hawser_addr *addr, uint64_t bytes)
{
    const uint64_t hash = hash_bytes(&holders->table, addr->ip, sizeof addr->ip);
    const uint64_t left = holders->max > holders->bytes ? holders->max - holders->bytes : 0;
    struct holder *holder = find(holders, addr, hash);
    if ((holder ? holder->bytes : 0) + bytes > left) {
        holders->refused++;
        return -ENOBUFS;
    }
    if (!holder && !(holder = new_holder(holders, addr, hash)))
        return -ENOMEM;
    *held = (struct held){.by = holder};
    list_push_back(&holder->held, &held->link);
    holders_charge(holders, held, bytes);
    return 0;
}

void holders_charge(struct holders *holders, struct held *held, uint64_t bytes)
{
    if (!held->by)
        return;
    holders->bytes += bytes - held->bytes;
    held->by->bytes += bytes - held->bytes;
    held->bytes = bytes;
}

void holders_leave(struct holders *holders, struct held *held)
{
    struct holder *holder = held->by;
    if (!holder)
        return;
    holders_charge(holders, held, 0);
    list_remove(&held->link);
    held->by = NULL;
    if (!list_empty(&holder->held))
        return;
    list_remove(&holder->link);
    hash_remove(&holders->table, &holder->node);
    free(holder);
}

struct held *holders_largest(const struct holders *holders)
{
    struct holder *most = NULL;
    struct held *largest = NULL;
    LIST_EACH (it, &holders->all) {
        struct holder *holder = LIST_ENTRY(it, struct holder, link);
        if (!most || holder->bytes > most->bytes)
            most = holder;
    }
    if (!most)
        return NULL;
    LIST_EACH (it, &most->held) {
        struct held *held = LIST_ENTRY(it, struct held, link);
        if (!largest || held->bytes > largest->bytes)
            largest = held;
    }
    return largest;
}
