#include "stack/plain_peers.h"

#include "base/compiler.h"
#include "base/units.h"

int plain_peers_init(struct plain_peers *p, const struct hawser_env *env, struct counters *counters)
{
    pool_init(&p->pool, env, sizeof(struct plain_peer), PLAIN_PEERS_MAX);
    list_init(&p->order);
    p->counters = counters;
    return hash_init(&p->table, env, 1);
}

void plain_peers_destroy(struct plain_peers *p)
{
    plain_peers_forget_all(p);
    hash_destroy(&p->table);
    pool_destroy(&p->pool);
}

static uint64_t hash_of(const struct plain_peers *p, const struct hawser_addr *addr)
{
    return hash_bytes(&p->table, addr->ip, sizeof addr->ip);
}

static struct plain_peer *find(const struct plain_peers *p, const struct hawser_addr *addr)
{
    for (struct hash_node *node = hash_first(&p->table, hash_of(p, addr)); node; node = hash_next(node))
        if (hawser_addr_same_ip(&HW_CONTAINER(node, struct plain_peer, node)->addr, addr))
            return HW_CONTAINER(node, struct plain_peer, node);
    return NULL;
}

static void drop(struct plain_peers *p, struct plain_peer *peer)
{
    hash_remove(&p->table, &peer->node);
    list_remove(&peer->link);
    pool_put(&p->pool, peer);
}

static struct plain_peer *add(struct plain_peers *p, const struct hawser_addr *addr)
{
    if (p->table.count == PLAIN_PEERS_MAX) {
        count(p->counters, COUNT_LIMIT_PLAIN_PEERS);
        drop(p, LIST_ENTRY(list_first(&p->order), struct plain_peer, link));
    }
    struct plain_peer *peer = pool_get(&p->pool);
    if (!peer)
        return NULL; /* the next connection finds out for itself */
    *peer = (struct plain_peer){.addr = *addr};
    peer->addr.port = 0;
    list_init(&peer->link);
    hash_insert(&p->table, &peer->node, hash_of(p, addr));
    return peer;
}

void plain_peers_note(struct plain_peers *p, const struct hawser_addr *addr, uint64_t now_ns)
{
    struct plain_peer *peer = find(p, addr);
    if (peer && peer->until_ns > now_ns)
        return;
    if (!peer && !(peer = add(p, addr)))
        return;
    uint64_t term_ns = PLAIN_PEER_NS << PLAIN_PEER_GROWTH_BITS * HW_MIN(peer->times, 4u);
    peer->until_ns = now_ns + HW_MIN(term_ns, PLAIN_PEER_NS_MAX);
    peer->times++;
    list_move_back(&p->order, &peer->link);
    count(p->counters, COUNT_MPTCP_PLAIN_PEERS);
}

bool plain_peers_hold(const struct plain_peers *p, const struct hawser_addr *addr, uint64_t now_ns)
{
    const struct plain_peer *peer = find(p, addr);
    return peer && peer->until_ns > now_ns;
}

void plain_peers_forget(struct plain_peers *p, const struct hawser_addr *addr)
{
    struct plain_peer *peer = find(p, addr);
    if (peer)
        drop(p, peer);
}

void plain_peers_forget_all(struct plain_peers *p)
{
    LIST_EACH (it, &p->order)
        drop(p, LIST_ENTRY(it, struct plain_peer, link));
}

const struct plain_peer *plain_peers_at(const struct plain_peers *p, size_t i)
{
    LIST_EACH (it, &p->order)
        if (i-- == 0)
            return LIST_ENTRY(it, struct plain_peer, link);
    return NULL;
}
