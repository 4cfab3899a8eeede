/* Who listens at the TCP ports of this host. */
#ifndef HW_APPS_SERVICE_LISTENING_H
#define HW_APPS_SERVICE_LISTENING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Does somebody listen at this port, at whatever address that is not of the loopback device? Returns 1 and his user in
 * *user, 0, or a negative errno. */
int listening_user(uint16_t port, uid_t *user);

#endif
