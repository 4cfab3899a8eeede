#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <hawser/host.h>

#include "link/memory.h"
#include "link/pcap.h"
#include "link/tun.h"
#include "run/host_state.h"
#include "run/link_spec.h"
#include "run/system.h"

enum { PAIR_MTU = 1500, PAIR_QUEUE_PACKETS = 1024, PAIR_QUEUE_BYTES = 8 << 20 };

/* Puts a recorder around the link where one is wanted. */
static int host_record(const struct link_spec *spec, struct link **link, char *why, size_t why_size)
{
    int error = -ENOMEM;
    if (!spec->pcap_path[0])
        return 0;
    struct pcap_writer *writer = pcap_open(spec->pcap_path, &error);
    if (writer) {
        struct link *wrapped = pcap_link_new(*link, writer);
        if (wrapped) {
            *link = wrapped;
            return 0;
        }
        error = -ENOMEM;
        pcap_close(writer);
    }
    snprintf(why, why_size, "cannot write the capture %.300s: %s; choose another pcap=", spec->pcap_path,
             strerror(-error));
    return error;
}

static void host_explain_attach(const struct link_spec *spec, const struct link *link, int error, char *why,
                                size_t size)
{
    if (error == -EINVAL)
        snprintf(why, size, "device %s has an MTU of %u: add mtu=1280 or more to the link", spec->device, link->mtu);
    else if (error == -ENOSPC)
        snprintf(why, size, "too many links: leave out %s, or give its addresses to another link", spec->device);
    else
        snprintf(why, size, "cannot add device %s: %s", spec->device, strerror(-error));
}

/* Of a device that is in use. */
static void host_explain_busy(const struct hawser_host *host, const char *device, char *why, size_t size)
{
    for (size_t i = 0; i < HOST_LINKS; i++) {
        if (host->ports[i].netdev && netdev_is(host->ports[i].netdev, device))
            snprintf(why, size, "device %s is another link of this host already: choose another dev=", device);
    }
}

/* Whether the stack will take this address: asked beforehand, as peers are told of what it has taken. */
static int host_may_add(const struct hawser_host *host, const struct hawser_addr *addr, unsigned prefix_len)
{
    if (prefix_len > (hawser_addr_is_v4(addr) ? 32 : 128))
        return -EINVAL;
    for (size_t i = 0; i < host->address_count; i++) {
        if (hawser_addr_same_ip(&host->addresses[i], addr))
            return -EEXIST;
    }
    return host->address_count < HOST_ADDRESSES ? 0 : -ENOSPC;
}

static int host_add_address(struct hawser_host *host, int index, const struct hawser_addr *addr, unsigned prefix_len)
{
    int error = host_may_add(host, addr, prefix_len);
    if (!error)
        error = hawser_stack_add_address(host->stack, index, addr, prefix_len, system_now());
    if (!error)
        host->addresses[host->address_count++] = *addr;
    return error;
}

static void host_explain_address(const struct link_address *address, int error, char *why, size_t size)
{
    char text[HAWSER_ADDR_STRLEN];
    hawser_addr_format(&address->addr, text, sizeof(text));
    if (error == -EEXIST)
        snprintf(why, size, "the address %s is on another link already: leave one out", text);
    else if (error == -EINVAL)
        snprintf(why, size, "the address %s has a prefix of 1 to %d bits", text,
                 hawser_addr_is_v4(&address->addr) ? 32 : 128);
    else
        snprintf(why, size, "no room for the address %s: use fewer addresses", text);
}

static int host_check_addresses(const struct hawser_host *host, const struct link_spec *spec, char *why,
                                size_t why_size)
{
    for (size_t i = 0; i < spec->address_count; i++) {
        const struct link_address *address = &spec->addresses[i];
        int error = host_may_add(host, &address->addr, address->prefix_len);
        if (error) {
            host_explain_address(address, error, why, why_size);
            return error;
        }
    }
    return 0;
}

static int host_add_addresses(struct hawser_host *host, int index, const struct link_spec *spec, char *why,
                              size_t why_size)
{
    for (size_t i = 0; i < spec->address_count; i++) {
        const struct link_address *address = &spec->addresses[i];
        int error = host_add_address(host, index, &address->addr, address->prefix_len);
        if (error) {
            host_explain_address(address, error, why, why_size);
            return error;
        }
    }
    return 0;
}

