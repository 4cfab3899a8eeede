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
    sem_t *begun; /* NULL: nobody wants to know */
    sem_t *wait;  /* for this, before it is worked off; or NULL */
    unsigned number;
    bool worked, done;
};

static unsigned worked; /* so far */

static void work(struct aside_job *job)
{
    struct errand *e = HW_CONTAINER(job, struct errand, job);
    if (e->begun)
        sem_post(e->begun);
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
        assert_int_equal(aside_do(a, &errands[i].job, 0), 0);
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

/* However many jobs one user hands over, another one's next is done after one of them. */
static void users_take_turns(void **state)
{
    static const struct {
        uid_t user;
        unsigned turn;
    } order[] = {{7, 1}, {7, 4}, {7, 6}, {7, 7}, {8, 2}, {8, 5}, {ASIDE_NO_USER, 3}};
    (void)state;
    sd_event *loop;
    struct aside *a;
    struct errand first, errands[HW_ARRAY_LEN(order)];
    sem_t begun, wait;
    sem_init(&begun, 0, 0);
    sem_init(&wait, 0, 0);
    assert_true(sd_event_new(&loop) >= 0);
    assert_int_equal(aside_new(loop, &a), 0);
    worked = 0;
    first = (struct errand){.job = {.work = work, .done = done}, .begun = &begun, .wait = &wait};
    assert_int_equal(aside_do(a, &first.job, 7), 0);
    sem_wait(&begun);
    for (size_t i = 0; i < HW_ARRAY_LEN(order); i++) {
        errands[i] = (struct errand){.job = {.work = work, .done = done}, .number = order[i].turn};
        assert_int_equal(aside_do(a, &errands[i].job, order[i].user), 0);
    }
    sem_post(&wait);
    while (!errands[3].done)
        assert_true(sd_event_run(loop, 10000000) > 0);
    assert_int_equal(worked, 1 + HW_ARRAY_LEN(order));
    aside_end(a);
    sd_event_unref(loop);
    sem_destroy(&begun);
    sem_destroy(&wait);
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
        cmocka_unit_test(users_take_turns),
        cmocka_unit_test(the_loop_does_not_wait),
        cmocka_unit_test(what_was_not_begun_is_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
