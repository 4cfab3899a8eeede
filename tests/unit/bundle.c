#include "bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "mptcp/holdq.h"

enum { ISS = 1000, IRS = 5000, RECORDS = 1000 };

static struct bundle *bundle_of(struct tcp *tcp) { return HW_CONTAINER(tcp->host, struct bundle, host); }

/* ---- the layer above ---- */

static void write_nothing(struct tcp *tcp, const struct tx_record *record, uint8_t flags, struct tcp_options *options)
{
    (void)tcp, (void)record, (void)flags, (void)options;
}

static void ignore_sent(struct tcp *tcp, const struct tcp_options *sent) { (void)tcp, (void)sent; }

static bool take_segment(struct tcp *tcp, const struct tcp_segment *segment, uint64_t now_ns)
{
    (void)tcp, (void)segment, (void)now_ns;
    return true;
}

static uint32_t take_payload(struct tcp *tcp, uint64_t ssn, struct slice bytes, uint64_t now_ns)
{
    (void)tcp, (void)ssn, (void)now_ns;
    return bytes.len;
}

static void ignore_progress(struct tcp *tcp, uint64_t now_ns) { (void)tcp, (void)now_ns; }

static void note_event(struct tcp *tcp, enum tcp_event event, uint64_t now_ns)
{
    (void)now_ns;
    subflow_note(subflow_of(tcp), event);
}

static uint32_t offer_window(struct tcp *tcp, uint32_t most)
{
    (void)tcp;
    return HW_MIN((uint32_t)BUNDLE_WINDOW, most);
}

static bool is_not_blocked(struct tcp *tcp) { return (void)tcp, false; }

static size_t know_siblings(struct tcp *tcp, struct hawser_sibling *out, size_t max)
{
    return subflows_siblings(&bundle_of(tcp)->subflows, out, max);
}

static struct account *let_pay(struct tcp *tcp, bool sending)
{
    struct bundle *b = bundle_of(tcp);
    return sending ? data_tx_account(&b->tx) : data_rx_account(&b->rx);
}

static void need_not_wake(struct tcp *tcp) { (void)tcp; }

static const struct tcp_hooks hooks = {
    .write_options = write_nothing,
    .options_sent = ignore_sent,
    .segment = take_segment,
    .receive = take_payload,
    .progress = ignore_progress,
    .event = note_event,
    .window = offer_window,
    .blocked_by_window = is_not_blocked,
    .siblings = know_siblings,
    .payer = let_pay,
    .wake = need_not_wake,
};

/* ---- life ---- */

void bundle_init(struct bundle *b)
{
    memset(b, 0, sizeof *b);
    test_env_init(&b->env, 1);
    prng_fill(&b->env.rng, b->bytes, sizeof b->bytes);
    b->host.env = b->env.env;
    pool_init(&b->host.records, &b->host.env, sizeof(struct tx_record), RECORDS);
    pool_init(&b->host.flights, &b->host.env, tcp_flight_bytes(&cc_cubic), SUBFLOWS_MAX);
    pool_init(&b->host.disorders, &b->host.env, sizeof(struct rx_disorder), SUBFLOWS_MAX);
    pool_init(&b->nodes, &b->host.env, reassembly_node_size(), UINT32_MAX);
    pool_init(&b->pieces, &b->host.env, holdq_node_size(), UINT32_MAX);
    account_init(&b->memory, &b->host.env, BUNDLE_MEMORY, BUNDLE_RESERVE);
    account_open(&b->conn, &b->memory.account);
    account_open(&b->other, &b->memory.account);
    assert_int_equal(store_init(&b->store, &b->host.env), 0);
    data_rx_init(&b->rx, &b->nodes, &b->store, &b->conn, BUNDLE_LIMIT);
    data_rx_rebase(&b->rx, nth_byte(0));
    data_tx_init(&b->tx, &b->store, &b->conn, dsn_at(BUNDLE_IDSN), BUNDLE_LIMIT);
    data_tx_widen(&b->tx, nth_byte(BUNDLE_WINDOW));
    list_init(&b->subflows);
    scheduler_init(&b->scheduler, &scheduler_lowest_rtt);
    b->now_ns = NS_PER_S;
}

void bundle_destroy(struct bundle *b)
{
    for (unsigned i = 0; i < b->count; i++) {
        rx_mapping_destroy(&b->all[i].rx_mapping);
        tcp_destroy(&b->all[i].tcp);
    }
    scheduler_destroy(&b->scheduler, &b->conn);
    data_rx_destroy(&b->rx);
    data_tx_destroy(&b->tx);
    account_release(&b->other, b->other.held);
    account_close(&b->other);
    account_close(&b->conn);
    assert_int_equal(b->memory.account.held, 0);
    store_close(&b->store);
    pool_destroy(&b->nodes);
    pool_destroy(&b->pieces);
    pool_destroy(&b->host.records);
    pool_destroy(&b->host.flights);
    pool_destroy(&b->host.disorders);
    test_env_check_clean(&b->env);
}

/* ---- subflows ---- */

static struct hawser_addr address(unsigned net, uint8_t host, uint16_t port)
{
    return (struct hawser_addr){.ip = {[10] = 0xff, [11] = 0xff, 10, 0, (uint8_t)net, host}, .port = port};
}

