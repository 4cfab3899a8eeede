#include "foe.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/keys.h"

/* The n-th foe has the n-th of so many ports of a host of its network. */
enum { FIRST_NETWORK = 16, FIRST_PORT = 10000, PORTS_AN_ADDRESS = 50000 };

void foes_init(struct foes *foes, struct ground *ground)
{
    *foes = (struct foes){.ground = ground, .network = FIRST_NETWORK, .list = calloc(FOES_MAX, sizeof(struct foe))};
    CHECK(foes->list);
    for (uint32_t i = 0; i < sizeof foes->payload; i++)
        foes->payload[i] = (uint8_t)(i * 7 + i / 251);
}

void foes_destroy(struct foes *foes) { free(foes->list); }

static struct foe *find(struct foes *foes, const struct hawser_addr *addr)
{
    uint32_t i = (addr->ip[15] - 1u) * PORTS_AN_ADDRESS + addr->port - FIRST_PORT;
    return i < foes->count && hawser_addr_equal(&foes->list[i].addr, addr) ? &foes->list[i] : NULL;
}

struct foe *foe_new(struct foes *foes, enum role role)
{
    struct prng *luck = &foes->ground->luck;
    uint32_t token, i = foes->next++ % FOES_MAX;
    foes->count = HW_MAX(foes->count, i + 1);
    struct foe *f = &foes->list[i];
    *f = (struct foe){.all = foes,
                      .first = f,
                      .window = UINT16_MAX,
                      .target = foes->ground->addr,
                      .iss = (uint32_t)prng_next(luck),
                      .key = prng_next(luck),
                      .nonce = (uint32_t)prng_next(luck),
                      .seq = 1,
                      .data_seq = 1,
                      .data_next = 1};
    mptcp_key_derive(f->key, &token, &f->idsn);
    f->target.port = (uint16_t)(GROUND_PORT + role);
    f->addr = ground_addr(foes->ground, foes->network, 1 + i / PORTS_AN_ADDRESS,
                          (uint16_t)(FIRST_PORT + i % PORTS_AN_ADDRESS));
    return f;
}

/* ---- speaking ---- */

/* The stream repeats itself: how much of it lies in one piece from `at` on. */
static uint32_t piece(uint32_t at, uint32_t len) { return HW_MIN(len, FOE_PAYLOAD_MAX - at % FOE_PAYLOAD_MAX); }

void foe_say_raw(struct foe *f, uint8_t flags, uint32_t seq, uint32_t ack, const uint8_t *area, size_t area_len,
                 uint32_t len)
{
    static uint8_t packet[IPV6_HEADER_LEN + TCP_HEADER_LEN + TCP_OPTION_SPACE + FOE_PAYLOAD_MAX];
    CHECK(len <= FOE_PAYLOAD_MAX && area_len <= TCP_OPTION_SPACE);
    if (f->all->whim)
        f->all->whim(f, &flags, &seq, &ack, &len);
    struct tcp_header h = {.src_port = f->addr.port,
                           .dst_port = f->target.port,
                           .seq = seq_at(f->iss + seq),
                           .ack = seq_at(flags & TCP_ACK ? f->irs + ack : 0),
                           .flags = flags,
                           .header_len = (uint8_t)(TCP_HEADER_LEN + area_len),
                           .window = f->window};
    size_t l3 = ip_emit(packet, &f->addr, &f->target, 0, h.header_len + len);
    tcp_header_emit(packet + l3, &h);
    if (area_len)
        memcpy(packet + l3 + TCP_HEADER_LEN, area, area_len);
    for (uint32_t at = 0, n; at < len; at += n) {
        n = piece(seq + at, len - at);
        memcpy(packet + l3 + h.header_len + at, &f->all->payload[(seq + at) % FOE_PAYLOAD_MAX], n);
    }
    f->all->sent++;
    ground_input(f->all->ground, packet, (uint32_t)(l3 + h.header_len + len),
                 f->gso_size || len <= FOE_WIRE_PAYLOAD ? f->gso_size : FOE_WIRE_PAYLOAD);
}

void foe_say(struct foe *f, uint8_t flags, uint32_t seq, uint32_t ack, const struct tcp_options *options, uint32_t len)
{
    uint8_t area[TCP_OPTION_SPACE];
    struct tcp_options sent;
    size_t area_len = options ? tcp_options_plan(area, options, &sent) : 0;
    foe_say_raw(f, flags, seq, ack, area, area_len, len);
}

