/* The list of bars that are known not to be met: "ATTACKER BAR" a line, # for words. */
#ifndef HW_HOSTILE_KNOWN_H
#define HW_HOSTILE_KNOWN_H

#include "judge.h"

enum { KNOWN_MAX = 256, KNOWN_NAME_MAX = 48 };

struct known {
    struct known_fault {
        char name[KNOWN_NAME_MAX];
        enum bar bar;
        bool seen;
    } faults[KNOWN_MAX];
    unsigned count;
};

/* False when the file cannot be read or a line makes no sense; says so. */
bool known_read(struct known *k, const char *path);
/* Is it on the list? It counts as seen then. */
bool known_has(struct known *k, const char *name, enum bar bar);

#endif
