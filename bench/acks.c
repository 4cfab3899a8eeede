/*
 * What an acknowledgement costs who sends. See bench/acks.
 *
 * One struct tcp, with a window that no loss makes smaller, and a path and a peer that are a few lines here: each
 * segment that is not lost arrives a round trip after it left, in order, and each second one that arrives is
 * acknowledged, with the blocks of RFC 2018. All that the sender does about an acknowledgement is in hear(): the
 * segment, timers, and what leaves again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/prng.h"
#include "tcp/tcp.h"

enum { MSS = 1448, GSO_SEGMENTS = 45, ISS = 1, IRS = 7, WSCALE = 14, BATCH = 64, BLOCKS = 3, PIECE = 20000 };
#define RTT_NS (200 * NS_PER_MS)
#define WARM_WINDOWS 3u
#define DUPLICATES 250u
#define MEMORY (UINT64_C(4) << 30)

struct arrival {
    uint64_t at_ns;
    uint32_t segment;
};

/* What it has, by numbers of segments. */
struct peer {
    uint32_t next, acked, highest; /* expected; acknowledged last; one beyond all that came */
    uint32_t *holes;               /* in order, from `first` on */
    size_t first, hole_count;
    uint32_t recent[BLOCKS]; /* one of each block that was reported last */
    uint32_t echo;
};

struct bench {
    struct tcp tcp;
    struct tcp_host host;
    struct account_root memory;
    struct account conn, tx, rx;
    struct hawser_buf *chunks[2];
    struct prng rng;
    struct hawser_tx packets[BATCH];
    uint32_t window, quantum; /* bytes; the least that leaves at once, segments */
    unsigned lost_permille;
    struct arrival *way; /* a ring */
    size_t way_first, way_count, way_max;
    uint64_t now_ns, free_ns; /* when the bottleneck will be */
    struct peer peer;
    uint64_t took_ns;
};

static void must(bool held, const char *why)
{
    if (held)
        return;
    fprintf(stderr, "acks: %s\n", why);
    exit(2);
}

/* ---- the layer above, and the controller ---- */

static void write_nothing(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options)
{
    (void)tcp, (void)record, (void)flags, (void)options;
}
static void ignore_sent(struct tcp *tcp, const struct tcp_options *sent) { (void)tcp, (void)sent; }
static bool take_segment(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns)
{
    return (void)tcp, (void)segment, (void)now_ns, true;
}
static uint32_t take_payload(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    return (void)tcp, (void)ssn, (void)now_ns, bytes.len;
}
static void ignore_progress(struct tcp *tcp, uint64_t now_ns) { (void)tcp, (void)now_ns; }
static void ignore_event(struct tcp *tcp, enum tcp_event event, uint64_t now_ns)
{
    (void)tcp, (void)event, (void)now_ns;
}
static uint32_t offer_window(struct tcp *tcp, uint32_t most) { return (void)tcp, HW_MIN(most, 65536u); }
static bool is_not_blocked(struct tcp *tcp) { return (void)tcp, false; }
static size_t has_none(struct tcp *tcp, struct hawser_sibling *out, size_t max)
{
    return (void)tcp, (void)out, (void)max, 0;
}
static struct account *let_pay(struct tcp *tcp, bool sending)
{
    struct bench *b = HW_CONTAINER(tcp, struct bench, tcp);
    return sending ? &b->tx : &b->rx;
}
static void need_not_wake(struct tcp *tcp) { (void)tcp; }

static const struct tcp_hooks hooks = {
    .write_options = write_nothing,
    .options_sent = ignore_sent,
    .segment = take_segment,
    .receive = take_payload,
    .progress = ignore_progress,
    .event = ignore_event,
    .window = offer_window,
    .blocked_by_window = is_not_blocked,
    .siblings = has_none,
    .payer = let_pay,
    .wake = need_not_wake,
};

/* The window stays what it is, whatever happens. */
static void hold_window(struct bench *b)
{
    struct tcp_window *cc = &b->tcp.cc;
    cc->cwnd_bytes = cc->ssthresh_bytes = cc->kept[0] = b->window;
    cc->pacing_bps = UINT64_MAX; /* all of it leaves when it may */
}
static void hold_from_now(struct hawser_flow *cc, uint32_t seed, uint64_t now_ns)
{
    (void)seed, (void)now_ns;
    cc->cwnd_bytes = cc->ssthresh_bytes = cc->kept[0];
    cc->pacing_bps = UINT64_MAX;
}
static void ignore_ack(struct hawser_flow *cc, const struct hawser_ack *ack) { (void)cc, (void)ack; }
static void ignore_loss(struct hawser_flow *cc, const struct hawser_loss *loss) { (void)cc, (void)loss; }
static const struct hawser_congestion constant = {.size = sizeof constant,
                                                  .name = "constant",
                                                  .resume = hold_from_now,
                                                  .on_ack = ignore_ack,
                                                  .on_loss = ignore_loss,
                                                  .on_timeout = ignore_loss};

