#include "mptcp/reassembly.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"

#define RUNS_CAPACITY_MIN 8

struct reassembly_node {
    struct reassembly_node *next;
    struct slice bytes; /* never empty; one reference */
};

/* The data bytes [start, end), in the order of the list. */
struct reassembly_run {
    dsn64 start, end;
    struct reassembly_node *first, *last;
};

/* A position as its distance from the next byte to read: nothing held lies below that byte, so distances compare as
 * plain numbers although data sequence numbers wrap. */
static uint64_t ahead(const struct reassembly *r, dsn64 at) { return at.v - r->read_next.v; }

static bool has_readable(const struct reassembly *r) { return r->run_count && dsn_eq(r->runs[0].start, r->read_next); }

static uint32_t gap_count(const struct reassembly *r) { return r->run_count - has_readable(r); }

size_t reassembly_node_size(void) { return sizeof(struct reassembly_node); }

void reassembly_init(struct reassembly *r, struct pool *nodes, struct account *account, dsn64 first)
{
    *r = (struct reassembly){.nodes = nodes,
                             .account = account,
                             .read_next = first,
                             .node_limit = UINT32_MAX,
                             .gap_limit = REASSEMBLY_GAPS_MIN};
}

static uint64_t cost_of(const struct reassembly_node *node) { return sizeof *node + slice_cost(node->bytes); }

static void drop_node(struct reassembly *r, struct reassembly_node *node)
{
    account_release(r->account, cost_of(node));
    hawser_buf_unref(node->bytes.buf);
    pool_put(r->nodes, node);
    r->node_count--;
}

/* The runs from number `from` on. */
static void drop_runs(struct reassembly *r, uint32_t from)
{
    for (uint32_t i = from; i < r->run_count; i++) {
        struct reassembly_node *next;
        r->held -= (uint32_t)dsn_diff(r->runs[i].end, r->runs[i].start);
        for (struct reassembly_node *node = r->runs[i].first; node; node = next) {
            next = node->next;
            drop_node(r, node);
        }
    }
    r->run_count = HW_MIN(from, r->run_count);
}

void reassembly_drop_disorder(struct reassembly *r) { drop_runs(r, has_readable(r)); }

bool reassembly_has_gaps(const struct reassembly *r) { return gap_count(r) > 0; }

static void free_runs(struct reassembly *r)
{
    account_free(r->account, r->runs, r->run_capacity * sizeof *r->runs);
    r->runs = NULL;
    r->run_capacity = 0;
}

void reassembly_destroy(struct reassembly *r)
{
    drop_runs(r, 0);
    free_runs(r);
}

void reassembly_idle(struct reassembly *r)
{
    if (!r->run_count)
        free_runs(r);
}

void reassembly_rebase(struct reassembly *r, dsn64 first)
{
    CHECK(!r->run_count);
    r->read_next = first;
}

/* The first run that ends at `from` or later: the one to extend, to overlap or to go before. */
static uint32_t find_run(const struct reassembly *r, uint64_t from)
{
    uint32_t low = 0, high = r->run_count;
    if (high && from >= ahead(r, r->runs[high - 1].end))
        return from == ahead(r, r->runs[high - 1].end) ? high - 1 : high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ahead(r, r->runs[middle].end) < from)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void fill_node(struct reassembly *r, struct reassembly_node *node, struct slice bytes)
{
    hawser_buf_ref(bytes.buf);
    *node = (struct reassembly_node){NULL, bytes};
    account_charge(r->account, cost_of(node));
}

static void append_node(struct reassembly_run *run, struct reassembly_node *node)
{
    run->last->next = node;
    run->last = node;
    run->end = dsn_add(run->end, node->bytes.len);
}

static uint32_t grown_capacity(const struct reassembly *r)
{
    return r->run_capacity ? 2 * r->run_capacity : RUNS_CAPACITY_MIN;
}

uint64_t reassembly_piece_cost(const struct reassembly *r)
{
    bool grows = r->run_count == r->run_capacity;
    return sizeof(struct reassembly_node) + (grows ? grown_capacity(r) * sizeof *r->runs : 0);
}

static int make_room_for_run(struct reassembly *r)
{
    if (r->run_count < r->run_capacity)
        return 0;
    uint32_t capacity = grown_capacity(r);
    struct reassembly_run *runs = account_alloc(r->account, capacity * sizeof *runs, CLAIM_OWED);
    if (!runs)
        return -ENOBUFS;
    if (r->runs)
        memcpy(runs, r->runs, r->run_count * sizeof *runs);
    free_runs(r);
    r->runs = runs;
    r->run_capacity = capacity;
    return 0;
}

static void remove_runs(struct reassembly *r, uint32_t at, uint32_t count)
{
    if (!count)
        return;
    memmove(&r->runs[at], &r->runs[at + count], (r->run_count - at - count) * sizeof *r->runs);
    r->run_count -= count;
}

