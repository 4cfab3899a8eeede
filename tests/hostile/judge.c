#include "judge.h"

#include <stdarg.h>
#include <string.h>

#include "base/check.h"
#include "base/compiler.h"
#include "base/units.h"

enum {
    PRESS_MS_DEFAULT = 1000,
    ORDINARY_PACKETS = 400,
    COST_PACKETS_MIN = 50, /* fewer tell nothing */
    COST_MAX = 4,          /* ordinary packets */
    WORST_MAX = 16,
    SILENCE_MAX = 2, /* ordinary packets a second and connection */
    RETRANSMITS_MAX = 3,
    TRIES = 6, /* of each kind while it goes on, at moments of their own */
    SHRINK_SLACK = 128 << 10,
};
#define BETWEEN_NS (137 * NS_PER_MS)
#define SILENCE_NS (5 * NS_PER_S)
#define AFTERMATH_NS (2000 * NS_PER_S)

static const char *const bar_names[] = {
#define HW_BAR(id, name) name,
    BARS(HW_BAR)
#undef HW_BAR
};

const char *bar_name(enum bar bar) { return bar_names[bar]; }

HW_PRINTF(4, 5) static void find(struct verdict *v, enum bar bar, bool met, const char *format, ...)
{
    va_list args;
    if (!v->met[bar])
        return; /* the first time counts */
    v->met[bar] = met;
    va_start(args, format);
    vsnprintf(v->why[bar], sizeof v->why[bar], format, args);
    va_end(args);
}

static void find_service(struct verdict *v, enum bar bar, struct service s, const char *what)
{
    find(v, bar, s.served && s.retransmits <= RETRANSMITS_MAX, "%s: %s after %.0f ms and %u retransmissions%s", what,
         s.served ? "served" : "not served", (double)s.took_ns / 1e6, (unsigned)s.retransmits,
         s.error ? ", with an error" : "");
}

/* ---- the pieces of an attack ---- */

/* What others opened in the friend's name, by its port to another one of ours, is not its connection: whoever took the
 * numbers of that for the friend's could finish it, and use up what the friend's address may have. */
static void see(struct seen *seen, const struct hawser_tx *tx)
{
    struct tcp_header tcp;
    struct tcp_options o;
    const uint8_t *at = tx->head + tx->l3_len;
    CHECK(tcp_header_parse(at, (size_t)(tx->head_len - tx->l3_len), &tcp));
    if (tcp.src_port != GROUND_PORT)
        return;
    tcp_options_parse(at + TCP_HEADER_LEN, (size_t)(tcp.header_len - TCP_HEADER_LEN), tcp.flags, &o);
    seen->seq = tcp.seq.v + tx->payload_len;
    seen->ack = tcp.ack.v;
    if (!mptcp_has(&o.mp, MPTCP_DSS))
        return;
    seen->data_ack = o.mp.dss.has_ack ? (uint32_t)o.mp.dss.ack : seen->data_ack;
    seen->data_seq = o.mp.dss.has_map ? (uint32_t)o.mp.dss.dsn + o.mp.dss.len : seen->data_seq;
}

static void hear(void *ctx, const struct hawser_tx *tx)
{
    struct attack *a = ctx;
    struct hawser_addr to = ground_tx_to(tx);
    if (hawser_addr_equal(&to, &a->seen.addr))
        see(&a->seen, tx);
    if (victim_is(&a->victim, &to))
        victim_hear(&a->victim, tx);
    else
        foes_hear(&a->foes, tx);
}

void attack_open(struct attack *a, uint32_t count, enum role role, enum foe_kind kind)
{
    for (uint32_t i = 0; i < count && a->line_count < LINES_MAX; i++) {
        struct foe *f = foe_open(&a->foes, role, kind);
        if (!f)
            return;
        a->lines[a->line_count++] = f;
    }
}

static void begin(struct attack *a, const struct ground_options *options, uint64_t seed)
{
    a->seen = (struct seen){0};
    ground_init(&a->ground, options, seed);
    a->ground.hear = hear;
    a->ground.ctx = a;
    a->line_count = a->at = 0;
    memset(a->lines, 0, sizeof a->lines);
    foes_init(&a->foes, &a->ground);
    victim_init(&a->victim, &a->ground, seed);
}

