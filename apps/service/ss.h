/* What the control socket says of connections ("ss"): a page at a time, so that a listing of all of them, however many,
 * takes little time at once. */
#ifndef HW_APPS_SERVICE_SS_H
#define HW_APPS_SERVICE_SS_H

#include "service/service.h"

enum {
    SS_LISTINGS = 32,          /* at once that are not at their end */
    SS_CONNECTIONS = 24,       /* of a page, */
    SS_PAGE_BYTES = 48 * 1024, /* and what they take, unless it is one, which takes 32 KiB at most */
};

struct ss {
    struct service *service;
    struct list listings;
    unsigned listing_count;
    size_t page_bytes; /* SS_PAGE_BYTES; less is for tests */
};

/* Adds the verb to the service's control socket. Returns 0 or a negative errno. */
int ss_add_verb(struct ss *ss, struct service *service);

#endif
