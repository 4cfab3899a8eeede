/* What `hawser up` says of itself. */
#ifndef HW_APPS_SERVICE_UP_STATUS_H
#define HW_APPS_SERVICE_UP_STATUS_H

#include <stdio.h>

#include "service/door.h"
#include "service/service.h"
#include "service/session.h"
#include "service/stall.h"
#include "service/upstream_dialer.h"

/* One line about a door. */
void up_status_door(FILE *out, const char *name, const struct door_counts *counts);

/* One line about a local port. */
void up_status_port(FILE *out, const char *name, const struct session_counts *counts);
void up_status_published(FILE *out, const struct stall_status *published);

/* One line about an upstream. */
void up_status_upstream(FILE *out, const struct upstream_counts *counts, const char *failure);

/* All joints together, and the first UP_STATUS_JOINTS each with its paths, as hawser ss has them. */
enum { UP_STATUS_JOINTS = 100 };
void up_status_joints(FILE *out, const struct service *service);

#endif
