/* What a join shows that it belongs to the connection (RFC 8684 3.2), at the side that opens it. */
#ifndef HW_MPTCP_JOIN_PROOF_H
#define HW_MPTCP_JOIN_PROOF_H

#include <hawser/env.h>

#include "mptcp/identity.h"

struct join_proof {
    uint32_t local_nonce, remote_nonce;
    uint8_t tries; /* third packets sent, or questions by MP_FAIL */
};

/* A new one, with a nonce of `env`'s. */
void join_proof_begin(struct join_proof *proof, const struct hawser_env *env);
/* Went so many third packets unanswered that others should have their turn? */
bool join_proof_is_doubtful(const struct join_proof *proof);

enum join_verdict {
    JOIN_PROVED,
    JOIN_MISSING, /* no MP_JOIN of the right shape */
    JOIN_FORGED,  /* whoever answers does not know the keys */
};
/* The SYN/ACK. */
enum join_verdict join_proof_take_synack(struct join_proof *proof, const struct identity *id,
                                         const struct mptcp_options *mp);

void join_proof_write_syn(const struct join_proof *proof, const struct identity *id, uint8_t address_id, bool backup,
                          struct mptcp_options *mp);
void join_proof_write_third(const struct join_proof *proof, const struct identity *id, struct mptcp_options *mp);

/* Once more: how long to wait for an answer then, from a round trip with its spread; 0: it was tried often enough. */
uint64_t join_proof_retry(struct join_proof *proof, uint64_t timeout_ns);

#endif
