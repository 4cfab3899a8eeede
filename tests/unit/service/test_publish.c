/* What the command line and the configuration say of published ports. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/proxy_header.h"
#include "service/publish.h"

static void rules(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint16_t port;
        const char *to; /* NULL: where the client wanted to go */
        uint16_t to_port;
        bool tells;
    } good[] = {
        {"443", 443, NULL, 0, false},
        {"1,to=127.0.0.1", 1, "127.0.0.1", 1, false},
        {"65535,to=192.0.2.1:80", 65535, "192.0.2.1", 80, false},
        {"80,to=2001:db8::1", 80, "2001:db8::1", 80, false},
        {"80,to=[2001:db8::1]", 80, "2001:db8::1", 80, false},
        {"80,to=[2001:db8::1]:8080", 80, "2001:db8::1", 8080, false},
        {"80,proxy-protocol", 80, NULL, 0, true},
        {"80,to=10.0.0.5:81,proxy-protocol", 80, "10.0.0.5", 81, true},
        {"80,proxy-protocol,to=10.0.0.5", 80, "10.0.0.5", 80, true},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(good); i++) {
        struct publish_rule rule;
        struct hawser_addr to;
        char why[256];
        assert_int_equal(publish_rule_read(good[i].text, &rule, why, sizeof why), 0);
        assert_int_equal(rule.port, good[i].port);
        assert_int_equal(rule.to.port, good[i].to_port);
        assert_int_equal(rule.tells, good[i].tells);
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
                                      "80,to=1.2.3.4,to=1.2.3.4",
                                      "80,proxy-protocol=2",
                                      "80,proxy-protocol,",
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

/* As its specification has it, byte by byte: signature, version 2 and PROXY, family and protocol, length, addresses,
 * ports. */
static void header(void **state)
{
    (void)state;
#define SIGNATURE "\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a"
    static const char v4[] = SIGNATURE "\x21\x11\x00\x0c"
                                       "\xc0\x00\x02\x01"
                                       "\xcb\x00\x71\x07"
                                       "\x12\x34"
                                       "\x01\xbb";
    static const char v6[] = SIGNATURE "\x21\x21\x00\x24"
                                       "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
                                       "\x20\x01\x0d\xb8\x00\x80\0\0\0\0\0\0\0\0\0\x02"
                                       "\xff\xff"
                                       "\x00\x50";
    uint8_t out[PROXY_HEADER_MAX];
    struct hawser_addr client, called;
    assert_int_equal(hawser_addr_parse(&client, "192.0.2.1", 0x1234), 0);
    assert_int_equal(hawser_addr_parse(&called, "203.0.113.7", 443), 0);
    assert_int_equal(proxy_header_write(&client, &called, out), sizeof v4 - 1);
    assert_memory_equal(out, v4, sizeof v4 - 1);
    assert_int_equal(hawser_addr_parse(&client, "2001:db8::1", 65535), 0);
    assert_int_equal(hawser_addr_parse(&called, "2001:db8:80::2", 80), 0);
    assert_int_equal(proxy_header_write(&client, &called, out), sizeof v6 - 1);
    assert_memory_equal(out, v6, sizeof v6 - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules),
        cmocka_unit_test(nonsense),
        cmocka_unit_test(header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
