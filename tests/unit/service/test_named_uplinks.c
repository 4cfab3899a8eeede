/* Uplinks that the service is told by name (apps/service/named_uplinks.h), over real devices: what is said of them, and
 * how one set takes the place of another. */
#define _GNU_SOURCE 1 /* unshare() */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "link/namespace.h"
#include "service/named_uplinks.h"

#define COUNT(texts) (sizeof(texts) / sizeof((texts)[0]))

static bool have_namespace;
static char why[1024];

struct fixture {
    struct service service;
    struct named_uplinks *uplinks;
};

static int group_setup(void **state)
{
    (void)state;
    have_namespace = namespace_enter();
    return 0;
}

static void set_up(struct fixture *f)
{
    if (!have_namespace)
        skip();
    assert_int_equal(service_init(&f->service, NULL), 0);
    assert_int_equal(named_uplinks_new(&f->uplinks, &f->service), 0);
}

static void tear_down(struct fixture *f)
{
    service_end(&f->service);
    named_uplinks_free(f->uplinks);
}

static int try_set(struct fixture *f, unsigned count, const char *const *texts)
{
    why[0] = '\0';
    return named_uplinks_set(f->uplinks, texts, count, why, sizeof why);
}

#define TRY(f, ...) try_set(f, COUNT(((const char *const[]){__VA_ARGS__})), (const char *const[]){__VA_ARGS__})
#define SET(f, ...)                                                                                                    \
    do {                                                                                                               \
        if (TRY(f, __VA_ARGS__) != 0)                                                                                  \
            fail_msg("%s", why);                                                                                       \
    } while (0)
#define REFUSE(f, reason, ...)                                                                                         \
    do {                                                                                                               \
        assert_true(TRY(f, __VA_ARGS__) < 0);                                                                          \
        if (!strstr(why, reason) || strchr(why, '\n'))                                                                 \
            fail_msg("refused as: %s", why);                                                                           \
    } while (0)

/* The order of those by which connections begin, IPv4 alone. */
static void expect_order(struct fixture *f, const char *const *names, unsigned count)
{
    struct choice choice = f->service.choice;
    struct hawser_addr to, from;
    hawser_addr_parse(&to, "192.0.2.1", 0);
    for (unsigned i = 0; i < count; i++) {
        assert_true(choice_take(&choice, NULL, &to, 0, &from));
        assert_string_equal(choice_name(&choice, &from), names[i]);
        choice_went(&choice, &from);
    }
    assert_false(choice_take(&choice, NULL, &to, 0, &from));
}

#define EXPECT(f, ...) expect_order(f, (const char *const[]){__VA_ARGS__}, COUNT(((const char *const[]){__VA_ARGS__})))

static bool knows(struct fixture *f, const char *text)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, 0), 0);
    bool offered = choice_name(&f->service.choice, &addr) != NULL;
    /* The stack has it where connections begin there, and nowhere else. */
    assert_int_equal(hawser_stack_set_backup(hawser_host_stack(f->service.host), &addr, false) == 0, offered);
    return offered;
}

#define A "tun,dev=hwa,addr=10.9.1.1/24"
#define B "tun,dev=hwb,addr=10.9.2.1/24"
#define C "tun,dev=hwc,addr=10.9.3.1/24"

static void they_come_go_and_change_places(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    SET(&f, A, B);
    const unsigned index = if_nametoindex("hwb");
    EXPECT(&f, "hwa", "hwb");
    SET(&f, B, C, A);
    EXPECT(&f, "hwb", "hwc", "hwa");
    SET(&f, C, B);
    EXPECT(&f, "hwc", "hwb");
    assert_int_equal(if_nametoindex("hwa"), 0);
    assert_int_equal(if_nametoindex("hwb"), index);
    assert_false(knows(&f, "10.9.1.1"));
    assert_int_equal(try_set(&f, 0, NULL), 0);
    assert_int_equal(if_nametoindex("hwb") + if_nametoindex("hwc"), 0);
    SET(&f, A);
    EXPECT(&f, "hwa");
    assert_int_equal(f.service.links_alive, 1);
    tear_down(&f);
    assert_int_equal(if_nametoindex("hwa"), 0);
}

