/* By which uplink a connection begins (apps/service/choice.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/choice.h"

static struct choice choice;

static struct hawser_addr addr(const char *text)
{
    struct hawser_addr out;
    assert_int_equal(hawser_addr_parse(&out, text, 0), 0);
    return out;
}

static void came(const char *uplink, const char *text, uint32_t rank)
{
    const struct hawser_addr a = addr(text);
    assert_int_equal(choice_came(&choice, uplink, &a, rank), 0);
}

static void went(const char *text)
{
    const struct hawser_addr a = addr(text);
    choice_went(&choice, &a);
}

static const struct demands *demands;

static void expect(const char *to, uint64_t now_ns, const char *from)
{
    const struct hawser_addr a = addr(to);
    struct hawser_addr first;
    bool any = choice_take(&choice, demands, &a, now_ns, &first);
    assert_int_equal(any, from != NULL);
    if (from) {
        const struct hawser_addr expected = addr(from);
        assert_true(hawser_addr_equal(&first, &expected));
    }
}

static void set(const char *const *texts, unsigned count)
{
    char why[200] = "";
    int error = choice_set(&choice, texts, count, why, sizeof why);
    assert_string_equal(why, "");
    assert_int_equal(error, 0);
}

#define SET(...) set((const char *const[]){__VA_ARGS__}, HW_ARRAY_LEN(((const char *const[]){__VA_ARGS__})))

static void learn(const char *first, const char *used, uint64_t now_ns)
{
    struct hawser_addr began = addr(first), answered = addr(used);
    answered.port = 33000; /* as connections have one */
    choice_learn(&choice, &began, &answered, now_ns);
}

static int set_up(void **state)
{
    (void)state;
    choice_init(&choice);
    demands = NULL;
    came("wan1", "198.18.1.1", 20);
    came("wan0", "198.18.0.1", 10);
    came("wan0", "fd00:18::1", 10);
    came("wan2", "198.18.2.1", 30);
    return 0;
}

static void nobody_is_first_where_there_is_nobody(void **state)
{
    (void)state;
    choice_init(&choice);
    went("198.18.0.1");
    expect("192.0.2.1", 0, NULL);
    came("wan0", "198.18.0.1", 0);
    expect("2001:db8::1", 0, NULL);
    expect("192.0.2.1", 0, "198.18.0.1");
    went("198.18.0.1");
    expect("192.0.2.1", 0, NULL);
}

static void in_order_it_is_the_first_that_there_is(void **state)
{
    (void)state;
    expect("192.0.2.1", 0, "198.18.0.1");
    expect("192.0.2.1", 0, "198.18.0.1");
    expect("2001:db8::1", 0, "fd00:18::1");
    went("198.18.0.1");
    expect("192.0.2.1", 0, "198.18.1.1");
    came("wan0", "198.18.0.7", 10);
    expect("192.0.2.1", 0, "198.18.0.7");
}

static void shared_they_take_turns(void **state)
{
    (void)state;
    SET("share");
    for (unsigned i = 0; i < 5; i++) {
        expect("192.0.2.1", 0, "198.18.0.1");
        expect("192.0.2.1", 0, "198.18.1.1");
        expect("2001:db8::1", 0, "fd00:18::1");
        expect("192.0.2.1", 0, "198.18.2.1");
    }
    came("wan3", "198.18.3.1", 40); /* makes up for nothing */
    for (unsigned i = 0; i < 3; i++) {
        expect("192.0.2.1", 0, "198.18.0.1");
        expect("192.0.2.1", 0, "198.18.1.1");
        expect("192.0.2.1", 0, "198.18.2.1");
        expect("192.0.2.1", 0, "198.18.3.1");
    }
    SET("order");
    expect("192.0.2.1", 0, "198.18.0.1");
    expect("192.0.2.1", 0, "198.18.0.1");
}

static void a_rule_of_the_longest_prefix_decides(void **state)
{
    (void)state;
    SET("192.0.2.0/23=wan1", "192.0.2.128/25=wan2", "192.0.3.7=wan0", "2001:db8::/33=wan0", "0.0.0.0/0=wan2");
    expect("192.0.2.1", 0, "198.18.1.1");
    expect("192.0.3.200", 0, "198.18.1.1");
    expect("192.0.2.129", 0, "198.18.2.1");
    expect("192.0.3.7", 0, "198.18.0.1");
    expect("192.0.4.1", 0, "198.18.2.1");
    expect("2001:db8::1", 0, "fd00:18::1");
    went("198.18.1.1");
    expect("192.0.2.1", 0, "198.18.0.1"); /* the uplink is not there: as if there were no rule */
}

