/* Devices of this host by their names. */
#ifndef HW_APPS_SERVICE_DEVICE_H
#define HW_APPS_SERVICE_DEVICE_H

#include <stddef.h>

/* Its index. Returns 0; -ENODEV: there is no such device; or another negative errno: nobody can tell now, as when there
 * are no descriptors or no memory. */
int device_index(const char *name, unsigned *index);

/* Sets it up, unless it is. Returns 1 when it was down, 0 when not, or a negative errno, likewise. */
int device_set_up(const char *name);

/* Says in `why`, in one line, what that error is of, and returns it. */
int device_complain(const char *name, int error, char *why, size_t why_size);

#endif
