/*
 * Doors for networks: what comes in by an interface of this host, as by a router's or a container bridge, is led to a
 * door, its TCP only. The interface may come and go.
 */
#ifndef HW_APPS_SERVICE_DOOR_WAYS_H
#define HW_APPS_SERVICE_DOOR_WAYS_H

#include "service/service.h"
#include "service/uplink.h"

struct door_ways;

/* Takes back what a sudden end has left. Returns 0 and *out, or a negative errno and in `why` one line. */
int door_ways_open(struct door_ways **out, struct service *service, char *why, size_t why_size);

/* Takes everything back. To be called when nobody says anything by the devices any more: after service_end(). NULL is
 * nothing. */
void door_ways_close(struct door_ways *ways);

/* Would this interface be an uplink, if those that are found were allowed and excluded by `names`? Returns 0, or -EBUSY
 * and in `why` one line. */
int door_ways_check(const struct door_ways *ways, const char *interface, const struct uplink_names *names, char *why,
                    size_t why_size);

/*
 * Leads the TCP of those behind `interface` to that device, a door, which exists. When the device has gone suddenly it
 * goes as without a door, or, with `fails_closed`, nowhere. Returns 0, or a negative errno and in `why` one line that
 * says what to do: -EBUSY when the interface is an uplink, too. That there is no such interface yet is no error.
 */
int door_ways_add(struct door_ways *ways, const char *interface, const char *device, bool fails_closed, char *why,
                  size_t why_size);

/* Nobody of that interface comes by the door any more, from now on. */
void door_ways_remove(struct door_ways *ways, const char *interface);

#endif
