/* The networks inside: which part of 198.18.0.0/16 (RFC 2544) and of a network of fd00::/8 is nobody's on this host. */
#ifndef HW_APPS_SERVICE_INSIDE_H
#define HW_APPS_SERVICE_INSIDE_H

#include <hawser/addr.h>

#include "service/host_view.h"

enum { INSIDE_V4_LEN = 24, INSIDE_V6_LEN = 64, INSIDE_CHOICES = 256 };

struct inside {
    struct hawser_addr v4, v6; /* of INSIDE_V4_LEN and INSIDE_V6_LEN bits */
};

/*
 * Chooses what no address and no route of another link than `own_index` covers. Returns 0, or -EADDRINUSE where all is
 * taken and in `why` one line that says what to do.
 */
int inside_choose(const struct host_view *view, unsigned own_index, struct inside *inside, char *why, size_t why_size);

/* Whether another link has come to cover a part of what was chosen. */
bool inside_taken(const struct host_view *view, unsigned own_index, const struct hawser_addr *net, unsigned len);

/* The address of a slot. */
struct hawser_addr inside_addr(const struct inside *inside, bool v4, unsigned slot);

#endif
