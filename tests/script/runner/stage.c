#include "stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "stack/stack.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

/* Numbers and timestamps of the peer's wrap soon. */
#define PEER_ISS 0xffffff00u
#define PEER_TS 0xfffff000u
#define PEER_PORT 4000
#define HOST_PORT 80
#define BEGIN_NS (1000 * NS_PER_S)
#define PACKET_MAX (65535 + 40)

/* ---- the host ---- */

static void *env_alloc(void *ctx, size_t size)
{
    struct stage *stage = ctx;
    void *p = malloc(size);
    if (p) {
        memset(p, 0xa5, size); /* whoever counts on zeroes shall notice */
        stage->live++;
    }
    return p;
}

static void env_free(void *ctx, void *ptr)
{
    struct stage *stage = ctx;
    stage->live--;
    free(ptr);
}

static void env_random(void *ctx, void *dst, size_t len)
{
    struct stage *stage = ctx;
    prng_fill(&stage->rng, dst, len);
}

bool stage_open(struct stage *stage, const struct facts *facts, bool v6)
{
    memset(stage, 0, sizeof *stage);
    stage->facts = facts;
    stage->env = (struct hawser_env){stage, env_alloc, env_free, env_random};
    stage->now_ns = stage->zero_ns = BEGIN_NS;
    stage->peer =
        (struct speaker){.isn = PEER_ISS, .isn_known = true, .wscale = -1, .ts_zero = PEER_TS, .ts_known = true};
    stage->host = (struct speaker){.wscale = -1};
    prng_seed(&stage->rng, 9293);
    const struct hawser_stack_options options = {.size = sizeof options,
                                                 .congestion = facts->congestion[0] ? facts->congestion : NULL};
    const struct hawser_link_options link = {.size = sizeof link, .mtu = facts->mtu};
    return hawser_addr_parse(&stage->local, v6 ? "fd00::1" : "10.0.0.1", 0) == 0 &&
           hawser_addr_parse(&stage->remote, v6 ? "fd00::2" : "10.0.0.2", PEER_PORT) == 0 &&
           hawser_stack_new(&stage->env, &options, &stage->stack) == 0 &&
           hawser_stack_add_link(stage->stack, &link) == 0 &&
           hawser_stack_add_address(stage->stack, 0, &stage->local, v6 ? 64 : 24, stage->now_ns) == 0;
}

bool stage_close(struct stage *stage)
{
    if (stage->stack)
        hawser_stack_free(stage->stack);
    stage->stack = NULL;
    return stage->live == 0;
}

static const struct subflow *subflow_of_host(const struct stage *stage)
{
    return stage->local.port ? demux_find(stage->stack, &stage->local, &stage->remote) : NULL;
}

enum story_state stage_state(const struct stage *stage)
{
    enum story_state state = STORY_CLOSED;
    struct hawser_subflow_info info = {.size = sizeof info};
    const struct subflow *subflow = subflow_of_host(stage);
    if (subflow)
        (void)story_find_state(tcp_state_name(subflow->tcp.state), &state);
    else if (hawser_stack_time_wait(stage->stack))
        state = STORY_TIME_WAIT;
    else if (handshakes_find(&stage->stack->handshakes, &stage->local, &stage->remote))
        state = STORY_SYN_RECEIVED;
    else if (stage->conn && hawser_subflow_get_info(stage->conn, 0, &info) == 0)
        (void)story_find_state(info.state, &state);
    else if (stage->listener)
        state = STORY_LISTEN;
    return state;
}

uint32_t stage_mss(const struct stage *stage)
{
    return stage->facts->mtu - TCP_HEADER_LEN - (uint32_t)ip_header_len(&stage->remote);
}

uint8_t stage_byte(bool of_host, uint64_t offset) { return (uint8_t)((offset + of_host) * UINT64_C(2654435761) >> 13); }

int64_t stage_time(const struct stage *stage, uint64_t at_ns) { return (int64_t)(at_ns - stage->zero_ns); }

/* ---- numbers ---- */

uint32_t stage_peer_ts(const struct stage *stage, int64_t ts)
{
    return PEER_TS + (uint32_t)((stage->zero_ns - BEGIN_NS) / NS_PER_MS) + (uint32_t)ts;
}

static int64_t relative(uint32_t number, uint32_t zero) { return (int32_t)(number - zero); }

static bool scales(const struct stage *stage) { return stage->host.wscale >= 0 && stage->peer.wscale >= 0; }

