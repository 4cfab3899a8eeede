/* Values that are changed for a time, in a tree of files that stands for /proc/sys/net, and of devices in a network
 * namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices.h"
#include "link/namespace.h"
#include "service/sysctls.h"

static char root[] = "/tmp/sysctls-XXXXXX", memory[64], ghost[64];
static struct sysctls sysctls;

/* Of devices of this process's network namespace. */
static const char kernel[] = "/proc/sys/net", d0[] = "ipv4/conf/d0/forwarding", d1[] = "ipv4/conf/d1/forwarding";
static struct netlink netlink;

static void write_value(const char *name, const char *value)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", root, name);
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

static void remove_value(const char *name)
{
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    unlink(path);
}

static void begin(void) { assert_int_equal(sysctls_open(&sysctls, root, memory), 0); }

static int fresh(void **state)
{
    (void)state;
    write_value("a", "0");
    write_value("b", "7");
    begin();
    return 0;
}

static int group_setup(void **state)
{
    (void)state;
    if (!mkdtemp(root))
        return -1;
    snprintf(memory, sizeof(memory), "%s/memory", root);
    snprintf(ghost, sizeof(ghost), "%s/none/memory", root);
    return 0;
}

static int group_teardown(void **state)
{
    (void)state;
    remove_value("a");
    remove_value("b");
    return rmdir(root); /* fails where anything is left */
}

static void test_put_back_at_the_end(void **state)
{
    (void)state;
    assert_true(sysctls_already(&sysctls, "b", "7"));
    sysctls_begin(&sysctls);
    assert_int_equal(sysctls_want(&sysctls, "a", "1"), 0);
    assert_int_equal(sysctls_want(&sysctls, "b", "7"), 0);
    sysctls_settle(&sysctls);
    assert_int_equal(sysctls.count, 1); /* b was so already */
    assert_value("a", "1");
    assert_false(sysctls_already(&sysctls, "a", "1")); /* by our doing */
    assert_true(sysctls_already(&sysctls, "a", "0"));
    assert_int_equal(access(memory, F_OK), 0);
    sysctls_close(&sysctls);
    assert_value("a", "0");
    assert_int_equal(access(memory, F_OK), -1);
}

static void test_what_is_not_wanted_any_more(void **state)
{
    (void)state;
    sysctls_want(&sysctls, "a", "1");
    sysctls_want(&sysctls, "b", "1");
    sysctls_begin(&sysctls);
    sysctls_want(&sysctls, "a", "1");
    sysctls_settle(&sysctls);
    assert_value("a", "1");
    assert_value("b", "7");
    sysctls_close(&sysctls);
    assert_value("a", "0");
}

static void test_what_others_changed_is_theirs(void **state)
{
    (void)state;
    sysctls_want(&sysctls, "a", "1");
    sysctls_want(&sysctls, "b", "1");
    write_value("a", "5");
    sysctls_forget(&sysctls, "b");
    sysctls_forget(&sysctls, "none");
    sysctls_close(&sysctls);
    assert_value("a", "5");
    assert_value("b", "1");
}

static void test_what_others_changed_is_before(void **state)
{
    (void)state;
    assert_int_equal(sysctls_want(&sysctls, "b", "7,9"), 0);
    write_value("b", "8");
    assert_int_equal(sysctls_want(&sysctls, "b", "8,9"), 0);
    assert_value("b", "8,9");
    assert_int_equal(sysctls_want(&sysctls, "b", "8,9,9"), 0); /* that is ours */
    assert_value("b", "8,9");
    write_value("b", "6");
    sysctls.memory = ghost;
    assert_int_equal(sysctls_want(&sysctls, "b", "6,9"), -EIO);
    sysctls.memory = memory;
    assert_value("b", "6");
    assert_int_equal(sysctls_want(&sysctls, "b", "6,9"), 0);
    free(sysctls.entries); /* as after kill -9 */
    begin();
    assert_value("b", "6");
    sysctls_close(&sysctls);
    assert_value("b", "6");
}

/* As after kill -9: the next one knows what was before. */
static void test_sudden_end(void **state)
{
    (void)state;
    sysctls_want(&sysctls, "a", "1");
    sysctls_want(&sysctls, "b", "1,2 3");
    free(sysctls.entries);
    write_value("a", "5"); /* somebody else, meanwhile */
    begin();
    assert_int_equal(sysctls.count, 0);
    assert_value("a", "5");
    assert_value("b", "7");
    assert_int_equal(access(memory, F_OK), -1);
    sysctls_close(&sysctls);
}

