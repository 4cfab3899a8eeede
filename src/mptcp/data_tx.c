#include "mptcp/data_tx.h"

#include "base/check.h"

/* Gaps lie no nearer to each other: two paths that take turns, one of them dead, leave one for each segment. */
#define BYTES_PER_GAP 1024u
/* The coarsest unit of the window field (RFC 7323 2.3). */
#define WINDOW_UNIT_MAX (1 << 14)

/* No set loses room for what it holds. */
void data_tx_set_limit(struct data_tx *tx, uint32_t limit)
{
    uint32_t ranges = HW_MAX(limit / BYTES_PER_GAP, REINJECT_RANGES_MIN);
    tx->sendq.limit = limit;
    tx->reinject.limit = HW_MAX(tx->reinject.limit, ranges);
    tx->repeated.limit = HW_MAX(tx->repeated.limit, ranges);
}

void data_tx_init(struct data_tx *tx, struct store *store, struct account *parent, dsn64 idsn, uint32_t limit)
{
    dsn64 first = dsn_add(idsn, 1);
    uint32_t ranges = HW_MAX(limit / BYTES_PER_GAP, REINJECT_RANGES_MIN);
    *tx = (struct data_tx){.idsn = idsn, .snd_nxt = first, .snd_edge = first};
    account_open(&tx->account, parent);
    sendq_init(&tx->sendq, store, &tx->account, first, limit);
    carriers_init(&tx->carriers, &tx->account, first);
    iset_init(&tx->reinject, &tx->account, ranges);
    iset_init(&tx->repeated, &tx->account, ranges);
    tx->progress.una = first;
    tx->progress.due_ns = tx->fin_due_ns = tx->laggard_due_ns = TIME_NEVER;
}

void data_tx_destroy(struct data_tx *tx)
{
    sendq_destroy(&tx->sendq);
    carriers_destroy(&tx->carriers);
    iset_destroy(&tx->reinject);
    iset_destroy(&tx->repeated);
    account_close(&tx->account);
}

/* ---- the program's side ---- */

uint32_t data_tx_allowance(const struct data_tx *tx)
{
    uint32_t limit = tx->sendq.limit;
    if (!account_is_frugal(&tx->account))
        return limit;
    uint64_t outstanding = (uint64_t)dsn_diff(tx->snd_nxt, tx->sendq.una);
    uint64_t spare = HW_MAX(HW_MIN(account_spare(&tx->account), DATA_TX_SPARE_MAX), DATA_TX_SPARE_MIN);
    return (uint32_t)HW_MIN(limit, outstanding + HW_MAX(outstanding, spare));
}

uint32_t data_tx_room(const struct data_tx *tx)
{
    uint32_t held = (uint32_t)dsn_diff(tx->sendq.end, tx->sendq.una), allowance = data_tx_allowance(tx);
    return held < allowance ? allowance - held : 0;
}

size_t data_tx_write(struct data_tx *tx, const void *data, size_t len)
{
    return sendq_write(&tx->sendq, data, HW_MIN(len, data_tx_room(tx)));
}

size_t data_tx_write_slice(struct data_tx *tx, struct slice bytes)
{
    bytes.len = HW_MIN(bytes.len, data_tx_room(tx));
    return sendq_write_slice(&tx->sendq, bytes);
}

/* ---- what the peer acknowledges ---- */

static void made_progress(struct data_tx *tx)
{
    struct progress *p = &tx->progress;
    p->asked_since_ns = p->spent_ns = 0;
    if (p->questions || p->vain_looks) /* the next one comes sooner */
        data_tx_rearm(tx);
    p->questions = 0;
    p->vain_looks = 0;
}

void data_tx_send_again(struct data_tx *tx, uint64_t bytes)
{
    struct progress *p = &tx->progress;
    p->again = (uint32_t)HW_MIN((uint64_t)dsn_diff(tx->snd_nxt, tx->sendq.una), bytes);
    p->again_end = dsn_add(tx->sendq.una, p->again);
    data_tx_reinject(tx, tx->sendq.una, p->again);
}