static void *env_alloc(void *ctx, size_t size) { return (void)ctx, malloc(size); }
static void env_free(void *ctx, void *ptr) { (void)ctx, free(ptr); }
static void env_random(void *ctx, void *dst, size_t len) { (void)ctx, memset(dst, 1, len); }

static void open_tcp(struct bench *b)
{
    static struct tcp_patience patience;
    static const struct hawser_env env = {NULL, env_alloc, env_free, env_random};
    const struct tcp_config config = {.iss = ISS, .mtu = 1500, .gso_bytes = GSO_SEGMENTS * MSS, .patience = &patience};
    const struct tcp_opened opened = {
        .terms = {.irs = IRS, .mss = 1460, .window_scaling = true, .wscale = WSCALE, .sack = true, .timestamps = true},
        .iss = ISS,
        .rcv_wnd = 65535,
        .window_max = 65535,
        .snd_wnd = UINT32_C(65535) << WSCALE,
        .rtt_ns = RTT_NS,
    };
    struct hawser_buf_pool *pool;
    struct tcp_config v4 = config;
    must(hawser_addr_parse(&v4.local, "10.0.0.1", 1) == 0 && hawser_addr_parse(&v4.remote, "10.0.0.2", 2) == 0,
         "address");
    b->host.env = env;
    pool_init(&b->host.records, &b->host.env, sizeof(struct tx_record), UINT32_MAX);
    pool_init(&b->host.flights, &b->host.env, tcp_flight_bytes(&constant), 1);
    pool_init(&b->host.disorders, &b->host.env, sizeof(struct rx_disorder), 1);
    account_init(&b->memory, &b->host.env, MEMORY, 0);
    account_open(&b->conn, &b->memory.account);
    account_open(&b->tx, &b->conn);
    account_open(&b->rx, &b->conn);
    must(hawser_buf_pool_new(&b->host.env, GSO_SEGMENTS * MSS, 2, &pool) == 0, "memory");
    for (int i = 0; i < 2; i++)
        must((b->chunks[i] = hawser_buf_new(pool)) != NULL, "memory");
    tcp_init(&b->tcp, &hooks, &b->host, &v4, &constant, 65535);
    tcp_open_passive(&b->tcp, &opened, b->now_ns);
    must(b->tcp.segment_bytes == MSS, "segment size");
    hold_window(b);
}

/* ---- the path ---- */

/* What left enters it, segment by segment. */
static void carry(struct bench *b, const struct tx_batch *batch)
{
    uint64_t each_ns = RTT_NS * MSS / b->window;
    for (size_t i = 0; i < batch->count; i++) {
        struct tcp_header h;
        const struct hawser_tx *tx = &batch->packets[i];
        must(tcp_header_parse(tx->head + tx->l3_len, tx->head_len - tx->l3_len, &h), "header");
        for (uint32_t at = 0; at < tx->payload_len; at += MSS) {
            b->free_ns = HW_MAX(b->free_ns, b->now_ns) + each_ns;
            if (prng_below(&b->rng, 1000) < b->lost_permille)
                continue;
            must(b->way_count < b->way_max, "the path is full");
            b->way[(b->way_first + b->way_count++) % b->way_max] =
                (struct arrival){b->free_ns + RTT_NS, (h.seq.v - ISS - 1 + at) / MSS};
        }
    }
}

/* ---- the peer ---- */

