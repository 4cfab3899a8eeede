/* Attackers that use MPTCP's options for everything but data: addresses, priorities, failures, ends. */
#include "attack.h"

#include "base/compiler.h"
#include "wire/keys.h"

static void say_options(struct foe *f, const struct tcp_options *o) { foe_say(f, TCP_ACK, f->seq, f->next, o, 0); }

static struct foe *line(struct attack *a, uint64_t tick)
{
    return attack_line(a, (uint32_t)tick % 4, ROLE_SERVE, FOE_MPTCP);
}

static struct foe *called(struct attack *a, uint64_t tick)
{
    uint32_t i = (uint32_t)tick % 4;
    if (!a->lines[i] || a->lines[i]->reset)
        a->lines[i] = foe_called(&a->foes, FOE_MPTCP);
    return a->lines[i];
}

static void announce(struct attack *a, struct foe *f, bool honest, bool echo)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_ADD_ADDR};
    struct mp_add_addr *add = &o.mp.add_addr;
    *add = (struct mp_add_addr){.is_v4 = hawser_addr_is_v4(&f->addr), .echo = echo, .addr = f->addr};
    add->address_id = (uint8_t)attack_below(a, 256);
    add->addr.port = 0;
    add->addr.ip[13] = (uint8_t)attack_below(a, 256);
    add->addr.ip[15] = (uint8_t)attack_below(a, 256);
    add->hmac64 = mptcp_add_addr_hmac(f->key, f->target_key, add) ^ !honest;
    say_options(f, &o);
}

static void add_addr(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (f)
        announce(a, f, true, false);
}

/* On one of eight subflows, with a byte on another, after which that one may tell something again. */
static void add_addr_joined(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, 0, ROLE_READ, FOE_MPTCP), *one = NULL;
    for (uint32_t i = 1; f && i < 8; i++) {
        struct foe **join = &a->lines[i];
        if (!*join || (*join)->reset || (*join)->first != f)
            *join = foe_join(f);
        one = tick % 8 == i ? *join : one;
    }
    if (!f)
        return;
    announce(a, f, true, false);
    foe_data(one ? one : f, 1);
}

/* Each is answered on one subflow, and not on all of them. */
static bool few_acknowledgements(struct attack *a)
{
    uint64_t heard = 0;
    for (uint32_t i = 0; i < a->foes.count; i++)
        heard += a->foes.list[i].segments;
    return heard <= 2 * a->foes.sent;
}

static void add_addr_called(struct attack *a, uint64_t tick)
{
    struct foe *f = called(a, tick);
    if (f)
        announce(a, f, true, false);
}

static void add_addr_forged(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (f)
        announce(a, f, false, false);
}

static void add_addr_echo(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (f)
        announce(a, f, true, true);
}

static void remove_addr(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_REMOVE_ADDR;
    o.mp.remove_addr.count = 15;
    for (unsigned i = 0; i < o.mp.remove_addr.count; i++)
        o.mp.remove_addr.ids[i] = (uint8_t)(1 + attack_below(a, 255));
    say_options(f, &o);
}

/* The very one that it speaks on. */
static void remove_own(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (!f)
        return;
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_REMOVE_ADDR, .remove_addr.count = 1}};
    say_options(f, &o);
}

/* An address comes and goes, and what the target opens to it is refused. */
static void add_and_remove(struct attack *a, uint64_t tick)
{
    struct foe *f = called(a, tick / 2);
    if (!f)
        return;
    if (tick % 2) {
        announce(a, f, true, false);
        return;
    }
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_REMOVE_ADDR;
    o.mp.remove_addr.count = 1;
    o.mp.remove_addr.ids[0] = (uint8_t)attack_below(a, 256);
    say_options(f, &o);
}

/* As many addresses as there may be, each of which gives its ID to another one. */
static void addresses_in_turn(struct attack *a, uint64_t tick)
{
    struct foe *f = called(a, tick);
    if (!f)
        return;
    struct tcp_options o = {.mp.present = 1u << MPTCP_ADD_ADDR | 1u << MPTCP_REMOVE_ADDR};
    struct mp_add_addr *add = &o.mp.add_addr;
    *add = (struct mp_add_addr){.is_v4 = true, .address_id = (uint8_t)(1 + tick / 4 % 64)};
    (void)hawser_addr_parse(&add->addr, "10.9.0.0", 0);
    add->addr.ip[14] = (uint8_t)attack_below(a, 256);
    add->addr.ip[15] = (uint8_t)attack_below(a, 256);
    add->hmac64 = mptcp_add_addr_hmac(f->key, f->target_key, add);
    o.mp.remove_addr = (struct mp_remove_addr){.count = 1, .ids = {add->address_id}};
    say_options(f, &o);
}

static bool few_strays(struct attack *a) { return a->foes.stray_answers < 100; }
static bool no_strays(struct attack *a) { return a->foes.stray_answers == 0; }

/* Addresses to which nobody ought to be sent. */
static void add_addr_martian(struct attack *a, uint64_t tick)
{
    static const char *const addresses[] = {"127.0.0.1", "0.0.0.0",  "255.255.255.255",
                                            "224.0.0.1", "10.0.0.1", "10.0.0.255"};
    struct foe *f = called(a, tick);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    struct mp_add_addr *add = &o.mp.add_addr;
    o.mp.present |= 1u << MPTCP_ADD_ADDR;
    *add = (struct mp_add_addr){.is_v4 = true, .address_id = (uint8_t)(1 + tick % 200)};
    (void)hawser_addr_parse(&add->addr, addresses[tick % HW_ARRAY_LEN(addresses)], 0);
    add->hmac64 = mptcp_add_addr_hmac(f->key, f->target_key, add);
    say_options(f, &o);
}

