/* "HOST:PORT" (apps/service/endpoint.h), and the kernel's addresses (apps/service/sockaddr.h). */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/endpoint.h"
#include "service/sockaddr.h"

static void what_people_write(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *written;
    } good[] = {
        {"192.0.2.1:1080", "", "192.0.2.1:1080"},
        {"[2001:db8::1]:65535", "", "[2001:db8::1]:65535"},
        {"server.example:1", "server.example", NULL},
        {"a:80", "a", NULL},
    };
    for (unsigned i = 0; i < HW_ARRAY_LEN(good); i++) {
        struct endpoint at;
        char text[HAWSER_ADDR_STRLEN];
        assert_int_equal(endpoint_read(good[i].text, &at), 0);
        assert_string_equal(at.name, good[i].name);
        const struct destination to = endpoint_destination(&at);
        assert_int_equal(to.name != NULL, good[i].name[0] != '\0');
        if (good[i].written)
            assert_string_equal(hawser_addr_format(&to.addr, text, sizeof text), good[i].written);
    }
    static const char *const bad[] = {"",
                                      ":",
                                      "a",
                                      "a:",
                                      ":80",
                                      "a:0",
                                      "a:65536",
                                      "a:-1",
                                      "a:8x",
                                      "2001:db8::1:80",
                                      "[a]:80",
                                      "[192.0.2.1:80",
                                      "[]:80",
                                      "a b:80",
                                      "http://a:80",
                                      "a:80 ",
                                      "a: 80"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(bad); i++) {
        struct endpoint at;
        if (endpoint_read(bad[i], &at) != -EINVAL)
            fail_msg("\"%s\" is taken", bad[i]);
    }
    char longest[DIAL_NAME_MAX + 5];
    struct endpoint at;
    memset(longest, 'a', sizeof longest);
    memcpy(longest + DIAL_NAME_MAX + 1, ":80", 4);
    assert_int_equal(endpoint_read(longest, &at), -EINVAL);
    assert_int_equal(endpoint_read(longest + 1, &at), 0);
}

static void there_and_back(void **state)
{
    (void)state;
    static const char *const all[] = {"192.0.2.1", "2001:db8::1", "::1", "0.0.0.0"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct hawser_addr from, back;
        struct sockaddr_storage kernel;
        assert_int_equal(hawser_addr_parse(&from, all[i], 1234), 0);
        socklen_t len = sockaddr_write(&from, &kernel);
        assert_int_equal(len, hawser_addr_is_v4(&from) ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6));
        assert_true(sockaddr_read(&kernel, &back));
        assert_true(hawser_addr_equal(&from, &back));
    }
    struct hawser_addr none;
    const struct sockaddr_storage local = {.ss_family = AF_UNIX};
    assert_false(sockaddr_read(&local, &none));
    assert_int_equal(none.port, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_people_write), cmocka_unit_test(there_and_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
