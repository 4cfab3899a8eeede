#include "wire/mptcp_options.h"

#include <string.h>

#include "wire/bytes.h"

/* Flag bits of the third byte (RFC 8684 figures 4, 9). */
enum { CAPABLE_A = 0x80, CAPABLE_B = 0x40, CAPABLE_C = 0x20, CAPABLE_ALGORITHMS = 0x1f };
enum { DSS_ACK = 0x01, DSS_ACK_64 = 0x02, DSS_MAP = 0x04, DSS_DSN_64 = 0x08, DSS_FIN = 0x10 };
enum { JOIN_BACKUP = 0x01, ADD_ADDR_ECHO = 0x01, RST_TRANSIENT = 0x01 };

static enum mptcp_parse_result parse_capable(const uint8_t *p, size_t len, bool syn, bool ack, struct mptcp_options *o)
{
    bool shape = syn ? len == (ack ? 12u : 4u) : ack && (len == 20 || len == 22 || len == 24);
    struct mp_capable c = {.version = p[2] & 15};
    if (c.version != MPTCP_VERSION && syn && !ack)
        shape = len >= 4; /* another version may carry more; what matters is that it asks */
    if (!shape || len < 4)
        return MPTCP_MALFORMED;
    c.checksum_required = p[3] & CAPABLE_A;
    c.extended = p[3] & CAPABLE_B;
    c.no_more_here = p[3] & CAPABLE_C;
    c.algorithms = p[3] & CAPABLE_ALGORITHMS;
    if (!(syn && !ack)) {
        c.has_sender_key = len >= 12;
        c.has_receiver_key = len >= 20;
        c.has_data_len = len >= 22;
        c.has_checksum = len >= 24;
    }
    if (c.has_sender_key)
        c.sender_key = get64(p + 4);
    if (c.has_receiver_key)
        c.receiver_key = get64(p + 12);
    if (c.has_data_len)
        c.data_len = get16(p + 20);
    if (c.has_checksum)
        c.checksum = get16(p + 22);
    o->capable = c;
    return MPTCP_PARSED;
}

static enum mptcp_parse_result parse_join(const uint8_t *p, size_t len, bool syn, bool ack, struct mptcp_options *o)
{
    struct mp_join j = {0};
    if (syn && len == (ack ? 16u : 12u)) {
        j.shape = ack ? MP_JOIN_SYNACK : MP_JOIN_SYN;
        j.backup = p[2] & JOIN_BACKUP;
        j.address_id = p[3];
        if (ack)
            j.hmac64 = get64(p + 4);
        else
            j.token = get32(p + 4);
        j.nonce = get32(p + len - 4);
    } else if (!syn && ack && len == 24) {
        j.shape = MP_JOIN_ACK;
        memcpy(j.hmac, p + 4, sizeof j.hmac);
    } else {
        return MPTCP_MALFORMED;
    }
    o->join = j;
    return MPTCP_PARSED;
}

static size_t dss_len(const struct mp_dss *d)
{
    size_t len = 4;
    if (d->has_ack)
        len += d->ack_is_64 ? 8 : 4;
    if (d->has_map)
        len += (d->dsn_is_64 ? 8u : 4u) + 6 + (d->has_checksum ? 2 : 0);
    return len;
}

static enum mptcp_parse_result parse_dss(const uint8_t *p, size_t len, struct mptcp_options *o)
{
    if (len < 4)
        return MPTCP_MALFORMED;
    struct mp_dss d = {.has_ack = p[3] & DSS_ACK, .has_map = p[3] & DSS_MAP};
    d.ack_is_64 = d.has_ack && p[3] & DSS_ACK_64; /* RFC 8684 3.3: 'a' and 'm' mean nothing alone */
    d.dsn_is_64 = d.has_map && p[3] & DSS_DSN_64;
    d.data_fin = d.has_map && p[3] & DSS_FIN;
    if (len != dss_len(&d)) {
        d.has_checksum = d.has_map;
        if (len != dss_len(&d))
            return MPTCP_MALFORMED;
    }
    size_t at = 4;
    if (d.has_ack) {
        d.ack = d.ack_is_64 ? get64(p + at) : get32(p + at);
        at += d.ack_is_64 ? 8 : 4;
    }
    if (d.has_map) {
        d.dsn = d.dsn_is_64 ? get64(p + at) : get32(p + at);
        at += d.dsn_is_64 ? 8 : 4;
        d.ssn = get32(p + at);
        d.len = get16(p + at + 4);
        if (d.has_checksum)
            d.checksum = get16(p + at + 6);
    }
    o->dss = d;
    return MPTCP_PARSED;
}

static size_t add_addr_len(const struct mp_add_addr *a)
{
    return 4u + (a->is_v4 ? 4 : 16) + (a->has_port ? 2 : 0) + (a->echo ? 0 : 8);
}

