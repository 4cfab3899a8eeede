/* Addresses as the kernel's sockets have them. */
#ifndef HW_APPS_RUN_SOCKADDR_H
#define HW_APPS_RUN_SOCKADDR_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include <hawser/addr.h>

static inline socklen_t sockaddr_of(const struct hawser_addr *addr, struct sockaddr_storage *out)
{
    memset(out, 0, sizeof(*out));
    if (hawser_addr_is_v4(addr)) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(addr->port)};
        memcpy(&in.sin_addr, addr->ip + 12, 4);
        memcpy(out, &in, sizeof(in));
        return sizeof(in);
    }
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(addr->port)};
    memcpy(&in6.sin6_addr, addr->ip, 16);
    memcpy(out, &in6, sizeof(in6));
    return sizeof(in6);
}

#endif
