/* Files with a key, or with a password. */
#ifndef HW_APPS_SERVICE_SECRET_H
#define HW_APPS_SERVICE_SECRET_H

#include <sys/types.h>

/* Reads such a file, which others than its owner and group may neither read nor write, as text with a NUL behind it.
 * Returns its length; or a negative errno, -EACCES when we may not read it, -EPERM when others may, -E2BIG when it has
 * no room in `size`, and one line in `why`. */
ssize_t secret_read(const char *path, char *out, size_t size, char *why, size_t why_size);

/* Reads a file that everybody may read, likewise. */
ssize_t public_read(const char *path, char *out, size_t size, char *why, size_t why_size);

#endif
