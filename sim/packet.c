#include "sim/packet.h"

#include <string.h>

#include "base/check.h"
#include "sim/digest.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { IPV4_CHECKSUM_OFFSET = 10, TCP_CHECKSUM_OFFSET = 16, DIGEST_BYTES = 100 };

uint32_t packet_buffer_bytes(uint32_t room) { return (uint32_t)sizeof(struct packet) + room; }

struct packet *packet_new(struct hawser_buf_pool *pool)
{
    struct hawser_buf *buf = hawser_buf_new(pool);
    if (!buf)
        return NULL;
    struct packet *packet = (struct packet *)(void *)hawser_buf_data(buf);
    *packet = (struct packet){.buf = buf,
                              .data = hawser_buf_data(buf) + sizeof *packet,
                              .room = hawser_buf_capacity(buf) - (uint32_t)sizeof *packet};
    list_init(&packet->link);
    return packet;
}

void packet_free(struct packet *packet)
{
    list_remove(&packet->link);
    hawser_buf_unref(packet->buf);
}

/* The headers and the length tell packets apart well enough; judges look at the payload. */
static void update_digest(struct packet *packet)
{
    packet->digest = digest_bytes(packet->len, packet->data, HW_MIN(packet->len, (uint32_t)DIGEST_BYTES));
}

struct packet *packet_from_tx(struct hawser_buf_pool *pool, const struct hawser_tx *tx)
{
    struct packet *packet = packet_new(pool);
    if (!packet)
        return NULL;
    packet->len = tx->head_len + tx->payload_len;
    CHECK(packet->len <= packet->room);
    hawser_tx_flatten(tx, packet->data);
    packet->checksum_pending = true;
    update_digest(packet);
    return packet;
}

struct packet *packet_copy(struct hawser_buf_pool *pool, const struct packet *packet)
{
    struct packet *copy = packet_new(pool);
    if (!copy)
        return NULL;
    CHECK(packet->len <= copy->room);
    memcpy(copy->data, packet->data, packet->len);
    copy->len = packet->len;
    copy->checksum_pending = packet->checksum_pending;
    copy->damaged = packet->damaged;
    copy->digest = packet->digest;
    return copy;
}

static void write_tcp_checksum(struct packet *packet)
{
    struct ip_header ip;
    if (ip_parse(packet->data, packet->len, false, &ip) != IP_OK || ip.protocol != IP_PROTO_TCP ||
        ip.payload_len < TCP_HEADER_LEN)
        return;
    uint8_t *tcp = packet->data + ip.header_len;
    struct csum sum = {0, false};
    put16(tcp + TCP_CHECKSUM_OFFSET, 0);
    csum_add_pseudo(&sum, &ip.src, &ip.dst, ip.payload_len);
    csum_add(&sum, tcp, ip.payload_len);
    put16(tcp + TCP_CHECKSUM_OFFSET, csum_finish(&sum) ^ packet->damaged);
}

void packet_settle(struct packet *packet)
{
    if (!packet->checksum_pending)
        return;
    packet->checksum_pending = false;
    write_tcp_checksum(packet);
    update_digest(packet);
}

void packet_rewritten(struct packet *packet)
{
    packet->checksum_pending = false;
    if (packet->len >= IPV4_HEADER_LEN && packet->data[0] >> 4 == 4) {
        size_t header_len = (size_t)(packet->data[0] & 0xf) * 4;
        struct csum sum = {0, false};
        put16(packet->data + IPV4_CHECKSUM_OFFSET, 0);
        csum_add(&sum, packet->data, HW_MIN(header_len, (size_t)packet->len));
        put16(packet->data + IPV4_CHECKSUM_OFFSET, csum_finish(&sum));
    }
    write_tcp_checksum(packet);
    update_digest(packet);
}

/* RFC 1624 3: the header checksum after one 16-bit word of the header changed. */
static void correct_header_checksum(uint8_t *header, uint16_t before, uint16_t after)
{
    struct csum sum = {0, false};
    csum_add16(&sum, (uint16_t)~get16(header + IPV4_CHECKSUM_OFFSET));
    csum_add16(&sum, (uint16_t)~before);
    csum_add16(&sum, after);
    put16(header + IPV4_CHECKSUM_OFFSET, csum_finish(&sum));
}

bool packet_mark_ce(struct packet *packet)
{
    enum { CE = 3, V6_SHIFT = 4 };
    if (packet->len < IPV4_HEADER_LEN)
        return false;
    bool v4 = packet->data[0] >> 4 == 4;
    uint8_t mark = v4 ? CE : CE << V6_SHIFT;
    if (!(packet->data[1] & mark))
        return false;
    uint16_t before = get16(packet->data);
    packet->data[1] |= mark;
    if (v4)
        correct_header_checksum(packet->data, before, get16(packet->data));
    update_digest(packet);
    return true;
}
