/* Who has to go. When connections are used up: of the greediest, and then of all, the one that made no progress for
 * longest. When memory is, and stays so: the one that holds most above its share. Whoever makes progress and stays
 * within his share is left alone. */
#include <errno.h>

#include "stack/stack.h"

/* Of all connections, what is kept free for those who come: one that is reset is gone when its program lets go. */
#define HEADROOM 16u
/* For so long a connection may pause. */
#define PAUSE_NS (10 * NS_PER_S)
/* Memory that is used up for an instant comes back by itself, and so does who found none: only then somebody has to go.
 */
#define SCARCE_NS NS_PER_S
/* Connections looked at for one that has to go, */
#define LOOKS_MAX 64u
/* and, for one that comes, that have to go at once for memory. */
#define BATCH 8u

void evict_enlist(struct hawser_stack *stack, struct conn *conn, uint64_t now_ns)
{
    conn->progress.at_ns = now_ns;
    list_push_back(&stack->idlest, &conn->idle_link);
    if (conn->share)
        list_push_back(&((struct share *)conn->share)->members, &conn->share_link);
}

static void delist(struct conn *conn)
{
    list_remove(&conn->idle_link);
    list_remove(&conn->share_link);
}

void evict_note_progress(struct hawser_stack *stack, struct conn *conn, uint64_t now_ns)
{
    if (list_empty(&conn->idle_link)) /* our own, or on its way out */
        return;
    delist(conn);
    evict_enlist(stack, conn, now_ns);
}

void evict_gone(struct hawser_stack *stack, struct conn *conn)
{
    delist(conn);
    stack->evicted -= conn->evicted_bytes != 0;
    stack->evicted_bytes -= conn->evicted_bytes;
}

static void evict(struct hawser_stack *stack, struct conn *conn, enum counter why, uint64_t now_ns)
{
    delist(conn);
    conn->evicted_bytes = (uint32_t)HW_MAX((uint64_t)conn->account.held, 1u);
    stack->evicted++;
    stack->evicted_bytes += conn->evicted_bytes;
    count(&stack->host.tcp.counters, why);
    conn_abort(conn, -ENOBUFS, now_ns);
}

static bool is_idle(const struct conn *conn, uint64_t now_ns) { return now_ns - conn->progress.at_ns >= PAUSE_NS; }

static struct conn *idlest_member(const struct share *share)
{
    struct list *node = share ? list_first(&share->members) : NULL;
    return node ? LIST_ENTRY(node, struct conn, share_link) : NULL;
}

static struct conn *idlest_of_all(const struct hawser_stack *stack, uint64_t now_ns)
{
    struct list *node = list_first(&stack->idlest);
    struct conn *conn = node ? LIST_ENTRY(node, struct conn, idle_link) : NULL;
    return conn && is_idle(conn, now_ns) ? conn : NULL;
}

static bool is_admitted(const struct hawser_stack *stack, enum hawser_share by, const struct hawser_addr *peer)
{
    return shares_admit(&stack->shares, by, peer, stack->host.conns.in_use);
}

bool evict_admits(const struct hawser_stack *stack, enum hawser_share by, const struct hawser_addr *peer,
                  uint64_t now_ns)
{
    if (is_admitted(stack, by, peer))
        return true;
    const struct conn *own = idlest_member(shares_find(&stack->shares, by, peer));
    return own && is_idle(own, now_ns);
}

static bool hardly_any_left(const struct hawser_stack *stack, uint32_t leaving)
{
    const struct pool *conns = &stack->host.conns;
    return conns->in_use - leaving >= conns->limit - conns->limit / HEADROOM;
}

bool evict_spares_one(const struct hawser_stack *stack)
{
    return list_empty(&stack->listening) || !hardly_any_left(stack, 0);
}

/* What those of its address hold above their share, which counts first, as memory is dealt out by address first; and
 * what it holds itself above its own. Nothing: one of these is within its share, or there is nothing left to reset. */
struct greed {
    uint64_t address, own;
};

