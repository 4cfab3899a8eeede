/* Attackers that never finish a handshake, or finish too many, or never end (RFC 4987; RFC 8684 3.2 and 5). */
#include "attack.h"

#include "base/compiler.h"
#include "wire/keys.h"

/* ---- opening ---- */

static void syn_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    foe_syn(foe_new(&a->foes, ROLE_SERVE), FOE_PLAIN);
}

static void capable_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    foe_syn(foe_new(&a->foes, ROLE_SERVE), FOE_MPTCP);
}

static void deep_backlog_flood(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 5; i++)
        capable_flood(a, tick);
}

static void syn_with_data(struct attack *a, uint64_t tick)
{
    (void)tick;
    struct foe *f = foe_new(&a->foes, ROLE_SERVE);
    struct tcp_options o = {.present = TCP_OPT_FASTOPEN, .fastopen_len = 8, .mp.present = 1u << MPTCP_CAPABLE};
    o.mp.capable = (struct mp_capable){.version = MPTCP_VERSION, .algorithms = 1};
    foe_say(f, TCP_SYN, 0, 0, &o, FOE_WIRE_PAYLOAD);
}

static void synack_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    foe_say(foe_new(&a->foes, ROLE_SERVE), TCP_SYN | TCP_ACK, 0, 0, NULL, 0);
}

/* The third packet of a handshake that never was: whoever answers SYNs by cookies must look at each. */
static void third_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    struct foe *f = foe_new(&a->foes, ROLE_SERVE);
    f->irs = (uint32_t)prng_next(&a->ground.luck);
    f->target_key = prng_next(&a->ground.luck);
    f->mptcp = true;
    foe_third(f);
}

static void reset_when_open(struct attack *a, uint64_t tick)
{
    (void)tick;
    struct foe *f = foe_open(&a->foes, ROLE_SERVE, FOE_MPTCP);
    if (f)
        foe_say(f, TCP_RST, f->acked, 0, NULL, 0);
}

/* The same SYN again and again, and others on the same ports. */
static void syn_again(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 16, ROLE_SERVE, FOE_MPTCP);
    if (f)
        foe_say(f, TCP_SYN, tick % 2 ? 0 : (uint32_t)tick * 100000, 0, NULL, 0);
}

static void idle_crowd(struct attack *a) { attack_open(a, 400, ROLE_SERVE, FOE_MPTCP); }

/* Whatever place gets free is taken. */
static void crowd_in(struct attack *a, uint64_t tick)
{
    (void)tick;
    (void)foe_open(&a->foes, ROLE_SERVE, FOE_MPTCP);
}

/* All of them talk, and are answered. */
static void busy_crowd(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 400, ROLE_SERVE, tick % 2 ? FOE_PLAIN : FOE_MPTCP);
    if (f)
        foe_data(f, ASKED);
}

static void half_open_crowd(struct attack *a)
{
    for (unsigned i = 0; i < 4000; i++)
        foe_syn(foe_new(&a->foes, ROLE_SERVE), FOE_MPTCP);
}

static void open_and_close(struct attack *a, uint64_t tick)
{
    struct foe *f = foe_open(&a->foes, ROLE_SERVE, tick % 2 ? FOE_PLAIN : FOE_MPTCP);
    if (f)
        foe_say(f, TCP_RST, f->acked, 0, NULL, 0);
}

/* SYNs of the victim's address, from the ports that it may choose: whoever counts by address counts against it. */
static void syn_as_victim(struct attack *a, uint64_t tick)
{
    (void)tick;
    for (unsigned i = 0; i < 2; i++) {
        struct foe *f = foe_new(&a->foes, ROLE_SERVE);
        f->addr = a->seen.addr;
        f->addr.port = (uint16_t)(32768 + attack_below(a, 28232));
        if (f->addr.port != a->seen.addr.port)
            foe_syn(f, FOE_MPTCP);
    }
}

static void half_open_some(struct attack *a)
{
    for (unsigned i = 0; i < 200; i++)
        foe_syn(foe_new(&a->foes, ROLE_SERVE), FOE_MPTCP);
}

/* The third packet of a handshake that was, again and again: a cookie is as good the second time. */
static void third_again(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick / 100, ROLE_SERVE, FOE_MPTCP);
    if (!f)
        return;
    if (tick % 100 == 1)
        foe_say(f, TCP_RST, f->acked, 0, NULL, 0);
    f->reset = false;
    foe_third(f);
}

/* One has most of them, and 40 others a few: none of these has too many. */
static void crowd_of_many(struct attack *a, uint64_t tick)
{
    unsigned network = a->foes.network;
    a->foes.network += tick % 2 ? (unsigned)(1 + tick / 2 % (FOES_NETWORKS - 1)) : 0;
    (void)foe_open(&a->foes, ROLE_SERVE, FOE_MPTCP);
    a->foes.network = network;
}

