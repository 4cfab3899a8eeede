/*
 * Rewrites payload and changes its length, as gateways for FTP do, and mends the sequence numbers, those of SACK blocks
 * included; not the mappings.
 */
#include <string.h>

#include "sim/boxes/box.h"
#include "sim/boxes/flows.h"
#include "sim/boxes/kinds.h"
#include "wire/bytes.h"

#define GROWTH_DEFAULT 4u

/* `amount`: bytes added to one segment of each direction of each connection; 0: 4. */
struct rewriter {
    struct box box;
    struct box_flows flows;
};

static struct rewriter *rewriter_of(struct box *box) { return HW_CONTAINER(box, struct rewriter, box); }

/* What came before the change keeps its number, what comes after moves up. */
static seq32 shifted(const struct box_flow *flow, unsigned port, seq32 seq)
{
    return flow->marked[port] && seq_lt(seq_at(flow->edge[port]), seq) ? seq_add(seq, flow->shift[port]) : seq;
}

static seq32 shifted_back(const struct box_flow *flow, unsigned port, seq32 ack)
{
    if (!flow->marked[port] || !seq_lt(seq_at(flow->edge[port]), ack))
        return ack;
    seq32 back = seq_sub(ack, flow->shift[port]);
    return seq_lt(back, seq_at(flow->edge[port])) ? seq_at(flow->edge[port]) : back; /* in the middle of the addition */
}

static void shift_sacks_back(const struct box_flow *flow, unsigned port, const struct box_segment *seg)
{
    uint8_t *edges[BOX_SACK_EDGES_MAX];
    unsigned n = box_sack_edges(seg, edges);
    for (unsigned i = 0; i < n; i++)
        put32(edges[i], shifted_back(flow, port, seq_at(get32(edges[i]))).v);
}

/* The addition, behind the first `kept` bytes: a segment sent again may go on behind it. */
static bool insert(struct packet *packet, struct box_segment *seg, uint32_t kept, uint32_t growth)
{
    uint32_t rest = seg->payload_len - kept;
    if (!box_set_payload_len(packet, seg, seg->payload_len + growth))
        return false;
    memmove(seg->payload + kept + growth, seg->payload + kept, rest);
    memset(seg->payload + kept, '#', growth);
    box_rewrite(packet, seg);
    return true;
}

static enum box_fate rewrite(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                             uint64_t now_ns)
{
    struct box_flow *flow = box_flows_get(&rewriter_of(box)->flows, port, seg, now_ns);
    uint32_t growth = box->config.amount ? box->config.amount : GROWTH_DEFAULT;
    seq32 end = seq_add(seg->tcp.seq, seg->payload_len);
    bool first = seg->payload_len && !flow->marked[port] && box_acts(box, port, now_ns) && box_selects(box, seg);
    if (first) {
        flow->marked[port] = true;
        flow->edge[port] = end.v - 1; /* numbers above the last byte move */
        flow->shift[port] = growth;
    }
    int32_t ahead = seq_diff(seq_at(flow->edge[port]), seg->tcp.seq);
    bool holds_edge = flow->marked[port] && ahead >= 0 && (uint32_t)ahead < seg->payload_len;
    seg->tcp.seq = shifted(flow, port, seg->tcp.seq);
    if (seg->tcp.flags & TCP_ACK)
        seg->tcp.ack = shifted_back(flow, 1 - port, seg->tcp.ack);
    shift_sacks_back(flow, 1 - port, seg);
    box_rewrite(packet, seg);
    if (holds_edge)
        box->acted += insert(packet, seg, (uint32_t)ahead + 1, growth);
    return BOX_PASS;
}

static void rewriter_fini(struct box *box) { box_flows_fini(&rewriter_of(box)->flows); }

struct node *box_payload_rewriter(struct world *world, const char *name, const struct box_config *config)
{
    struct box *box = box_make(world, name, config, sizeof(struct rewriter), rewrite);
    box->always = true;
    box->fini = rewriter_fini;
    return &box->node;
}
