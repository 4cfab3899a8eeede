/* Explores a scenario, groups what fails, and says how to play it again. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "commit.h"
#include "lab/values.h"
#include "sim/digest.h"
#include "sim/explore_main.h"
#include "sim/explore_tree.h"
#include "sim/memory.h"
#include "sim/reader.h"

enum { PACKETS_MAX = 1000, REPORTS_MAX = 20, WHY_SIZE = 1024 };

struct explore_run {
    const char *path, *capture_dir;
    struct explore_plan plan;
    struct explored_story only;
    bool verbose;
    char capture[4096];
    uint64_t stories, by_point[POINTS], trace;
    unsigned points_seen;
    struct explore_verdict *failures;
    size_t failed;
};

static void print_usage(FILE *out)
{
    fprintf(out,
            "usage: hawser sim --explore SCENARIO.toml [--point POINT] [--packets N] [--deviations N] [--jobs N]\n"
            "           [--verbose]\n"
            "       hawser sim --explore SCENARIO.toml --point POINT --only N:DEVIATION,... [--pcap DIR]\n\n"
            "Plays every story of a scenario in which a few of its first packets go otherwise, and demands that no\n"
            "rule is broken in any.\n\n"
            "  --point POINT     where packets are counted from: syn, data, join, close (default: each of them)\n"
            "  --packets N       how many packets may go otherwise, from there (default 12)\n"
            "  --deviations N    how many of them in one story, 1 to 3 (default 2)\n"
            "  --jobs N          how many processes at a time (default: one a core)\n"
            "  --only N:WHAT,... this story only: packet N goes WHAT way\n"
            "  --pcap DIR        write a capture of it\n"
            "  --verbose         print every story that fails and has nothing to leave out, not only the first few\n\n"
            "Deviations:");
    for (unsigned i = DEVIATE_LOSE; i < DEVIATIONS; i++)
        fprintf(out, " %s", deviation_name((enum deviation)i));
    fprintf(out, "\n");
}

/* ---- the report ---- */

static int by_rule(const void *a, const void *b)
{
    const struct explore_verdict *x = a, *y = b;
    int order = strcmp(x->rule, y->rule);
    return order ? order : explored_story_compare(&x->story, &y->story);
}

/* Is all that happens in one of these part of the story? Then it fails for no other reason, as far as one can tell. */
static bool is_explained(const struct explore_verdict *least, size_t count, const struct explored_story *story)
{
    for (size_t i = 0; i < count && least[i].story.count < story->count; i++)
        if (explored_story_holds(story, &least[i].story))
            return true;
    return false;
}

/* Keeps those with nothing to leave out, of stories that broke one rule, sorted. Returns how many. */
static size_t keep_least(struct explore_verdict *group, size_t count)
{
    size_t least = 0;
    for (size_t i = 0; i < count; i++)
        if (!is_explained(group, least, &group[i].story))
            group[least++] = group[i];
    return least;
}

/* Does one of these differ in the numbers of its packets only? */
static bool is_familiar(const struct explore_verdict *printed, size_t count, const struct explored_story *story)
{
    for (size_t i = 0; i < count; i++) {
        bool same = printed[i].story.count == story->count;
        for (unsigned step = 0; same && step < story->count; step++)
            same = printed[i].story.steps[step].what == story->steps[step].what;
        if (same)
            return true;
    }
    return false;
}

static void print_failure(const struct explore_run *run, const struct explore_verdict *verdict)
{
    char text[256];
    printf("  %s\n  replay: hawser sim --explore %s --point %s --only %s\n", verdict->text, run->path,
           explorer_point_name(verdict->story.point), explored_story_text(&verdict->story, text, sizeof text));
}

/* All that broke one rule, sorted: `room` stories of it, each combination of deviations once. */
static void print_group(const struct explore_run *run, struct explore_verdict *group, size_t count, size_t room)
{
    size_t least = keep_least(group, count);
    printf("%s FAILED at commit %s in %zu stories, %zu of them with nothing to leave out:\n", group->rule,
           HAWSER_COMMIT, count, least);
    for (size_t i = 0; i < least && room; i++)
        if (run->verbose || !is_familiar(group, i, &group[i].story)) {
            print_failure(run, &group[i]);
            room--;
        }
}