static enum mptcp_parse_result parse_add_addr(const uint8_t *p, size_t len, struct mptcp_options *o)
{
    static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    if (len < 8)
        return MPTCP_MALFORMED;
    struct mp_add_addr a = {.echo = p[2] & ADD_ADDR_ECHO, .address_id = p[3]};
    bool known = false;
    for (unsigned shape = 0; shape < 4 && !known; shape++) {
        a.is_v4 = shape & 1;
        a.has_port = shape & 2;
        known = len == add_addr_len(&a);
    }
    if (!known)
        return MPTCP_MALFORMED;
    size_t ip_len = a.is_v4 ? 4 : 16, at = 4 + ip_len;
    if (a.is_v4)
        memcpy(a.addr.ip, v4_prefix, sizeof v4_prefix);
    memcpy(a.addr.ip + 16 - ip_len, p + 4, ip_len);
    if (a.has_port) {
        a.addr.port = get16(p + at);
        at += 2;
    }
    if (!a.echo)
        a.hmac64 = get64(p + at);
    o->add_addr = a;
    return MPTCP_PARSED;
}

static enum mptcp_parse_result parse_remove_addr(const uint8_t *p, size_t len, struct mptcp_options *o)
{
    if (len < 4 || len - 3 > MPTCP_REMOVE_READ_MAX)
        return MPTCP_MALFORMED;
    o->remove_addr.count = (uint8_t)(len - 3);
    memcpy(o->remove_addr.ids, p + 3, len - 3);
    return MPTCP_PARSED;
}

static enum mptcp_parse_result parse_fixed(const uint8_t *p, size_t len, enum mptcp_subtype subtype,
                                           struct mptcp_options *o)
{
    switch (subtype) {
    case MPTCP_PRIO:
        if (len != 3)
            return MPTCP_MALFORMED;
        o->prio.backup = p[2] & JOIN_BACKUP;
        return MPTCP_PARSED;
    case MPTCP_FAIL:
        if (len != 12)
            return MPTCP_MALFORMED;
        o->fail.dsn = get64(p + 4);
        return MPTCP_PARSED;
    case MPTCP_FASTCLOSE:
        if (len != 12)
            return MPTCP_MALFORMED;
        o->fastclose.receiver_key = get64(p + 4);
        return MPTCP_PARSED;
    case MPTCP_TCPRST:
        if (len != 4)
            return MPTCP_MALFORMED;
        o->tcprst = (struct mp_tcprst){.transient = p[2] & RST_TRANSIENT, .flags = p[2] & 15, .reason = p[3]};
        return MPTCP_PARSED;
    case MPTCP_EXPERIMENTAL:
        o->experimental = (struct mp_experimental){.len = (uint8_t)len, .bytes = p};
        return MPTCP_PARSED;
    default:
        return MPTCP_UNKNOWN;
    }
}

enum mptcp_parse_result mptcp_option_parse(const uint8_t *p, size_t len, bool syn, bool ack, struct mptcp_options *o)
{
    if (len < 3)
        return MPTCP_MALFORMED;
    enum mptcp_subtype subtype = (enum mptcp_subtype)(p[2] >> 4);
    if (mptcp_has(o, subtype))
        return MPTCP_MALFORMED;
    enum mptcp_parse_result result;
    switch (subtype) {
    case MPTCP_CAPABLE:
        result = parse_capable(p, len, syn, ack, o);
        break;
    case MPTCP_JOIN:
        result = parse_join(p, len, syn, ack, o);
        break;
    case MPTCP_DSS:
        result = parse_dss(p, len, o);
        break;
    case MPTCP_ADD_ADDR:
        result = parse_add_addr(p, len, o);
        break;
    case MPTCP_REMOVE_ADDR:
        result = parse_remove_addr(p, len, o);
        break;
    default:
        result = parse_fixed(p, len, subtype, o);
        break;
    }
    if (result == MPTCP_PARSED)
        o->present |= (uint16_t)(1u << subtype);
    return result;
}

size_t mptcp_option_len(const struct mptcp_options *o, enum mptcp_subtype subtype)
{
    const struct mp_capable *c = &o->capable;
    switch (subtype) {
    case MPTCP_CAPABLE:
        return 4u + (c->has_sender_key ? 8 : 0) + (c->has_receiver_key ? 8 : 0) + (c->has_data_len ? 2 : 0) +
               (c->has_checksum ? 2 : 0);
    case MPTCP_JOIN:
        return o->join.shape == MP_JOIN_SYN ? 12 : o->join.shape == MP_JOIN_SYNACK ? 16 : 24;
    case MPTCP_DSS:
        return dss_len(&o->dss);
    case MPTCP_ADD_ADDR:
        return add_addr_len(&o->add_addr);
    case MPTCP_REMOVE_ADDR:
        return 3u + o->remove_addr.count;
    case MPTCP_PRIO:
        return 3;
    case MPTCP_FAIL:
    case MPTCP_FASTCLOSE:
        return 12;
    case MPTCP_TCPRST:
        return 4;
    case MPTCP_EXPERIMENTAL:
        return o->experimental.len;
    }
    return 0;
}

