#include "run/inlets.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "run/sockaddr.h"

enum { INLET_BACKLOG = 128 };

static bool is_loopback(const struct hawser_addr *addr)
{
    static const uint8_t v6[16] = {[15] = 1};
    return hawser_addr_is_v4(addr) ? addr->ip[12] == 127 : memcmp(addr->ip, v6, sizeof(v6)) == 0;
}

static bool is_wanted(const struct hawser_addr *addr, enum inlets_resolvers kind)
{
    return is_loopback(addr) == (kind == INLETS_NEAR);
}

size_t inlets_read_resolvers(const char *resolv_conf, enum inlets_resolvers kind, struct hawser_addr *out)
{
    char line[512], text[HAWSER_ADDR_STRLEN + 32];
    size_t count = 0;
    FILE *in = fopen(resolv_conf, "re");
    while (in && count < INLETS_RESOLVERS && fgets(line, sizeof(line), in)) {
        if (sscanf(line, "nameserver %77s", text) == 1 &&
            hawser_addr_parse(&out[count], text, INLETS_RESOLVER_PORT) == 0 && is_wanted(&out[count], kind))
            count++;
    }
    if (in)
        fclose(in);
    return count;
}

int inlets_add(struct inlets *inlets, const struct hawser_addr *addr, bool stream)
{
    struct sockaddr_storage to;
    socklen_t len = sockaddr_of(addr, &to);
    int one = 1;
    if (inlets->count == INLETS_MAX)
        return -ENOSPC;
    int fd = socket(to.ss_family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (hawser_addr_is_v4(addr) && !is_loopback(addr)) /* its answers come from there, too */
        setsockopt(fd, IPPROTO_IP, IP_TRANSPARENT, &one, sizeof(one));
    else if (!is_loopback(addr))
        setsockopt(fd, IPPROTO_IPV6, IPV6_TRANSPARENT, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)&to, len) != 0 || (stream && listen(fd, INLET_BACKLOG) != 0)) {
        int error = -errno;
        close(fd);
        return error;
    }
    inlets->all[inlets->count++] = (struct inlet){.fd = fd, .stream = stream, .addr = *addr};
    return 0;
}

void inlets_close(struct inlets *inlets)
{
    while (inlets->count)
        close(inlets->all[--inlets->count].fd);
}
