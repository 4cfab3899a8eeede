/* Attackers that acknowledge: too little, too much, what was never sent, and windows that they play with. All of them
 * against a program that queues as much as is taken. */
#include "attack.h"

#include "base/compiler.h"
#include "base/units.h"

enum { BLOCKS = 3 }; /* of SACK beside a DSS; plain TCP has room for four */

static struct foe *queue_line(struct attack *a, uint32_t i)
{
    return attack_line(a, i, ROLE_QUEUE, i % 2 ? FOE_PLAIN : FOE_MPTCP);
}

static void sack_blocks(const struct foe *f, struct tcp_options *o, uint32_t from, uint32_t pace, uint32_t len)
{
    o->present |= TCP_OPT_SACK;
    o->sack_count = f->mptcp ? BLOCKS : TCP_SACK_MAX;
    for (unsigned i = 0; i < o->sack_count; i++)
        o->sack[i] = (struct sack_block){seq_at(f->irs + from + i * pace), seq_at(f->irs + from + i * pace + len)};
}

/* ---- SACK ---- */

static void acknowledge_some(struct attack *a, struct foe *f, uint32_t pace, uint32_t len)
{
    struct tcp_options o = {0};
    uint32_t span = HW_MAX(f->next, pace + 1);
    sack_blocks(f, &o, 2 + a->at % span, pace, len);
    a->at += pace * (f->mptcp ? BLOCKS : TCP_SACK_MAX);
    foe_say(f, TCP_ACK, 1, 1, &o, 0);
}

/* All that comes is acknowledged until much comes at once, and then nothing more: numbers are from there on. */
static void begin_wide(struct attack *a)
{
    struct foe *f = queue_line(a, 0);
    for (unsigned i = 0; f && i < 60; i++) {
        uint32_t acked = f->next - 1;
        foe_ack(f);
        f->irs += acked;
        f->next -= acked;
        victim_pass(&a->victim, NS_PER_MS);
    }
}

static void sack_every_other_byte(struct attack *a, uint64_t tick)
{
    (void)tick;
    if (a->lines[0])
        for (unsigned i = 0; i < 10; i++)
            acknowledge_some(a, a->lines[0], 2, 1);
}

static void sack_backwards(struct attack *a, uint64_t tick)
{
    struct foe *f = a->lines[0];
    struct tcp_options o = {0};
    if (!f)
        return;
    uint32_t from = f->next > 40 * (tick + 1) ? f->next - 40 * (uint32_t)(tick + 1) : 2;
    sack_blocks(f, &o, from, 8, 3);
    foe_say(f, TCP_ACK, 1, 1, &o, 0);
}

static void sack_random(struct attack *a, uint64_t tick)
{
    (void)tick;
    struct foe *f = a->lines[0];
    if (!f)
        return;
    struct tcp_options o = {0};
    sack_blocks(f, &o, attack_below(a, f->next + 1), 1 + attack_below(a, f->next), attack_below(a, 5000));
    foe_say(f, TCP_ACK, 1, 1, &o, 0);
}

static void dsack(struct attack *a, uint64_t tick)
{
    struct foe *f = queue_line(a, (uint32_t)tick % 8);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    o.present |= TCP_OPT_SACK;
    o.sack_count = 1;
    uint32_t from = attack_below(a, f->next + 1);
    o.sack[0] =
        (struct sack_block){seq_at(f->irs + from), seq_at(f->irs + HW_MIN(from + 1 + attack_below(a, 3000), f->next))};
    foe_say(f, TCP_ACK, f->seq, f->next, &o, 0);
}

/* All but the first is acknowledged by SACK, and then it is not so (RFC 2018 8). */
static void renege(struct attack *a, uint64_t tick)
{
    struct foe *f = queue_line(a, (uint32_t)tick % 4);
    if (!f || f->next < 3000)
        return;
    struct tcp_options o = {.present = TCP_OPT_SACK, .sack_count = 1};
    o.sack[0] = (struct sack_block){seq_at(f->irs + 1401), seq_at(f->irs + f->next)};
    foe_say(f, TCP_ACK, 1, 1, tick / 4 % 2 ? &o : NULL, 0);
}

