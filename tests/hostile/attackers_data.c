/* Attackers that send data: in pieces, out of order, without mappings, with too many, and such as nobody reads. */
#include "attack.h"

#include "base/compiler.h"
#include "base/units.h"

enum { FILLER = 60000, FILLERS = 4 /* and a buffer of the link is full */ };

static struct foe *read_line(struct attack *a, uint32_t i)
{
    return attack_line(a, i, ROLE_READ, i % 2 ? FOE_PLAIN : FOE_MPTCP);
}

/* A piece of the stream at `at`, mapped as it is numbered. */
static void say_piece(struct foe *f, uint32_t at, uint32_t len)
{
    struct tcp_options o = foe_dss(f, at, at, (uint16_t)len);
    foe_say(f, TCP_ACK, at, f->next, &o, len);
}

/* Bytes to nobody, so that what came before them has a buffer of the link to itself. */
static void say_filler(struct foe *f, unsigned count)
{
    uint16_t port = f->target.port;
    f->target.port = 9;
    for (unsigned i = 0; i < count; i++)
        foe_say(f, TCP_RST, 0, 0, NULL, FILLER);
    f->target.port = port;
}

/* ---- in order ---- */

static void bytes_in_order(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 4; i++) {
        struct foe *f = read_line(a, (uint32_t)(tick + i) % 8);
        if (f)
            foe_data(f, 1);
    }
}

static void same_again(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 4; i++) {
        struct foe *f = read_line(a, (uint32_t)(tick + i) % 8);
        if (f)
            say_piece(f, 1, FOE_WIRE_PAYLOAD);
    }
}

/* Data that nobody reads, as much as the windows let in. */
static void fill_deaf(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 100, ROLE_DEAF, tick % 2 ? FOE_PLAIN : FOE_MPTCP);
    for (unsigned i = 0; f && i < 20 && f->seq + FILLER <= f->edge; i++)
        foe_data(f, FILLER);
}

/* A little on each of very many. */
static void fill_deaf_crowd(struct attack *a, uint64_t tick)
{
    for (uint32_t i = 0; i < 8; i++) {
        struct foe *f = attack_line(a, (uint32_t)(tick * 8 + i) % 7000, ROLE_DEAF, i % 2 ? FOE_PLAIN : FOE_MPTCP);
        for (unsigned n = 0; f && n < 8 && f->seq + FOE_WIRE_PAYLOAD <= f->edge; n++)
            foe_data(f, FOE_WIRE_PAYLOAD);
    }
}

/* Likewise by the byte. */
static void fill_deaf_by_bytes(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 20; i++) {
        struct foe *f = attack_line(a, (uint32_t)(tick * 20 + i) % 100, ROLE_DEAF, i % 2 ? FOE_PLAIN : FOE_MPTCP);
        if (f)
            foe_data(f, 1);
    }
}

/* And what no window has room for, again and again. */
static void beyond_deaf(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 4, ROLE_DEAF, tick % 2 ? FOE_PLAIN : FOE_MPTCP);
    if (!f)
        return;
    if (f->seq + FILLER <= f->edge)
        foe_data(f, FILLER);
    else
        say_piece(f, (uint32_t)f->edge, 1 + attack_below(a, FOE_WIRE_PAYLOAD));
}

static void merged_from_bytes(struct attack *a, uint64_t tick)
{
    struct foe *f = read_line(a, (uint32_t)tick % 4);
    if (!f)
        return;
    f->gso_size = 1;
    foe_data(f, 20000);
}

/* ---- out of order ---- */

static void every_other_byte(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 20; i++) {
        struct foe *f = read_line(a, (uint32_t)(tick * 20 + i) % 44);
        if (!f)
            continue;
        f->seen_to += 2;
        say_piece(f, 1 + f->seen_to, 1);
    }
}

static void every_other_byte_down(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 20; i++) {
        struct foe *f = read_line(a, (uint32_t)(tick * 20 + i) % 4);
        if (!f)
            continue;
        f->seen_to += 2;
        say_piece(f, 60000 - f->seen_to % 59000, 1);
    }
}

static void pieces_pin_buffers(struct attack *a, uint64_t tick)
{
    struct foe *f = read_line(a, (uint32_t)tick % 4);
    if (!f || tick >= 250)
        return;
    f->seen_to += 600;
    say_piece(f, 1 + f->seen_to, 512);
    say_filler(f, FILLERS);
}

static void bytes_pin_buffers(struct attack *a, uint64_t tick)
{
    struct foe *f = tick < 200 ? read_line(a, (uint32_t)tick) : NULL;
    if (!f)
        return;
    say_piece(f, 2, 1);
    say_filler(f, FILLERS);
}

