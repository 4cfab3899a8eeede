/* The host forwards for the stack what comes by single interfaces, and does not answer in its stead. */
#ifndef HW_APPS_SERVICE_FORWARDING_H
#define HW_APPS_SERVICE_FORWARDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "service/sysctls.h"

/* One address family of an interface. */
struct forwarding {
    const char *name;
    bool v4;
};

/* Whether the host forwards what comes by it for reasons of its own. */
bool forwarding_is_anyway(const struct sysctls *s, const struct forwarding *f);

/* Who switches forwarding on for all, as container engines do, sets it for each interface: then it is his. */
void forwarding_yield(struct sysctls *s, const struct forwarding *list, size_t count);

/* All of `list`, and no others any more; and the host keeps its own connections out of those ports, which translated
 * ones are told by, unless the list is empty. Returns 0, or a negative errno of the first that cannot be made; the
 * others are. */
int forwarding_apply(struct sysctls *s, const struct forwarding *list, size_t count, uint16_t first_port,
                     uint16_t last_port);

/* IPv6 is forwarded for single interfaces since Linux 6.17; forwarding for all would end router advertisements. False:
 * not on this one, nor for all already. */
bool forwarding_can_v6(const struct sysctls *s, const char *name);

#endif
