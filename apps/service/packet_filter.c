#include "service/packet_filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
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
        snprintf(why, why_size, "this kernel has no packet filter: " PACKET_FILTER_WANTS);
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

int packet_filter_run(const char *commands, const char *denied, const char *whose, char *why, size_t why_size)
{
    struct nft_ctx *nft;
    int error = packet_filter_open(&nft, why, why_size);
    if (error)
        return error;
    errno = 0;
    error = nft_run_cmd_from_buffer(nft, commands) == 0 ? 0 : errno ? -errno : -EIO;
    const char *said = nft_ctx_get_error_buffer(nft);
    if (error == -EPERM)
        snprintf(why, why_size, "%s: run as root, or with CAP_NET_ADMIN", denied);
    else if (error)
        snprintf(why, why_size, "the packet filter refuses the rules of %s: %.*s: " PACKET_FILTER_WANTS, whose,
                 (int)strcspn(said ? said : "", "\n"), said ? said : "");
    nft_ctx_free(nft);
    return error;
}

char *packet_filter_text(FILE *out, char **text)
{
    bool bad = ferror(out);
    if (fclose(out) == 0 && !bad)
        return *text;
    free(*text);
    return NULL;
}
