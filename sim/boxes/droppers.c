/* Boxes that drop packets or shrink windows. */
#include "sim/boxes/box.h"
#include "sim/boxes/kinds.h"
#include "wire/mptcp_options.h"

/* What the dropper aims at, by `amount`. */
enum { DROP_ANY, DROP_FIN, DROP_BARE_ACK, DROP_DATA, DROP_RST };

static bool is_aimed_at(const struct box *box, const struct box_segment *seg)
{
    switch (box->config.amount) {
    case DROP_FIN:
        return seg->tcp.flags & TCP_FIN;
    case DROP_BARE_ACK:
        return seg->payload_len == 0 && (seg->tcp.flags & (TCP_SYN | TCP_FIN | TCP_RST)) == 0;
    case DROP_DATA:
        return seg->payload_len > 0;
    case DROP_RST:
        return seg->tcp.flags & TCP_RST;
    default:
        return true;
    }
}

static enum box_fate drop(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                          uint64_t now_ns)
{
    (void)port;
    (void)packet;
    (void)now_ns;
    if (!is_aimed_at(box, seg) || !box_selects(box, seg))
        return BOX_PASS;
    box->acted++;
    return BOX_DROP;
}

struct node *box_dropper(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), drop)->node;
}

/* A firewall that lets no SYN with an option through that it does not know. `amount`: only the first so many. */
static enum box_fate drop_syn(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                              uint64_t now_ns)
{
    (void)port;
    (void)packet;
    (void)now_ns;
    uint32_t at = 0, len = 0;
    uint8_t kind;
    if (!(seg->tcp.flags & TCP_SYN) || (box->config.amount && box->acted >= box->config.amount))
        return BOX_PASS;
    while (box_next_option(seg, &at, &kind, &len))
        if (kind == MPTCP_OPTION_KIND) {
            box->acted++;
            return BOX_DROP;
        }
    return BOX_PASS;
}

struct node *box_syn_dropper(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), drop_syn)->node;
}

/* `amount`: the window field is at most this; 0 shuts it. */
static enum box_fate shrink(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                            uint64_t now_ns)
{
    (void)port;
    (void)now_ns;
    if (seg->tcp.window <= box->config.amount || !box_selects(box, seg))
        return BOX_PASS;
    seg->tcp.window = (uint16_t)box->config.amount;
    box->acted++;
    box_rewrite(packet, seg);
    return BOX_PASS;
}

struct node *box_window_shrinker(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), shrink)->node;
}
