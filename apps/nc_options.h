/* The command line of `hawser nc`. */
#ifndef HW_APPS_NC_OPTIONS_H
#define HW_APPS_NC_OPTIONS_H

#include <stdbool.h>

#include <hawser/addr.h>
#include <hawser/scheduler.h>

enum { NC_LINKS = 16 };

struct nc_options {
    bool listen, verbose, no_mptcp;
    const char *links[NC_LINKS];
    unsigned link_count;
    uint64_t keepalive_ns;                    /* 0: off */
    const struct hawser_scheduler *scheduler; /* NULL: the default */
    struct hawser_addr addr;                  /* all-zero IP: any, for listening only */
};

/*
 * Reads the command line. Returns -1 when the command should go on, otherwise the exit status it should end with,
 * having printed what there is to say.
 */
int nc_options_read(struct nc_options *options, int argc, char **argv);

#endif