/* Addresses come and go without the device, which is another one only when it has to be. */
static void what_can_stay_stays(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    SET(&f, "tun,dev=hwa,addr=10.9.1.1/24,addr=fd09::1/64");
    unsigned index = if_nametoindex("hwa");
    SET(&f, "tun,dev=hwa,addr=10.9.1.2/24,addr=fd09::1/64,addr=10.9.4.1/24");
    assert_int_equal(if_nametoindex("hwa"), index);
    assert_false(knows(&f, "10.9.1.1"));
    assert_true(knows(&f, "10.9.1.2") && knows(&f, "10.9.4.1") && knows(&f, "fd09::1"));
    SET(&f, "tun,dev=hwa,addr=10.9.1.2/25"); /* another prefix */
    assert_int_equal(if_nametoindex("hwa"), index);
    assert_true(knows(&f, "10.9.1.2"));
    static const char *const others[] = {"tun,dev=hwa,addr=10.9.1.2/25,mtu=1400", "tun,dev=hwa,addr=10.9.1.2/25,nogso",
                                         "tun,dev=hwa,addr=10.9.1.2/25,pcap=/dev/null"};
    for (unsigned i = 0; i < COUNT(others); i++) {
        SET(&f, others[i]);
        assert_int_not_equal(if_nametoindex("hwa"), index);
        index = if_nametoindex("hwa");
        SET(&f, others[i]);
        assert_int_equal(if_nametoindex("hwa"), index);
        EXPECT(&f, "hwa");
    }
    tear_down(&f);
}

/* One has what another one had. */
static void what_was_anothers_is_free(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    SET(&f, A, B);
    SET(&f, "tun,dev=hwc,addr=10.9.1.1/24", "tun,dev=hwb,addr=10.9.2.1/24"); /* another name */
    EXPECT(&f, "hwc", "hwb");
    SET(&f, "tun,dev=hwb,addr=10.9.1.1/24", "tun,dev=hwc,addr=10.9.2.1/24"); /* and crosswise */
    EXPECT(&f, "hwb", "hwc");
    SET(&f, "tun,dev=hwd,addr=10.9.1.7/24"); /* in the same network */
    EXPECT(&f, "hwd");
    SET(&f, "tun,dev=hwa,addr=10.9.1.7/16"); /* of another size */
    EXPECT(&f, "hwa");
    tear_down(&f);
}

/* A device that somebody deleted is made again. */
static void what_was_deleted_comes_again(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    SET(&f, A, B);
    assert_int_equal(system("ip link del hwa"), 0);
    SET(&f, A, B);
    EXPECT(&f, "hwa", "hwb");
    assert_true(if_nametoindex("hwa") > 0);
    assert_int_equal(f.service.links_alive, 2);
    tear_down(&f);
}

static void what_is_wrong_changes_nothing(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_int_equal(system("ip addr add 10.9.77.1/24 dev lo"), 0);
    SET(&f, A, B);
    const unsigned a = if_nametoindex("hwa"), b = if_nametoindex("hwb");
    REFUSE(&f, "--uplink tun,dev=hwc: ", A, "tun,dev=hwc");
    REFUSE(&f, "two uplinks have the device hwa", A, "tun,dev=hwa,addr=10.9.3.1/24");
    REFUSE(&f, "hwa and hwc both have the address 10.9.1.1", A, "tun,dev=hwc,addr=10.9.1.1/32");
    REFUSE(&f, "lo exists and is not", C, "tun,dev=lo,addr=10.9.5.1/24");
    REFUSE(&f, "an address of this machine", C, "tun,dev=hwe,addr=10.9.77.1/24", A);
    REFUSE(&f, "choose another pcap=", C, "tun,dev=hwe,addr=10.9.6.1/24,pcap=/nonexistent/a");
    assert_int_equal(if_nametoindex("hwc") + if_nametoindex("hwe"), 0);
    assert_int_equal(if_nametoindex("hwa"), a); /* nobody has noticed */
    assert_int_equal(if_nametoindex("hwb"), b);
    EXPECT(&f, "hwa", "hwb");
    REFUSE(&f, "an address of this machine", "tun,dev=hwa,addr=10.9.77.1/24", "tun,dev=hwc,addr=10.9.2.1/24");
    EXPECT(&f, "hwa", "hwb"); /* they came back */
    assert_true(knows(&f, "10.9.1.1") && knows(&f, "10.9.2.1"));
    assert_int_equal(if_nametoindex("hwc"), 0);
    assert_int_equal(f.service.links_alive, 2);
    tear_down(&f);
}

