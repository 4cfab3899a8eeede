#include "service/endpoint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool endpoint_read_port(const char *text, uint16_t *out)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);
    *out = (uint16_t)port;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port >= 1 && port <= 65535;
}

int endpoint_read(const char *text, struct endpoint *out)
{
    const char *colon = strrchr(text, ':'), *host = text;
    uint16_t port;
    *out = (struct endpoint){0};
    if (!colon || !endpoint_read_port(colon + 1, &port))
        return -EINVAL;
    size_t len = (size_t)(colon - text);
    const bool bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    if (bracketed) {
        host++;
        len -= 2;
    }
    if (len == 0 || len > DIAL_NAME_MAX)
        return -EINVAL;
    memcpy(out->name, host, len);
    if (strpbrk(out->name, "/@[] \t"))
        return -EINVAL;
    const bool literal = hawser_addr_parse(&out->addr, out->name, port) == 0;
    const bool has_colon = strchr(out->name, ':') != NULL;
    out->addr.port = port;
    if (bracketed ? !literal : has_colon) /* an address of IPv6 has brackets, and nothing else has */
        return -EINVAL;
    if (literal)
        out->name[0] = '\0';
    return 0;
}