static struct tcp_options usual(void)
{
    return (struct tcp_options){.present = TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_PERMITTED,
                                .mss = FOE_WIRE_PAYLOAD,
                                .wscale = FOE_WSCALE};
}

void foe_syn(struct foe *f, enum foe_kind kind)
{
    struct tcp_options o = usual();
    if (kind == FOE_MPTCP) {
        o.mp.present = 1u << MPTCP_CAPABLE;
        o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1};
    }
    foe_say(f, TCP_SYN, 0, 0, &o, 0);
}

void foe_third(struct foe *f)
{
    struct tcp_options o = {.mp.present = f->mptcp ? 1u << MPTCP_CAPABLE : 0};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION,
                                       .algorithms = 1,
                                       .checksum_required = f->checksums,
                                       .has_sender_key = true,
                                       .has_receiver_key = true,
                                       .sender_key = f->key,
                                       .receiver_key = f->target_key};
    foe_say(f, TCP_ACK, 1, 1, &o, 0);
}

void foe_syn_join(struct foe *f, uint32_t token)
{
    struct tcp_options o = usual();
    o.mp.present = 1u << MPTCP_JOIN;
    o.mp.join = (struct mp_join){.shape = MP_JOIN_SYN, .token = token, .nonce = f->nonce, .address_id = 2};
    foe_say(f, TCP_SYN, 0, 0, &o, 0);
}

void foe_third_join(struct foe *f, bool honest)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join.shape = MP_JOIN_ACK}};
    mptcp_join_hmac(f->first->key, f->first->target_key, f->nonce, f->target_nonce, o.mp.join.hmac);
    o.mp.join.hmac[0] ^= !honest;
    foe_say(f, TCP_ACK, 1, 1, &o, 0);
}

struct foe *foe_open(struct foes *foes, enum role role, enum foe_kind kind)
{
    struct foe *f = foe_new(foes, role);
    foe_syn(f, kind);
    if (!f->heard)
        return NULL;
    foe_third(f);
    if (f->mptcp)
        foe_ack(f);
    return f->reset ? NULL : f;
}

struct foe *foe_called(struct foes *foes, enum foe_kind kind)
{
    struct foe *f = foe_new(foes, ROLE_READ);
    f->target.port = 0; /* whatever it chooses */
    ground_connect(foes->ground, &f->addr, kind == FOE_PLAIN);
    if (!f->heard)
        return NULL;
    struct tcp_options o = usual();
    o.mp.present = f->mptcp ? 1u << MPTCP_CAPABLE : 0;
    o.mp.capable =
        (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1, .has_sender_key = true, .sender_key = f->key};
    foe_say(f, TCP_SYN | TCP_ACK, 0, 1, &o, 0);
    foe_ack(f);
    return f->reset ? NULL : f;
}

struct foe *foe_join(struct foe *first)
{
    uint32_t token;
    uint64_t idsn;
    struct foe *f = foe_new(first->all, (enum role)(first->target.port - GROUND_PORT));
    f->first = first;
    f->target_idsn = first->target_idsn;
    mptcp_key_derive(first->target_key, &token, &idsn);
    foe_syn_join(f, token);
    if (!f->heard)
        return NULL;
    foe_third_join(f, true);
    return f->reset ? NULL : f;
}

struct tcp_options foe_dss(const struct foe *f, uint64_t data_seq, uint32_t seq, uint16_t len)
{
    const struct foe *first = f->first;
    struct tcp_options o = {.mp.present = f->mptcp ? 1u << MPTCP_DSS : 0};
    o.mp.dss = (struct mp_dss){.has_ack = true, .ack_is_64 = true, .ack = first->target_idsn + first->data_next};
    if (!len)
        return o;
    o.mp.dss.has_map = o.mp.dss.dsn_is_64 = true;
    o.mp.dss.dsn = first->idsn + data_seq;
    o.mp.dss.ssn = seq;
    o.mp.dss.len = len;
    o.mp.dss.has_checksum = first->checksums;
    struct csum sum = {0, false};
    for (uint32_t at = 0, n; first->checksums && at < len; at += n) {
        n = piece(seq + at, len - at);
        csum_add(&sum, &f->all->payload[(seq + at) % FOE_PAYLOAD_MAX], n);
    }
    o.mp.dss.checksum = first->checksums ? csum_dss(o.mp.dss.dsn, seq, len, &sum) : 0;
    return o;
}

