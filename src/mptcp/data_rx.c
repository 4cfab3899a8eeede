#include "mptcp/data_rx.h"

#include "base/compiler.h"
#include "base/units.h"

/* How finely a peer may chop what fills the window: each piece costs a node beside its bytes. */
#define BYTES_PER_PIECE 128u
#define PIECES_MIN 256u
/* Gaps lie no nearer to each other: two paths that take turns, one of them dead, leave one for each segment. */
#define BYTES_PER_GAP 1024u
/* The window is to be so many times what is read in a round trip: twice for the doubling of slow start, and the news of
 * it takes another round trip. */
#define TUNED_PARTS 4u
/* A program is given so long to wake up, whatever the round trip. */
#define ROUND_MIN_NS (10 * NS_PER_MS)
/* And as long where nobody knows it: who opened the connection has only received, and has no timestamps. */
#define ROUND_UNKNOWN_NS (200 * NS_PER_MS)
/* A window that opened by so much is worth telling (RFC 9293 3.8.6.2.2). */
#define STEP_MAX (UINT32_C(256) << 10)

static uint32_t node_limit(uint32_t limit_max) { return HW_MAX(limit_max / BYTES_PER_PIECE, PIECES_MIN); }
static uint32_t gap_limit(uint32_t limit_max) { return HW_MAX(limit_max / BYTES_PER_GAP, REASSEMBLY_GAPS_MIN); }

void data_rx_init(struct data_rx *rx, struct pool *nodes, struct store *store, struct account *parent,
                  uint32_t limit_max)
{
    *rx = (struct data_rx){.store = store, .limit_max = limit_max};
    account_open(&rx->account, parent);
    reassembly_init(&rx->reassembly, nodes, &rx->account, dsn_at(1));
    rx->reassembly.node_limit = node_limit(limit_max);
    rx->reassembly.gap_limit = gap_limit(limit_max);
    uint64_t first = HW_MIN(account_share(&rx->account), DATA_RX_WINDOW_FIRST);
    rx->limit = (uint32_t)HW_MIN(HW_MAX(first, DATA_RX_WINDOW_MIN), (uint64_t)limit_max);
    rx->rcv_edge = rx->reassembly.read_next;
}

void data_rx_destroy(struct data_rx *rx)
{
    reassembly_destroy(&rx->reassembly);
    packer_release(&rx->packer);
    account_close(&rx->account);
}

/* What may be held already keeps its room, or what closes a gap would find none. */
void data_rx_set_limit_max(struct data_rx *rx, uint32_t limit_max)
{
    rx->limit_max = limit_max;
    rx->limit = HW_MIN(rx->limit, limit_max);
    rx->reassembly.node_limit = HW_MAX(rx->reassembly.node_limit, node_limit(limit_max));
    rx->reassembly.gap_limit = HW_MAX(rx->reassembly.gap_limit, gap_limit(limit_max));
}

void data_rx_rebase(struct data_rx *rx, dsn64 first)
{
    uint32_t promised = data_rx_promised(rx);
    reassembly_rebase(&rx->reassembly, first);
    rx->rcv_edge = dsn_add(first, promised);
    rx->tuned_next = first;
}

dsn64 data_rx_next(const struct data_rx *rx) { return dsn_add(reassembly_next(&rx->reassembly), rx->peer_fin_taken); }

bool data_rx_is_early(const struct data_rx *rx, dsn64 dsn) { return dsn_lt(reassembly_next(&rx->reassembly), dsn); }

bool data_rx_has_room(const struct data_rx *rx, struct slice bytes)
{
    return account_admits(&rx->account, bytes.len + reassembly_piece_cost(&rx->reassembly), CLAIM_SURPLUS);
}

void data_rx_idle(struct data_rx *rx)
{
    if (rx->reassembly.held)
        return;
    packer_release(&rx->packer);
    reassembly_idle(&rx->reassembly);
}

/* False: there is no room. */
static bool store_piece(struct data_rx *rx, dsn64 dsn, struct slice bytes, enum claim claim, uint32_t *taken)
{
    uint64_t wish = (uint64_t)rx->reassembly.held + bytes.len;
    struct slice piece = packer_keep(&rx->packer, rx->store, &rx->account, bytes, wish, claim);
    int64_t fresh = piece.len ? reassembly_insert(&rx->reassembly, dsn, piece) : -1;
    if (piece.len && fresh <= 0 && piece.buf != bytes.buf)
        packer_take_back(&rx->packer, piece);
    if (fresh <= 0)
        data_rx_idle(rx);
    if (fresh < 0)
        return false;
    *taken += piece.len;
    return true;
}

