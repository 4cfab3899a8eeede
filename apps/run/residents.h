/* Who lives in a network namespace. */
#ifndef HW_APPS_RUN_RESIDENTS_H
#define HW_APPS_RUN_RESIDENTS_H

#include <sys/types.h>

/* The number of the network namespace that this process is in; 0: /proc says nothing. It is not the one of its own
 * inode, which of a process is shown only to who could read its memory: nobody, where its executable is not to be read.
 */
ino_t residents_home(void);

/* One of the processes that are in the namespace with this number; 0: there is none. Looks at every process. */
pid_t residents_find(ino_t home);

#endif
