/* Keys, MP_CAPABLE and the proof of a join, alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "mptcp/join_proof.h"
#include "wire/bytes.h"
#include "wire/keys.h"

enum { CLIENT, SERVER };

/* Two ends that have each other's keys. */
static void meet(struct identity *ends)
{
    ends[CLIENT] = ends[SERVER] = (struct identity){0};
    ends[SERVER].server = true;
    identity_set_local_key(&ends[CLIENT], mptcp_key_derive, 0x0123456789abcdef);
    identity_set_local_key(&ends[SERVER], mptcp_key_derive, 0xfedcba9876543210);
    identity_set_remote_key(&ends[CLIENT], mptcp_key_derive, ends[SERVER].local_key);
    identity_set_remote_key(&ends[SERVER], mptcp_key_derive, ends[CLIENT].local_key);
}

static void both_know_the_same_numbers(void **state)
{
    (void)state;
    struct identity ends[2];
    meet(ends);
    assert_int_equal(ends[CLIENT].local_token, ends[SERVER].remote_token);
    assert_int_equal(ends[CLIENT].local_idsn.v, ends[SERVER].remote_idsn.v);
    assert_int_not_equal(ends[CLIENT].local_token, ends[CLIENT].remote_token);
}

/* RFC 8684 3.1: what is an offer, and what an answer to ours. */
static void offers_and_answers(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        struct mp_capable capable;
        bool acceptable, answerable;
    } rows[] = {
        {"version 1 with SHA-256", {.version = 1, .algorithms = 1, .has_sender_key = true}, true, true},
        {"without a key", {.version = 1, .algorithms = 1}, true, false},
        {"version 0", {.version = 0, .algorithms = 1, .has_sender_key = true}, false, false},
        {"a later version offers, and does not answer",
         {.version = 2, .algorithms = 1, .has_sender_key = true},
         true,
         false},
        {"an algorithm nobody knows", {.version = 1, .algorithms = 2, .has_sender_key = true}, false, false},
        {"flag B", {.version = 1, .algorithms = 1, .extended = true, .has_sender_key = true}, false, false},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(rows); i++) {
        struct mptcp_options mp = {.present = 1u << MPTCP_CAPABLE, .capable = rows[i].capable};
        if (identity_acceptable(&mp) != rows[i].acceptable || identity_answerable(&mp) != rows[i].answerable)
            fail_msg("%s", rows[i].what);
        mp.present = 0;
        assert_false(identity_acceptable(&mp));
    }
}

static void either_end_can_require_checksums(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct identity id = {0};
        identity_take_synack(&id, mptcp_key_derive, &(struct mp_capable){.checksum_required = i & 1, .sender_key = 7},
                             i & 2);
        assert_int_equal(id.checksums, i != 0);
        assert_int_equal(id.remote_key, 7);
    }
}

/* Our key goes out until the peer has shown that it has it; and a DATA_FIN has its turn. */
static void the_key_is_said_until_it_is_known(void **state)
{
    (void)state;
    struct identity id = {.stage = IDENTITY_ESTABLISHED};
    assert_true(identity_owes_key(&id, true, false, false));
    assert_true(identity_owes_key(&id, false, true, false));
    assert_false(identity_owes_key(&id, false, false, false));
    id.capable_said = true;
    assert_true(identity_owes_key(&id, true, false, false));
    assert_false(identity_owes_key(&id, true, false, true));
    id.capable_said = false;
    assert_true(identity_owes_key(&id, true, false, true));
    id.server = true;
    assert_false(identity_owes_key(&id, true, true, false));
    id.server = false;
    identity_reach(&id, IDENTITY_CONFIRMED);
    identity_reach(&id, IDENTITY_ESTABLISHED);
    assert_false(identity_owes_key(&id, true, true, false));
}

