/* The hawser program: a table of subcommands. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <hawser/version.h>

#include "commands.h"

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static int version_main(int argc, char **argv);
static int help_main(int argc, char **argv);

static const struct command commands[] = {
    {"nc", nc_main, "connect standard input and output to a peer over TCP or Multipath TCP"},
    {"run", run_main, "run a program whose TCP goes over all uplinks"},
    {"up", up_main, "carry the TCP that comes in by doors over all uplinks"},
    {"status", status_main, "say how the service is doing"},
    {"ss", ss_main, "list the service's connections and their paths"},
    {"down", down_main, "end the service"},
    {"reload", reload_main, "have the service read its configuration again"},
    {"lab", lab_main, "build emulated paths and run one verified transfer over them"},
    {"sim", sim_main, "play a scenario, or a swarm of random ones, in simulated time"},
    {"uplinks", uplinks_main, "list the interfaces of this host that lead to the Internet"},
    {"version", version_main, "print the version"},
    {"help", help_main, "print this text, or explain a command"},
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_usage(FILE *out)
{
    fprintf(out, "usage: hawser COMMAND [ARGUMENT]...\n\n");
    for (int i = 0; i < COMMAND_COUNT; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fprintf(out, "\n\"hawser COMMAND --help\" explains a command.\n");
}

static int version_main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("hawser %s\n", hawser_version());
    return EXIT_SUCCESS;
}

static int run(const char *name, int argc, char **argv)
{
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(name, commands[i].name) == 0)
            return commands[i].run(argc, argv);
    }
    fprintf(stderr, "hawser: no command \"%s\"; see hawser --help\n", name);
    return EXIT_USAGE;
}

static int help_main(int argc, char **argv)
{
    char option[] = "--help";
    if (argc > 1 && strcmp(argv[1], "help") != 0)
        return run(argv[1], 2, (char *[]){argv[1], option, NULL});
    print_usage(stdout);
    return EXIT_SUCCESS;
}

/* What was to be said may have got nowhere: the disk is full, or nobody reads it any more. */
static int finish(int status)
{
    bool said = fflush(stdout) == 0 && !ferror(stdout);
    if (!said && status == EXIT_SUCCESS)
        perror("hawser: cannot write the output");
    return said || status != EXIT_SUCCESS ? status : EXIT_FAILURE;
}

/* A standard stream that came closed would lend its number to a device, and messages would leave as packets: such a one
 * is opened the wrong way round, so that using it is the error it was. */
static bool fill_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return false;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (!fill_standard_streams())
        return EXIT_FAILURE;
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_USAGE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--version") == 0)
        name = "version";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    return finish(run(name, argc - 1, argv + 1));
}
