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
#include "service/ss_text.h"

struct ss_options {
    const char *control;
    bool json, watch;
};

static const char usage[] =
    "usage: hawser ss [--json | --watch] [--control PATH]\n"
    "\n"
    "Lists the connections of this machine's service: who asked for what, by which door or program, how old it is, "
    "bytes\n"
    "out and in, and whether it is Multipath TCP or why it is not. Below each its paths: uplink, addresses, state, "
    "bytes\n"
    "out and in; round trip and its least, windows, what is in flight, bytes sent again, timeouts.\n"
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
    while ((option = command_next_option(argc, argv, ":h", long_options)) != -1) {
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
        json_t *page = control_ask(fd, json_pack("{s:s,s:b}", "do", "ss", "more", more), NULL, why, sizeof why);
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

/* What is in `text` takes the place of what a terminal shows. */
static void redraw(const char *text)
{
    fputs("\033[H", stdout);
    for (const char *end; (end = strchr(text, '\n')) != NULL; text = end + 1)
        printf("%.*s\033[K\n", (int)(end - text), text);
    fputs("\033[J", stdout);
}

/* One picture. Returns 0, or -1: nobody reads any more. */
static int show(const json_t *all, const json_t *before)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    if (!out)
        return -1;
    ss_text_print(out, all, before);
    fprintf(out, "%zu connection%s\n", json_array_size(all), json_array_size(all) == 1 ? "" : "s");
    fclose(out);
    if (isatty(STDOUT_FILENO))
        redraw(text);
    else
        fputs(text, stdout);
    free(text);
    return fflush(stdout);
}

/* Returns when the service ends, or nobody reads any more. */
static int watch(int fd)
{
    json_t *before = NULL, *all;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    while ((all = collect(fd)) != NULL) {
        int gone = show(all, before);
        json_decref(before);
        before = all;
        if (gone)
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
        ss_text_print(stdout, all, NULL);
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
