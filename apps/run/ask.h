/* Asks the service to let a program in. */
#ifndef HW_APPS_RUN_ASK_H
#define HW_APPS_RUN_ASK_H

#include "run/network.h"
#include "run/options.h"

struct ask_answer {
    struct network network;
    int queue; /* the door's, switched off; the caller's */
};

/* Asks for a door in this network namespace. Returns 0 and *out, or a negative errno and one line in `why`. */
int ask_door(int control, int namespace, const struct run_options *options, struct ask_answer *out, char *why,
             size_t why_size);

#endif
