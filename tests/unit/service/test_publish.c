/* What the command line and the configuration say of published ports. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/publish.h"

static void rules(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t port;
        const char *to; /* NULL: where the client wanted to go */
        uint16_t to_port;
    } good[] = {
        {"443", 443, NULL, 0},
        {"1,to=127.0.0.1", 1, "127.0.0.1", 1},
        {"65535,to=192.0.2.1:80", 65535, "192.0.2.1", 80},
        {"80,to=2001:db8::1", 80, "2001:db8::1", 80},
        {"80,to=[2001:db8::1]", 80, "2001:db8::1", 80},
        {"80,to=[2001:db8::1]:8080", 80, "2001:db8::1", 8080},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(good); i++) {
        struct publish_rule rule;
        struct hawser_addr to;
        char why[256];
        assert_int_equal(publish_rule_read(good[i].text, &rule, why, sizeof why), 0);
        assert_int_equal(rule.port, good[i].port);
        assert_int_equal(rule.to.port, good[i].to_port);
        if (good[i].to) {
            assert_int_equal(hawser_addr_parse(&to, good[i].to, 0), 0);
            assert_true(hawser_addr_same_ip(&rule.to, &to));
        }
    }
}

static void nonsense(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "0",
                                      "65536",
                                      "-1",
                                      "+1",
                                      "http",
                                      "80,",
                                      "80,to",
                                      "80,to=",
                                      "80,to=x",
                                      "80,to=1.2.3.4:",
                                      "80,to=1.2.3.4:0",
                                      "80,to=1.2.3.4:65536",
                                      "80,to=[::1",
                                      "80,to=[::1]x",
                                      "80,to=[::1]:",
                                      "80,to=::1,x",
                                      "80 ",
                                      " 80",
                                      "80,via=::1"};
    char why[256], text[400];
    struct publish_rule rule;
    for (size_t i = 0; i < HW_ARRAY_LEN(bad); i++) {
        why[0] = '\0';
        assert_int_equal(publish_rule_read(bad[i], &rule, why, sizeof why), -EINVAL);
        assert_non_null(strstr(why, "443,to=127.0.0.1:8443"));
    }
    memset(text, '1', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(publish_rule_read(text, &rule, why, sizeof why), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(nonsense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
