/* Joins segments that follow each other, up to the size of one packet, and keeps the options of the first only. */
#include <string.h>

#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/boxes/flows.h"
#include "sim/boxes/kinds.h"

#define PACKET_BYTES_MAX 1500u
#define WAIT_DEFAULT_NS NS_PER_MS

/* `period_ns`: how long it waits for a segment to follow (0: a millisecond). One may wait for each direction of each
 * connection; they are few, so that the earliest is found by looking. */
struct coalescer {
    struct box box;
    struct box_flows flows;
    uint64_t next_ns;
};

static struct coalescer *coalescer_of(struct box *box) { return HW_CONTAINER(box, struct coalescer, box); }

static void release(struct coalescer *c, struct box_flow *flow, unsigned port, uint64_t now_ns)
{
    struct packet *packet = flow->held[port];
    flow->held[port] = NULL;
    if (packet)
        box_pass_on(&c->box, port, packet, now_ns);
}

static void find_next(struct coalescer *c)
{
    c->next_ns = TIME_NEVER;
    for (unsigned i = 0; i < c->flows.used; i++)
        for (unsigned port = 0; port < 2; port++) {
            const struct packet *held = c->flows.list[i].held[port];
            if (held)
                c->next_ns = HW_MIN(c->next_ns, held->at_ns);
        }
}

/* The segment begins where the held one ends, says nothing else, and fits behind it. */
static bool joins(struct packet *held, const struct box_segment *seg)
{
    struct box_segment before;
    if (!box_parse(held, &before))
        return false;
    uint8_t same = TCP_FIN | TCP_SYN | TCP_RST | TCP_URG;
    return seq_eq(seq_add(before.tcp.seq, before.payload_len), seg->tcp.seq) && seq_eq(before.tcp.ack, seg->tcp.ack) &&
           !((before.tcp.flags | seg->tcp.flags) & same) && before.options_len == seg->options_len &&
           held->len + seg->payload_len <= HW_MIN(PACKET_BYTES_MAX, held->room);
}

static void join(struct packet *held, const struct box_segment *seg)
{
    struct box_segment before;
    (void)box_parse(held, &before);
    memcpy(before.payload + before.payload_len, seg->payload, seg->payload_len);
    before.payload_len += seg->payload_len;
    before.tcp.flags |= seg->tcp.flags & TCP_PSH;
    box_rewrite(held, &before);
}

static enum box_fate coalesce(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                              uint64_t now_ns)
{
    struct coalescer *c = coalescer_of(box);
    struct box_flow *flow = box_flows_get(&c->flows, port, seg, now_ns);
    bool may_wait = box_acts(box, port, now_ns) && seg->payload_len && !packet->damaged && /* its checksum tells */
                    !(seg->tcp.flags & (TCP_SYN | TCP_FIN | TCP_RST));
    if (may_wait && flow->held[port] && joins(flow->held[port], seg)) {
        box->acted++;
        join(flow->held[port], seg);
        packet_free(packet);
        return BOX_TAKEN;
    }
    release(c, flow, port, now_ns); /* in order */
    if (!may_wait || packet->len >= PACKET_BYTES_MAX)
        return BOX_PASS;
    packet_settle(packet);
    packet->at_ns = now_ns + (box->config.period_ns ? box->config.period_ns : WAIT_DEFAULT_NS);
    flow->held[port] = packet;
    find_next(c);
    return BOX_TAKEN;
}

static uint64_t coalescer_next_at(const struct box *box)
{
    return ((const struct coalescer *)(const void *)box)->next_ns; /* its first member */
}

static void coalescer_on_time(struct box *box, uint64_t now_ns)
{
    struct coalescer *c = coalescer_of(box);
    for (unsigned i = 0; i < c->flows.used; i++)
        for (unsigned port = 0; port < 2; port++)
            if (c->flows.list[i].held[port] && c->flows.list[i].held[port]->at_ns <= now_ns)
                release(c, &c->flows.list[i], port, now_ns);
    find_next(c);
}

static void coalescer_fini(struct box *box) { box_flows_fini(&coalescer_of(box)->flows); }

struct node *box_coalescer(struct world *world, const char *name, const struct box_config *config)
{
    struct box *box = box_make(world, name, config, sizeof(struct coalescer), coalesce);
    coalescer_of(box)->next_ns = TIME_NEVER;
    box->always = true; /* what it holds must go on before anything else */
    box->fini = coalescer_fini;
    box->next_at = coalescer_next_at;
    box->on_time = coalescer_on_time;
    return &box->node;
}
