/* The command line of hawser lab. */
#ifndef HW_APPS_LAB_OPTIONS_H
#define HW_APPS_LAB_OPTIONS_H

#include "lab/lab.h"

/* Returns -1 to go on, or the exit status after having said why. */
int options_read(struct lab_options *o, int argc, char **argv);

#endif