enum data_rx_answer data_rx_place(struct data_rx *rx, dsn64 dsn, struct slice bytes, bool acknowledged, uint32_t *taken)
{
    *taken = 0;
    uint32_t len = bytes.len;
    if (rx->peer_fin_known && dsn_lt(rx->peer_fin, dsn_add(dsn, len))) {
        int64_t before = dsn_diff(rx->peer_fin, dsn);
        bytes.len = before > 0 ? (uint32_t)before : 0;
    }
    if (bytes.len == 0) {
        *taken = len;
        return DATA_RX_BEYOND_END;
    }
    dsn64 edge = dsn_max(rx->rcv_edge, dsn_add(rx->reassembly.read_next, rx->limit));
    if (dsn_lt(edge, dsn_add(dsn, bytes.len)))
        return DATA_RX_OUT_OF_WINDOW;
    *taken = reassembly_skip(&rx->reassembly, dsn, bytes.len); /* known bytes need no room */
    bool early = data_rx_is_early(rx, dsn);
    enum claim claim = acknowledged ? CLAIM_OWED : early ? CLAIM_SURPLUS : CLAIM_URGENT;
    while (*taken < bytes.len) {
        struct slice rest = slice_sub(bytes, *taken, bytes.len - *taken);
        if (!store_piece(rx, dsn_add(dsn, *taken), rest, claim, taken))
            return DATA_RX_NO_ROOM;
    }
    *taken = len;
    return bytes.len < len ? DATA_RX_BEYOND_END : DATA_RX_PLACED;
}

bool data_rx_has_disorder(const struct data_rx *rx) { return reassembly_has_gaps(&rx->reassembly); }

void data_rx_forget_disorder(struct data_rx *rx)
{
    reassembly_drop_disorder(&rx->reassembly);
    data_rx_idle(rx);
}

bool data_rx_know_end(struct data_rx *rx, dsn64 at)
{
    if (rx->peer_fin_known)
        return dsn_eq(rx->peer_fin, at);
    if (dsn_lt(at, reassembly_next(&rx->reassembly)))
        return false;
    rx->peer_fin_known = true;
    rx->peer_fin = at;
    return true;
}

bool data_rx_knows_end(const struct data_rx *rx) { return rx->peer_fin_known; }

void data_rx_end_here(struct data_rx *rx)
{
    rx->peer_fin_known = rx->peer_fin_taken = true;
    rx->peer_fin = reassembly_next(&rx->reassembly);
}

void data_rx_forget_end(struct data_rx *rx) { rx->peer_fin_known = rx->peer_fin_taken; }

bool data_rx_take_end(struct data_rx *rx)
{
    if (!rx->peer_fin_known || rx->peer_fin_taken || !dsn_eq(reassembly_next(&rx->reassembly), rx->peer_fin))
        return false;
    rx->peer_fin_taken = true;
    data_rx_forget_disorder(rx); /* RFC 8684 3.3.3: no data follows it */
    return true;
}

uint32_t data_rx_limit(const struct data_rx *rx)
{
    if (!account_is_pressed(&rx->account))
        return rx->limit;
    uint64_t share = HW_MAX(account_share(&rx->account), DATA_RX_WINDOW_MIN);
    return (uint32_t)HW_MIN(share, (uint64_t)rx->limit);
}

/* RFC 8684 3.3.4: one window for the connection, and its right edge never moves back: not by what the field cannot say
 * either, unless that has given away a whole unit of it already. RFC 9293 3.8.6.2.2: nor does it move forward by less
 * than a segment, or half of the buffer where that is less. After the end nothing needs it to move, and what speaks in
 * TIME-WAIT goes on to say where it was. */
uint32_t data_rx_window(struct data_rx *rx, uint32_t segment_bytes, uint32_t most)
{
    if (rx->peer_fin_taken)
        return data_rx_promised(rx);
    uint32_t unit = most / UINT16_MAX;
    dsn64 next = reassembly_next(&rx->reassembly), end = dsn_add(rx->reassembly.read_next, data_rx_limit(rx));
    dsn64 edge = dsn_min(end, dsn_add(next, most));
    if (dsn_diff(edge, rx->rcv_edge) >= (int64_t)HW_MIN(rx->limit_max / 2, segment_bytes))
        rx->rcv_edge = edge;
    uint32_t window = data_rx_promised(rx);
    uint64_t said = ((uint64_t)window + unit - 1) / unit * unit;
    if (said > most || dsn_lt(dsn_add(end, unit), dsn_add(next, said)))
        return window;
    rx->rcv_edge = dsn_add(next, said);
    return (uint32_t)said;
}

void data_rx_promise(struct data_rx *rx, uint32_t window)
{
    rx->rcv_edge = dsn_max(rx->rcv_edge, dsn_add(reassembly_next(&rx->reassembly), window));
}

uint32_t data_rx_promised(const struct data_rx *rx)
{
    int64_t left = dsn_diff(rx->rcv_edge, reassembly_next(&rx->reassembly));
    return left > 0 ? (uint32_t)left : 0;
}

