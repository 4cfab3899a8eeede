/* What the options of `hawser up` name of this host (apps/service/up_check.h): told by line and key, or by option. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "service/control_socket.h"
#include "service/up_check.h"

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n"

static char why[512], right[] = "/tmp/hawser-test-XXXXXX", config_path[] = "/tmp/hawser-test-XXXXXX";

static void fill(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* By a file with that text, in which "@" is the right key's or login's. */
static int check(struct up_options *o, const char *text)
{
    struct config config;
    char whole[512] = "";
    for (const char *c = text; *c; c++)
        snprintf(whole + strlen(whole), sizeof whole - strlen(whole), *c == '@' ? "%s" : "%.1s", *c == '@' ? right : c);
    fill(config_path, whole);
    why[0] = '\0';
    if (!config_read(&config, config_path, why, sizeof why))
        fail_msg("%s", why);
    up_options_complete(o, &config);
    int error = up_check_names(o, &config, config_path, why, sizeof why);
    config_free(&config);
    return error;
}

static void the_file_is_told_by_line_and_key(void **state)
{
    static const struct {
        const char *text;
        int error;
        const char *part;
    } all[] = {
        {"", 0, ""},
        {"group = \"no-such\"", -ENOENT, ":1: group: there is no group \"no-such\""},
        {"control = \"none\"\ngroup = \"no-such\"", 0, ""},
        {"[proxy]\nlogin = \"/nowhere\"", 0, ""}, /* nobody has to say it */
        {"[proxy]\nlogin = \"/nowhere\"\nhttp = [\"127.0.0.1:1\"]", -ENOENT, ":2: login: /nowhere: No such file"},
        {"[proxy]\nhttp = [\"127.0.0.1:1\"]\nlogin = \"/dev/null\"", -EBADMSG,
         ":3: login: /dev/null: not USER:PASSWORD"},
        {"[upstream]\nkey = \"/nowhere\"", 0, ""},
        {"[upstream]\nserver = \"a:1\"\nkey = \"@\"", 0, ""},
        {"[upstream]\nserve = \"127.0.0.1:1\"\nserver = \"a:1\"\n\nkey = \"@\"", 0, ""},
        {"[upstream]\nserver = \"a:1\"\n\nkey = \"/nowhere\"", -ENOENT, ":4: key: /nowhere: No such file"},
        {"[upstream]\nserve = \"127.0.0.1:1\"\nkey = \"/dev/null\"", -EBADMSG, ":3: key: /dev/null: no key"},
        {"[upstream]\nserver = \"a:1\"\ncertificate = \"/nowhere\"\nprivate-key = \"/x\"", -ENOENT,
         ":3: certificate: /nowhere: No such file"},
        {"[upstream]\nserver = \"a:1\"\nprivate-key = \"/x\"\ncertificate = \"@\"", -EBADMSG,
         "certificate: /tmp/hawser-test-"},
        {"[[door]]\ndev = \"d0\"\npcap = \"@\"\n[[door]]\ndev = \"d1\"\n\npcap = \"/nowhere/x\"", -ENOENT,
         ":7: pcap: cannot write the capture /nowhere/x: No such file"},
        {"[[uplink]]\ndev = \"u0\"\naddr = [\"192.0.2.1/24\"]\npcap = \"/tmp\"", -EISDIR,
         ":4: pcap: cannot write the capture /tmp: Is a directory"},
        {"[[door]]\ndev = \"d0\"\npcap = \"@/x\"", -ENOTDIR, ":3: pcap: cannot write the capture /tmp/hawser-test-"},
        {"[[door]]\ndev = \"d0\"\npcap = \"/tmp/hawser-no-such\"", 0, ""},
        {"[[door]]\ndev = \"d0\"\npcap = \"/run/hawser/b\"", 0, ""}, /* which the start makes */
    };
    (void)state;
    fill(right, KEY);
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct up_options o = {.verbose = false};
        int error = check(&o, all[i].text);
        if (error != all[i].error || !strstr(why, all[i].part) || strchr(why, '\n') ||
            (error && strncmp(why, config_path, strlen(config_path)) != 0))
            fail_msg("%s\n  is told: %d, %s", all[i].text, error, why);
    }
}

/* Who asks the service knows the environment, and not the file. */
static void the_environment_goes_before_the_file(void **state)
{
    static const char file[] = "control = \"none\"\ngroup = \"no-such\"";
    struct up_options o = {.verbose = false}, told = {.control = "/told"}, untold = o;
    (void)state;
    assert_int_equal(setenv("HAWSER_CONTROL", "/there", 1), 0);
    int error = check(&o, file);
    assert_string_equal(control_path(o.control), "/there");
    assert_int_equal(check(&told, "control = \"/file\""), 0);
    assert_string_equal(control_path(told.control), "/told");
    assert_int_equal(setenv("HAWSER_CONTROL", "", 1), 0); /* says nothing */
    assert_int_equal(check(&untold, file), 0);
    unsetenv("HAWSER_CONTROL");
    assert_int_equal(error, -ENOENT);
}

