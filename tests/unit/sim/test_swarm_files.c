/* A story of the swarm as a scenario file plays as it did: a story that failed outlives later changes of the drawing.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sim/judges/judges.h"
#include "sim/reader.h"
#include "sim/swarm.h"
#include "sim/write_scenario.h"

#define SEEDS 50

static void write_plan(const struct swarm_plan *plan, const char *path)
{
    struct scenario s;
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    swarm_plan_stage(plan, &s);
    assert_int_equal(scenario_write(&s, plan->seed, out), 0);
    scenario_fini(&s);
    fclose(out);
}

static void read_file(struct scenario_file *file, const char *path)
{
    char why[300];
    if (!scenario_file_read(file, path, NULL, 0, NULL, why, sizeof why))
        fail_msg("%s", why);
}

static void play_file(const struct scenario_file *file, struct swarm_verdict *verdict)
{
    struct stage *stage = calloc(1, sizeof *stage);
    assert_non_null(stage);
    stage_init(stage, &file->scenario, file->seed);
    stage_watch(stage, judges_new());
    stage_run(stage);
    *verdict = (struct swarm_verdict){.good = stage_close(stage)};
    snprintf(verdict->story, sizeof verdict->story, "%s", stage->world.first_story);
    verdict->trace = stage->world.trace;
    verdict->hops = stage->world.hops;
    stage_fini(stage);
    free(stage);
}

static void temporary(char path[64])
{
    snprintf(path, 64, "/tmp/hawser-story-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
}

static void a_written_story_plays_the_same(void **state)
{
    (void)state;
    char path[64];
    temporary(path);
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct swarm_plan plan;
        struct swarm_verdict told, read;
        struct scenario_file file;
        swarm_plan_make(&plan, seed);
        write_plan(&plan, path);
        swarm_play(&plan, NULL, &told);
        read_file(&file, path);
        play_file(&file, &read);
        if (told.trace != read.trace || told.hops != read.hops || told.good != read.good)
            fail_msg("seed %" PRIu64 ": trace %016" PRIx64 " from the plan, %016" PRIx64 " from the file", seed,
                     told.trace, read.trace);
        assert_string_equal(told.story, read.story);
        scenario_file_free(&file);
        swarm_plan_fini(&plan);
    }
    unlink(path);
}

/* What was read from a file is written as the same file: nothing of it is lost on the way. */
static void writing_what_was_read_changes_nothing(void **state)
{
    (void)state;
    char paths[2][64], *texts[2];
    temporary(paths[0]);
    temporary(paths[1]);
    for (uint64_t seed = 1; seed <= 4 * SEEDS; seed++) {
        struct swarm_plan plan;
        struct scenario_file file;
        swarm_plan_make(&plan, seed);
        write_plan(&plan, paths[0]);
        swarm_plan_fini(&plan);
        read_file(&file, paths[0]);
        FILE *out = fopen(paths[1], "w");
        assert_non_null(out);
        assert_int_equal(scenario_write(&file.scenario, file.seed, out), 0);
        fclose(out);
        scenario_file_free(&file);
        for (unsigned i = 0; i < 2; i++) {
            char why[200];
            size_t len;
            texts[i] = toml_load(paths[i], &len, why, sizeof why);
            assert_non_null(texts[i]);
        }
        assert_string_equal(texts[0], texts[1]);
        free(texts[0]);
        free(texts[1]);
    }
    unlink(paths[0]);
    unlink(paths[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_written_story_plays_the_same),
        cmocka_unit_test(writing_what_was_read_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
