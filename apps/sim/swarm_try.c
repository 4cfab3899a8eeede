#include "sim/swarm_try.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void play(const struct swarm_plan *plan, const char *capture, bool quiet, int fd)
{
    struct swarm_verdict verdict;
    int nowhere = quiet ? open("/dev/null", O_WRONLY | O_CLOEXEC) : -1;
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    alarm(SWARM_TRY_SECONDS);
    swarm_play(plan, capture, &verdict);
    ssize_t n = write(fd, &verdict, sizeof verdict); /* less than PIPE_BUF: whole or not at all */
    _exit(n == sizeof verdict ? 0 : 1);
}

int swarm_try_start(struct swarm_try *t, const struct swarm_plan *plan, const char *capture, bool quiet)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return -errno;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        play(plan, capture, quiet, fds[1]);
    }
    int error = errno;
    close(fds[1]);
    if (pid < 0) {
        close(fds[0]);
        return -error;
    }
    *t = (struct swarm_try){pid, fds[0], plan->seed};
    return 0;
}

static void explain_death(int status, struct swarm_verdict *verdict)
{
    *verdict = (struct swarm_verdict){0};
    snprintf(verdict->rule, sizeof verdict->rule, "no-crash");
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        snprintf(verdict->story, sizeof verdict->story, "it did not end within %d s", SWARM_TRY_SECONDS);
    else if (WIFSIGNALED(status))
        snprintf(verdict->story, sizeof verdict->story, "it died of signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(verdict->story, sizeof verdict->story, "it ended with status %d", WEXITSTATUS(status));
}

void swarm_try_finish(struct swarm_try *t, struct swarm_verdict *verdict)
{
    int status = 0;
    ssize_t n;
    do
        n = read(t->fd, verdict, sizeof *verdict);
    while (n < 0 && errno == EINTR);
    close(t->fd);
    while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (n != sizeof *verdict || status != 0)
        explain_death(status, verdict);
    t->pid = 0;
}
