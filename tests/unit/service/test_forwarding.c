/* What a host is made to forward, in a tree of files that stands for /proc/sys/net. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/compiler.h"
#include "service/forwarding.h"

static char root[] = "/tmp/forwarding-XXXXXX";
static struct sysctls sysctls;

static const char *const directories[] = {"ipv4", "ipv4/conf", "ipv4/conf/all", "ipv4/conf/e1",
                                          "ipv6", "ipv6/conf", "ipv6/conf/all", "ipv6/conf/e1"};
static const char *const values[][2] = {
    {"ipv4/conf/all/forwarding", "0"},      {"ipv4/conf/e1/forwarding", "0"},
    {"ipv6/conf/all/forwarding", "0"},      {"ipv6/conf/e1/disable_ipv6", "0"},
    {"ipv6/conf/e1/force_forwarding", "0"}, {"ipv4/ip_local_port_range", "32768\t60999"},
    {"ipv4/ip_local_reserved_ports", ""}};
static const struct forwarding e1_v4 = {"e1", true}, e1_v6 = {"e1", false};

static void in_root(char *path, size_t size, const char *name) { snprintf(path, size, "%s/%s", root, name); }

static void write_value(const char *name, const char *value)
{
    char path[200];
    in_root(path, sizeof(path), name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s\n", value);
    fclose(file);
}

static void assert_value(const char *name, const char *value)
{
    char now[SYSCTL_VALUE_SIZE];
    assert_true(sysctls_read(&sysctls, name, now, sizeof(now)));
    assert_string_equal(now, value);
}

static int fresh(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(values); i++)
        write_value(values[i][0], values[i][1]);
    assert_int_equal(sysctls_open(&sysctls, root, NULL), 0);
    return 0;
}

static int group_setup(void **state)
{
    char path[200];
    (void)state;
    if (!mkdtemp(root))
        return -1;
    for (size_t i = 0; i < HW_ARRAY_LEN(directories); i++) {
        in_root(path, sizeof(path), directories[i]);
        if (mkdir(path, 0700) != 0)
            return -1;
    }
    return 0;
}

static int group_teardown(void **state)
{
    char path[200];
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(values); i++) {
        in_root(path, sizeof(path), values[i][0]);
        unlink(path);
    }
    for (size_t i = HW_ARRAY_LEN(directories); i-- > 0;) {
        in_root(path, sizeof(path), directories[i]);
        rmdir(path);
    }
    return rmdir(root); /* fails where anything is left */
}

static int apply(const struct forwarding *list, size_t count)
{
    return forwarding_apply(&sysctls, list, count, 20000, 29999);
}

static void test_single_interfaces(void **state)
{
    (void)state;
    const struct forwarding both[] = {e1_v4, e1_v6, {"gone", true}};
    assert_int_equal(apply(both, 3), 0);
    assert_value("ipv4/conf/e1/forwarding", "1");
    assert_value("ipv6/conf/e1/force_forwarding", "1");
    assert_value("ipv4/conf/all/forwarding", "0");
    assert_false(forwarding_is_anyway(&sysctls, &e1_v4)); /* that is our doing */
    assert_int_equal(apply(&e1_v6, 1), 0);
    assert_value("ipv4/conf/e1/forwarding", "0");
    sysctls_close(&sysctls);
    assert_value("ipv6/conf/e1/force_forwarding", "0");
}

static void test_who_is_a_router_stays_one(void **state)
{
    (void)state;
    write_value("ipv4/conf/e1/forwarding", "1");
    write_value("ipv6/conf/all/forwarding", "1");
    assert_true(forwarding_is_anyway(&sysctls, &e1_v4));
    assert_true(forwarding_is_anyway(&sysctls, &e1_v6));
    assert_true(forwarding_can_v6(&sysctls, "e1"));
    const struct forwarding both[] = {e1_v4, e1_v6};
    assert_int_equal(apply(both, 2), 0);
    assert_value("ipv6/conf/e1/force_forwarding", "0");
    sysctls_close(&sysctls);
    assert_value("ipv4/conf/e1/forwarding", "1");
}

