#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/scope.h"

static struct hawser_addr addr(const char *text)
{
    struct hawser_addr a;
    assert_int_equal(hawser_addr_parse(&a, text, 0), 0);
    return a;
}

/* RFC 6724 3.1, 3.2 */
static void addresses_have_a_scope(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum scope scope;
        bool reachable;
    } table[] = {
        {"169.254.0.1", SCOPE_LINK, true},   {"127.0.0.1", SCOPE_LINK, false},
        {"10.0.0.1", SCOPE_GLOBAL, true},    {"169.253.0.1", SCOPE_GLOBAL, true},
        {"192.0.2.1", SCOPE_GLOBAL, true},   {"0.1.2.3", SCOPE_GLOBAL, false},
        {"224.0.0.1", SCOPE_GLOBAL, false},  {"fe80::1", SCOPE_LINK, true},
        {"febf::1", SCOPE_LINK, true},       {"fec0::1", SCOPE_SITE, true},
        {"feff::1", SCOPE_SITE, true},       {"fd00::1", SCOPE_GLOBAL, true},
        {"2001:db8::1", SCOPE_GLOBAL, true}, {"::1", SCOPE_LINK, false},
        {"::", SCOPE_GLOBAL, false},         {"255.255.255.255", SCOPE_GLOBAL, false},
        {"ff02::1", SCOPE_GLOBAL, false},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct hawser_addr a = addr(table[i].text);
        assert_int_equal(scope_of(&a), table[i].scope);
        assert_int_equal(scope_is_reachable(&a), table[i].reachable);
    }
}

static void only_equals_meet(void **state)
{
    (void)state;
    struct hawser_addr v4 = addr("192.0.2.1"), v6 = addr("2001:db8::1"), near = addr("fe80::1"), far = addr("10.0.0.1");
    assert_true(scope_meets(&v4, &far));
    assert_false(scope_meets(&v4, &v6));
    assert_false(scope_meets(&near, &v6));
    assert_false(scope_meets(&v6, &near));
    assert_true(scope_meets(&near, &near));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_have_a_scope),
        cmocka_unit_test(only_equals_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
