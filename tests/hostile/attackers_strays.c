/* Attackers that have no connection: packets of nobody, or said to be somebody else's (RFC 5961; RFC 1812 5.3.7). */
#include "attack.h"

#include <string.h>

#include "base/compiler.h"
#include "base/units.h"
#include "wire/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

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

/* Says of one of the target's segments to the friend that it did not arrive, in every way there is. */
static void say_icmp(struct attack *a, uint64_t tick, uint32_t number)
{
    static const uint8_t codes4[] = {0, 1, 2, 3, 4, 4, 5, 9, 10, 13}, codes6[] = {0, 1, 3, 4, 5, 6};
    const bool v4 = !a->ground.options.v6, too_big = !v4 && tick % 3 == 0;
    const struct hawser_addr *own = &a->ground.addr, *to = &a->seen.addr;
    uint8_t packet[2 * IPV6_HEADER_LEN + 16] = {0};
    size_t l3 = ip_header_len(own), len = 8 + l3 + 8;
    const uint8_t protocol = v4 ? IP_PROTO_ICMP : IP_PROTO_ICMPV6;
    ip_emit_as(packet, protocol, to, own, 0, (uint32_t)len);
    uint8_t *icmp = packet + l3, *quote = icmp + 8;
    icmp[0] = v4 ? 3 : too_big ? 2 : 1;
    icmp[1] = v4 ? codes4[tick % sizeof codes4] : too_big ? 0 : codes6[tick % sizeof codes6];
    put32(icmp + 4, 1280 + attack_below(a, 220) - (uint32_t)(tick % 7 == 0) * 1200);
    ip_emit(quote, own, to, 0, 1500 - (uint32_t)l3);
    put16(quote + l3, GROUND_PORT);
    put16(quote + l3 + 2, to->port);
    put32(quote + l3 + 4, number);
    struct csum sum = {0, false};
    if (!v4)
        csum_add_pseudo_as(&sum, protocol, to, own, (uint32_t)len);
    csum_add(&sum, icmp, len);
    put16(icmp + 2, csum_finish(&sum));
    a->foes.sent++;
    ground_input(&a->ground, packet, (uint32_t)(l3 + len), 0);
}

static void blind_icmp(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 4; i++)
        say_icmp(a, tick + i, (uint32_t)prng_next(&a->ground.luck));
}

static void seeing_icmp(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 4; i++)
        say_icmp(a, tick + i, a->seen.seq);
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
    {.name = "blind-icmp", .does = "ICMP errors guessed for the friend's connection", .press = blind_icmp},
    {.name = "seeing-icmp", .does = "ICMP errors about what it is sent", .press = seeing_icmp},
    {.name = NULL},
};
