/* One line about what went wrong, for whoever asked. */
#ifndef HW_APPS_SERVICE_COMPLAIN_H
#define HW_APPS_SERVICE_COMPLAIN_H

#include <stddef.h>

#include "base/compiler.h"

/* Writes it to `why`, and returns `error`. */
HW_PRINTF(4, 5) int complain(int error, char *why, size_t why_size, const char *format, ...);

/* Of several things that are done whatever became of the others: the first error, 0 so far. */
static inline void keep_first(int *first, int error)
{
    if (!*first)
        *first = error;
}

#endif
