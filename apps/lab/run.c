/*
 * The processes: this one watches; its child builds the stage and then is the network; the ends are children of that
 * one, each in its namespace. Each dies with its parent, and the namespaces with the last of them.
 */
#include "run.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/units.h"
#include "lab/command_end.h"
#include "lab/emulator.h"
#include "lab/hawser_end.h"
#include "lab/in_process.h"
#include "lab/kernel_end.h"
#include "lab/topology.h"
#include "run/system.h"

#define WATCH_NS (100 * NS_PER_MS)
/* What the other end gets to report after one has failed. */
#define GRACE_NS (2 * NS_PER_S)

static volatile sig_atomic_t interrupted;

static void on_signal(int signal) { interrupted = signal; }

struct run *run_new(void)
{
    struct run *run = mmap(NULL, sizeof(*run), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (run == MAP_FAILED)
        return NULL;
    for (enum lab_side side = LAB_CLIENT; side < LAB_SIDES; side++)
        run->output[side] = memfd_create(lab_side_name(side), MFD_CLOEXEC);
    if (run->output[LAB_CLIENT] >= 0 && run->output[LAB_SERVER] >= 0)
        return run;
    run_free(run);
    return NULL;
}

void run_free(struct run *run)
{
    for (unsigned side = 0; side < LAB_SIDES; side++) {
        if (run->output[side] >= 0)
            close(run->output[side]);
    }
    munmap(run, sizeof(*run));
}

static bool stopped(const struct run *run) { return atomic_load_explicit(&run->shared.stop, memory_order_relaxed); }

static void nap(uint64_t ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
    nanosleep(&time, NULL);
}

/* `parent` may have died before the wish was heard. */
static void die_with_parent(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILURE);
    signal(SIGINT, SIG_IGN); /* the watcher decides */
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

/* ---- an end ---- */

struct end {
    struct run *run;
    enum lab_side side;
};

static void report(void *ctx, struct lab_result *result)
{
    struct end *end = ctx;
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    result->cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    end->run->results[end->side] = *result;
    atomic_store(&end->run->reported[end->side], true);
}

static void end_main(struct run *run, const struct lab_options *o, const struct topology *t, enum lab_side side,
                     pid_t parent)
{
    struct end end = {run, side};
    struct lab_result result = {.mismatch_at = UINT64_MAX};
    die_with_parent(parent);
    if (setns(t->netns[side], CLONE_NEWNET) != 0) {
        snprintf(result.why, sizeof(result.why), "cannot enter the namespace: %s", strerror(errno));
        report(&end, &result);
        return;
    }
    /* The server first, so that the client's first SYN meets it. */
    while (side == LAB_CLIENT && lab_phase(&run->shared.ends[LAB_SERVER]) < LAB_WAITING && !stopped(run) &&
           !atomic_load(&run->reported[LAB_SERVER]))
        nap(NS_PER_MS);
    if (lab_has_commands(o)) {
        command_end_run(o, side, &run->shared, &result, run->output[side]);
        report(&end, &result);
    } else if (o->ends[side].stack == LAB_HAWSER) {
        hawser_end_run(o, side, &run->shared, &result, report, &end);
    } else {
        kernel_end_run(o, side, &run->shared, &result);
        report(&end, &result);
    }
}

/* ---- the stage ---- */

static pid_t start_end(struct run *run, const struct lab_options *o, const struct topology *t, enum lab_side side)
{
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        end_main(run, o, t, side, parent);
        _exit(0);
    }
    return pid;
}

static void in_process_main(struct run *run, const struct lab_options *o, pid_t parent)
{
    struct lab_result results[LAB_SIDES] = {{.mismatch_at = UINT64_MAX}, {.mismatch_at = UINT64_MAX}};
    die_with_parent(parent);
    if (in_process_run(o, &run->shared, results, run->why) != 0) {
        atomic_store(&run->refused, true);
        return;
    }
    for (enum lab_side side = LAB_CLIENT; side < LAB_SIDES; side++) {
        struct end end = {run, side};
        report(&end, &results[side]);
    }
}