/* A super-segment is large enough to stay where it lies, and the rest of the buffer is nobody's. */
static void supers_pin_buffers(struct attack *a, uint64_t tick)
{
    struct foe *f = read_line(a, (uint32_t)tick % 4);
    if (!f)
        return;
    f->seen_to = f->seen_to > 4000000 ? 0 : f->seen_to + FILLER + 1;
    say_piece(f, 1 + f->seen_to, FILLER);
    say_filler(f, FILLERS - 1);
}

/* The gap is closed by a byte, and a new one made behind: what is held comes and goes. */
static void gap_moves(struct attack *a, uint64_t tick)
{
    struct foe *f = read_line(a, (uint32_t)tick % 8);
    if (!f)
        return;
    say_piece(f, f->seq + 1, FOE_WIRE_PAYLOAD);
    say_piece(f, f->seq, 1);
    f->seq += 1 + FOE_WIRE_PAYLOAD;
}

static void overlaps(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 4; i++) {
        struct foe *f = read_line(a, (uint32_t)tick % 8);
        if (f)
            say_piece(f, 2 + attack_below(a, 60000), 1 + attack_below(a, FOE_WIRE_PAYLOAD));
    }
}

static void far_out_of_window(struct attack *a, uint64_t tick)
{
    (void)tick;
    struct foe *f = read_line(a, 0);
    for (unsigned i = 0; f && i < 4; i++)
        foe_say(f, TCP_ACK, UINT32_C(0x40000000), f->next, NULL, 1);
}

static bool few_answers(struct attack *a)
{
    uint64_t heard = 0;
    for (uint32_t i = 0; i < a->foes.count; i++)
        heard += a->foes.list[i].segments;
    return heard < 100 + a->foes.sent / 10;
}

static void after_the_end(struct attack *a, uint64_t tick)
{
    struct foe *f = read_line(a, (uint32_t)tick % 8);
    if (!f)
        return;
    foe_say(f, TCP_ACK | TCP_FIN, 5000, f->next, NULL, 0);
    say_piece(f, 6000 + attack_below(a, 5000), 500);
}

/* The same data by every subflow, ahead of all of them. */
static void copies_by_joins(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, 0, ROLE_READ, FOE_MPTCP);
    for (uint32_t i = 1; f && i < 6; i++) {
        a->lines[i] = a->lines[i] ? a->lines[i] : foe_join(f);
        if (a->lines[i] && !a->lines[i]->reset)
            say_piece(a->lines[i], 2 + 700 * (uint32_t)(tick % 100), 600);
    }
}

/* ---- mappings ---- */

static void unmapped(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 10; i++) {
        struct foe *f = attack_line(a, (uint32_t)tick % 3, ROLE_READ, FOE_MPTCP);
        if (!f)
            continue;
        struct tcp_options o = foe_dss(f, 0, 0, 0);
        f->seen_to += FOE_WIRE_PAYLOAD;
        foe_say(f, TCP_ACK, 1 + f->seen_to, f->next, &o, FOE_WIRE_PAYLOAD);
    }
}

static void unmapped_bytes(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 10; i++) {
        struct foe *f = attack_line(a, (uint32_t)(tick + i) % 40, ROLE_READ, FOE_MPTCP);
        if (!f)
            continue;
        struct tcp_options o = foe_dss(f, 0, 0, 0);
        f->seen_to += 2;
        foe_say(f, TCP_ACK, 1 + f->seen_to, f->next, &o, 1);
    }
}

static void unmapped_in_order(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 8, ROLE_READ, FOE_MPTCP);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    foe_say(f, TCP_ACK, f->seq, f->next, &o, FOE_WIRE_PAYLOAD);
    f->seq += FOE_WIRE_PAYLOAD;
}

/* Mappings without the bytes that they map. */
static void mappings_only(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 10; i++) {
        struct foe *f = attack_line(a, (uint32_t)(tick + i) % 4, ROLE_READ, FOE_MPTCP);
        if (!f)
            continue;
        f->seen_to += 2;
        struct tcp_options o = foe_dss(f, 1 + f->seen_to, 1 + f->seen_to, 1);
        foe_say(f, TCP_ACK, f->seq, f->next, &o, 0);
    }
}

/* Wide ones, over thousands of those. */
static void mappings_wide(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 2, ROLE_DEAF, FOE_MPTCP);
    for (unsigned i = 0; f && i < 40; i++) {
        bool wide = tick >= 300;
        uint32_t at = wide ? 2 : 2 + 2 * f->seen_to++;
        struct tcp_options o =
            foe_dss(f, f->data_seq + at - tick % 4 / 2 * wide, f->seq + at, wide ? FOE_PAYLOAD_MAX : 1);
        foe_say(f, TCP_ACK, f->seq, f->next, &o, 0);
    }
}

