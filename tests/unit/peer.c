#include "peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/seq.h"
#include "stack/stack.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/keys.h"

#define JOIN_NONCE 5

#define BATCH 16

void peer_init(struct peer *p, const struct hawser_stack_options *options, const struct hawser_conn_options *listening)
{
    memset(p, 0, sizeof *p);
    test_env_init(&p->env, 7);
    p->now_ns = UINT64_C(1000000000);
    p->iss = 0xffffff00; /* wraps soon */
    p->window = 0xffff;
    p->key = UINT64_C(0x0102030405060708);
    assert_int_equal(hawser_stack_new(&p->env.env, options, &p->stack), 0);
    struct hawser_link_options link = {.size = sizeof link, .mtu = 1500};
    assert_int_equal(hawser_stack_add_link(p->stack, &link), 0);
    assert_int_equal(hawser_addr_parse(&p->own, "10.0.0.1", 0), 0);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, &p->own, 24, p->now_ns), 0);
    p->own.port = PEER_PORT;
    assert_int_equal(hawser_addr_parse(&p->addr, "10.0.0.2", 4000), 0);
    struct hawser_addr any = {.port = PEER_PORT};
    assert_int_equal(hawser_listen(p->stack, &any, 4, listening, &p->listener), 0);
}

void peer_destroy(struct peer *p)
{
    assert_in_range(p->stack->host.settle_rounds_most, 0, SUBFLOWS_MAX + 1); /* every connection came to rest */
    hawser_stack_free(p->stack);
    test_env_check_clean(&p->env);
}

static void note(struct peer *p, const struct hawser_tx *tx)
{
    uint8_t bytes[HAWSER_TX_HEAD + 65536];
    struct ip_header ip;
    struct tcp_header tcp;
    assert_true(p->seen_count < PEER_SEEN_MAX);
    struct peer_segment *s = &p->seen[p->seen_count++];
    size_t len = hawser_tx_flatten(tx, bytes);
    assert_int_equal(ip_parse(bytes, len, false, &ip), IP_OK);
    const uint8_t *at = bytes + ip.header_len;
    *s = (struct peer_segment){.local = ip.src, .remote = ip.dst, .link = tx->link, .protocol = ip.protocol};
    if (ip.protocol != IP_PROTO_TCP) {
        assert_true(ip.payload_len <= PEER_PAYLOAD_MAX);
        memcpy(s->payload, at, s->len = ip.payload_len);
        return;
    }
    assert_true(tcp_header_parse(at, ip.payload_len, &tcp));
    tcp_options_parse(at + TCP_HEADER_LEN, (size_t)(tcp.header_len - TCP_HEADER_LEN), tcp.flags, &s->options);
    assert_int_equal(s->options.malformed, 0);
    if (tcp.flags & TCP_SYN)
        p->irs = tcp.seq.v;
    s->local.port = tcp.src_port;
    s->remote.port = tcp.dst_port;
    s->flags = tcp.flags;
    s->number = tcp.seq.v;
    s->seq = tcp.seq.v - p->irs;
    s->ack = tcp.flags & TCP_ACK ? tcp.ack.v - p->iss : 0;
    s->window = tcp.window;
    s->len = ip.payload_len - tcp.header_len;
    assert_true(s->len <= PEER_PAYLOAD_MAX);
    memcpy(s->payload, at + tcp.header_len, s->len);
}

void peer_drain(struct peer *p)
{
    struct hawser_tx batch[BATCH];
    size_t n;
    do {
        n = hawser_stack_output(p->stack, batch, BATCH, p->now_ns);
        for (size_t i = 0; i < n; i++)
            note(p, &batch[i]);
    } while (n == BATCH);
}

size_t peer_packet(const struct peer *p, uint8_t *bytes, uint8_t flags, uint32_t seq, uint32_t ack,
                   const struct tcp_options *options, const void *payload, uint32_t len)
{
    uint8_t area[TCP_OPTION_SPACE];
    struct tcp_options sent;
    struct tcp_options all = {0};
    if (options)
        all = *options;
    if (p->timestamps && !(flags & TCP_RST)) {
        all.present |= TCP_OPT_TIMESTAMPS;
        all.ts_val = p->ts_val ? p->ts_val : (uint32_t)(p->now_ns / 1000000);
        all.ts_ecr = p->ts_ecr;
    }
    size_t options_len = tcp_options_plan(area, &all, &sent);
    struct tcp_header h = {.src_port = p->addr.port,
                           .dst_port = p->own.port,
                           .seq = seq_at(p->iss + seq),
                           .ack = seq_at(flags & TCP_ACK ? p->irs + ack : 0),
                           .flags = flags,
                           .header_len = (uint8_t)(TCP_HEADER_LEN + options_len),
                           .window = p->window};
    assert_true(len <= PEER_PAYLOAD_MAX);
    size_t l3 = ip_emit(bytes, &p->addr, &p->own, 0, h.header_len + len);
    tcp_header_emit(bytes + l3, &h);
    if (options_len)
        memcpy(bytes + l3 + TCP_HEADER_LEN, area, options_len);
    if (len)
        memcpy(bytes + l3 + h.header_len, payload, len);
    return l3 + h.header_len + len;
}