/* How many holes are below `segment`. */
static size_t holes_below(const struct peer *p, uint32_t segment)
{
    size_t low = 0, high = p->hole_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (p->holes[p->first + middle] < segment)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct sack_block block_of(const struct peer *p, uint32_t segment)
{
    size_t below = holes_below(p, segment);
    uint32_t start = below ? p->holes[p->first + below - 1] + 1 : p->next;
    uint32_t end = below < p->hole_count ? p->holes[p->first + below] : p->highest;
    return (struct sack_block){seq_at(ISS + 1 + start * MSS), seq_at(ISS + 1 + end * MSS)};
}

static void fill_hole(struct peer *p, uint32_t segment)
{
    size_t at = holes_below(p, segment);
    uint32_t *hole = p->holes + p->first + at;
    if (at == p->hole_count || *hole != segment)
        return; /* came before */
    memmove(p->holes + p->first + 1, p->holes + p->first, at * sizeof *hole);
    p->first++;
    p->hole_count--;
}

static void arrive(struct bench *b, const struct arrival *a)
{
    struct peer *p = &b->peer;
    if (a->segment <= p->acked) /* RFC 7323 4.3 */
        p->echo = (uint32_t)((a->at_ns - RTT_NS) / NS_PER_MS);
    for (; p->highest < a->segment; p->highest++)
        p->holes[p->first + p->hole_count++] = p->highest;
    if (p->highest == a->segment)
        p->highest++;
    else
        fill_hole(p, a->segment);
    p->next = p->hole_count ? p->holes[p->first] : p->highest;
    const struct sack_block block = block_of(p, a->segment);
    unsigned same = 0;
    while (same < BLOCKS - 1 && block_of(p, p->recent[same]).start.v != block.start.v)
        same++;
    memmove(p->recent + 1, p->recent, same * sizeof p->recent[0]);
    p->recent[0] = a->segment;
}

static void report(struct peer *p, struct tcp_segment *s)
{
    struct tcp_options *o = s->options;
    o->sack_count = 0;
    for (unsigned i = 0; i < BLOCKS && p->hole_count; i++)
        if (p->recent[i] >= p->next)
            o->sack[o->sack_count++] = block_of(p, p->recent[i]);
    o->present = TCP_OPT_TIMESTAMPS | (o->sack_count ? TCP_OPT_SACK : 0);
    s->header.ack = seq_at(ISS + 1 + p->next * MSS);
    p->acked = p->next;
    o->ts_ecr = p->echo;
}

/* ---- the sender ---- */

static void send_new(struct bench *b, struct tx_batch *batch)
{
    uint32_t room;
    while ((room = tcp_send_room(&b->tcp)) >= b->quantum * MSS && !tx_batch_full(batch)) {
        uint32_t len = HW_MIN(room - room % MSS, tcp_send_max(&b->tcp)), head = HW_MIN(len, (uint32_t)PIECE);
        const struct tx_note note = {.dsn = b->tcp.snd_nxt, .ssn = b->tcp.snd_nxt, .len = len, .mapped = true};
        const struct slice parts[] = {{b->chunks[0], hawser_buf_data(b->chunks[0]), head},
                                      {b->chunks[1], hawser_buf_data(b->chunks[1]), len - head}};
        must(tcp_send(&b->tcp, parts, len > head ? 2 : 1, len, &note, false, batch, b->now_ns) == 0, "memory");
    }
}

static inline void act(struct bench *b, struct tcp_segment *s, struct tx_batch *batch)
{
    if (b->tcp.due_ns <= b->now_ns)
        tcp_run_timers(&b->tcp, b->now_ns);
    tcp_input(&b->tcp, s, b->now_ns);
    if (batch) {
        tcp_begin_turn(&b->tcp, b->now_ns);
        tcp_output(&b->tcp, batch, b->now_ns);
    }
}

/* What is counted: who counts instructions knows it by its name. */
__attribute__((noinline)) static void hear(struct bench *b, struct tcp_segment *s, struct tx_batch *batch)
{
    act(b, s, batch);
}

static uint64_t clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

static void say(struct bench *b, struct tcp_segment *s, struct tx_batch *batch, bool counted)
{
    s->header.seq = seq_at(IRS + 1);
    s->header.flags = TCP_ACK;
    s->header.header_len = TCP_HEADER_LEN;
    s->header.window = UINT16_MAX;
    s->wire_segments = 1;
    s->options->ts_val = (uint32_t)(b->now_ns / NS_PER_MS);
    if (!counted) {
        act(b, s, batch);
        return;
    }
    uint64_t start_ns = clock_ns();
    hear(b, s, batch);
    b->took_ns += clock_ns() - start_ns;
}

/* ---- what is measured ---- */

static void fill_window(struct bench *b)
{
    while (tcp_send_room(&b->tcp) >= b->quantum * MSS) {
        struct tx_batch batch = {b->packets, 0, BATCH};
        send_new(b, &batch);
        carry(b, &batch);
        hold_window(b); /* after idleness it is the initial one (RFC 5681 4.1) */
    }
}

/* When all that was under way is lost, timers go on. */
static void wait_for_timers(struct bench *b)
{
    struct tx_batch batch = {b->packets, 0, BATCH};
    must(b->tcp.due_ns != TIME_NEVER, "nothing happens any more");
    b->now_ns = HW_MAX(b->now_ns, b->tcp.due_ns);
    tcp_run_timers(&b->tcp, b->now_ns);
    tcp_begin_turn(&b->tcp, b->now_ns);
    tcp_output(&b->tcp, &batch, b->now_ns);
    send_new(b, &batch);
    carry(b, &batch);
}

/* A stream; a window's worth of acknowledgements of it counts. Returns how many. */
static uint64_t stream(struct bench *b)
{
    struct tcp_options options = {0};
    struct tcp_segment s = {.options = &options};
    const uint64_t window = b->window / MSS, warm = WARM_WINDOWS * window / 2;
    fill_window(b);
    for (uint64_t acks = 0; acks < warm + window; acks++) {
        struct tx_batch batch = {b->packets, 0, BATCH};
        while (b->way_count < 2)
            wait_for_timers(b);
        for (int i = 0; i < 2; i++) {
            const struct arrival a = b->way[b->way_first];
            b->way_first = (b->way_first + 1) % b->way_max;
            b->way_count--;
            b->now_ns = HW_MAX(b->now_ns, a.at_ns);
            arrive(b, &a);
        }
        report(&b->peer, &s);
        say(b, &s, &batch, acks >= warm);
        send_new(b, &batch);
        carry(b, &batch);
    }
    return window;
}

/* A quarter of the window to each block, of which only the first segment is missing; or a segment to each, new ones
 * each time, one of GSO_SEGMENTS - 5. */
static void set_blocks(const struct bench *b, struct tcp_options *o, bool scattered, uint32_t turn)
{
    uint32_t quarter = b->window / MSS / 4;
    o->sack_count = 4;
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t start = i * quarter + 1 + (scattered ? turn * (GSO_SEGMENTS - 5) : 0);
        uint32_t end = scattered ? start + 1 : (i + 1) * quarter;
        o->sack[i] = (struct sack_block){seq_at(ISS + 1 + start * MSS), seq_at(ISS + 1 + end * MSS)};
    }
}