static uint8_t shift_of(const struct stage *stage, const struct speaker *who, uint8_t flags)
{
    return flags & TCP_SYN || !scales(stage) ? 0 : (uint8_t)HW_MIN(who->wscale, 14);
}

/* What a SYN settles. */
static void learn_terms(struct speaker *who, const struct tcp_options *o)
{
    who->wscale = o->present & TCP_OPT_WSCALE ? o->wscale : -1;
    who->timestamps = o->present & TCP_OPT_TIMESTAMPS;
}

/* What a segment says of its sender; fills in what only the sender's history tells. */
static void learn(struct speaker *who, struct seen *s)
{
    const struct tcp_options *o = &s->options;
    uint32_t span = s->len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
    if (o->present & TCP_OPT_TIMESTAMPS) {
        if (!who->ts_known)
            who->ts_zero = o->ts_val;
        who->ts_known = true;
        who->ts_last = o->ts_val;
    }
    s->next = who->next;
    s->acked = who->acked;
    if (s->flags & TCP_RST)
        return;
    who->next = HW_MAX(who->next, s->seq + span);
    if (s->flags & TCP_ACK)
        who->acked = HW_MAX(who->acked, s->ack);
}

static void make_relative(const struct stage *stage, const struct speaker *who, const struct speaker *other,
                          const struct tcp_header *h, struct seen *s)
{
    s->number = h->seq.v;
    s->seq = relative(h->seq.v, who->isn);
    s->ack = h->flags & TCP_ACK ? relative(h->ack.v, other->isn) : 0;
    s->window = (uint32_t)h->window << shift_of(stage, who, h->flags);
    for (unsigned i = 0; i < s->options.sack_count; i++) {
        s->sack[i][0] = relative(s->options.sack[i].start.v, other->isn);
        s->sack[i][1] = relative(s->options.sack[i].end.v, other->isn);
    }
    uint32_t host_zero = stage->host.ts_zero, peer_zero = stage_peer_ts(stage, 0);
    s->ts = relative(s->options.ts_val, s->from_host ? host_zero : peer_zero);
    uint32_t echo_zero = !(h->flags & TCP_ACK) ? 0 : s->from_host ? peer_zero : host_zero; /* RFC 7323 3.2 */
    s->echo = relative(s->options.ts_ecr, echo_zero);
}

static void log_seen(struct stage *stage, const struct seen *s) { stage->log[stage->logged++ % STAGE_LOG_MAX] = *s; }

/* ---- what the host says ---- */

static bool payload_right(const struct seen *s, const uint8_t *bytes)
{
    for (uint32_t i = 0; i < s->len; i++)
        if (bytes[i] != stage_byte(s->from_host, (uint64_t)(s->seq + !!(s->flags & TCP_SYN) - 1 + i)))
            return false;
    return true;
}

/* Those of a SYN count in a SYN only: whoever writes them elsewhere shall be seen. */
static void read_options(const uint8_t *bytes, size_t len, uint8_t flags, struct tcp_options *out)
{
    struct tcp_options of_a_syn;
    tcp_options_parse(bytes, len, flags | TCP_SYN, &of_a_syn);
    tcp_options_parse(bytes, len, flags, out);
    out->present |= of_a_syn.present & (TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_PERMITTED | TCP_OPT_FASTOPEN);
}

static void read_packet(struct stage *stage, const uint8_t *bytes, size_t len, struct seen *s)
{
    struct ip_header ip;
    struct tcp_header h;
    *s = (struct seen){.at_ns = stage->now_ns, .from_host = true, .packet_len = (uint32_t)len, .other = true};
    if (ip_parse(bytes, len, false, &ip) != IP_OK || ip.protocol != IP_PROTO_TCP ||
        !tcp_header_parse(bytes + ip.header_len, ip.payload_len, &h))
        return;
    const uint8_t *tcp = bytes + ip.header_len;
    struct csum sum = {0, false};
    csum_add_pseudo(&sum, &ip.src, &ip.dst, ip.payload_len);
    csum_add(&sum, tcp, ip.payload_len);
    if (csum_finish(&sum) != 0)
        snprintf(stage->trouble, sizeof stage->trouble, "a checksum of the host's is wrong");
    s->other = false;
    s->flags = h.flags;
    s->ecn = ip.ecn;
    s->urgent = h.urgent;
    s->len = ip.payload_len - h.header_len;
    read_options(tcp + TCP_HEADER_LEN, (size_t)(h.header_len - TCP_HEADER_LEN), h.flags, &s->options);
    stage->local.port = h.src_port;
    if (h.flags & TCP_SYN) {
        stage->host.isn = h.seq.v;
        stage->host.isn_known = true;
        stage->host.next = stage->host.acked = 0;
        learn_terms(&stage->host, &s->options);
    }
    if (s->options.present & TCP_OPT_TIMESTAMPS && !stage->host.ts_known)
        stage->host.ts_zero = s->options.ts_val;
    make_relative(stage, &stage->host, &stage->peer, &h, s);
    learn(&stage->host, s);
    s->text_right = payload_right(s, tcp + h.header_len);
}

