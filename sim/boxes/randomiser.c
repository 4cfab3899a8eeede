/* Gives the inner host's connections other initial sequence numbers. DSS mappings are relative, so they stay right. */
#include "sim/boxes/box.h"
#include "sim/boxes/flows.h"
#include "sim/boxes/kinds.h"
#include "wire/bytes.h"

struct randomiser {
    struct box box;
    struct box_flows flows;
};

static struct randomiser *randomiser_of(struct box *box) { return HW_CONTAINER(box, struct randomiser, box); }

static void shift_sacks(const struct box_segment *seg, uint32_t shift)
{
    uint8_t *edges[BOX_SACK_EDGES_MAX];
    unsigned n = box_sack_edges(seg, edges);
    for (unsigned i = 0; i < n; i++)
        put32(edges[i], get32(edges[i]) - shift);
}

static enum box_fate randomise(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                               uint64_t now_ns)
{
    struct box_flows *flows = &randomiser_of(box)->flows;
    struct box_flow *flow = box_flows_find(flows, port, seg, now_ns);
    bool opens = port == BOX_INNER && seg->tcp.flags & TCP_SYN;
    if (!flow && opens && box_acts(box, port, now_ns)) {
        flow = box_flows_get(flows, port, seg, now_ns);
        flow->shift[BOX_INNER] = (uint32_t)prng_next(&box->node.rng);
        box->acted++;
    }
    if (!flow)
        return BOX_PASS;
    uint32_t shift = flow->shift[BOX_INNER];
    if (port == BOX_INNER) {
        seg->tcp.seq = seq_add(seg->tcp.seq, shift);
    } else if (seg->tcp.flags & TCP_ACK) {
        seg->tcp.ack = seq_sub(seg->tcp.ack, shift);
        shift_sacks(seg, shift);
    }
    box_rewrite(packet, seg);
    return BOX_PASS;
}

static void randomiser_fini(struct box *box) { box_flows_fini(&randomiser_of(box)->flows); }

struct node *box_seq_randomiser(struct world *world, const char *name, const struct box_config *config)
{
    struct box *box = box_make(world, name, config, sizeof(struct randomiser), randomise);
    box->always = true; /* what it began for a connection it must go on doing */
    box->fini = randomiser_fini;
    return &box->node;
}
