/* Records what every host of a stage sends and receives in one pcapng file, an interface a host. */
#ifndef HW_SIM_RECORDER_H
#define HW_SIM_RECORDER_H

#include "sim/stage.h"

/* NULL, with *err a negative errno, when the file cannot be made. What goes wrong later is told by *err when the stage
 * is freed: `err` must live until then. */
struct watcher *recorder_new(const char *path, int *err);

#endif
