/* Super-segments in software: cutting them into wire segments and finishing checksums (<hawser/packet.h>). */
#include <string.h>

#include <hawser/packet.h>

#include "base/compiler.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

#define CHECKSUM_AT 16 /* in the TCP header */

static bool is_v4(const struct hawser_tx *tx) { return tx->l3_len == IPV4_HEADER_LEN; }

void hawser_tx_finish_checksum(struct hawser_tx *tx)
{
    if (tx->flags & HAWSER_TX_CSUM_DONE)
        return;
    struct csum sum = {0, false};
    csum_add(&sum, tx->head + tx->l3_len, (size_t)(tx->head_len - tx->l3_len)); /* holds the pseudo-header's sum */
    for (unsigned i = 0; i < tx->part_count; i++)
        csum_add(&sum, tx->parts[i].data, tx->parts[i].len);
    put16(tx->head + tx->l3_len + CHECKSUM_AT, csum_finish(&sum));
    tx->flags |= HAWSER_TX_CSUM_DONE;
}

static void slice_parts(const struct hawser_tx *super, uint32_t from, uint32_t len, struct hawser_tx *out)
{
    out->part_count = 0;
    for (unsigned i = 0; i < super->part_count && len; i++) {
        const struct hawser_part *part = &super->parts[i];
        if (from >= part->len) {
            from -= part->len;
            continue;
        }
        uint32_t take = HW_MIN(part->len - from, len);
        out->parts[out->part_count++] = (struct hawser_part){part->data + from, take};
        len -= take;
        from = 0;
    }
}

/* Rewrites the lengths that depend on the payload, in both headers. */
static void set_length(struct hawser_tx *tx, uint32_t old_payload)
{
    uint8_t *ip = tx->head, *tcp = tx->head + tx->l3_len;
    uint32_t tcp_header = (uint32_t)(tx->head_len - tx->l3_len);
    if (is_v4(tx)) {
        put16(ip + 2, (uint16_t)(tx->head_len + tx->payload_len));
        put16(ip + 10, 0);
        struct csum sum = {0, false};
        csum_add(&sum, ip, IPV4_HEADER_LEN);
        put16(ip + 10, csum_finish(&sum));
    } else {
        put16(ip + 4, (uint16_t)(tcp_header + tx->payload_len));
    }
    /* RFC 1624: the pseudo-header's sum with another length. */
    struct csum sum = {get16(tcp + CHECKSUM_AT), false};
    uint32_t before = tcp_header + old_payload;
    csum_add16(&sum, (uint16_t) ~(before >> 16));
    csum_add16(&sum, (uint16_t)~before);
    csum_add32(&sum, tcp_header + tx->payload_len);
    put16(tcp + CHECKSUM_AT, csum_fold(&sum));
}

bool hawser_tx_segment(const struct hawser_tx *super, uint32_t *offset, struct hawser_tx *out)
{
    if (*offset > super->payload_len || (*offset == super->payload_len && *offset > 0))
        return false;
    bool whole = super->gso_size == 0 || super->flags & HAWSER_TX_CSUM_DONE;
    uint32_t at = *offset, left = super->payload_len - at;
    uint32_t len = whole ? left : HW_MIN(left, super->gso_size);
    bool last = len == left;
    memcpy(out->head, super->head, super->head_len);
    out->head_len = super->head_len;
    out->l3_len = super->l3_len;
    out->link = super->link;
    out->flags = super->flags;
    out->gso_size = 0;
    out->payload_len = len;
    slice_parts(super, at, len, out);
    *offset = last ? super->payload_len + !super->payload_len : at + len;
    if (super->flags & HAWSER_TX_CSUM_DONE)
        return true;
    uint8_t *tcp = out->head + out->l3_len;
    put32(tcp + 4, get32(tcp + 4) + at);
    if (!last)
        tcp[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (at > 0)
        tcp[13] &= (uint8_t)~TCP_CWR;
    if (len != super->payload_len)
        set_length(out, super->payload_len);
    return true;
}

size_t hawser_tx_flatten(const struct hawser_tx *tx, uint8_t *dst)
{
    size_t at = tx->head_len;
    memcpy(dst, tx->head, at);
    for (unsigned i = 0; i < tx->part_count; i++) {
        memcpy(dst + at, tx->parts[i].data, tx->parts[i].len);
        at += tx->parts[i].len;
    }
    return at;
}
