#include "run/host_hub.h"

#include "link/tun.h"
#include "run/host_state.h"
#include "run/system.h"

int host_add_hub(struct hawser_host *host, uint32_t mtu, struct link **out)
{
    struct link *hub;
    int error = hub_new(system_env(), mtu, TUN_GSO_BYTES, &hub);
    if (error)
        return error;
    int index = host_attach(host, hub, NULL, true);
    if (index < 0)
        link_destroy(hub);
    else
        *out = hub;
    return index;
}

int host_hub_adopt(struct hawser_host *host, struct link *hub, int fd, const struct hawser_addr *addrs, size_t count,
                   void *user, struct hub_member **out)
{
    struct link *link;
    int error = tun_adopt(fd, hub->mtu, host->pool, &link);
    if (error)
        return error;
    error = hub_add(hub, link, addrs, count, user, out);
    if (error)
        tun_abandon(link);
    return error;
}
