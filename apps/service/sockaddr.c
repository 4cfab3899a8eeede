#include "service/sockaddr.h"

#include <netinet/in.h>
#include <string.h>

bool sockaddr_read(const struct sockaddr_storage *from, struct hawser_addr *out)
{
    *out = (struct hawser_addr){0};
    if (from->ss_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, from, sizeof in);
        out->ip[10] = out->ip[11] = 0xff;
        memcpy(out->ip + 12, &in.sin_addr, 4);
        out->port = ntohs(in.sin_port);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        struct sockaddr_in6 in6;
        memcpy(&in6, from, sizeof in6);
        memcpy(out->ip, &in6.sin6_addr, 16);
        out->port = ntohs(in6.sin6_port);
        return true;
    }
    return false;
}

socklen_t sockaddr_write(const struct hawser_addr *from, struct sockaddr_storage *out)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(from->port)};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(from->port)};
    memset(out, 0, sizeof *out);
    if (hawser_addr_is_v4(from)) {
        memcpy(&in.sin_addr, from->ip + 12, 4);
        memcpy(out, &in, sizeof in);
        return sizeof in;
    }
    memcpy(&in6.sin6_addr, from->ip, 16);
    memcpy(out, &in6, sizeof in6);
    return sizeof in6;
}
