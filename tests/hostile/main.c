/* Runs attackers against a stack and says how it stood. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "judge.h"
#include "known.h"

static const struct attacker *const tables[] = {attackers_handshakes, attackers_acks};

struct run {
    struct known known;
    uint64_t seed;
    unsigned passed, failed, known_faults;
    uint64_t packets;
};

static void show_bars(struct run *run, const char *name, const struct verdict *v, bool *right)
{
    *right = true;
    for (unsigned i = 0; i < BAR_TOTAL; i++) {
        enum bar bar = (enum bar)i;
        bool known = known_has(&run->known, name, bar);
        if (v->met[i] && !known)
            continue;
        if (!v->met[i] && known) {
            printf("    known fault, %s: %s\n", bar_name(bar), v->why[i]);
            run->known_faults++;
            continue;
        }
        *right = false;
        printf("    FAILED, %s: %s\n", bar_name(bar), known ? "it comes right: take it off the list" : v->why[i]);
    }
}

static void judge(struct run *run, const struct attacker *by)
{
    static struct verdict v;
    bool right;
    printf("%-20s %s\n", by->name, by->does);
    judge_attack(by, run->seed, &v);
    show_bars(run, by->name, &v, &right);
    printf("    %s: %" PRIu64 " packets of %.1f ordinary ones each, the worst %.1f; %" PRIu64 " KiB at most\n",
           right ? "ok" : "FAILED", v.packets, v.cost, v.worst, v.peak_bytes >> 10);
    run->passed += right;
    run->failed += !right;
    run->packets += v.packets;
}

static bool chosen(const char *name, char **names)
{
    for (char **n = names; *n; n++)
        if (strcmp(*n, name) == 0)
            return true;
    return !*names;
}

static void list_unseen(struct run *run)
{
    for (unsigned i = 0; i < run->known.count; i++) {
        const struct known_fault *fault = &run->known.faults[i];
        if (fault->seen)
            continue;
        printf("%s: FAILED, on the list of known faults, but there is none of that name\n", fault->name);
        run->failed++;
    }
}

static int usage(void)
{
    fputs("usage: hostile [--known FILE] [--seed N] [ATTACKER...]\n", stderr);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct run run = {.seed = 1};
    char **arg = argv + 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (; *arg && strncmp(*arg, "--", 2) == 0; arg += 2) {
        if (!arg[1])
            return usage();
        if (strcmp(*arg, "--seed") == 0)
            run.seed = strtoull(arg[1], NULL, 0);
        else if (strcmp(*arg, "--known") != 0 || !known_read(&run.known, arg[1]))
            return usage();
    }
    (void)argc;
    for (unsigned i = 0; i < HW_ARRAY_LEN(tables); i++)
        for (const struct attacker *by = tables[i]; by->name; by++)
            if (chosen(by->name, arg))
                judge(&run, by);
    if (!*arg)
        list_unseen(&run);
    if (run.known_faults)
        printf("hostile: %u known faults\n", run.known_faults);
    printf("hostile: %" PRIu64 " hostile packets\n", run.packets);
    printf("hostile: %u passed, %u failed\n", run.passed, run.failed);
    return run.failed || !run.passed ? EXIT_FAILURE : EXIT_SUCCESS;
}
