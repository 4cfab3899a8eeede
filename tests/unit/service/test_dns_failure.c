/* What is said for a resolver that is not there (apps/run/dns_failure.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/dns_failure.h"

enum { ASKED = 12 + 9 + 4, EDNS = 11 };

static const uint8_t query[ASKED + EDNS] =
    "\x12\x34\x01\x20\0\1\0\0\0\0\0\1\1n\5abcde\0\0\1\0\1\0\0\x29\4\xd0\0\0\0\0\0";

static void it_answers_what_was_asked(void **state)
{
    (void)state;
    uint8_t out[DNS_FAILURE_MAX];
    assert_int_equal(dns_failure(query, sizeof query, out), ASKED);
    assert_memory_equal(out, "\x12\x34\x81\x82\0\1\0\0\0\0\0\0", 12);
    assert_memory_equal(out + 12, query + 12, ASKED - 12);
}

/* From a buffer of just that length, in which a sanitizer sees what is read beyond. */
static size_t failure_of(const uint8_t *bytes, size_t len)
{
    uint8_t out[DNS_FAILURE_MAX], *exact = malloc(len + !len);
    assert_non_null(exact);
    memcpy(exact, bytes, len);
    size_t n = dns_failure(exact, len, out);
    free(exact);
    return n;
}

static void nonsense_has_no_answer(void **state)
{
    (void)state;
    uint8_t other[600] = {0};
    for (size_t len = 0; len < ASKED; len++)
        assert_int_equal(failure_of(query, len), 0);
    memcpy(other, query, ASKED);
    other[2] |= 0x80; /* an answer */
    assert_int_equal(failure_of(other, ASKED), 0);
    other[2] = query[2];
    other[5] = 2; /* questions */
    assert_int_equal(failure_of(other, ASKED), 0);
    other[5] = 1;
    other[12] = 0xc0; /* a pointer */
    assert_int_equal(failure_of(other, ASKED), 0);
    memset(other + 12, 1, sizeof other - 12); /* a name without end */
    assert_int_equal(failure_of(other, sizeof other), 0);
}

static void the_longest_name_has_room(void **state)
{
    (void)state;
    uint8_t longest[DNS_FAILURE_MAX] = {0};
    memcpy(longest, query, 12);
    memset(longest + 12, 1, 254); /* 127 labels of a byte */
    assert_int_equal(failure_of(longest, sizeof longest), sizeof longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_answers_what_was_asked),
        cmocka_unit_test(nonsense_has_no_answer),
        cmocka_unit_test(the_longest_name_has_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