/* What cannot come back is named, and keeps nobody else from it. */
static void one_cannot_come_back(void **state)
{
    (void)state;
    char directory[] = "/tmp/hawser-test-XXXXXX", path[40], with[100];
    struct fixture f;
    set_up(&f);
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/a", directory);
    snprintf(with, sizeof with, A ",pcap=%s", path);
    assert_int_equal(system("ip addr replace 10.9.77.1/24 dev lo"), 0);
    SET(&f, with, B);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(directory), 0);
    REFUSE(&f, "an address of this machine", "tun,dev=hwa,addr=10.9.77.1/24");
    assert_non_null(strstr(why, "; of those before: --uplink tun,dev=hwa"));
    EXPECT(&f, "hwb");
    assert_false(named_uplinks_complete(f.uplinks));
    SET(&f, A, B);
    EXPECT(&f, "hwa", "hwb");
    assert_true(named_uplinks_complete(f.uplinks));
    tear_down(&f);
}

static void backups_are_known_by_name(void **state)
{
    (void)state;
    struct fixture f;
    set_up(&f);
    assert_int_equal(service_set_backups(&f.service, (const char *const[]){"hwa"}, 1), 0);
    SET(&f, A, B);
    EXPECT(&f, "hwb", "hwa");
    tear_down(&f);
}

static void there_are_limits(void **state)
{
    (void)state;
    char texts[NAMED_UPLINKS_MAX + 1][400];
    const char *list[NAMED_UPLINKS_MAX + 1];
    for (unsigned i = 0; i <= NAMED_UPLINKS_MAX; i++) {
        snprintf(texts[i], sizeof texts[i], "tun,dev=hw%u,addr=10.%u.0.1/24", i, i + 10);
        list[i] = texts[i];
    }
    assert_int_equal(named_uplinks_check(list, NAMED_UPLINKS_MAX, why, sizeof why), 0);
    assert_true(named_uplinks_have(list, NAMED_UPLINKS_MAX, "hw15"));
    assert_false(named_uplinks_have(list, NAMED_UPLINKS_MAX, "hw16"));
    assert_int_equal(named_uplinks_check(list, NAMED_UPLINKS_MAX + 1, why, sizeof why), -E2BIG);
    assert_string_equal(why, "more than 16 uplinks");
    for (unsigned i = 0; i < 5; i++) {
        for (unsigned n = 2; n <= 16; n++)
            sprintf(texts[i] + strlen(texts[i]), ",addr=10.%u.0.%u/24", i + 10, n);
    }
    assert_int_equal(named_uplinks_check(list, 4, why, sizeof why), 0); /* 64 */
    assert_int_equal(named_uplinks_check(list, 5, why, sizeof why), -E2BIG);
    assert_non_null(strstr(why, "more than 64 addresses"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_come_go_and_change_places), cmocka_unit_test(what_can_stay_stays),
        cmocka_unit_test(what_was_anothers_is_free),      cmocka_unit_test(what_was_deleted_comes_again),
        cmocka_unit_test(what_is_wrong_changes_nothing),  cmocka_unit_test(one_cannot_come_back),
        cmocka_unit_test(backups_are_known_by_name),      cmocka_unit_test(there_are_limits),
    };
    return cmocka_run_group_tests(tests, group_setup, NULL);
}
