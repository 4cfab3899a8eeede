/* A network namespace, in which a process may configure everything until it runs a program. */
#ifndef HW_APPS_RUN_SPACE_H
#define HW_APPS_RUN_SPACE_H

#include <stddef.h>
#include <sys/types.h>

/* Enters a new one; an ordinary user gets a user namespace with it, in which it keeps its user and group. Returns a
 * descriptor of the network namespace, or a negative errno and one line in `why`. */
int space_enter(char *why, size_t why_size);

/* Joins the namespaces of another process, which has entered new ones from this one's. Returns 0, or a negative errno:
 * then this one has not left its own. */
int space_join(pid_t other);

/* Gives the new namespace what the host's has of settings that programs notice: run with the names and values that
 * space_remember() read before. What cannot be set is left. */
struct space_settings;
struct space_settings *space_remember(void);
void space_restore(struct space_settings *settings);

#endif
