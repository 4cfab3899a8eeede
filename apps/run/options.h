/* The command line of `hawser run`. */
#ifndef HW_APPS_RUN_OPTIONS_H
#define HW_APPS_RUN_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum { RUN_LOOPBACK_PORTS = 16, RUN_UPLINKS = 16, RUN_PORTS = 16 };

struct run_port {
    uint16_t outside, inside;
};

struct run_options {
    const char *control; /* the service's socket; NULL: where it is by default */
    uint16_t loopback_ports[RUN_LOOPBACK_PORTS];
    unsigned loopback_count;
    const char *uplinks[RUN_UPLINKS], *backups[RUN_UPLINKS];
    unsigned uplink_count, backup_count;
    struct run_port ports[RUN_PORTS]; /* that are published */
    unsigned port_count;
    bool no_quic, fallback, require_mptcp;
    char **program; /* and its arguments; ends with NULL */
};

/*
 * Reads the command line. Returns -1 when the command should go on, otherwise the exit status it should end with,
 * having printed what there is to say.
 */
int run_options_read(struct run_options *options, int argc, char **argv);

#endif
