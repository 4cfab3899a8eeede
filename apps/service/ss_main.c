/* hawser ss: the connections of the service, and their paths. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "commands.h"
#include "service/control_socket.h"

struct ss_options {
    const char *control;
    bool json, watch;
};

static const char usage[] =
    "usage: hawser ss [--json | --watch] [--control PATH]\n"
    "\n"
    "Lists the connections of this machine's service: which program asked for what, or by which door, how old it is, "
    "bytes out and "
    "in,\n"
    "and whether it is Multipath TCP or why it is not; below each its paths: uplink, addresses, state, round trip, "
    "window,\n"
    "bytes out and in, bytes sent again.\n"
    "\n"
    "  --json          print a list of objects, with all there is (docs/CONTROL.md)\n"
    "  --watch         again each second, with rates, until it is interrupted\n"
    "  --control PATH  where the service listens; default $HAWSER_CONTROL or /run/hawser/control\n"
    "\n"
    "Exit status: 0, 1 when no service answers, 2 when the command line makes no sense.\n";

/* Returns an exit status, or -1 to go on. */
static int read_options(struct ss_options *o, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"control", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"watch", no_argument, NULL, 'w'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
        if (option == 'c')
            o->control = optarg;
        else if (option == 'j')
            o->json = true;
        else if (option == 'w')
            o->watch = true;
        else if (option == 'h')
            return fputs(usage, stdout) < 0;
        else if (option == ':')
            return command_misused("ss", "%s needs a value", argv[optind - 1]);
        else
            return command_misused("ss", "unknown option in \"%s\"", argv[optind - 1]);
    }
    if (optind < argc)
        return command_misused("ss", "\"%s\" is no option", argv[optind]);
    return o->json && o->watch ? command_misused("ss", "--json and --watch: choose one") : -1;
}

/* All pages as one list; NULL having said why not. */
static json_t *collect(int fd)
{
    char why[512];
    bool more = false;
    json_t *all = json_array();
    do {
        json_t *page =
            control_ask(fd, json_pack("{s:s,s:b}", "do", "ss", "more", more), NULL, 0, NULL, why, sizeof why);
        if (!page) {
            command_fail("ss", "%s", why);
            json_decref(all);
            return NULL;
        }
        json_array_extend(all, json_object_get(page, "connections"));
        more = json_is_true(json_object_get(page, "more"));
        json_decref(page);
    } while (more);
    return all;
}

static uint64_t number(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static const char *text(const json_t *object, const char *key, const char *otherwise)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : otherwise;
}

/* As a few characters: 950, 1.2k, 35M. */
static const char *amount(uint64_t value, char out[16])
{
    static const char units[] = " kMGTPE";
    double scaled = (double)value;
    size_t unit = 0;
    for (; scaled >= 999.5 && unit + 1 < sizeof units - 1; unit++)
        scaled /= 1000;
    if (unit == 0)
        snprintf(out, 16, "%u", (unsigned)value);
    else
        snprintf(out, 16, scaled < 9.95 ? "%.1f%c" : "%.0f%c", scaled, units[unit]);
    return out;
}

/* The object with the same "id" in another list, or NULL. Both lists are in the order of their IDs, so that a search
 * goes on where the last one ended. */
static const json_t *with_same_id(const json_t *list, size_t *from, const json_t *object)
{
    uint64_t id = number(object, "id");
    while (*from < json_array_size(list) && number(json_array_get(list, *from), "id") < id)
        ++*from;
    const json_t *found = json_array_get(list, *from);
    return found && number(found, "id") == id ? found : NULL;
}

static void print_amount(const json_t *now, const json_t *before, const char *key)
{
    char out[16], rate[16];
    if (before)
        printf(" %6s %5sbit/s", amount(number(now, key), out),
               amount((number(now, key) - number(before, key)) * 8, rate));
    else
        printf(" %6s", amount(number(now, key), out));
}

static void print_path(const json_t *path, const json_t *before)
{
    char out[16];
    printf("    %-10s %s", text(path, "uplink", "-"), text(path, "local", "?"));
    if (json_object_get(path, "outside"))
        printf(" (%s)", text(path, "outside", "?"));
    printf(" -> %s %s%s rtt %.1f ms, window %s", text(path, "remote", "?"), text(path, "state", "?"),
           json_is_true(json_object_get(path, "backup")) ? ", backup," : ",", (double)number(path, "rtt_us") / 1000,
           amount(number(path, "cwnd_bytes"), out));
    printf(", out");
    print_amount(path, before, "sent_bytes");
    printf(", in");
    print_amount(path, before, "recv_bytes");
    if (number(path, "retransmitted_bytes"))
        printf(", again %s", amount(number(path, "retransmitted_bytes"), out));
    putchar('\n');
}

static void print_connection(const json_t *connection, const json_t *before)
{
    char out[16];
    const json_t *path;
    size_t i, from = 0;
    uint64_t age_ms = number(connection, "age_ms");
    printf("%s -> %s  %s  %.1f s, out", text(connection, "client", "?"), text(connection, "destination", "?"),
           text(connection, "program", text(connection, "door", "-")), (double)age_ms / 1000);
    print_amount(connection, before, "out_bytes");
    printf(", in");
    print_amount(connection, before, "in_bytes");
    if (json_is_true(json_object_get(connection, "mptcp")))
        printf("  Multipath TCP");
    else if (json_object_get(connection, "plain_why"))
        printf("  TCP: %s", text(connection, "plain_why", "?"));
    if (number(connection, "reinjected_bytes"))
        printf(", elsewhere again %s", amount(number(connection, "reinjected_bytes"), out));
    putchar('\n');
    json_array_foreach(json_object_get(connection, "subflows"), i, path)
        print_path(path, before ? with_same_id(json_object_get(before, "subflows"), &from, path) : NULL);
}

static void print_all(const json_t *all, const json_t *before)
{
    const json_t *connection;
    size_t i, from = 0;
    json_array_foreach(all, i, connection)
        print_connection(connection, before ? with_same_id(before, &from, connection) : NULL);
}

/* Returns when the service ends, or nobody reads any more. */
static int watch(int fd)
{
    json_t *before = NULL, *all;
    struct timespec next;
    bool is_terminal = isatty(STDOUT_FILENO);
    clock_gettime(CLOCK_MONOTONIC, &next);
    while ((all = collect(fd)) != NULL) {
        if (is_terminal)
            fputs("\033[H\033[2J", stdout);
        print_all(all, before);
        printf("%zu connections\n", json_array_size(all));
        json_decref(before);
        before = all;
        if (fflush(stdout) != 0)
            break;
        next.tv_sec++;
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
    json_decref(before);
    return EXIT_FAILURE;
}

static int list_once(int fd, bool json)
{
    json_t *all = collect(fd);
    if (!all)
        return EXIT_FAILURE;
    if (json) {
        json_dumpf(all, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else {
        print_all(all, NULL);
    }
    json_decref(all);
    return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

int ss_main(int argc, char **argv)
{
    struct ss_options o = {.control = NULL};
    char why[512];
    int status = read_options(&o, argc, argv);
    if (status >= 0)
        return status;
    int fd = control_connect(control_path(o.control), why, sizeof why);
    if (fd < 0)
        return command_fail("ss", "%s", why);
    status = o.watch ? watch(fd) : list_once(fd, o.json);
    close(fd);
    return status;
}
