/* Dialling by name: what a name stands for is tried one address after the other, families in turn, by another dialer
 * (RFC 8305). */
#ifndef HW_APPS_SERVICE_NAME_DIALER_H
#define HW_APPS_SERVICE_NAME_DIALER_H

#include "service/dial.h"
#include "service/resolver.h"

/* RFC 8305 5: the next address is tried beside those that did not answer for so long. */
#define NAME_DIAL_DELAY_US (250 * 1000)
/* When all that are known have failed, the rest is waited for: so long that a question that was lost is asked again. */
#define NAME_DIAL_REST_US (3 * 1000 * 1000)

struct name_dialer {
    struct dialer dialer;
    sd_event *loop;
    struct hawser_host *host; /* the clock */
    struct resolver *resolver;
    struct dialer *below; /* of addresses */
};

void name_dialer_init(struct name_dialer *dialer, sd_event *loop, struct hawser_host *host, struct resolver *resolver,
                      struct dialer *below);

#endif
