/* Bugs that show only when packets go otherwise: the explorer finds each in a scenario that is clean without it.
 * Planted as in plant.h, in both hosts. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "sim/explore_tree.h"
#include "sim/judges/decode.h"
#include "sim/reader.h"
#include "stack/stack.h"

struct bug {
    const char *what, *file, *rule;
    /* A packet leaves: false drops it. */
    bool (*tamper)(void *stage, struct packet *packet);
};

/* ---- the bugs ---- */

static void change_conns(const struct stage *stage, void (*change)(struct conn *conn))
{
    for (size_t i = 0; i < stage->scenario->host_count; i++)
        LIST_EACH (it, &stage->hosts[i]->stack->host.connections)
            change(LIST_ENTRY(it, struct conn, link));
}

/* Who was answered, and asks, thinks that its peer knows. */
static void repeat_too_early(struct conn *conn)
{
    bool thinks = conn->fallback.options_pass && conn->data_tx.progress.questions;
    conn->fallback.commitment = thinks ? COMMITTED_BOTH : COMMITTED_NOBODY;
}

static bool on_repeat_too_early(void *stage, struct packet *packet)
{
    (void)packet;
    change_conns(stage, repeat_too_early);
    return true;
}

/* The first subflow is never suspected or given up, and all others are. */
static void trust_the_first(struct conn *conn)
{
    EACH_SUBFLOW (it, conn) {
        struct subflow *subflow = subflow_at(it);
        carriers_forget(&conn->data_tx.carriers, subflow->slot);
        subflow->carried_again = false;
        subflow->suspect_since_ns = subflow == subflow_at(conn->subflows.next) ? 0 : UINT64_MAX / 2;
        if (subflow->rx_mapping.unmapped_since_ns)
            subflow->rx_mapping.unmapped_since_ns = UINT64_MAX / 2;
    }
}

static bool on_trust_the_first(void *stage, struct packet *packet)
{
    (void)packet;
    change_conns(stage, trust_the_first);
    return true;
}

static bool came_later(const struct stage *stage, const struct hawser_addr *addr)
{
    const struct scenario *s = stage->scenario;
    for (size_t i = 0; i < s->address_count; i++) {
        const struct address_spec *change = &s->addresses[i];
        if (!change->remove && hawser_addr_same_ip(&change->addr, addr) &&
            stage->world.now_ns >= WORLD_START_NS + change->at_ns)
            return true;
    }
    return false;
}

/* The connection counts the address as used, and no SYN leaves from it. */
static bool on_late_join(void *stage, struct packet *packet)
{
    struct seen seen;
    bool join = decode(packet->data, packet->len, packet->checksum_pending, &seen) && seen.flags & SEEN_SYN &&
                seen_has(&seen, SEEN_JOIN);
    return !join || !came_later(stage, &seen.src);
}

/* ---- exploring ---- */

static void plant(struct stage *stage, void *ctx)
{
    const struct bug *bug = ctx;
    for (size_t i = 0; i < stage->scenario->host_count; i++) {
        stage->hosts[i]->tamper = bug->tamper;
        stage->hosts[i]->tamper_ctx = stage;
    }
}

struct findings {
    unsigned stories, failed;
    struct explore_verdict least; /* that failed: the fewest deviations */
};

static struct findings explore(const struct explore_plan *plan)
{
    struct findings found = {0};
    struct explore_tree tree;
    struct explore_verdict verdict;
    assert_int_equal(explore_tree_start(&tree, plan), 0);
    while (explore_tree_next(&tree, &verdict)) {
        found.stories++;
        if (!verdict.good && (!found.failed++ || explored_story_compare(&verdict.story, &found.least.story) < 0))
            found.least = verdict;
    }
    return found;
}

/* As it is printed, the story is enough to play it again. */
static bool replays(const struct explore_plan *plan, const struct explore_verdict *failure)
{
    char text[256];
    struct explored_story story = {.point = failure->story.point};
    struct explore_plan again = *plan;
    explored_story_text(&failure->story, text, sizeof text);
    printf("  --point %s --only %s\n", explorer_point_name(story.point), text);
    assert_true(explored_story_read(&story, text));
    again.only = &story;
    again.points = 1u << story.point;
    struct findings found = explore(&again);
    return found.failed == 1 && strcmp(found.least.rule, failure->rule) == 0 && found.least.trace == failure->trace;
}

static bool is_found(struct bug bug)
{
    char path[64], why[300];
    struct scenario_file file;
    snprintf(path, sizeof path, "sim/explore/%s.toml", bug.file);
    if (!scenario_file_read(&file, path, NULL, 0, NULL, why, sizeof why))
        fail_msg("%s", why);
    struct explore_plan plan = {.scenario = &file.scenario,
                                .seed = file.seed,
                                .points = (1u << POINTS) - 1,
                                .packets = 12,
                                .deviations = 1,
                                .jobs = 2};
    struct findings clean = explore(&plan);
    plan.prepare = plant;
    plan.ctx = &bug;
    struct findings found = explore(&plan);
    bool caught = found.failed && strcmp(found.least.rule, bug.rule) == 0;
    printf("%s, %u of %u stories: %s\n", bug.what, found.failed, found.stories,
           found.failed ? found.least.text : "MISSED");
    if (clean.failed)
        printf("  without it %u of %u: %s\n", clean.failed, clean.stories, clean.least.text);
    bool good = caught && !clean.failed && clean.stories > 100 && replays(&plan, &found.least);
    scenario_file_free(&file);
    return good;
}

static const struct bug bugs[] = {
    {"data is repeated to a peer that may have fallen back", "one-path", "stream-equal", on_repeat_too_early},
    {"what was lost is sent again where it was lost", "two-paths", "no-error-for-nothing", on_trust_the_first},
    {"no join comes from a new address", "address-exchange", "no-error-for-nothing", on_late_join},
    {"no join comes from an address that is back", "address-off-and-on", "no-error-for-nothing", on_late_join},
};

static void test_planted_bugs(void **state)
{
    (void)state;
    unsigned missed = 0;
    for (size_t i = 0; i < HW_ARRAY_LEN(bugs); i++)
        missed += !is_found(bugs[i]);
    assert_int_equal(missed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted_bugs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
