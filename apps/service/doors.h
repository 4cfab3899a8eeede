/* The doors of a service, as its options say: devices to which others lead, and interfaces whose clients come in. */
#ifndef HW_APPS_SERVICE_DOORS_H
#define HW_APPS_SERVICE_DOORS_H

#include "service/door_ways.h"

enum { DOORS_MAX = 16, DOOR_NAME_SIZE = 16 /* the kernel's IFNAMSIZ, with the NUL */ };

struct door_rule {
    const char *spec; /* "tun,dev=NAME[,...]", as hawser_host_add_link() reads it; NULL: of the interface alone */
    char interface[DOOR_NAME_SIZE]; /* whose clients' TCP is led there; empty: what leads there is set up by others */
    bool fails_closed;              /* clients get nowhere when the service has ended suddenly */
};

/* Reads "INTERFACE[,when-down=direct|closed]". Returns 0, or -EINVAL and one line in `why`. */
int door_rule_read(const char *text, struct door_rule *rule, char *why, size_t why_size);

/* Reads "tun,dev=NAME[,...]", which must outlive the rule. Returns likewise. */
int door_spec_read(const char *text, struct door_rule *rule, char *why, size_t why_size);

/* The name of a rule's device. */
void door_rule_device(const struct door_rule *rule, char name[DOOR_NAME_SIZE]);

/* Checks the name of an interface that may have a door. Returns 0 or -EINVAL and one line in `why`. */
int door_interface_check(const char *name, char *why, size_t why_size);

/* "direct" or "closed". Returns 0 or -EINVAL. */
int door_when_down_read(const char *text, bool *fails_closed);

/* The name of the device for an interface. */
void door_device_name(const char *interface, char name[DOOR_NAME_SIZE]);

struct doors;

/* Returns 0 and *out, or a negative errno and one line in `why`. `options` are those of every door. */
int doors_open(struct doors **out, struct service *service, const struct door_options *options, char *why,
               size_t why_size);

/* Would one of these be at an interface that is an uplink, if the uplinks were those by `names` (allowed, excluded)?
 * Returns 0, or -EBUSY and one line in `why`. */
int doors_check(const struct doors *doors, const struct door_rule *rules, unsigned count,
                const struct uplink_names *names, char *why, size_t why_size);

/*
 * Has these doors and no others from now on: one that is gone is closed, and its clients are reset; one that is as
 * before goes on. What stands in nobody's way is opened first: if that fails all is as before. Returns 0, or a negative
 * errno and one line in `why`: those from before are to be set again, as some of them may be closed.
 */
int doors_set(struct doors *doors, const struct door_rule *rules, unsigned count, char *why, size_t why_size);

/* Takes back what was changed of the host: after service_end(). NULL is nothing. */
void doors_close(struct doors *doors);

#endif