/* Duplicate acknowledgements with four blocks all over the window. */
static uint64_t duplicates(struct bench *b, bool scattered)
{
    struct tcp_options options = {.present = TCP_OPT_SACK};
    struct tcp_segment s = {.options = &options, .header = {.ack = seq_at(ISS + 1)}};
    fill_window(b);
    b->now_ns += RTT_NS;
    struct tx_batch batch = {b->packets, 0, BATCH};
    set_blocks(b, &options, scattered, 0);
    say(b, &s, &batch, false);
    for (uint32_t i = 1; i <= DUPLICATES; i++) {
        set_blocks(b, &options, scattered, i);
        say(b, &s, NULL, true);
    }
    return DUPLICATES;
}

static int usage(void)
{
    fprintf(stderr, "usage: hawser-acks MEBIBYTES LOST_PERMILLE SEGMENTS | MEBIBYTES known | MEBIBYTES scattered\n");
    return 2;
}

int main(int argc, char **argv)
{
    static struct bench b;
    uint64_t acks;
    if (argc < 3 || argc > 4)
        return usage();
    b.window = (uint32_t)strtoul(argv[1], NULL, 10) << 20;
    b.quantum = argc == 4 ? (uint32_t)strtoul(argv[3], NULL, 10) : GSO_SEGMENTS;
    b.lost_permille = argc == 4 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;
    bool scattered = strcmp(argv[2], "scattered") == 0;
    if (!b.window || b.window > UINT32_C(256) << 20 || !b.quantum || b.quantum > GSO_SEGMENTS || b.lost_permille > 500)
        return usage();
    b.now_ns = NS_PER_S;
    b.way_max = 4 * (size_t)b.window / MSS;
    b.way = calloc(b.way_max, sizeof *b.way);
    b.peer.holes = calloc(8 * (size_t)b.window / MSS, sizeof *b.peer.holes); /* of all that is sent, there are fewer */
    must(b.way && b.peer.holes, "memory");
    prng_seed(&b.rng, 1);
    open_tcp(&b);
    acks = argc == 4 ? stream(&b) : duplicates(&b, scattered);
    printf("%llu acknowledgements, %.0f ns each; %u records for %llu bytes under way\n", (unsigned long long)acks,
           (double)b.took_ns / (double)acks, tcp_txq(&b.tcp)->count,
           (unsigned long long)(b.tcp.snd_nxt - b.tcp.snd_una));
    return 0;
}