static void both_keys_and_the_first_mapping(void **state)
{
    (void)state;
    struct identity ends[2];
    struct mptcp_options mp = {0};
    meet(ends);
    ends[CLIENT].checksums = true;
    identity_write_keys(&ends[CLIENT], 100, 0xabcd, &mp);
    assert_true(mptcp_has(&mp, MPTCP_CAPABLE));
    assert_int_equal(mp.capable.sender_key, ends[SERVER].remote_key);
    assert_int_equal(mp.capable.receiver_key, ends[SERVER].local_key);
    assert_int_equal(mp.capable.data_len, 100);
    assert_true(mp.capable.has_data_len && mp.capable.has_checksum && mp.capable.checksum_required);
    identity_write_keys(&ends[CLIENT], 0, 0, &mp);
    assert_false(mp.capable.has_data_len);
    identity_write_syn(false, &mp);
    assert_false(mp.capable.has_sender_key || mp.capable.checksum_required);
}

/* The SYN/ACK of a join, as the other end makes it. */
static struct mptcp_options synack(const struct identity *server, uint32_t client_nonce, uint32_t server_nonce)
{
    struct mptcp_options mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYNACK, .nonce = server_nonce}};
    uint8_t hmac[MPTCP_HMAC_LEN];
    mptcp_join_hmac(server->local_key, server->remote_key, server_nonce, client_nonce, hmac);
    mp.join.hmac64 = get64(hmac);
    return mp;
}

static void a_join_proves_both_ends(void **state)
{
    (void)state;
    struct identity ends[2];
    struct join_proof proof = {.local_nonce = 11};
    struct mptcp_options mp = {0}, third = {0};
    uint8_t expected[MPTCP_HMAC_LEN];
    meet(ends);
    join_proof_write_syn(&proof, &ends[CLIENT], 3, true, &mp);
    assert_int_equal(mp.join.token, ends[SERVER].local_token);
    assert_true(mp.join.backup && mp.join.address_id == 3 && mp.join.nonce == 11);
    struct mptcp_options answer = synack(&ends[SERVER], 11, 22);
    assert_int_equal(join_proof_take_synack(&proof, &ends[CLIENT], &answer), JOIN_PROVED);
    join_proof_write_third(&proof, &ends[CLIENT], &third);
    mptcp_join_hmac(ends[SERVER].remote_key, ends[SERVER].local_key, 11, 22, expected);
    assert_memory_equal(third.join.hmac, expected, sizeof expected);
}

static void a_forged_answer_is_none(void **state)
{
    (void)state;
    struct identity ends[2];
    struct join_proof proof = {.local_nonce = 11};
    meet(ends);
    for (int bit = 0; bit < 64; bit++) {
        struct mptcp_options answer = synack(&ends[SERVER], 11, 22);
        answer.join.hmac64 ^= UINT64_C(1) << bit;
        assert_int_equal(join_proof_take_synack(&proof, &ends[CLIENT], &answer), JOIN_FORGED);
    }
    struct mptcp_options answer = synack(&ends[SERVER], 11, 22);
    answer.join.shape = MP_JOIN_ACK;
    assert_int_equal(join_proof_take_synack(&proof, &ends[CLIENT], &answer), JOIN_MISSING);
    answer.present = 0;
    assert_int_equal(join_proof_take_synack(&proof, &ends[CLIENT], &answer), JOIN_MISSING);
}

static void the_third_packet_is_repeated_some_times(void **state)
{
    (void)state;
    struct join_proof proof = {0};
    uint64_t last = 0, wait;
    unsigned tries = 0;
    assert_false(join_proof_is_doubtful(&proof));
    while ((wait = join_proof_retry(&proof, 1000))) {
        assert_true(wait > last);
        last = wait;
        tries++;
    }
    assert_in_range(tries, 4, 10);
    assert_true(join_proof_is_doubtful(&proof));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_know_the_same_numbers),       cmocka_unit_test(offers_and_answers),
        cmocka_unit_test(either_end_can_require_checksums), cmocka_unit_test(the_key_is_said_until_it_is_known),
        cmocka_unit_test(both_keys_and_the_first_mapping),  cmocka_unit_test(a_join_proves_both_ends),
        cmocka_unit_test(a_forged_answer_is_none),          cmocka_unit_test(the_third_packet_is_repeated_some_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
