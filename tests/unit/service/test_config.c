/* The configuration (apps/service/config.h): what is taken, what is refused and how, and that its documents name every
 * key. Runs at the top of the source tree. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/config.h"
#include "service/up_options.h"

static char why[1024];

/* Reads this text as a file. */
static bool takes(struct config *config, const char *text)
{
    char path[] = "/tmp/hawser-test-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    why[0] = '\0';
    bool good = config_read(config, path, why, sizeof why);
    unlink(path);
    return good;
}

static void nothing_is_a_configuration(void **state)
{
    struct config config;
    (void)state;
    assert_true(takes(&config, ""));
    assert_true(!config.scheduler && !config.manager && !config.control && !config.no_mptcp);
    assert_int_equal(config.door_count + config.uplink_count + config.exclude.count + config.first.count, 0);
    config_free(&config);
    assert_true(takes(&config, "# nothing\n[uplinks]\n"));
    config_free(&config);
}

static void all_keys(void **state)
{
    struct config config;
    (void)state;
    assert_true(takes(
        &config, "scheduler = \"redundant\"\npath-manager = \"backup\"\ncongestion = \"reno\"\n"
                 "mptcp = false\ncontrol = \"/x/y\"\ngroup = \"g\"\nuser = \"u\"\n"
                 "[uplinks]\nbackup = [\"up0\"]\nfirst = [\"share\", \"10.0.0.0/8=up0\"]\n"
                 "[[door]]\ndev = \"door0\"\n[[door]]\ndev = \"door1\"\nmtu = 1400\ngso = false\n"
                 "[[door]]\ninterface = \"lan0\"\n[[door]]\ninterface = \"enx0050b6a1b2c3\"\nwhen-down = \"closed\"\n"
                 "mtu = 9000\n"
                 "[proxy]\nsocks = [\"127.0.0.1:1\", \"[::1]:2\"]\nhttp = [\"127.0.0.1:1\"]\nlogin = \"/l\"\n"
                 "[upstream]\nserver = \"a.b:3\"\nserve = \"10.0.0.1:4\"\nkey = \"/k\"\n"
                 "[[uplink]]\ndev = \"up0\"\naddr = [\"198.18.0.1/24\", \"fd00::1/64\"]\npcap = \"/p\"\n"));
    assert_ptr_equal(config.scheduler, hawser_scheduler_find("redundant"));
    assert_ptr_equal(config.manager, hawser_path_manager_find("backup"));
    assert_string_equal(config.congestion, "reno");
    assert_string_equal(config.control, "/x/y");
    assert_true(config.no_mptcp && strcmp(config.group, "g") == 0 && strcmp(config.user, "u") == 0);
    assert_int_equal(config.backup.count, 1);
    assert_string_equal(config.backup.at[0], "up0");
    assert_int_equal(config.first.count, 2);
    assert_int_equal(config.door_count, 4);
    assert_string_equal(config.doors[2].spec, "tun,dev=hawser+lan0");
    assert_string_equal(config.doors[3].spec, "tun,dev=hawser+b6a1b2c3,mtu=9000");
    assert_string_equal(config.doors[0].spec, "tun,dev=door0");
    assert_string_equal(config.doors[1].spec, "tun,dev=door1,mtu=1400,nogso");
    struct up_options options = {.verbose = false};
    up_options_complete(&options, &config);
    assert_int_equal(options.door_count, 4);
    assert_string_equal(options.doors[1].interface, "");
    assert_string_equal(options.doors[2].interface, "lan0");
    assert_false(options.doors[2].fails_closed);
    assert_string_equal(options.doors[3].interface, "enx0050b6a1b2c3");
    assert_true(options.doors[3].fails_closed);
    assert_int_equal(options.proxies.count, 2); /* one speaks both */
    assert_string_equal(options.proxies.ports[1].local, "[::1]:2");
    assert_string_equal(options.proxies.login_path, "/l");
    assert_string_equal(options.proxies.upstream.server, "a.b:3");
    assert_string_equal(options.proxies.upstream.serve, "10.0.0.1:4");
    assert_string_equal(options.proxies.upstream.key, "/k");
    assert_int_equal(config.uplink_count, 1);
    assert_string_equal(config.uplinks[0].spec, "tun,dev=up0,addr=198.18.0.1/24,addr=fd00::1/64,pcap=/p");
    config_free(&config);
    assert_true(takes(&config, "[uplinks]\nexclude = [\"a\", \"b\"]\nallow = [\"c\"]\n"
                               "[[publish]]\nport = 80\nto = \"10.0.0.5\"\nproxy-protocol = true\n"));
    assert_int_equal(config.exclude.count, 2);
    assert_string_equal(config.exclude.at[1], "b");
    assert_string_equal(config.allow.at[0], "c");
    assert_string_equal(config.published[0].text, "80,to=10.0.0.5,proxy-protocol");
    options = (struct up_options){.uplinks = {"tun,dev=up0,addr=10.0.0.1/8"}, .uplink_count = 1};
    up_options_complete(&options, &config);
    assert_int_equal(options.allowed_count + options.excluded_count, 0); /* they say which are found */
    assert_int_equal(up_options_check(&options, why, sizeof why), -EINVAL);
    assert_non_null(strstr(why, "--publish is for uplinks that are found"));
    config_free(&config);
}

