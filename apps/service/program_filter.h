/*
 * The packet filter's table for programs: what leaves by their pairs is translated to the host's addresses, and TCP
 * does not leave by them. It outlives a sudden end of the service, so that nothing leaves untranslated then.
 */
#ifndef HW_APPS_SERVICE_PROGRAM_FILTER_H
#define HW_APPS_SERVICE_PROGRAM_FILTER_H

#include <stddef.h>

#define PROGRAM_FILTER_TABLE "hawser_programs"

/* Replaces what is there. Returns 0, or a negative errno and one line in `why`. */
int program_filter_set(char *why, size_t why_size);

/* Takes it away, if it is there. */
void program_filter_remove(void);

#endif
