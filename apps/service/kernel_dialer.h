/* Dialling by sockets of the kernel. Addresses only. */
#ifndef HW_APPS_SERVICE_KERNEL_DIALER_H
#define HW_APPS_SERVICE_KERNEL_DIALER_H

#include "service/dial.h"
#include "service/socket_end.h"

struct kernel_dialer {
    struct dialer dialer;
    struct sockets *sockets;
    bool guarded; /* -EACCES to what is this host's own, or its link's alone: for those who are not of this host */
};

void kernel_dialer_init(struct kernel_dialer *dialer, struct sockets *sockets, bool guarded);

#endif
