#include "stack/requests.h"

#include <string.h>

#include "mptcp/identity.h"
#include "stack/bare.h"
#include "stack/stack.h"
#include "stack/tuple.h"
#include "wire/icmp.h"

static uint64_t hash_of(const struct requests *t, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint8_t key[TUPLE_LEN];
    tuple_write(key, local, remote);
    return hash_bytes(&t->tuples, key, sizeof key);
}

static struct hawser_request *longest_silent(const struct requests *t)
{
    struct list *node = list_first(&t->heard);
    return node ? LIST_ENTRY(node, struct hawser_request, heard) : NULL;
}

static void arm(struct requests *t)
{
    const struct hawser_request *first = longest_silent(t);
    deadline_set(&t->host->timers, &t->timer, first ? first->heard_ns + REQUEST_PATIENCE_NS : TIME_NEVER);
}

static void on_timer(struct deadline *timer, uint64_t now_ns)
{
    struct requests *t = HW_CONTAINER(timer, struct requests, timer);
    for (struct hawser_request *r; (r = longest_silent(t)) && r->heard_ns + REQUEST_PATIENCE_NS <= now_ns;)
        requests_withdraw(t, r);
    arm(t);
}

int requests_init(struct requests *t, struct tcp_host *host, struct account *memory, struct shares *shares)
{
    t->host = host;
    t->memory = memory;
    t->shares = shares;
    pool_init(&t->pool, &host->env, sizeof(struct hawser_request), UINT32_MAX); /* queues bound them */
    list_init(&t->heard);
    list_init(&t->due);
    deadline_init(&t->timer, on_timer);
    return hash_init(&t->tuples, &host->env, 16);
}

void requests_destroy(struct requests *t)
{
    hash_destroy(&t->tuples);
    pool_destroy(&t->pool);
}

void request_queue_init(struct request_queue *queue, uint32_t limit)
{
    quota_init(&queue->waiting, limit);
    quota_init(&queue->refused, limit);
    list_init(&queue->news);
    queue->came = 0;
}

static void tell(struct hawser_request *r)
{
    list_push_back(&r->queue->news, &r->news);
    r->queue->came++;
    listener_line_up(r->handshake.listener);
}

static void untell(struct hawser_request *r)
{
    list_remove(&r->news);
    listener_line_up(r->handshake.listener);
}

/* Nobody is to be found here any more. */
static void leave_table(struct requests *t, struct hawser_request *r)
{
    if (r->state == REQUEST_WITHDRAWN)
        return;
    hash_remove(&t->tuples, &r->tuple);
    list_remove(&r->heard);
    arm(t);
}

static void leave_waiting(struct requests *t, struct hawser_request *r)
{
    untell(r);
    quota_leave(&r->queue->waiting, &r->owned);
    if (r->share)
        shares_unask(t->shares, r->share);
    r->share = NULL;
}

void requests_drop(struct requests *t, struct hawser_request *r)
{
    leave_table(t, r);
    list_remove(&r->due);
    if (r->state == REQUEST_REFUSED)
        quota_leave(&r->queue->refused, &r->owned);
    else
        leave_waiting(t, r);
    account_release(t->memory, sizeof *r);
    pool_put(&t->pool, r);
}

void requests_close(struct requests *t, struct request_queue *queue)
{
    LIST_EACH (it, &queue->waiting.members)
        requests_drop(t, LIST_ENTRY(it, struct hawser_request, owned));
    LIST_EACH (it, &queue->refused.members)
        requests_drop(t, LIST_ENTRY(it, struct hawser_request, owned));
}

struct hawser_request *requests_find(const struct requests *t, const struct hawser_addr *local,
                                     const struct hawser_addr *remote)
{
    if (t->tuples.count == 0)
        return NULL;
    for (struct hash_node *node = hash_first(&t->tuples, hash_of(t, local, remote)); node; node = hash_next(node)) {
        struct hawser_request *r = HW_CONTAINER(node, struct hawser_request, tuple);
        if (hawser_addr_equal(&r->handshake.local, local) && hawser_addr_equal(&r->handshake.remote, remote))
            return r;
    }
    return NULL;
}

/* Nobody gets more than he leaves for others. */
static bool has_room(struct requests *t, const struct request_queue *queue, enum hawser_share by,
                     const struct hawser_addr *remote)
{
    const struct share *share = shares_find(t->shares, by, remote);
    uint32_t left = queue->waiting.limit - queue->waiting.count;
    bool greedy = share && share->requests >= left;
    if (left && !greedy && !account_is_full(t->memory))
        return true;
    count(&t->host->counters, !left ? COUNT_LIMIT_REQUESTS : greedy ? COUNT_LIMIT_SHARES : COUNT_DROP_NO_MEMORY);
    return false;
}

