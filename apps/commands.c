#include "commands.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <syslog.h>

#include <hawser/stack.h>

/* journald takes the number before a line for its priority (sd-daemon(3)), where standard error goes there. */
static bool is_journal(FILE *out)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat st;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(fileno(out), &st) == 0 &&
           st.st_dev == device && st.st_ino == inode;
}

HW_PRINTF(3, 0) static void say(int priority, const char *name, const char *format, va_list args)
{
    char line[2048];
    vsnprintf(line, sizeof line, format, args);
    if (is_journal(stderr))
        fprintf(stderr, "<%d>", priority);
    fprintf(stderr, "hawser %s: %s\n", name, line);
}

int command_fail(const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(LOG_ERR, name, format, args);
    va_end(args);
    return EXIT_FAILURE;
}

void command_say(int priority, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say(priority, name, format, args);
    va_end(args);
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

int command_next_option(int argc, char **argv, const char *letters, const struct option *options)
{
    opterr = 0;
    int option = getopt_long(argc, argv, letters, options, NULL);
    bool is_separate = optarg && optarg == argv[optind - 1];
    if (option == -1 || option == '?' || !is_separate || optarg[0] != '-' || !optarg[1])
        return option;
    optind--;
    return strchr(letters, ':') ? ':' : '?';
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
