/* A connection as the control socket tells of it (docs/CONTROL.md). */
#ifndef HW_APPS_SERVICE_SS_TELL_H
#define HW_APPS_SERVICE_SS_TELL_H

#include <jansson.h>

#include "service/joint.h"
#include "service/service.h"

json_t *ss_tell(const struct service *service, const struct joint *joint);

#endif
