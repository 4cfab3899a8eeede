/* Plays seeds side by side, shrinks what fails, and says how to play it again. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "commit.h"
#include "sim/digest.h"
#include "sim/swarm.h"
#include "sim/swarm_main.h"
#include "sim/swarm_try.h"
#include "sim/write_scenario.h"

enum { JOBS_MAX = 64, SEEDS_MAX = 100000000, REPORTS_MAX = 20, TALLY_FROM = 100, TALLY_COLUMNS = 3 };

struct swarm_run {
    uint64_t from, count;
    unsigned jobs;
    const char *only;    /* numbers of faults, separated by commas; NULL: all */
    const char *capture; /* a folder; NULL: none */
    const char *write;   /* a file for the story, which is not played then; NULL: none */
    bool verbose;
    uint64_t next, passed, failed, hops, trace;
    uint64_t drawn[SWARM_TALLIES], acted[SWARM_TALLIES]; /* stories, by swarm_tally_name() */
};

static void print_usage(FILE *out)
{
    fprintf(out,
            "usage: hawser sim --swarm N [--from SEED] [--jobs N] [--only FAULT,...] [--pcap DIR] [--verbose]\n"
            "       hawser sim --swarm 1 [--from SEED] [--only FAULT,...] --write FILE\n\n"
            "Plays N random stories, each made by one seed, and demands that no rule is broken in any.\n\n"
            "  --swarm N         how many seeds\n"
            "  --from SEED       the first of them (default 1)\n"
            "  --jobs N          how many at a time (default: one a core)\n"
            "  --only FAULT,...  with these faults of each story only, by their numbers\n"
            "  --pcap DIR        write a capture of each story that fails\n"
            "  --write FILE      write the story of one seed as a scenario, which plays the same, and play nothing\n"
            "  --verbose         tell each story's faults\n\n"
            "From 100 stories on (or with --verbose) it tells how often each kind of fault was drawn, and acted.\n");
}

static bool keeps(const char *only, unsigned number)
{
    for (const char *at = only; at && *at; at = strchr(at, ',') ? strchr(at, ',') + 1 : "")
        if (*at >= '0' && *at <= '9' && strtoul(at, NULL, 10) == number)
            return true;
    return false;
}

static void make_plan(const struct swarm_run *run, uint64_t seed, struct swarm_plan *plan)
{
    swarm_plan_make(plan, seed);
    for (unsigned i = 0; run->only && i < plan->fault_count; i++)
        plan->faults[i].enabled &= keeps(run->only, i);
}

static void print_faults(const struct swarm_plan *plan)
{
    char text[400];
    for (unsigned i = 0; i < plan->fault_count; i++)
        if (plan->faults[i].enabled)
            printf("    %2u  %s\n", i, swarm_fault_text(plan, &plan->faults[i], text, sizeof text));
}

static void print_replay(const struct swarm_plan *plan)
{
    const char *comma = "";
    printf("  replay: hawser sim --swarm 1 --from %" PRIu64 " --only ", plan->seed);
    for (unsigned i = 0; i < plan->fault_count; i++) {
        if (!plan->faults[i].enabled)
            continue;
        printf("%s%u", comma, i);
        comma = ",";
    }
    printf("%s\n", *comma ? "" : "none");
}

/* By the same rule: another failure would be another story. */
static bool still_fails(const struct swarm_plan *plan, void *ctx)
{
    struct swarm_try t;
    struct swarm_verdict verdict;
    const struct swarm_verdict *first = ctx;
    if (swarm_try_start(&t, plan, NULL, true) < 0)
        return false;
    swarm_try_finish(&t, &verdict);
    return !verdict.good && strcmp(verdict.rule, first->rule) == 0;
}