#define NAMED "[[uplink]]\ndev = \"a\"\naddr = [\"10.0.0.1/8\"]\n"

/* A line of the file, and what is said of it. */
struct wrong {
    const char *text;
    unsigned line;
    const char *part;
};

static void all_are_told(const struct wrong *bad, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct config config;
        char line[16];
        assert_false(takes(&config, bad[i].text));
        snprintf(line, sizeof line, ":%u: ", bad[i].line);
        if (!strstr(why, line) || !strstr(why, bad[i].part) || strchr(why, '\n'))
            fail_msg("%s\n  is told: %s", bad[i].text, why);
        config_free(&config);
    }
}

static void what_is_wrong_is_said(void **state)
{
    static const struct wrong bad[] = {
        {"[proxy]\nsocks = \"127.0.0.1:1080\"", 2, "socks is a list of addresses with ports"},
        {"[proxy]\nhttp = [\"localhost:1080\"]", 2, "http is a list of addresses with ports"},
        {"[proxy]\nlogin = \"\"", 2, "login is the name of a file"},
        {"[upstream]\nserver = \"a\"", 2, "server is a host and a port"},
        {"[upstream]\nkey = \"k\"\nserve = \"a:1\"", 3, "serve is an address and a port"},
        {"[upstream]\nserver = \"a:1\"", 1, "key is missing"},
        {"[upstream]\nserver = \"a:1\"\ncertificate = \"c\"", 3, "certificate and private-key go together"},
        {"[upstream]\nserver = \"a:1\"\ncertificate = \"c\"\nprivate-key = \"p\"\nkey = \"k\"", 5,
         "leave the other out"},
        {"[upstream]\nserve = \"1.2.3.4:1\"\ncertificate = \"c\"\nprivate-key = \"p\"", 1, "client-ca is missing"},
        {"[upstream]\nserve = \"1.2.3.4:1\"\nkey = \"k\"\nclient-ca = \"c\"", 4, "client-ca is for"},
        {"[upstream]\nserver = \"a:1\"\nkey = \"k\"\nca = \"c\"", 4, "ca and server-name are for"},
        {"[upstream]\nserver = \"a:1\"\nkey = \"k\"\nserver-name = \"c\"", 4, "ca and server-name are for"},
        {"[upstream]\nserver-name = \"\"", 2, "server-name is a name or an address"},
        {"x = 1", 1,
         "unknown key \"x\"; allowed: scheduler, path-manager, congestion, mptcp, control, group, user, "
         "uplinks, uplink, door"},
        {"\n\nscheduler = \"fast\"", 3, "scheduler is \"lowest-rtt\" or \"redundant\""},
        {"scheduler = 1", 1, "scheduler is"},
        {"path-manager = \"x\"", 1, "\"fullmesh\""},
        {"congestion = \"vegas\"", 1, "\"cubic\", \"reno\" or \"bbr\""},
        {"mptcp = \"yes\"", 1, "true, or false"},
        {"control = \"\"", 1, "control is a path"},
        {"group = 5", 1, "group is the name"},
        {"user = [\"a\"]", 1, "user is the name"},
        {"uplinks = 1", 1, "\"uplinks\" must be a table"},
        {"[uplinks]\nexclude = \"a\"", 2, "exclude is a list"},
        {"[uplinks]\nexclude = [\"a\", 1]", 2, "exclude is a list"},
        {"[uplinks]\n\nfirst = [\"nearest\"]", 3, "first: "},
        {"[uplinks]\nbackup = [\"a name of 16 xyz\"]", 2, "cannot be the name of an interface"},
        {"[uplinks]\nbackup = [\"a/b\"]", 2, "backup: \"a/b\" cannot be the name of an interface"},
        {"[uplinks]\nallow = [\n\"a/b\"]", 3, "allow: \"a/b\" cannot be the name of an interface"},
        {"[uplinks]\nallow = [\"a name of 16 xyz\"]", 2, "cannot be the name of an interface"},
        {"[uplinks]\nexclude = [\"\"]", 2, "exclude: \"\" cannot be the name of an interface"},
        {"[uplinks]\nfirst = [\"10.0.0.0/8=a/b\"]", 2, "first: \"10.0.0.0/8=a/b\""},
        {"[uplinks]\nexclude = [\"b\", \"a\"]\nallow = [\"a\"]", 2, "exclude: \"a\" is in allow, too"},
        {"[programs]\npublish = [\"0\"]", 2, "no port from 1 to 65535"},
        {"[programs]\npublish = 80", 2, "publish is a list of ports"},
        {"[uplinks]\nforbid = []", 2, "allowed: allow, backup, exclude, first"},
        {"[[uplinks]]", 1, "must be a table"},
        {"[door]\ndev = \"a\"", 1, "write [[door]]"},
        {"door = [1]", 1, "must be a table"},
        {"scheduler = \"redundant\"\nscheduler = \"redundant\"", 2, ""},
        {"a = [", 1, ""},
    };
    (void)state;
    all_are_told(bad, HW_ARRAY_LEN(bad));
    struct config config;
    assert_false(config_read(&config, "/nowhere/hawser.toml", why, sizeof why));
    assert_string_equal(why, "/nowhere/hawser.toml: No such file or directory");
    config_free(&config);
}