static void take_events(struct stage *stage)
{
    struct hawser_event event;
    while (hawser_next_event(stage->stack, &event))
        stage->told |= event.what;
}

void stage_drain(struct stage *stage)
{
    uint8_t bytes[HAWSER_TX_HEAD + PACKET_MAX];
    struct hawser_tx tx;
    while (hawser_stack_output(stage->stack, &tx, 1, stage->now_ns) == 1) {
        if (stage->queue_count == STAGE_QUEUE_MAX) {
            snprintf(stage->trouble, sizeof stage->trouble, "more than %d segments that nobody expects",
                     STAGE_QUEUE_MAX);
            continue;
        }
        hawser_tx_finish_checksum(&tx);
        struct seen *s = &stage->queue[(stage->queue_first + stage->queue_count++) % STAGE_QUEUE_MAX];
        read_packet(stage, bytes, hawser_tx_flatten(&tx, bytes), s);
        log_seen(stage, s);
    }
    take_events(stage);
}

const struct seen *stage_peek(const struct stage *stage)
{
    return stage->queue_count ? &stage->queue[stage->queue_first] : NULL;
}

const struct seen *stage_next(struct stage *stage, uint64_t until_ns)
{
    stage_drain(stage);
    for (uint64_t due; stage->queue_count == 0 && (due = hawser_stack_deadline(stage->stack)) <= until_ns;) {
        stage->now_ns = HW_MAX(stage->now_ns, due);
        hawser_stack_advance(stage->stack, stage->now_ns);
        stage_drain(stage);
    }
    const struct seen *first = stage_peek(stage);
    if (first) {
        stage->queue_first = (stage->queue_first + 1) % STAGE_QUEUE_MAX;
        stage->queue_count--;
    } else {
        stage->now_ns = HW_MAX(stage->now_ns, until_ns);
    }
    return first;
}

/* ---- what the peer and routers say ---- */

/* A SYN that comes later changes nothing. */
static bool opens(enum story_state state) { return state < STORY_ESTABLISHED || state == STORY_TIME_WAIT; }

static size_t write_packet(struct stage *stage, const struct utterance *u, uint8_t *bytes)
{
    uint8_t area[TCP_OPTION_SPACE];
    struct tcp_options sent;
    size_t options_len = tcp_options_plan(area, &u->options, &sent);
    struct tcp_header h = {.src_port = stage->remote.port,
                           .dst_port = stage->local.port ? stage->local.port : HOST_PORT,
                           .seq = seq_at(stage->peer.isn + (uint32_t)u->seq),
                           .ack = seq_at(u->flags & TCP_ACK ? stage->host.isn + (uint32_t)u->ack : 0),
                           .flags = u->flags,
                           .header_len = (uint8_t)(TCP_HEADER_LEN + options_len),
                           .urgent = u->urgent};
    stage->local.port = h.dst_port;
    struct seen s = {.at_ns = stage->now_ns, .flags = u->flags, .len = u->len, .ecn = u->ecn, .text_right = true};
    s.options = sent;
    if (u->flags & TCP_SYN && opens(stage_state(stage)))
        learn_terms(&stage->peer, &sent);
    h.window = (uint16_t)HW_MIN(u->window >> shift_of(stage, &stage->peer, u->flags), UINT16_MAX);
    make_relative(stage, &stage->peer, &stage->host, &h, &s);
    learn(&stage->peer, &s);
    log_seen(stage, &s);
    struct hawser_addr to = stage->local;
    if (u->multicast)
        (void)hawser_addr_parse(&to, hawser_addr_is_v4(&to) ? "224.0.0.1" : "ff02::1", to.port);
    size_t l3 = ip_emit(bytes, &stage->remote, &to, u->ecn, h.header_len + u->len);
    uint8_t *tcp = bytes + l3;
    tcp_header_emit(tcp, &h);
    if (options_len)
        memcpy(tcp + TCP_HEADER_LEN, area, options_len);
    for (uint32_t i = 0; i < u->len; i++)
        tcp[h.header_len + i] = stage_byte(false, (uint64_t)(u->seq + !!(u->flags & TCP_SYN) - 1 + i));
    struct csum sum = {0, false};
    csum_add_pseudo(&sum, &stage->remote, &to, h.header_len + u->len);
    csum_add(&sum, tcp, h.header_len + u->len);
    h.checksum = csum_finish(&sum);
    if (u->bad_checksum)
        h.checksum ^= 0x5555;
    tcp_header_emit(tcp, &h);
    return l3 + h.header_len + u->len;
}