bool data_rx_tunes(const struct data_rx *rx)
{
    return rx->limit < rx->limit_max && dsn_diff(rx->reassembly.read_next, rx->tuned_next) >= rx->limit / TUNED_PARTS;
}

void data_rx_tune(struct data_rx *rx, uint64_t rtt_ns, uint64_t now_ns)
{
    uint64_t round_ns = rtt_ns ? HW_MAX(rtt_ns + rtt_ns / 4, ROUND_MIN_NS) : ROUND_UNKNOWN_NS;
    bool fast = now_ns - rx->tuned_ns <= round_ns;
    if (fast && !account_is_pressed(&rx->account))
        rx->limit = (uint32_t)HW_MIN(UINT64_C(2) * rx->limit, (uint64_t)rx->limit_max);
    rx->tuned_next = rx->reassembly.read_next;
    rx->tuned_ns = now_ns;
}

uint32_t data_rx_readable(const struct data_rx *rx) { return reassembly_readable(&rx->reassembly); }

uint64_t data_rx_read_bytes(const struct data_rx *rx) { return rx->reassembly.read_next.v; }

size_t data_rx_read(struct data_rx *rx, void *dst, size_t len) { return reassembly_read(&rx->reassembly, dst, len); }

size_t data_rx_peek(const struct data_rx *rx, struct hawser_part *parts, size_t max)
{
    return reassembly_peek(&rx->reassembly, parts, max);
}

/* Pieces that are looked at to be copied into one: of such as are a quarter of the largest buffer, or of none. */
#define PIECES_LOOKED_AT 48u

/* May the program have the buffer? It must not be one that other pieces are charged for. */
static bool may_give(const struct data_rx *rx, struct slice piece)
{
    uint32_t ours = 1 + (piece.buf == rx->packer.buf);
    bool large = 4 * (uint64_t)piece.len >= hawser_buf_capacity(piece.buf);
    return large && !buf_is_scarce(piece.buf) && (slice_cost(piece) || buf_refs(piece.buf) == ours);
}

static void give(struct data_rx *rx, struct slice piece)
{
    if (piece.buf == rx->packer.buf)
        packer_release(&rx->packer);
    hawser_buf_ref(piece.buf);
    reassembly_consume(&rx->reassembly, piece.len);
    buf_discharge(piece.buf);
}

static bool copy_out(struct data_rx *rx, uint32_t len, struct slice *out)
{
    struct hawser_buf *buf = store_take(rx->store, NULL, len, CLAIM_OWED);
    if (!buf)
        return false;
    uint8_t *to = hawser_buf_data(buf);
    *out = (struct slice){buf, to, (uint32_t)data_rx_read(rx, to, HW_MIN(len, hawser_buf_capacity(buf)))};
    return true;
}

bool data_rx_take(struct data_rx *rx, struct slice *out)
{
    struct slice pieces[PIECES_LOOKED_AT];
    if (!reassembly_pieces(&rx->reassembly, out, 1))
        return false;
    if (may_give(rx, *out)) {
        give(rx, *out);
        return true;
    }
    uint32_t len = 0;
    size_t count = reassembly_pieces(&rx->reassembly, pieces, PIECES_LOOKED_AT);
    for (size_t i = 0; i < count && !may_give(rx, pieces[i]); i++)
        len += pieces[i].len;
    return copy_out(rx, len, out);
}

void data_rx_consume(struct data_rx *rx, size_t len)
{
    reassembly_consume(&rx->reassembly, (uint32_t)HW_MIN(len, reassembly_readable(&rx->reassembly)));
}

uint64_t data_rx_duplicate_bytes(const struct data_rx *rx) { return rx->reassembly.duplicate_bytes; }

bool data_rx_is_over(const struct data_rx *rx) { return rx->peer_fin_taken; }

struct data_rx_opening data_rx_consumed(struct data_rx *rx)
{
    dsn64 next = reassembly_next(&rx->reassembly);
    uint32_t limit = data_rx_limit(rx);
    dsn64 end = dsn_add(rx->reassembly.read_next, limit);
    data_rx_idle(rx);
    if (rx->peer_fin_taken) /* the peer may be gone already */
        return (struct data_rx_opening){0};
    if (rx->peer_fin_known)
        end = dsn_min(end, rx->peer_fin);
    if (dsn_le(end, next))
        return (struct data_rx_opening){0};
    uint32_t open = (uint32_t)dsn_diff(end, next), step = HW_MIN(limit / 2, STEP_MAX);
    bool is_all = rx->peer_fin_known && dsn_eq(end, rx->peer_fin);
    return (struct data_rx_opening){open, is_all ? HW_MIN(open, step) : step};
}