/* Somebody makes a router of the host meanwhile: what he sets is what was there already. */
static void test_who_becomes_one_stays_one(void **state)
{
    (void)state;
    assert_int_equal(apply(&e1_v4, 1), 0);
    forwarding_yield(&sysctls, &e1_v4, 1);
    assert_false(forwarding_is_anyway(&sysctls, &e1_v4));
    write_value("ipv4/conf/all/forwarding", "1");
    forwarding_yield(&sysctls, &e1_v4, 1);
    assert_true(forwarding_is_anyway(&sysctls, &e1_v4));
    assert_int_equal(apply(&e1_v4, 1), 0);
    sysctls_close(&sysctls);
    assert_value("ipv4/conf/e1/forwarding", "1");
}

static void test_ports_are_reserved_where_the_host_might_take_them(void **state)
{
    (void)state;
    assert_int_equal(apply(&e1_v4, 1), 0);
    assert_value("ipv4/ip_local_reserved_ports", "");
    write_value("ipv4/ip_local_port_range", "1024\t60999");
    write_value("ipv4/ip_local_reserved_ports", "8080");
    assert_int_equal(apply(&e1_v4, 1), 0);
    assert_value("ipv4/ip_local_reserved_ports", "8080,20000-29999");
    write_value("ipv4/ip_local_reserved_ports", "9090"); /* another one's, who does not know of ours */
    assert_int_equal(apply(&e1_v4, 1), 0);
    assert_value("ipv4/ip_local_reserved_ports", "9090,20000-29999");
    assert_int_equal(apply(NULL, 0), 0);
    assert_value("ipv4/ip_local_reserved_ports", "9090");
    sysctls_close(&sysctls);
}

/* What is new and cannot be remembered is not made; what was made before stays. */
static void test_one_that_cannot_be_made(void **state)
{
    (void)state;
    char ghost[200];
    in_root(ghost, sizeof(ghost), "none/memory");
    const struct forwarding both[] = {e1_v6, e1_v4};
    write_value("ipv4/ip_local_port_range", "1024\t60999");
    assert_int_equal(apply(&e1_v4, 1), 0);
    sysctls.memory = ghost;
    assert_int_equal(apply(both, 2), -EIO);
    assert_value("ipv6/conf/e1/force_forwarding", "0");
    assert_value("ipv4/conf/e1/forwarding", "1");
    assert_value("ipv4/ip_local_reserved_ports", "20000-29999");
    sysctls.memory = NULL;
    assert_int_equal(apply(both, 2), 0);
    assert_value("ipv6/conf/e1/force_forwarding", "1");
    sysctls_close(&sysctls);
    assert_value("ipv6/conf/e1/force_forwarding", "0");
    assert_value("ipv4/conf/e1/forwarding", "0");
    assert_value("ipv4/ip_local_reserved_ports", "");
}

static void test_ipv6(void **state)
{
    (void)state;
    assert_true(forwarding_can_v6(&sysctls, "e1"));
    assert_false(forwarding_can_v6(&sysctls, "e2"));
    write_value("ipv6/conf/e1/disable_ipv6", "1");
    assert_false(forwarding_can_v6(&sysctls, "e1"));
    sysctls_close(&sysctls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_single_interfaces, fresh),
        cmocka_unit_test_setup(test_who_is_a_router_stays_one, fresh),
        cmocka_unit_test_setup(test_who_becomes_one_stays_one, fresh),
        cmocka_unit_test_setup(test_ports_are_reserved_where_the_host_might_take_them, fresh),
        cmocka_unit_test_setup(test_one_that_cannot_be_made, fresh),
        cmocka_unit_test_setup(test_ipv6, fresh),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