void peer_send(struct peer *p, uint8_t flags, uint32_t seq, uint32_t ack, const struct tcp_options *options,
               const void *payload, uint32_t len)
{
    uint8_t bytes[PEER_PACKET_MAX];
    struct hawser_rx rx = {.data = bytes, .flags = HAWSER_RX_CSUM_OK};
    rx.len = (uint32_t)peer_packet(p, bytes, flags, seq, ack, options, payload, len);
    rx.buf = p->rx ? hawser_buf_new(p->rx) : NULL;
    if (rx.buf)
        rx.data = memcpy(hawser_buf_data(rx.buf), bytes, rx.len);
    hawser_stack_input(p->stack, p->link, &rx, 1, p->now_ns);
    if (rx.buf)
        hawser_buf_unref(rx.buf);
    peer_drain(p);
}

struct peer_icmp peer_icmp_about(const struct peer_segment *segment, uint8_t type, uint8_t code, uint32_t packet_len)
{
    return (struct peer_icmp){.type = type,
                              .code = code,
                              .local = segment->local,
                              .remote = segment->remote,
                              .number = segment->number,
                              .packet_len = packet_len};
}

size_t peer_icmp_packet(uint8_t *bytes, const struct peer_icmp *icmp)
{
    bool v4 = hawser_addr_is_v4(&icmp->local);
    size_t l3 = ip_header_len(&icmp->local);
    const uint8_t protocol = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6;
    const uint32_t len = (uint32_t)(8 + l3 + 8);
    struct hawser_addr router;
    assert_int_equal(hawser_addr_parse(&router, v4 ? "10.9.9.9" : "fd00:9::9", 0), 0);
    ip_emit_as(bytes, protocol, &router, &icmp->local, 0, len);
    uint8_t *at = bytes + l3, *quote = at + 8;
    memset(at, 0, 8);
    at[0] = icmp->type;
    at[1] = icmp->code;
    put32(at + 4, icmp->rest);
    ip_emit(quote, &icmp->local, &icmp->remote, 0, icmp->packet_len - (uint32_t)l3);
    put16(quote + l3, icmp->local.port);
    put16(quote + l3 + 2, icmp->remote.port);
    put32(quote + l3 + 4, icmp->number);
    struct csum sum = {0, false};
    if (!v4)
        csum_add_pseudo_as(&sum, protocol, &router, &icmp->local, len);
    csum_add(&sum, at, len);
    put16(at + 2, csum_finish(&sum));
    return l3 + len;
}

void peer_send_icmp(struct peer *p, const struct peer_icmp *icmp)
{
    uint8_t bytes[PEER_ICMP_MAX];
    struct hawser_rx rx = {.data = bytes, .len = (uint32_t)peer_icmp_packet(bytes, icmp)};
    hawser_stack_input(p->stack, p->link, &rx, 1, p->now_ns);
    peer_drain(p);
}

void peer_wait(struct peer *p, uint64_t ns)
{
    uint64_t until = p->now_ns + ns;
    peer_drain(p);
    for (uint64_t next; (next = hawser_stack_deadline(p->stack)) <= until;) {
        p->now_ns = next > p->now_ns ? next : p->now_ns;
        hawser_stack_advance(p->stack, p->now_ns);
        peer_drain(p);
    }
    p->now_ns = until;
}

const struct peer_segment *peer_last(const struct peer *p, uint8_t flags)
{
    for (unsigned i = p->seen_count; i-- > 0;)
        if ((p->seen[i].flags & flags) == flags)
            return &p->seen[i];
    return NULL;
}

