#include "sim/explore_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim/explore_story.h"
#include "sim/judges/judges.h"
#include "sim/recorder.h"

/* A process that plays, and the others it began. */
struct player {
    const struct explore_plan *plan;
    struct explored_story story; /* so far */
    unsigned points;
    int verdicts;  /* written to */
    int tokens[2]; /* a pipe with a byte for each process that may run beside those that do */
    bool has_token;
    struct child {
        pid_t pid; /* 0: none */
        bool has_token;
        struct explored_story story;
    } children[EXPLORE_JOBS_MAX]; /* those that run beside it */
};

static void tell(const struct player *p, const struct explore_verdict *verdict)
{
    ssize_t n = write(p->verdicts, verdict, sizeof *verdict); /* less than PIPE_BUF: whole or not at all */
    if (n != sizeof *verdict)
        _exit(EXIT_FAILURE);
}

static bool take_token(const struct player *p)
{
    char token;
    return read(p->tokens[0], &token, 1) == 1;
}

static void return_token(const struct player *p)
{
    if (write(p->tokens[1], "", 1) != 1)
        _exit(EXIT_FAILURE);
}

/* The processor's time, which what the process waits for does not use up, and which begins anew with each fork. */
static void set_watchdog(void)
{
    const struct itimerval limit = {.it_value = {.tv_sec = EXPLORE_STORY_SECONDS}};
    setitimer(ITIMER_PROF, &limit, NULL);
}

static void explain_death(int status, const struct explored_story *story, struct explore_verdict *verdict)
{
    *verdict = (struct explore_verdict){.story = *story, .rule = "no-crash"};
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGPROF)
        snprintf(verdict->text, sizeof verdict->text, "it did not end within %d s", EXPLORE_STORY_SECONDS);
    else if (WIFSIGNALED(status))
        snprintf(verdict->text, sizeof verdict->text, "it died of signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(verdict->text, sizeof verdict->text, "it ended with status %d", WEXITSTATUS(status));
}

/* Waits for a child; false: there was nothing to wait for yet. */
static bool reap(const struct player *p, const struct child *child, int options)
{
    int status = 0;
    pid_t pid;
    do
        pid = waitpid(child->pid, &status, options);
    while (pid < 0 && errno == EINTR);
    if (pid == 0)
        return false;
    if (status) {
        struct explore_verdict verdict;
        explain_death(status, &child->story, &verdict);
        tell(p, &verdict);
        if (child->has_token)
            return_token(p);
    }
    return true;
}

/* Room for a child that runs beside this process; NULL: none. */
static struct child *free_child(struct player *p)
{
    struct child *found = NULL;
    for (unsigned i = 0; i < p->plan->jobs; i++) {
        struct child *child = &p->children[i];
        if (child->pid && reap(p, child, WNOHANG))
            child->pid = 0;
        if (!child->pid)
            found = child;
    }
    return found;
}

static void add_step(struct explored_story *story, const struct explored_packet *packet, enum deviation what)
{
    story->point = packet->point;
    story->steps[story->count++] = (struct explored_step){packet->number, what};
}

/* In the child: another story from here on. */
static void become(struct player *p, const struct child *child)
{
    memset(p->children, 0, sizeof p->children);
    p->story = child->story;
    p->has_token = child->has_token;
    set_watchdog();
}

/* True in the child. The parent goes on at once when a processor is free, else after the child and its children. */
static bool branch(struct player *p, const struct explored_packet *packet, enum deviation what)
{
    struct child child = {.story = p->story}, *beside = free_child(p);
    add_step(&child.story, packet, what);
    child.has_token = beside && take_token(p);
    child.pid = fork();
    if (child.pid == 0) {
        become(p, &child);
        return true;
    }
    if (child.pid < 0)
        _exit(EXIT_FAILURE);
    if (child.has_token)
        *beside = child;
    else
        reap(p, &child, 0);
    return false;
}