static bool end(struct attack *a)
{
    bool clean = victim_destroy(&a->victim);
    clean &= ground_destroy(&a->ground);
    foes_destroy(&a->foes);
    return clean;
}

struct foe *attack_line(struct attack *a, uint32_t i, enum role role, enum foe_kind kind)
{
    CHECK(i < LINES_MAX);
    if (a->lines[i] && !a->lines[i]->reset)
        return a->lines[i];
    a->line_count = HW_MAX(a->line_count, i + 1);
    return a->lines[i] = foe_open(&a->foes, role, kind);
}

/* Two segments more of what comes are acknowledged, as an ordinary receiver does. */
static void acknowledge_two(struct foe *f, uint32_t *acked)
{
    *acked = HW_MIN(*acked + 2 * FOE_WIRE_PAYLOAD, f->next);
    struct tcp_options o = foe_dss(f, 0, 0, 0);
    o.mp.dss.ack = f->target_idsn + *acked; /* one subflow: both levels are as far */
    foe_say(f, TCP_ACK, f->seq, *acked, &o, 0);
}

/* Blocks that a packet of an honest peer costs, half of them data that comes, half acknowledgements of data that goes.
 */
static double ordinary(struct attack *a, const struct ground_options *options)
{
    enum { HALF = ORDINARY_PACKETS / 2, WINDOW = 64 << 10 };
    begin(a, options, 1);
    struct foe *up = foe_open(&a->foes, ROLE_READ, FOE_MPTCP), *down = foe_open(&a->foes, ROLE_QUEUE, FOE_MPTCP);
    uint64_t before = a->ground.cost;
    uint32_t acked = 1;
    down->window = WINDOW >> FOE_WSCALE;
    for (unsigned i = 0; i < HALF; i++) {
        foe_data(up, FOE_WIRE_PAYLOAD);
        victim_pass(&a->victim, 100 * NS_PER_US);
    }
    for (unsigned i = 0; i < HALF; i++) {
        acknowledge_two(down, &acked);
        victim_pass(&a->victim, NS_PER_MS);
    }
    double both = (double)(a->ground.cost - before);
    CHECK(end(a));
    return both / ORDINARY_PACKETS;
}

/* What was done, and for what: a packet that makes the stack send what its program wants to send is as many ordinary
 * acknowledgements as it takes for that. */
struct account {
    uint64_t cost, sent, fresh_bytes;
};

static struct account account(const struct attack *a)
{
    return (struct account){a->ground.cost, a->foes.sent, a->foes.fresh_bytes};
}

static void find_cost(struct verdict *v, const struct attack *a, struct account since, const char *when)
{
    struct account now = account(a);
    double packets = (double)(now.sent - since.sent);
    double worth = packets + (double)(now.fresh_bytes - since.fresh_bytes) / (2 * FOE_WIRE_PAYLOAD);
    v->packets += now.sent - since.sent;
    if (packets < COST_PACKETS_MIN)
        return;
    double cost = (double)(now.cost - since.cost) / worth / a->ordinary;
    v->cost = HW_MAX(v->cost, cost);
    find(v, BAR_COST, cost <= COST_MAX, "%s: %.1f ordinary packets for each of %.0f", when, cost, packets);
}

static void press(void *ctx, uint64_t tick)
{
    struct attack *a = ctx;
    a->by->press(a, tick);
}

