#include <errno.h>

#include "base/check.h"
#include "mptcp/conn.h"
#include "stack/handshake.h"
#include "stack/tuple.h"

/* RFC 6298 2.1 */
#define FIRST_WAIT_NS (1 * NS_PER_S)
/* Until then the answer may be on its way. An open has had its SYN/ACK repeated, and time to answer that; who asks
 * again has two seconds. There are no cookies for joins: the shorter their time, the more of a flood it takes
 * to keep one out that would answer. */
#define OPEN_PATIENCE_NS (3 * NS_PER_S)
#define ASKED_PATIENCE_NS (2 * NS_PER_S)
#define JOIN_PATIENCE_NS (250 * NS_PER_MS)

static struct handshake *at_turn(struct list *node) { return LIST_ENTRY(node, struct handshake, turn); }

static uint64_t hash_of(const struct handshakes *t, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint8_t key[TUPLE_LEN];
    tuple_write(key, local, remote);
    return hash_bytes(&t->tuples, key, sizeof key);
}

static void arm(struct handshakes *t)
{
    uint64_t at_ns = TIME_NEVER;
    for (unsigned i = 0; i < HANDSHAKE_TRIES_MAX; i++) {
        struct list *first = list_first(&t->waiting[i]);
        if (first)
            at_ns = HW_MIN(at_ns, at_turn(first)->due_ns);
    }
    deadline_set(&t->host->timers, &t->timer, at_ns);
}

static void make_due(struct handshakes *t, struct handshake *h) { list_move_back(&t->due, &h->turn); }

static void on_timer(struct deadline *timer, uint64_t now_ns)
{
    struct handshakes *t = HW_CONTAINER(timer, struct handshakes, timer);
    for (unsigned i = 0; i < HANDSHAKE_TRIES_MAX; i++) {
        for (struct list *first; (first = list_first(&t->waiting[i])) && at_turn(first)->due_ns <= now_ns;) {
            count(&t->host->counters, COUNT_HANDSHAKE_TIMEOUTS);
            if (i + 1 < HANDSHAKE_TRIES_MAX)
                make_due(t, at_turn(first));
            else
                handshakes_fail(t, at_turn(first), -ETIMEDOUT);
        }
    }
    arm(t);
}

int handshakes_init(struct handshakes *t, struct tcp_host *host, struct account *memory, uint32_t opens, uint32_t joins)
{
    t->host = host;
    t->memory = memory;
    pool_init(&t->pool, &host->env, sizeof(struct handshake),
              (2 + HANDSHAKE_SURE) * opens + joins + HANDSHAKE_COOKIES_MAX);
    quota_init(&t->opens, opens);
    quota_init(&t->joins, joins);
    quota_init(&t->promised, UINT32_MAX);
    quota_init(&t->cookies, HANDSHAKE_COOKIES_MAX);
    list_init(&t->due);
    for (unsigned i = 0; i < HANDSHAKE_TRIES_MAX; i++)
        list_init(&t->waiting[i]);
    deadline_init(&t->timer, on_timer);
    return hash_init(&t->tuples, &host->env, 16);
}

static struct quota *kind_of(struct handshakes *t, enum handshake_kind kind)
{
    return kind == HANDSHAKE_JOIN ? &t->joins : &t->opens;
}

static bool is_promised(const struct handshake *h) { return h->kind != HANDSHAKE_JOIN && h->conn; }

void handshakes_drop(struct handshakes *t, struct handshake *h)
{
    list_remove(&h->turn);
    if (h->owner) {
        hash_remove(&t->tuples, &h->tuple);
        quota_leave(h->owner, &h->owned);
        quota_leave(is_promised(h) ? &t->promised : kind_of(t, h->kind), &h->of_kind);
        arm(t);
    } else {
        quota_leave(&t->cookies, &h->of_kind);
    }
    account_release(t->memory, sizeof *h);
    pool_put(&t->pool, h);
}

void handshakes_fail(struct handshakes *t, struct handshake *h, int error)
{
    if (is_promised(h))
        conn_fail(h->conn, error);
    handshakes_drop(t, h);
}

void handshakes_drop_owner(struct handshakes *t, struct quota *owner)
{
    LIST_EACH (it, &owner->members)
        handshakes_drop(t, LIST_ENTRY(it, struct handshake, owned));
}

static void drop_all(struct handshakes *t, struct quota *all, const struct hawser_addr *local)
{
    LIST_EACH (it, &all->members) {
        struct handshake *h = LIST_ENTRY(it, struct handshake, of_kind);
        if (!local || (!h->door && hawser_addr_same_ip(&h->local, local)))
            handshakes_drop(t, h);
    }
}

void handshakes_drop_address(struct handshakes *t, const struct hawser_addr *local)
{
    drop_all(t, &t->opens, local);
    drop_all(t, &t->joins, local);
    drop_all(t, &t->cookies, local);
}