/* The smallest story that still fails, played once more for the capture. */
static void report_failure(const struct swarm_run *run, uint64_t seed, struct swarm_verdict *verdict)
{
    struct swarm_plan plan;
    char path[4096];
    printf("seed %" PRIu64 " FAILED at commit %s: %s\n", seed, HAWSER_COMMIT, verdict->story);
    make_plan(run, seed, &plan);
    unsigned asked = swarm_shrink(&plan, still_fails, verdict);
    printf("  what is left of its faults after %u attempts to do without:\n", asked);
    print_faults(&plan);
    print_replay(&plan);
    snprintf(path, sizeof path, "%s/seed%" PRIu64 ".pcapng", run->capture ? run->capture : "", seed);
    struct swarm_try t;
    struct swarm_verdict again;
    if (run->capture && swarm_try_start(&t, &plan, path, true) == 0) {
        swarm_try_finish(&t, &again);
        if (again.capture_err)
            printf("  no capture: %s: %s\n", path, strerror(-again.capture_err));
        else
            printf("  capture: %s\n", path);
    }
    swarm_plan_fini(&plan);
}

/* The story as a scenario file, and what goes wrong in it as its comment. */
static int write_story(const struct swarm_run *run)
{
    struct swarm_plan plan;
    struct scenario s;
    char text[400];
    FILE *out = fopen(run->write, "we");
    int err = out ? 0 : -errno;
    make_plan(run, run->from, &plan);
    swarm_plan_stage(&plan, &s);
    snprintf(s.name, sizeof s.name, "swarm-%" PRIu64, plan.seed);
    if (!err)
        fprintf(out, "# Seed %" PRIu64 " of the swarm at commit %s. What goes wrong in it:\n", plan.seed,
                HAWSER_COMMIT);
    for (unsigned i = 0; !err && i < plan.fault_count; i++)
        if (plan.faults[i].enabled)
            fprintf(out, "#   %s\n", swarm_fault_text(&plan, &plan.faults[i], text, sizeof text));
    if (!err)
        err = scenario_write(&s, plan.seed, out);
    if (out && fclose(out) != 0 && !err)
        err = -errno;
    if (err)
        fprintf(stderr, "hawser sim: %s: %s\n", run->write, strerror(-err));
    scenario_fini(&s);
    swarm_plan_fini(&plan);
    return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static void take_verdict(struct swarm_run *run, struct swarm_try *t)
{
    struct swarm_verdict verdict;
    uint64_t seed = t->seed;
    swarm_try_finish(t, &verdict);
    run->hops += verdict.hops;
    for (unsigned i = 0; i < SWARM_TALLIES; i++) {
        run->drawn[i] += verdict.drawn[i];
        run->acted[i] += verdict.acted[i];
    }
    run->trace += digest_add(seed, verdict.trace); /* a sum: the order of endings does not matter */
    if (verdict.good) {
        run->passed++;
        return;
    }
    if (run->failed++ < REPORTS_MAX)
        report_failure(run, seed, &verdict);
}

static int start_next(struct swarm_run *run, struct swarm_try *t)
{
    struct swarm_plan plan;
    make_plan(run, run->from + run->next++, &plan);
    if (run->verbose) {
        printf("seed %" PRIu64 "\n", plan.seed);
        print_faults(&plan);
    }
    int err = swarm_try_start(t, &plan, NULL, false);
    swarm_plan_fini(&plan);
    return err;
}

static int play_all(struct swarm_run *run)
{
    struct swarm_try tries[JOBS_MAX] = {0};
    unsigned running = 0;
    while (run->next < run->count || running) {
        struct pollfd fds[JOBS_MAX];
        unsigned slots[JOBS_MAX], n = 0;
        for (unsigned i = 0; i < run->jobs; i++) {
            if (tries[i].pid == 0 && run->next < run->count) {
                int err = start_next(run, &tries[i]);
                if (err < 0) {
                    fprintf(stderr, "hawser sim: cannot start a process: %s\n", strerror(-err));
                    return EXIT_FAILURE;
                }
                running++;
            }
            if (tries[i].pid) {
                fds[n] = (struct pollfd){.fd = tries[i].fd, .events = POLLIN};
                slots[n++] = i;
            }
        }
        if (poll(fds, n, -1) < 0 && errno != EINTR)
            return EXIT_FAILURE;
        for (unsigned i = 0; i < n; i++)
            if (fds[i].revents) {
                take_verdict(run, &tries[slots[i]]);
                running--;
            }
    }
    return run->failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

static bool parse_number(const char *option, const char *text, uint64_t low, uint64_t high, uint64_t *out)
{
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && *out >= low && *out <= high)
        return true;
    fprintf(stderr, "hawser sim: --%s \"%s\": a number from %" PRIu64 " to %" PRIu64 "; see hawser sim --help\n",
            option, text, low, high);
    return false;
}

static bool parse_only(const char *text, const char **out)
{
    *out = text;
    if (strcmp(text, "none") == 0 || (*text && text[strspn(text, "0123456789,")] == '\0'))
        return true;
    fprintf(stderr,
            "hawser sim: --only \"%s\": numbers of faults, like 0,3, or none; see hawser sim --swarm 1 --help\n", text);
    return false;
}

/* 0: go on; else the exit status plus one. */
static int parse_options(int argc, char **argv, struct swarm_run *run)
{
    static const struct option options[] = {
        {"swarm", required_argument, NULL, 'n'},
        {"from", required_argument, NULL, 'f'},
        {"jobs", required_argument, NULL, 'j'},
        {"only", required_argument, NULL, 'o'},
        {"pcap", required_argument, NULL, 'p'},
        {"write", required_argument, NULL, 'w'},
        {"verbose", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    uint64_t jobs = run->jobs;
    bool good = true;
    optind = 1;
    for (int c; good && (c = command_next_option(argc, argv, "", options)) != -1;) {
        if (c == 'h') {
            print_usage(stdout);
            return 1 + EXIT_SUCCESS;
        }
        if (c == 'n')
            good = parse_number("swarm", optarg, 1, SEEDS_MAX, &run->count);
        else if (c == 'f')
            good = parse_number("from", optarg, 0, UINT64_MAX / 2, &run->from);
        else if (c == 'j')
            good = parse_number("jobs", optarg, 1, JOBS_MAX, &jobs);
        else if (c == 'o')
            good = parse_only(optarg, &run->only);
        else if (c == 'p')
            run->capture = optarg;
        else if (c == 'w')
            run->write = optarg;
        else if (c == 'v')
            run->verbose = true;
        else {
            fprintf(stderr, "hawser sim: unknown option or missing value in \"%s\"; see hawser sim --swarm 1 --help\n",
                    argv[optind - 1]);
            good = false;
        }
    }
    if (good && optind < argc) {
        fprintf(stderr, "hawser sim: \"%s\": --swarm makes its own scenarios\n", argv[optind]);
        good = false;
    }
    if (good && run->write && run->count != 1) {
        fprintf(stderr, "hawser sim: --write writes one story: --swarm 1\n");
        good = false;
    }
    run->jobs = (unsigned)jobs;
    return good ? 0 : 1 + EXIT_USAGE;
}

/* In how many stories each kind was drawn, and in how many of these it did what it is for. */
static void print_tally(const struct swarm_run *run)
{
    unsigned column = 0;
    printf("stories in which it was drawn, and acted:\n");
    for (unsigned i = 0; swarm_tally_name(i); i++, column = (column + 1) % TALLY_COLUMNS)
        printf("  %-24s %6" PRIu64 " %6" PRIu64 "%s", swarm_tally_name(i), run->drawn[i], run->acted[i],
               column + 1 == TALLY_COLUMNS ? "\n" : "");
    if (column)
        printf("\n");
}

int sim_swarm_main(int argc, char **argv)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct swarm_run run = {.from = 1,
                            .count = 1,
                            .jobs = cores > JOBS_MAX ? JOBS_MAX
                                    : cores > 1      ? (unsigned)cores
                                                     : 1};
    int stop = parse_options(argc, argv, &run);
    if (stop)
        return stop - 1;
    if (run.write)
        return write_story(&run);
    if (run.capture)
        mkdir(run.capture, 0777); /* where that fails, the report of a failure says so */
    int status = play_all(&run);
    if (run.verbose || run.count >= TALLY_FROM)
        print_tally(&run);
    printf("swarm: %" PRIu64 " passed, %" PRIu64 " failed; seeds %" PRIu64 " to %" PRIu64 ", %" PRIu64
           " hand-overs of packets, trace %016" PRIx64 "\n",
           run.passed, run.failed, run.from, run.from + run.count - 1, run.hops, run.trace);
    return status;
}