static void what_is_wrong_of_devices_and_ports_is_said(void **state)
{
    static const struct wrong bad[] = {
        {"[[door]]\nmtu = 1500", 1, "dev is missing"},
        {"[[door]]\ndev = \"a/b\"", 2, "dev is the name of a device"},
        {"[[door]]\n\ndev = \"tun%d\"", 3, "dev is the name of a device"},
        {"[[door]]\ndev = \"a,addr=1.2.3.4/8\"", 2, "dev is the name of a device"},
        {"[[door]]\ndev = \"abcdefghijklmnop\"", 2, "at most 15"},
        {"[[door]]\ndev = \"a\"\nmtu = 100", 3, "mtu is a number from 1280 to 65535"},
        {"[[door]]\ndev = \"a\"\nmtu = 0", 3, "mtu is a number from 1280 to 65535"},
        {"[[door]]\ndev = \"a\"\nmtu = -1", 3, "1280 to 65535"},
        {"[[door]]\ndev = \"a\"\naddr = [\"10.0.0.1/8\"]", 3, "unknown key \"addr\""},
        {"[[door]]\ndev = \"a\"\ninterface = \"b\"", 3, "leave one out"},
        {"[[door]]\ndev = \"a\"\nwhen-down = \"closed\"", 3, "interface = \"lan0\""},
        {"[[door]]\ninterface = 1", 2, "interface is the name"},
        {"[[door]]\n\ninterface = \"lo\"", 3, "hawser run"},
        {"[[door]]\ninterface = \"up0\"", 2, "a device of Hawser"},
        {"[[door]]\ninterface = \"lan0\"\nwhen-down = \"open\"", 3, "when-down is \"direct\" or \"closed\""},
        {"[[publish]]\n\n\nport = 99999", 4, "port is a number from 1 to 65535"},
        {"[[publish]]\nport = 0", 2, "port is a number from 1 to 65535"},
        {"[[publish]]\n\nto = \"10.0.0.1:80\"", 1, "port is missing"},
        {"[[publish]]\nport = 80\nto = \"nobody\"", 3, "to is a server's address"},
        {"[[publish]]\nport = 80\nto = \"10.0.0.1,proxy-protocol\"", 3, "to is a server's address"},
        {"[[publish]]\nport = 80\nproxy-protocol = 2", 3, "proxy-protocol is true or false"},
        {"[[uplink]]\ndev = \"a\"", 1, "addr is missing"},
        {"[[uplink]]\ndev = \"a\"\n\naddr = []", 4, "addr is missing"},
        {NAMED "\nmtu = 7", 5, "mtu is a number from 1280 to 65535"},
        {NAMED "pcap = \"\"", 4, "pcap is the name of a file"},
        {NAMED "pcap = \"a,b\"", 4, "pcap is the name of a file, without commas"},
        {"[[uplink]]\ndev = \"a\"\naddr = [\"10.0.0.1/8\"]\n[[uplink]]\ndev = \"a\"\naddr = [\"10.0.0.2/8\"]", 5,
         "two uplinks have the device a"},
        {"[[uplink]]\ndev = \"a\"\naddr = [\"10.0.0.1/8\"]\n[[uplink]]\ndev = \"b\"\naddr = [\"10.0.0.1/8\"]", 6,
         "a and b both have the address 10.0.0.1"},
        {"[[uplink]]\ndev = \"a\"\naddr = [\"10.0.0.1\"]", 3, "addr: \"10.0.0.1\" is no address"},
        {"[[uplink]]\ndev = \"a\"\naddr = [\n\"10.0.0.1/8\",\n\"127.0.0.1/8\"]", 5, "addr: \"127.0.0.1/8\" is no"},
        {"[[uplink]]\ndev = \"a\"\naddr = [\n\"10.0.0.1/8\",\n\"10.0.0.1/9\"]", 5, "there twice"},
        {"[[uplink]]\ndev = \"a\"\naddr = [\"none\"]", 3, "addr: \"none\" is no address"},
        {"[[uplink]]\ndev = \"a\"\naddr = \"10.0.0.1/8\"", 3, "addr is a list"},
    };
    (void)state;
    all_are_told(bad, HW_ARRAY_LEN(bad));
}

