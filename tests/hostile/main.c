/* Runs attackers against a stack and says how it stood. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "judge.h"
#include "known.h"

static const struct attacker *const tables[] = {attackers_handshakes, attackers_acks, attackers_data, attackers_signals,
                                                attackers_strays};

struct run {
    struct known known;
    uint64_t seed, seconds;
    char **names; /* of those that are chosen; none: all */
    unsigned passed, failed, known_faults;
    uint64_t packets;
};

static bool show_bars(struct run *run, const char *name, const struct verdict *v, bool at_random)
{
    bool right = true;
    for (unsigned i = 0; i < BAR_TOTAL; i++) {
        enum bar bar = (enum bar)i;
        bool known = known_has(&run->known, name, bar);
        if (v->met[i] && (!known || at_random))
            continue;
        if (!v->met[i] && known) {
            printf("    known fault, %s: %s\n", bar_name(bar), v->why[i]);
            run->known_faults++;
            continue;
        }
        right = false;
        printf("    FAILED, %s: %s\n", bar_name(bar), known ? "it comes right: take it off the list" : v->why[i]);
    }
    return right;
}

static void judge(struct run *run, const struct attacker *by, uint64_t seed, bool at_random)
{
    static struct verdict v;
    printf("%-22s %s\n", by->name, by->does);
    judge_attack(by, seed, &v);
    bool right = show_bars(run, by->name, &v, at_random);
    printf("    %s: %" PRIu64 " packets of %.1f ordinary ones each, the worst %.1f; %" PRIu64 " KiB at most\n",
           right ? "ok" : "FAILED", v.packets, v.cost, v.worst, v.peak_bytes >> 10);
    if (!right)
        printf("    again: hostile --seed %" PRIu64 " %s\n", seed, by->name);
    run->passed += right;
    run->failed += !right;
    run->packets += v.packets;
}

static bool chosen(const struct run *run, const char *name)
{
    for (char **n = run->names; *n; n++)
        if (strcmp(*n, name) == 0)
            return true;
    return !*run->names;
}

static void judge_scripted(struct run *run)
{
    for (unsigned i = 0; i < HW_ARRAY_LEN(tables); i++)
        for (const struct attacker *by = tables[i]; by->name; by++)
            if (chosen(run, by->name))
                judge(run, by, run->seed, false);
}

/* Those who are known to do harm alone are left at home, unless it is what the mob is known for. */
static void invite(struct run *run, struct mob *mob)
{
    for (unsigned i = 0; i < HW_ARRAY_LEN(tables); i++)
        for (const struct attacker *by = tables[i]; by->name; by++) {
            bool harmful = false;
            for (unsigned bar = 0; bar < BAR_TOTAL; bar++)
                harmful |=
                    known_has(&run->known, by->name, (enum bar)bar) && !known_has(&run->known, "mob", (enum bar)bar);
            if (!harmful && mob->count < MOB_MAX)
                mob->members[mob->count++] = by;
        }
}

/* One seed after the other as long as there is time; with none, the one that was asked for. */
static void judge_mobs(struct run *run)
{
    static struct mob mob;
    time_t end = time(NULL) + (time_t)run->seconds;
    uint64_t seed = run->seed;
    invite(run, &mob);
    if (!chosen(run, "mob") || (!run->seconds && !*run->names))
        return;
    do {
        mob_gather(&mob, seed);
        printf("seed %" PRIu64 "\n", seed);
        judge(run, &mob.as_one, seed++, true);
    } while (time(NULL) < end);
    printf("hostile: %" PRIu64 " mobs of %u attackers\n", seed - run->seed, mob.count);
}

static void list_unseen(struct run *run)
{
    for (unsigned i = 0; i < run->known.count; i++) {
        const struct known_fault *fault = &run->known.faults[i];
        if (fault->seen || strcmp(fault->name, "mob") == 0)
            continue;
        printf("%s: FAILED, on the list of known faults, but there is none of that name\n", fault->name);
        run->failed++;
    }
}

static int usage(void)
{
    fputs("usage: hostile [--known FILE] [--seed N] [--seconds N] [ATTACKER...]\n"
          "Runs the attackers, or all of them, and mobs of them for so many seconds.\n",
          stderr);
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct run run = {.seed = 1};
    (void)argc;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (run.names = argv + 1; *run.names && strncmp(*run.names, "--", 2) == 0; run.names += 2) {
        const char *option = run.names[0], *value = run.names[1];
        if (value && strcmp(option, "--seed") == 0)
            run.seed = strtoull(value, NULL, 0);
        else if (value && strcmp(option, "--seconds") == 0)
            run.seconds = strtoull(value, NULL, 0);
        else if (!value || strcmp(option, "--known") != 0 || !known_read(&run.known, value))
            return usage();
    }
    judge_scripted(&run);
    judge_mobs(&run);
    if (!*run.names)
        list_unseen(&run);
    if (run.known_faults)
        printf("hostile: %u known faults\n", run.known_faults);
    printf("hostile: %" PRIu64 " hostile packets\n", run.packets);
    printf("hostile: %u passed, %u failed\n", run.passed, run.failed);
    return run.failed || !run.passed ? EXIT_FAILURE : EXIT_SUCCESS;
}
