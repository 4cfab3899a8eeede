#include "mptcp/fallback.h"

/* Bare segments that carry the infinite mapping: more than one, as the first may be lost. Data carries it until some of
 * it is acknowledged. A peer that misses it may send bytes again that would count as new ones. */
#define INFINITE_TELLS 8

const char *plain_cause_name(enum plain_cause cause)
{
    static const char *const names[] = {
        [PLAIN_WANTED] = "wanted",           [PLAIN_REMEMBERED] = "remembered", [PLAIN_NO_OFFER] = "not offered",
        [PLAIN_NO_ANSWER] = "unanswered",    [PLAIN_STRIPPED] = "options lost", [PLAIN_CHECKSUM] = "checksum failed",
        [PLAIN_INFINITE] = "peer fell back",
    };
    return names[cause];
}

void fallback_begin(struct fallback *f, enum plain_cause cause)
{
    f->mode = cause == PLAIN_NOT ? CONN_NEGOTIATING : CONN_PLAIN;
    f->cause = cause;
}

void fallback_settle_plain(struct fallback *f, enum plain_cause cause)
{
    f->mode = CONN_PLAIN;
    if (f->cause == PLAIN_NOT)
        f->cause = cause;
}

bool fallback_go(struct fallback *f, enum plain_cause cause, uint64_t snd_nxt)
{
    if (f->mode == CONN_MPTCP) {
        f->infinite_tells = INFINITE_TELLS;
        f->infinite_from = snd_nxt;
    }
    fallback_settle_plain(f, cause);
    return f->infinite_tells != 0;
}

/* RFC 8684 3.7: data without options before any DSS came, or the acknowledgement of data without a DATA_ACK before any
 * came with one. */
bool fallback_needed(const struct fallback *f, const struct bare_segment *segment)
{
    if (segment->join)
        return segment->acks_data && !segment->dss_seen;
    return (segment->payload && !segment->confirmed) || (segment->acks_data && !f->options_pass);
}

bool fallback_contradicted(const struct fallback *f, const struct mptcp_options *mp, dsn64 remote_idsn)
{
    const struct mp_dss *dss = &mp->dss;
    if (f->mode != CONN_PLAIN || f->infinite_from == 0)
        return false;
    if (!mptcp_has(mp, MPTCP_DSS) || !dss->has_map || dss->len == 0)
        return false;
    return (uint32_t)(dss->dsn - remote_idsn.v) != dss->ssn; /* both are 1 for the first byte */
}

/* RFC 8684 3.7: what is said yet: the answer to an MP_FAIL, and the last mapping, which acts backwards, from the last
 * byte that is known to have arrived intact. It tells the peer in case options are lost in one direction only. */
void fallback_write(const struct fallback *f, const struct infinite_facts *facts, struct mptcp_options *mp)
{
    bool untold = facts->bare ? f->infinite_tells > 0 : !fallback_data_is_bare(f, facts->snd_una);
    if (f->fail == FAIL_ANSWER_DUE && facts->bare) {
        mp->fail.dsn = facts->rcv_next.v;
        mp->present |= 1u << MPTCP_FAIL;
        return;
    }
    if (f->infinite_from == 0 || !untold)
        return;
    mp->dss = (struct mp_dss){.has_map = true,
                              .dsn_is_64 = true,
                              .dsn = facts->una.v,
                              .ssn = (uint32_t)(facts->una.v - facts->idsn.v),
                              .has_checksum = facts->checksums};
    mp->present |= 1u << MPTCP_DSS;
}

bool fallback_sent(struct fallback *f, const struct mptcp_options *sent)
{
    if (mptcp_has(sent, MPTCP_DSS) && f->infinite_tells)
        f->infinite_tells--;
    if (!mptcp_has(sent, MPTCP_FAIL))
        return false;
    f->fail = FAIL_ANSWERED;
    return f->infinite_tells; /* which found no room beside it */
}