/* ---- acknowledgements ---- */

static void storm(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 10; i++) {
        struct foe *f = queue_line(a, (uint32_t)(tick + i) % 8);
        if (f)
            foe_say(f, TCP_ACK, 1, 1, NULL, 0);
    }
}

/* One byte more each time (Savage and others 1999). */
static void divide(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 10; i++) {
        struct foe *f = queue_line(a, (uint32_t)tick % 4);
        if (!f)
            continue;
        struct tcp_options o = foe_dss(f, 0, 0, 0);
        f->seen_to = HW_MIN(f->seen_to + 1, f->next - 1);
        o.mp.dss.ack = f->target_idsn + 1 + f->seen_to;
        foe_say(f, TCP_ACK, 1, 1 + f->seen_to, &o, 0);
    }
}

static void optimist(struct attack *a, uint64_t tick)
{
    struct foe *f = queue_line(a, (uint32_t)tick % 8);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    o.mp.dss.ack += attack_below(a, 2) ? attack_below(a, 100000) : UINT64_C(1) << attack_below(a, 63);
    foe_say(f, TCP_ACK, f->seq, f->next + attack_below(a, 100000), &o, 0);
}

/* DATA_ACKs of all, and acknowledgements of the subflow of nothing: what it still may have to send again stays. */
static void data_acks_ahead(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 4, ROLE_QUEUE, FOE_MPTCP);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    foe_say(f, TCP_ACK, 1, 1, &o, 0);
}

/* Likewise, with a second subflow that acknowledges as it should. */
static void laggard(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, 0, ROLE_QUEUE, FOE_MPTCP);
    if (!f)
        return;
    if (!a->lines[1] || a->lines[1]->reset)
        a->lines[1] = foe_join(f);
    if (a->lines[1] && tick % 2)
        foe_ack(a->lines[1]);
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    foe_say(f, TCP_ACK, 1, 1, &o, 0);
}

static void never_again(struct attack *a) { attack_open(a, 200, ROLE_QUEUE, FOE_MPTCP); }

/* So many that what each may have at least is too much. */
static void never_again_crowd(struct attack *a) { attack_open(a, 7000, ROLE_QUEUE, FOE_MPTCP); }

/* Each takes one answer of 8 bytes, and never says that it came. */
static void answers_unread(struct attack *a)
{
    attack_open(a, 200, ROLE_SERVE, FOE_MPTCP);
    for (uint32_t i = 0; i < a->line_count; i++)
        if (a->lines[i])
            foe_data(a->lines[i], ASKED);
}

/* All that the link takes is wanted by others, who are as fast as can be. */
static void bulk_crowd(struct attack *a, uint64_t tick)
{
    for (uint32_t i = 0; i < 10; i++) {
        struct foe *f = queue_line(a, (uint32_t)(tick * 10 + i) % 240);
        if (f)
            foe_ack(f);
    }
}

/* ---- windows ---- */

static void shut_windows(struct attack *a)
{
    attack_open(a, 63, ROLE_QUEUE, FOE_MPTCP);
    for (uint32_t i = 0; i < a->line_count; i++) {
        if (!a->lines[i])
            continue;
        a->lines[i]->window = 0;
        foe_ack(a->lines[i]);
    }
}

/* Every probe is answered: the window is still shut. */
static void answer_probes(struct attack *a, uint64_t tick)
{
    (void)tick;
    for (uint32_t i = 0; i < a->line_count; i++) {
        struct foe *f = a->lines[i];
        if (!f || f->reset || f->segments == f->seen_to)
            continue;
        foe_say(f, TCP_ACK, f->seq, 1, NULL, 0);
        f->seen_to = (uint32_t)f->segments;
    }
}

static void toggle(struct attack *a, uint64_t tick)
{
    struct foe *f = queue_line(a, (uint32_t)tick % 16);
    if (!f)
        return;
    f->window = tick / 16 % 2 ? 0 : UINT16_MAX;
    foe_ack(f);
}