static void what_does_not_fit_together_is_said(void **state)
{
    static const struct wrong bad[] = {
        {NAMED "[uplinks]\nbackup = [\n\"a\",\n\"x\"]", 7, "backup: no [[uplink]] has dev = \"x\""},
        {"[uplinks]\nfirst = [\"10.0.0.0/8=x\"]\n" NAMED, 2, "first: no [[uplink]] has dev = \"x\""},
        {NAMED "[uplinks]\nexclude = [\"e\"]", 5, "exclude is for uplinks that are found"},
        {NAMED "[uplinks]\nallow = []", 5, "allow is for uplinks that are found"},
        {NAMED "[[publish]]\nport = 80", 4, "[[publish]] is for uplinks that are found"},
        {"publish = []\n" NAMED "[uplinks]\nallow = []", 6, "allow is for uplinks that are found"},
        {NAMED "[[door]]\ndev = \"a\"", 5, "an [[uplink]] has dev = \"a\""},
        {NAMED "[[door]]\ninterface = \"a\"", 5, "an [[uplink]] has dev = \"a\""},
        {"[[door]]\ndev = \"b\"\n[[door]]\ndev = \"b\"", 4, "has dev = \"b\" already"},
        {"[[door]]\ninterface = \"b\"\n[[door]]\ninterface = \"b\"", 4, "has interface = \"b\" already"},
        {"[[publish]]\nport = 80\n[[publish]]\nport = 443\n[[publish]]\nport = 80", 6, "port 80 is published above"},
    };
    (void)state;
    all_are_told(bad, HW_ARRAY_LEN(bad));
}

