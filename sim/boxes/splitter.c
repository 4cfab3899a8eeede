/* Cuts data segments in two, as a segmenting network card does: both pieces carry the options of the whole. */
#include <string.h>

#include "sim/boxes/box.h"
#include "sim/boxes/kinds.h"

bool box_may_cut(const struct box_segment *seg, uint32_t at)
{
    return at > 0 && at < seg->payload_len && !(seg->tcp.flags & (TCP_SYN | TCP_RST));
}

struct packet *box_cut(struct hawser_buf_pool *pool, struct packet *packet, struct box_segment *seg, uint32_t at)
{
    struct packet *second = packet_copy(pool, packet);
    struct box_segment tail;
    if (!second)
        return NULL;
    (void)box_parse(second, &tail);
    memmove(tail.payload, tail.payload + at, tail.payload_len - at);
    tail.payload_len -= at;
    tail.tcp.seq = seq_add(tail.tcp.seq, at);
    box_rewrite(second, &tail);
    seg->payload_len = at;
    seg->tcp.flags &= (uint8_t) ~(TCP_FIN | TCP_PSH); /* these belong to the last byte */
    box_rewrite(packet, seg);
    return second;
}

/* `amount`: payload bytes of the first piece; 0: half. */
static enum box_fate split(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                           uint64_t now_ns)
{
    uint32_t cut = box->config.amount ? box->config.amount : seg->payload_len / 2;
    if (!box_may_cut(seg, cut) || !box_selects(box, seg))
        return BOX_PASS;
    struct packet *second = box_cut(box->node.world->packets, packet, seg, cut);
    if (!second)
        return BOX_PASS;
    box->acted++;
    box_pass_on(box, port, packet, now_ns);
    box_pass_on(box, port, second, now_ns);
    return BOX_TAKEN;
}

struct node *box_splitter(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), split)->node;
}
