/* A stateful firewall: connections are opened from the inner side only, and forgotten when they are silent. */
#include "sim/boxes/box.h"
#include "sim/boxes/flows.h"
#include "sim/boxes/kinds.h"

/* `idle_ns`: a connection is forgotten after such a silence (0: never). Outside its time it learns and lets all pass.
 */
struct firewall {
    struct box box;
    struct box_flows flows;
};

static struct firewall *firewall_of(struct box *box) { return HW_CONTAINER(box, struct firewall, box); }

static enum box_fate guard(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                           uint64_t now_ns)
{
    (void)packet;
    struct box_flows *flows = &firewall_of(box)->flows;
    bool opens = port == BOX_INNER && (seg->tcp.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
    if (opens || !box_acts(box, port, now_ns)) {
        (void)box_flows_get(flows, port, seg, now_ns);
        return BOX_PASS;
    }
    if (box_flows_find(flows, port, seg, now_ns))
        return BOX_PASS;
    box->acted++;
    return BOX_DROP;
}

static void firewall_fini(struct box *box) { box_flows_fini(&firewall_of(box)->flows); }

struct node *box_firewall(struct world *world, const char *name, const struct box_config *config)
{
    struct box *box = box_make(world, name, config, sizeof(struct firewall), guard);
    firewall_of(box)->flows.idle_ns = config->idle_ns;
    box->always = true;
    box->fini = firewall_fini;
    return &box->node;
}