/* What the only story says of the packet. */
static enum deviation named(struct player *p, const struct explored_packet *packet)
{
    const struct explored_story *only = p->plan->only;
    enum deviation what = DEVIATE_NOT;
    for (unsigned i = 0; i < only->count; i++)
        if (only->steps[i].number == packet->number && packet->deviations >> only->steps[i].what & 1)
            what = only->steps[i].what;
    if (what != DEVIATE_NOT)
        add_step(&p->story, packet, what);
    print_explored_packet(packet, what);
    return what;
}

static enum deviation choose(void *ctx, const struct explored_packet *packet)
{
    struct player *p = ctx;
    p->points |= 1u << packet->point;
    if (p->plan->only)
        return named(p, packet);
    for (unsigned what = DEVIATE_LOSE; what < DEVIATIONS && p->story.count < p->plan->deviations; what++)
        if (packet->deviations >> what & 1 && branch(p, packet, (enum deviation)what))
            return (enum deviation)what;
    return DEVIATE_NOT;
}

/* Plays, and comes back in each process, with the story that has become its own. */
static void play(struct player *p, struct explore_verdict *verdict)
{
    const struct explore_plan *plan = p->plan;
    const struct explorer_options options = {plan->points, plan->packets, choose, p};
    struct stage *stage = malloc(sizeof *stage);
    if (!stage)
        _exit(EXIT_FAILURE);
    stage_init(stage, plan->scenario, plan->seed);
    stage_watch(stage, judges_new());
    struct watcher *recorder = plan->capture ? recorder_new(plan->capture, &verdict->capture_err) : NULL;
    if (recorder)
        stage_watch(stage, recorder);
    stage_watch(stage, explorer_new(&options));
    if (plan->prepare)
        plan->prepare(stage, plan->ctx);
    stage_run(stage);
    verdict->good = stage_close(stage);
    snprintf(verdict->rule, sizeof verdict->rule, "%s", stage->world.first_rule);
    snprintf(verdict->text, sizeof verdict->text, "%s", stage->world.first_story);
    verdict->trace = stage->world.trace;
    if (recorder)
        stage_fini(stage); /* which closes the capture; all else goes with the process */
}

_Noreturn static void run(struct player *p)
{
    struct explore_verdict verdict = {.capture_err = 0};
    set_watchdog();
    play(p, &verdict);
    verdict.story = p->story;
    verdict.points = p->story.count ? 0 : p->points;
    tell(p, &verdict);
    for (unsigned i = 0; i < p->plan->jobs; i++)
        if (p->children[i].pid)
            reap(p, &p->children[i], 0);
    if (p->has_token)
        return_token(p);
    _exit(EXIT_SUCCESS);
}

/* What a story that crashes has to say is for its replay. */
static void silence(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
}

int explore_tree_start(struct explore_tree *tree, const struct explore_plan *plan)
{
    struct player p = {.plan = plan};
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    if (pipe2(p.tokens, O_CLOEXEC | O_NONBLOCK) < 0) {
        int error = errno;
        close(fds[0]);
        close(fds[1]);
        return -error;
    }
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        p.verdicts = fds[1];
        if (!plan->only)
            silence();
        for (unsigned i = 1; i < plan->jobs; i++)
            return_token(&p);
        run(&p);
    }
    int error = errno;
    close(p.tokens[0]);
    close(p.tokens[1]);
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -error;
    }
    *tree = (struct explore_tree){pid, fds[0]};
    return 0;
}

bool explore_tree_next(struct explore_tree *tree, struct explore_verdict *verdict)
{
    int status = 0;
    ssize_t n;
    do
        n = tree->pid ? read(tree->fd, verdict, sizeof *verdict) : 0;
    while (n < 0 && errno == EINTR);
    if (n == sizeof *verdict)
        return true;
    if (!tree->pid)
        return false;
    close(tree->fd);
    while (waitpid(tree->pid, &status, 0) < 0 && errno == EINTR)
        ;
    tree->pid = 0;
    if (status)
        explain_death(status, &(struct explored_story){.count = 0}, verdict);
    return status != 0;
}
