/* The command line of `hawser up`. */
#ifndef HW_APPS_SERVICE_UP_OPTIONS_H
#define HW_APPS_SERVICE_UP_OPTIONS_H

#include <stdbool.h>

#include <hawser/path_manager.h>
#include <hawser/scheduler.h>

#include "service/config.h"
#include "service/doors.h"
#include "service/named_uplinks.h"
#include "service/program_ports.h"
#include "service/proxy_options.h"
#include "service/publish.h"

enum { UP_UPLINKS = NAMED_UPLINKS_MAX, UP_FIRST = 256, UP_INTERFACES = CONFIG_INTERFACES };

struct up_options {
    bool verbose, check, no_mptcp;
    bool check_alone;        /* and the command line says nothing else */
    bool says_mptcp;         /* no_mptcp was said by the command line, whatever the configuration says */
    const char *config_path; /* NULL: CONFIG_PATH if it is there */
    const char *congestion, *group, *user;
    const char *control; /* the path of its socket; NULL: the default; "none" */
    struct door_rule doors[DOORS_MAX];
    const char *uplinks[UP_UPLINKS]; /* none: they are found */
    const char *first[UP_FIRST];     /* who is first, as service/choice.h reads it */
    unsigned door_count, uplink_count, first_count;
    const char *allowed[UP_INTERFACES + 1], *excluded[UP_INTERFACES + 1]; /* with a NULL at the end */
    const char *backups[NAMES_MAX];                                       /* uplinks */
    unsigned allowed_count, excluded_count, backup_count;
    struct proxy_options proxies;
    struct publish_rule published[PUBLISH_MAX];
    unsigned published_count;
    struct port_ranges program_ports;          /* that ordinary users' programs may publish, whatever they are */
    const struct hawser_scheduler *scheduler;  /* NULL: the default */
    const struct hawser_path_manager *manager; /* NULL: "on-demand" */
};

/*
 * Reads the command line. Returns -1 when the command should go on, otherwise the exit status it should end with,
 * having printed what there is to say.
 */
int up_options_read(struct up_options *options, int argc, char **argv);

/* What the command line did not say is as the configuration says, which must outlive the options. */
void up_options_complete(struct up_options *options, const struct config *config);

/* Which paths connections have. Most connections of most programs are short, and are over before a second subflow would
 * be of use (RFC 8684 3.9.2). */
struct hawser_path_options up_options_paths(const struct up_options *options);

/* Whether all that was said of uplinks, doors and ports goes together. Returns 0, or a negative errno and one line in
 * `why`. */
int up_options_check(const struct up_options *options, char *why, size_t why_size);

/* Whether the uplinks are to be found, as none is named; who only is upstream needs none. */
bool up_options_find_uplinks(const struct up_options *options);

#endif