static void who_did_not_answer_is_held_back(void **state)
{
    (void)state;
    SET("192.0.2.0/24=wan0");
    learn("198.18.0.1", "198.18.1.1", 1000);
    expect("192.0.2.1", 1000, "198.18.1.1");
    expect("10.0.0.1", 1000, "198.18.1.1");
    learn("198.18.1.1", "198.18.2.1", 2000);
    expect("192.0.2.1", 2000, "198.18.2.1");
    learn("198.18.2.1", "198.18.1.1", 3000); /* which works again */
    expect("192.0.2.1", 3000, "198.18.1.1");
    learn("198.18.1.1", "198.18.1.1", 4000);
    expect("192.0.2.1", 1000 + CHOICE_HELD_BACK_NS - 1, "198.18.1.1");
    expect("192.0.2.1", 1000 + CHOICE_HELD_BACK_NS, "198.18.0.1");
}

/* Where all are held back it is as if none were. */
static void somebody_is_always_first(void **state)
{
    (void)state;
    learn("198.18.0.1", "10.9.9.9", 0);
    learn("198.18.1.1", "10.9.9.9", 0);
    learn("198.18.2.1", "10.9.9.9", 0);
    expect("192.0.2.1", 1, "198.18.0.1");
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "",
        "orders",
        "=",
        "=wan0",
        "192.0.2.0/24=",
        "192.0.2.0/24=sixteen_and_more",
        "x/24=wan0",
        "192.0.2.0/33=w",
        "::/129=wan0",
        "192.0.2.0/=wan0",
        "192.0.2.0/-1=w",
        "192.0.2.0/1x=w",
        "1234567890123456789012345678901234567890123456789012345678901234567890/24=wan0",
    };
    for (unsigned i = 0; i < HW_ARRAY_LEN(texts); i++) {
        char why[200] = "";
        assert_int_equal(choice_set(&choice, &texts[i], 1, why, sizeof why), -EINVAL);
        assert_non_null(strstr(why, texts[i]));
    }
    assert_int_equal(choice.rule_count, 0);
}

/* New ones in place of the old, all of them or none. */
static void what_is_wrong_changes_nothing(void **state)
{
    (void)state;
    char why[200];
    SET("share", "192.0.2.0/24=wan2");
    const char *const wrong[] = {"order", "192.0.2.0/24=wan1", "nearest"};
    assert_int_equal(choice_set(&choice, wrong, HW_ARRAY_LEN(wrong), why, sizeof why), -EINVAL);
    expect("192.0.2.1", 0, "198.18.2.1");
    assert_true(choice.share);
    SET("198.51.100.0/24=wan1");
    expect("192.0.2.1", 0, "198.18.0.1");
    expect("198.51.100.1", 0, "198.18.1.1");
    set(NULL, 0);
    expect("198.51.100.1", 0, "198.18.0.1");
}

static void a_backup_is_last(void **state)
{
    (void)state;
    assert_int_equal(names_add(&choice.backup, "wan0"), 0);
    expect("192.0.2.1", 0, "198.18.1.1");
    choice.share = true;
    for (unsigned i = 0; i < 4; i++) /* the others take turns */
        expect("192.0.2.1", 0, i % 2 ? "198.18.1.1" : "198.18.2.1");
    choice.share = false;
    SET("192.0.2.0/24=wan0");
    expect("192.0.2.1", 0, "198.18.0.1"); /* so it was said */
    expect("198.51.100.1", 0, "198.18.1.1");
    expect("2001:db8::1", 0, "fd00:18::1"); /* there is no other */
    learn("198.18.1.1", "198.18.2.1", 0);
    learn("198.18.2.1", "198.18.0.1", 0);
    expect("198.51.100.1", 1, "198.18.0.1"); /* the others did not answer */
    struct demands own = {.backup = {{"wan1", "wan2"}, 2}};
    demands = &own;
    expect("198.51.100.1", CHOICE_HELD_BACK_NS, "198.18.0.1"); /* who says it himself is not told */
}

static unsigned limit(const struct demands *d, struct choice_room *room, unsigned *backups)
{
    struct hawser_path_options paths = {.size = sizeof paths};
    choice_limit(&choice, d, room, &paths);
    assert_ptr_equal(paths.own, room->own);
    *backups = paths.backup_count;
    return paths.own_count;
}

