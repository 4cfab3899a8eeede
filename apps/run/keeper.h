/*
 * The keeper: a process beside the program, outside of its namespace, which answers for what the namespace lacks. It
 * carries what comes in by inlets, and stands in for the service when that is gone. The program is no child of its, nor
 * it of the program, as it is started by a process that ends at once; it ends by itself when nobody lives in the
 * namespace any more.
 */
#ifndef HW_APPS_RUN_KEEPER_H
#define HW_APPS_RUN_KEEPER_H

#include <stddef.h>

#include "run/inlets.h"

/*
 * Starts one, a child of the caller's in a session of its own. `control` is the connection with the service, `program`
 * a descriptor of the process that becomes the program (pidfd_open(2)); both stay the caller's.
 * Returns a descriptor for keeper_tell(), or a negative errno; a second after that is closed the program, or somebody,
 * has to be in the namespace.
 */
int keeper_start(int control, int program);

/* Gives it the door's spare queue and inlets of the namespace that this process is in, and waits until it serves them.
 * The descriptors stay the caller's. Returns 0 or a negative errno. */
int keeper_tell(int keeper, int queue, const struct inlets *inlets);

#endif
