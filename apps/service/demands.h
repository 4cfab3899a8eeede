/* What a client wants of the connections that are opened for it; all zero: nothing in particular. */
#ifndef HW_APPS_SERVICE_DEMANDS_H
#define HW_APPS_SERVICE_DEMANDS_H

#include <stdbool.h>
#include <stddef.h>

enum {
    NAMES_MAX = 16, /* as many interfaces as can be uplinks at once */
    NAME_SIZE = 16, /* the kernel's IFNAMSIZ, with the NUL */
};

/* Interfaces, by name. */
struct name_list {
    char at[NAMES_MAX][NAME_SIZE];
    unsigned count;
};

/* May an interface have that name? */
bool name_is_possible(const char *name);
/* Returns 0, also for one that is there; -EINVAL for one that no interface can have, or -ENOSPC. */
int names_add(struct name_list *names, const char *name);
bool names_have(const struct name_list *names, const char *name);

struct demands {
    struct name_list only;   /* uplinks: no others are used; empty: all */
    struct name_list backup; /* of those; empty: those that are backups for everybody */
    bool mptcp;              /* connections to who does not agree to Multipath TCP are refused */
};

#endif
