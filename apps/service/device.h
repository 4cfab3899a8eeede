/* Devices of this host by their names. */
#ifndef HW_APPS_SERVICE_DEVICE_H
#define HW_APPS_SERVICE_DEVICE_H

#include <stddef.h>

/* Its index. Returns 0; -ENODEV: there is no such device; or another negative errno: nobody can tell now, as when there
 * are no descriptors or no memory. */
int device_index(const char *name, unsigned *index);

/* Says in `why`, in one line, what that error is of, and returns it. */
int device_complain(const char *name, int error, char *why, size_t why_size);

#endif
