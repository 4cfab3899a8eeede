/* The stage of most simulator tests: a client and a server joined by two equal links. */
#ifndef HW_TESTS_SIM_TWO_PATHS_H
#define HW_TESTS_SIM_TWO_PATHS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/units.h"
#include "sim/stage.h"

#define MBIT UINT64_C(1000000)

/* Links "path0" and "path1": 10 ms each way, 128 KiB of queue; the hosts are 10.0.0.1 and 10.0.1.1 to 10.0.0.2 and
 * 10.0.1.2. */
static inline void two_paths(struct scenario *s, uint64_t rate_bps, uint64_t duration_ns)
{
    scenario_init(s);
    s->duration_ns = duration_ns;
    scenario_add_host(s, "client");
    scenario_add_host(s, "server");
    for (unsigned i = 0; i < 2; i++) {
        char name[8], addr[16];
        snprintf(name, sizeof name, "path%u", i);
        struct wire_spec *link = scenario_add_link(s, name, "client", "server");
        for (unsigned end = 0; end < 2; end++) {
            snprintf(addr, sizeof addr, "10.0.%u.%u", i, end + 1);
            assert_true(wire_spec_add_address(link, end, addr));
            link->lanes[end] =
                (struct lane_config){.rate_bps = rate_bps, .delay_ns = 10 * NS_PER_MS, .queue = {.bytes = 128 * 1024}};
        }
    }
}

static inline struct stage *raise_stage(const struct scenario *s, uint64_t seed)
{
    char why[200];
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    if (!scenario_check(s, why, sizeof why))
        fail_msg("%s", why);
    stage_init(stage, s, seed);
    return stage;
}

/* Closes and frees it; fails the test when a rule was broken. */
static inline void strike_stage(struct stage *stage)
{
    bool good = stage_close(stage);
    if (!good)
        fail_msg("%s", stage->world.first_story);
    stage_fini(stage);
    free(stage);
}

#endif
