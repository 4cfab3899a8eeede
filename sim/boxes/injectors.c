/* Boxes that put segments of their own between those that pass: resets, ICMP errors, and what passed before. */
#include <string.h>

#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/boxes/kinds.h"
#include "wire/bytes.h"
#include "wire/checksum.h"

enum { RST_EXACT, RST_IN_WINDOW, RST_OUTSIDE };

/* `amount`: 0, a RST with the exact number, behind the segment; 1, one inside the window; 2, one far off. */
static enum box_fate inject_reset(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                                  uint64_t now_ns)
{
    if (seg->tcp.flags & (TCP_SYN | TCP_RST) || !box_selects(box, seg))
        return BOX_PASS;
    static const uint32_t offsets[] = {[RST_EXACT] = 0, [RST_IN_WINDOW] = 1000, [RST_OUTSIDE] = UINT32_C(1) << 30};
    uint32_t next = seg->tcp.seq.v + seg->payload_len + !!(seg->tcp.flags & TCP_FIN);
    uint32_t seq = next + offsets[HW_MIN(box->config.amount, (uint32_t)RST_OUTSIDE)];
    const struct box_forgery forgery = {.src = &seg->src, .dst = &seg->dst, .flags = TCP_RST, .seq = seq};
    struct packet *reset = box_forge(box, &forgery);
    box_pass_on(box, port, packet, now_ns);
    if (reset) {
        box->acted++;
        box_pass_on(box, port, reset, now_ns);
    }
    return BOX_TAKEN;
}

struct node *box_rst_injector(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), inject_reset)->node;
}

/* ---- ICMP (RFC 792, RFC 4443) ---- */

enum { ICMP_UNREACHABLE, ICMP_TOO_BIG, ICMP_FORGED };
enum { PROTO_ICMP = 1, PROTO_ICMPV6 = 58, QUOTE_BYTES = 64, PROTOCOL_OFFSET_V4 = 9, NEXT_HEADER_OFFSET_V6 = 6 };
enum { V4_UNREACHABLE = 3, V4_PORT = 3, V4_TOO_BIG = 4, V6_UNREACHABLE = 1, V6_PORT = 4, V6_TOO_BIG = 2 };

/* Writes the ICMP message behind the IP header; returns its length. */
static uint32_t write_icmp(uint8_t *p, const struct box *box, const struct packet *quoted, bool v4)
{
    bool too_big = box->config.amount == ICMP_TOO_BIG;
    uint32_t quote = HW_MIN(quoted->len, (uint32_t)QUOTE_BYTES);
    memset(p, 0, 8);
    p[0] = v4 ? V4_UNREACHABLE : too_big ? V6_TOO_BIG : V6_UNREACHABLE;
    p[1] = v4 ? (too_big ? V4_TOO_BIG : V4_PORT) : too_big ? 0 : V6_PORT;
    if (too_big)
        put16(p + 6, 1280); /* the MTU; the low half of ICMPv6's */
    memcpy(p + 8, quoted->data, quote);
    return 8 + quote;
}

static struct packet *make_icmp(struct box *box, const struct packet *quoted, const struct box_segment *seg)
{
    struct packet *packet = packet_new(box->node.world->packets);
    if (!packet)
        return NULL;
    bool v4 = seg->ip.is_v4;
    struct hawser_addr to = seg->ip.src, from = seg->ip.dst;
    uint32_t l3 = (uint32_t)ip_header_len(&to), len = write_icmp(packet->data + l3, box, quoted, v4);
    if (box->config.amount == ICMP_FORGED) /* it quotes a segment that was never sent */
        packet->data[l3 + 8 + seg->ip.header_len + 4] ^= 0x55;
    ip_emit(packet->data, &from, &to, 0, len);
    packet->data[v4 ? PROTOCOL_OFFSET_V4 : NEXT_HEADER_OFFSET_V6] = v4 ? PROTO_ICMP : PROTO_ICMPV6;
    struct csum sum = {0, false};
    if (!v4) { /* RFC 4443 2.3: the pseudo-header, with the protocol of ICMPv6 instead of TCP's */
        csum_add_pseudo(&sum, &from, &to, len);
        csum_add16(&sum, PROTO_ICMPV6 - IP_PROTO_TCP);
    }
    csum_add(&sum, packet->data + l3, len);
    put16(packet->data + l3 + 2, csum_finish(&sum));
    packet->len = l3 + len;
    packet_rewritten(packet);
    return packet;
}

/* `amount`: 0, port unreachable; 1, packet too big; 2, unreachable with a quotation that cannot be right. The packet
 * itself passes. */
static enum box_fate send_icmp(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                               uint64_t now_ns)
{
    if (!box_selects(box, seg))
        return BOX_PASS;
    packet_settle(packet);
    struct packet *icmp = make_icmp(box, packet, seg);
    if (icmp) {
        box->acted++;
        node_emit(&box->node, port, icmp, now_ns);
    }
    return BOX_PASS;
}

struct node *box_icmp_sender(struct world *world, const char *name, const struct box_config *config)
{
    return &box_make(world, name, config, sizeof(struct box), send_icmp)->node;
}

/* ---- the replayer ---- */

#define REPLAYS_MAX 64u
#define REPLAY_DEFAULT_NS NS_PER_S

/* `period_ns`: how much later a segment comes once more (0: one second). */
struct replayer {
    struct box box;
    struct list stored; /* oldest first */
    uint32_t count;
};

static struct replayer *replayer_of(struct box *box) { return HW_CONTAINER(box, struct replayer, box); }

static enum box_fate record(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                            uint64_t now_ns)
{
    struct replayer *r = replayer_of(box);
    if (r->count == REPLAYS_MAX || !box_selects(box, seg))
        return BOX_PASS;
    struct packet *copy = packet_copy(box->node.world->packets, packet);
    if (!copy)
        return BOX_PASS;
    copy->at_ns = now_ns + (box->config.period_ns ? box->config.period_ns : REPLAY_DEFAULT_NS);
    copy->queued_ns = port;
    list_push_back(&r->stored, &copy->link);
    r->count++;
    return BOX_PASS;
}

static struct packet *oldest(const struct replayer *r)
{
    struct list *first = list_first(&r->stored);
    return first ? LIST_ENTRY(first, struct packet, link) : NULL;
}

static uint64_t replayer_next_at(const struct box *box)
{
    const struct packet *first = oldest((const struct replayer *)(const void *)box); /* its first member */
    return first ? first->at_ns : TIME_NEVER;
}

static void replayer_on_time(struct box *box, uint64_t now_ns)
{
    struct replayer *r = replayer_of(box);
    for (struct packet *packet; (packet = oldest(r)) && packet->at_ns <= now_ns;) {
        list_remove(&packet->link);
        r->count--;
        box->acted++;
        box_pass_on(box, (unsigned)packet->queued_ns, packet, now_ns);
    }
}

static void replayer_fini(struct box *box)
{
    LIST_EACH (it, &replayer_of(box)->stored)
        packet_free(LIST_ENTRY(it, struct packet, link));
}

struct node *box_replayer(struct world *world, const char *name, const struct box_config *config)
{
    struct box *box = box_make(world, name, config, sizeof(struct replayer), record);
    list_init(&replayer_of(box)->stored);
    box->fini = replayer_fini;
    box->next_at = replayer_next_at;
    box->on_time = replayer_on_time;
    return &box->node;
}