static void tables_are_bounded(void **state)
{
    struct config config;
    char text[8192] = "";
    (void)state;
    for (unsigned i = 0; i < CONFIG_LINKS; i++)
        sprintf(text + strlen(text), "[[door]]\ndev = \"d%u\"\n", i);
    assert_true(takes(&config, text));
    config_free(&config);
    strcat(text, "[[door]]\ndev = \"more\"\n");
    assert_false(takes(&config, text));
    assert_non_null(strstr(why, ":33: more than 16 of [[door]]"));
    config_free(&config);
    strcpy(text, "[uplinks]\nexclude = [");
    for (unsigned i = 0; i <= CONFIG_TEXTS; i++)
        strcat(text, "\"a\",");
    strcat(text, "]");
    assert_false(takes(&config, text));
    assert_non_null(strstr(why, "more than 256"));
    config_free(&config);
}

/* None is left out silently. */
static void so_is_what_the_service_can_do(void **state)
{
    struct config config;
    char text[8192] = "[uplinks]\nexclude = [";
    (void)state;
    for (unsigned i = 0; i <= CONFIG_INTERFACES; i++)
        strcat(text, "\"a\",");
    strcat(text, "]");
    assert_false(takes(&config, text));
    assert_non_null(strstr(why, ":2: exclude: more than 48"));
    config_free(&config);
    strcpy(text, "[proxy]\nsocks = [\"127.0.0.1:1\"]\nhttp = [");
    for (unsigned i = 1; i <= PROXIES_MAX; i++)
        sprintf(text + strlen(text), "\"127.0.0.1:%u\",", i);
    strcat(text, "]");
    assert_true(takes(&config, text));
    config_free(&config);
    strcpy(strrchr(text, ']'), "\"127.0.0.1:100\"]");
    assert_false(takes(&config, text));
    assert_non_null(strstr(why, ":3: more than 16 local ports"));
    config_free(&config);
}

/* What the command line says stands. */
static void the_command_line_goes_before(void **state)
{
    struct config config;
    struct up_options o = {.control = "here", .doors = {{.spec = "tun,dev=a"}}, .door_count = 1};
    (void)state;
    assert_true(takes(&config, "control = \"there\"\nscheduler = \"redundant\"\nmptcp = false\nuser = \"u\"\n"
                               "[uplinks]\nexclude = [\"x\"]\nallow = [\"a\"]\nbackup = [\"b\"]\nfirst = "
                               "[\"share\"]\n[[door]]\ndev = \"b\"\n"));
    up_options_complete(&o, &config);
    assert_string_equal(o.control, "here");
    assert_string_equal(o.user, "u");
    assert_ptr_equal(o.scheduler, hawser_scheduler_find("redundant"));
    assert_int_equal(o.door_count, 1);
    assert_string_equal(o.doors[0].spec, "tun,dev=a");
    assert_string_equal(o.excluded[0], "x");
    assert_null(o.excluded[o.excluded_count]);
    assert_string_equal(o.allowed[0], "a");
    assert_null(o.allowed[o.allowed_count]);
    assert_int_equal(o.backup_count, 1);
    assert_string_equal(o.backups[0], "b");
    assert_string_equal(o.first[0], "share");
    assert_true(o.no_mptcp);
    o = (struct up_options){.excluded = {"y"},
                            .excluded_count = 1,
                            .allowed = {"z"},
                            .allowed_count = 1,
                            .backups = {"c"},
                            .backup_count = 1};
    up_options_complete(&o, &config);
    assert_int_equal(o.excluded_count, 1);
    assert_int_equal(o.allowed_count, 1);
    assert_string_equal(o.backups[0], "c");
    assert_string_equal(o.doors[0].spec, "tun,dev=b");
    config_free(&config);
}

