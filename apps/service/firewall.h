/* What other tables of the packet filter do to packets of Hawser's devices: a chain of ours cannot overrule theirs. */
#ifndef HW_APPS_SERVICE_FIREWALL_H
#define HW_APPS_SERVICE_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>

struct nft_ctx;

enum { FIREWALL_CHAINS = 16 };

struct firewall_chain {
    char name[160]; /* "ip filter FORWARD" */
};

/* The chains of others that look at what is forwarded or comes in, of what "nft list chains" prints. Returns how many.
 */
size_t firewall_chains(const char *listing, struct firewall_chain chains[FIREWALL_CHAINS]);

/* Of programs' and doors' devices, to whom it may concern: both begin so. */
#define FIREWALL_PREFIX "hawser"

/* Whether that chain, as "nft list chain" prints it, drops whatever it is told nothing of, and is not told to let pass
 * what is from and to all of our devices. */
bool firewall_chain_drops(const char *listing);

/* Names those that do, each in quotes, as many as there is room for; returns whether there are any. */
bool firewall_hinders(struct nft_ctx *nft, char *chains, size_t size);

#endif
