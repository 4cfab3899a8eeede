/* hawser status, hawser down, hawser reload: what the service is asked by one record. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "commands.h"
#include "service/control_socket.h"
#include "service/status_text.h"

enum { DOWN_PATIENCE_MS = 15000 };

struct asking {
    const char *name, *usage;
    const char *control;
    bool json;
};

static const char status_usage[] =
    "usage: hawser status [--json] [--control PATH]\n"
    "\n"
    "Says how the service of this machine is doing: its doors, ports and uplinks, and what it has carried.\n"
    "\n"
    "  --json          print all it says, counters included, as a JSON object (docs/CONTROL.md)\n"
    "  --control PATH  where it listens; default $HAWSER_CONTROL or /run/hawser/control\n"
    "\n"
    "Exit status: 0, 1 when no service answers, 2 when the command line makes no sense.\n";

static const char down_usage[] =
    "usage: hawser down [--control PATH]\n"
    "\n"
    "Ends the service of this machine, and waits until all that it set up is taken back: for root.\n"
    "\n"
    "  --control PATH  where it listens; default $HAWSER_CONTROL or /run/hawser/control\n"
    "\n"
    "Exit status: 0, 1 when it did not end, 2 when the command line makes no sense.\n";

static const char reload_usage[] =
    "usage: hawser reload [--control PATH]\n"
    "\n"
    "Has the service of this machine read its configuration again: for root. A scheduler, a path manager, whether\n"
    "MPTCP is spoken, backups and who is first hold for new connections from then on; doors, published ports, uplinks\n"
    "that are named ([[uplink]]), and those that are allowed or excluded, come and go at once; what needs a new start\n"
    "is named. A configuration that is wrong changes nothing.\n"
    "\n"
    "  --control PATH  where it listens; default $HAWSER_CONTROL or /run/hawser/control\n"
    "\n"
    "Exit status: 0, 1 when nothing was changed, 2 when the command line makes no sense.\n";

/* Returns an exit status, or -1 to go on. */
static int read_options(struct asking *asking, bool may_json, int argc, char **argv)
{
    static const struct option long_options[] = {
        {"control", required_argument, NULL, 'c'},
        {"json", no_argument, NULL, 'j'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    while ((option = command_next_option(argc, argv, ":h", long_options)) != -1) {
        if (option == 'c')
            asking->control = optarg;
        else if (option == 'j' && may_json)
            asking->json = true;
        else if (option == 'h')
            return fputs(asking->usage, stdout) < 0;
        else if (option == ':')
            return command_misused(asking->name, "%s needs a value", argv[optind - 1]);
        else
            return command_misused(asking->name, "unknown option in \"%s\"", argv[optind - 1]);
    }
    return optind < argc ? command_misused(asking->name, "\"%s\" is no option", argv[optind]) : -1;
}

/* The answer, or NULL having said why there is none; *fd is the connection. */
static json_t *ask(const struct asking *asking, int *fd)
{
    char why[512];
    json_t *answer = NULL;
    *fd = control_connect(control_path(asking->control), why, sizeof why);
    if (*fd >= 0)
        answer = control_ask(*fd, json_pack("{s:s}", "do", asking->name), NULL, why, sizeof why);
    if (!answer)
        command_fail(asking->name, "%s", why);
    return answer;
}

int status_main(int argc, char **argv)
{
    struct asking asking = {.name = "status", .usage = status_usage};
    int fd, status = read_options(&asking, true, argc, argv);
    if (status >= 0)
        return status;
    json_t *answer = ask(&asking, &fd);
    if (answer && asking.json) {
        json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (answer) {
        status_text_print(stdout, answer);
    }
    status = answer && fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    json_decref(answer);
    if (fd >= 0)
        close(fd);
    return status;
}

/* Waits for the process, or where it is not to be seen for the connection. */
static int wait_for_end(int fd)
{
    pid_t service = control_process(fd);
    int process = service > 0 ? (int)syscall(SYS_pidfd_open, service, 0) : -1;
    struct pollfd p = {.fd = process >= 0 ? process : fd, .events = POLLIN};
    int ready = poll(&p, 1, DOWN_PATIENCE_MS);
    if (process >= 0)
        close(process);
    if (ready == 1)
        return EXIT_SUCCESS;
    char whom[32] = "its process";
    if (service > 0)
        snprintf(whom, sizeof whom, "%d", service);
    return command_fail("down",
                        "the service has not ended after %d s: kill -9 %s, then hawser up and hawser down, which take "
                        "away what is left",
                        DOWN_PATIENCE_MS / 1000, whom);
}

int down_main(int argc, char **argv)
{
    struct asking asking = {.name = "down", .usage = down_usage};
    int fd, status = read_options(&asking, false, argc, argv);
    if (status >= 0)
        return status;
    json_t *answer = ask(&asking, &fd);
    status = answer ? wait_for_end(fd) : EXIT_FAILURE;
    json_decref(answer);
    if (fd >= 0)
        close(fd);
    return status;
}

int reload_main(int argc, char **argv)
{
    struct asking asking = {.name = "reload", .usage = reload_usage};
    int fd, status = read_options(&asking, false, argc, argv);
    const json_t *key;
    size_t i;
    if (status >= 0)
        return status;
    json_t *answer = ask(&asking, &fd);
    json_array_foreach(json_object_get(answer, "after_restart"), i, key)
        printf("%s: holds after hawser down, and hawser up\n", json_string_value(key) ? json_string_value(key) : "?");
    const char *warning = json_string_value(json_object_get(answer, "warning"));
    if (warning)
        fprintf(stderr, "hawser reload: %s\n", warning);
    status = answer ? EXIT_SUCCESS : EXIT_FAILURE;
    json_decref(answer);
    if (fd >= 0)
        close(fd);
    return status;
}