static void fail_all(struct handshakes *t, struct quota *all, uint8_t link)
{
    LIST_EACH (it, &all->members) {
        struct handshake *h = LIST_ENTRY(it, struct handshake, of_kind);
        if (h->link == link)
            handshakes_fail(t, h, -ENETDOWN);
    }
}

void handshakes_lose_link(struct handshakes *t, uint8_t link)
{
    fail_all(t, &t->opens, link);
    fail_all(t, &t->joins, link);
    fail_all(t, &t->promised, link);
    fail_all(t, &t->cookies, link);
}

void handshakes_destroy(struct handshakes *t)
{
    handshakes_drop_address(t, NULL);
    drop_all(t, &t->promised, NULL);
    hash_destroy(&t->tuples);
    pool_destroy(&t->pool);
}

struct handshake *handshakes_find(const struct handshakes *t, const struct hawser_addr *local,
                                  const struct hawser_addr *remote)
{
    for (struct hash_node *node = hash_first(&t->tuples, hash_of(t, local, remote)); node; node = hash_next(node)) {
        struct handshake *h = HW_CONTAINER(node, struct handshake, tuple);
        if (hawser_addr_equal(&h->local, local) && hawser_addr_equal(&h->remote, remote))
            return h;
    }
    return NULL;
}

/* False: the oldest one is too young. */
static bool recycle(struct handshakes *t, struct handshake *oldest, uint64_t now_ns)
{
    if (now_ns < oldest->safe_ns)
        return false;
    count(&t->host->counters, COUNT_LIMIT_HALF_OPEN);
    handshakes_drop(t, oldest);
    return true;
}

enum handshake_room handshakes_make_room(struct handshakes *t, struct quota *owner, enum handshake_kind kind,
                                         uint64_t now_ns)
{
    struct quota *all = kind_of(t, kind);
    struct handshake *oldest = NULL;
    if (kind != HANDSHAKE_JOIN && account_is_full(t->memory))
        return HANDSHAKE_ROOM_NONE;
    if (quota_full(owner))
        oldest = LIST_ENTRY(owner->members.next, struct handshake, owned);
    else if (quota_full(all) && owner->count >= HANDSHAKE_SURE)
        oldest = LIST_ENTRY(all->members.next, struct handshake, of_kind);
    if (!oldest)
        return HANDSHAKE_ROOM_FREE;
    return recycle(t, oldest, now_ns) ? HANDSHAKE_ROOM_MADE : HANDSHAKE_ROOM_NONE;
}

static struct handshake *copy(struct handshakes *t, const struct handshake *h)
{
    struct handshake *kept = pool_get(&t->pool);
    if (!kept)
        return NULL;
    *kept = *h;
    account_charge(t->memory, sizeof *kept);
    list_push_back(&t->due, &kept->turn);
    return kept;
}

struct handshake *handshakes_add(struct handshakes *t, struct quota *owner, const struct handshake *h)
{
    struct handshake *kept = copy(t, h);
    if (!kept)
        return NULL;
    kept->owner = owner;
    kept->safe_ns = h->begun_ns + (h->kind == HANDSHAKE_JOIN ? JOIN_PATIENCE_NS : OPEN_PATIENCE_NS);
    quota_enter(owner, &kept->owned);
    quota_enter(is_promised(h) ? &t->promised : kind_of(t, h->kind), &kept->of_kind);
    hash_insert(&t->tuples, &kept->tuple, hash_of(t, &h->local, &h->remote));
    return kept;
}

bool handshakes_answer(struct handshakes *t, const struct handshake *h)
{
    struct handshake *kept = quota_full(&t->cookies) ? NULL : copy(t, h);
    if (!kept)
        return false;
    kept->owner = NULL;
    quota_enter(&t->cookies, &kept->of_kind);
    return true;
}

void handshakes_ask(struct handshakes *t, struct handshake *h, uint64_t now_ns)
{
    /* Somebody is there, and this answer has its way to go. That holds his own record, and not those behind it. */
    uint64_t patience_ns = h->kind == HANDSHAKE_JOIN ? JOIN_PATIENCE_NS : ASKED_PATIENCE_NS;
    h->safe_ns = HW_MAX(h->safe_ns, now_ns + patience_ns);
    list_move_back(&h->owner->members, &h->owned);
    list_move_back(&(is_promised(h) ? &t->promised : kind_of(t, h->kind))->members, &h->of_kind);
    make_due(t, h);
    arm(t);
}

struct handshake *handshakes_due(const struct handshakes *t)
{
    struct list *first = list_first(&t->due);
    return first ? at_turn(first) : NULL;
}

void handshakes_sent(struct handshakes *t, struct handshake *h, uint64_t now_ns)
{
    if (!h->owner) {
        handshakes_drop(t, h);
        return;
    }
    h->tries++;
    unsigned sent = HW_MIN(h->tries, HANDSHAKE_TRIES_MAX) - 1;
    h->sent_ns = now_ns;
    h->due_ns = now_ns + (FIRST_WAIT_NS << sent);
    list_move_back(&t->waiting[sent], &h->turn);
    arm(t);
}
