#include "wire/ip.h"

#include <string.h>

#include "base/compiler.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

#define HOP_LIMIT 64
#define DONT_FRAGMENT 0x4000
#define FRAGMENT_MASK 0x3fff /* more-fragments flag and offset */
#define OFFSET_MASK 0x1fff
#define EXTENSION_HEADERS_MAX 8

/* RFC 8200 4, RFC 5237: next-header numbers. */
enum { NEXT_HOP_BY_HOP = 0, NEXT_ROUTING = 43, NEXT_FRAGMENT = 44, NEXT_DESTINATION = 60 };

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

static void set_v4(struct hawser_addr *addr, const uint8_t *p)
{
    memcpy(addr->ip, v4_prefix, sizeof v4_prefix);
    memcpy(addr->ip + sizeof v4_prefix, p, 4);
    addr->port = 0;
}

static void set_v6(struct hawser_addr *addr, const uint8_t *p)
{
    memcpy(addr->ip, p, 16);
    addr->port = 0;
}

/* RFC 1122 3.2.1.3: what can never be a source of TCP. */
static bool bad_v4_source(const uint8_t *p)
{
    static const uint8_t zero[4];
    return p[0] >= 224 || memcmp(p, zero, sizeof zero) == 0;
}

static enum ip_result parse_v4(const uint8_t *p, size_t len, bool merged, struct ip_header *out)
{
    if (len < IPV4_HEADER_LEN)
        return IP_TRUNCATED;
    size_t header_len = (size_t)(p[0] & 15) * 4, total = get16(p + 2);
    if (header_len < IPV4_HEADER_LEN)
        return IP_BAD_HEADER;
    if (total == 0 && merged)
        total = len;
    if (header_len > len || total > len || total < header_len)
        return IP_TRUNCATED;
    struct csum sum = {0, false};
    csum_add(&sum, p, header_len);
    if (csum_finish(&sum) != 0)
        return IP_BAD_CHECKSUM;
    if (get16(p + 6) & FRAGMENT_MASK)
        return IP_FRAGMENT;
    if (bad_v4_source(p + 12))
        return IP_BAD_ADDRESS;
    *out = (struct ip_header){.protocol = p[9],
                              .ecn = p[1] & 3,
                              .hop_limit = p[8],
                              .is_v4 = true,
                              .header_len = (uint16_t)header_len,
                              .payload_len = (uint32_t)(total - header_len)};
    set_v4(&out->src, p + 12);
    set_v4(&out->dst, p + 16);
    return IP_OK;
}

/* RFC 4291 2.5.2, 2.7. */
static bool bad_v6_source(const uint8_t *p)
{
    static const uint8_t zero[16];
    return p[0] == 0xff || memcmp(p, zero, sizeof zero) == 0 || memcmp(p, v4_prefix, sizeof v4_prefix) == 0;
}

/* Walks the extension headers that a host may skip; `at` and `*next` move to the payload. */
static enum ip_result skip_extensions(const uint8_t *p, size_t end, size_t *at, uint8_t *next)
{
    for (unsigned i = 0; i <= EXTENSION_HEADERS_MAX; i++) {
        if (*next == NEXT_FRAGMENT)
            return IP_FRAGMENT;
        if (*next != NEXT_HOP_BY_HOP && *next != NEXT_ROUTING && *next != NEXT_DESTINATION)
            return IP_OK;
        if (*at + 8 > end)
            return IP_TRUNCATED;
        if (*next == NEXT_ROUTING && p[*at + 3] != 0)
            return IP_BAD_HEADER; /* RFC 8200 4.4: not at its destination yet */
        *next = p[*at];
        *at += (size_t)(p[*at + 1] + 1) * 8;
        if (*at > end)
            return IP_TRUNCATED;
    }
    return IP_BAD_HEADER;
}

static enum ip_result parse_v6(const uint8_t *p, size_t len, bool merged, struct ip_header *out)
{
    if (len < IPV6_HEADER_LEN)
        return IP_TRUNCATED;
    size_t payload = get16(p + 4), at = IPV6_HEADER_LEN;
    if (payload == 0 && merged)
        payload = len - IPV6_HEADER_LEN;
    size_t end = at + payload;
    if (end > len)
        return IP_TRUNCATED;
    uint8_t next = p[6];
    enum ip_result result = skip_extensions(p, end, &at, &next);
    if (result != IP_OK)
        return result;
    if (bad_v6_source(p + 8) || memcmp(p + 24, v4_prefix, sizeof v4_prefix) == 0)
        return IP_BAD_ADDRESS;
    *out = (struct ip_header){.protocol = next,
                              .ecn = p[1] >> 4 & 3,
                              .hop_limit = p[7],
                              .header_len = (uint16_t)at,
                              .payload_len = (uint32_t)(end - at)};
    set_v6(&out->src, p + 8);
    set_v6(&out->dst, p + 24);
    return IP_OK;
}

