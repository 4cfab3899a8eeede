/*
 * The service: one event loop, one host, the doors by which programs come in, and the joints between the two
 * connections of each. Whatever else it does is a source of the loop (sd-event): what such a source asks of the stack
 * is done in the turn that follows at once.
 */
#ifndef HW_APPS_SERVICE_SERVICE_H
#define HW_APPS_SERVICE_SERVICE_H

#include <systemd/sd-event.h>

#include "service/busy_poll.h"
#include "service/control.h"
#include "service/door.h"
#include "service/stack_dialer.h"

enum {
    /* Sources beside the host that are served before the network has its turn again. */
    SERVICE_DISPATCHES = 64,
    SERVICE_DISPATCH_US = 1000, /* and so long */
    /* Of their sources; the host's comes after those that are ready at the same time. */
    SERVICE_HOST_PRIORITY = 100,
    SERVICE_TRIM_US = 10000000, /* so often memory that was freed goes back to the system */
};

struct service_door {
    struct list link; /* of all doors of a service */
    struct door *door;
    char *name; /* as its owner wrote it */
    int link_index;
};

/* What else belongs to a service. Either function may be NULL. */
struct service_part {
    struct list link;
    /* After each batch of packets that came in: what became of links of its own? */
    void (*look)(struct service_part *part);
    /* When doors and joints are gone, and the host is there still. */
    void (*stop)(struct service_part *part);
};

struct programs;
struct stalls;

struct service {
    sd_event *loop;
    struct hawser_host *host;
    struct joints joints;
    struct choice choice;       /* by which uplink connections begin */
    struct stack_dialer direct; /* to destinations, by the uplinks; `options` may be set before the first door */
    struct dialer *far;         /* what doors use that bring nothing else along: `direct`, unless somebody changes it */
    struct list doors;          /* struct service_door */
    struct list parts;          /* struct service_part */
    struct control control;     /* of no socket until service_control() */
    char *control_path;
    uint64_t since_ns;
    struct ways_out *ways;     /* uplinks that it finds itself; NULL: it is told */
    struct programs *programs; /* of hawser run; NULL: none yet */
    struct proxies *proxies;   /* local ports, and upstream; NULL: neither */
    struct stalls *stalls;     /* ports of the uplinks that are published; NULL: none */
    unsigned links_alive;      /* devices; the service ends with the last one */
    struct busy_poll busy_poll;
    bool host_ready; /* the loop has come to the host's source */
};

/* Makes an empty service. Returns 0, or a negative errno with nothing to be freed. */
int service_init(struct service *service, const struct hawser_stack_options *options);

/* Adds a link, as hawser_host_add_link(): its index, or a negative errno and one line in `why`. */
int service_add_link(struct service *service, const char *spec, char *why, size_t why_size);

/* Likewise, of a device whose name is not the user's to choose: each service has it, so that there is room for one. */
int service_add_own_device(struct service *service, const char *device, const char *rest, char *why, size_t why_size);

/* Serves link number `link`, a door; without `far` it is the service's. Returns 0 and *out (may be NULL), or what
 * door_open() says. */
int service_add_door(struct service *service, int link, const char *name, const struct door_options *options,
                     struct service_door **out);

/* Forgets a door, at once. Its joints live on. */
void service_drop_door(struct service *service, struct service_door *door);

/* Closes a door: who came in by it is reset, and its device, if it is one, goes. */
void service_close_door(struct service *service, struct service_door *door);

/* Takes a link away that has no address any more: who was there is told before, and its device, if it is one, goes. */
void service_remove_link(struct service *service, int link);

void service_add_part(struct service *service, struct service_part *part);

/* Listens at `path` for other programs (control_socket.h). Returns 0, or a negative errno and one line in `why`. */
int service_control(struct service *service, const char *path, const char *group, char *why, size_t why_size);

/* These uplinks, and no others any more, are backups, be they there or still to come: of subflows that are opened from
 * now on. Returns 0, or -EINVAL or -ENOSPC with nothing changed. */
int service_set_backups(struct service *service, const char *const *names, unsigned count);

/* Runs until somebody calls sd_event_exit(), or nothing is left to serve; returns the exit status. */
int service_run(struct service *service);

/* Whoever waits is refused, both ends of every connection learn that it is over, and all is freed. Harmless if
 * service_init() failed. Sources of others are to be gone before, or are parts. */
void service_end(struct service *service);

#endif
