#include "wire/tcp_options.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "wire/bytes.h"
#include "wire/tcp.h"

/* Option kinds (IANA). */
enum {
    KIND_END = 0,
    KIND_NOP = 1,
    KIND_MSS = 2,
    KIND_WSCALE = 3,
    KIND_SACK_PERMITTED = 4,
    KIND_SACK = 5,
    KIND_TIMESTAMPS = 8,
    KIND_USER_TIMEOUT = 28,
    KIND_FASTOPEN = 34,
};

/* RFC 5482 3.3: minutes, where seconds are too few to say it. */
#define USER_TIMEOUT_IN_MINUTES 0x8000u
#define USER_TIMEOUT_VALUE_MAX 0x7fffu

static void parse_sack(const uint8_t *p, size_t len, struct tcp_options *o)
{
    o->sack_count = (uint8_t)((len - 2) / 8);
    for (size_t i = 0; i < o->sack_count; i++)
        o->sack[i] = (struct sack_block){seq_at(get32(p + 2 + 8 * i)), seq_at(get32(p + 6 + 8 * i))};
}

/* One option other than MPTCP; false when its length is wrong for its kind. */
static bool parse_classic(const uint8_t *p, size_t len, bool syn, struct tcp_options *o)
{
    switch (p[0]) {
    case KIND_MSS:
        if (len != 4)
            return false;
        o->mss = get16(p + 2);
        o->present |= syn ? TCP_OPT_MSS : 0;
        return true;
    case KIND_WSCALE:
        if (len != 3)
            return false;
        o->wscale = p[2];
        o->present |= syn ? TCP_OPT_WSCALE : 0;
        return true;
    case KIND_SACK_PERMITTED:
        if (len != 2)
            return false;
        o->present |= syn ? TCP_OPT_SACK_PERMITTED : 0;
        return true;
    case KIND_SACK:
        if (len < 10 || (len - 2) % 8 != 0 || (len - 2) / 8 > TCP_SACK_MAX)
            return false;
        if (!syn) {
            parse_sack(p, len, o);
            o->present |= TCP_OPT_SACK;
        }
        return true;
    case KIND_TIMESTAMPS:
        if (len != 10)
            return false;
        o->ts_val = get32(p + 2);
        o->ts_ecr = get32(p + 6);
        o->present |= TCP_OPT_TIMESTAMPS;
        return true;
    case KIND_USER_TIMEOUT:
        if (len != 4)
            return false;
        if (user_timeout_decode(get16(p + 2))) {
            o->user_timeout = get16(p + 2);
            o->present |= TCP_OPT_USER_TIMEOUT;
        }
        return true;
    case KIND_FASTOPEN: /* RFC 7413 4.1.1: an even cookie of 4 to 16 bytes, or none */
        if (len != 2 && (len < 6 || len > 18 || len % 2))
            return false;
        o->fastopen_len = (uint8_t)(len - 2);
        memcpy(o->fastopen, p + 2, len - 2);
        o->present |= syn ? TCP_OPT_FASTOPEN : 0;
        return true;
    default:
        return true;
    }
}

void tcp_options_parse(const uint8_t *p, size_t len, uint8_t tcp_flags, struct tcp_options *o)
{
    bool syn = tcp_flags & TCP_SYN, ack = tcp_flags & TCP_ACK, good;
    tcp_options_clear(o);
    while (len > 0 && p[0] != KIND_END) {
        if (p[0] == KIND_NOP) {
            p++;
            len--;
            continue;
        }
        if (len < 2 || p[1] < 2 || p[1] > len) {
            o->malformed++;
            return;
        }
        if (p[0] == MPTCP_OPTION_KIND)
            good = mptcp_option_parse(p, p[1], syn, ack, &o->mp) != MPTCP_MALFORMED;
        else
            good = parse_classic(p, p[1], syn, o);
        o->malformed += !good;
        len -= p[1];
        p += p[1];
    }
}

struct plan {
    uint8_t *p;
    size_t len;
    const struct tcp_options *want;
    struct tcp_options *sent;
    bool tight; /* nothing is padded */
};

static bool fits(const struct plan *plan, size_t bytes) { return plan->len + bytes <= TCP_OPTION_SPACE; }

static uint8_t *take(struct plan *plan, size_t bytes)
{
    uint8_t *at = plan->p + plan->len;
    plan->len += bytes;
    return at;
}

static void put_kind(uint8_t *p, uint8_t kind, uint8_t len)
{
    p[0] = kind;
    p[1] = len;
}

