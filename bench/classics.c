/* Plays the classic experiments and prints the papers' figures beside ours. See bench/classics. */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/units.h"
#include "sim/cable.h"
#include "sim/classics.h"
#include "sim/stage.h"

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

struct run {
    struct stage *stage;
    uint64_t *received_before; /* by flow, when the measurement began */
    uint64_t busy_before_ns;
    double took_s;
};

static uint64_t received(const struct flow *flow)
{
    return flow->ends[FLOW_CLIENT].received + flow->ends[FLOW_SERVER].received;
}

/* Time that the links of senders spent transmitting what they send. */
static uint64_t busy_ns(const struct stage *stage)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < stage->scenario->link_count; i++)
        if (strncmp(stage->scenario->links[i].end[0], "sender", strlen("sender")) == 0)
            sum += stage->cables[i]->lanes[0].counters.busy_ns;
    return sum;
}

/* Plays to the end of the scenario; what arrives from `from_ns` on counts. */
static struct run play(const struct scenario *s, uint64_t seed, uint64_t from_ns)
{
    char why[200];
    struct run run = {.stage = calloc(1, sizeof *run.stage),
                      .received_before = calloc(s->flow_count, sizeof *run.received_before)};
    if (!run.stage || !run.received_before || !scenario_check(s, why, sizeof why)) {
        fprintf(stderr, "classics: %s\n", run.stage ? why : "no memory");
        exit(1);
    }
    double start = seconds();
    stage_init(run.stage, s, seed);
    world_run(&run.stage->world, WORLD_START_NS + from_ns);
    for (size_t i = 0; i < s->flow_count; i++)
        run.received_before[i] = received(run.stage->flows[i]);
    run.busy_before_ns = busy_ns(run.stage);
    world_run(&run.stage->world, WORLD_START_NS + s->duration_ns);
    run.took_s = seconds() - start;
    return run;
}

static void leave(struct run *run, struct scenario *s)
{
    if (!stage_close(run->stage)) {
        fprintf(stderr, "classics: a rule was broken: %s\n", run->stage->world.first_story);
        exit(1);
    }
    stage_fini(run->stage);
    free(run->stage);
    free(run->received_before);
    scenario_fini(s);
}

static double goodput_mbps(const struct run *run, size_t flow, uint64_t from_ns)
{
    uint64_t bytes = received(run->stage->flows[flow]) - run->received_before[flow];
    return (double)bytes * 8e3 / (double)(run->stage->scenario->duration_ns - from_ns);
}

/* ---- FatTree ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

struct totals {
    uint64_t subflows, retransmitted, reinjected, duplicate, lost;
};

static struct totals add_up(const struct stage *stage)
{
    struct totals t = {0};
    for (size_t i = 0; i < stage->scenario->flow_count; i++)
        for (unsigned side = 0; side < 2; side++) {
            struct hawser_conn_info info = {.size = sizeof info};
            struct hawser_subflow_info sub = {.size = sizeof sub};
            const struct hawser_conn *conn = stage->flows[i]->ends[side].conn;
            if (!conn || hawser_conn_get_info(conn, &info) != 0)
                continue;
            t.subflows += side == FLOW_CLIENT ? info.subflows : 0;
            t.reinjected += info.reinjected_bytes;
            t.duplicate += info.duplicate_bytes;
            for (size_t k = 0; hawser_subflow_get_info(conn, k, &sub) == 0; k++)
                t.retransmitted += sub.retransmitted_bytes;
        }
    for (size_t i = 0; i < stage->scenario->link_count; i++)
        for (unsigned lane = 0; lane < 2; lane++)
            t.lost += stage->cables[i]->lanes[lane].counters.lost_queue;
    return t;
}

static void fattree(struct fattree f, uint64_t seed, const char *paper)
{
    struct scenario s;
    uint64_t from_ns = f.duration_ns / 5;
    fattree_build(&s, &f, seed);
    struct run run = play(&s, seed, from_ns);
    double *mbps = calloc(s.flow_count, sizeof *mbps), sum = 0;
    if (!mbps)
        exit(1);
    for (size_t i = 0; i < s.flow_count; i++)
        sum += mbps[i] = goodput_mbps(&run, i, from_ns);
    qsort(mbps, s.flow_count, sizeof *mbps, by_value);
    double link = (double)f.rate_bps / 1e6, n = (double)s.flow_count;
    const struct totals t = add_up(run.stage);
    double busy = (double)(busy_ns(run.stage) - run.busy_before_ns) / n / (double)(f.duration_ns - from_ns);
    printf("%8u  %10s  %6.1f %%  %6.1f %%  %5.1f  %5.1f  %5.1f  %8.2f  %9.1f  %10.1f  %7.1f  %7.2f\n", f.subflows,
           paper, sum / n / link * 100, busy * 100, mbps[0], mbps[s.flow_count / 10], mbps[s.flow_count / 2],
           (double)t.subflows / n, (double)t.lost / 1e3, (double)t.reinjected / 1e6, run.took_s,
           (double)run.stage->world.hops / run.took_s / 1e6);
    fflush(stdout);
    free(mbps);
    leave(&run, &s);
}

static void fattrees(unsigned k, int only, uint64_t duration_ns, uint64_t seed)
{
    static const struct {
        unsigned subflows;
        const char *paper;
    } rows[] = {{0, "about 50 %"}, {2, "-"}, {4, "-"}, {8, "about 90 %"}};
    struct fattree f = {.k = k,
                        .rate_bps = 100000000,
                        .delay_ns = 20 * NS_PER_US,
                        .queue_packets = 100,
                        .start_spread_ns = 100 * NS_PER_MS,
                        .duration_ns = duration_ns};
    printf(
        "FatTree, k = %u: %u machines, 100 Mbit/s, 100 packets of queue, permutation traffic, ECMP; %.0f s simulated,\n"
        "the first fifth not counted. Ours: goodput as a share of 100 Mbit/s, headers not counted; busy: how long the\n"
        "machines' links were, headers and repetitions and all; then goodput by flow in Mbit/s. 0 subflows is plain "
        "TCP.\n"
        "The paper (Raiciu et al., SIGCOMM 2011) has k = 8; its delay is not known to us: 20 us a link.\n"
        "Note: the paper's subflows share one coupled congestion controller (RFC 6356), ours each run CUBIC alone.\n\n",
        k, fattree_machines(k), (double)duration_ns / 1e9);
    printf("subflows       paper      ours      busy    min    10%%    50%%  subflows  losses(k)  reinj.(MB)  CPU (s)"
           "  Mhops/s\n");
    for (size_t i = 0; i < HW_ARRAY_LEN(rows); i++)
        if (only < 0 || rows[i].subflows == (unsigned)only) {
            f.subflows = rows[i].subflows;
            fattree(f, seed, k == 8 ? rows[i].paper : "-");
        }
}

/* ---- WiFi and 3G ---- */

