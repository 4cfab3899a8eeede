/* What the kernel says of one of its sockets and, of Multipath TCP, of its subflows, in the stack's own words. */
#ifndef HW_APPS_SERVICE_KERNEL_PATHS_H
#define HW_APPS_SERVICE_KERNEL_PATHS_H

#include <hawser/info.h>

enum { KERNEL_PATHS = 16 }; /* more than it has of one */

struct kernel_paths {
    bool mptcp;
    const char *plain_why; /* it is plain TCP, as in struct hawser_conn_info; NULL: it is not */
    unsigned count;
    struct hawser_subflow_info at[KERNEL_PATHS]; /* without IDs, backup, timeouts and links, of which it says nothing */
};

/* Returns 0, or a negative errno: it is no socket of TCP. */
int kernel_paths_read(int fd, struct kernel_paths *out);

#endif
