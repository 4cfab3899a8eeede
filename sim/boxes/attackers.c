/* Attackers (RFC 6181, RFC 7430): those who only guess, and one who watches a later subflow but never saw the keys. */
#include <string.h>

#include "base/units.h"
#include "sim/boxes/box.h"
#include "sim/boxes/kinds.h"
#include "wire/bytes.h"
#include "wire/tcp_options.h"

#define PERIOD_DEFAULT_NS (100 * NS_PER_MS)
#define FORGED_WINDOW 1000u

/* `period_ns`: time between attempts (0: 100 ms). They aim at the connection that passed last, and rest when nothing
 * has passed since. */
struct attacker {
    struct box box;
    void (*attack)(struct attacker *a, uint64_t now_ns);
    struct box_segment last; /* pointers are stale; addresses and header are what counts */
    unsigned port;           /* where it came in */
    bool aimed;
    uint64_t next_ns;
};

static struct attacker *attacker_of(struct box *box) { return HW_CONTAINER(box, struct attacker, box); }

static uint64_t period(const struct box *box)
{
    return box->config.period_ns ? box->config.period_ns : PERIOD_DEFAULT_NS;
}

static enum box_fate watch(struct box *box, unsigned port, struct packet *packet, struct box_segment *seg,
                           uint64_t now_ns)
{
    (void)packet;
    struct attacker *a = attacker_of(box);
    a->last = *seg;
    a->port = port;
    if (!a->aimed)
        a->next_ns = now_ns + period(box);
    a->aimed = true;
    return BOX_PASS;
}

static uint64_t attacker_next_at(const struct box *box)
{
    const struct attacker *a = (const struct attacker *)(const void *)box; /* its first member */
    return a->aimed ? a->next_ns : TIME_NEVER;
}

static void attacker_on_time(struct box *box, uint64_t now_ns)
{
    struct attacker *a = attacker_of(box);
    a->aimed = false;
    if (!box_acts(box, a->port, now_ns))
        return;
    a->attack(a, now_ns);
}

static struct node *make_attacker(struct world *world, const char *name, const struct box_config *config,
                                  void (*attack)(struct attacker *a, uint64_t now_ns))
{
    struct box *box = box_make(world, name, config, sizeof(struct attacker), watch);
    attacker_of(box)->attack = attack;
    box->next_at = attacker_next_at;
    box->on_time = attacker_on_time;
    return &box->node;
}

/* Puts a segment on its way to whom the last one went. */
static void send_along(struct attacker *a, const struct box_forgery *forgery, uint64_t now_ns)
{
    struct packet *packet = box_forge(&a->box, forgery);
    if (!packet)
        return;
    a->box.acted++;
    box_pass_on(&a->box, a->port, packet, now_ns);
}

static uint32_t guess(struct attacker *a) { return (uint32_t)prng_next(&a->box.node.rng); }

static uint32_t write_options(struct tcp_options *options, uint8_t bytes[TCP_OPTION_SPACE])
{
    return (uint32_t)tcp_options_plan(bytes, options, options);
}

/* A join with a token out of the blue (RFC 8684 5). */
static void guess_token(struct attacker *a, uint64_t now_ns)
{
    uint8_t bytes[TCP_OPTION_SPACE];
    struct tcp_options options;
    tcp_options_clear(&options);
    options.mp.present = 1u << MPTCP_JOIN;
    options.mp.join = (struct mp_join){.shape = MP_JOIN_SYN, .address_id = 9, .token = guess(a), .nonce = guess(a)};
    struct hawser_addr from = a->last.src;
    from.port = (uint16_t)(1024 + guess(a) % 60000);
    const struct box_forgery forgery = {.src = &from,
                                        .dst = &a->last.dst,
                                        .flags = TCP_SYN,
                                        .window = FORGED_WINDOW,
                                        .seq = guess(a),
                                        .options = bytes,
                                        .options_len = write_options(&options, bytes)};
    send_along(a, &forgery, now_ns);
}

struct node *box_token_guesser(struct world *world, const char *name, const struct box_config *config)
{
    return make_attacker(world, name, config, guess_token);
}

/* Who knows the addresses and ports but has to guess the numbers (RFC 5961 1). */
static void inject_blindly(struct attacker *a, uint64_t now_ns)
{
    static const uint8_t flags[] = {TCP_RST, TCP_RST | TCP_ACK, TCP_SYN, TCP_ACK, TCP_ACK | TCP_FIN};
    const struct box_forgery forgery = {.src = &a->last.src,
                                        .dst = &a->last.dst,
                                        .flags = flags[prng_below(&a->box.node.rng, HW_ARRAY_LEN(flags))],
                                        .window = FORGED_WINDOW,
                                        .seq = guess(a),
                                        .ack = guess(a)};
    send_along(a, &forgery, now_ns);
}

struct node *box_blind_injector(struct world *world, const char *name, const struct box_config *config)
{
    return make_attacker(world, name, config, inject_blindly);
}

/* Options that ask for trouble, with numbers that fit and secrets that do not. */
static void choose_lie(struct attacker *a, struct mptcp_options *mp)
{
    switch (prng_below(&a->box.node.rng, 4)) {
    case 0:
        mp->present = 1u << MPTCP_ADD_ADDR;
        mp->add_addr = (struct mp_add_addr){.is_v4 = a->last.ip.is_v4, .address_id = 7, .addr = a->last.src};
        mp->add_addr.addr.port = 0;
        mp->add_addr.hmac64 = guess(a);
        break;
    case 1:
        mp->present = 1u << MPTCP_REMOVE_ADDR;
        mp->remove_addr.count = 1;
        mp->remove_addr.ids[0] = (uint8_t)(guess(a) % 4);
        break;
    case 2:
        mp->present = 1u << MPTCP_FASTCLOSE;
        mp->fastclose.receiver_key = guess(a);
        break;
    default:
        mp->present = 1u << MPTCP_PRIO;
        mp->prio.backup = guess(a) & 1;
        break;
    }
}

static void lie(struct attacker *a, uint64_t now_ns)
{
    uint8_t bytes[TCP_OPTION_SPACE];
    struct tcp_options options;
    const struct box_segment *last = &a->last;
    if (last->tcp.flags & (TCP_SYN | TCP_RST))
        return;
    tcp_options_clear(&options);
    choose_lie(a, &options.mp);
    const struct box_forgery forgery = {.src = &last->src,
                                        .dst = &last->dst,
                                        .flags = TCP_ACK,
                                        .window = last->tcp.window,
                                        .seq =
                                            seq_add(last->tcp.seq, last->payload_len + !!(last->tcp.flags & TCP_FIN)).v,
                                        .ack = last->tcp.ack.v,
                                        .options = bytes,
                                        .options_len = write_options(&options, bytes)};
    send_along(a, &forgery, now_ns);
}

struct node *box_onpath_attacker(struct world *world, const char *name, const struct box_config *config)
{
    return make_attacker(world, name, config, lie);
}
