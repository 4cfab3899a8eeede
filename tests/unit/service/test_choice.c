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

static void expect(const char *to, uint64_t now_ns, const char *from)
{
    const struct hawser_addr a = addr(to);
    struct hawser_addr first;
    bool any = choice_take(&choice, &a, now_ns, &first);
    assert_int_equal(any, from != NULL);
    if (from) {
        const struct hawser_addr expected = addr(from);
        assert_true(hawser_addr_equal(&first, &expected));
    }
}

static void read(const char *text)
{
    char why[200] = "";
    int error = choice_read(&choice, text, why, sizeof why);
    assert_string_equal(why, "");
    assert_int_equal(error, 0);
}

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
    read("share");
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
    read("order");
    expect("192.0.2.1", 0, "198.18.0.1");
    expect("192.0.2.1", 0, "198.18.0.1");
}

static void a_rule_of_the_longest_prefix_decides(void **state)
{
    (void)state;
    read("192.0.2.0/23=wan1");
    read("192.0.2.128/25=wan2");
    read("192.0.3.7=wan0");
    read("2001:db8::/33=wan0");
    read("0.0.0.0/0=wan2");
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
    read("192.0.2.0/24=wan0");
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
        assert_int_equal(choice_read(&choice, texts[i], why, sizeof why), -EINVAL);
        assert_non_null(strstr(why, texts[i]));
    }
    assert_int_equal(choice.rule_count, 0);
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
    for (unsigned i = 0; i < CHOICE_RULES; i++)
        read("192.0.2.0/24=wan0");
    assert_int_equal(choice_read(&choice, "192.0.2.0/24=wan0", why, sizeof why), -ENOSPC);
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
        cmocka_unit_test_setup(there_are_limits, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
