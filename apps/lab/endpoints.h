/* The kernel's MPTCP path manager: which addresses it joins from or announces, in the calling thread's namespace. */
#ifndef HW_APPS_LAB_ENDPOINTS_H
#define HW_APPS_LAB_ENDPOINTS_H

#include <stdint.h>

#include <hawser/addr.h>

struct mnl_socket;

struct endpoints {
    struct mnl_socket *socket;
    uint16_t family; /* of generic netlink */
    unsigned sequence;
};

enum endpoint_kind {
    ENDPOINT_SUBFLOW, /* join from it */
    ENDPOINT_SIGNAL,  /* announce it */
};

/* All return 0 or a negative errno; -ENOENT from open: this kernel has no such path manager. */
int endpoints_open(struct endpoints *e);
void endpoints_close(struct endpoints *e);
int endpoints_limits(struct endpoints *e, uint32_t subflows, uint32_t add_addr_accepted);
int endpoints_add(struct endpoints *e, const struct hawser_addr *addr, unsigned device, enum endpoint_kind kind);

#endif
