/*
 * Stands in for the service when that is gone: whatever the program sends by its door is answered with a reset, and
 * connections that say nothing are made to, so that none of them waits for ever.
 */
#ifndef HW_APPS_RUN_STANDIN_H
#define HW_APPS_RUN_STANDIN_H

#include <sys/types.h>

#include <hawser/addr.h>

/* Switches the queue on, and ends the connections from this address in the namespace of `resident`, one of the
 * processes that live in it; 0: there is none. Returns 0 or a negative errno. */
int standin_begin(int queue, pid_t resident);

/* Answers what has come. Returns 0; or -ENODEV: the device is gone, and so is the namespace. */
int standin_serve(int queue);

#endif