/* Sets up the open device and hands it over. Returns its index; on failure the caller owns what is left in *link. */
static int host_add_device(struct hawser_host *host, const struct link_spec *spec, struct link **link, char *why,
                           size_t why_size)
{
    struct netdev *netdev;
    int error = netdev_setup(spec, tun_is_persistent(*link), &netdev, &(*link)->mtu, why, why_size);
    if (error)
        return error;
    error = host_record(spec, link, why, why_size);
    if (!error) {
        int index = host_attach(host, *link, netdev, spec->door);
        if (index >= 0) {
            error = host_add_addresses(host, index, spec, why, why_size);
            if (error)
                host_detach(host, (unsigned)index);
            *link = NULL;
            return error ? error : index;
        }
        error = index;
        host_explain_attach(spec, *link, error, why, why_size);
    }
    netdev_restore(netdev);
    return error;
}

int hawser_host_add_link(struct hawser_host *host, const char *text, char *why, size_t why_size)
{
    struct link_spec spec = {0};
    struct link *link;
    int error = link_spec_parse(text, &spec, why, why_size);
    if (!error)
        error = host_check_addresses(host, &spec, why, why_size);
    if (!error)
        error = tun_open(spec.device, !spec.no_gso, host->pool, &link, why, why_size);
    if (error == -EBUSY)
        host_explain_busy(host, spec.device, why, why_size);
    if (error)
        return error;
    int index = host_add_device(host, &spec, &link, why, why_size);
    if (index < 0 && link)
        link_destroy(link);
    return index;
}

int hawser_host_add_address(struct hawser_host *host, int link, const struct hawser_addr *addr, unsigned prefix_len,
                            char *why, size_t why_size)
{
    const struct link_address address = {*addr, (uint8_t)prefix_len};
    struct netdev *netdev = link >= 0 && link < HOST_LINKS ? host->ports[link].netdev : NULL;
    if (!netdev) {
        snprintf(why, why_size, "there is no such device, or it was deleted: add the link again");
        return -ENODEV;
    }
    int error = prefix_len ? host_may_add(host, addr, prefix_len) : -EINVAL;
    if (error) {
        host_explain_address(&address, error, why, why_size);
        return error;
    }
    error = netdev_add_address(netdev, &address, why, why_size);
    if (error)
        return error;
    error = host_add_address(host, link, addr, prefix_len);
    if (error) {
        netdev_drop_address(netdev, addr);
        host_explain_address(&address, error, why, why_size);
    }
    return error;
}

int hawser_host_remove_address(struct hawser_host *host, const struct hawser_addr *addr)
{
    size_t i = 0;
    while (i < host->address_count && !hawser_addr_same_ip(&host->addresses[i], addr))
        i++;
    if (i == host->address_count)
        return -ENOENT;
    host->addresses[i] = host->addresses[--host->address_count];
    for (size_t port = 0; port < HOST_LINKS; port++) {
        if (host->ports[port].netdev)
            netdev_drop_address(host->ports[port].netdev, addr);
    }
    hawser_stack_remove_address(host->stack, addr, system_now());
    return 0;
}

int hawser_host_remove_link(struct hawser_host *host, int link)
{
    int error = hawser_stack_remove_link(host->stack, link);
    if (error)
        return error;
    if (!host->ports[link].link)
        return -ENODEV;
    host_detach(host, (unsigned)link);
    return 0;
}

/* Attaches one end of a pair; destroys it on failure. */
static int host_add_end(struct hawser_host *host, struct link *end, const struct hawser_addr *addr, unsigned prefix_len)
{
    int index = host_attach(host, end, NULL, false);
    if (index < 0) {
        link_destroy(end);
        return index;
    }
    int error = host_add_address(host, index, addr, prefix_len);
    if (error) {
        host_detach(host, (unsigned)index);
        return error;
    }
    return index;
}

int hawser_host_add_pair(struct hawser_host *a, const struct hawser_addr *addr_a, struct hawser_host *b,
                         const struct hawser_addr *addr_b, unsigned prefix_len)
{
    const struct memory_options options = {
        .mtu = PAIR_MTU, .queue_packets = PAIR_QUEUE_PACKETS, .queue_bytes = PAIR_QUEUE_BYTES, .gso = true};
    struct link *end_a, *end_b;
    int error = host_may_add(a, addr_a, prefix_len);
    if (!error)
        error = host_may_add(b, addr_b, prefix_len);
    if (!error)
        error = memory_pair_new(system_env(), &options, a->pool, b->pool, &end_a, &end_b);
    if (error)
        return error;
    int index_a = host_add_end(a, end_a, addr_a, prefix_len);
    if (index_a < 0) {
        link_destroy(end_b);
        return index_a;
    }
    int index_b = host_add_end(b, end_b, addr_b, prefix_len);
    if (index_b < 0) {
        host_detach(a, (unsigned)index_a);
        return index_b;
    }
    return 0;
}