static void only_what_is_demanded(void **state)
{
    (void)state;
    struct choice_room room;
    struct demands d = {.only = {{"wan1", "wan0"}, 2}, .backup = {{"wan0"}, 1}};
    unsigned backups;
    demands = &d;
    expect("192.0.2.1", 0, "198.18.1.1");
    went("198.18.1.1");
    expect("192.0.2.1", 0, "198.18.0.1");
    went("198.18.0.1");
    expect("192.0.2.1", 0, NULL);
    assert_int_equal(limit(&d, &room, &backups), 3); /* what is gone may come back */
    assert_int_equal(backups, 2);
    const struct hawser_addr first = addr("198.18.1.1"), v6 = addr("fd00:18::1");
    assert_true(hawser_addr_equal(&room.own[0].addr, &first));
    assert_int_equal(room.own[0].bits, 32);
    assert_true(hawser_addr_equal(&room.own[2].addr, &v6));
    assert_int_equal(room.own[2].bits, 128);
    came("wan1", "198.18.1.1", 20);
    expect("192.0.2.1", 0, "198.18.1.1");
    choice_rests(&choice, &first);
    expect("192.0.2.1", 0, NULL);
    assert_true(choice_knows(&choice, "wan1"));
    d = (struct demands){.mptcp = true};
    assert_int_equal(limit(&d, &room, &backups), 0);
    assert_int_equal(backups, 0);
    expect("192.0.2.1", 0, "198.18.2.1");
}

static void names_are_listed(void **state)
{
    (void)state;
    char text[40];
    choice_list(&choice, text, sizeof text);
    assert_string_equal(text, "wan1, wan0, wan2");
    struct hawser_addr own = addr("198.18.1.1"), nobodys = addr("198.18.9.1");
    own.port = 80;
    assert_string_equal(choice_name(&choice, &own), "wan1");
    assert_null(choice_name(&choice, &nobodys));
    went("198.18.1.1");
    choice_list(&choice, text, sizeof text);
    assert_string_equal(text, "wan0, wan2");
    assert_false(choice_knows(&choice, "wan1"));
    assert_null(choice_name(&choice, &own));
    choice_list(&choice, text, 8);
    assert_true(strlen(text) < 8);
    struct name_list names = {.count = 0};
    assert_int_equal(names_add(&names, ""), -EINVAL);
    assert_int_equal(names_add(&names, "a name of 16 xyz"), -EINVAL);
    assert_int_equal(names_add(&names, "a/b"), -EINVAL);
    assert_false(name_is_possible(".."));
    for (unsigned i = 0; i < NAMES_MAX; i++) {
        char name[NAME_SIZE];
        snprintf(name, sizeof name, "wan%u", i);
        assert_int_equal(names_add(&names, name), 0);
        assert_int_equal(names_add(&names, name), 0);
    }
    assert_int_equal(names.count, NAMES_MAX);
    assert_int_equal(names_add(&names, "more"), -ENOSPC);
}

static void there_are_limits(void **state)
{
    (void)state;
    char why[200];
    const struct hawser_addr own = addr("198.18.0.1"), other = addr("198.18.77.1");
    assert_int_equal(choice_came(&choice, "wan9", &own, 0), -EEXIST);
    assert_int_equal(choice_came(&choice, "a name of 16 xyz", &other, 0), -EINVAL);
    for (unsigned i = choice.source_count; i < CHOICE_SOURCES; i++) {
        char text[20];
        snprintf(text, sizeof text, "10.0.0.%u", i);
        came("wan4", text, 50 + i);
    }
    assert_int_equal(choice_came(&choice, "wan9", &other, 0), -ENOSPC);
    assert_false(choice_knows(&choice, "wan9"));
    assert_true(choice_knows(&choice, "wan4"));
    went("198.18.1.1");
    came("wan9", "198.18.77.1", 0); /* who has gone makes room */
    assert_int_equal(choice.source_count, CHOICE_SOURCES);
    const char *rules[CHOICE_RULES + 1];
    for (unsigned i = 0; i <= CHOICE_RULES; i++)
        rules[i] = "192.0.2.0/24=wan0";
    set(rules, CHOICE_RULES);
    assert_int_equal(choice_set(&choice, rules, CHOICE_RULES + 1, why, sizeof why), -ENOSPC);
    assert_int_equal(choice.rule_count, CHOICE_RULES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_is_first_where_there_is_nobody, set_up),
        cmocka_unit_test_setup(in_order_it_is_the_first_that_there_is, set_up),
        cmocka_unit_test_setup(shared_they_take_turns, set_up),
        cmocka_unit_test_setup(a_rule_of_the_longest_prefix_decides, set_up),
        cmocka_unit_test_setup(who_did_not_answer_is_held_back, set_up),
        cmocka_unit_test_setup(somebody_is_always_first, set_up),
        cmocka_unit_test_setup(nonsense_is_refused, set_up),
        cmocka_unit_test_setup(what_is_wrong_changes_nothing, set_up),
        cmocka_unit_test_setup(a_backup_is_last, set_up),
        cmocka_unit_test_setup(only_what_is_demanded, set_up),
        cmocka_unit_test_setup(names_are_listed, set_up),
        cmocka_unit_test_setup(there_are_limits, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
