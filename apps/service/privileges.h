/* What the service may do once everything is set up: be a user of its own, with CAP_NET_ADMIN and nothing else. */
#ifndef HW_APPS_SERVICE_PRIVILEGES_H
#define HW_APPS_SERVICE_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

#define PRIVILEGES_USER "hawser"

/* Can privileges_drop() become that user? NULL: yes. Returns 0, or a negative errno and one line in `why`. */
int privileges_check(const char *user, char *why, size_t why_size);

/*
 * Becomes `user` (NULL: PRIVILEGES_USER, if there is one that can be become), keeps CAP_NET_ADMIN alone, and gives up
 * gaining any privilege for good. The directories in `own` (ended by NULL), as far as they are root's and there, become
 * that user's, so that what lies there can be taken away at the end. Whoever is no root stays who it is. Returns 0, or
 * a negative errno and one line in `why`.
 */
int privileges_drop(const char *user, const char *const *own, char *why, size_t why_size);

/*
 * From now on the kernel lets pass only what the service needs; any other system call fails with EPERM, and is logged
 * by the kernel. HAWSER_FILTER in the environment: "kill": it ends the process, for tests; "off": nothing is filtered.
 * Returns 0 or a negative errno.
 */
int privileges_filter(void);

#endif