static void plan_syn_options(struct plan *plan)
{
    const struct tcp_options *want = plan->want;
    if (want->present & TCP_OPT_MSS) {
        uint8_t *p = take(plan, 4);
        put_kind(p, KIND_MSS, 4);
        put16(p + 2, want->mss);
    }
    if (want->present & TCP_OPT_WSCALE) {
        uint8_t *p = take(plan, 4);
        p[0] = KIND_NOP;
        put_kind(p + 1, KIND_WSCALE, 3);
        p[3] = want->wscale;
    }
    bool timestamps = want->present & TCP_OPT_TIMESTAMPS;
    if (want->present & TCP_OPT_SACK_PERMITTED) { /* takes the place of the padding before timestamps */
        uint8_t *p = take(plan, timestamps ? 2 : 4);
        if (!timestamps) {
            p[0] = p[1] = KIND_NOP;
            p += 2;
        }
        put_kind(p, KIND_SACK_PERMITTED, 2);
    }
    if (timestamps) {
        bool padded = !(want->present & TCP_OPT_SACK_PERMITTED) && !plan->tight;
        uint8_t *p = take(plan, padded ? 12 : 10);
        if (padded) {
            p[0] = p[1] = KIND_NOP;
            p += 2;
        }
        put_kind(p, KIND_TIMESTAMPS, 10);
        put32(p + 2, want->ts_val);
        put32(p + 6, want->ts_ecr);
    }
}

static size_t padded(size_t len) { return (len + 3) / 4 * 4; }

/* An IPv6 address with a port fills, beside timestamps, all the room there is. */
static bool is_tight(const struct tcp_options *want)
{
    bool alone = want->present & TCP_OPT_TIMESTAMPS && want->mp.present == 1u << MPTCP_ADD_ADDR;
    return alone && 12 + padded(mptcp_option_len(&want->mp, MPTCP_ADD_ADDR)) > TCP_OPTION_SPACE;
}

static bool plan_mptcp(struct plan *plan, const struct mptcp_options *mp, enum mptcp_subtype subtype)
{
    size_t len = mptcp_option_len(mp, subtype), room = plan->tight ? len : padded(len);
    if (!fits(plan, room))
        return false;
    uint8_t *p = take(plan, room);
    memset(p + len, KIND_NOP, room - len);
    mptcp_option_emit(p, mp, subtype);
    plan->sent->mp.present |= (uint16_t)(1u << subtype);
    return true;
}

/* How many options of addresses leave where there is so much room beside a DSS. */
static unsigned addresses_in(const struct tcp_options *want, size_t room)
{
    static const enum mptcp_subtype subtypes[] = {MPTCP_ADD_ADDR, MPTCP_REMOVE_ADDR};
    unsigned n = 0;
    for (unsigned i = 0; i < HW_ARRAY_LEN(subtypes); i++) {
        size_t len = mptcp_has(&want->mp, subtypes[i]) ? padded(mptcp_option_len(&want->mp, subtypes[i])) : 0;
        if (len > room)
            continue;
        room -= len;
        n += len > 0;
    }
    return n;
}

static unsigned blocks_in(size_t space) { return space < 12 ? 0 : (unsigned)((space - 4) / 8); }

/* Is the DATA_ACK's upper half worth less than what its room would carry? */
static bool better_narrow(const struct plan *plan, const struct mptcp_options *mp)
{
    size_t wide = TCP_OPTION_SPACE - plan->len, len = mptcp_option_len(mp, MPTCP_DSS);
    if (padded(len) > wide)
        return true;
    wide -= padded(len);
    size_t narrow = wide + 4;
    if (mptcp_has(mp, MPTCP_ADD_ADDR) || mptcp_has(mp, MPTCP_REMOVE_ADDR))
        return addresses_in(plan->want, narrow) > addresses_in(plan->want, wide);
    unsigned blocks = plan->want->present & TCP_OPT_SACK ? plan->want->sack_count : 0;
    return HW_MIN(blocks, blocks_in(narrow)) > HW_MIN(blocks, blocks_in(wide));
}

static void plan_dss(struct plan *plan, struct mptcp_options *mp)
{
    if (mp->dss.has_ack && mp->dss.ack_is_64 && !mp->dss.ack_stays_64 && better_narrow(plan, mp)) {
        mp->dss.ack_is_64 = false;
        mp->dss.ack = (uint32_t)mp->dss.ack;
    }
    if (plan_mptcp(plan, mp, MPTCP_DSS))
        plan->sent->mp.dss = mp->dss;
}