static void mappings_conflict(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 4, ROLE_READ, FOE_MPTCP);
    if (!f)
        return;
    uint32_t at = f->seq + attack_below(a, 3000);
    struct tcp_options o = foe_dss(f, f->data_seq + attack_below(a, 3000), at, (uint16_t)(1 + attack_below(a, 3000)));
    foe_say(f, TCP_ACK, at, f->next, &o, 1 + attack_below(a, FOE_WIRE_PAYLOAD));
}

/* Under checksums nothing of a mapping counts before its last byte: 200 of them are begun, and go on by a byte a
 * second. */
static void drip(struct attack *a, uint64_t tick)
{
    uint32_t i = (uint32_t)tick % 1000;
    struct foe *f = i < 200 ? attack_line(a, i, ROLE_READ, FOE_MPTCP) : NULL;
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 1, 1, UINT16_MAX);
    foe_say(f, TCP_ACK, f->seq, f->next, &o, f->seq == 1 ? FOE_WIRE_PAYLOAD : 1);
    f->seq += f->seq == 1 ? FOE_WIRE_PAYLOAD : 1;
}

static void bad_checksums(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 4, ROLE_READ, FOE_MPTCP);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, f->data_seq, f->seq, FOE_WIRE_PAYLOAD);
    o.mp.dss.checksum ^= 1;
    foe_say(f, TCP_ACK, f->seq, f->next, &o, FOE_WIRE_PAYLOAD);
}

static const struct ground_options crowded = {.connections = 8192, .memory_bytes = 64 << 20};
static const struct ground_options summed = {.checksums = true};

const struct attacker attackers_data[] = {
    {.name = "bytes-in-order", .does = "segments of one byte, in order", .press = bytes_in_order},
    {.name = "same-again", .does = "the same segment again and again", .press = same_again},
    {.name = "deaf",
     .does = "data that the program does not read, by 100 connections",
     .press = fill_deaf,
     .press_ms = 3000},
    {.name = "deaf-crowd",
     .does = "11 KB for each of 7,000 programs that do not read",
     .press = fill_deaf_crowd,
     .options = &crowded},
    {.name = "deaf-by-bytes",
     .does = "likewise by segments of one byte",
     .press = fill_deaf_by_bytes,
     .press_ms = 3000},
    {.name = "beyond-deaf", .does = "data for which the window has no room", .press = beyond_deaf},
    {.name = "merged-from-bytes", .does = "merged segments of one byte each", .press = merged_from_bytes},
    {.name = "every-other-byte",
     .does = "every other byte of 44 connections",
     .press = every_other_byte,
     .press_ms = 3000},
    {.name = "every-other-down",
     .does = "every other byte, from the end on",
     .press = every_other_byte_down,
     .press_ms = 3000},
    {.name = "pieces-pin",
     .does = "250 pieces of half a KB, each in a link's buffer of its own",
     .press = pieces_pin_buffers},
    {.name = "bytes-pin", .does = "one byte ahead on each of 200 connections, likewise", .press = bytes_pin_buffers},
    {.name = "supers-pin", .does = "pieces of 60,000 bytes ahead, likewise", .press = supers_pin_buffers},
    {.name = "gap-moves", .does = "gaps that open and close", .press = gap_moves},
    {.name = "overlaps", .does = "pieces that overlap at random", .press = overlaps, .press_ms = 3000},
    {.name = "out-of-window", .does = "bytes far out of the window", .press = far_out_of_window, .proof = few_answers},
    {.name = "after-the-end", .does = "data beyond a FIN that came ahead", .press = after_the_end},
    {.name = "copies-by-joins", .does = "the same data by six subflows", .press = copies_by_joins},
    {.name = "unmapped", .does = "data without mappings, ahead", .press = unmapped, .press_ms = 3000},
    {.name = "unmapped-bytes",
     .does = "likewise in bytes, by 40 connections",
     .press = unmapped_bytes,
     .press_ms = 3000},
    {.name = "unmapped-in-order", .does = "likewise in order", .press = unmapped_in_order},
    {.name = "mappings-only", .does = "mappings of one byte each, without the byte", .press = mappings_only},
    {.name = "mappings-wide", .does = "wide mappings over thousands of such", .press = mappings_wide, .steady = true},
    {.name = "mappings-conflict", .does = "mappings that contradict each other", .press = mappings_conflict},
    {.name = "drip",
     .does = "200 mappings that go on by a byte a second",
     .press = drip,
     .press_ms = 20000,
     .options = &summed},
    {.name = "unmapped-summed",
     .does = "data without mappings, where there are checksums",
     .press = unmapped,
     .press_ms = 3000,
     .options = &summed},
    {.name = "bad-checksums", .does = "mappings with a wrong checksum", .press = bad_checksums, .options = &summed},
    {.name = NULL},
};
