#include "service/proxy_header.h"

#include <string.h>

#include "base/check.h"

/* PROXY protocol 2.2. */
static const uint8_t signature[12] = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a};

enum { PROXY_VERSION_2_PROXY = 0x21, PROXY_TCP_OVER_IPV4 = 0x11, PROXY_TCP_OVER_IPV6 = 0x21 };

static uint8_t *put_16(uint8_t *at, uint16_t value)
{
    *at++ = (uint8_t)(value >> 8);
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

size_t proxy_header_write(const struct hawser_addr *client, const struct hawser_addr *called,
                          uint8_t out[PROXY_HEADER_MAX])
{
    bool v4 = hawser_addr_is_v4(client);
    size_t len = v4 ? 4 : 16;
    CHECK(hawser_addr_is_v4(called) == v4);
    uint8_t *at = put(out, signature, sizeof signature);
    *at++ = PROXY_VERSION_2_PROXY;
    *at++ = v4 ? PROXY_TCP_OVER_IPV4 : PROXY_TCP_OVER_IPV6;
    at = put_16(at, (uint16_t)(2 * len + 4));
    at = put(at, client->ip + 16 - len, len);
    at = put(at, called->ip + 16 - len, len);
    at = put_16(at, client->port);
    at = put_16(at, called->port);
    return (size_t)(at - out);
}
