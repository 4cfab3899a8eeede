/* Software segmentation: the pieces of a super-segment, put together, are the super-segment, and each checks out. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <hawser/packet.h>

#include "base/check.h"
#include "fuzz.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { PACKET_MAX = 4096 };

static void build(const uint8_t *data, size_t size, bool v6, uint16_t gso, struct hawser_tx *tx)
{
    struct hawser_addr src = {.ip = {0xfd, [15] = 1}}, dst = {.ip = {0xfd, [15] = 2}};
    static const uint8_t v4[12] = {[10] = 0xff, [11] = 0xff};
    if (!v6) {
        memcpy(src.ip, v4, sizeof v4);
        memcpy(dst.ip, v4, sizeof v4);
    }
    memset(tx, 0, sizeof *tx);
    struct csum pseudo = {0, false};
    csum_add_pseudo(&pseudo, &src, &dst, (uint32_t)(TCP_HEADER_LEN + size));
    struct tcp_header h = {.header_len = TCP_HEADER_LEN,
                           .flags = TCP_ACK | TCP_PSH | TCP_FIN,
                           .seq = seq_at(UINT32_MAX - 5),
                           .checksum = csum_fold(&pseudo)};
    if (!v6)
        src.ip[12] = 10; /* 10.0.0.1: 0.0.0.1 is fine to emit but no source to parse */
    tx->l3_len = (uint8_t)ip_emit(tx->head, &src, &dst, 0, (uint32_t)(TCP_HEADER_LEN + size));
    pseudo = (struct csum){0, false};
    csum_add_pseudo(&pseudo, &src, &dst, (uint32_t)(TCP_HEADER_LEN + size));
    h.checksum = csum_fold(&pseudo);
    tcp_header_emit(tx->head + tx->l3_len, &h);
    tx->head_len = (uint8_t)(tx->l3_len + TCP_HEADER_LEN);
    size_t cut = size / 3;
    tx->parts[0] = (struct hawser_part){data, (uint32_t)cut};
    tx->parts[1] = (struct hawser_part){data + cut, (uint32_t)(size - cut)};
    tx->part_count = 2;
    tx->payload_len = (uint32_t)size;
    tx->gso_size = gso;
}

static void check_piece(const uint8_t *packet, size_t len, const uint8_t *expected, size_t at, bool last)
{
    struct ip_header ip;
    struct tcp_header tcp;
    struct csum sum = {0, false};
    CHECK(ip_parse(packet, len, false, &ip) == IP_OK && ip.header_len + ip.payload_len == len);
    csum_add_pseudo(&sum, &ip.src, &ip.dst, ip.payload_len);
    csum_add(&sum, packet + ip.header_len, ip.payload_len);
    CHECK(csum_finish(&sum) == 0);
    CHECK(tcp_header_parse(packet + ip.header_len, ip.payload_len, &tcp));
    CHECK(tcp.seq.v == UINT32_MAX - 5 + (uint32_t)at);
    CHECK(!!(tcp.flags & TCP_FIN) == last);
    size_t payload = ip.payload_len - tcp.header_len;
    CHECK(payload == 0 || memcmp(packet + ip.header_len + tcp.header_len, expected + at, payload) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > PACKET_MAX)
        return 0;
    bool v6 = data[0] & 1;
    uint16_t gso = (uint16_t)(data[1] << 3 | (data[0] >> 1 & 7));
    data += 2;
    size -= 2;
    struct hawser_tx super, wire;
    build(data, size, v6, gso, &super);
    uint8_t packet[HAWSER_TX_HEAD + PACKET_MAX];
    size_t at = 0;
    for (uint32_t offset = 0; hawser_tx_segment(&super, &offset, &wire);) {
        hawser_tx_finish_checksum(&wire);
        size_t len = hawser_tx_flatten(&wire, packet);
        CHECK(gso == 0 || wire.payload_len <= gso);
        check_piece(packet, len, data, at, at + wire.payload_len == size);
        at += wire.payload_len;
    }
    CHECK(at == size);
    return 0;
}
