#include "mptcp/identity.h"

void identity_set_local_key(struct identity *id, key_derive *derive, uint64_t key)
{
    uint64_t idsn;
    id->local_key = key;
    derive(key, &id->local_token, &idsn);
    id->local_idsn = dsn_at(idsn);
}

void identity_set_remote_key(struct identity *id, key_derive *derive, uint64_t key)
{
    uint64_t idsn;
    id->remote_key = key;
    derive(key, &id->remote_token, &idsn);
    id->remote_idsn = dsn_at(idsn);
}

/* Version 1 or more, HMAC-SHA256 and no unknown extension. */
bool identity_acceptable(const struct mptcp_options *mp)
{
    return mptcp_has(mp, MPTCP_CAPABLE) && mp->capable.version >= MPTCP_VERSION && !mp->capable.extended &&
           mp->capable.algorithms & MPTCP_HMAC_SHA256;
}

bool identity_answerable(const struct mptcp_options *mp)
{
    return identity_acceptable(mp) && mp->capable.has_sender_key && mp->capable.version == MPTCP_VERSION;
}

void identity_take_synack(struct identity *id, key_derive *derive, const struct mp_capable *answer,
                          bool checksum_required)
{
    /* RFC 8684 3.1: when either host requires them, both use them. */
    id->checksums = checksum_required || answer->checksum_required;
    identity_set_remote_key(id, derive, answer->sender_key);
}

void identity_write_syn(bool checksum_required, struct mptcp_options *mp)
{
    mp->capable = (struct mp_capable){
        .version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256, .checksum_required = checksum_required};
    mp->present |= 1u << MPTCP_CAPABLE;
}

void identity_write_keys(const struct identity *id, uint32_t len, uint16_t checksum, struct mptcp_options *mp)
{
    identity_write_syn(id->checksums, mp);
    mp->capable.has_sender_key = mp->capable.has_receiver_key = true;
    mp->capable.sender_key = id->local_key;
    mp->capable.receiver_key = id->remote_key;
    if (len == 0)
        return;
    mp->capable.has_data_len = true;
    mp->capable.data_len = (uint16_t)len;
    mp->capable.has_checksum = id->checksums;
    mp->capable.checksum = checksum;
}

bool identity_owes_key(const struct identity *id, bool bare, bool first_data, bool fin_sent)
{
    if (id->server || identity_confirmed(id))
        return false;
    return first_data || (bare && !(fin_sent && id->capable_said));
}

bool identity_closed_by(const struct identity *id, const struct mptcp_options *mp)
{
    return mptcp_has(mp, MPTCP_FASTCLOSE) && id->local_key && mp->fastclose.receiver_key == id->local_key;
}