/* The answer to bytes that were sent again: if it asks for just the next ones, these are missing too, and twice as many
 * go out. If it skips some, the peer had them, and nothing says that it lacks more. */
static void go_on_again(struct data_tx *tx)
{
    struct progress *p = &tx->progress;
    if (p->again == 0 || dsn_lt(tx->sendq.una, p->again_end))
        return;
    if (dsn_eq(tx->sendq.una, p->again_end) && data_tx_outstanding(tx))
        data_tx_send_again(tx, UINT64_C(2) * p->again);
    else
        p->again = 0;
}

static uint32_t take_data(struct data_tx *tx, dsn64 upto)
{
    uint64_t offset = data_tx_offset(tx, upto);
    tx->fin_tries = 0;
    sendq_ack(&tx->sendq, upto);
    iset_remove_below(&tx->reinject, offset);
    uint32_t merit = carriers_acked(&tx->carriers, upto, &tx->repeated, tx->idsn);
    iset_remove_below(&tx->repeated, offset);
    if (data_tx_all_acked(tx)) {
        iset_idle(&tx->reinject);
        iset_idle(&tx->repeated);
    }
    made_progress(tx);
    go_on_again(tx);
    return merit;
}

/* RFC 1122 4.2.2.17: a peer that shuts its window is not gone as long as it says so; but the time in which it was open
 * and nothing was acknowledged counts. RFC 8684 3.3.5: it is open up to the furthest edge that was promised, whatever a
 * DATA_ACK says that was overtaken; of the last bytes before it the field may be unable to say so. */
static void note_window(struct data_tx *tx, dsn64 ack, uint32_t window, uint64_t now_ns)
{
    struct progress *p = &tx->progress;
    bool end_only = data_tx_fin_sent(tx) && !data_tx_outstanding(tx); /* needs no room */
    bool says_shut = window == 0 && dsn_le(tx->sendq.una, ack);
    int64_t left = dsn_diff(tx->snd_edge, tx->sendq.una);
    tx->window_shut = !end_only && (left <= 0 || (says_shut && left < WINDOW_UNIT_MAX));
    if (!tx->window_shut)
        return;
    if (p->asked_since_ns && p->asked_open)
        p->spent_ns += now_ns - p->asked_since_ns;
    p->asked_since_ns = 0;
}

struct tx_news data_tx_take_ack(struct data_tx *tx, dsn64 ack, uint32_t window, uint64_t now_ns)
{
    struct tx_news news = {0};
    dsn64 top = dsn_add(tx->snd_nxt, data_tx_fin_sent(tx));
    if (dsn_lt(top, ack)) {
        news.what = TX_IMPOSSIBLE;
        return news;
    }
    data_tx_widen(tx, dsn_add(ack, window));
    if (data_tx_fin_waits(tx) && dsn_eq(ack, top)) {
        tx->fin = DATA_FIN_ACKED;
        tx->fin_due_ns = TIME_NEVER;
        made_progress(tx);
    }
    dsn64 data = dsn_min(ack, tx->sendq.end);
    if (dsn_lt(tx->sendq.una, data)) {
        news.merit = take_data(tx, data);
        news.what |= TX_ACKED;
    }
    note_window(tx, ack, window, now_ns);
    return news;
}

bool data_tx_look_for_laggards(struct data_tx *tx, uint64_t now_ns)
{
    uint64_t acked = data_tx_acked_bytes(tx);
    bool due = acked - tx->acked_at_look >= tx->sendq.limit / 8 || tx->laggard_due_ns <= now_ns;
    if (due) {
        tx->acked_at_look = acked;
        tx->laggard_due_ns = TIME_NEVER;
    }
    return due;
}

/* ---- what is to be sent ---- */

/* As long as bytes of several subflows may overtake each other, a share of the window stays free: a small one, and more
 * once some had to be sent again. A window counts bytes, and a peer's memory is more: it may be full of what came too
 * early before the window is, and then does not take the byte either that all others wait for. So Linux 6.18: what is
 * missing waits on the subflow, acknowledged there, and the connection stands still for good. */
#define WINDOW_RESERVE_SHARE 32
#define WINDOW_RESERVE_SHARE_IN_TROUBLE 8

