#include "wire/checksum.h"

#include <string.h>

#include "wire/bytes.h"
#include "wire/ip.h"

/* RFC 1071 2(B): the sum may be taken in any byte order, and 2(C): in words of any width. Native 32-bit words are added
 * into 64 bits and turned to network order at the end. */
static uint64_t sum_native(const uint8_t *p, size_t len)
{
    uint64_t a = 0, b = 0;
    for (; len >= 16; p += 16, len -= 16) {
        uint32_t w[4];
        memcpy(w, p, sizeof w);
        a += (uint64_t)w[0] + w[1];
        b += (uint64_t)w[2] + w[3];
    }
    a += b;
    for (; len >= 2; p += 2, len -= 2) {
        uint16_t w;
        memcpy(&w, p, sizeof w);
        a += w;
    }
    if (len) {
        uint8_t last[2] = {*p, 0};
        uint16_t w;
        memcpy(&w, last, sizeof w);
        a += w;
    }
    return a;
}

static uint16_t fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)sum;
}

void csum_add(struct csum *c, const void *data, size_t len)
{
    uint16_t native = fold(sum_native(data, len));
    uint8_t bytes[2];
    memcpy(bytes, &native, sizeof bytes);
    uint16_t word = get16(bytes);
    /* RFC 1071 2(B): a piece that begins at an odd offset counts with its bytes swapped. */
    c->sum += c->odd ? (uint16_t)(word << 8 | word >> 8) : word;
    c->odd ^= len & 1;
}

void csum_add16(struct csum *c, uint16_t word) { c->sum += word; }

void csum_add32(struct csum *c, uint32_t word) { c->sum += (word >> 16) + (word & 0xffff); }

void csum_add64(struct csum *c, uint64_t word)
{
    csum_add32(c, (uint32_t)(word >> 32));
    csum_add32(c, (uint32_t)word);
}

uint16_t csum_fold(const struct csum *c) { return fold(c->sum); }

uint16_t csum_finish(const struct csum *c) { return (uint16_t)~csum_fold(c); }

void csum_add_pseudo_as(struct csum *c, uint8_t protocol, const struct hawser_addr *src, const struct hawser_addr *dst,
                        uint32_t len)
{
    size_t from = hawser_addr_is_v4(dst) ? 12 : 0;
    csum_add(c, src->ip + from, 16 - from);
    csum_add(c, dst->ip + from, 16 - from);
    csum_add32(c, len);
    csum_add16(c, protocol);
}

void csum_add_pseudo(struct csum *c, const struct hawser_addr *src, const struct hawser_addr *dst, uint32_t tcp_len)
{
    csum_add_pseudo_as(c, IP_PROTO_TCP, src, dst, tcp_len);
}

uint16_t csum_dss(uint64_t dsn, uint32_t ssn, uint16_t len, const struct csum *payload)
{
    struct csum c = {csum_fold(payload), false};
    csum_add64(&c, dsn);
    csum_add32(&c, ssn);
    csum_add16(&c, len);
    return csum_finish(&c);
}