enum ip_result ip_parse(const uint8_t *p, size_t len, bool merged, struct ip_header *out)
{
    if (len == 0)
        return IP_TRUNCATED;
    switch (p[0] >> 4) {
    case 4:
        return parse_v4(p, len, merged, out);
    case 6:
        return parse_v6(p, len, merged, out);
    default:
        return IP_BAD_VERSION;
    }
}

static enum ip_result parse_quoted_v4(const uint8_t *p, size_t len, struct ip_header *out)
{
    if (len < IPV4_HEADER_LEN)
        return IP_TRUNCATED;
    size_t header_len = (size_t)(p[0] & 15) * 4, total = get16(p + 2);
    if (header_len < IPV4_HEADER_LEN || total < header_len)
        return IP_BAD_HEADER;
    if (header_len > len)
        return IP_TRUNCATED;
    if (get16(p + 6) & OFFSET_MASK)
        return IP_FRAGMENT;
    *out = (struct ip_header){.protocol = p[9],
                              .is_v4 = true,
                              .header_len = (uint16_t)header_len,
                              .payload_len = (uint32_t)(total - header_len)};
    set_v4(&out->src, p + 12);
    set_v4(&out->dst, p + 16);
    return IP_OK;
}

static enum ip_result parse_quoted_v6(const uint8_t *p, size_t len, struct ip_header *out)
{
    if (len < IPV6_HEADER_LEN)
        return IP_TRUNCATED;
    size_t at = IPV6_HEADER_LEN, end = at + get16(p + 4);
    uint8_t next = p[6];
    enum ip_result result = skip_extensions(p, HW_MIN(len, end), &at, &next);
    if (result != IP_OK)
        return result;
    *out = (struct ip_header){.protocol = next, .header_len = (uint16_t)at, .payload_len = (uint32_t)(end - at)};
    set_v6(&out->src, p + 8);
    set_v6(&out->dst, p + 24);
    return IP_OK;
}

enum ip_result ip_parse_quoted(const uint8_t *p, size_t len, struct ip_header *out)
{
    if (len == 0)
        return IP_TRUNCATED;
    switch (p[0] >> 4) {
    case 4:
        return parse_quoted_v4(p, len, out);
    case 6:
        return parse_quoted_v6(p, len, out);
    default:
        return IP_BAD_VERSION;
    }
}

size_t ip_header_len(const struct hawser_addr *dst)
{
    return hawser_addr_is_v4(dst) ? IPV4_HEADER_LEN : IPV6_HEADER_LEN;
}

static size_t emit_v4(uint8_t *p, uint8_t protocol, const struct hawser_addr *src, const struct hawser_addr *dst,
                      uint8_t ecn, uint32_t payload_len)
{
    memset(p, 0, IPV4_HEADER_LEN);
    p[0] = 4 << 4 | IPV4_HEADER_LEN / 4;
    p[1] = ecn;
    put16(p + 2, (uint16_t)(IPV4_HEADER_LEN + payload_len));
    put16(p + 6, DONT_FRAGMENT);
    p[8] = HOP_LIMIT;
    p[9] = protocol;
    memcpy(p + 12, src->ip + sizeof v4_prefix, 4);
    memcpy(p + 16, dst->ip + sizeof v4_prefix, 4);
    struct csum sum = {0, false};
    csum_add(&sum, p, IPV4_HEADER_LEN);
    put16(p + 10, csum_finish(&sum));
    return IPV4_HEADER_LEN;
}

size_t ip_emit_as(uint8_t *p, uint8_t protocol, const struct hawser_addr *src, const struct hawser_addr *dst,
                  uint8_t ecn, uint32_t payload_len)
{
    if (hawser_addr_is_v4(dst))
        return emit_v4(p, protocol, src, dst, ecn, payload_len);
    put32(p, UINT32_C(6) << 28 | (uint32_t)ecn << 20);
    put16(p + 4, (uint16_t)payload_len);
    p[6] = protocol;
    p[7] = HOP_LIMIT;
    memcpy(p + 8, src->ip, 16);
    memcpy(p + 24, dst->ip, 16);
    return IPV6_HEADER_LEN;
}