/* A server that answers the program's SYN by anything. */
static void called_strange(struct attack *a, uint64_t tick)
{
    uint8_t area[TCP_OPTION_SPACE] = {MPTCP_OPTION_KIND, 12, 1};
    uint32_t i = (uint32_t)tick % 8;
    struct foe *f = a->lines[i];
    if (!f || f->reset) {
        f = a->lines[i] = foe_new(&a->foes, ROLE_READ);
        f->target.port = 0;
        ground_connect(&a->ground, &f->addr, false);
    }
    prng_fill(&a->ground.luck, area + 3, sizeof area - 3);
    if (f->heard)
        foe_say_raw(f, (uint8_t)(TCP_SYN | (tick % 3 ? TCP_ACK : attack_below(a, 64))), 0,
                    tick % 5 ? 1 : attack_below(a, 10), area, sizeof area, 0);
}

static void prio(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_PRIO;
    o.mp.prio.backup = tick / 4 % 2;
    say_options(f, &o);
}

static void fail(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    o.mp.present |= 1u << MPTCP_FAIL;
    o.mp.fail.dsn = f->target_idsn + attack_below(a, 1000);
    say_options(f, &o);
}

static void fastclose_wrong(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (!f)
        return;
    struct tcp_options o = {.mp.present = 1u << MPTCP_FASTCLOSE};
    o.mp.fastclose.receiver_key = prng_next(&a->ground.luck);
    foe_say(f, tick % 2 ? TCP_ACK : TCP_RST | TCP_ACK, f->seq + (tick % 2 ? 0 : 100), f->next, &o, 0);
}

static void capable_again(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (f)
        foe_third(f);
}

static void infinite(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, f->data_seq, f->seq, 1);
    o.mp.dss.len = 0;
    foe_say(f, TCP_ACK, f->seq, f->next, &o, 10);
    f->seq += 10;
}

static void data_fins(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, f->data_seq + attack_below(a, 5000), 0, 1);
    o.mp.dss.data_fin = true;
    say_options(f, &o);
}

static void garbage(struct attack *a, uint64_t tick)
{
    struct foe *f = line(a, tick);
    uint8_t area[TCP_OPTION_SPACE];
    if (!f)
        return;
    prng_fill(&a->ground.luck, area, sizeof area);
    if (tick % 2) /* of MPTCP, at least */
        area[0] = MPTCP_OPTION_KIND;
    area[1] = tick % 2 ? (uint8_t)attack_below(a, 41) : area[1];
    foe_say_raw(f, TCP_ACK, f->seq, f->next, area, sizeof area, attack_below(a, 2) * 10);
}

static void garbage_syns(struct attack *a, uint64_t tick)
{
    (void)tick;
    uint8_t area[TCP_OPTION_SPACE];
    prng_fill(&a->ground.luck, area, sizeof area);
    area[0] = MPTCP_OPTION_KIND;
    area[1] = (uint8_t)attack_below(a, 41);
    foe_say_raw(foe_new(&a->foes, ROLE_SERVE), TCP_SYN, 0, 0, area, sizeof area, 0);
}

static const struct ground_options queue_little = {.send_buffer_bytes = 256 << 10};

const struct attacker attackers_signals[] = {
    {.name = "add-addr", .does = "addresses announced without end", .press = add_addr},
    {.name = "add-addr-joined",
     .does = "likewise on one of eight subflows",
     .press = add_addr_joined,
     .proof = few_acknowledgements},
    {.name = "add-addr-called",
     .does = "likewise by a server that the program called",
     .press = add_addr_called,
     .press_ms = 3000,
     .options = &queue_little,
     .proof = few_strays},
    {.name = "add-addr-martian",
     .does = "addresses announced that cannot be",
     .press = add_addr_martian,
     .options = &queue_little,
     .proof = no_strays},
    {.name = "add-addr-forged", .does = "with a wrong HMAC", .press = add_addr_forged},
    {.name = "add-addr-echo", .does = "echoes of what was never announced", .press = add_addr_echo},
    {.name = "remove-addr", .does = "addresses withdrawn that never were", .press = remove_addr},
    {.name = "remove-own",
     .does = "the address withdrawn that it speaks from",
     .press = remove_own,
     .proof = few_acknowledgements},
    {.name = "add-and-remove",
     .does = "addresses that come and go",
     .press = add_and_remove,
     .press_ms = 3000,
     .options = &queue_little,
     .proof = few_strays},
    {.name = "addresses-in-turn",
     .does = "addresses that give each other their IDs",
     .press = addresses_in_turn,
     .press_ms = 3000,
     .options = &queue_little,
     .proof = few_strays},
    {.name = "called-strange",
     .does = "a server that answers the SYN by anything",
     .press = called_strange,
     .options = &queue_little},
    {.name = "prio", .does = "priorities that change", .press = prio},
    {.name = "mp-fail", .does = "MP_FAIL for nothing", .press = fail},
    {.name = "fastclose-wrong", .does = "MP_FASTCLOSE with a wrong key", .press = fastclose_wrong},
    {.name = "capable-again", .does = "MP_CAPABLE again and again", .press = capable_again},
    {.name = "infinite", .does = "infinite mappings", .press = infinite},
    {.name = "data-fins", .does = "ends of the stream at many places", .press = data_fins},
    {.name = "garbage-options", .does = "options of random bytes", .press = garbage},
    {.name = "garbage-syns", .does = "SYNs with such options", .press = garbage_syns},
    {.name = NULL},
};
