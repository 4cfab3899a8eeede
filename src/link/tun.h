/* A tun device: the kernel routes packets to it and takes packets from it, whole super-segments at a time. */
#ifndef HW_LINK_TUN_H
#define HW_LINK_TUN_H

#include <stdbool.h>
#include <stddef.h>

#include "link/link.h"

/* Super-segments out are at most this, so that their IP length field can say how long they are. */
enum { TUN_GSO_BYTES = 65535 - HAWSER_TX_HEAD };

/*
 * Makes the device `name`, or joins the persistent one of that name; it lives as long as the link (a persistent one
 * longer). `gso` false: one wire segment a packet both ways, checksums in software. Buffers come from `pool` (at least
 * LINK_PACKET_MAX bytes each; borrowed). The MTU is the device's at this moment. The device is not set up.
 *
 * Returns 0 and the link in *out, or a negative errno and in `why` one line that says what to do.
 */
int tun_open(const char *name, bool gso, struct hawser_buf_pool *pool, struct link **out, char *why, size_t why_size);

/*
 * A link on an open descriptor of a device that carries virtio-net headers (IFF_VNET_HDR), non-blocking, which is the
 * link's from now on; super-segments are switched on. Returns 0 and the link in *out, or a negative errno, and the
 * descriptor stays the caller's.
 */
int tun_adopt(int fd, uint32_t mtu, struct hawser_buf_pool *pool, struct link **out);

/* Destroys a link, and leaves its descriptor open. */
void tun_abandon(struct link *link);

/* True when the device was made persistent by somebody and outlives the link. */
bool tun_is_persistent(const struct link *link);

#endif