static void silly_window(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 16, ROLE_QUEUE, FOE_PLAIN);
    if (!f)
        return;
    f->window = 1; /* of 128 bytes, as scaled */
    foe_ack(f);
}

/* The least that a SYN can ask for. */
static void tiny_mss(struct attack *a, uint64_t tick)
{
    uint32_t i = (uint32_t)tick % 8;
    if (!a->lines[i]) {
        struct foe *f = a->lines[i] = foe_new(&a->foes, ROLE_QUEUE);
        struct tcp_options o = {
            .present = TCP_OPT_MSS | TCP_OPT_WSCALE, .mss = (uint16_t)(i % 2), .wscale = FOE_WSCALE};
        foe_say(f, TCP_SYN, 0, 0, &o, 0);
        foe_third(f);
    }
    foe_ack(a->lines[i]);
}

static const struct ground_options link_little = {
    .link_bytes_a_ms = 12500, .memory_bytes = 64 << 20, .send_buffer_bytes = 256 << 10};
static const struct ground_options crowded = {.connections = 8192, .memory_bytes = 64 << 20};
static const struct ground_options dense = {.connections = 512, .memory_bytes = 4 << 20};
static const struct ground_options queue_little = {.send_buffer_bytes = 256 << 10};

const struct attacker attackers_acks[] = {
    {.name = "sack-every-other-byte",
     .does = "SACKs of every other byte over a wide window",
     .begin = begin_wide,
     .press = sack_every_other_byte,
     .press_ms = 3000,
     .steady = true},
    {.name = "sack-backwards",
     .does = "SACKs of three bytes in eight, from the end on",
     .begin = begin_wide,
     .press = sack_backwards,
     .press_ms = 3000,
     .steady = true},
    {.name = "sack-random",
     .does = "SACKs of anything, sent or not",
     .begin = begin_wide,
     .press = sack_random,
     .steady = true},
    {.name = "dsack", .does = "invented DSACKs", .press = dsack, .options = &queue_little},
    {.name = "renege", .does = "SACKs that are taken back", .press = renege, .options = &queue_little},
    {.name = "ack-storm",
     .does = "the same acknowledgement 10,000 times a second",
     .press = storm,
     .options = &queue_little},
    {.name = "ack-division",
     .does = "acknowledgements of one byte more each",
     .press = divide,
     .options = &queue_little},
    {.name = "optimist",
     .does = "acknowledgements of what was never sent",
     .press = optimist,
     .options = &queue_little},
    {.name = "data-acks-ahead",
     .does = "DATA_ACKs of all, acknowledgements of nothing",
     .press = data_acks_ahead,
     .press_ms = 5000},
    {.name = "laggard", .does = "likewise on one of two subflows", .press = laggard, .press_ms = 5000},
    {.name = "never-acks", .does = "200 connections that take much and acknowledge nothing", .begin = never_again},
    {.name = "never-acks-crowd", .does = "7,000 of them", .begin = never_again_crowd, .options = &crowded},
    {.name = "never-acks-dense",
     .does = "as many as there may be, where each has 8 KiB",
     .begin = never_again_crowd,
     .options = &dense},
    {.name = "answers-unread",
     .does = "200 connections with one answer each that they never acknowledge",
     .begin = answers_unread},
    {.name = "bulk-crowd",
     .does = "240 connections that want all of a link of 100 Mbit/s",
     .press = bulk_crowd,
     .options = &link_little},
    {.name = "shut-windows",
     .does = "63 connections with shut windows",
     .begin = shut_windows,
     .press = answer_probes,
     .press_ms = 3000},
    {.name = "window-toggle", .does = "windows that open and shut", .press = toggle, .options = &queue_little},
    {.name = "silly-window", .does = "windows of 128 bytes", .press = silly_window, .options = &queue_little},
    {.name = "tiny-mss", .does = "segments of one byte asked for", .press = tiny_mss, .options = &queue_little},
    {.name = NULL},
};
