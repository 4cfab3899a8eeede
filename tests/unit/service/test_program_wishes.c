/* What a program of `hawser run` asks for (apps/service/program_wishes.h). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service/program_wishes.h"

static struct choice choice;
static struct program_wishes wishes;
static char why[300];

static int read_text(const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    assert_non_null(body);
    why[0] = '\0';
    int error = program_wishes_read(body, &choice, &wishes, why, sizeof why);
    json_decref(body);
    assert_int_equal(error < 0, why[0] != '\0');
    assert_null(strchr(why, '\n'));
    return error;
}

static int set_up(void **state)
{
    (void)state;
    choice_init(&choice);
    for (unsigned i = 0; i < 3; i++) {
        char name[NAME_SIZE], text[20];
        struct hawser_addr addr;
        snprintf(name, sizeof name, "wan%u", i);
        snprintf(text, sizeof text, "198.18.0.%u", i + 1);
        assert_int_equal(hawser_addr_parse(&addr, text, 0), 0);
        assert_int_equal(choice_came(&choice, name, &addr, i), 0);
    }
    return 0;
}

static void who_says_nothing_wants_nothing(void **state)
{
    (void)state;
    const struct demands none = {.mptcp = false};
    assert_int_equal(read_text("{\"do\": \"door\"}"), 0);
    assert_memory_equal(&wishes.demands, &none, sizeof none);
    assert_int_equal(read_text("{\"uplinks\": [], \"backups\": [], \"require_mptcp\": false}"), 0);
    assert_memory_equal(&wishes.demands, &none, sizeof none);
}

static void names_are_harmless(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"program\": \"curl\"}"), 0);
    assert_string_equal(wishes.name, "curl");
    assert_int_equal(read_text("{\"program\": \"\\u001b[2J a\\n\\u00e9\"}"), 0);
    assert_string_equal(wishes.name, "?[2J?a???");
    assert_int_equal(read_text("{\"program\": \"0123456789abcdef0123456789abcdef\"}"), 0);
    assert_string_equal(wishes.name, "0123456789abcdef0123456789abcde");
    assert_int_equal(read_text("{\"program\": 7}"), 0);
    assert_string_equal(wishes.name, "");
}

static void uplinks_are_named(void **state)
{
    (void)state;
    assert_int_equal(
        read_text("{\"uplinks\": [\"wan0\", \"wan2\", \"wan0\"], \"backups\": [\"wan2\"], \"require_mptcp\": true}"),
        0);
    assert_int_equal(wishes.demands.only.count, 2);
    assert_string_equal(wishes.demands.only.at[1], "wan2");
    assert_int_equal(wishes.demands.backup.count, 1);
    assert_true(wishes.demands.mptcp);
    assert_int_equal(read_text("{\"backups\": [\"wan1\"]}"), 0);
    assert_int_equal(wishes.demands.only.count, 0);
}

static void ports_are_published(void **state)
{
    (void)state;
    assert_int_equal(read_text("{\"publish\": [[8080, 80], [65535, 1]]}"), 0);
    assert_int_equal(wishes.port_count, 2);
    assert_int_equal(wishes.ports[0].outside, 8080);
    assert_int_equal(wishes.ports[0].inside, 80);
    assert_int_equal(wishes.ports[1].outside, 65535);
    assert_int_equal(wishes.ports[1].inside, 1);
    char text[400] = "{\"publish\": [[1, 1]";
    for (unsigned i = 1; i < PROGRAM_PORTS; i++)
        strcat(text, ", [1, 1]");
    strcat(text, "]}");
    assert_int_equal(read_text(text), 0);
    strcpy(text + strlen(text) - 2, ", [1, 1]]}");
    assert_int_equal(read_text(text), -EINVAL);
    assert_non_null(strstr(why, "more than 16"));
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"{\"uplinks\": [\"wan9\"]}", "\"wan9\" is no uplink: there are wan0, wan1, wan2"},
        {"{\"backups\": [\"\"]}", "is no uplink"},
        {"{\"uplinks\": \"wan0\"}", "\"uplinks\" is a list"},
        {"{\"backups\": {\"wan0\": 1}}", "\"backups\" is a list"},
        {"{\"uplinks\": [0]}", "as a text"},
        {"{\"uplinks\": [[\"wan0\"]]}", "as a text"},
        {"{\"publish\": 80}", "\"publish\" is a list"},
        {"{\"publish\": [80]}", "a pair of numbers"},
        {"{\"publish\": [[80]]}", "a pair of numbers"},
        {"{\"publish\": [[80, 80, 80]]}", "a pair of numbers"},
        {"{\"publish\": [[0, 80]]}", "a pair of numbers"},
        {"{\"publish\": [[80, 65536]]}", "a pair of numbers"},
        {"{\"publish\": [[80, -1]]}", "a pair of numbers"},
        {"{\"publish\": [[\"80\", 80]]}", "a pair of numbers"},
        {"{\"publish\": [{\"80\": 80, \"81\": 81}]}", "a pair of numbers"},
        {"{\"uplinks\": [\"wan0\"], \"backups\": [\"wan1\"]}", "wan1 is a backup, and no uplink of this program"},
        {"{\"uplinks\": [\"a name that no interface can have, and that is too long to be told of\"]}", "is no uplink"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(read_text(texts[i][0]), -EINVAL);
        if (!strstr(why, texts[i][1]))
            fail_msg("%s: %s", texts[i][0], why);
    }
    choice_init(&choice);
    assert_int_equal(read_text("{\"uplinks\": [\"wan0\"]}"), -EINVAL);
    assert_non_null(strstr(why, "there is none now"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(who_says_nothing_wants_nothing, set_up),
        cmocka_unit_test_setup(names_are_harmless, set_up),
        cmocka_unit_test_setup(uplinks_are_named, set_up),
        cmocka_unit_test_setup(ports_are_published, set_up),
        cmocka_unit_test_setup(nonsense_is_refused, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