static void print_failures(struct explore_run *run)
{
    size_t rules = 0, end;
    if (run->failures)
        qsort(run->failures, run->failed, sizeof *run->failures, by_rule);
    for (size_t i = 0; i < run->failed; i++)
        rules += i == 0 || strcmp(run->failures[i - 1].rule, run->failures[i].rule) != 0;
    for (size_t first = 0; first < run->failed; first = end) {
        for (end = first; end < run->failed && strcmp(run->failures[end].rule, run->failures[first].rule) == 0;)
            end++;
        print_group(run, run->failures + first, end - first,
                    run->verbose ? run->failed : HW_MAX(REPORTS_MAX / rules, (size_t)1));
    }
}

static void print_points(const struct explore_run *run)
{
    for (unsigned point = 0; point < POINTS; point++) {
        const char *name = explorer_point_name((enum explorer_point)point);
        if (run->by_point[point])
            printf("from %s: %" PRIu64 " stories\n", name, run->by_point[point]);
        else if (run->plan.points >> point & 1 && !(run->points_seen >> point & 1))
            printf("from %s: none, for it never comes\n", name);
    }
}

static uint64_t story_digest(const struct explored_story *story)
{
    uint64_t digest = digest_add(story->point, story->count);
    for (unsigned i = 0; i < story->count; i++)
        digest = digest_add(digest_add(digest, story->steps[i].number), (uint64_t)story->steps[i].what);
    return digest;
}

/* ---- playing ---- */

static void take_verdict(struct explore_run *run, const struct explore_verdict *verdict)
{
    run->stories++;
    run->by_point[verdict->story.point] += verdict->story.count > 0;
    run->points_seen |= verdict->points;
    run->trace += digest_add(story_digest(&verdict->story), verdict->trace); /* a sum: the order does not matter */
    if (verdict->good)
        return;
    run->failures = sim_grow(run->failures, run->failed, sizeof *run->failures);
    run->failures[run->failed++] = *verdict;
}