static void emit_capable(uint8_t *p, const struct mp_capable *c)
{
    p[2] |= c->version;
    p[3] = (uint8_t)((c->checksum_required ? CAPABLE_A : 0) | (c->extended ? CAPABLE_B : 0) |
                     (c->no_more_here ? CAPABLE_C : 0) | c->algorithms);
    if (c->has_sender_key)
        put64(p + 4, c->sender_key);
    if (c->has_receiver_key)
        put64(p + 12, c->receiver_key);
    if (c->has_data_len)
        put16(p + 20, c->data_len);
    if (c->has_checksum)
        put16(p + 22, c->checksum);
}

static void emit_join(uint8_t *p, const struct mp_join *j)
{
    if (j->shape == MP_JOIN_ACK) {
        p[3] = 0;
        memcpy(p + 4, j->hmac, sizeof j->hmac);
        return;
    }
    p[2] |= j->backup;
    p[3] = j->address_id;
    if (j->shape == MP_JOIN_SYN) {
        put32(p + 4, j->token);
        put32(p + 8, j->nonce);
    } else {
        put64(p + 4, j->hmac64);
        put32(p + 12, j->nonce);
    }
}

static void emit_dss(uint8_t *p, const struct mp_dss *d)
{
    p[3] = (uint8_t)((d->has_ack ? DSS_ACK : 0) | (d->has_ack && d->ack_is_64 ? DSS_ACK_64 : 0) |
                     (d->has_map ? DSS_MAP : 0) | (d->has_map && d->dsn_is_64 ? DSS_DSN_64 : 0) |
                     (d->has_map && d->data_fin ? DSS_FIN : 0));
    p += 4;
    if (d->has_ack && d->ack_is_64) {
        put64(p, d->ack);
        p += 8;
    } else if (d->has_ack) {
        put32(p, (uint32_t)d->ack);
        p += 4;
    }
    if (!d->has_map)
        return;
    if (d->dsn_is_64) {
        put64(p, d->dsn);
        p += 8;
    } else {
        put32(p, (uint32_t)d->dsn);
        p += 4;
    }
    put32(p, d->ssn);
    put16(p + 4, d->len);
    if (d->has_checksum)
        put16(p + 6, d->checksum);
}

static void emit_add_addr(uint8_t *p, const struct mp_add_addr *a)
{
    size_t ip_len = a->is_v4 ? 4 : 16;
    p[2] |= a->echo;
    p[3] = a->address_id;
    memcpy(p + 4, a->addr.ip + 16 - ip_len, ip_len);
    p += 4 + ip_len;
    if (a->has_port) {
        put16(p, a->addr.port);
        p += 2;
    }
    if (!a->echo)
        put64(p, a->hmac64);
}

static void emit_small(uint8_t *p, const struct mptcp_options *o, enum mptcp_subtype subtype)
{
    switch (subtype) {
    case MPTCP_REMOVE_ADDR:
        memcpy(p + 3, o->remove_addr.ids, o->remove_addr.count);
        break;
    case MPTCP_PRIO:
        p[2] |= o->prio.backup;
        break;
    case MPTCP_FAIL:
        p[3] = 0;
        put64(p + 4, o->fail.dsn);
        break;
    case MPTCP_FASTCLOSE:
        p[3] = 0;
        put64(p + 4, o->fastclose.receiver_key);
        break;
    case MPTCP_TCPRST:
        p[2] |= (uint8_t)(o->tcprst.flags | o->tcprst.transient);
        p[3] = o->tcprst.reason;
        break;
    default:
        break;
    }
}

size_t mptcp_option_emit(uint8_t *p, const struct mptcp_options *o, enum mptcp_subtype subtype)
{
    size_t len = mptcp_option_len(o, subtype);
    if (subtype == MPTCP_EXPERIMENTAL) {
        memcpy(p, o->experimental.bytes, len);
        return len;
    }
    p[0] = MPTCP_OPTION_KIND;
    p[1] = (uint8_t)len;
    p[2] = (uint8_t)(subtype << 4);
    switch (subtype) {
    case MPTCP_CAPABLE:
        emit_capable(p, &o->capable);
        break;
    case MPTCP_JOIN:
        emit_join(p, &o->join);
        break;
    case MPTCP_DSS:
        emit_dss(p, &o->dss);
        break;
    case MPTCP_ADD_ADDR:
        emit_add_addr(p, &o->add_addr);
        break;
    default:
        emit_small(p, o, subtype);
        break;
    }
    return len;
}