static void plan_fastopen(struct plan *plan)
{
    const struct tcp_options *want = plan->want;
    size_t len = 2u + want->fastopen_len;
    if (!(want->present & TCP_OPT_FASTOPEN) || !fits(plan, padded(len)))
        return;
    uint8_t *p = take(plan, padded(len));
    put_kind(p, KIND_FASTOPEN, (uint8_t)len);
    memcpy(p + 2, want->fastopen, want->fastopen_len);
    memset(p + len, KIND_NOP, padded(len) - len);
    plan->sent->present |= TCP_OPT_FASTOPEN;
}

static void plan_user_timeout(struct plan *plan)
{
    if (!(plan->want->present & TCP_OPT_USER_TIMEOUT) || !fits(plan, 4))
        return;
    uint8_t *p = take(plan, 4);
    put_kind(p, KIND_USER_TIMEOUT, 4);
    put16(p + 2, plan->want->user_timeout);
    plan->sent->present |= TCP_OPT_USER_TIMEOUT;
}

static void plan_sack(struct plan *plan)
{
    const struct tcp_options *want = plan->want;
    unsigned n = want->present & TCP_OPT_SACK ? want->sack_count : 0;
    n = HW_MIN(n, blocks_in(TCP_OPTION_SPACE - plan->len));
    plan->sent->sack_count = (uint8_t)n;
    if (n == 0)
        return;
    uint8_t *p = take(plan, 4 + 8 * n);
    p[0] = p[1] = KIND_NOP;
    put_kind(p + 2, KIND_SACK, (uint8_t)(2 + 8 * n));
    for (size_t i = 0; i < n; i++) {
        put32(p + 4 + 8 * i, want->sack[i].start.v);
        put32(p + 8 + 8 * i, want->sack[i].end.v);
    }
    plan->sent->present |= TCP_OPT_SACK;
}

size_t tcp_options_plan(uint8_t p[40], const struct tcp_options *want_in, struct tcp_options *sent)
{
    static const enum mptcp_subtype before_dss[] = {MPTCP_CAPABLE, MPTCP_JOIN, MPTCP_FASTCLOSE, MPTCP_TCPRST};
    static const enum mptcp_subtype after_fastopen[] = {MPTCP_PRIO, MPTCP_ADD_ADDR, MPTCP_REMOVE_ADDR,
                                                        MPTCP_EXPERIMENTAL};
    struct tcp_options want = *want_in;
    struct mptcp_options *mp = &want.mp;
    if (sent != want_in)
        *sent = want;
    sent->present = want.present & (TCP_OPT_MSS | TCP_OPT_WSCALE | TCP_OPT_SACK_PERMITTED | TCP_OPT_TIMESTAMPS);
    sent->mp.present = 0;
    struct plan plan = {.p = p, .want = &want, .sent = sent, .tight = is_tight(&want)};
    plan_syn_options(&plan);
    for (unsigned i = 0; i < HW_ARRAY_LEN(before_dss); i++)
        if (mptcp_has(mp, before_dss[i]))
            plan_mptcp(&plan, mp, before_dss[i]);
    if (mptcp_has(mp, MPTCP_DSS))
        plan_dss(&plan, mp);
    if (mptcp_has(mp, MPTCP_FAIL))
        plan_mptcp(&plan, mp, MPTCP_FAIL);
    plan_fastopen(&plan);
    for (unsigned i = 0; i < HW_ARRAY_LEN(after_fastopen); i++)
        if (mptcp_has(mp, after_fastopen[i]))
            plan_mptcp(&plan, mp, after_fastopen[i]);
    plan_user_timeout(&plan);
    plan_sack(&plan);
    return plan.len;
}

uint16_t user_timeout_encode(uint64_t ns)
{
    uint64_t s = ns / NS_PER_S + (ns % NS_PER_S != 0), minutes = s / 60 + (s % 60 != 0);
    if (s <= USER_TIMEOUT_VALUE_MAX)
        return (uint16_t)s;
    return minutes <= USER_TIMEOUT_VALUE_MAX ? (uint16_t)(USER_TIMEOUT_IN_MINUTES | minutes) : 0;
}

uint64_t user_timeout_decode(uint16_t value)
{
    uint64_t unit_ns = value & USER_TIMEOUT_IN_MINUTES ? 60 * NS_PER_S : NS_PER_S;
    return (value & USER_TIMEOUT_VALUE_MAX) * unit_ns;
}

bool tcp_options_fit(const struct tcp_options *want)
{
    uint8_t area[TCP_OPTION_SPACE];
    struct tcp_options sent;
    tcp_options_plan(area, want, &sent);
    return sent.mp.present == want->mp.present;
}
