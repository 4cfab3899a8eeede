/* What the options of `hawser up` name of this host: a user, a group, files. Looked at before anything is touched. */
#ifndef HW_APPS_SERVICE_UP_CHECK_H
#define HW_APPS_SERVICE_UP_CHECK_H

#include "service/up_options.h"

/*
 * Are they there, and right? `config`, the file at `path`, is what the options were completed by (NULL: nothing): what
 * is wrong is told by its line and key, or else by its option. Returns 0, or a negative errno and one line in `why`:
 * -EINVAL when the command line, or a file that it names, makes no sense.
 */
int up_check_names(const struct up_options *options, const struct config *config, const char *path, char *why,
                   size_t why_size);

#endif
