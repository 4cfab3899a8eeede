#include "mptcp/dss.h"

#include "wire/checksum.h"

static void write_mapping(const struct tx_note *note, struct mp_dss *dss)
{
    dss->has_map = dss->dsn_is_64 = true;
    dss->dsn = note->dsn;
    dss->ssn = (uint32_t)note->ssn;
    dss->len = (uint16_t)note->len;
    dss->checksum = note->checksum;
}

/* RFC 8684 3.3.3: a DATA_FIN alone maps nothing. */
static void write_end(dsn64 end, struct mp_dss *dss)
{
    const struct csum nothing = {0, false};
    dss->has_map = dss->dsn_is_64 = dss->data_fin = true;
    dss->dsn = end.v;
    dss->ssn = 0;
    dss->len = 1;
    dss->checksum = csum_dss(dss->dsn, 0, 1, &nothing);
}

void dss_write(const struct dss_facts *facts, struct mptcp_options *mp)
{
    struct mp_dss *dss = &mp->dss;
    /* RFC 8684 3.3.2: what came with a 64-bit DSN is acknowledged with 64 bits. */
    *dss = (struct mp_dss){.has_ack = true,
                           .ack_is_64 = facts->bare || facts->peer_dsn_64,
                           .ack_stays_64 = facts->peer_dsn_64,
                           .ack = facts->rcv_next.v};
    if (facts->note)
        write_mapping(facts->note, dss);
    else if (facts->fin)
        write_end(facts->end, dss);
    dss->has_checksum = dss->has_map && facts->checksums;
    mp->present |= 1u << MPTCP_DSS;
}

/* The 64-bit number nearest to `next` whose low half is `ssn`. */
static uint64_t expand_ssn(uint32_t ssn, uint64_t next)
{
    return next + (uint64_t)(int64_t)(int32_t)(ssn - (uint32_t)next);
}

struct dss_news dss_read(const struct mp_dss *dss, dsn64 una, dsn64 rcv_next, uint64_t ssn_next)
{
    struct dss_news news = {.has_ack = dss->has_ack, .maps = DSS_NOTHING, .dsn_is_64 = dss->has_map && dss->dsn_is_64};
    if (dss->has_ack)
        news.ack = dss->ack_is_64 ? dsn_at(dss->ack) : dsn_expand((uint32_t)dss->ack, una);
    if (!dss->has_map)
        return news;
    struct mapping *map = &news.map;
    *map = (struct mapping){.dsn = dss->dsn_is_64 ? dsn_at(dss->dsn) : dsn_expand((uint32_t)dss->dsn, rcv_next),
                            .ssn = expand_ssn(dss->ssn, ssn_next),
                            .len = dss->len,
                            .checksum = dss->checksum,
                            .has_checksum = dss->has_checksum};
    if (!dss->data_fin) {
        news.maps = map->len ? DSS_BYTES : DSS_INFINITE;
        return news;
    }
    news.maps = map->len ? DSS_END : DSS_INVALID;
    map->ends = map->len;
    if (map->len == 0)
        return news;
    /* One byte less, and a checksum that is right for that (RFC 1624). */
    map->len--;
    map->checksum = (uint16_t)(map->checksum + 1 + (map->checksum == UINT16_MAX));
    return news;
}

/* RFC 8684 3.3.3: it is that of the pseudo-header alone. */
struct mapping dss_of_capable(const struct mp_capable *capable, uint64_t ssn, dsn64 dsn)
{
    return (struct mapping){.ssn = ssn,
                            .dsn = dsn,
                            .len = capable->data_len,
                            .checksum = capable->checksum,
                            .has_checksum = capable->has_checksum};
}

bool dss_end_is_proved(const struct mapping *end)
{
    const struct csum nothing = {0, false};
    return csum_same(csum_dss(end->dsn.v, (uint32_t)end->ssn, (uint16_t)end->len, &nothing), end->checksum);
}