/* Bytes that touch no run: they become a run of their own, number `at`. */
static int64_t insert_run(struct reassembly *r, uint32_t at, dsn64 dsn, struct slice bytes)
{
    /* What begins at the next byte to read opens no gap. It must never be refused for the gaps behind it, or they could
     * not be closed any more. */
    if (gap_count(r) >= r->gap_limit && !dsn_eq(dsn, r->read_next))
        return -ENOBUFS;
    if (make_room_for_run(r) < 0)
        return -ENOBUFS;
    struct reassembly_node *node = pool_get(r->nodes);
    if (!node)
        return -ENOBUFS;
    fill_node(r, node, bytes);
    memmove(&r->runs[at + 1], &r->runs[at], (r->run_count - at) * sizeof *r->runs);
    r->runs[at] = (struct reassembly_run){dsn, dsn_add(dsn, bytes.len), node, node};
    r->run_count++;
    r->node_count++;
    r->held += bytes.len;
    return bytes.len;
}

/* A chain of `count` nodes, or NULL when the pool cannot give them all. */
static struct reassembly_node *get_nodes(struct pool *pool, uint32_t count)
{
    struct reassembly_node *chain = NULL;
    while (count--) {
        struct reassembly_node *node = pool_get(pool);
        if (!node) {
            while (chain) {
                node = chain;
                chain = chain->next;
                pool_put(pool, node);
            }
            return NULL;
        }
        node->next = chain;
        chain = node;
    }
    return chain;
}

/* How much of the bytes [from, to) the runs from number `at` on do not hold: in bytes, in pieces, and how many runs the
 * bytes overlap or touch. */
struct novelty {
    uint32_t bytes, pieces, runs;
};

static struct novelty find_novelty(const struct reassembly *r, uint32_t at, uint64_t from, uint64_t to)
{
    struct novelty n = {0};
    uint64_t known_to = from;
    for (; at + n.runs < r->run_count && ahead(r, r->runs[at + n.runs].start) <= to; n.runs++) {
        const struct reassembly_run *run = &r->runs[at + n.runs];
        if (known_to < ahead(r, run->start)) {
            n.bytes += (uint32_t)(ahead(r, run->start) - known_to);
            n.pieces++;
        }
        known_to = ahead(r, run->end);
    }
    if (known_to < to) {
        n.bytes += (uint32_t)(to - known_to);
        n.pieces++;
    }
    return n;
}

static struct reassembly_node *take_node(struct reassembly_node **chain)
{
    struct reassembly_node *node = *chain;
    CHECK(node); /* as many were taken from the pool as there are pieces */
    *chain = node->next;
    return node;
}

/* Joins the runs [at, at + n.runs) and the pieces of `bytes` (which begin at `dsn`) between and around them into one.
 */
static void weave(struct reassembly *r, uint32_t at, dsn64 dsn, struct slice bytes, struct novelty n,
                  struct reassembly_node *fresh)
{
    struct reassembly_run *run = &r->runs[at];
    if (ahead(r, dsn) < ahead(r, run->start)) {
        struct reassembly_node *node = take_node(&fresh);
        fill_node(r, node, slice_sub(bytes, 0, (uint32_t)dsn_diff(run->start, dsn)));
        node->next = run->first;
        run->first = node;
        run->start = dsn;
    }
    for (uint32_t i = 1; i < n.runs; i++) {
        const struct reassembly_run *next = &r->runs[at + i];
        uint32_t from = (uint32_t)dsn_diff(run->end, dsn);
        struct reassembly_node *node = take_node(&fresh);
        fill_node(r, node, slice_sub(bytes, from, (uint32_t)dsn_diff(next->start, run->end)));
        append_node(run, node);
        run->last->next = next->first;
        run->last = next->last;
        run->end = next->end;
    }
    dsn64 end = dsn_add(dsn, bytes.len);
    if (ahead(r, run->end) < ahead(r, end)) {
        uint32_t from = (uint32_t)dsn_diff(run->end, dsn);
        struct reassembly_node *node = take_node(&fresh);
        fill_node(r, node, slice_sub(bytes, from, bytes.len - from));
        append_node(run, node);
    }
    CHECK(!fresh);
    remove_runs(r, at + 1, n.runs - 1);
}

/* Bytes that follow the run's last ones in memory as well as in the stream only lengthen that piece. */
static bool lengthen_last(struct reassembly_run *run, dsn64 dsn, struct slice bytes)
{
    struct slice *last = &run->last->bytes;
    if (!dsn_eq(run->end, dsn) || last->buf != bytes.buf || last->data + last->len != bytes.data)
        return false;
    last->len += bytes.len;
    run->end = dsn_add(run->end, bytes.len);
    return true;
}

