/* Attackers that have no connection: packets of nobody, or said to be somebody else's (RFC 5961; RFC 1812 5.3.7). */
#include "attack.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "wire/bytes.h"

/* Apart from all lines. */
enum { STRANGER = LINES_MAX - 1, IMPOSTOR = LINES_MAX - 2 };

static struct foe *apart(struct attack *a, uint32_t which)
{
    if (!a->lines[which])
        a->lines[which] = foe_new(&a->foes, ROLE_SERVE);
    return a->lines[which];
}

static struct foe *stranger(struct attack *a) { return apart(a, STRANGER); }

/* Says what it says as the friend, who can be seen or only guessed. In a mob, strangers must not say what they say in
 * the same name: data and RSTs with the numbers that it sees are the friend's own to whoever gets them. */
static struct foe *impostor(struct attack *a, bool sees)
{
    struct foe *f = apart(a, IMPOSTOR);
    f->addr = a->seen.addr;
    f->iss = sees ? a->seen.ack : (uint32_t)prng_next(&a->ground.luck);
    f->irs = sees ? a->seen.seq : (uint32_t)prng_next(&a->ground.luck);
    return f;
}

static void martians(struct attack *a, uint64_t tick)
{
    static const char *const sources[] = {"127.0.0.1", "0.0.0.0",   "10.0.0.255",      "10.0.0.1", "0.1.2.3",
                                          "224.0.0.1", "240.0.0.1", "255.255.255.255", "127.9.9.9"};
    struct foe *f = stranger(a);
    if (a->ground.options.v6)
        return;
    (void)hawser_addr_parse(&f->addr, sources[tick % HW_ARRAY_LEN(sources)], (uint16_t)(1024 + tick));
    foe_say(f, tick / 9 % 2 ? TCP_ACK : TCP_SYN, 0, 0, NULL, 0);
}

static bool no_answers(struct attack *a) { return a->foes.stray_answers == 0; }

static void closed_ports(struct attack *a, uint64_t tick)
{
    struct foe *f = stranger(a);
    f->target.port = (uint16_t)(1000 + tick);
    foe_say(f, tick % 2 ? TCP_SYN : TCP_ACK, (uint32_t)tick, 1, NULL, 0);
}

static void stray_rsts(struct attack *a, uint64_t tick)
{
    struct foe *f = stranger(a);
    f->target.port = (uint16_t)(79 + tick % 4);
    uint8_t more = (uint8_t)(tick % 2 ? 0 : 1u << attack_below(a, 6));
    foe_say(f, TCP_RST | more, (uint32_t)tick, 1, NULL, 0);
}

static bool silence(struct attack *a) { return stranger(a)->segments == 0; }

static void long_strays(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 10; i++)
        foe_say(stranger(a), TCP_ACK, (uint32_t)tick, 1, NULL, FOE_PAYLOAD_MAX);
}

static void garbage(struct attack *a, uint64_t tick)
{
    uint8_t packet[200];
    prng_fill(&a->ground.luck, packet, sizeof packet);
    packet[0] = (uint8_t)(tick % 3 == 0 ? 0x45 : tick % 3 == 1 ? 0x60 : packet[0]);
    if (tick % 3 == 1)
        packet[6] = 6;
    a->foes.sent++;
    ground_input(&a->ground, packet, attack_below(a, sizeof packet), (uint16_t)attack_below(a, 100));
}

/* A segment as it should be, but for one byte. */
static void one_byte_wrong(struct attack *a, uint64_t tick)
{
    (void)tick;
    uint8_t packet[60] = {0x45, 0, 0, 60, 0, 0, 0x40, 0, 64, 6};
    if (a->ground.options.v6)
        return;
    memcpy(packet + 12, a->seen.addr.ip + 12, 4);
    memcpy(packet + 16, a->ground.addr.ip + 12, 4);
    put16(packet + 20, a->seen.addr.port);
    put16(packet + 22, GROUND_PORT);
    put32(packet + 24, a->seen.ack);
    put32(packet + 28, a->seen.seq);
    packet[32] = 0xa0;
    packet[33] = TCP_ACK;
    packet[attack_below(a, sizeof packet)] = (uint8_t)prng_next(&a->ground.luck);
    packet[attack_below(a, 24)] = (uint8_t)prng_next(&a->ground.luck);
    a->foes.sent++;
    ground_input(&a->ground, packet, sizeof packet, 0);
}

static void blind_rst(struct attack *a, uint64_t tick)
{
    foe_say(impostor(a, false), tick % 2 ? TCP_RST : TCP_RST | TCP_ACK, 0, 0, NULL, 0);
}

static void blind_rst_in_window(struct attack *a, uint64_t tick)
{
    foe_say(impostor(a, true), tick % 2 ? TCP_RST : TCP_RST | TCP_ACK, 1 + attack_below(a, 10000), 0, NULL, 0);
}

static void blind_syn(struct attack *a, uint64_t tick)
{
    foe_say(impostor(a, tick % 2), TCP_SYN, attack_below(a, 10000), 0, NULL, 0);
}

static void blind_data(struct attack *a, uint64_t tick)
{
    struct foe *f = impostor(a, tick % 2);
    uint32_t ack = UINT32_C(0x10000000) + attack_below(a, 0x40000000);
    foe_say(f, TCP_ACK, attack_below(a, 10000), tick % 4 < 2 ? ack : -ack, NULL, FOE_WIRE_PAYLOAD);
}

const struct attacker attackers_strays[] = {
    {.name = "martians", .does = "sources that cannot be", .press = martians, .proof = no_answers},
    {.name = "closed-ports", .does = "segments to ports where nobody listens", .press = closed_ports},
    {.name = "stray-rsts", .does = "RSTs, which nobody may answer", .press = stray_rsts, .proof = silence},
    {.name = "long-strays", .does = "64 KiB each to nobody", .press = long_strays},
    {.name = "garbage", .does = "packets of random bytes", .press = garbage},
    {.name = "one-byte-wrong", .does = "the friend's segments, two bytes of them wrong", .press = one_byte_wrong},
    {.name = "blind-rst", .does = "RSTs guessed for the friend's connection", .press = blind_rst},
    {.name = "blind-rst-near", .does = "RSTs that miss the exact number", .press = blind_rst_in_window},
    {.name = "blind-syn", .does = "SYNs there", .press = blind_syn},
    {.name = "blind-data", .does = "data there with impossible acknowledgements", .press = blind_data},
    {.name = NULL},
};