struct hawser_addr bundle_local(unsigned n) { return address(n, 1, (uint16_t)n); }
struct hawser_addr bundle_remote(unsigned n) { return address(n, 2, 80); }

struct subflow *bundle_add(struct bundle *b)
{
    static struct tcp_patience patience;
    assert_true(b->count < SUBFLOWS_MAX);
    struct subflow *subflow = &b->all[b->count];
    subflow->id = b->count;
    subflow->join = b->count++ > 0;
    subflow->local_id = subflow->remote_id = subflow->join ? (uint8_t)b->count : 0;
    subflow->slot = subflows_free_slot(&b->subflows);
    subflow->due_ns = TIME_NEVER;
    rx_mapping_init(&subflow->rx_mapping, &b->pieces, &b->store, data_rx_account(&b->rx));
    const struct tcp_config config = {
        .local = bundle_local(b->count),
        .remote = bundle_remote(b->count),
        .iss = ISS,
        .mtu = 1500,
        .gso_bytes = 64000,
        .patience = &patience,
    };
    tcp_init(&subflow->tcp, &hooks, &b->host, &config, &cc_reno, BUNDLE_WINDOW);
    list_push_back(&b->subflows, &subflow->link);
    return subflow;
}

struct subflow *bundle_open(struct bundle *b, uint64_t rtt_ns)
{
    struct subflow *subflow = bundle_add(b);
    const struct tcp_opened opened = {
        .terms = {.irs = IRS, .mss = BUNDLE_MSS, .window_scaling = true, .sack = true},
        .iss = ISS,
        .rcv_wnd = BUNDLE_WINDOW,
        .window_max = BUNDLE_WINDOW,
        .snd_wnd = BUNDLE_WINDOW,
        .rtt_ns = rtt_ns,
    };
    tcp_open_passive(&subflow->tcp, &opened, b->now_ns);
    subflow->stage = SUBFLOW_JOINED;
    return subflow;
}

struct subflow *bundle_join(struct bundle *b)
{
    struct subflow *subflow = bundle_add(b);
    assert_int_equal(tcp_connect(&subflow->tcp, b->now_ns), 0);
    assert_int_equal(bundle_say(b, subflow), 1);
    return subflow;
}

/* ---- what they carry ---- */

struct outflow bundle_outflow(struct bundle *b)
{
    return (struct outflow){.tx = &b->tx, .subflows = &b->subflows, .scheduler = &b->scheduler, .committed = true};
}

void bundle_carry(struct bundle *b, struct subflow *subflow, uint64_t n, uint32_t len)
{
    struct slice parts[TX_RECORD_PARTS];
    unsigned count = 0;
    struct tx_batch batch = {b->packets, 0, BUNDLE_PACKETS};
    uint64_t written = data_tx_offset(&b->tx, data_tx_stream_end(&b->tx)) - 1;
    if (n + len > written)
        assert_int_equal(data_tx_write(&b->tx, b->bytes + written, n + len - written), n + len - written);
    assert_int_equal(data_tx_peek(&b->tx, nth_byte(n), len, parts, TX_RECORD_PARTS, &count), len);
    const struct tx_note note = {.dsn = nth_byte(n).v, .ssn = subflow->tcp.snd_nxt, .len = len, .mapped = true};
    assert_int_equal(tcp_send(&subflow->tcp, parts, count, len, &note, false, &batch, b->now_ns), 0);
    int64_t fresh = dsn_diff(nth_byte(n + len), data_tx_next(&b->tx));
    if (fresh > 0)
        data_tx_sent(&b->tx, (uint32_t)fresh, subflow->slot, b->now_ns);
}

static void hear(struct bundle *b, struct subflow *subflow, uint8_t flags, uint64_t ack, struct tcp_options *options)
{
    struct tcp_options none = {0};
    struct tcp *tcp = &subflow->tcp;
    struct tcp_segment segment = {
        .header = {.seq = seq_at(IRS + (uint32_t)tcp->rx.next),
                   .ack = seq_at(ISS + (uint32_t)ack),
                   .flags = flags,
                   .header_len = TCP_HEADER_LEN,
                   .window = UINT16_MAX},
        .options = options ? options : &none,
        .wire_segments = 1,
    };
    tcp_input(tcp, &segment, b->now_ns);
}

void bundle_ack(struct bundle *b, struct subflow *subflow, uint64_t n) { hear(b, subflow, TCP_ACK, nth_ssn(n), NULL); }

void bundle_hear(struct bundle *b, struct subflow *subflow, uint8_t flags, struct tcp_options *options)
{
    hear(b, subflow, flags, subflow->tcp.snd_nxt, options);
}

unsigned bundle_say(struct bundle *b, struct subflow *subflow)
{
    struct tx_batch batch = {b->packets, 0, BUNDLE_PACKETS};
    tcp_begin_turn(&subflow->tcp, b->now_ns);
    tcp_output(&subflow->tcp, &batch, b->now_ns);
    return (unsigned)batch.count;
}

void bundle_press(struct bundle *b, uint64_t left)
{
    account_charge(&b->other, BUNDLE_MEMORY - left - b->memory.account.held);
}
