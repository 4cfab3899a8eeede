/* A network namespace of this process's own, in which it may configure everything until it runs a program. */
#ifndef HW_APPS_RUN_SPACE_H
#define HW_APPS_RUN_SPACE_H

#include <stddef.h>

/* Enters a new one; an ordinary user gets a user namespace with it, in which it keeps its user and group. Returns a
 * descriptor of the network namespace, or a negative errno and one line in `why`. */
int space_enter(char *why, size_t why_size);

/* Gives the new namespace what the host's has of settings that programs notice: run with the names and values that
 * space_remember() read before. What cannot be set is left. */
struct space_settings;
struct space_settings *space_remember(void);
void space_restore(struct space_settings *settings);

#endif
