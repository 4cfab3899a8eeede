/* An end that is Hawser, in a namespace: its TUN device meets the namespace's kernel, which forwards to the paths. */
#ifndef HW_APPS_LAB_HAWSER_END_H
#define HW_APPS_LAB_HAWSER_END_H

#include "lab/lab.h"

/* Runs the end `side` until its result is known and calls report(); then serves the network on until shared->stop, for
 * the peer may still ask for the last acknowledgement. */
void hawser_end_run(const struct lab_options *o, enum lab_side side, struct lab_shared *shared,
                    struct lab_result *result, void (*report)(void *ctx, struct lab_result *result), void *ctx);

#endif
