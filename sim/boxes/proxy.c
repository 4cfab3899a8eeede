/* Acknowledges data before it has arrived, and sees to its delivery itself. */
#include <string.h>

#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/boxes/flows.h"
#include "sim/boxes/kinds.h"

#define KEPT_MAX 512u
#define RESEND_MIN_NS (50 * NS_PER_MS)
#define RESEND_MAX_NS (500 * NS_PER_MS)
#define BURST 8u
/* Larger than any window here: numbers of one connection are no farther apart. */
#define NEAR_BYTES (INT32_C(16) << 20)
/* As long as any receiver may be out of memory because of others, whom TCP gives two minutes. */
#define GIVE_UP_NS (240 * NS_PER_S)

enum { OPT_WSCALE = 3, OPT_TIMESTAMPS = 8, TIMESTAMPS_LEN = 10 };
#define RESEND_NS (300 * NS_PER_MS)

/* What it sends again says the newest that its sender said of acknowledgement and time: it is a segment of now.
 *
 * `period_ns`: how long it waits for the receiver before it sends again (0: 300 ms). Early acknowledgements carry no
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

static uint64_t patience(const struct proxy *p)
{
    uint64_t asked = p->box.config.period_ns ? p->box.config.period_ns : RESEND_NS;
    return HW_MIN(HW_MAX(asked, RESEND_MIN_NS), RESEND_MAX_NS);
}

/* Keeps a copy to send again; only what can be kept may be acknowledged. */
static bool keep(struct proxy *p, unsigned port, const struct packet *packet, uint64_t now_ns)
{
    struct packet *copy = p->kept_count < KEPT_MAX ? packet_copy(p->box.node.world->packets, packet) : NULL;
    if (!copy)
        return false;
    copy->at_ns = now_ns + patience(p);
    copy->queued_ns = port; /* and, above it, how often it was sent again */
    list_push_back(&p->kept, &copy->link);
    p->kept_count++;
    p->next_ns = HW_MIN(p->next_ns, copy->at_ns);
    return true;
}

/* After a RST nobody waits for anything any more, at either end. */
static void abandon(struct proxy *p, const struct box_segment *reset)
{
    LIST_EACH (it, &p->kept) {
        struct box_segment seg;
        if (!box_parse(packet_at(it), &seg))
            continue;
        bool along = hawser_addr_equal(&seg.src, &reset->src) && hawser_addr_equal(&seg.dst, &reset->dst);
        bool against = hawser_addr_equal(&seg.src, &reset->dst) && hawser_addr_equal(&seg.dst, &reset->src);
        if (along || against)
            forget(p, packet_at(it));
    }
}

/* The receiver's acknowledgement frees what it covers. */
static void settle(struct proxy *p, unsigned port, const struct box_segment *ack)
{
    LIST_EACH (it, &p->kept) {
        struct box_segment seg;
        if ((packet_at(it)->queued_ns & 1) == port || !box_parse(packet_at(it), &seg))
            continue;
        if (!hawser_addr_equal(&seg.src, &ack->dst) || !hawser_addr_equal(&seg.dst, &ack->src))
            continue;
        if (seq_le(seq_add(seg.tcp.seq, seg.payload_len), ack->tcp.ack))
            forget(p, packet_at(it));
        else
            packet_at(it)->queued_ns &= 1; /* somebody is there: it tries for as long as that is so */
    }
}

static bool is_near(seq32 a, uint32_t b)
{
    return seq_diff(a, seq_at(b)) < NEAR_BYTES && seq_diff(seq_at(b), a) < NEAR_BYTES;
}

/* Whether it would be taken by a host, which this is, to both ends: the numbers of who guesses are somewhere else (RFC
 * 5961). What is acknowledged early and then given up, or sent again with a number that none can take, is lost. */