static void stage_main(struct run *run, const struct lab_options *o, pid_t parent)
{
    struct topology t;
    pid_t ends[LAB_SIDES];
    die_with_parent(parent);
    if (topology_build(&t, o, run->why) != 0) {
        atomic_store(&run->refused, true);
        return;
    }
    die_with_parent(parent); /* a change of credentials forgets the wish */
    for (enum lab_side side = LAB_CLIENT; side < LAB_SIDES; side++)
        ends[side] = start_end(run, o, &t, side);
    if (o->direct) {
        while (!stopped(run))
            nap(10 * NS_PER_MS);
    } else if (emulator_run(o, &t, &run->shared, run->why) != 0) {
        atomic_store(&run->refused, true);
    }
    for (unsigned side = 0; side < LAB_SIDES; side++) {
        if (ends[side] > 0) {
            kill(ends[side], SIGKILL);
            waitpid(ends[side], NULL, 0);
        }
    }
}

/* ---- the watcher ---- */

static bool reported(const struct run *run, enum lab_side side) { return atomic_load(&run->reported[side]); }

static bool failed(const struct run *run, enum lab_side side) { return reported(run, side) && !run->results[side].ok; }

/* A server's command need not end. */
static bool all_reported(const struct run *run, const struct lab_options *o)
{
    return reported(run, LAB_CLIENT) && (reported(run, LAB_SERVER) || lab_has_commands(o));
}

static enum run_end watch_over(struct run *run, const struct lab_options *o, pid_t stage, run_watch *watch, void *ctx)
{
    uint64_t give_up_ns = system_now() + o->timeout_ns, grace_until_ns = UINT64_MAX;
    for (;;) {
        uint64_t now_ns = system_now();
        if (interrupted)
            return RUN_INTERRUPTED;
        if (atomic_load(&run->refused))
            return RUN_REFUSED;
        watch(ctx, run, now_ns);
        if (all_reported(run, o))
            return failed(run, LAB_CLIENT) || failed(run, LAB_SERVER) ? RUN_FAILED : RUN_DONE;
        if (grace_until_ns == UINT64_MAX && (failed(run, LAB_CLIENT) || failed(run, LAB_SERVER)))
            grace_until_ns = now_ns + GRACE_NS;
        if (now_ns > grace_until_ns || waitpid(stage, NULL, WNOHANG) == stage)
            return atomic_load(&run->refused) ? RUN_REFUSED : RUN_FAILED;
        if (now_ns > give_up_ns)
            return RUN_TIMED_OUT;
        nap(reported(run, LAB_CLIENT) || reported(run, LAB_SERVER) ? NS_PER_MS : WATCH_NS);
    }
}

enum run_end run_execute(struct run *run, const struct lab_options *o, run_watch *watch, void *ctx)
{
    struct sigaction action = {.sa_handler = on_signal}, before[3];
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (unsigned i = 0; i < 3; i++)
        sigaction(signals[i], &action, &before[i]);
    if (before[2].sa_handler == SIG_IGN) /* nohup */
        sigaction(SIGHUP, &before[2], NULL);
    fflush(NULL);
    pid_t watcher = getpid(), stage = fork();
    if (stage == 0) {
        if (o->in_process)
            in_process_main(run, o, watcher);
        else
            stage_main(run, o, watcher);
        _exit(0);
    }
    enum run_end end = RUN_FAILED;
    if (stage > 0) {
        end = watch_over(run, o, stage, watch, ctx);
        atomic_store(&run->shared.stop, true);
        waitpid(stage, NULL, 0);
    } else {
        snprintf(run->why, sizeof(run->why), "cannot start a process: %s", strerror(errno));
    }
    for (unsigned i = 0; i < 3; i++)
        sigaction(signals[i], &before[i], NULL);
    return end;
}
