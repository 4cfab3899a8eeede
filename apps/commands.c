#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/signalfd.h>

#include <hawser/stack.h>

int command_fail(const char *name, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "hawser %s: ", name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return EXIT_FAILURE;
}

int command_misused(const char *name, const char *format, ...)
{
    va_list args;
    fprintf(stderr, "hawser %s: ", name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "; see hawser %s --help\n", name);
    return EXIT_USAGE;
}

int command_read_scheduler(const char *name, const char *value, const struct hawser_scheduler **out)
{
    *out = hawser_scheduler_find(value);
    return *out ? -1 : command_misused(name, "--scheduler \"%s\": there are lowest-rtt and redundant", value);
}

int command_block_signals(int also, sigset_t *set)
{
    struct sigaction hup;
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    if (also)
        sigaddset(set, also);
    if (sigaction(SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN) /* nohup */
        sigaddset(set, SIGHUP);
    signal(SIGPIPE, SIG_IGN);
    return sigprocmask(SIG_BLOCK, set, NULL) == 0 ? 0 : -errno;
}

int command_catch_signals(void)
{
    sigset_t set;
    return command_block_signals(0, &set) == 0 ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK) : -1;
}

static void print_counter(FILE *out, const struct hawser_counter *counter, const char *indent)
{
    if (counter->value)
        fprintf(out, "%s%-32s %" PRIu64 "\n", indent, counter->name, counter->value);
}

void command_print_counters(FILE *out, struct hawser_host *host, const char *indent)
{
    struct hawser_counter counter;
    for (size_t i = 0; hawser_stack_counter(hawser_host_stack(host), i, &counter); i++)
        print_counter(out, &counter, indent);
    for (size_t i = 0; hawser_host_counter(host, i, &counter); i++)
        print_counter(out, &counter, indent);
}