static void test_memory_that_is_nonsense(void **state)
{
    (void)state;
    sysctls_close(&sysctls);
    FILE *file = fopen(memory, "w");
    assert_non_null(file);
    fprintf(file,
            "\n\t\na\n0\ta\n0\ta\t0\n0\t/etc/passwd\tx\ty\n0\t../a\t0\t9\n0\tnone\t0\t9\n0\t%0600d\t0\t9\n"
            "0\ta\t0\t%0600d\n1\ta\t0\t9\n1\t*\t0\t9\n99999999999\t*\t0\t9\n",
            1, 1);
    fclose(file);
    begin();
    assert_value("a", "0");
    assert_value("b", "7");
    sysctls_close(&sysctls);
}

/* Who owns the directory cannot make the next start, which is root's, read or write elsewhere. */
static void test_links_are_not_followed(void **state)
{
    (void)state;
    char beside[80], elsewhere[80];
    sysctls_close(&sysctls);
    snprintf(beside, sizeof(beside), "%s.new", memory);
    snprintf(elsewhere, sizeof(elsewhere), "%s/elsewhere", root);
    write_value("elsewhere", "0\ta\t0\t9");
    assert_int_equal(symlink(elsewhere, beside), 0);
    assert_int_equal(symlink(elsewhere, memory), 0);
    begin();
    assert_value("a", "0");
    assert_int_equal(sysctls_want(&sysctls, "a", "1"), 0);
    assert_value("elsewhere", "0\ta\t0\t9");
    sysctls_close(&sysctls);
    assert_int_equal(mkfifo(memory, 0600), 0); /* would wait for a writer */
    begin();
    sysctls_close(&sysctls);
    remove_value("elsewhere");
}

static void test_empty_value(void **state)
{
    (void)state;
    write_value("a", "");
    sysctls_want(&sysctls, "a", "1-2");
    assert_value("a", "1-2");
    sysctls_close(&sysctls);
    assert_value("a", "");
}

static void test_errors(void **state)
{
    (void)state;
    assert_int_equal(sysctls_want(&sysctls, "none", "1"), -ENOENT);
    sysctls_close(&sysctls);
    begin();
    sysctls.memory = ghost; /* what cannot be remembered is not changed */
    assert_int_equal(sysctls_want(&sysctls, "a", "1"), -EIO);
    assert_value("a", "0");
    sysctls_close(&sysctls);
}

static void test_limit(void **state)
{
    (void)state;
    char name[20];
    for (int i = 0; i <= SYSCTLS_MAX; i++) {
        snprintf(name, sizeof(name), "v%d", i);
        write_value(name, "0");
        assert_int_equal(sysctls_want(&sysctls, name, "1"), i < SYSCTLS_MAX ? 0 : -ENOSPC);
    }
    sysctls_close(&sysctls);
    for (int i = 0; i <= SYSCTLS_MAX; i++) {
        snprintf(name, sizeof(name), "v%d", i);
        assert_value(name, "0");
        remove_value(name);
    }
}

static void set_by_hand(const char *path, const char *value)
{
    char name[64];
    snprintf(name, sizeof(name), "%s/%s", kernel, path);
    assert_true(namespace_write(name, value));
}

static void begin_with_a_device(void)
{
    if (!namespace_enter())
        skip();
    assert_int_equal(netlink_open(&netlink), 0);
    assert_int_equal(change_device(&netlink, RTM_NEWLINK, 0, "d0"), 0);
    assert_int_equal(sysctls_open(&sysctls, kernel, memory), 0);
    assert_int_equal(sysctls_want(&sysctls, d0, "1"), 0);
    assert_value(d0, "1");
}

/* The interface keeps what was set under its old name; another gets that name, and forwards of its own accord. */
static void rename_and_take_the_name(void)
{
    assert_int_equal(change_device(&netlink, RTM_NEWLINK, if_nametoindex("d0"), "d1"), 0);
    assert_int_equal(change_device(&netlink, RTM_NEWLINK, 0, "d0"), 0);
    assert_value(d1, "1");
    assert_value(d0, "0");
    set_by_hand(d0, "1");
}

static void test_a_renamed_interface(void **state)
{
    (void)state;
    begin_with_a_device();
    rename_and_take_the_name();
    assert_false(sysctls_already(&sysctls, d1, "1")); /* by our doing */
    assert_true(sysctls_already(&sysctls, d0, "1"));
    sysctls_begin(&sysctls);
    assert_int_equal(sysctls_want(&sysctls, d1, "1"), 0);
    sysctls_settle(&sysctls);
    assert_int_equal(sysctls.count, 1);
    assert_value(d1, "1");
    sysctls_close(&sysctls);
    assert_value(d1, "0");
    assert_value(d0, "1");
    netlink_close(&netlink);
}