static void unanswered_calls(struct attack *a, uint64_t tick)
{
    (void)tick;
    ground_connect(&a->ground, &foe_new(&a->foes, ROLE_READ)->addr, false);
}

/* ---- joining ---- */

static void seven_joins(struct attack *a)
{
    for (unsigned i = 0; i < 7; i++)
        foe_syn_join(foe_new(&a->foes, ROLE_SERVE), a->seen.token);
}

static void join_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    foe_syn_join(foe_new(&a->foes, ROLE_SERVE), a->seen.token);
}

static void unknown_token_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    foe_syn_join(foe_new(&a->foes, ROLE_SERVE), (uint32_t)prng_next(&a->ground.luck));
}

static void bad_hmac_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    struct foe *f = foe_new(&a->foes, ROLE_SERVE);
    foe_syn_join(f, a->seen.token);
    if (f->heard)
        foe_third_join(f, false);
}

/* Joins of one's own connections that are never finished: a place that all share must not be theirs alone. */
static void own_half_joins(struct attack *a, uint64_t tick)
{
    for (unsigned i = 0; i < 10; i++) {
        struct foe *f = attack_line(a, (uint32_t)(tick * 10 + i) % 100, ROLE_SERVE, FOE_MPTCP);
        uint32_t token;
        uint64_t idsn;
        if (!f)
            continue;
        mptcp_key_derive(f->target_key, &token, &idsn);
        foe_syn_join(foe_new(&a->foes, ROLE_SERVE), token);
    }
}

/* Rightful joins of one's own connection, as many as are let in, and on each of them the next. */
static void own_joins(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 8, ROLE_SERVE, FOE_MPTCP);
    if (f)
        (void)foe_join(f);
}

/* Every record of a subflow is taken by joins. */
static void joins_fill(struct attack *a)
{
    attack_open(a, 100, ROLE_SERVE, FOE_MPTCP);
    for (uint32_t i = 0; i < 8 * a->line_count; i++)
        if (a->lines[i % a->line_count])
            (void)foe_join(a->lines[i % a->line_count]);
}

/* The same: eight for each of a few connections, and a second one for each of others. */
static void joins_fill_deep(struct attack *a)
{
    attack_open(a, 100, ROLE_SERVE, FOE_MPTCP);
    for (uint32_t i = 0; i < 8 * a->line_count; i++)
        if (a->lines[i / 8])
            (void)foe_join(a->lines[i / 8]);
}

/* ---- last subflows that are reset: the target waits for another one ---- */

static void reset_last(struct foe *f) { foe_say(f, TCP_RST, f->acked, 0, NULL, 0); }

static void reset_and_gone(struct attack *a, uint64_t tick)
{
    (void)tick;
    for (unsigned i = 0; i < 4; i++) {
        struct foe *f = foe_open(&a->foes, ROLE_SERVE, FOE_MPTCP);
        if (f)
            reset_last(f);
    }
}

static void join_and_reset(struct attack *a, uint64_t tick)
{
    struct foe *first = attack_line(a, (uint32_t)tick % 100, ROLE_SERVE, FOE_MPTCP);
    if (!first)
        return;
    reset_last(first);
    struct foe *f = foe_join(first);
    if (f)
        reset_last(f);
}

/* ---- joins that prove nothing, and speak ---- */

static struct foe *half_join(struct attack *a)
{
    struct foe *f = foe_new(&a->foes, ROLE_SERVE);
    foe_syn_join(f, a->seen.token);
    f->mptcp = true;
    return f;
}

static struct tcp_options seen_dss(const struct attack *a, uint16_t len)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_DSS};
    o.mp.dss = (struct mp_dss){.has_ack = true, .ack = a->seen.data_seq, .has_map = len, .ssn = 1, .len = len};
    o.mp.dss.dsn = a->seen.data_ack;
    return o;
}

/* The same by every kind of segment: what a RST says beside ending the subflow counts as little. */
static void say_unproved(struct attack *a, uint64_t tick, const struct tcp_options *o, uint32_t len)
{
    static const uint8_t flags[] = {TCP_ACK | TCP_PSH, TCP_RST | TCP_ACK, TCP_RST, TCP_ACK | TCP_FIN};
    foe_say(half_join(a), flags[tick % HW_ARRAY_LEN(flags)], 1, 1, o, len);
}

static void unproved_rst(struct attack *a, uint64_t tick)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_TCPRST, .tcprst.reason = MP_RST_PROHIBITED}};
    say_unproved(a, tick, tick % 3 ? NULL : &o, 0);
}

