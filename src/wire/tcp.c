#include "wire/tcp.h"

#include "wire/bytes.h"

bool tcp_header_parse(const uint8_t *p, size_t len, struct tcp_header *out)
{
    if (len < TCP_HEADER_LEN)
        return false;
    uint8_t header_len = (uint8_t)((p[12] >> 4) * 4);
    if (header_len < TCP_HEADER_LEN || header_len > len)
        return false;
    *out = (struct tcp_header){
        .src_port = get16(p),
        .dst_port = get16(p + 2),
        .seq = seq_at(get32(p + 4)),
        .ack = seq_at(get32(p + 8)),
        .header_len = header_len,
        .flags = p[13],
        .window = get16(p + 14),
        .checksum = get16(p + 16),
        .urgent = get16(p + 18),
    };
    return true;
}

void tcp_header_emit(uint8_t *p, const struct tcp_header *h)
{
    put16(p, h->src_port);
    put16(p + 2, h->dst_port);
    put32(p + 4, h->seq.v);
    put32(p + 8, h->ack.v);
    p[12] = (uint8_t)(h->header_len / 4 << 4);
    p[13] = h->flags;
    put16(p + 14, h->window);
    put16(p + 16, h->checksum);
    put16(p + 18, h->urgent);
}