static int64_t window_reserve(const struct data_tx *tx)
{
    bool trouble = tx->reinject.count || tx->repeated.count;
    int64_t window = dsn_diff(tx->snd_edge, tx->sendq.una);
    return carriers_mixed(&tx->carriers) ? window / (trouble ? WINDOW_RESERVE_SHARE_IN_TROUBLE : WINDOW_RESERVE_SHARE)
                                         : 0;
}

uint32_t data_tx_window_left(const struct data_tx *tx)
{
    int64_t left = dsn_diff(tx->snd_edge, tx->snd_nxt) - window_reserve(tx);
    return left <= 0 ? 0 : (uint32_t)HW_MIN(left, (int64_t)UINT32_MAX);
}

/* RFC 9293 3.7.4, RFC 1122 4.2.3.4: what is no full segment waits while anything is outstanding, unless it is the last.
 * RFC 9293 3.8.6.2.1: and when only the reserve holds back, of which each acknowledgement frees a few bytes. */
uint32_t data_tx_ready(const struct data_tx *tx, uint32_t segment_bytes)
{
    uint32_t unsent = data_tx_unsent(tx), ready = HW_MIN(unsent, data_tx_window_left(tx));
    bool waits = tx->nagle && data_tx_outstanding(tx) && !data_tx_ends(tx);
    bool sliver = ready < unsent && window_reserve(tx);
    return waits || sliver ? ready - ready % segment_bytes : ready;
}

void data_tx_sent(struct data_tx *tx, uint32_t len, uint8_t slot, uint64_t now_ns)
{
    if (!data_tx_outstanding(tx))
        tx->progress.una_since_ns = now_ns;
    tx->snd_nxt = dsn_add(tx->snd_nxt, len);
    carriers_push(&tx->carriers, tx->snd_nxt, slot);
}

bool data_tx_may_finish(const struct data_tx *tx)
{
    return tx->fin >= DATA_FIN_WANTED && tx->fin <= DATA_FIN_DUE && dsn_eq(tx->snd_nxt, tx->sendq.end);
}

bool data_tx_hold_end(struct data_tx *tx, uint64_t patience_ns, uint64_t now_ns)
{
    if (patience_ns && tx->fin == DATA_FIN_WANTED) {
        tx->fin = DATA_FIN_HELD;
        tx->fin_due_ns = now_ns + patience_ns;
    }
    return patience_ns && tx->fin == DATA_FIN_HELD;
}

bool data_tx_release_end(struct data_tx *tx)
{
    if (tx->fin != DATA_FIN_HELD)
        return false;
    tx->fin = DATA_FIN_DUE;
    tx->fin_due_ns = TIME_NEVER;
    return true;
}

struct range data_tx_lost(const struct data_tx *tx)
{
    const struct range *range = iset_find(&tx->reinject, 0);
    return range ? (struct range){tx->idsn.v + range->start, tx->idsn.v + range->end} : (struct range){0, 0};
}

bool data_tx_copied(struct data_tx *tx, dsn64 from, uint32_t len)
{
    uint64_t start = data_tx_offset(tx, from);
    (void)iset_add(&tx->repeated, start, start + len); /* full: it counts as carried once, to nobody's harm */
    data_tx_forget_reinjection(tx, from, len);
    return dsn_eq(from, tx->sendq.una);
}

bool data_tx_resent(struct data_tx *tx, dsn64 from, uint32_t len)
{
    tx->reinjected_bytes += len;
    return data_tx_copied(tx, from, len);
}

void data_tx_reinject(struct data_tx *tx, dsn64 from, uint32_t len)
{
    uint64_t start = data_tx_offset(tx, from), una = data_tx_offset(tx, tx->sendq.una);
    if (start + len > una) /* full: enough waits there already, and the subflow goes on trying */
        (void)iset_add(&tx->reinject, HW_MAX(start, una), start + len);
}

void data_tx_forget_reinjection(struct data_tx *tx, dsn64 from, uint32_t len)
{
    uint64_t start = data_tx_offset(tx, from);
    (void)iset_remove(&tx->reinject, start, start + len);
}
