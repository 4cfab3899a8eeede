#include <hawser/addr.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

int hawser_addr_parse(struct hawser_addr *addr, const char *text, uint16_t port)
{
    struct hawser_addr out = {.port = port};
    if (inet_pton(AF_INET, text, out.ip + sizeof v4_prefix) == 1)
        memcpy(out.ip, v4_prefix, sizeof v4_prefix);
    else if (inet_pton(AF_INET6, text, out.ip) != 1)
        return -EINVAL;
    *addr = out;
    return 0;
}

char *hawser_addr_format(const struct hawser_addr *addr, char *text, size_t size)
{
    char ip[INET6_ADDRSTRLEN] = "?";
    bool v4 = hawser_addr_is_v4(addr);
    inet_ntop(v4 ? AF_INET : AF_INET6, addr->ip + (v4 ? sizeof v4_prefix : 0), ip, sizeof ip);
    if (addr->port == 0)
        snprintf(text, size, "%s", ip);
    else
        snprintf(text, size, v4 ? "%s:%u" : "[%s]:%u", ip, addr->port);
    return text;
}

bool hawser_addr_is_v4(const struct hawser_addr *addr) { return memcmp(addr->ip, v4_prefix, sizeof v4_prefix) == 0; }

bool hawser_addr_same_ip(const struct hawser_addr *a, const struct hawser_addr *b)
{
    return memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

bool hawser_addr_equal(const struct hawser_addr *a, const struct hawser_addr *b)
{
    return a->port == b->port && hawser_addr_same_ip(a, b);
}
