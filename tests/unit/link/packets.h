/* Makes and takes apart TCP packets, for the tests of links. */
#ifndef HW_TESTS_LINK_PACKETS_H
#define HW_TESTS_LINK_PACKETS_H

#include <string.h>

#include <hawser/packet.h>

#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { PACKET_TCP_CHECKSUM = 16 };

struct packet_flow {
    struct hawser_addr src, dst; /* with ports */
    seq32 seq, ack;
    uint8_t flags; /* TCP_... */
    uint16_t window;
};

static inline struct hawser_addr packet_addr(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

/* A packet as a stack makes it: checksum partial, merged when the payload is longer than gso_size (if not 0). */
static inline struct hawser_tx packet_make(const struct packet_flow *flow, const uint8_t *payload, uint32_t len,
                                           uint16_t gso_size)
{
    struct hawser_tx tx = {.payload_len = len, .gso_size = gso_size};
    struct tcp_header tcp = {.src_port = flow->src.port,
                             .dst_port = flow->dst.port,
                             .seq = flow->seq,
                             .ack = flow->ack,
                             .flags = flow->flags,
                             .window = flow->window,
                             .header_len = TCP_HEADER_LEN};
    struct csum sum = {0};
    csum_add_pseudo(&sum, &flow->src, &flow->dst, TCP_HEADER_LEN + len);
    tcp.checksum = csum_fold(&sum);
    tx.l3_len = (uint8_t)ip_emit(tx.head, &flow->src, &flow->dst, 0, TCP_HEADER_LEN + len);
    tcp_header_emit(tx.head + tx.l3_len, &tcp);
    tx.head_len = (uint8_t)(tx.l3_len + TCP_HEADER_LEN);
    /* Uneven pieces, so that nothing can rely on one. */
    uint32_t cut = len > 3 ? len / 3 | 1 : len;
    if (len) {
        tx.parts[tx.part_count++] = (struct hawser_part){payload, cut};
        if (len > cut)
            tx.parts[tx.part_count++] = (struct hawser_part){payload + cut, len - cut};
    }
    return tx;
}

struct packet_view {
    struct ip_header ip;
    struct tcp_header tcp;
    const uint8_t *payload;
    uint32_t payload_len;
};

/* Takes a TCP packet apart; fails the test when it is none, or its lengths do not fit. */
static inline struct packet_view packet_parse(const uint8_t *data, uint32_t len, bool merged)
{
    struct packet_view v;
    assert_int_equal(ip_parse(data, len, merged, &v.ip), IP_OK);
    assert_int_equal(v.ip.protocol, IP_PROTO_TCP);
    assert_true(tcp_header_parse(data + v.ip.header_len, v.ip.payload_len, &v.tcp));
    v.payload = data + v.ip.header_len + v.tcp.header_len;
    v.payload_len = v.ip.payload_len - v.tcp.header_len;
    return v;
}

/* True when the TCP checksum is complete and right. */
static inline bool packet_checksum_ok(const uint8_t *data, const struct packet_view *v)
{
    struct csum sum = {0};
    csum_add_pseudo(&sum, &v->ip.src, &v->ip.dst, v->ip.payload_len);
    csum_add(&sum, data + v->ip.header_len, v->ip.payload_len);
    return csum_fold(&sum) == 0xffff;
}

#endif
