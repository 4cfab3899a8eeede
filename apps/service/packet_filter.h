/* The packet filter of the kernel, by libnftables. */
#ifndef HW_APPS_SERVICE_PACKET_FILTER_H
#define HW_APPS_SERVICE_PACKET_FILTER_H

#include <stddef.h>
#include <stdio.h>

struct nft_ctx;

/* What is missing where the kernel takes no rules. */
#define PACKET_FILTER_WANTS "is the kernel built with nf_tables and nf_nat? (modprobe -a nf_tables nf_nat)"

/* A context that keeps what it says, to be freed by nft_ctx_free(). Returns 0 or a negative errno, and in `why` one
 * line that says what to do: -EPROTONOSUPPORT where the kernel has no packet filter. */
int packet_filter_open(struct nft_ctx **out, char *why, size_t why_size);

/* Has it take commands, in a context of their own. Returns 0 or a negative errno and one line in `why`: `denied` where
 * the caller may not, else that the rules of `whose` are refused, with what the library complains of first. */
int packet_filter_run(const char *commands, const char *denied, const char *whose, char *why, size_t why_size);

/* Ends what was written by open_memstream() into *text. Returns it, to be freed by free(), or NULL: some of it found no
 * memory. */
char *packet_filter_text(FILE *out, char **text);

#endif