static int replay(struct explore_run *run, const struct explore_verdict *verdict)
{
    if (verdict->capture_err)
        printf("no capture: %s: %s\n", run->capture, strerror(-verdict->capture_err));
    if (verdict->story.count < run->only.count && strcmp(verdict->rule, "no-crash") != 0)
        printf("only %u of its %u deviations came to pass\n", verdict->story.count, run->only.count);
    printf("%s; trace %016" PRIx64 "\n", verdict->good ? "no rule was broken" : verdict->text, verdict->trace);
    return verdict->good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int explore(struct explore_run *run)
{
    struct explore_tree tree;
    struct explore_verdict verdict;
    int err = explore_tree_start(&tree, &run->plan), status = EXIT_FAILURE;
    if (err < 0) {
        fprintf(stderr, "hawser sim: cannot start a process: %s\n", strerror(-err));
        return EXIT_FAILURE;
    }
    while (explore_tree_next(&tree, &verdict))
        if (run->plan.only)
            status = replay(run, &verdict);
        else
            take_verdict(run, &verdict);
    if (run->plan.only)
        return status;
    print_failures(run);
    print_points(run);
    printf("explore: %" PRIu64 " stories, %zu failed; trace %016" PRIx64 "\n", run->stories, run->failed, run->trace);
    sim_free(run->failures);
    return run->failed || !run->points_seen ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* ---- the command line ---- */

static bool parse_number(const char *option, const char *text, uint64_t high, unsigned *out)
{
    uint64_t number;
    if (value_number(text, &number) && number >= 1 && number <= high) {
        *out = (unsigned)number;
        return true;
    }
    fprintf(stderr, "hawser sim: --%s \"%s\": a number from 1 to %" PRIu64 "; see hawser sim --explore --help\n",
            option, text, high);
    return false;
}

static bool parse_point(struct explore_run *run, const char *text)
{
    for (unsigned point = 0; point < POINTS; point++)
        if (strcmp(explorer_point_name((enum explorer_point)point), text) == 0) {
            run->plan.points = 1u << point;
            run->only.point = (enum explorer_point)point;
            return true;
        }
    fprintf(stderr, "hawser sim: --point \"%s\": syn, data, join or close; see hawser sim --explore --help\n", text);
    return false;
}

static bool parse_only(struct explore_run *run, const char *text)
{
    run->plan.only = &run->only;
    if (explored_story_read(&run->only, text))
        return true;
    fprintf(stderr,
            "hawser sim: --only \"%s\": up to %d packets in their order, like 3:strip,7:lose, or none; see hawser sim "
            "--explore --help\n",
            text, EXPLORE_DEVIATIONS_MAX);
    return false;
}

static bool check_options(struct explore_run *run, int argc, char **argv)
{
    const char *wrong = optind < argc                                                   ? "one scenario at a time"
                        : run->plan.only && (run->plan.points & (run->plan.points - 1)) ? "--only needs --point"
                        : run->capture_dir && !run->plan.only                           ? "--pcap needs --only"
                                                                                        : NULL;
    if (!wrong)
        return true;
    fprintf(stderr, "hawser sim: %s%s%s; see hawser sim --explore --help\n", optind < argc ? argv[optind] : "",
            optind < argc ? ": " : "", wrong);
    return false;
}

/* 0: go on; else the exit status plus one. */
static int parse_options(struct explore_run *run, int argc, char **argv)
{
    static const struct option options[] = {
        {"explore", required_argument, NULL, 'e'}, {"point", required_argument, NULL, 'o'},
        {"packets", required_argument, NULL, 'n'}, {"deviations", required_argument, NULL, 'd'},
        {"jobs", required_argument, NULL, 'j'},    {"only", required_argument, NULL, 'y'},
        {"pcap", required_argument, NULL, 'p'},    {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},          {0},
    };
    bool good = true;
    optind = 1;
    for (int c; good && (c = command_next_option(argc, argv, "", options)) != -1;) {
        if (c == 'h') {
            print_usage(stdout);
            return 1 + EXIT_SUCCESS;
        }
        if (c == 'e')
            run->path = optarg;
        else if (c == 'o')
            good = parse_point(run, optarg);
        else if (c == 'n')
            good = parse_number("packets", optarg, PACKETS_MAX, &run->plan.packets);
        else if (c == 'd')
            good = parse_number("deviations", optarg, EXPLORE_DEVIATIONS_MAX, &run->plan.deviations);
        else if (c == 'j')
            good = parse_number("jobs", optarg, EXPLORE_JOBS_MAX, &run->plan.jobs);
        else if (c == 'y')
            good = parse_only(run, optarg);
        else if (c == 'p')
            run->capture_dir = optarg;
        else if (c == 'v')
            run->verbose = true;
        else {
            fprintf(stderr, "hawser sim: unknown option or missing value in \"%s\"; see hawser sim --explore --help\n",
                    argv[optind - 1]);
            good = false;
        }
    }
    return good && check_options(run, argc, argv) ? 0 : 1 + EXIT_USAGE;
}

static bool read_scenario(const struct explore_run *run, struct scenario_file *file)
{
    char why[WHY_SIZE];
    if (!scenario_file_read(file, run->path, NULL, 0, NULL, why, sizeof why))
        fprintf(stderr, "%s\n", why);
    else if (file->scenario.flow_count != 1 || flow_is_endless(&(struct flow){.plan = file->scenario.flows[0].plan}))
        fprintf(stderr, "%s: one connection that ends is explored, not more and not an endless one\n", run->path);
    else if (file->scenario.heal_ns == 0)
        fprintf(stderr, "%s: add heal and patience: after that time every story must be over\n", run->path);
    else
        return true;
    return false;
}

int sim_explore_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned jobs = cores > 1 ? (unsigned)HW_MIN(cores, (long)EXPLORE_JOBS_MAX) : 1;
    struct explore_run run = {.plan = {.points = (1u << POINTS) - 1, .packets = 12, .deviations = 2, .jobs = jobs}};
    struct scenario_file file;
    int status = parse_options(&run, argc, argv);
    if (status)
        return status - 1;
    if (run.capture_dir) {
        mkdir(run.capture_dir, 0777); /* where that fails, opening the file says so */
        snprintf(run.capture, sizeof run.capture, "%s/explore.pcapng", run.capture_dir);
        run.plan.capture = run.capture;
    }
    status = EXIT_USAGE;
    if (read_scenario(&run, &file)) {
        run.plan.scenario = &file.scenario;
        run.plan.seed = file.seed;
        status = explore(&run);
    }
    scenario_file_free(&file);
    return status;
}
