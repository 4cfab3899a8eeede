/* What the host is called in a program's namespace (apps/run/host_name.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/host_name.h"

enum { ASKED = 12 + 13 + 4 };

static const uint8_t query[ASKED] = "\x12\x34\x01\0\0\1\0\0\0\0\0\0\4host\6hawser\0\0\1\0\1";

static void it_is_the_loopback_address(void **state)
{
    (void)state;
    uint8_t out[HOST_NAME_ANSWER], asked[ASKED];
    memcpy(asked, query, ASKED);
    asked[14] = 'O'; /* whatever the case */
    assert_int_equal(host_name_answer(asked, ASKED, out), ASKED + 16);
    assert_memory_equal(out, "\x12\x34\x85\x80\0\1\0\1\0\0\0\0", 12);
    assert_memory_equal(out + 12, asked + 12, ASKED - 12);
    assert_memory_equal(out + ASKED, "\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1", 16);
}

static void it_has_no_other_address(void **state)
{
    (void)state;
    uint8_t out[HOST_NAME_ANSWER], asked[ASKED + 11] = {0};
    memcpy(asked, query, ASKED);
    asked[11] = 1;         /* with what EDNS adds */
    asked[ASKED - 3] = 28; /* of IPv6 */
    assert_int_equal(host_name_answer(asked, sizeof asked, out), ASKED);
    assert_memory_equal(out, "\x12\x34\x85\x80\0\1\0\0\0\0\0\0", 12);
}

/* From a buffer of just that length, in which a sanitizer sees what is read beyond. */
static void others_are_for_a_resolver(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint8_t value;
    } changes[] = {{2, 0x81}, {2, 0x09}, {5, 0}, {5, 2}, {12, 5}, {13, 'g'}, {17, 7}, {24, 3}, {ASKED - 1, 3}};
    uint8_t out[HOST_NAME_ANSWER];
    for (size_t len = 0; len < ASKED; len++) {
        uint8_t *part = malloc(len ? len : 1);
        assert_non_null(part);
        memcpy(part, query, len);
        assert_int_equal(host_name_answer(part, len, out), 0);
        free(part);
    }
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        uint8_t asked[ASKED];
        memcpy(asked, query, ASKED);
        asked[changes[i].at] = changes[i].value;
        assert_int_equal(host_name_answer(asked, ASKED, out), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_the_loopback_address),
        cmocka_unit_test(it_has_no_other_address),
        cmocka_unit_test(others_are_for_a_resolver),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