static void unproved_data(struct attack *a, uint64_t tick)
{
    struct tcp_options o = seen_dss(a, ASKED);
    say_unproved(a, tick, &o, ASKED);
}

static void unproved_data_ack(struct attack *a, uint64_t tick)
{
    struct tcp_options o = seen_dss(a, 0);
    o.mp.dss.ack += tick / 4 % 2 * ANSWERED;
    say_unproved(a, tick, &o, 0);
}

static void unproved_data_fin(struct attack *a, uint64_t tick)
{
    struct tcp_options o = seen_dss(a, 1);
    o.mp.dss.ssn = 0;
    o.mp.dss.data_fin = true;
    say_unproved(a, tick, &o, 0);
}

static void unproved_signals(struct attack *a, uint64_t tick)
{
    struct tcp_options o = seen_dss(a, 0);
    switch (tick / 4 % 5) {
    case 0:
        o.mp.present |= 1u << MPTCP_REMOVE_ADDR;
        o.mp.remove_addr = (struct mp_remove_addr){.count = 3, .ids = {0, 1, 2}};
        break;
    case 1:
        o.mp.present = 1u << MPTCP_FASTCLOSE;
        o.mp.fastclose.receiver_key = 1;
        break;
    case 2:
        o.mp.present |= 1u << MPTCP_FAIL;
        o.mp.fail.dsn = a->seen.data_ack;
        break;
    case 3:
        o.mp.present |= 1u << MPTCP_PRIO;
        o.mp.prio.backup = true;
        break;
    default:
        o.mp.present |= 1u << MPTCP_ADD_ADDR;
        o.mp.add_addr = (struct mp_add_addr){
            .is_v4 = hawser_addr_is_v4(&a->ground.addr), .echo = true, .address_id = 1, .addr = a->ground.addr};
    }
    say_unproved(a, tick, &o, 0);
}

/* ---- ending ---- */

/* The program closes first, and each of these leaves a TIME-WAIT behind. */
static void time_wait_flood(struct attack *a, uint64_t tick)
{
    (void)tick;
    for (unsigned i = 0; i < 4; i++) {
        struct foe *f = foe_open(&a->foes, ROLE_CLOSE, FOE_PLAIN);
        if (f)
            foe_say(f, TCP_ACK | TCP_FIN, f->seq, f->next, NULL, 0);
    }
}

static void time_wait_flood_mptcp(struct attack *a, uint64_t tick)
{
    (void)tick;
    struct foe *f = foe_open(&a->foes, ROLE_CLOSE, FOE_MPTCP);
    if (!f)
        return;
    struct tcp_options o = foe_dss(f, f->data_seq, 0, 1);
    o.mp.dss.data_fin = true;
    foe_say(f, TCP_ACK, f->seq, f->next, &o, 0);
    foe_say(f, TCP_ACK | TCP_FIN, f->seq, f->next, &o, 0);
    foe_say(f, TCP_ACK, f->seq + 1, f->next, &o, 0);
}

/* The same ports again and again, with numbers that go up and down (RFC 6191). */
static void time_wait_again(struct attack *a, uint64_t tick)
{
    struct foe *f = attack_line(a, (uint32_t)tick % 16, ROLE_CLOSE, FOE_PLAIN);
    if (!f)
        return;
    foe_say(f, TCP_ACK | TCP_FIN, f->seq, f->next, NULL, 0);
    f->iss += tick % 3 ? 100000 : -UINT32_C(100000);
    f->next = 0;
    foe_syn(f, FOE_PLAIN);
    if (f->heard)
        foe_third(f);
}

/* The program closed, the peer acknowledged that, and says nothing more. */
static void half_closed_flood(struct attack *a, uint64_t tick)
{
    struct foe *f = foe_open(&a->foes, ROLE_CLOSE, tick % 2 ? FOE_PLAIN : FOE_MPTCP);
    if (f)
        foe_ack(f);
}

static void unanswered_close_flood(struct attack *a, uint64_t tick)
{
    (void)foe_open(&a->foes, ROLE_CLOSE, tick % 2 ? FOE_PLAIN : FOE_MPTCP);
}

static const struct ground_options few = {.connections = 64};
static const struct ground_options deep = {.backlog = 4096, .connections = 8192, .memory_bytes = 64 << 20};