/* As it was said last. */
static void mptcp_is_spoken_or_not(void **state)
{
    static const struct {
        const char *text, *words[2];
        bool no_mptcp;
    } all[] = {
        {"", {NULL}, false},
        {"", {"--tcp"}, true},
        {"mptcp = false", {NULL}, true},
        {"mptcp = false", {"--mptcp"}, false},
        {"mptcp = false", {"--mptcp", "--tcp"}, true},
        {"mptcp = false", {"--tcp", "--mptcp"}, false},
        {"mptcp = true", {"--tcp"}, true},
    };
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++) {
        struct config config;
        struct up_options o;
        char words[2][16], *argv[] = {(char[]){"up"}, words[0], words[1], NULL};
        int argc = 1;
        for (; argc < 3 && all[i].words[argc - 1]; argc++)
            strcpy(words[argc - 1], all[i].words[argc - 1]);
        argv[argc] = NULL;
        optind = 0; /* begin anew */
        assert_int_equal(up_options_read(&o, argc, argv), -1);
        assert_true(takes(&config, all[i].text));
        up_options_complete(&o, &config);
        assert_int_equal(o.no_mptcp, all[i].no_mptcp);
        config_free(&config);
    }
}

#define UP0 "tun,dev=up0,addr=198.18.0.1/24"
#define UP1 "tun,dev=up1,addr=198.18.1.1/24"