void stage_say(struct stage *stage, const struct utterance *list, unsigned count)
{
    struct hawser_rx rx[STAGE_BATCH];
    uint8_t *bytes[STAGE_BATCH];
    for (unsigned done = 0; done < count;) {
        unsigned n = 0;
        for (; n < STAGE_BATCH && done < count; n++, done++) {
            bytes[n] = malloc(PACKET_MAX);
            rx[n] = (struct hawser_rx){.data = bytes[n], .gso_size = list[done].merged};
            rx[n].len = (uint32_t)write_packet(stage, &list[done], bytes[n]);
        }
        hawser_stack_input(stage->stack, 0, rx, n, stage->now_ns);
        while (n--)
            free(bytes[n]);
    }
    stage_drain(stage);
}

/* Of both families; 0: there is no such message. */
static const struct {
    uint8_t v4_type, v4_code, v6_type, v6_code;
} icmp_types[ICMP_WORDS] = {
    [ICMP_WORD_TOO_BIG] = {3, 4, 2, 0},       [ICMP_WORD_NETWORK] = {3, 0, 1, 0},
    [ICMP_WORD_HOST] = {3, 1, 1, 3},          [ICMP_WORD_PORT] = {3, 3, 1, 4},
    [ICMP_WORD_PROHIBITED] = {3, 13, 1, 1},   [ICMP_WORD_TIME_EXCEEDED] = {11, 0, 3, 0},
    [ICMP_WORD_SOURCE_QUENCH] = {4, 0, 0, 0},
};

/* The last one that began there, as far as anybody remembers. */
static const struct seen *last_at(const struct stage *stage, int64_t seq)
{
    for (unsigned i = 0; i < HW_MIN(stage->logged, (unsigned)STAGE_LOG_MAX); i++) {
        const struct seen *s = &stage->log[(stage->logged - 1 - i) % STAGE_LOG_MAX];
        if (s->from_host && !s->other && s->seq == seq)
            return s;
    }
    return NULL;
}

bool stage_route(struct stage *stage, enum icmp_word kind, uint32_t mtu, int64_t seq)
{
    const struct seen *about = last_at(stage, seq);
    const bool v4 = hawser_addr_is_v4(&stage->local);
    const uint8_t protocol = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6,
                  type = v4 ? icmp_types[kind].v4_type : icmp_types[kind].v6_type;
    uint8_t bytes[128] = {0};
    struct hawser_addr router;
    if (!about || hawser_addr_parse(&router, v4 ? "10.9.9.9" : "fd00:9::9", 0) < 0)
        return false;
    if (type == 0)
        return true;
    size_t l3 = ip_header_len(&stage->local);
    const uint32_t len = (uint32_t)(8 + l3 + 8);
    ip_emit_as(bytes, protocol, &router, &stage->local, 0, len);
    uint8_t *at = bytes + l3, *quote = at + 8;
    at[0] = type;
    at[1] = v4 ? icmp_types[kind].v4_code : icmp_types[kind].v6_code;
    put32(at + 4, mtu);
    ip_emit(quote, &stage->local, &stage->remote, 0, about->packet_len - (uint32_t)l3);
    put16(quote + l3, stage->local.port);
    put16(quote + l3 + 2, stage->remote.port);
    put32(quote + l3 + 4, about->number);
    struct csum sum = {0, false};
    if (!v4)
        csum_add_pseudo_as(&sum, protocol, &router, &stage->local, len);
    csum_add(&sum, at, len);
    put16(at + 2, csum_finish(&sum));
    const struct hawser_rx rx = {.data = bytes, .len = (uint32_t)l3 + len};
    hawser_stack_input(stage->stack, 0, &rx, 1, stage->now_ns);
    stage_drain(stage);
    return true;
}
