#include "stack/time_wait.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "stack/bare.h"
#include "stack/tuple.h"

/* RFC 9293 3.4.2: MSL; a quarter of the two minutes there, as hosts commonly choose. */
#define MSL_NS (30 * NS_PER_S)
/* RFC 5961 7: between acknowledgements of what is not acceptable. */
#define CHALLENGE_INTERVAL_MS 100u

static void on_timer(struct deadline *timer, uint64_t now_ns);

int time_waits_init(struct time_waits *t, struct tcp_host *host, struct ports *ports, uint32_t limit)
{
    *t = (struct time_waits){.host = host, .ports = ports};
    pool_init(&t->pool, &host->env, sizeof(struct time_wait), limit);
    list_init(&t->by_age);
    deadline_init(&t->timer, on_timer);
    return hash_init(&t->tuples, &host->env, 16);
}

void time_waits_destroy(struct time_waits *t)
{
    for (struct list *node; (node = list_first(&t->by_age));)
        time_waits_remove(t, LIST_ENTRY(node, struct time_wait, age));
    hash_destroy(&t->tuples);
    pool_destroy(&t->pool);
}

static uint64_t hash_of(const struct time_waits *t, const struct hawser_addr *local, const struct hawser_addr *remote)
{
    uint8_t key[TUPLE_LEN];
    tuple_write(key, local, remote);
    return hash_bytes(&t->tuples, key, sizeof key);
}

struct time_wait *time_waits_find(const struct time_waits *t, const struct hawser_addr *local,
                                  const struct hawser_addr *remote)
{
    if (t->tuples.count == 0)
        return NULL;
    for (struct hash_node *node = hash_first(&t->tuples, hash_of(t, local, remote)); node; node = hash_next(node)) {
        struct time_wait *record = HW_CONTAINER(node, struct time_wait, tuple);
        if (hawser_addr_equal(&record->local, local) && hawser_addr_equal(&record->remote, remote))
            return record;
    }
    return NULL;
}

static struct time_wait *oldest(const struct time_waits *t)
{
    struct list *node = list_first(&t->by_age);
    return node ? LIST_ENTRY(node, struct time_wait, age) : NULL;
}

static void arm(struct time_waits *t)
{
    const struct time_wait *first = oldest(t);
    deadline_set(&t->host->timers, &t->timer, first ? first->until_ns : TIME_NEVER);
}

void time_waits_remove(struct time_waits *t, struct time_wait *record)
{
    hash_remove(&t->tuples, &record->tuple);
    list_remove(&record->age);
    for (uint32_t i = 0; record->owing && i < t->owing_count; i++)
        if (t->owing[i] == record)
            t->owing[i] = t->owing[--t->owing_count];
    if (record->port_chosen)
        ports_give(t->ports, &record->local, &record->remote, record->local.port);
    pool_put(&t->pool, record);
    arm(t);
}

void time_waits_lose_link(struct time_waits *t, uint8_t link, bool door)
{
    LIST_EACH (it, &t->by_age) {
        struct time_wait *record = LIST_ENTRY(it, struct time_wait, age);
        if (record->link != link)
            continue;
        if (door)
            time_waits_remove(t, record);
        else
            record->link = TCP_NO_LINK;
    }
}

static void on_timer(struct deadline *timer, uint64_t now_ns)
{
    struct time_waits *t = HW_CONTAINER(timer, struct time_waits, timer);
    for (struct time_wait *first; (first = oldest(t)) && first->until_ns <= now_ns;)
        time_waits_remove(t, first);
}

/* From the front of `by_age` the records end one after the other, as each waits equally long. */
static void begin(struct time_waits *t, struct time_wait *record, uint64_t now_ns)
{
    record->until_ns = now_ns + 2 * MSL_NS;
    list_move_back(&t->by_age, &record->age);
    arm(t);
}

/* The oldest makes way at the limit, and where there is no memory. */
static struct time_wait *new_record(struct time_waits *t)
{
    struct time_wait *record = pool_get(&t->pool), *first = oldest(t);
    if (record)
        return record;
    count(&t->host->counters, COUNT_LIMIT_TIME_WAIT);
    if (!first)
        return NULL;
    time_waits_remove(t, first);
    return pool_get(&t->pool);
}

bool time_waits_add(struct time_waits *t, const struct time_wait *record, uint64_t now_ns)
{
    struct time_wait *before = time_waits_find(t, &record->local, &record->remote);
    if (before)
        time_waits_remove(t, before);
    struct time_wait *kept = new_record(t);
    if (!kept)
        return false;
    *kept = *record;
    kept->challenged_ms = (uint32_t)(now_ns / NS_PER_MS) - CHALLENGE_INTERVAL_MS;
    list_init(&kept->age);
    kept->owing = false;
    hash_insert(&t->tuples, &kept->tuple, hash_of(t, &kept->local, &kept->remote));
    begin(t, kept, now_ns);
    count_n(&t->host->counters, COUNT_TCP_TIME_WAITS, !record->aborted);
    return true;
}

bool time_wait_yields(const struct time_wait *record, const struct tcp_segment *syn)
{
    const struct tcp_options *o = syn->options;
    bool stamped = o->present & TCP_OPT_TIMESTAMPS;
    if (record->aborted)
        return true;
    if (stamped && !record->timestamps)
        return true;
    if (stamped && o->ts_val != record->ts_recent)
        return (int32_t)(o->ts_val - record->ts_recent) > 0;
    return seq_le(record->rcv_nxt, syn->header.seq); /* the last one seen is that before */
}