static void the_command_line_is_told_by_option(void **state)
{
    static const struct {
        struct up_options o;
        int error;
        const char *part;
    } all[] = {
        {{.group = "no-such"}, -ENOENT, "--group: there is no group \"no-such\""},
        {{.control = "none", .group = "no-such"}, 0, ""},
        {{.proxies = {.ports = {{.local = "127.0.0.1:1"}}, .count = 1, .login_path = "/nowhere"}},
         -ENOENT,
         "--proxy-login: /nowhere"},
        {{.proxies = {.upstream = {.server = "a:1", .key = "/nowhere"}}}, -ENOENT, "--key: /nowhere: No such file"},
        {{.proxies = {.upstream = {.serve = "127.0.0.1:1", .key = "/dev/null"}}}, -EINVAL, "--key: /dev/null: no key"},
        {{.proxies = {.upstream = {.key = right}}}, 0, ""}, /* in place of the file's */
        {{.doors = {{.spec = "tun,dev=d0,pcap=/nowhere/x,nogso"}}, .door_count = 1},
         -ENOENT,
         "--door: cannot write the capture /nowhere/x: No such file"},
        {{.uplinks = {"tun,dev=u0,addr=192.0.2.1/24,pcap=/proc/none/x"}, .uplink_count = 1},
         -ENOENT,
         "--uplink: cannot write the capture /proc/none/x: No such file"},
    };
    static const char text[] = "group = \"root\"\n[upstream]\nserver = \"b:1\"\nkey = \"/elsewhere\"\n"
                               "[[door]]\ndev = \"d1\"\npcap = \"/tmp/hawser-no-such\"";
    (void)state;
    fill(right, KEY);
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct up_options o = all[i].o;
        if (!o.proxies.upstream.key)
            o.proxies.upstream.key = right;
        int error = check(&o, text);
        if (error != all[i].error || strncmp(why, all[i].part, strlen(all[i].part)) != 0 || strchr(why, '\n'))
            fail_msg("line %zu is told: %d, %s", i, error, why);
    }
    struct up_options alone = all[0].o;
    assert_int_equal(up_check_names(&alone, NULL, NULL, why, sizeof why), -ENOENT);
}

/* Who is no root can be nobody else; in either case it is told. */
static void users(void **state)
{
    struct up_options o = {.verbose = false}, told = {.user = "no-such"};
    (void)state;
    assert_true(check(&o, "\nuser = \"no-such\"") < 0);
    assert_non_null(strstr(why, ":2: user: cannot become the user \"no-such\": "));
    assert_true(check(&told, "user = \"root\"") < 0);
    assert_ptr_equal(strstr(why, "--user: cannot become the user \"no-such\": "), why);
    o = (struct up_options){.user = "root"};
    assert_int_equal(check(&o, "user = \"no-such\"") == 0, geteuid() == 0);
}

/* One that everybody may read is none of a key's, or of a login's. */
static void secrets(void **state)
{
    struct up_options o = {.verbose = false};
    (void)state;
    fill(right, "user:password\n");
    assert_int_equal(check(&o, "[proxy]\nsocks = [\"127.0.0.1:1\"]\nlogin = \"@\""), 0);
    assert_int_equal(chmod(right, 0644), 0);
    o = (struct up_options){.verbose = false};
    assert_int_equal(check(&o, "[proxy]\nsocks = [\"127.0.0.1:1\"]\nlogin = \"@\""), -EPERM);
    assert_non_null(strstr(why, ":3: login: "));
    assert_non_null(strstr(why, "everybody may read it"));
    fill(right, KEY);
    o = (struct up_options){.verbose = false};
    assert_int_equal(check(&o, "[upstream]\nserver = \"a:1\"\nkey = \"@\""), -EPERM);
    assert_non_null(strstr(why, ":3: key: "));
    assert_int_equal(chmod(right, 0600), 0);
}

/* As from <(pass show hawser): what is looked at is still there for who uses it. */
static void pipes_are_left_alone(void **state)
{
    int fds[2];
    char path[32], bytes[sizeof KEY];
    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], KEY, strlen(KEY)), strlen(KEY));
    close(fds[1]);
    snprintf(path, sizeof path, "/dev/fd/%d", fds[0]);
    struct up_options o = {.proxies = {.ports = {{.local = "127.0.0.1:1"}}, .count = 1, .login_path = path}};
    o.proxies.upstream = (struct upstream_words){.serve = "127.0.0.1:1", .server = "a:1", .key = path};
    assert_int_equal(check(&o, ""), 0);
    assert_int_equal(read(fds[0], bytes, sizeof bytes), strlen(KEY));
    close(fds[0]);
}

static int make_files(void **state)
{
    int fds[] = {mkstemp(right), mkstemp(config_path)};
    (void)state;
    unsetenv("HAWSER_CONTROL");
    for (size_t i = 0; i < HW_ARRAY_LEN(fds); i++) {
        if (fds[i] < 0)
            return -1;
        close(fds[i]);
    }
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    return unlink(right) | unlink(config_path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_told_by_line_and_key),
        cmocka_unit_test(the_environment_goes_before_the_file),
        cmocka_unit_test(the_command_line_is_told_by_option),
        cmocka_unit_test(users),
        cmocka_unit_test(secrets),
        cmocka_unit_test(pipes_are_left_alone),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