static double wifi_3g(bool wifi, bool cellular, uint32_t buffer, uint64_t duration_ns, uint64_t seed)
{
    struct scenario s;
    const struct wifi_3g w = {wifi, cellular, buffer, duration_ns};
    wifi_3g_build(&s, &w);
    struct run run = play(&s, seed, duration_ns / 5);
    double mbps = goodput_mbps(&run, 0, duration_ns / 5);
    leave(&run, &s);
    return mbps;
}

static void wifi_3gs(uint64_t duration_ns, uint64_t seed)
{
    static const uint32_t kb[] = {50, 100, 200, 300, 400, 500, 600, 800, 1000};
    printf(
        "WiFi (8 Mbit/s, 20 ms, 80 ms of buffer) and 3G (2 Mbit/s, 150 ms, 2 s of buffer): goodput in Mbit/s over\n"
        "the receive buffer; %.0f s simulated, the first fifth not counted. The paper (Raiciu et al., NSDI 2012):\n"
        "with opportunistic retransmission and penalties MPTCP is never slower than TCP over WiFi and nears the sum\n"
        "of both when the buffer is large; without them it falls below TCP over WiFi when the buffer is small.\n"
        "Note: Hawser has neither of the two mechanisms yet.\n\n",
        (double)duration_ns / 1e9);
    printf("buffer (KB)  TCP, WiFi  TCP, 3G   MPTCP  of the better  of the sum  never slower\n");
    for (size_t i = 0; i < HW_ARRAY_LEN(kb); i++) {
        double w = wifi_3g(true, false, kb[i] * 1000, duration_ns, seed);
        double c = wifi_3g(false, true, kb[i] * 1000, duration_ns, seed);
        double both = wifi_3g(true, true, kb[i] * 1000, duration_ns, seed), best = HW_MAX(w, c);
        printf("%11u  %9.2f  %7.2f  %6.2f  %11.0f %%  %8.0f %%  %s\n", kb[i], w, c, both, both / best * 100,
               both / (w + c) * 100, both >= 0.995 * best ? "yes" : "no");
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"fattree", required_argument, NULL, 'f'}, {"subflows", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'r'},
        {"nsdi12", no_argument, NULL, 'w'},        {0}};
    unsigned k = 0, nsdi12 = 0, time_s = 0;
    int only = -1;
    uint64_t seed = 1;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        unsigned long value = optarg ? strtoul(optarg, NULL, 10) : 0;
        if (c == 'f' && value >= 4 && value <= FATTREE_K_MAX && value % 2 == 0)
            k = (unsigned)value;
        else if (c == 'n' && (value == 0 || value == 2 || value == 4 || value == 8))
            only = (int)value;
        else if (c == 's' && value >= 1 && value <= 1000)
            time_s = (unsigned)value;
        else if (c == 'r')
            seed = value;
        else if (c == 'w')
            nsdi12 = 1;
        else {
            fprintf(stderr, "usage: classics [--fattree K] [--subflows 0|2|4|8] [--nsdi12] [--seconds S] [--seed N]\n"
                            "K is even, 4 to 16; 0 subflows is plain TCP.\n");
            return 2;
        }
    }
    if (k || !nsdi12)
        fattrees(k ? k : 8, only, (time_s ? time_s : 10) * NS_PER_S, seed);
    if (!k && !nsdi12)
        printf("\n");
    if (nsdi12 || !k)
        wifi_3gs((time_s ? time_s : 60) * NS_PER_S, seed);
    return 0;
}
