/* The host's own addresses inside of a program's namespace (apps/run/inlets.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/inlets.h"

static size_t read_text(const char *text, enum inlets_resolvers kind, struct hawser_addr *out)
{
    char path[] = "/tmp/hawser-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    size_t count = inlets_read_resolvers(path, kind, out);
    unlink(path);
    return count;
}

static void resolvers_of_this_host_count(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;
    } cases[] = {
        {"", 0},
        {"options edns0\n", 0},
        {"nameserver 192.0.2.1\n", 0},
        {"# nameserver 127.0.0.1\nsearch example\nnameserver 127.0.0.53\noptions edns0\n", 1},
        {"nameserver 127.0.0.53", 1},
        {"nameserver\t::1\nnameserver 127.0.0.1\n", 2},
        {"nameserver 127.0.0.1\nnameserver 192.0.2.1\nnameserver 127.0.0.2\nnameserver 127.0.0.3\nnameserver "
         "127.0.0.4\n",
         INLETS_RESOLVERS},
        {"nameserver nonsense\nnameserver 127.0.0.1.1\nnameserver fe80::1%eth0\nnameserver\n", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct hawser_addr out[INLETS_RESOLVERS];
        assert_int_equal(read_text(cases[i].text, INLETS_NEAR, out), cases[i].count);
        for (size_t k = 0; k < cases[i].count; k++)
            assert_int_equal(out[k].port, 53);
    }
    struct hawser_addr out[INLETS_RESOLVERS];
    assert_int_equal(inlets_read_resolvers("/nowhere/resolv.conf", INLETS_NEAR, out), 0);
}

static void resolvers_elsewhere_count(void **state)
{
    (void)state;
    struct hawser_addr out[INLETS_RESOLVERS], expected;
    assert_int_equal(read_text("", INLETS_FAR, out), 0);
    assert_int_equal(read_text("nameserver 127.0.0.53\n", INLETS_FAR, out), 0);
    assert_int_equal(read_text("nameserver 127.0.0.1\nnameserver 2001:db8::1\nnameserver 192.0.2.1\n", INLETS_FAR, out),
                     2);
    assert_int_equal(hawser_addr_parse(&expected, "2001:db8::1", 53), 0);
    assert_true(hawser_addr_equal(&out[0], &expected));
    assert_int_equal(hawser_addr_parse(&expected, "192.0.2.1", 53), 0);
    assert_true(hawser_addr_equal(&out[1], &expected));
    assert_int_equal(read_text("nameserver ::1\nnameserver fe80::1%eth0\n", INLETS_FAR, out), 0);
}

static void a_long_file_is_read(void **state)
{
    (void)state;
    struct hawser_addr out[INLETS_RESOLVERS];
    char *text = malloc(100000);
    assert_non_null(text);
    memset(text, 'x', 99000);
    strcpy(text + 99000, "\nnameserver 127.0.0.53\n");
    assert_int_equal(read_text(text, INLETS_NEAR, out), 1);
    free(text);
}

static void there_is_a_limit(void **state)
{
    (void)state;
    struct inlets inlets = {.count = 0};
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, "127.0.0.1", 0), 0);
    for (unsigned i = 0; i < INLETS_MAX; i++)
        assert_int_equal(inlets_add(&inlets, &addr, i & 1), 0);
    assert_int_equal(inlets_add(&inlets, &addr, true), -ENOSPC);
    inlets_close(&inlets);
    assert_int_equal(inlets.count, 0);
    assert_int_equal(hawser_addr_parse(&addr, "fe80::1", 53), 0);
    assert_true(inlets_add(&inlets, &addr, false) < 0); /* of no link, or there is no IPv6 */
    assert_int_equal(inlets.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resolvers_of_this_host_count),
        cmocka_unit_test(resolvers_elsewhere_count),
        cmocka_unit_test(a_long_file_is_read),
        cmocka_unit_test(there_is_a_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
