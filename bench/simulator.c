/* How fast the simulator is: one connection over two paths of 100 Mbit/s for ten seconds. See bench/simulator. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/compiler.h"
#include "base/units.h"
#include "sim/stage.h"

#define SECONDS 10u
#define ROUNDS 3u

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *why)
{
    fprintf(stderr, "simulator: %s\n", why);
    exit(1);
}

static void two_paths(struct scenario *s)
{
    scenario_init(s);
    s->duration_ns = SECONDS * NS_PER_S;
    scenario_add_host(s, "client");
    scenario_add_host(s, "server");
    for (unsigned i = 0; i < 2; i++) {
        char name[16], text[16];
        snprintf(name, sizeof name, "path%u", i);
        struct wire_spec *link = scenario_add_link(s, name, "client", "server");
        for (unsigned end = 0; end < 2; end++) {
            snprintf(text, sizeof text, "10.0.%u.%u", i, end + 1);
            link->lanes[end] = (struct lane_config){
                .rate_bps = 100000000, .delay_ns = 10 * NS_PER_MS, .queue = {.bytes = UINT64_C(256) * 1024}};
            if (!wire_spec_add_address(link, end, text))
                die("an address was refused");
        }
    }
    struct flow_spec *flow = scenario_add_flow(s, "bulk", "client", "server");
    flow->plan.request_bytes = FLOW_ENDLESS;
    if (hawser_addr_parse(&flow->plan.server_addr, "10.0.0.2", 80) < 0)
        die("an address was refused");
}

#define FASTER_MIN 10 /* than the clock */

int main(void)
{
    struct scenario s;
    struct stage *stage = malloc(sizeof *stage);
    double best_s = 1e9;
    uint64_t hops = 0, received = 0, trace = 0;
    two_paths(&s);
    if (!stage)
        die("no memory");
    for (unsigned i = 0; i < ROUNDS; i++) {
        double start = seconds();
        stage_init(stage, &s, 1);
        (void)stage_run(stage);
        hops = stage->world.hops;
        received = stage->flows[0]->ends[FLOW_SERVER].received;
        trace = stage->world.trace;
        if (!stage_close(stage))
            die(stage->world.first_story);
        stage_fini(stage);
        best_s = HW_MIN(best_s, seconds() - start);
    }
    scenario_fini(&s);
    free(stage);
    printf("simulator: 2 x 100 Mbit/s, %u s: %.2f s of one core (best of %u), %.0f times as fast as the clock,\n"
           "%.2f million packet hops/s, %.0f ns each; goodput %.1f Mbit/s, every byte checked; trace %016" PRIx64 "\n",
           SECONDS, best_s, ROUNDS, SECONDS / best_s, (double)hops / best_s / 1e6, best_s * 1e9 / (double)hops,
           (double)received * 8 / SECONDS / 1e6, trace);
    bool holds = SECONDS / best_s >= FASTER_MIN;
    printf("simulator: at least %d times as fast as the clock: %s\n", FASTER_MIN, holds ? "ok" : "FAILED");
    return holds ? 0 : 1;
}
