#include "service/aside.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct aside {
    pthread_t thread;
    bool running; /* there is a thread */
    sd_event_source *source;
    int ready_fd;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    struct list waiting; /* one of each user: a round of them, */
    struct list later;   /* and what else they have handed over */
    struct list finished;
    bool over;
};

static struct aside_job *take_first(struct list *jobs)
{
    struct list *first = list_first(jobs);
    if (first)
        list_remove(first);
    return first ? LIST_ENTRY(first, struct aside_job, link) : NULL;
}

static struct aside_job *find_job_of(const struct list *jobs, uid_t user)
{
    LIST_EACH (it, jobs) {
        struct aside_job *job = LIST_ENTRY(it, struct aside_job, link);
        if (job->user == user)
            return job;
    }
    return NULL;
}

static struct aside_job *take_next(struct aside *a)
{
    struct aside_job *job = take_first(&a->waiting);
    struct aside_job *another = job ? find_job_of(&a->later, job->user) : NULL;
    if (another)
        list_move_back(&a->waiting, &another->link);
    return job;
}

static void *serve(void *user)
{
    struct aside *a = user;
    const uint64_t one = 1;
    pthread_mutex_lock(&a->lock);
    while (!a->over) {
        struct aside_job *job = take_next(a);
        if (!job) {
            pthread_cond_wait(&a->changed, &a->lock);
            continue;
        }
        pthread_mutex_unlock(&a->lock);
        job->work(job);
        pthread_mutex_lock(&a->lock);
        list_push_back(&a->finished, &job->link);
        ssize_t n = write(a->ready_fd, &one, sizeof(one));
        (void)n; /* it is readable already */
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static struct aside_job *take_finished(struct aside *a)
{
    pthread_mutex_lock(&a->lock);
    struct aside_job *job = take_first(&a->finished);
    pthread_mutex_unlock(&a->lock);
    return job;
}

static int heard(sd_event_source *source, int fd, uint32_t events, void *user)
{
    struct aside *a = user;
    uint64_t count;
    (void)source;
    (void)events;
    ssize_t n = read(fd, &count, sizeof(count));
    (void)n;
    for (struct aside_job *job; (job = take_finished(a));)
        job->done(job);
    return 0;
}

int aside_new(sd_event *loop, struct aside **out)
{
    struct aside *a = calloc(1, sizeof *a);
    if (!a)
        return -ENOMEM;
    list_init(&a->waiting);
    list_init(&a->later);
    list_init(&a->finished);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->changed, NULL);
    a->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = a->ready_fd < 0 ? -errno : sd_event_add_io(loop, &a->source, a->ready_fd, EPOLLIN, heard, a);
    if (error < 0) {
        aside_end(a);
        return error;
    }
    *out = a;
    return 0;
}

int aside_do(struct aside *a, struct aside_job *job, uid_t user)
{
    if (!a->running) {
        int error = pthread_create(&a->thread, NULL, serve, a);
        if (error)
            return -error;
        a->running = true;
    }
    job->skipped = false;
    job->user = user;
    pthread_mutex_lock(&a->lock);
    list_push_back(find_job_of(&a->waiting, user) ? &a->later : &a->waiting, &job->link);
    pthread_cond_signal(&a->changed);
    pthread_mutex_unlock(&a->lock);
    return 0;
}

void aside_end(struct aside *a)
{
    if (!a)
        return;
    if (a->running) {
        pthread_mutex_lock(&a->lock);
        a->over = true;
        pthread_cond_signal(&a->changed);
        pthread_mutex_unlock(&a->lock);
        pthread_join(a->thread, NULL);
    }
    for (struct aside_job *job; (job = take_first(&a->finished));)
        job->done(job);
    for (struct aside_job *job; (job = take_next(a));) {
        job->skipped = true;
        job->done(job);
    }
    sd_event_source_disable_unref(a->source);
    if (a->ready_fd >= 0)
        close(a->ready_fd);
    pthread_cond_destroy(&a->changed);
    pthread_mutex_destroy(&a->lock);
    free(a);
}
