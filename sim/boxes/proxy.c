/* Acknowledges data before it has arrived, and sees to its delivery itself. */
#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/boxes/flows.h"
#include "sim/boxes/kinds.h"

#define KEPT_MAX 512u
#define RESEND_NS (300 * NS_PER_MS)

/* `period_ns`: how long it waits for the receiver before it sends again (0: 300 ms). Early acknowledgements carry no
 * MPTCP option: a proxy knows of none. */
struct proxy {
    struct box box;
    struct box_flows flows;
    struct list kept; /* packets not acknowledged yet, oldest first */
    uint32_t kept_count;
    uint64_t next_ns;
};

static struct proxy *proxy_of(struct box *box) { return HW_CONTAINER(box, struct proxy, box); }

static struct packet *packet_at(struct list *node) { return LIST_ENTRY(node, struct packet, link); }

static void forget(struct proxy *p, struct packet *packet)
{
    p->kept_count--;
    packet_free(packet);
}

/* Keeps a copy to send again; only what can be kept may be acknowledged. */
static bool keep(struct proxy *p, unsigned port, const struct packet *packet, uint64_t now_ns)
{
    struct packet *copy = p->kept_count < KEPT_MAX ? packet_copy(p->box.node.world->packets, packet) : NULL;
    if (!copy)
        return false;
    copy->at_ns = now_ns + (p->box.config.period_ns ? p->box.config.period_ns : RESEND_NS);
    copy->queued_ns = port;
    list_push_back(&p->kept, &copy->link);
    p->kept_count++;
    p->next_ns = HW_MIN(p->next_ns, copy->at_ns);
    return true;
}

/* The receiver's acknowledgement frees what it covers. */
static void settle(struct proxy *p, unsigned port, const struct box_segment *ack)
{
    LIST_EACH (it, &p->kept) {
        struct box_segment seg;
        if (packet_at(it)->queued_ns == port || !box_parse(packet_at(it), &seg))
            continue;
        if (hawser_addr_equal(&seg.src, &ack->dst) && hawser_addr_equal(&seg.dst, &ack->src) &&
            seq_le(seq_add(seg.tcp.seq, seg.payload_len), ack->tcp.ack))
            forget(p, packet_at(it));
    }
}

/* In order only: what is acknowledged early must be all that the sender sent before. */
static bool advances(struct box_flow *flow, unsigned port, const struct box_segment *seg)
{
    seq32 end = seq_add(seg->tcp.seq, seg->payload_len);
    if (!flow->marked[port]) {
        flow->marked[port] = true;
        flow->edge[port] = seg->tcp.seq.v;
    }
    if (!seq_eq(seg->tcp.seq, seq_at(flow->edge[port])))
        return false;
    flow->edge[port] = end.v;
    return true;
}

static void acknowledge(struct proxy *p, unsigned port, const struct box_segment *seg, uint64_t now_ns)
{
    struct packet *ack = box_forge(&p->box, &seg->dst, &seg->src, TCP_ACK, seg->tcp.ack.v,
                                   seq_add(seg->tcp.seq, seg->payload_len).v, NULL, 0);
    if (!ack)
        return;
    p->box.acted++;
    node_emit(&p->box.node, port, ack, now_ns);
}

static enum box_fate stand_between(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                                   uint64_t now_ns)
{
    struct proxy *p = proxy_of(box);
    struct box_flow *flow = box_flows_get(&p->flows, port, seg, now_ns);
    if (seg->tcp.flags & TCP_ACK)
        settle(p, port, seg);
    bool plain = seg->payload_len && !(seg->tcp.flags & (TCP_SYN | TCP_FIN | TCP_RST));
    if (plain && box_acts(box, port, now_ns) && advances(flow, port, seg) && keep(p, port, packet, now_ns))
        acknowledge(p, port, seg, now_ns);
    return BOX_PASS;
}

static uint64_t proxy_next_at(const struct box *box)
{
    return ((const struct proxy *)(const void *)box)->next_ns; /* its first member */
}

static void proxy_on_time(struct box *box, uint64_t now_ns)
{
    struct proxy *p = proxy_of(box);
    p->next_ns = TIME_NEVER;
    LIST_EACH (it, &p->kept) {
        struct packet *packet = packet_at(it);
        if (packet->at_ns <= now_ns) {
            struct packet *again = packet_copy(box->node.world->packets, packet);
            packet->at_ns = now_ns + (box->config.period_ns ? box->config.period_ns : RESEND_NS);
            if (again)
                box_pass_on(box, (unsigned)packet->queued_ns, again, now_ns);
        }
        p->next_ns = HW_MIN(p->next_ns, packet->at_ns);
    }
}

static void proxy_fini(struct box *box)
{
    struct proxy *p = proxy_of(box);
    LIST_EACH (it, &p->kept)
        forget(p, packet_at(it));
    box_flows_fini(&p->flows);
}

struct node *box_acking_proxy(struct world *world, const char *name, const struct box_config *config)
{
    struct box *box = box_make(world, name, config, sizeof(struct proxy), stand_between);
    struct proxy *p = proxy_of(box);
    list_init(&p->kept);
    p->next_ns = TIME_NEVER;
    box->always = true;
    box->fini = proxy_fini;
    box->next_at = proxy_next_at;
    box->on_time = proxy_on_time;
    return &box->node;
}
