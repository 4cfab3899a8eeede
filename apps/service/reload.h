/* The configuration of a service that runs: read at its start, and again when it is asked to ("reload"). */
#ifndef HW_APPS_SERVICE_RELOAD_H
#define HW_APPS_SERVICE_RELOAD_H

#include "service/service.h"
#include "service/up_options.h"

struct reload {
    struct service *service;
    struct up_options told;      /* by the command line alone: it goes before any configuration */
    const char *path;            /* NULL: there is no configuration */
    struct config start, latest; /* what the service was made by, and what was read since */
    struct hawser_path_options paths;
    struct named_uplinks *named; /* NULL: uplinks are found */
    struct doors *doors;         /* those of the service, as soon as there are any */
    struct publish *publish;     /* likewise; NULL: uplinks are named, and none is found */
};

/*
 * Reads the configuration that the command line names, or the usual one if it is there, and completes `options`, which
 * then point into it. Returns false and one line in `why`. To be freed either way.
 */
bool reload_begin(struct reload *reload, struct up_options *options, char *why, size_t why_size);

/* Sets of new connections what the configuration may change of a running service: scheduler, path manager, MPTCP; and
 * says which interfaces that it names are not there. */
void reload_apply(struct reload *reload, const struct up_options *options);

/* Adds the verb to the service's control socket. Returns 0 or a negative errno. */
int reload_add_verb(struct reload *reload, struct service *service);

void reload_free(struct reload *reload);

#endif
