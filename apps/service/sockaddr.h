/* Between the kernel's addresses and Hawser's. */
#ifndef HW_APPS_SERVICE_SOCKADDR_H
#define HW_APPS_SERVICE_SOCKADDR_H

#include <sys/socket.h>

#include <hawser/addr.h>

/* False: of another family than IPv4 and IPv6; *out is zero then. */
bool sockaddr_read(const struct sockaddr_storage *from, struct hawser_addr *out);

/* Returns its length. IPv4 is IPv4, not mapped. */
socklen_t sockaddr_write(const struct hawser_addr *from, struct sockaddr_storage *out);

#endif