static void make(struct attack *a, struct verdict *v)
{
    const struct attacker *by = a->by;
    struct account since = account(a);
    a->ground.worst = 0;
    if (by->begin)
        by->begin(a);
    find_cost(v, a, since, "begin");
    since = account(a);
    a->ground.press = by->press ? press : NULL;
    a->ground.next_tick_ns = a->ground.now_ns;
    victim_pass(&a->victim, (by->press_ms ? by->press_ms : PRESS_MS_DEFAULT) * NS_PER_MS);
    find_cost(v, a, since, "press");
    v->worst = a->ground.worst / a->ordinary;
    find(v, BAR_WORST, !by->steady || v->worst <= WORST_MAX, "%.1f ordinary packets", v->worst);
    if (a->ground.purse.refusals_ppm)
        return; /* nobody can be served without memory */
    find_service(v, BAR_FRIEND, victim_ask_again(&a->victim), "the friend asks");
    for (unsigned i = 0; i < TRIES; i++) {
        find_service(v, BAR_PLAIN, victim_try(&a->victim, true), "while it goes on");
        victim_pass(&a->victim, BETWEEN_NS);
        find_service(v, BAR_FRIEND, victim_ask_again(&a->victim), "the friend asks meanwhile");
        struct service s = victim_try(&a->victim, false);
        find_service(v, BAR_MPTCP, s, "while it goes on");
        find(v, BAR_MPTCP, s.mptcp, "it was served, but by plain TCP");
        victim_pass(&a->victim, BETWEEN_NS);
    }
    find_service(v, BAR_JOIN, victim_join(&a->victim), "the friend joins");
    find_service(v, BAR_FRIEND, victim_ask_again(&a->victim), "the friend asks again");
}

static void finish(struct attack *a, struct verdict *v)
{
    bool befriended = a->ground.purse.refusals_ppm == 0;
    a->ground.press = NULL;
    a->ground.purse.refusals_ppm = 0;
    uint64_t cost = a->ground.cost;
    victim_pass(&a->victim, SILENCE_NS);
    double idle = (double)(a->ground.cost - cost) / a->ordinary / (SILENCE_NS / NS_PER_S);
    find(v, BAR_SILENCE, idle <= SILENCE_MAX * a->ground.options.connections, "%.0f ordinary packets a second", idle);
    find_service(v, BAR_AFTER, victim_try(&a->victim, true), "plain, when all are silent");
    victim_pass(&a->victim, BETWEEN_NS);
    find_service(v, BAR_AFTER, victim_try(&a->victim, false), "MPTCP, when all are silent");
    if (befriended) {
        find_service(v, BAR_FRIEND, victim_ask_again(&a->victim), "the friend asks in the end");
        victim_leave(&a->victim);
    }
    ground_give_up(&a->ground);
    foes_reset_all(&a->foes);
    victim_pass(&a->victim, AFTERMATH_NS);
}

void judge_attack(const struct attacker *by, uint64_t seed, struct verdict *v)
{
    static struct attack attack;
    struct attack *a = &attack;
    *v = (struct verdict){0};
    for (unsigned i = 0; i < BAR_TOTAL; i++)
        v->met[i] = true;
    a->ordinary = ordinary(a, by->options);
    begin(a, by->options, seed);
    a->by = by;
    CHECK(victim_befriend(&a->victim).served && victim_try(&a->victim, true).served);
    a->seen.token = victim_friend(&a->victim, &a->seen.addr);
    CHECK(victim_ask_again(&a->victim).served); /* so that it is seen */
    uint64_t began_bytes = ground_bytes(&a->ground);
    a->ground.purse.refusals_ppm = a->ground.options.refusals_ppm;
    make(a, v);
    if (by->proof)
        find(v, BAR_PROOF, by->proof(a), "it got what it wanted");
    if (!by->cut_short) {
        finish(a, v);
        uint64_t left = ground_bytes(&a->ground);
        find(v, BAR_SHRINK, left <= began_bytes + SHRINK_SLACK, "%u KiB held in the end, %u in the beginning",
             (unsigned)(left >> 10), (unsigned)(began_bytes >> 10));
    }
    v->peak_bytes = a->ground.peak_bytes;
    uint64_t limit = ground_bytes_limit(&a->ground);
    find(v, BAR_MEMORY, v->peak_bytes <= limit, "%u KiB held, %u allowed", (unsigned)(v->peak_bytes >> 10),
         (unsigned)(limit >> 10));
    hawser_close(a->victim.friend);
    find(v, BAR_LEAK, end(a), "something was not freed");
}