static void answer(struct time_waits *t, struct time_wait *record)
{
    if (record->owing)
        return;
    if (t->owing_count == TIME_WAIT_ANSWERS_MAX) {
        count(&t->host->counters, COUNT_LIMIT_REPLIES);
        return;
    }
    record->owing = true;
    t->owing[t->owing_count++] = record;
}

/* RFC 9293 3.10.7.4, RFC 5961: acknowledged, but not as often as it may come. */
static void challenge(struct time_waits *t, struct time_wait *record, enum counter cause, uint64_t now_ns)
{
    uint32_t now_ms = (uint32_t)(now_ns / NS_PER_MS);
    count(&t->host->counters, cause);
    if (now_ms - record->challenged_ms < CHALLENGE_INTERVAL_MS)
        return;
    record->challenged_ms = now_ms;
    count(&t->host->counters, COUNT_TCP_CHALLENGE_ACK);
    answer(t, record);
}

static uint32_t window_bytes(const struct time_wait *record) { return (uint32_t)record->window << record->wscale; }

/* RFC 9293 3.4: does it begin or end in the window? After the peer's FIN only segments without length may. */
static bool in_window(const struct time_wait *record, const struct tcp_header *h)
{
    int32_t ahead = seq_diff(h->seq, record->rcv_nxt);
    return ahead == 0 || (ahead > 0 && (uint32_t)ahead < window_bytes(record));
}

/* RFC 9293 3.10.7.4, second, RFC 5961 3.2: the exact number ends it, as RFC 1337 warns; its remedy, to ignore even that
 * one, did not make it into RFC 9293. */
static void take_reset(struct time_waits *t, struct time_wait *record, const struct tcp_header *h, uint64_t now_ns)
{
    if (seq_eq(h->seq, record->rcv_nxt)) {
        count(&t->host->counters, COUNT_TCP_RESETS_IN);
        time_waits_remove(t, record);
    } else if (in_window(record, h)) {
        challenge(t, record, COUNT_DROP_BAD_RST, now_ns);
    } else {
        count(&t->host->counters, COUNT_DROP_BAD_RST);
    }
}

static bool is_old(const struct time_wait *record, const struct tcp_options *o)
{
    return record->timestamps && o->present & TCP_OPT_TIMESTAMPS && (int32_t)(o->ts_val - record->ts_recent) < 0;
}

void time_waits_input(struct time_waits *t, struct time_wait *record, const struct tcp_segment *segment,
                      uint64_t now_ns)
{
    const struct tcp_header *h = &segment->header;
    const struct tcp_options *o = segment->options;
    uint32_t span = segment->payload.len + !!(h->flags & TCP_FIN);
    if (h->flags & TCP_RST) {
        take_reset(t, record, h, now_ns);
        return;
    }
    if (h->flags & TCP_SYN) {
        challenge(t, record, COUNT_DROP_BAD_SYN, now_ns);
        return;
    }
    if (is_old(record, o)) {
        challenge(t, record, COUNT_DROP_PAWS, now_ns);
        return;
    }
    if (!(h->flags & TCP_ACK)) {
        count(&t->host->counters, COUNT_DROP_NO_ACK);
        return;
    }
    if (seq_lt(record->snd_nxt, h->ack)) {
        challenge(t, record, COUNT_DROP_BAD_ACK, now_ns);
        return;
    }
    if (record->timestamps && o->present & TCP_OPT_TIMESTAMPS && seq_le(h->seq, record->rcv_nxt))
        record->ts_recent = o->ts_val;
    bool fin_again = h->flags & TCP_FIN && seq_eq(seq_add(h->seq, span), record->rcv_nxt);
    bool data_fin_again = record->mptcp && mptcp_has(&o->mp, MPTCP_DSS) && o->mp.dss.data_fin;
    if (fin_again) /* RFC 9293 3.10.7.4, eighth: our last acknowledgement was lost */
        begin(t, record, now_ns);
    if (fin_again || (data_fin_again && in_window(record, h))) { /* RFC 8684 3.3.3: or that of the stream's end was */
        count(&t->host->counters, COUNT_TCP_DUPLICATES);
        answer(t, record);
    } else if (span || !in_window(record, h)) {
        challenge(t, record, COUNT_DROP_OUT_OF_WINDOW, now_ns);
    }
}

const struct time_wait *time_waits_next_owing(struct time_waits *t)
{
    if (t->owing_count == 0)
        return NULL;
    struct time_wait *record = t->owing[--t->owing_count];
    record->owing = false;
    return record;
}

void time_wait_write(const struct time_wait *record, uint8_t link, struct hawser_tx *tx, uint64_t now_ns)
{
    struct tcp_options o;
    tcp_options_clear(&o);
    if (record->timestamps) {
        o.present = TCP_OPT_TIMESTAMPS;
        o.ts_val = (uint32_t)(now_ns / NS_PER_MS) + record->ts_offset;
        o.ts_ecr = record->ts_recent;
    }
    if (record->mptcp) {
        o.mp.present = 1u << MPTCP_DSS;
        o.mp.dss = (struct mp_dss){.has_ack = true, .ack_is_64 = true, .ack = record->data_ack.v};
    }
    const struct tcp_header header = {
        .seq = record->snd_nxt, .ack = record->rcv_nxt, .flags = TCP_ACK, .window = record->window};
    bare_write(tx, link, &record->local, &record->remote, header, &o);
}
