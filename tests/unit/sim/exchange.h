/* One client, one server, one exchange under the judges: what their tests start from. */
#ifndef HW_TEST_SIM_EXCHANGE_H
#define HW_TEST_SIM_EXCHANGE_H

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/units.h"
#include "sim/judges/judges.h"

#define MBIT UINT64_C(1000000)
#define PORT 80

static inline void add_path(struct scenario *s, unsigned i, bool v6)
{
    char name[16], addr[32];
    snprintf(name, sizeof name, "path%u", i);
    struct wire_spec *link = scenario_add_link(s, name, "client", "server");
    for (unsigned end = 0; end < 2; end++) {
        snprintf(addr, sizeof addr, v6 ? "fd00:%u::%u" : "10.0.%u.%u", i, end + 1);
        assert_true(wire_spec_add_address(link, end, addr));
        link->lanes[end] =
            (struct lane_config){.rate_bps = 20 * MBIT, .delay_ns = 10 * NS_PER_MS, .queue = {.bytes = 128 * 1024}};
    }
}

/* A client and a server with so many paths, and one exchange that takes about a second. */
static inline void base(struct scenario *s, unsigned paths, bool v6)
{
    scenario_init(s);
    s->duration_ns = 600 * NS_PER_S;
    s->heal_ns = 2 * NS_PER_S;
    s->patience_ns = 60 * NS_PER_S;
    scenario_add_host(s, "client");
    scenario_add_host(s, "server");
    for (unsigned i = 0; i < paths; i++)
        add_path(s, i, v6);
    struct flow_plan *plan = &scenario_add_flow(s, "flow", "client", "server")->plan;
    assert_int_equal(hawser_addr_parse(&plan->server_addr, v6 ? "fd00:0::2" : "10.0.0.2", PORT), 0);
    plan->request_bytes = plan->response_bytes = 1500000;
    plan->duplex = true;
}

static inline void lossy(struct scenario *s, uint32_t ppm)
{
    for (size_t i = 0; i < s->link_count; i++)
        for (unsigned end = 0; end < 2; end++)
            s->links[i].lanes[end].loss = (struct loss_config){.kind = LOSS_INDEPENDENT, .ppm = ppm};
}

static inline struct stage *stage_for(const struct scenario *s, uint64_t seed)
{
    char why[200];
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    if (!scenario_check(s, why, sizeof why))
        fail_msg("%s", why);
    stage_init(stage, s, seed);
    stage_watch(stage, judges_new());
    return stage;
}

#endif
