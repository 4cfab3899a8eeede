/* The command line of `hawser run` (apps/run/options.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <getopt.h>
#include <string.h>

#include "commands.h"
#include "run/options.h"

enum { WORDS = 40 };

static int read_line(struct run_options *o, const char *line)
{
    static char text[1000];
    static char *words[WORDS];
    int count = 0;
    strcpy(text, line);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
        words[count++] = word;
    words[count] = NULL;
    optind = 0;
    return run_options_read(o, count, words);
}

static void the_programs_words_are_its_own(void **state)
{
    (void)state;
    struct run_options o;
    assert_int_equal(read_line(&o, "run curl -v --help x"), -1);
    assert_string_equal(o.program[0], "curl");
    assert_string_equal(o.program[1], "-v");
    assert_string_equal(o.program[2], "--help");
    assert_false(o.no_quic || o.fallback);
    assert_int_equal(
        read_line(&o, "run --no-quic --host-loopback 5432 --host-loopback 1 --fallback --control /x -- -odd -a"), -1);
    assert_true(o.no_quic && o.fallback);
    assert_string_equal(o.control, "/x");
    assert_int_equal(o.loopback_count, 2);
    assert_int_equal(o.loopback_ports[0], 5432);
    assert_string_equal(o.program[0], "-odd");
    assert_int_equal(read_line(&o, "run --uplink wan0 --uplink wan1 --backup wan1 --require-mptcp x"), -1);
    assert_int_equal(o.uplink_count, 2);
    assert_string_equal(o.uplinks[1], "wan1");
    assert_int_equal(o.backup_count, 1);
    assert_string_equal(o.backups[0], "wan1");
    assert_true(o.require_mptcp);
    assert_int_equal(read_line(&o, "run --publish 8080:80 --publish 65535 x"), -1);
    assert_int_equal(o.port_count, 2);
    assert_int_equal(o.ports[0].outside, 8080);
    assert_int_equal(o.ports[0].inside, 80);
    assert_int_equal(o.ports[1].outside, 65535);
    assert_int_equal(o.ports[1].inside, 65535);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    struct run_options o;
    static const char *const lines[] = {
        "run",
        "run --",
        "run --no-quic",
        "run --frob x",
        "run -x y",
        "run --control",
        "run --host-loopback 0 x",
        "run --host-loopback 65536 x",
        "run --host-loopback +1 x",
        "run --host-loopback 1x x",
        "run --host-loopback 99999999999999999999 x",
        "run --uplink",
        "run --publish 0 x",
        "run --publish 80: x",
        "run --publish :80 x",
        "run --publish 80:65536 x",
        "run --publish 80:80:80 x",
        "run --publish 0x50 x",
        "run --publish -1 x",
        "run --publish 4294967297 x",
        "run --fallback --publish 80 x",
        "run --uplink= x",
        "run --backup= x",
        "run --fallback --uplink wan0 x",
        "run --fallback --backup wan0 x",
        "run --require-mptcp --fallback x",
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        assert_int_equal(read_line(&o, lines[i]), EXIT_USAGE);
    char line[1000] = "run";
    for (unsigned i = 0; i <= RUN_LOOPBACK_PORTS; i++)
        strcat(line, " --host-loopback 80");
    strcat(line, " x");
    assert_int_equal(read_line(&o, line), EXIT_USAGE);
    strcpy(line, "run");
    for (unsigned i = 0; i <= RUN_PORTS; i++)
        strcat(line, " --publish 80");
    strcat(line, " x");
    assert_int_equal(read_line(&o, line), EXIT_USAGE);
    strcpy(line, "run");
    for (unsigned i = 0; i <= RUN_UPLINKS; i++)
        strcat(line, " --uplink wan0");
    strcat(line, " x");
    assert_int_equal(read_line(&o, line), EXIT_USAGE);
    assert_int_equal(read_line(&o, "run --help"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_programs_words_are_its_own),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