static void test_a_renamed_interface_that_is_not_wanted(void **state)
{
    (void)state;
    begin_with_a_device();
    rename_and_take_the_name();
    sysctls_begin(&sysctls);
    sysctls_settle(&sysctls);
    assert_int_equal(sysctls.count, 0);
    assert_value(d1, "0");
    assert_value(d0, "1");
    sysctls_close(&sysctls);
    netlink_close(&netlink);
}

static void test_renamed_after_a_sudden_end(void **state)
{
    (void)state;
    begin_with_a_device();
    free(sysctls.entries);
    rename_and_take_the_name();
    assert_int_equal(sysctls_open(&sysctls, kernel, memory), 0);
    assert_value(d1, "0");
    assert_value(d0, "1");
    sysctls_close(&sysctls);
    netlink_close(&netlink);
}

/* Deleted, and another has its name, or its index and another name. */
static void test_an_interface_that_is_another(void **state)
{
    (void)state;
    begin_with_a_device();
    for (int same_index = 0; same_index < 2; same_index++) {
        const unsigned index = if_nametoindex("d0");
        const char *name = same_index ? "d1" : "d0", *path = same_index ? d1 : d0;
        assert_int_equal(change_device(&netlink, RTM_DELLINK, 0, "d0"), 0);
        assert_int_equal(change_device(&netlink, RTM_NEWLINK, same_index ? index : 0, name), 0);
        assert_int_equal(if_nametoindex(name) == index, same_index);
        sysctls_begin(&sysctls);
        assert_int_equal(sysctls_want(&sysctls, path, "1"), 0);
        sysctls_settle(&sysctls);
        assert_int_equal(sysctls.count, 1);
        assert_value(path, "1");
        assert_true(sysctls_already(&sysctls, path, "0"));
    }
    sysctls_close(&sysctls);
    assert_value(d1, "0");
    netlink_close(&netlink);
}

/* What has the name or the index by the next start is left as it is. */
static void test_another_after_a_sudden_end(void **state)
{
    (void)state;
    begin_with_a_device();
    const unsigned index = if_nametoindex("d0");
    free(sysctls.entries);
    assert_int_equal(change_device(&netlink, RTM_DELLINK, 0, "d0"), 0);
    assert_int_equal(change_device(&netlink, RTM_NEWLINK, index, "d1"), 0);
    assert_int_equal(change_device(&netlink, RTM_NEWLINK, 0, "d0"), 0);
    set_by_hand(d0, "1");
    assert_int_equal(sysctls_open(&sysctls, kernel, memory), 0);
    assert_value(d0, "1");
    assert_value(d1, "0");
    sysctls_close(&sysctls);
    netlink_close(&netlink);
}

/* Nothing is forgotten that cannot be read, or put back, for a while. */
static void test_without_descriptors(void **state)
{
    (void)state;
    struct rlimit files, none;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    none = files;
    none.rlim_cur = 0;
    assert_int_equal(sysctls_want(&sysctls, "a", "1"), 0);
    assert_int_equal(sysctls_want(&sysctls, "b", "1"), 0);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    sysctls_begin(&sysctls);
    int error = sysctls_want(&sysctls, "a", "1"); /* and b is not wanted any more */
    sysctls_settle(&sysctls);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &files), 0);
    assert_int_equal(error, -EMFILE);
    assert_int_equal(sysctls.count, 2);
    sysctls_begin(&sysctls);
    assert_int_equal(sysctls_want(&sysctls, "a", "1"), 0);
    sysctls_settle(&sysctls);
    assert_value("a", "1");
    assert_value("b", "7");
    sysctls_close(&sysctls);
    assert_value("a", "0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_put_back_at_the_end, fresh),
        cmocka_unit_test_setup(test_what_is_not_wanted_any_more, fresh),
        cmocka_unit_test_setup(test_what_others_changed_is_theirs, fresh),
        cmocka_unit_test_setup(test_what_others_changed_is_before, fresh),
        cmocka_unit_test_setup(test_sudden_end, fresh),
        cmocka_unit_test_setup(test_memory_that_is_nonsense, fresh),
        cmocka_unit_test_setup(test_links_are_not_followed, fresh),
        cmocka_unit_test_setup(test_empty_value, fresh),
        cmocka_unit_test_setup(test_errors, fresh),
        cmocka_unit_test_setup(test_limit, fresh),
        cmocka_unit_test(test_a_renamed_interface),
        cmocka_unit_test(test_a_renamed_interface_that_is_not_wanted),
        cmocka_unit_test(test_renamed_after_a_sudden_end),
        cmocka_unit_test(test_an_interface_that_is_another),
        cmocka_unit_test(test_another_after_a_sudden_end),
        cmocka_unit_test_setup(test_without_descriptors, fresh),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