static bool may_take(const struct reassembly *r, dsn64 dsn, uint32_t pieces)
{
    bool in_order = dsn_le(dsn, reassembly_next(r));
    return r->node_count + pieces <= (in_order ? r->node_limit : r->node_limit / 2);
}

/* Adds what is new of bytes that touch the runs [at, at + n.runs). */
static int join_runs(struct reassembly *r, uint32_t at, dsn64 dsn, struct slice bytes, struct novelty n)
{
    if (n.pieces == 0 || (n.runs == 1 && n.bytes == bytes.len && lengthen_last(&r->runs[at], dsn, bytes)))
        return 0;
    struct reassembly_node *fresh = may_take(r, dsn, n.pieces) ? get_nodes(r->nodes, n.pieces) : NULL;
    if (!fresh)
        return -ENOBUFS;
    weave(r, at, dsn, bytes, n, fresh);
    r->node_count += n.pieces;
    return 0;
}

uint32_t reassembly_skip(struct reassembly *r, dsn64 dsn, uint32_t len)
{
    int64_t before = dsn_diff(reassembly_next(r), dsn);
    uint32_t known = before > 0 ? (uint32_t)HW_MIN((uint64_t)before, len) : 0;
    r->duplicate_bytes += known;
    return known;
}

int64_t reassembly_insert(struct reassembly *r, dsn64 dsn, struct slice bytes)
{
    CHECK(bytes.buf);
    uint32_t arrived = bytes.len;
    int64_t before = dsn_diff(r->read_next, dsn);
    if (before > 0) {
        uint32_t read = (uint32_t)HW_MIN((uint64_t)before, bytes.len);
        bytes = slice_sub(bytes, read, bytes.len - read);
        dsn = r->read_next;
    }
    if (!bytes.len) {
        r->duplicate_bytes += arrived;
        return 0;
    }
    uint64_t from = ahead(r, dsn), to = from + bytes.len;
    uint32_t at = find_run(r, from);
    struct novelty n = find_novelty(r, at, from, to);
    if (n.bytes > UINT32_MAX - r->held)
        return -ENOBUFS;
    if (!n.runs) {
        int64_t result = may_take(r, dsn, 1) ? insert_run(r, at, dsn, bytes) : -ENOBUFS;
        if (result >= 0)
            r->duplicate_bytes += arrived - n.bytes;
        return result;
    }
    if (join_runs(r, at, dsn, bytes, n) < 0)
        return -ENOBUFS;
    r->held += n.bytes;
    r->duplicate_bytes += arrived - n.bytes;
    return n.bytes;
}

dsn64 reassembly_next(const struct reassembly *r) { return has_readable(r) ? r->runs[0].end : r->read_next; }

uint32_t reassembly_readable(const struct reassembly *r)
{
    return (uint32_t)dsn_diff(reassembly_next(r), r->read_next);
}

size_t reassembly_peek(const struct reassembly *r, struct hawser_part *parts, size_t max)
{
    if (!has_readable(r))
        return 0;
    size_t count = 0;
    for (const struct reassembly_node *node = r->runs[0].first; node && count < max; node = node->next)
        parts[count++] = (struct hawser_part){node->bytes.data, node->bytes.len};
    return count;
}

size_t reassembly_pieces(const struct reassembly *r, struct slice *pieces, size_t max)
{
    size_t count = 0;
    const struct reassembly_node *node = has_readable(r) ? r->runs[0].first : NULL;
    for (; node && count < max; node = node->next)
        pieces[count++] = node->bytes;
    return count;
}

/* Takes `len` readable bytes off, copying them to `dst` unless that is NULL. */
static void take(struct reassembly *r, uint8_t *dst, uint32_t len)
{
    struct reassembly_run *run = &r->runs[0];
    r->read_next = dsn_add(r->read_next, len);
    r->held -= len;
    run->start = r->read_next;
    while (len) {
        struct reassembly_node *node = run->first;
        uint32_t n = HW_MIN(len, node->bytes.len);
        if (dst) {
            memcpy(dst, node->bytes.data, n);
            dst += n;
        }
        len -= n;
        if (n < node->bytes.len) {
            node->bytes = slice_sub(node->bytes, n, node->bytes.len - n);
            return;
        }
        run->first = node->next;
        drop_node(r, node);
    }
    if (!run->first)
        remove_runs(r, 0, 1);
}

void reassembly_consume(struct reassembly *r, uint32_t len)
{
    CHECK(len <= reassembly_readable(r));
    if (len)
        take(r, NULL, len);
}

size_t reassembly_read(struct reassembly *r, void *dst, size_t len)
{
    uint32_t n = (uint32_t)HW_MIN(len, reassembly_readable(r));
    if (n)
        take(r, dst, n);
    return n;
}
