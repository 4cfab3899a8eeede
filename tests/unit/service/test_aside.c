/* Work beside the loop (apps/service/aside.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <semaphore.h>
#include <unistd.h>

#include "base/compiler.h"
#include "service/aside.h"

enum { JOBS = 20, WORK_US = 5000 };

struct errand {
    struct aside_job job;
    sem_t *wait; /* for this, before it is worked off; or NULL */
    unsigned number;
    bool worked, done;
};

static unsigned worked; /* so far */

static void work(struct aside_job *job)
{
    struct errand *e = HW_CONTAINER(job, struct errand, job);
    if (e->wait)
        sem_wait(e->wait);
    else
        usleep(WORK_US);
    assert_int_equal(e->number, worked);
    worked++;
    e->worked = true;
}

static void done(struct aside_job *job)
{
    struct errand *e = HW_CONTAINER(job, struct errand, job);
    assert_int_equal(e->worked, !job->skipped);
    e->done = true;
}

static void hand_over(struct aside *a, struct errand *errands, unsigned count, sem_t *wait)
{
    worked = 0;
    for (unsigned i = 0; i < count; i++) {
        errands[i] = (struct errand){.job = {.work = work, .done = done}, .wait = wait, .number = i};
        assert_int_equal(aside_do(a, &errands[i].job), 0);
    }
}

static void jobs_are_done_in_order(void **state)
{
    (void)state;
    sd_event *loop;
    struct aside *a;
    struct errand errands[JOBS];
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(aside_new(loop, &a), 0);
    for (unsigned round = 0; round < 3; round++) {
        hand_over(a, errands, JOBS, NULL);
        while (!errands[JOBS - 1].done)
            assert_true(sd_event_run(loop, 10000000) > 0);
        for (unsigned i = 0; i < JOBS; i++)
            assert_true(errands[i].done && !errands[i].job.skipped);
    }
    aside_end(a);
    sd_event_unref(loop);
}

static void the_loop_does_not_wait(void **state)
{
    (void)state;
    sd_event *loop;
    struct aside *a;
    struct errand errand;
    sem_t wait;
    sem_init(&wait, 0, 0);
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(aside_new(loop, &a), 0);
    hand_over(a, &errand, 1, &wait);
    assert_int_equal(sd_event_run(loop, 20000), 0);
    assert_false(errand.done);
    sem_post(&wait);
    while (!errand.done)
        assert_true(sd_event_run(loop, 10000000) > 0);
    aside_end(a);
    sd_event_unref(loop);
    sem_destroy(&wait);
}

static void what_was_not_begun_is_skipped(void **state)
{
    (void)state;
    sd_event *loop;
    struct aside *a;
    struct errand errands[JOBS];
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(aside_new(loop, &a), 0);
    hand_over(a, errands, JOBS, NULL);
    while (!errands[1].done)
        assert_true(sd_event_run(loop, 10000000) > 0);
    aside_end(a);
    for (unsigned i = 0; i < JOBS; i++) {
        assert_true(errands[i].done);
        assert_int_equal(errands[i].worked, i < worked);
    }
    assert_in_range(worked, 2, JOBS - 1);
    sd_event_unref(loop);
    aside_end(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_are_done_in_order),
        cmocka_unit_test(the_loop_does_not_wait),
        cmocka_unit_test(what_was_not_begun_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
