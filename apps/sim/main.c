/* hawser sim: plays a scenario file in simulated time, or a swarm of random stories. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "commands.h"
#include "lab/values.h"
#include "sim/explore_main.h"
#include "sim/judges/judges.h"
#include "sim/recorder.h"
#include "sim/report.h"
#include "sim/stage.h"
#include "sim/swarm_main.h"

enum { SETS_MAX = 64, WHY_SIZE = 1024 };

struct sim_options {
    const char *path, *pcap_dir;
    const char *sets[SETS_MAX];
    size_t set_count;
    uint64_t seed;
    bool has_seed, json, list;
};

static void print_usage(FILE *out)
{
    fprintf(out, "usage: hawser sim SCENARIO.toml [--seed N] [--json] [--pcap DIR] [--set KEY=VALUE]...\n"
                 "       hawser sim --swarm N [--from SEED] [--jobs N] [--only FAULT,...] [--pcap DIR] [--verbose]\n"
                 "       hawser sim --explore SCENARIO.toml [--point POINT] [--packets N] [--deviations N] [--jobs N]\n"
                 "       hawser sim --list\n\n"
                 "Plays a scenario of hosts, links, middleboxes and workloads in simulated time, under judges.\n\n"
                 "  --seed N         what decides everything random (default: the file's, or 1)\n"
                 "  --json           report as JSON\n"
                 "  --pcap DIR       write what the hosts send and receive to DIR/NAME.pcapng\n"
                 "  --set KEY=VALUE  change the scenario: duration=5s, link.path0.rate=20mbit, workload.bulk.bytes=1m\n"
                 "  --swarm N        play N random stories instead; hawser sim --swarm 1 --help tells more\n"
                 "  --explore FILE   play FILE with every few of its packets going otherwise; --explore FILE --help\n"
                 "  --list           the kinds of middleboxes and workloads\n\n"
                 "Exit status: 0, 1 when a rule was broken, 2 when command line or file make no sense.\n");
}

static int print_kinds(void)
{
    printf("middleboxes ([[box]] kind = ...)\n");
    for (const struct box_kind *kind = box_kinds(); kind->name; kind++)
        printf("  %-18s %s\n", kind->name, kind->summary);
    printf("workloads ([[workload]] kind = ...)\n");
    for (const struct workload_kind *kind = workload_kinds(); kind->name; kind++)
        printf("  %-18s %s\n", kind->name, kind->summary);
    return EXIT_SUCCESS;
}

#define usage_error(...) command_misused("sim", __VA_ARGS__)

/* -1: go on; else the exit status. */
static int read_options(struct sim_options *o, int argc, char **argv)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"json", no_argument, NULL, 'j'},
        {"pcap", required_argument, NULL, 'p'},
        {"set", required_argument, NULL, 'S'},
        {"list", no_argument, NULL, 'l'},
        {"help", no_argument, NULL, 'h'},
        {0},
    };
    optind = 1;
    for (int c; (c = command_next_option(argc, argv, "", options)) != -1;) {
        if (c == 'h') {
            print_usage(stdout);
            return EXIT_SUCCESS;
        }
        if (c == 's' && !(o->has_seed = value_number(optarg, &o->seed)))
            return usage_error("--seed \"%s\": write a number", optarg);
        if (c == 'S' && o->set_count == SETS_MAX)
            return usage_error("--set \"%s\": too many of them", optarg);
        if (c == 'S')
            o->sets[o->set_count++] = optarg;
        if (c == 'p')
            o->pcap_dir = optarg;
        if (c == '?')
            return usage_error("unknown option or missing value in \"%s\"", argv[optind - 1]);
        o->json |= c == 'j';
        o->list |= c == 'l';
    }
    if (o->list)
        return print_kinds();
    if (optind == argc)
        return usage_error("no scenario: name a file");
    if (optind + 1 < argc)
        return usage_error("\"%s\": one scenario at a time", argv[optind + 1]);
    o->path = argv[optind];
    return -1;
}

/* The part of the scenario's path that is its own. */
static void capture_path(const struct sim_options *o, char *path, size_t size)
{
    const char *slash = strrchr(o->path, '/'), *name = slash ? slash + 1 : o->path;
    size_t len = strcspn(name, ".");
    snprintf(path, size, "%s/%.*s.pcapng", o->pcap_dir, (int)len, name);
}

static bool add_recorder(const struct sim_options *o, struct stage *stage, int *err)
{
    char path[4096];
    if (!o->pcap_dir)
        return true;
    mkdir(o->pcap_dir, 0777); /* where that fails, opening the file says so */
    capture_path(o, path, sizeof path);
    struct watcher *recorder = recorder_new(path, err);
    if (recorder) {
        stage_watch(stage, recorder);
        return true;
    }
    fprintf(stderr, "hawser sim: %s: %s\n", path, strerror(-*err));
    return false;
}

static double real_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int play(const struct sim_options *o, const struct scenario_file *file, struct stage *stage)
{
    int err = 0, status = EXIT_FAILURE;
    stage_init(stage, &file->scenario, file->seed);
    stage_watch(stage, judges_new());
    if (add_recorder(o, stage, &err)) {
        double start = real_seconds();
        stage_run(stage);
        struct report *report = report_new(stage, file, real_seconds() - start);
        bool good = stage_close(stage);
        if (report && report_print(report, stage, o->json, stdout) == 0 && good)
            status = EXIT_SUCCESS;
        if (report)
            report_free(report);
    } else {
        stage_close(stage);
    }
    stage_fini(stage);
    if (status == EXIT_SUCCESS && err < 0) {
        fprintf(stderr, "hawser sim: the capture is not whole: %s\n", strerror(-err));
        status = EXIT_FAILURE;
    }
    return status;
}

/* Is the option there, in either way of writing its value? */
static bool wants(const char *option, int argc, char **argv)
{
    size_t len = strlen(option);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], option, len) == 0 && (argv[i][len] == '\0' || argv[i][len] == '='))
            return true;
    return false;
}

int sim_main(int argc, char **argv)
{
    struct sim_options o = {0};
    struct scenario_file file;
    char why[WHY_SIZE];
    if (wants("--swarm", argc, argv))
        return sim_swarm_main(argc, argv);
    if (wants("--explore", argc, argv))
        return sim_explore_main(argc, argv);
    int status = read_options(&o, argc, argv);
    if (status >= 0)
        return status;
    struct stage *stage = malloc(sizeof *stage);
    if (!stage) {
        fprintf(stderr, "hawser sim: no memory: free some and try again\n");
        return EXIT_FAILURE;
    }
    if (scenario_file_read(&file, o.path, o.sets, o.set_count, o.has_seed ? &o.seed : NULL, why, sizeof why)) {
        status = play(&o, &file, stage);
    } else {
        fprintf(stderr, "%s\n", why);
        status = EXIT_USAGE;
    }
    scenario_file_free(&file);
    free(stage);
    return status;
}
