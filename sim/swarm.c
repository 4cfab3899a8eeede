#include "sim/swarm.h"

#include <stdio.h>
#include <string.h>

#include "sim/judges/judges.h"
#include "sim/memory.h"
#include "sim/recorder.h"
#include "sim/stage.h"
#include "sim/swarm_tally.h"

void swarm_play(const struct swarm_plan *plan, const char *capture, struct swarm_verdict *verdict)
{
    struct scenario scenario;
    struct watcher *recorder;
    struct stage *stage = sim_new(sizeof *stage);
    swarm_plan_stage(plan, &scenario);
    *verdict = (struct swarm_verdict){0};
    if (!scenario_check(&scenario, verdict->story, sizeof verdict->story)) {
        snprintf(verdict->rule, sizeof verdict->rule, "scenario-check");
    } else {
        stage_init(stage, &scenario, plan->seed);
        stage_watch(stage, judges_new());
        stage_watch(stage, swarm_tally_new(plan, verdict));
        if (capture && (recorder = recorder_new(capture, &verdict->capture_err)))
            stage_watch(stage, recorder);
        stage_run(stage);
        verdict->good = stage_close(stage);
        snprintf(verdict->rule, sizeof verdict->rule, "%s", stage->world.first_rule);
        snprintf(verdict->story, sizeof verdict->story, "%s", stage->world.first_story);
        verdict->trace = stage->world.trace;
        verdict->hops = stage->world.hops;
        stage_fini(stage);
    }
    sim_free(stage);
    scenario_fini(&scenario);
}

unsigned swarm_shrink(struct swarm_plan *plan, bool (*fails)(const struct swarm_plan *plan, void *ctx), void *ctx)
{
    unsigned asked = 0;
    bool smaller = true;
    while (smaller) { /* what could not be left out before may be now */
        smaller = false;
        for (unsigned i = 0; i < plan->fault_count; i++) {
            if (!plan->faults[i].enabled)
                continue;
            plan->faults[i].enabled = false;
            asked++;
            if (fails(plan, ctx))
                smaller = true;
            else
                plan->faults[i].enabled = true;
        }
    }
    return asked;
}
