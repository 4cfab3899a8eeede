/* What the control socket can be asked of the service as a whole: "status" and "down" (docs/CONTROL.md). */
#ifndef HW_APPS_SERVICE_VERBS_H
#define HW_APPS_SERVICE_VERBS_H

#include "service/service.h"

/* Adds them to the service's control socket. Returns 0 or a negative errno. */
int verbs_add(struct service *service);

#endif
