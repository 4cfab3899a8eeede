/* Boxes that put segments of their own between those that pass: resets, ICMP errors, and what passed before. */
#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/boxes/kinds.h"
#include "sim/icmp.h"

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

enum { ICMP_HEADER_LEN = 8, SEQUENCE_OFFSET = 4 };
/* What `amount` asks for. */
enum { SAYS_PORT, SAYS_TOO_BIG, SAYS_FORGED, SAYS_HOST, SAYS_PROHIBITED, SAYS_TINY };
#define TOO_BIG_FOR 1280
#define TINY_FOR 68

static struct packet *make_icmp(const struct box *box, const struct packet *quoted)
{
    static const enum icmp_said kinds[] = {
        [SAYS_PORT] = ICMP_SAYS_PORT, [SAYS_TOO_BIG] = ICMP_SAYS_TOO_BIG,       [SAYS_FORGED] = ICMP_SAYS_PORT,
        [SAYS_HOST] = ICMP_SAYS_HOST, [SAYS_PROHIBITED] = ICMP_SAYS_PROHIBITED, [SAYS_TINY] = ICMP_SAYS_TOO_BIG};
    uint32_t amount = box->config.amount % HW_ARRAY_LEN(kinds);
    return icmp_about(box->node.world->packets, quoted, kinds[amount], amount == SAYS_TINY ? TINY_FOR : TOO_BIG_FOR);
}

/* It quotes a segment that was never sent. */
static void forge_quote(struct packet *icmp, const struct box_segment *seg)
{
    icmp->data[ip_header_len(&seg->ip.src) + ICMP_HEADER_LEN + seg->ip.header_len + SEQUENCE_OFFSET] ^= 0x55;
    icmp_seal(icmp);
}

/* `amount`: 0, port unreachable; 1, packet too big; 2, unreachable with a quotation that cannot be right; 3, host
 * unreachable; 4, prohibited; 5, too big for a size that no path has. The packet itself passes. */
static enum box_fate send_icmp(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                               uint64_t now_ns)
{
    if (!box_selects(box, seg))
        return BOX_PASS;
    packet_settle(packet);
    struct packet *icmp = make_icmp(box, packet);
    if (!icmp)
        return BOX_PASS;
    if (box->config.amount == SAYS_FORGED)
        forge_quote(icmp, seg);
    box->acted++;
    node_emit(&box->node, port, icmp, now_ns);
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
