/* Network address and port translation, IPv4. */
#include <string.h>

#include "sim/boxes/box.h"
#include "sim/boxes/flows.h"
#include "sim/boxes/kinds.h"

enum { IPV4_SRC_OFFSET = 12, IPV4_DST_OFFSET = 16, IPV4_ADDR_LEN = 4, PORT_FIRST = 20000, PORT_COUNT = 40000 };

/* `addr`: its public address; `period_ns`: a connection gets another port after so long (0: never); `idle_ns`: it is
 * forgotten after such a silence (0: never). What comes in without a connection is dropped. */
struct nat {
    struct box box;
    struct box_flows flows;
    uint32_t next_port;
};

static struct nat *nat_of(struct box *box) { return HW_CONTAINER(box, struct nat, box); }

static void take_port(struct nat *nat, struct box_flow *flow, uint64_t now_ns)
{
    flow->public_port = (uint16_t)(PORT_FIRST + nat->next_port++ % PORT_COUNT);
    flow->since_ns = now_ns;
    nat->box.acted++;
}

static void set_address(struct packet *packet, size_t offset, const struct hawser_addr *addr)
{
    memcpy(packet->data + offset, addr->ip + 12, IPV4_ADDR_LEN);
}

static enum box_fate outbound(struct nat *nat, struct packet *packet, struct box_segment *seg, uint64_t now_ns)
{
    const struct box_config *c = &nat->box.config;
    struct box_flow *flow = box_flows_find(&nat->flows, BOX_INNER, seg, now_ns);
    if (!flow) {
        flow = box_flows_get(&nat->flows, BOX_INNER, seg, now_ns);
        take_port(nat, flow, now_ns);
    } else if (c->period_ns && now_ns - flow->since_ns >= c->period_ns && box_acts(&nat->box, BOX_INNER, now_ns)) {
        take_port(nat, flow, now_ns);
    }
    set_address(packet, IPV4_SRC_OFFSET, &c->addr);
    seg->tcp.src_port = flow->public_port;
    box_rewrite(packet, seg);
    return BOX_PASS;
}

static enum box_fate inbound(struct nat *nat, struct packet *packet, struct box_segment *seg, uint64_t now_ns)
{
    for (unsigned i = 0; i < nat->flows.used; i++) {
        struct box_flow *flow = &nat->flows.list[i];
        if (!flow->alive || flow->public_port != seg->dst.port || !hawser_addr_equal(&flow->outer, &seg->src))
            continue;
        if (!box_flow_used(&nat->flows, flow, now_ns))
            break;
        set_address(packet, IPV4_DST_OFFSET, &flow->inner);
        seg->tcp.dst_port = flow->inner.port;
        box_rewrite(packet, seg);
        return BOX_PASS;
    }
    nat->box.acted++;
    return BOX_DROP;
}

static enum box_fate translate(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                               uint64_t now_ns)
{
    if (!seg->ip.is_v4)
        return BOX_PASS;
    return port == BOX_INNER ? outbound(nat_of(box), packet, seg, now_ns) : inbound(nat_of(box), packet, seg, now_ns);
}

static void nat_fini(struct box *box) { box_flows_fini(&nat_of(box)->flows); }

struct node *box_nat(struct world *world, const char *name, const struct box_config *config)
{
    struct box *box = box_make(world, name, config, sizeof(struct nat), translate);
    nat_of(box)->flows.idle_ns = config->idle_ns;
    box->always = true;
    box->fini = nat_fini;
    return &box->node;
}
