/* What the control socket says of connections ("ss"): a page at a time, so that a listing of all of them, however many,
 * takes little time at once. */
#ifndef HW_APPS_SERVICE_SS_H
#define HW_APPS_SERVICE_SS_H

#include "service/service.h"

enum {
    SS_LISTINGS = 32, /* at once that are not at their end */
    /* Of a page; what has more subflows than were left comes with the next one. */
    SS_CONNECTIONS = 24,
    SS_SUBFLOWS = 64,
};

struct ss {
    struct service *service;
    struct list listings;
    unsigned listing_count;
};

/* Adds the verb to the service's control socket. Returns 0 or a negative errno. */
int ss_add_verb(struct ss *ss, struct service *service);

#endif