/* What is said of uplinks, wherever; NULL: it goes together. */
static void what_names_an_uplink_finds_it(void **state)
{
    static const struct {
        struct up_options o;
        const char *part;
    } all[] = {
        {{.verbose = false}, NULL},
        {{.backups = {"wwan0"}, .backup_count = 1, .first = {"192.0.2.0/24=wan1"}, .first_count = 1}, NULL},
        {{.uplinks = {UP0, UP1}, .uplink_count = 2, .backups = {"up1"}, .backup_count = 1}, NULL},
        {{.uplinks = {UP0, UP1}, .uplink_count = 2, .first = {"share", "10.0.0.0/8=up1"}, .first_count = 2}, NULL},
        {{.uplinks = {UP0}, .uplink_count = 1, .backups = {"up1"}, .backup_count = 1},
         "--backup: no --uplink has dev=up1"},
        {{.uplinks = {UP0}, .uplink_count = 1, .first = {"10.0.0.0/8=up1"}, .first_count = 1},
         "--first-uplink: no --uplink has dev=up1"},
        {{.uplinks = {UP0, UP0}, .uplink_count = 2}, "two uplinks have the device up0"},
        {{.uplinks = {"tun"}, .uplink_count = 1}, "--uplink tun: "},
        {{.uplinks = {UP0}, .uplink_count = 1, .allowed = {"a"}, .allowed_count = 1}, "--allow is for"},
        {{.uplinks = {UP0}, .uplink_count = 1, .excluded = {"a"}, .excluded_count = 1}, "--exclude is for"},
        {{.uplinks = {UP0}, .uplink_count = 1, .published_count = 1}, "--publish is for uplinks that are found"},
        {{.first = {"nearest"}, .first_count = 1}, "--first-uplink \"nearest\""},
        {{.doors = {{.spec = "tun,dev=a"}, {.interface = "b"}}, .door_count = 2}, NULL},
        {{.doors = {{.spec = "tun,dev=a"}, {.spec = "tun,dev=a,mtu=1400"}}, .door_count = 2}, "door a: another door"},
        {{.doors = {{.interface = "xabcdefghi"}, {.interface = "yabcdefghi"}}, .door_count = 2},
         "door yabcdefghi: another door has the same device"},
        {{.uplinks = {UP0}, .uplink_count = 1, .doors = {{.spec = "tun,dev=up0"}}, .door_count = 1},
         "door up0: it is an uplink, too"},
        {{.uplinks = {"tun,dev=a,addr=10.0.0.1/8"}, .uplink_count = 1, .doors = {{.interface = "a"}}, .door_count = 1},
         "door a: it is an uplink, too"},
        {{.published = {{.port = 80}, {.port = 443}}, .published_count = 2}, NULL},
        {{.published = {{.port = 80}, {.port = 443}, {.port = 80}}, .published_count = 3}, "port 80 is there twice"},
        {{.allowed = {"a/b"}, .allowed_count = 1}, "--allow \"a/b\": it cannot be the name of an interface"},
        {{.excluded = {"b", ""}, .excluded_count = 2}, "--exclude \"\": it cannot be the name of an interface"},
        {{.allowed = {"a", "b"}, .allowed_count = 2, .excluded = {"c", "b"}, .excluded_count = 2}, "both name b"},
        {{.backups = {"a name of 16 xyz"}, .backup_count = 1}, "cannot be the name of an interface"},
    };
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++) {
        why[0] = '\0';
        int error = up_options_check(&all[i].o, why, sizeof why);
        if ((error == 0) != !all[i].part || !strstr(why, all[i].part ? all[i].part : "") || strchr(why, '\n'))
            fail_msg("the line %zu: %d, as: %s", i, error, why);
    }
}

/* Unless some are named; and who only is upstream wants none. */
static void uplinks_are_found(void **state)
{
    struct up_options o = {.verbose = false};
    (void)state;
    assert_true(up_options_find_uplinks(&o));
    o.proxies.upstream.serve = "192.0.2.1:8443";
    assert_false(up_options_find_uplinks(&o));
    o.published_count = 1;
    assert_true(up_options_find_uplinks(&o));
    o.published_count = 0;
    o.door_count = 1;
    assert_true(up_options_find_uplinks(&o));
    o.uplinks[o.uplink_count++] = UP0;
    assert_false(up_options_find_uplinks(&o));
}

static void note(void *user, const char *key)
{
    strcat(user, key);
    strcat(user, " ");
}

static void differences_are_found(void **state)
{
    static const char *const pairs[][3] = {
        {"", "", ""},
        {"user = \"a\"", "user = \"a\"", ""},
        {"user = \"a\"", "user = \"b\"", "user "},
        {"user = \"a\"", "", "user "},
        {"", "mptcp = false", "mptcp "},
        {"[uplinks]\nexclude=[\"a\"]", "[uplinks]\nexclude=[\"a\", \"b\"]", "uplinks "},
        {"[[door]]\ndev = \"a\"", "[[door]]\ndev = \"a\"\nmtu = 1500", "door "},
    };
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(pairs); i++) {
        struct config a, b;
        char found[200] = "";
        assert_true(takes(&a, pairs[i][0]));
        assert_true(takes(&b, pairs[i][1]));
        config_compare(&a, &b, note, found);
        assert_string_equal(found, pairs[i][2]);
        config_free(&a);
        config_free(&b);
    }
}

static char *contents(const char *path)
{
    size_t len;
    char *text = toml_load(path, &len, why, sizeof why);
    if (!text)
        fail_msg("%s: %s", path, why);
    return text;
}