void foe_data(struct foe *f, uint32_t len)
{
    struct tcp_options o = foe_dss(f, f->first->data_seq, f->seq, (uint16_t)len);
    uint32_t seq = f->seq;
    f->seq += len;
    f->first->data_seq += len;
    foe_say(f, TCP_ACK | TCP_PSH, seq, f->next, &o, len);
}

void foe_ack(struct foe *f)
{
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    foe_say(f, TCP_ACK, f->seq, f->next, &o, 0);
}

void foes_reset_all(struct foes *foes)
{
    for (uint32_t i = 0; i < foes->count; i++)
        if (foes->list[i].heard && !foes->list[i].reset)
            foe_say(&foes->list[i], TCP_RST, foes->list[i].acked, 0, NULL, 0);
}

/* ---- listening ---- */

static void hear_syn(struct foe *f, const struct tcp_header *tcp)
{
    const struct mptcp_options *mp = &f->said.mp;
    f->heard = true;
    f->irs = tcp->seq.v;
    f->window_shift = f->said.present & TCP_OPT_WSCALE ? f->said.wscale : 0;
    f->mptcp = mptcp_has(mp, MPTCP_CAPABLE) || mptcp_has(mp, MPTCP_JOIN);
    if (!(tcp->flags & TCP_ACK)) /* it calls; its key comes with the third packet */
        f->target.port = tcp->src_port;
    if (mptcp_has(mp, MPTCP_CAPABLE)) {
        f->checksums = mp->capable.checksum_required;
    } else if (mptcp_has(mp, MPTCP_JOIN)) {
        f->target_nonce = mp->join.nonce;
    }
}

static void hear_key(struct foe *f, uint64_t key)
{
    uint32_t token;
    f->target_key = key;
    mptcp_key_derive(key, &token, &f->target_idsn);
}

static void hear_dss(struct foe *first, const struct mp_dss *dss)
{
    if (dss->has_ack) {
        uint64_t ack =
            dss->ack_is_64 ? dss->ack : dsn_expand((uint32_t)dss->ack, dsn_at(first->idsn + first->data_seq)).v;
        first->data_acked = HW_MAX(first->data_acked, ack - first->idsn);
    }
    if (dss->has_map && dss->dsn_is_64)
        first->data_next = HW_MAX(first->data_next, dss->dsn + dss->len - first->target_idsn);
    else if (dss->has_map)
        first->data_next =
            HW_MAX(first->data_next, dsn_expand((uint32_t)dss->dsn, dsn_at(first->target_idsn + first->data_next)).v +
                                         dss->len - first->target_idsn);
}

void foes_hear(struct foes *foes, const struct hawser_tx *tx)
{
    struct tcp_header tcp;
    const uint8_t *at = tx->head + tx->l3_len;
    CHECK(tcp_header_parse(at, (size_t)(tx->head_len - tx->l3_len), &tcp));
    struct hawser_addr to = ground_tx_to(tx);
    struct foe *f = find(foes, &to);
    if (!f) {
        foes->stray_answers++;
        return;
    }
    f->segments++;
    f->bytes += tx->payload_len;
    tcp_options_parse(at + TCP_HEADER_LEN, (size_t)(tcp.header_len - TCP_HEADER_LEN), tcp.flags, &f->said);
    if (tcp.flags & TCP_RST) {
        f->reset = true;
        f->resets++;
        return;
    }
    if (tcp.flags & TCP_SYN)
        hear_syn(f, &tcp);
    if (mptcp_has(&f->said.mp, MPTCP_CAPABLE) && f->said.mp.capable.has_sender_key)
        hear_key(f, f->said.mp.capable.sender_key);
    uint32_t end = tcp.seq.v - f->irs + tx->payload_len + !!(tcp.flags & (TCP_SYN | TCP_FIN));
    foes->fresh_bytes += end > f->next ? end - f->next : 0;
    f->next = HW_MAX(f->next, end);
    f->acked = tcp.flags & TCP_ACK ? tcp.ack.v - f->iss : f->acked;
    f->edge = f->acked + ((uint64_t)tcp.window << (tcp.flags & TCP_SYN ? 0 : f->window_shift));
    if (mptcp_has(&f->said.mp, MPTCP_DSS))
        hear_dss(f->first, &f->said.mp.dss);
}