void requests_add(struct requests *t, struct request_queue *queue, const struct handshake *h, const struct arrival *a,
                  enum hawser_share by, uint64_t now_ns)
{
    if (!has_room(t, queue, by, &h->remote))
        return;
    struct hawser_request *r = pool_get(&t->pool);
    if (!r) {
        count(&t->host->counters, COUNT_DROP_NO_MEMORY);
        return;
    }
    account_charge(t->memory, sizeof *r);
    memset(r, 0, sizeof *r);
    r->queue = queue;
    r->handshake = *h;
    r->heard_ns = now_ns;
    r->share = shares_ask(t->shares, by, &h->remote);
    r->syn_len = (uint8_t)HW_MIN(a->ip.header_len + a->ip.payload_len, (uint32_t)REQUEST_QUOTE_MAX);
    memcpy(r->syn, a->rx->data, r->syn_len);
    list_init(&r->news);
    list_init(&r->due);
    hash_insert(&t->tuples, &r->tuple, hash_of(t, &h->local, &h->remote));
    quota_enter(&queue->waiting, &r->owned);
    list_push_back(&t->heard, &r->heard);
    tell(r);
    arm(t);
}

static void make_due(struct requests *t, struct hawser_request *r)
{
    if (r->refusal != HAWSER_REFUSE_SILENTLY)
        list_move_back(&t->due, &r->due);
}

void requests_repeat(struct requests *t, struct hawser_request *r, const struct arrival *a, uint64_t now_ns)
{
    struct handshake *h = &r->handshake;
    if (a->options.present & TCP_OPT_TIMESTAMPS)
        h->terms.ts_recent = a->options.ts_val;
    h->capable_asked &= identity_acceptable(&a->options.mp); /* see asked_again() of handshakes */
    if (now_ns - h->begun_ns < REQUEST_REPEATS_NS) {
        r->heard_ns = now_ns;
        list_move_back(&t->heard, &r->heard);
        arm(t);
    }
    if (r->state == REQUEST_REFUSED && now_ns - r->refused_ns >= REQUEST_REFUSAL_INTERVAL_NS)
        make_due(t, r);
}

void requests_withdraw(struct requests *t, struct hawser_request *r)
{
    if (r->state != REQUEST_TOLD) {
        requests_drop(t, r);
        return;
    }
    leave_table(t, r);
    r->state = REQUEST_WITHDRAWN;
    tell(r);
}

struct hawser_request *requests_next(struct request_queue *queue)
{
    struct list *node = list_first(&queue->news);
    if (!node)
        return NULL;
    struct hawser_request *r = LIST_ENTRY(node, struct hawser_request, news);
    untell(r);
    r->state = r->state == REQUEST_NEW ? REQUEST_TOLD : r->state;
    return r;
}

void requests_refuse(struct requests *t, struct hawser_request *r, enum hawser_refusal how)
{
    struct quota *refused = &r->queue->refused;
    if (r->state == REQUEST_WITHDRAWN) {
        requests_drop(t, r);
        return;
    }
    if (quota_full(refused)) {
        count(&t->host->counters, COUNT_LIMIT_REFUSALS);
        requests_drop(t, LIST_ENTRY(refused->members.next, struct hawser_request, owned));
    }
    leave_waiting(t, r);
    quota_enter(refused, &r->owned);
    r->state = REQUEST_REFUSED;
    r->refusal = how;
    make_due(t, r);
}

/* RFC 9293 3.10.7.1 */
static void write_reset(const struct hawser_request *r, struct hawser_tx *tx)
{
    const struct handshake *h = &r->handshake;
    const struct tcp_header header = {.ack = seq_at(h->terms.irs + 1), .flags = TCP_RST | TCP_ACK};
    struct tcp_options none;
    tcp_options_clear(&none);
    bare_write(tx, h->link, &h->local, &h->remote, header, &none);
}

/* From the very address that the client asked for: a router has none here that he would know. */
static void write_error(const struct hawser_request *r, struct hawser_tx *tx)
{
    static const enum icmp_unreachable errors[] = {[HAWSER_REFUSE_NETWORK] = ICMP_UNREACHABLE_NETWORK,
                                                   [HAWSER_REFUSE_HOST] = ICMP_UNREACHABLE_HOST,
                                                   [HAWSER_REFUSE_PORT] = ICMP_UNREACHABLE_PORT,
                                                   [HAWSER_REFUSE_PROTOCOL] = ICMP_UNREACHABLE_PROTOCOL,
                                                   [HAWSER_REFUSE_PROHIBITED] = ICMP_UNREACHABLE_PROHIBITED};
    const struct handshake *h = &r->handshake;
    tx->head_len =
        (uint8_t)icmp_unreachable_emit(tx->head, errors[r->refusal], &h->local, &h->remote, r->syn, r->syn_len);
    tx->l3_len = tx->head_len - ICMP_HEADER_LEN;
    tx->flags = HAWSER_TX_CSUM_DONE;
    tx->link = h->link;
    tx->parts[0] = (struct hawser_part){r->syn, r->syn_len};
    tx->part_count = 1;
    tx->payload_len = r->syn_len;
    tx->gso_size = 0;
}

bool requests_write_due(struct requests *t, struct hawser_tx *tx, uint64_t now_ns)
{
    struct list *node = list_first(&t->due);
    if (!node)
        return false;
    struct hawser_request *r = LIST_ENTRY(node, struct hawser_request, due);
    list_remove(node);
    r->refused_ns = now_ns;
    if (r->refusal == HAWSER_REFUSE_RESET)
        write_reset(r, tx);
    else
        write_error(r, tx);
    return true;
}
