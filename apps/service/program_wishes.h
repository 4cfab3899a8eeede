/* What a program of `hawser run` asks for beside its devices ("door" of docs/CONTROL.md). */
#ifndef HW_APPS_SERVICE_PROGRAM_WISHES_H
#define HW_APPS_SERVICE_PROGRAM_WISHES_H

#include <jansson.h>

#include "service/choice.h"

enum { PROGRAM_PORTS = 16, PROGRAM_NAME_SIZE = 32 };

struct program_wishes {
    char name[PROGRAM_NAME_SIZE]; /* of the program, for listings: printable ASCII, cut; empty: not told */
    struct demands demands;
    struct {
        uint16_t outside, inside;
    } ports[PROGRAM_PORTS]; /* that are published */
    unsigned port_count;
};

/* Reads them from a request, whose uplinks are to be some of `choice`. Returns 0, or -EINVAL and one line in `why`. */
int program_wishes_read(const json_t *body, const struct choice *choice, struct program_wishes *out, char *why,
                        size_t why_size);

#endif
