#include "service/packet_filter.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/netlink.h>
#include <nftables/libnftables.h>

/* Without a socket the library ends the process. */
static int try_socket(void)
{
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (fd < 0)
        return -errno;
    close(fd);
    return 0;
}

int packet_filter_open(struct nft_ctx **out, char *why, size_t why_size)
{
    int error = try_socket();
    if (error == -EPROTONOSUPPORT || error == -EAFNOSUPPORT) {
        snprintf(why, why_size,
                 "this kernel has no packet filter: is it built with nf_tables and nf_nat? (modprobe nf_tables)");
        return -EPROTONOSUPPORT;
    }
    if (error) {
        snprintf(why, why_size, "cannot reach the packet filter: %s", strerror(-error));
        return error;
    }
    struct nft_ctx *nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (!nft) {
        snprintf(why, why_size, "no memory for the packet filter: free some and try again");
        return -ENOMEM;
    }
    nft_ctx_buffer_error(nft);
    nft_ctx_buffer_output(nft);
    *out = nft;
    return 0;
}