static bool is_believable(const struct box_flow *flow, unsigned port, const struct box_segment *seg)
{
    if (!flow->marked[port])
        return true;
    if (seg->tcp.flags & TCP_SYN) /* once more, if it is the peer's */
        return seq_eq(seq_add(seg->tcp.seq, 1), seq_at(flow->edge[port]));
    if (seg->tcp.flags & TCP_RST)
        return seq_eq(seg->tcp.seq, seq_at(flow->sent[port])) || seq_eq(seg->tcp.seq, seq_at(flow->edge[port])) ||
               seq_eq(seg->tcp.seq, seq_at(flow->last_ack[1 - port]));
    bool acks_what_was_sent =
        !(seg->tcp.flags & TCP_ACK) || !flow->marked[1 - port] ||
        (seq_le(seg->tcp.ack, seq_at(flow->sent[1 - port])) && is_near(seg->tcp.ack, flow->sent[1 - port]));
    return is_near(seg->tcp.seq, flow->sent[port]) && acks_what_was_sent;
}

/* Everything below `seq` that the sender at `port` sent is where it must be. */
static void note_edge(struct box_flow *flow, unsigned port, seq32 seq)
{
    if (!flow->marked[port] || seq_lt(seq_at(flow->edge[port]), seq))
        flow->edge[port] = seq.v;
    if (!flow->marked[port])
        flow->sent[port] = seq.v;
    flow->marked[port] = true;
}

/* How far the sender at `port` has come. */
static void note_sent(struct box_flow *flow, unsigned port, const struct box_segment *seg)
{
    seq32 end = seq_add(seg->tcp.seq, seg->payload_len + !!(seg->tcp.flags & TCP_FIN)), sent = seq_at(flow->sent[port]);
    if (flow->marked[port] && (seg->payload_len || seq_eq(seg->tcp.seq, sent)) && seq_lt(sent, end))
        flow->sent[port] = end.v;
}

/* In order only: what is acknowledged early must be all that the sender sent before. And only for a receiver that it
 * hears: where answers go another way nobody could stand between. */
static bool is_next(const struct box_flow *flow, unsigned port, const struct box_segment *seg)
{
    return flow->has_acked[1 - port] && flow->marked[port] && seq_eq(seg->tcp.seq, seq_at(flow->edge[port]));
}

/* What the receiver at `port` said of its window, and in what scale (RFC 7323 2.2). */
static void note_window(struct box_flow *flow, unsigned port, const struct box_segment *seg)
{
    uint32_t at = 0, len = 0;
    uint8_t kind, scale = seg->tcp.flags & TCP_SYN ? 0 : flow->window_scale[port];
    flow->window_edge[port] = seg->tcp.ack.v + ((uint32_t)seg->tcp.window << scale);
    if (!(seg->tcp.flags & TCP_SYN))
        return;
    flow->window_scale[port] = 0;
    while (box_next_option(seg, &at, &kind, &len))
        if (kind == OPT_WSCALE && len == 3)
            flow->window_scale[port] = (uint8_t)HW_MIN(seg->options[at + 2], 14);
}

/* Where the numbers of the timestamps option are, or NULL. */
static uint8_t *times_of(const struct box_segment *seg)
{
    uint32_t at = 0, len = 0;
    uint8_t kind;
    while (box_next_option(seg, &at, &kind, &len))
        if (kind == OPT_TIMESTAMPS && len == TIMESTAMPS_LEN)
            return seg->options + at + 2;
    return NULL;
}

/* The newest that the sender at `port` said beside its data. */
static void note_news(struct box_flow *flow, unsigned port, const struct box_segment *seg)
{
    const uint8_t *times = times_of(seg);
    bool first = !flow->has_acked[port] || seg->tcp.flags & TCP_SYN;
    if (seg->tcp.flags & TCP_ACK && (first || seq_lt(seq_at(flow->last_ack[port]), seg->tcp.ack))) {
        flow->last_ack[port] = seg->tcp.ack.v;
        flow->has_acked[port] = true;
    }
    if (times)
        memcpy(flow->last_times[port], times, sizeof flow->last_times[port]);
}

