#include "sim/boxes/box.h"

#include <string.h>

#include "base/units.h"
#include "sim/lane.h"
#include "sim/memory.h"
#include "wire/bytes.h"

enum { OPT_END = 0, OPT_NOP = 1, OPT_SACK = 5, IPV4_LENGTH_OFFSET = 2, IPV6_LENGTH_OFFSET = 4, OPTIONS_MAX = 40 };

static struct box *box_at(struct node *node) { return HW_CONTAINER(node, struct box, node); }

bool box_acts(const struct box *box, unsigned port, uint64_t now_ns)
{
    const struct box_config *c = &box->config;
    uint64_t at = now_ns - WORLD_START_NS;
    if (at < c->from_ns || (c->to_ns && at >= c->to_ns))
        return false;
    return c->direction == BOX_BOTH || (c->direction == BOX_OUTWARD) == (port == BOX_INNER);
}

bool box_selects(struct box *box, const struct box_segment *seg)
{
    const struct box_config *c = &box->config;
    bool syn = seg->tcp.flags & TCP_SYN;
    if ((c->syn_only && !syn) || (c->data_only && syn))
        return false;
    return c->ppm == 0 || prng_below(&box->node.rng, PPM_ALL) < c->ppm;
}

void box_pass_on(struct box *box, unsigned in, struct packet *packet, uint64_t now_ns)
{
    node_emit(&box->node, 1 - in, packet, now_ns);
}

static void box_forward(struct node *node, unsigned port, struct packet *packet, uint64_t now_ns)
{
    struct box *box = box_at(node);
    struct box_segment seg;
    enum box_fate fate = BOX_PASS;
    if ((box->always || box_acts(box, port, now_ns)) && box_parse(packet, &seg))
        fate = box->work(box, port, packet, &seg, now_ns);
    if (fate == BOX_PASS)
        box_pass_on(box, port, packet, now_ns);
    else if (fate == BOX_DROP)
        packet_free(packet);
}

static uint64_t box_next_run_at(const struct node *node)
{
    const struct box *box = (const struct box *)(const void *)node; /* its first member */
    return box->next_at ? box->next_at(box) : TIME_NEVER;
}

static void box_run(struct node *node, uint64_t now_ns)
{
    struct box *box = box_at(node);
    if (box->on_time)
        box->on_time(box, now_ns);
}

static void box_destroy(struct node *node)
{
    struct box *box = box_at(node);
    if (box->fini)
        box->fini(box);
    node_fini(node);
    sim_free(box);
}

static const struct node_ops box_ops = {"middlebox", box_forward, box_next_run_at, box_run, box_destroy};

struct box *box_make(struct world *world, const char *name, const struct box_config *config, size_t size,
                     box_work *work)
{
    struct box *box = sim_new(size);
    node_init(&box->node, world, &box_ops, name, 2);
    box->node.passes = true;
    box->config = *config;
    box->work = work;
    return box;
}

bool box_parse(struct packet *packet, struct box_segment *seg)
{
    if (ip_parse(packet->data, packet->len, false, &seg->ip) != IP_OK || seg->ip.protocol != IP_PROTO_TCP)
        return false;
    seg->tcp_at = packet->data + seg->ip.header_len;
    if (!tcp_header_parse(seg->tcp_at, seg->ip.payload_len, &seg->tcp))
        return false;
    seg->src = seg->ip.src;
    seg->src.port = seg->tcp.src_port;
    seg->dst = seg->ip.dst;
    seg->dst.port = seg->tcp.dst_port;
    seg->options = seg->tcp_at + TCP_HEADER_LEN;
    seg->options_len = seg->tcp.header_len - (uint32_t)TCP_HEADER_LEN;
    seg->payload = seg->tcp_at + seg->tcp.header_len;
    seg->payload_len = seg->ip.payload_len - seg->tcp.header_len;
    return true;
}

/* The length field of the IP header follows the packet's length. */
static void set_ip_length(struct packet *packet, const struct box_segment *seg)
{
    if (seg->ip.is_v4)
        put16(packet->data + IPV4_LENGTH_OFFSET, (uint16_t)packet->len);
    else
        put16(packet->data + IPV6_LENGTH_OFFSET, (uint16_t)(packet->len - IPV6_HEADER_LEN));
}

void box_rewrite(struct packet *packet, struct box_segment *seg)
{
    tcp_header_emit(seg->tcp_at, &seg->tcp);
    packet->len = (uint32_t)(seg->payload + seg->payload_len - packet->data);
    set_ip_length(packet, seg);
    packet_rewritten(packet);
}

bool box_set_options(struct packet *packet, struct box_segment *seg, const uint8_t *options, uint32_t len)
{
    uint32_t before = (uint32_t)(seg->options - packet->data);
    if (len > OPTIONS_MAX || before + len + seg->payload_len > packet->room)
        return false;
    memmove(seg->options + len, seg->payload, seg->payload_len);
    memcpy(seg->options, options, len);
    seg->options_len = len;
    seg->payload = seg->options + len;
    seg->tcp.header_len = (uint8_t)(TCP_HEADER_LEN + len);
    box_rewrite(packet, seg);
    return true;
}

bool box_set_payload_len(struct packet *packet, struct box_segment *seg, uint32_t len)
{
    uint32_t before = (uint32_t)(seg->payload - packet->data);
    if (before + len > packet->room)
        return false;
    if (len > seg->payload_len)
        memset(seg->payload + seg->payload_len, '#', len - seg->payload_len);
    seg->payload_len = len;
    box_rewrite(packet, seg);
    return true;
}

struct packet *box_forge(struct box *box, const struct box_forgery *f)
{
    struct packet *packet = packet_new(box->node.world->packets);
    if (!packet)
        return NULL;
    const struct tcp_header header = {.src_port = f->src->port,
                                      .dst_port = f->dst->port,
                                      .seq = seq_at(f->seq),
                                      .ack = seq_at(f->ack),
                                      .flags = f->flags,
                                      .header_len = (uint8_t)(TCP_HEADER_LEN + f->options_len),
                                      .window = f->window};
    size_t l3 = ip_emit(packet->data, f->src, f->dst, 0, header.header_len);
    tcp_header_emit(packet->data + l3, &header);
    if (f->options_len)
        memcpy(packet->data + l3 + TCP_HEADER_LEN, f->options, f->options_len);
    packet->len = (uint32_t)l3 + header.header_len;
    packet_rewritten(packet);
    return packet;
}

bool box_next_option(const struct box_segment *seg, uint32_t *at, uint8_t *kind, uint32_t *len)
{
    *at += *len;
    if (*at >= seg->options_len || seg->options[*at] == OPT_END)
        return false;
    *kind = seg->options[*at];
    if (*kind == OPT_NOP) {
        *len = 1;
        return true;
    }
    if (*at + 1 >= seg->options_len)
        return false;
    *len = seg->options[*at + 1];
    return *len >= 2 && *at + *len <= seg->options_len;
}

unsigned box_sack_edges(const struct box_segment *seg, uint8_t *edges[BOX_SACK_EDGES_MAX])
{
    uint32_t at = 0, len = 0;
    unsigned n = 0;
    uint8_t kind;
    while (box_next_option(seg, &at, &kind, &len))
        for (uint32_t i = 2; kind == OPT_SACK && i + 4 <= len && n < BOX_SACK_EDGES_MAX; i += 4)
            edges[n++] = seg->options + at + i;
    return n;
}
