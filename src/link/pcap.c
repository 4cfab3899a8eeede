#include "link/pcap.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"
#include "wire/tcp.h"

enum { TCP_CHECKSUM_OFFSET = 16 };

struct pcap_link {
    struct link link;
    struct link *inner;
    struct pcap_writer *writer;
    uint8_t flat[LINK_PACKET_MAX + HAWSER_TX_HEAD];
};

static void pcap_record(struct pcap_link *p, const struct hawser_tx *tx, uint64_t now_ns)
{
    struct hawser_tx segment;
    uint32_t offset = 0;
    while (hawser_tx_segment(tx, &offset, &segment)) {
        hawser_tx_finish_checksum(&segment);
        CHECK(segment.head_len + segment.payload_len <= sizeof(p->flat));
        size_t len = hawser_tx_flatten(&segment, p->flat);
        pcap_write(p->writer, now_ns, p->flat, len);
    }
}

/*
 * Presents a received packet whose checksum is partial, or which is merged, as one that is to be sent: then the same
 * code cuts and completes both. False when it is anything but TCP in a plain IP packet.
 */
static bool pcap_as_outgoing(const struct hawser_rx *rx, struct hawser_tx *out)
{
    struct ip_header ip;
    struct tcp_header tcp;
    if (ip_parse(rx->data, rx->len, rx->gso_size != 0, &ip) != IP_OK || ip.protocol != IP_PROTO_TCP ||
        ip.header_len != (ip.is_v4 ? IPV4_HEADER_LEN : IPV6_HEADER_LEN) ||
        !tcp_header_parse(rx->data + ip.header_len, ip.payload_len, &tcp))
        return false;

    uint32_t head_len = (uint32_t)ip.header_len + tcp.header_len;
    CHECK(head_len <= HAWSER_TX_HEAD);
    out->head_len = (uint8_t)head_len;
    out->l3_len = (uint8_t)ip.header_len;
    out->link = 0;
    out->flags = 0;
    out->gso_size = rx->gso_size;
    out->payload_len = ip.payload_len - tcp.header_len;
    out->part_count = out->payload_len > 0;
    out->parts[0] = (struct hawser_part){rx->data + head_len, out->payload_len};
    memcpy(out->head, rx->data, head_len);

    struct csum sum = {0};
    csum_add_pseudo(&sum, &ip.src, &ip.dst, ip.payload_len);
    put16(out->head + ip.header_len + TCP_CHECKSUM_OFFSET, csum_fold(&sum));
    return true;
}

static int pcap_receive(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns)
{
    struct pcap_link *p = HW_CONTAINER(link, struct pcap_link, link);
    int count = link_receive(p->inner, out, max, now_ns);
    for (int i = 0; i < count; i++) {
        struct hawser_tx tx;
        bool finished = !(out[i].flags & HAWSER_RX_CSUM_OK) && !out[i].gso_size;
        if (!finished && pcap_as_outgoing(&out[i], &tx))
            pcap_record(p, &tx, now_ns);
        else
            pcap_write(p->writer, now_ns, out[i].data, out[i].len);
    }
    link->counters = p->inner->counters;
    link->counters.not_recorded += pcap_lost(p->writer);
    return count;
}

static void pcap_release(struct link *link) { link_release(HW_CONTAINER(link, struct pcap_link, link)->inner); }

/* Records what the stack sent, also what the link beneath drops for want of room: that is where a loss shows. */
static int pcap_transmit(struct link *link, const struct hawser_tx *packets, size_t count, uint64_t now_ns)
{
    struct pcap_link *p = HW_CONTAINER(link, struct pcap_link, link);
    for (size_t i = 0; i < count; i++)
        pcap_record(p, &packets[i], now_ns);
    int sent = link_transmit(p->inner, packets, count, now_ns);
    link->counters = p->inner->counters;
    link->counters.not_recorded += pcap_lost(p->writer);
    return sent;
}

static void pcap_destroy(struct link *link)
{
    struct pcap_link *p = HW_CONTAINER(link, struct pcap_link, link);
    link_destroy(p->inner);
    pcap_close(p->writer);
    free(p);
}

static const struct link_ops pcap_ops = {pcap_receive, pcap_release, pcap_transmit, pcap_destroy};

struct link *pcap_link_new(struct link *inner, struct pcap_writer *writer)
{
    struct pcap_link *p = malloc(sizeof(*p));
    if (!p)
        return NULL;
    p->link = *inner;
    p->link.ops = &pcap_ops;
    p->inner = inner;
    p->writer = writer;
    return &p->link;
}