static struct greed greed_of(const struct conn *conn)
{
    const struct account *own = &conn->account, *address = own->parent->parent ? own->parent : own;
    const struct greed greed = {account_excess(address), account_excess(own)};
    if (!greed.address || !greed.own || (subflows_over(&conn->subflows) && !endings_awaits_rescue(&conn->endings)))
        return (struct greed){0};
    return greed;
}

static bool is_more(const struct greed *a, const struct greed *b)
{
    return a->address != b->address ? a->address > b->address : a->own > b->own;
}

/*
 * Of those looked at, whoever opened them, the one that holds most above its share; NULL: none of them does. All shares
 * are half of the memory: when that is used up, somebody holds more than his.
 *
 * Who is within his share goes to the end of the line. So those known to hold more stay in front, and each call looks
 * at them and then at others: once the line has come round, the answer is the greediest of all, or of LOOKS_MAX that
 * hold more than their shares when there are as many; the rest follow when these are gone. Progress does not count: a
 * byte now and then would buy any amount of memory.
 */
static struct conn *greediest(struct hawser_stack *stack)
{
    struct list *all = &stack->host.connections;
    const struct list *last = all->prev;
    struct conn *greediest = NULL;
    struct greed most = {0};
    uint32_t looks = LOOKS_MAX;
    LIST_EACH (it, all) {
        struct conn *conn = LIST_ENTRY(it, struct conn, link);
        const struct greed greed = greed_of(conn);
        if (greed.own == 0) {
            list_move_back(all, it);
        } else if (is_more(&greed, &most)) {
            greediest = conn;
            most = greed;
        }
        if (it == last || --looks == 0)
            break;
    }
    return greediest;
}

bool evict_greediest(struct hawser_stack *stack, const struct conn *sufferer, uint64_t now_ns)
{
    struct conn *conn = greediest(stack);
    if (!conn || conn == sufferer)
        return false;
    evict(stack, conn, COUNT_LIMIT_RESET, now_ns);
    return true;
}

/* Of those that made no progress for longest, and hold more than their share. */
static struct conn *richest_idle(const struct share *share, uint64_t now_ns)
{
    struct conn *richest = NULL;
    uint32_t looks = LOOKS_MAX;
    LIST_EACH (it, &share->members) {
        struct conn *conn = LIST_ENTRY(it, struct conn, share_link);
        if (looks-- == 0 || !is_idle(conn, now_ns))
            break;
        if (account_is_greedy(&conn->account) && (!richest || conn->account.held > richest->account.held))
            richest = conn;
    }
    return richest;
}

void evict_look(struct hawser_stack *stack)
{
    if (!account_is_full(&stack->host.memory.account))
        stack->scarce_since_ns = 0;
}

static bool stays_scarce(struct hawser_stack *stack, uint64_t now_ns)
{
    evict_look(stack);
    if (stack->scarce_since_ns == 0)
        stack->scarce_since_ns = now_ns;
    return now_ns - stack->scarce_since_ns >= SCARCE_NS;
}

/* One of all, or of those that share their address with who comes. */
static struct conn *one_for_memory(struct hawser_stack *stack, const struct share *own, uint64_t now_ns)
{
    if (account_is_scarce(&stack->host.memory.account, stack->evicted_bytes))
        return stays_scarce(stack, now_ns) ? greediest(stack) : NULL;
    return own && account_is_scarce(&own->account, stack->evicted_bytes) ? richest_idle(own, now_ns) : NULL;
}

void evict_for(struct hawser_stack *stack, enum hawser_share by, const struct hawser_addr *peer, uint64_t now_ns)
{
    const struct share *own = shares_find(&stack->shares, by, peer);
    struct conn *conn = NULL;
    if (!is_admitted(stack, by, peer)) {
        conn = idlest_member(own);
    } else if (hardly_any_left(stack, stack->evicted)) {
        conn = idlest_member(shares_greedier(&stack->shares, own));
        conn = conn ? conn : idlest_of_all(stack, now_ns);
    }
    if (conn)
        evict(stack, conn, COUNT_LIMIT_EVICTED, now_ns);
    for (uint32_t i = 0; i < BATCH; i++)
        if ((conn = one_for_memory(stack, own, now_ns)))
            evict(stack, conn, COUNT_LIMIT_RESET, now_ns);
}
