#include "tcp/path_mtus.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"

struct path_mtu {
    struct hash_node node;
    struct list link;
    struct hawser_addr local, remote;
    uint16_t mtu;
    uint64_t until_ns;
};

int path_mtus_init(struct path_mtus *p, const struct hawser_env *env, struct counters *counters)
{
    pool_init(&p->pool, env, sizeof(struct path_mtu), PATH_MTUS_MAX);
    list_init(&p->order);
    p->counters = counters;
    return hash_init(&p->table, env, 1);
}

static void drop(struct path_mtus *p, struct path_mtu *path)
{
    hash_remove(&p->table, &path->node);
    list_remove(&path->link);
    pool_put(&p->pool, path);
}

void path_mtus_destroy(struct path_mtus *p)
{
    LIST_EACH (it, &p->order)
        drop(p, LIST_ENTRY(it, struct path_mtu, link));
    hash_destroy(&p->table);
    pool_destroy(&p->pool);
}

static uint64_t hash_of(const struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint8_t key[sizeof local->ip + sizeof remote->ip];
    memcpy(key, local->ip, sizeof local->ip);
    memcpy(key + sizeof local->ip, remote->ip, sizeof remote->ip);
    return hash_bytes(&p->table, key, sizeof key);
}

static struct path_mtu *find(const struct path_mtus *p, const struct hawser_addr *local,
                             const struct hawser_addr *remote)
{
    if (p->table.count == 0) /* as most often */
        return NULL;
    struct hash_node *node = hash_first(&p->table, hash_of(p, local, remote));
    for (; node; node = hash_next(node)) {
        struct path_mtu *path = HW_CONTAINER(node, struct path_mtu, node);
        if (hawser_addr_same_ip(&path->local, local) && hawser_addr_same_ip(&path->remote, remote))
            return path;
    }
    return NULL;
}

static struct path_mtu *add(struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    if (p->table.count == PATH_MTUS_MAX) {
        count(p->counters, COUNT_LIMIT_PATH_MTUS);
        drop(p, LIST_ENTRY(list_first(&p->order), struct path_mtu, link));
    }
    struct path_mtu *path = pool_get(&p->pool);
    if (!path)
        return NULL; /* the next subflow finds out for itself */
    *path = (struct path_mtu){.local = *local, .remote = *remote};
    list_init(&path->link);
    hash_insert(&p->table, &path->node, hash_of(p, local, remote));
    return path;
}

void path_mtus_note(struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote,
                    uint16_t mtu, uint64_t now_ns)
{
    struct path_mtu *path = find(p, local, remote);
    if (!path && !(path = add(p, local, remote)))
        return;
    path->mtu = mtu;
    path->until_ns = now_ns + PATH_MTU_NS;
    list_move_back(&p->order, &path->link);
}

void path_mtus_forget(struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    struct path_mtu *path = find(p, local, remote);
    if (path)
        drop(p, path);
}

uint16_t path_mtus_find(const struct path_mtus *p, const struct hawser_addr *local, const struct hawser_addr *remote,
                        uint64_t now_ns)
{
    const struct path_mtu *path = find(p, local, remote);
    return path && path->until_ns > now_ns ? path->mtu : 0;
}
