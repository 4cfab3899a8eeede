#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "wire/checksum.h"
#include "wire/keys.h"

#include "../../vectors/vectors.h"

static void token_and_idsn(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(key_vectors); i++) {
        uint32_t token;
        uint64_t idsn;
        mptcp_key_derive(key_vectors[i].key, &token, &idsn);
        assert_int_equal(token, key_vectors[i].token);
        assert_true(idsn == key_vectors[i].idsn);
    }
}

static void join_hmacs(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(join_vectors); i++) {
        uint8_t hmac[MPTCP_HMAC_LEN];
        mptcp_join_hmac(join_vectors[i].key_a, join_vectors[i].key_b, join_vectors[i].nonce_a, join_vectors[i].nonce_b,
                        hmac);
        assert_memory_equal(hmac, join_vectors[i].hmac, sizeof hmac);
    }
}

static void add_addr_hmacs(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(add_addr_vectors); i++) {
        struct mp_add_addr add = {.address_id = add_addr_vectors[i].id, .has_port = add_addr_vectors[i].port != 0};
        assert_int_equal(hawser_addr_parse(&add.addr, add_addr_vectors[i].address, add_addr_vectors[i].port), 0);
        add.is_v4 = hawser_addr_is_v4(&add.addr);
        uint64_t hmac = mptcp_add_addr_hmac(add_addr_vectors[i].key_a, add_addr_vectors[i].key_b, &add);
        assert_true(hmac == add_addr_vectors[i].hmac);
    }
}

static void dss_checksums(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(dss_vectors); i++) {
        struct csum payload = {0, false};
        csum_add(&payload, dss_vectors[i].payload, dss_vectors[i].len);
        assert_int_equal(csum_dss(dss_vectors[i].dsn, dss_vectors[i].ssn, dss_vectors[i].len, &payload),
                         dss_vectors[i].checksum);
    }
}

static void secrets_compare(void **state)
{
    (void)state;
    uint8_t a[20] = {1, 2, 3}, b[20] = {1, 2, 3};
    assert_true(secret_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] ^= 0x80;
        assert_false(secret_equal(a, b, sizeof a));
        b[i] ^= 0x80;
    }
    assert_true(secret_equal(a, b, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(token_and_idsn), cmocka_unit_test(join_hmacs),      cmocka_unit_test(add_addr_hmacs),
        cmocka_unit_test(dss_checksums),  cmocka_unit_test(secrets_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
