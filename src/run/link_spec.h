/* Reads the description of a link: "tun,dev=NAME,addr=A/LEN[,addr=...][,mtu=N][,pcap=FILE][,nogso][,door]", or
 * "addr=none" for one whose addresses come later. */
#ifndef HW_RUN_LINK_SPEC_H
#define HW_RUN_LINK_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum {
    LINK_SPEC_ADDRESSES = 16,
    LINK_SPEC_DEVICE_SIZE = 16, /* the kernel's IFNAMSIZ, with the NUL */
    LINK_SPEC_PATH_SIZE = 4096,
};

struct link_address {
    struct hawser_addr addr;
    uint8_t prefix_len; /* 1..32 or 1..128 */
};

struct link_spec {
    char device[LINK_SPEC_DEVICE_SIZE];
    char pcap_path[LINK_SPEC_PATH_SIZE]; /* empty: no capture */
    struct link_address addresses[LINK_SPEC_ADDRESSES];
    size_t address_count; /* at least 1, but of a door or with addr=none */
    uint32_t mtu;         /* 0: the device's */
    bool no_gso, door, no_address;
};

/* Returns 0, or -EINVAL and in `why` one line that says what is wrong and what to write instead. */
int link_spec_parse(const char *text, struct link_spec *out, char *why, size_t why_size);

#endif
