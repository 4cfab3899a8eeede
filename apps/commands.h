/* The subcommands of the hawser program, and what they share. Each gets its own name in argv[0] and returns the exit
 * status. */
#ifndef HW_APPS_COMMANDS_H
#define HW_APPS_COMMANDS_H

#include <getopt.h>
#include <signal.h>
#include <stdio.h>

#include <hawser/host.h>
#include <hawser/scheduler.h>

#include "base/compiler.h"

enum {
    EXIT_USAGE = 2, /* the command line makes no sense; EXIT_FAILURE (1) is for what went wrong later */
};

int nc_main(int argc, char **argv);
int lab_main(int argc, char **argv);
int sim_main(int argc, char **argv);
int run_main(int argc, char **argv);
int up_main(int argc, char **argv);
int status_main(int argc, char **argv);
int down_main(int argc, char **argv);
int ss_main(int argc, char **argv);
int reload_main(int argc, char **argv);
int uplinks_main(int argc, char **argv);

/* Says "hawser NAME: ..." to standard error, a line; before that, where the journal listens, its priority. Returns
 * EXIT_FAILURE. */
HW_PRINTF(2, 3) int command_fail(const char *name, const char *format, ...);

/* Says likewise something of that priority, as of syslog(3). */
HW_PRINTF(3, 4) void command_say(int priority, const char *name, const char *format, ...);

/* Says likewise what is wrong with the command line, and where to look. Returns EXIT_USAGE. */
HW_PRINTF(2, 3) int command_misused(const char *name, const char *format, ...);

/* getopt_long(3) in silence, but no option is taken for the value of the one before it: that one's is missing. */
int command_next_option(int argc, char **argv, const char *letters, const struct option *options);

/* Reads the value of --scheduler. Returns -1 to go on, or EXIT_USAGE having said why. */
int command_read_scheduler(const char *name, const char *value, const struct hawser_scheduler **out);

/* Blocks SIGINT, SIGTERM, SIGHUP but under nohup, and `also` (0: no other), and says which in *set; writing to who is
 * gone is an error from then on, no signal. Returns 0 or a negative errno. */
int command_block_signals(int also, sigset_t *set);

/* Likewise; they are read from the signalfd that is returned. Returns -1 and errno when that cannot be. */
int command_catch_signals(void);

/* A line, after `indent`, for every counter of the stack and of the links that is not 0. */
void command_print_counters(FILE *out, struct hawser_host *host, const char *indent);

#endif
