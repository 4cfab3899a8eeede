/* The subcommands of the hawser program. Each gets its own name in argv[0] and returns the exit status. */
#ifndef HW_APPS_COMMANDS_H
#define HW_APPS_COMMANDS_H

enum {
    EXIT_USAGE = 2, /* the command line makes no sense; EXIT_FAILURE (1) is for what went wrong later */
};

int nc_main(int argc, char **argv);
int lab_main(int argc, char **argv);
int sim_main(int argc, char **argv);
int up_main(int argc, char **argv);

#endif
