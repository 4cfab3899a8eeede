#include "command_end.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab/topology.h"
#include "run/system.h"

enum { COMMAND_TICK_US = 10000, COMMAND_NO_SHELL = 127 };

static void command_export(const struct lab_options *o, enum lab_side side, const char *name)
{
    char value[LAB_PATHS * (HAWSER_ADDR_STRLEN + 1)] = "", text[HAWSER_ADDR_STRLEN];
    size_t used = 0;
    for (unsigned i = 0; i < lab_address_count(o, side); i++) {
        struct hawser_addr addr = lab_address(o, side, i);
        used += (size_t)snprintf(value + used, sizeof(value) - used, "%s%s", i ? " " : "",
                                 hawser_addr_format(&addr, text, sizeof(text)));
    }
    setenv(name, value, 1);
}

static void command_exec(const struct lab_options *o, enum lab_side side, int output)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        signal(signals[i], SIG_DFL);
    command_export(o, LAB_CLIENT, "HAWSER_LAB_CLIENT");
    command_export(o, LAB_SERVER, "HAWSER_LAB_SERVER");
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    setsid(); /* the terminal is the watcher's */
    execl("/bin/sh", "sh", "-c", o->commands[side], (char *)NULL);
    _exit(COMMAND_NO_SHELL);
}

/* The first process of a process namespace: the others die with it. Ends as the command does. */
static void command_init(const struct lab_options *o, enum lab_side side, int output)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    /* For who asks /proc; where that is refused it shows the processes outside. */
    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        mount("proc", "/proc", "proc", 0, NULL) != 0)
        errno = 0;
    pid_t shell = fork();
    if (shell == 0)
        command_exec(o, side, output);
    for (;;) {
        int status;
        pid_t ended = wait(&status);
        if (ended < 0 && errno != EINTR)
            _exit(EXIT_FAILURE);
        if (ended == shell && !WIFSTOPPED(status))
            _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    }
}

/* Its exit status; or -1: the run was over before. */
static int command_wait(pid_t init, const struct lab_shared *shared)
{
    int status;
    while (!atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        if (waitpid(init, &status, WNOHANG) == init)
            return WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
        usleep(COMMAND_TICK_US);
    }
    kill(init, SIGKILL);
    waitpid(init, NULL, 0);
    return -1;
}

void command_end_run(const struct lab_options *o, enum lab_side side, struct lab_shared *shared,
                     struct lab_result *result, int output)
{
    pid_t init = -1;
    if (unshare(CLONE_NEWPID) == 0)
        init = fork();
    if (init == 0)
        command_init(o, side, output);
    if (init < 0) {
        snprintf(result->why, sizeof(result->why), "cannot start its command (%s): run as root", strerror(errno));
        return;
    }
    lab_set_phase(&shared->ends[side], LAB_WAITING);
    if (side == LAB_CLIENT)
        lab_set(&shared->start_ns, system_now());
    int status = command_wait(init, shared);
    lab_set_phase(&shared->ends[side], LAB_FINISHED);
    result->ok = status == EXIT_SUCCESS;
    if (status > 0)
        snprintf(result->why, sizeof(result->why), "its command ended with exit status %d", status);
}