const struct attacker attackers_handshakes[] = {
    {.name = "syn-flood", .does = "1,000 SYNs a second, never answered again", .press = syn_flood, .steady = true},
    {.name = "syn-flood-mptcp", .does = "likewise with MP_CAPABLE", .press = capable_flood, .steady = true},
    {.name = "syn-flood-deep",
     .does = "5,000 of them against a backlog of 4,096",
     .press = deep_backlog_flood,
     .options = &deep,
     .steady = true},
    {.name = "syn-with-data",
     .does = "SYNs with data and an invented Fast Open cookie",
     .press = syn_with_data,
     .steady = true},
    {.name = "syn-ack-flood", .does = "SYN/ACKs that nobody asked for", .press = synack_flood, .steady = true},
    {.name = "third-flood",
     .does = "third packets of handshakes that never were",
     .press = third_flood,
     .steady = true},
    {.name = "open-and-reset",
     .does = "connections that are reset as soon as they are open",
     .press = reset_when_open,
     .steady = true},
    {.name = "syn-again", .does = "SYNs on connections that are open", .press = syn_again, .steady = true},
    {.name = "busy-crowd",
     .does = "400 connections from one address, all of them busy",
     .press = busy_crowd,
     .steady = true},
    {.name = "half-open-crowd",
     .does = "connections behind 4,000 that are half open",
     .begin = half_open_crowd,
     .press = open_and_close,
     .options = &deep,
     .steady = true},
    {.name = "syn-as-victim", .does = "SYNs from the victim's address", .press = syn_as_victim, .steady = true},
    {.name = "third-again",
     .does = "third packets repeated after the connection is gone",
     .begin = half_open_some,
     .press = third_again,
     .steady = true},
    {.name = "idle-crowd",
     .does = "idle connections from one address, in every place that gets free",
     .begin = idle_crowd,
     .press = crowd_in},
    {.name = "idle-networks", .does = "likewise from 41 networks", .begin = idle_crowd, .press = crowd_of_many},
    {.name = "idle-networks-few",
     .does = "likewise for 64 places, one for each and hardly more",
     .begin = idle_crowd,
     .press = crowd_of_many,
     .options = &few},
    {.name = "unanswered-calls",
     .does = "connections that the program is made to open, and nobody answers",
     .press = unanswered_calls,
     .steady = true},
    {.name = "seven-joins",
     .does = "seven joins with the friend's token, never finished",
     .begin = seven_joins,
     .steady = true},
    {.name = "join-flood", .does = "1,000 such joins a second", .press = join_flood, .steady = true},
    {.name = "join-unknown", .does = "joins with tokens of nobody", .press = unknown_token_flood, .steady = true},
    {.name = "join-bad-hmac",
     .does = "joins with the friend's token and a wrong HMAC",
     .press = bad_hmac_flood,
     .steady = true},
    {.name = "own-half-joins",
     .does = "unfinished joins of 100 connections of one's own",
     .press = own_half_joins,
     .steady = true},
    {.name = "own-joins", .does = "rightful joins without end", .press = own_joins, .steady = true},
    {.name = "joins-fill", .does = "100 connections of nine subflows each", .begin = joins_fill, .steady = true},
    {.name = "joins-fill-deep",
     .does = "likewise, the first ones before the others",
     .begin = joins_fill_deep,
     .steady = true},
    {.name = "reset-and-gone",
     .does = "connections that lose their last subflow, 4,000 a second",
     .press = reset_and_gone,
     .press_ms = 2000,
     .steady = true},
    {.name = "join-and-reset",
     .does = "likewise, and each join that follows",
     .press = join_and_reset,
     .press_ms = 2000,
     .steady = true},
    {.name = "unproved-rst",
     .does = "RSTs on joins that have not proved themselves",
     .press = unproved_rst,
     .steady = true},
    {.name = "unproved-data", .does = "data there", .press = unproved_data, .steady = true},
    {.name = "unproved-data-ack", .does = "DATA_ACKs there", .press = unproved_data_ack, .steady = true},
    {.name = "unproved-data-fin", .does = "DATA_FINs there", .press = unproved_data_fin, .steady = true},
    {.name = "unproved-signals",
     .does = "REMOVE_ADDR, FASTCLOSE, MP_FAIL and the like there",
     .press = unproved_signals,
     .steady = true},
    {.name = "time-wait-flood",
     .does = "4,000 connections a second that the program closes first",
     .press = time_wait_flood,
     .press_ms = 2000,
     .steady = true},
    {.name = "time-wait-mptcp",
     .does = "likewise with MPTCP",
     .press = time_wait_flood_mptcp,
     .press_ms = 2000,
     .steady = true},
    {.name = "time-wait-again", .does = "the same ports again at once", .press = time_wait_again, .steady = true},
    {.name = "half-closed",
     .does = "peers that never close after the program did",
     .press = half_closed_flood,
     .steady = true},
    {.name = "unanswered-close",
     .does = "peers that never acknowledge that the program closed",
     .press = unanswered_close_flood,
     .steady = true},
    {.name = NULL},
};
