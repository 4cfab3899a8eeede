/* The packet filter of the kernel, by libnftables. */
#ifndef HW_APPS_SERVICE_PACKET_FILTER_H
#define HW_APPS_SERVICE_PACKET_FILTER_H

#include <stddef.h>

struct nft_ctx;

/* A context that keeps what it says, to be freed by nft_ctx_free(). Returns 0 or a negative errno, and in `why` one
 * line that says what to do: -EPROTONOSUPPORT where the kernel has no packet filter. */
int packet_filter_open(struct nft_ctx **out, char *why, size_t why_size);

#endif
