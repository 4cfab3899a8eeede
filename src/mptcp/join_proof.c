#include "mptcp/join_proof.h"

#include <string.h>

#include "base/compiler.h"
#include "wire/bytes.h"
#include "wire/keys.h"

#define TRIES_MAX 6
#define DOUBTFUL_TRIES 2
#define DOUBLINGS_MAX 8u

void join_proof_begin(struct join_proof *proof, const struct hawser_env *env)
{
    *proof = (struct join_proof){0};
    env->random(env->ctx, &proof->local_nonce, sizeof proof->local_nonce);
}

bool join_proof_is_doubtful(const struct join_proof *proof) { return proof->tries > DOUBTFUL_TRIES; }

enum join_verdict join_proof_take_synack(struct join_proof *proof, const struct identity *id,
                                         const struct mptcp_options *mp)
{
    uint8_t expected[MPTCP_HMAC_LEN], got[8];
    if (!mptcp_has(mp, MPTCP_JOIN) || mp->join.shape != MP_JOIN_SYNACK)
        return JOIN_MISSING;
    proof->remote_nonce = mp->join.nonce;
    mptcp_join_hmac(id->remote_key, id->local_key, proof->remote_nonce, proof->local_nonce, expected);
    put64(got, mp->join.hmac64);
    return secret_equal(got, expected, sizeof got) ? JOIN_PROVED : JOIN_FORGED;
}

void join_proof_write_syn(const struct join_proof *proof, const struct identity *id, uint8_t address_id, bool backup,
                          struct mptcp_options *mp)
{
    mp->join = (struct mp_join){.shape = MP_JOIN_SYN,
                                .backup = backup,
                                .address_id = address_id,
                                .token = id->remote_token,
                                .nonce = proof->local_nonce};
    mp->present |= 1u << MPTCP_JOIN;
}

void join_proof_write_third(const struct join_proof *proof, const struct identity *id, struct mptcp_options *mp)
{
    mp->join = (struct mp_join){.shape = MP_JOIN_ACK};
    mptcp_join_hmac(id->local_key, id->remote_key, proof->local_nonce, proof->remote_nonce, mp->join.hmac);
    mp->present |= 1u << MPTCP_JOIN;
}

uint64_t join_proof_retry(struct join_proof *proof, uint64_t timeout_ns)
{
    if (proof->tries++ >= TRIES_MAX)
        return 0;
    return (timeout_ns << HW_MIN(proof->tries, DOUBLINGS_MAX)) / 2;
}
