/* Who lives in a network namespace. */
#ifndef HW_APPS_RUN_RESIDENTS_H
#define HW_APPS_RUN_RESIDENTS_H

#include <sys/types.h>

/* One of the processes of our user's, or of whoever else we may look at, that are in the network namespace with this
 * number of an inode; 0: there is none. Looks at every process. */
pid_t residents_find(ino_t namespace);

#endif
