/* Dialling by sockets of the kernel. Addresses only. */
#ifndef HW_APPS_SERVICE_KERNEL_DIALER_H
#define HW_APPS_SERVICE_KERNEL_DIALER_H

#include "service/dial.h"
#include "service/guests.h"
#include "service/socket_end.h"

struct kernel_dialer {
    struct dialer dialer;
    struct sockets *sockets;
    struct guests guests; /* by whom it is for: -EUSERS to who has no less than he leaves to others */
    /* -EACCES to what is this host's own by whatever address, as its routes say, or its link's alone: for those who are
     * not of this host. */
    bool guarded;
};

/* For `max` sockets at once, until they are closed; and no more than sockets_room() says. Returns 0 or -ENOMEM. */
int kernel_dialer_init(struct kernel_dialer *dialer, struct sockets *sockets, uint32_t max, bool guarded);
/* All its sockets are closed. */
void kernel_dialer_end(struct kernel_dialer *dialer);

#endif