/* Does a line that begins so stand in a section with that head? Those begin with `mark`; no head: before the first one.
 * What is behind "#" counts. */
static bool has_line(const char *text, const char *mark, const char *head, const char *begin)
{
    bool inside = !*head;
    for (const char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        line += strspn(line, "# ");
        if (strncmp(line, mark, strlen(mark)) == 0)
            inside = *head && strncmp(line, head, strlen(head)) == 0;
        else if (inside && strncmp(line, begin, strlen(begin)) == 0)
            return true;
    }
    return false;
}

/* Every key stands where it belongs in the example, and in the manual page, whose macro for keys is Cm. */
static void documents_name_every_key(void **state)
{
    const struct config_section *section;
    char *example = contents("examples/hawser.toml"), *page = contents("docs/man/hawser.toml.5");
    (void)state;
    for (size_t i = 0; (section = config_section(i)) != NULL; i++) {
        char head[100] = "", head_in_page[120] = "", key[100], key_in_page[100];
        if (i) {
            snprintf(head, sizeof head, section->many ? "[[%s]]" : "[%s]", section->name);
            snprintf(head_in_page, sizeof head_in_page, ".Ss %s", head);
        }
        for (size_t k = 0; k < section->field_count; k++) {
            snprintf(key, sizeof key, "%s = ", section->fields[k].key);
            snprintf(key_in_page, sizeof key_in_page, ".It Cm %s\n", section->fields[k].key);
            if (!has_line(example, "[", head, key))
                fail_msg("%s%s is not in examples/hawser.toml", head, key);
            if (!has_line(page, ".Ss ", head_in_page, key_in_page))
                fail_msg("%s%s is not in docs/man/hawser.toml.5", head, key);
        }
    }
    free(example);
    free(page);
}

/* What stands behind "# " as an example is meant: of [[uplink]] or of all else, as these do not go together. */
static void uncomment(char *text, bool named)
{
    bool in_named = false;
    for (char *line = text; line; line = strchr(line, '\n')) {
        line += *line == '\n';
        size_t key = strspn(line + (*line == '#') * 2, "abcdefghijklmnopqrstuvwxyz-");
        if (strncmp(line, "# ", 2) != 0 || (line[2] != '[' && strncmp(line + 2 + key, " = ", 3) != 0))
            continue;
        if (line[2] == '[')
            in_named = strncmp(line, "# [[uplink]]", 12) == 0;
        if (in_named == named)
            memset(line, ' ', 2);
    }
}

/* The example is good as it stands, and with every example in it. */
static void the_example_is_good(void **state)
{
    struct config config;
    char *example = NULL;
    (void)state;
    for (int named = -1; named <= 1; named++) {
        free(example);
        example = contents("examples/hawser.toml");
        if (named >= 0)
            uncomment(example, named);
        if (!takes(&config, example))
            fail_msg("%s", why);
        if (named == 0) {
            assert_true(config.scheduler && config.manager && config.congestion && config.control && config.group);
            assert_true(config.user && config.door_count == 2 && config.exclude.count && config.first.count);
        }
        assert_int_equal(config.uplink_count, named == 1);
        config_free(&config);
    }
    free(example);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_a_configuration),    cmocka_unit_test(all_keys),
        cmocka_unit_test(what_is_wrong_is_said),         cmocka_unit_test(tables_are_bounded),
        cmocka_unit_test(so_is_what_the_service_can_do), cmocka_unit_test(the_command_line_goes_before),
        cmocka_unit_test(what_names_an_uplink_finds_it), cmocka_unit_test(uplinks_are_found),
        cmocka_unit_test(differences_are_found),         cmocka_unit_test(documents_name_every_key),
        cmocka_unit_test(the_example_is_good),           cmocka_unit_test(what_does_not_fit_together_is_said),
        cmocka_unit_test(mptcp_is_spoken_or_not),        cmocka_unit_test(what_is_wrong_of_devices_and_ports_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
