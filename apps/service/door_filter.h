/* The packet filter's table of doors for networks. */
#ifndef HW_APPS_SERVICE_DOOR_FILTER_H
#define HW_APPS_SERVICE_DOOR_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOOR_FILTER_NAME "hawser_doors"
#define DOOR_FILTER_TABLE "inet " DOOR_FILTER_NAME

/* Of the devices that are made for interfaces. The rest of the name is theirs. */
#define DOOR_DEVICE_PREFIX "hawser+"

/* Of packets by such an interface: a bit, beside those of others, that says that the connection is not the door's. */
enum { DOOR_MARK_NOT_OURS = 0x20000000 };

struct door_filter_rule {
    const char *interface, *device;
    uint32_t mark;
    /* By family: the host forwarded what comes by the interface before there was a door. Else it does so for the door
     * only. */
    bool routes_v4, routes_v6;
};

/* The commands that replace the whole table; to be freed; NULL without memory. */
char *door_filter_text(const struct door_filter_rule *rules, size_t count);

/* Runs them. The table outlives a sudden end: who was forwarded for the doors' sake only stays where he is. Returns 0,
 * or a negative errno and in `why` one line that says what to do. */
int door_filter_apply(const char *text, char *why, size_t why_size);

/* Takes the table away, if it is there. */
void door_filter_remove(void);

#endif