/* Never for more than the receiver's own window admits. */
static void acknowledge(struct proxy *p, unsigned port, const struct box_flow *flow, const struct box_segment *seg,
                        uint64_t now_ns)
{
    seq32 end = seq_add(seg->tcp.seq, seg->payload_len), edge = seq_at(flow->window_edge[1 - port]);
    uint32_t window = seq_lt(end, edge) ? (uint32_t)seq_diff(edge, end) >> flow->window_scale[1 - port] : 0;
    const struct box_forgery forgery = {.src = &seg->dst,
                                        .dst = &seg->src,
                                        .flags = TCP_ACK,
                                        .window = (uint16_t)HW_MIN(window, (uint32_t)UINT16_MAX),
                                        .seq = seg->tcp.ack.v,
                                        .ack = end.v};
    struct packet *ack = box_forge(&p->box, &forgery);
    if (!ack)
        return;
    p->box.acted++;
    node_emit(&p->box.node, port, ack, now_ns);
}

static enum box_fate stand_between(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                                   uint64_t now_ns)
{
    struct proxy *p = proxy_of(box);
    if (packet->damaged) /* it sees the checksum as any host would */
        return BOX_DROP;
    struct box_flow *flow = box_flows_get(&p->flows, port, seg, now_ns);
    if (!is_believable(flow, port, seg))
        return BOX_PASS;
    if (seg->tcp.flags & TCP_RST)
        abandon(p, seg);
    if (seg->tcp.flags & TCP_SYN)
        note_edge(flow, port, seq_add(seg->tcp.seq, 1));
    else
        note_sent(flow, port, seg);
    if (seg->tcp.flags & TCP_ACK) {
        note_edge(flow, 1 - port, seg->tcp.ack);
        settle(p, port, seg);
    }
    note_window(flow, port, seg);
    note_news(flow, port, seg);
    bool plain = seg->payload_len && !(seg->tcp.flags & (TCP_SYN | TCP_FIN | TCP_RST));
    if (plain && box_acts(box, port, now_ns) && is_next(flow, port, seg) && keep(p, port, packet, now_ns)) {
        note_edge(flow, port, seq_add(seg->tcp.seq, seg->payload_len));
        acknowledge(p, port, flow, seg, now_ns);
    }
    return BOX_PASS;
}

static uint64_t proxy_next_at(const struct box *box)
{
    return ((const struct proxy *)(const void *)box)->next_ns; /* its first member */
}

static void renew(struct proxy *p, struct packet *packet, unsigned port, uint64_t now_ns)
{
    struct box_segment seg;
    const struct box_flow *flow = box_parse(packet, &seg) ? box_flows_find(&p->flows, port, &seg, now_ns) : NULL;
    uint8_t *times = flow ? times_of(&seg) : NULL;
    if (!flow)
        return;
    if (seq_lt(seg.tcp.ack, seq_at(flow->last_ack[port])))
        seg.tcp.ack = seq_at(flow->last_ack[port]);
    if (times)
        memcpy(times, flow->last_times[port], sizeof flow->last_times[port]);
    box_rewrite(packet, &seg);
}

static void send_again(struct proxy *p, struct packet *packet, uint64_t now_ns)
{
    struct packet *again = packet_copy(p->box.node.world->packets, packet);
    packet->at_ns = now_ns + patience(p);
    packet->queued_ns += 2;
    if (!again)
        return;
    renew(p, again, (unsigned)(packet->queued_ns & 1), now_ns);
    box_pass_on(&p->box, (unsigned)(packet->queued_ns & 1), again, now_ns);
}

/* The oldest few, the first of them always before the others: one that is due at other times could find the queue
 * behind it full again and again. A proxy that poured out all it holds would only fill that queue. */
static void proxy_on_time(struct box *box, uint64_t now_ns)
{
    struct proxy *p = proxy_of(box);
    unsigned sent = 0;
    struct list *first;
    while ((first = list_first(&p->kept)) && packet_at(first)->queued_ns / 2 >= GIVE_UP_NS / patience(p) &&
           packet_at(first)->at_ns <= now_ns)
        forget(p, packet_at(first)); /* nobody is there any more */
    if (first && packet_at(first)->at_ns <= now_ns)
        LIST_EACH (it, &p->kept)
            if (sent++ < BURST)
                send_again(p, packet_at(it), now_ns);
    p->next_ns = first ? packet_at(first)->at_ns : TIME_NEVER;
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