void peer_open_plain(struct peer *p)
{
    peer_send(p, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_non_null(peer_last(p, TCP_SYN | TCP_ACK));
    peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
    peer_forget(p);
}

static struct mp_capable capable(void) { return (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1}; }

void peer_open_mptcp(struct peer *p)
{
    uint32_t token;
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE, .capable = capable()}};
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
    const struct peer_segment *synack = peer_last(p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    assert_true(mptcp_has(&synack->options.mp, MPTCP_CAPABLE));
    p->stack_key = synack->options.mp.capable.sender_key;
    mptcp_key_derive(p->key, &token, &p->idsn);
    mptcp_key_derive(p->stack_key, &token, &p->stack_idsn);
    o.mp.capable.has_sender_key = o.mp.capable.has_receiver_key = true;
    o.mp.capable.sender_key = p->key;
    o.mp.capable.receiver_key = p->stack_key;
    o.mp.capable.checksum_required = synack->options.mp.capable.checksum_required;
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    assert_int_equal(hawser_accept(p->listener, &p->conn), 0);
    o = peer_dss(p, 1, 0, 0, 0);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_forget(p);
}

void peer_connect(struct peer *p, bool plain)
{
    struct hawser_conn_options options = {.size = sizeof options, .no_mptcp = plain};
    p->addr.port = PEER_PORT;
    assert_int_equal(hawser_connect(p->stack, &p->addr, &options, p->now_ns, &p->conn), 0);
    peer_drain(p);
    const struct peer_segment *syn = peer_last(p, TCP_SYN);
    assert_non_null(syn);
    p->own = syn->local;
}

void peer_connect_mptcp(struct peer *p)
{
    uint32_t token;
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE, .capable = capable()}};
    peer_connect(p, false);
    o.mp.capable.has_sender_key = true;
    o.mp.capable.sender_key = p->key;
    peer_send(p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
    const struct peer_segment *third = peer_last(p, TCP_ACK);
    assert_true(mptcp_has(&third->options.mp, MPTCP_CAPABLE));
    p->stack_key = third->options.mp.capable.sender_key;
    mptcp_key_derive(p->key, &token, &p->idsn);
    mptcp_key_derive(p->stack_key, &token, &p->stack_idsn);
    o = peer_dss(p, 1, 0, 0, 0);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_forget(p);
}

struct tcp_options peer_dss(const struct peer *p, uint64_t ack, uint64_t dsn, uint32_t ssn, uint16_t len)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_DSS};
    o.mp.dss = (struct mp_dss){.has_ack = true, .ack_is_64 = true, .ack = p->stack_idsn + ack};
    if (len) {
        o.mp.dss.has_map = o.mp.dss.dsn_is_64 = true;
        o.mp.dss.dsn = p->idsn + dsn;
        o.mp.dss.ssn = ssn;
        o.mp.dss.len = len;
    }
    return o;
}

uint64_t peer_counter(const struct peer *p, const char *name)
{
    struct hawser_counter counter;
    for (size_t i = 0; hawser_stack_counter(p->stack, i, &counter); i++)
        if (strcmp(counter.name, name) == 0)
            return counter.value;
    fail_msg("no counter is called %s", name);
    return 0;
}

bool peer_is_open(const struct peer *p)
{
    return hawser_conn_error(p->conn) == 0 && !(hawser_conn_ready(p->conn) & (HAWSER_CLOSED | HAWSER_ERROR));
}

void peer_synack_join(struct peer *p)
{
    uint8_t hmac[MPTCP_HMAC_LEN];
    const struct peer_segment *syn = peer_last(p, TCP_SYN);
    assert_non_null(syn);
    assert_true(mptcp_has(&syn->options.mp, MPTCP_JOIN));
    p->own = syn->local;
    p->addr = syn->remote;
    struct tcp_options o = {
        .mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYNACK, .nonce = JOIN_NONCE}}};
    mptcp_join_hmac(p->key, p->stack_key, JOIN_NONCE, syn->options.mp.join.nonce, hmac);
    o.mp.join.hmac64 = get64(hmac);
    peer_send(p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
    assert_true(mptcp_has(&peer_last(p, TCP_ACK)->options.mp, MPTCP_JOIN));
}

void peer_answer_join(struct peer *p)
{
    peer_synack_join(p);
    const struct tcp_options o = peer_dss(p, 1, 0, 0, 0);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

void peer_refuse_join(struct peer *p)
{
    const struct peer_segment *syn = peer_last(p, TCP_SYN);
    assert_non_null(syn);
    p->own = syn->local;
    peer_send(p, TCP_RST | TCP_ACK, 0, 1, NULL, NULL, 0);
}

unsigned peer_count_syns(const struct peer *p)
{
    unsigned n = 0;
    for (unsigned i = 0; i < p->seen_count; i++)
        n += p->seen[i].flags == TCP_SYN;
    return n;
}
