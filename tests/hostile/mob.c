#include "attack.h"

#include "base/compiler.h"

/* How often, each millisecond. */
enum { ACTIVE_MAX = 4, TURNS_MAX = 6, PAUSE_ONE_IN = 4, TICK_JUMP_ONE_IN = 50, BATCH_ONE_IN = 8, CHANGE_ONE_IN = 200 };
/* And each packet. */
enum { SLIP_ONE_IN = 40, STRAY_ONE_IN = 3 };

static bool one_in(struct attack *a, uint32_t n) { return attack_below(a, n) == 0; }

static void slip(struct foe *f, uint8_t *flags, uint32_t *seq, uint32_t *ack, uint32_t *len)
{
    const struct attack *a = f->all->ground->ctx;
    struct prng *luck = &f->all->ground->luck;
    if (hawser_addr_equal(&f->addr, &a->seen.addr))
        return; /* by chance it would say what ends the friend's connection: it sees the numbers */
    if (*flags == TCP_SYN && prng_below(luck, STRAY_ONE_IN) == 0)
        f->target.port = (uint16_t)(GROUND_PORT + prng_below(luck, ROLES));
    if (prng_below(luck, SLIP_ONE_IN) != 0)
        return;
    switch (prng_below(luck, 7)) {
    case 0:
        *flags ^= (uint8_t)(1u << prng_below(luck, 8));
        break;
    case 1:
        *seq += (uint32_t)prng_below(luck, 3000) - 1500;
        break;
    case 2:
        *ack += (uint32_t)prng_below(luck, 3000) - 1500;
        break;
    case 3:
        *len = (uint32_t)prng_below(luck, *len + 1);
        break;
    case 4:
        f->window = (uint16_t)(UINT16_MAX >> prng_below(luck, 17));
        break;
    case 5:
        f->gso_size = (uint16_t)prng_below(luck, FOE_WIRE_PAYLOAD);
        break;
    default:
        *seq = (uint32_t)prng_next(luck);
    }
}

/* Who is at it now: a few of all, who change from time to time. */
static const struct attacker *active(struct attack *a, uint32_t i, uint64_t tick)
{
    const struct mob *mob = a->by->mob;
    struct prng draw;
    prng_seed(&draw, mob->seed + tick / CHANGE_ONE_IN * ACTIVE_MAX + i % ACTIVE_MAX);
    return mob->members[prng_below(&draw, mob->count)];
}

static void begin(struct attack *a) { a->foes.whim = slip; }

static void press(struct attack *a, uint64_t tick)
{
    if (one_in(a, PAUSE_ONE_IN))
        return;
    bool batch = one_in(a, BATCH_ONE_IN);
    if (batch)
        ground_hold(&a->ground);
    for (uint32_t i = attack_below(a, TURNS_MAX); i > 0; i--) {
        const struct attacker *by = active(a, i, tick);
        uint64_t turn = one_in(a, TICK_JUMP_ONE_IN) ? attack_below(a, 10000) : tick;
        if (by->press)
            by->press(a, turn);
        else if (one_in(a, CHANGE_ONE_IN))
            by->begin(a);
    }
    if (batch)
        ground_let_go(&a->ground);
}

void mob_gather(struct mob *mob, uint64_t seed)
{
    static const uint32_t memories[] = {4 << 20, 16 << 20, 64 << 20};
    struct prng draw;
    prng_seed(&draw, seed);
    uint32_t connections = 64u << prng_below(&draw, 4);
    mob->seed = seed << 32;
    mob->options = (struct ground_options){
        .memory_bytes = memories[prng_below(&draw, HW_ARRAY_LEN(memories))],
        .connections = connections,
        .calls = connections / 4, /* what is left is one place, or two, for each network */
        .send_buffer_bytes = prng_below(&draw, 2) ? 256 << 10 : 0,
        .recv_buffer_bytes = prng_below(&draw, 2) ? 64 << 10 : 0,
        .checksums = prng_below(&draw, 2),
        .v6 = prng_below(&draw, 3) == 0,
        .refusals_ppm = prng_below(&draw, 4) ? 0 : 20000,
    };
    mob->as_one = (struct attacker){.name = "mob",
                                    .does = "several at once, at random",
                                    .begin = begin,
                                    .press = press,
                                    .press_ms = 1000 + (uint32_t)prng_below(&draw, 4000),
                                    .options = &mob->options,
                                    .cut_short = prng_below(&draw, 4) == 0,
                                    .mob = mob};
}
