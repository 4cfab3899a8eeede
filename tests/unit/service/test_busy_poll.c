/* When a service looks for packets before it sleeps (apps/service/busy_poll.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/units.h"
#include "service/busy_poll.h"

enum { PROCESSORS = 2 };

#define LONG_NS (10 * NS_PER_MS)
#define WORK_NS (25 * NS_PER_US)   /* between two waits */
#define ANSWER_NS (20 * NS_PER_US) /* a wait for what is nearby */
#define WAKING_NS (20 * NS_PER_US) /* on top of a wait that is slept */

static struct busy_poll poll;
static uint64_t now_ns;

static void setup(unsigned processors)
{
    now_ns = 1000 * NS_PER_S;
    busy_poll_init(&poll, processors);
}

/* Something comes after so long; whether somebody sleeps until then is what matters here. Returns how long he looked.
 */
static uint64_t wait_for(uint64_t comes_ns)
{
    now_ns += WORK_NS;
    uint64_t began_ns = now_ns, look_ns = busy_poll_begin(&poll, now_ns) - now_ns;
    uint64_t looked_ns = comes_ns < look_ns ? comes_ns : look_ns;
    now_ns = began_ns + comes_ns + (comes_ns <= look_ns ? 0 : WAKING_NS);
    busy_poll_end(&poll, looked_ns, now_ns);
    return looked_ns;
}

static unsigned looks(unsigned waits, uint64_t comes_ns)
{
    unsigned count = 0;
    for (unsigned i = 0; i < waits; i++)
        count += wait_for(comes_ns) > 0;
    return count;
}

static void looks_once_answers_have_come_soon(void **state)
{
    (void)state;
    setup(PROCESSORS);
    assert_int_equal(looks(BUSY_POLL_SEEN, ANSWER_NS), 0);
    assert_int_equal(wait_for(ANSWER_NS), ANSWER_NS);
    assert_int_equal(looks(1000, ANSWER_NS), 1000);
}

/* Who comes just after a look has ended makes it vain, however soon he comes. */
static void nor_for_who_comes_right_after(void **state)
{
    (void)state;
    setup(PROCESSORS);
    looks(1000, ANSWER_NS);
    assert_in_range(looks(1000, BUSY_POLL_NS + NS_PER_US), 1, BUSY_POLL_REMEMBERED);
}

static void gives_up_after_two_looks_in_vain(void **state)
{
    (void)state;
    setup(PROCESSORS);
    looks(1000, ANSWER_NS);
    assert_int_equal(wait_for(LONG_NS), BUSY_POLL_NS);
    assert_int_equal(wait_for(LONG_NS), BUSY_POLL_NS);
    assert_int_equal(looks(1000, LONG_NS), 0);
    assert_int_equal(looks(BUSY_POLL_SEEN, ANSWER_NS), 0); /* all is to be seen again */
    assert_int_equal(wait_for(ANSWER_NS), ANSWER_NS);
}

static void one_look_in_vain_is_no_end(void **state)
{
    (void)state;
    setup(PROCESSORS);
    looks(1000, ANSWER_NS);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(wait_for(LONG_NS), BUSY_POLL_NS);
        assert_int_equal(looks(BUSY_POLL_SEEN, ANSWER_NS), BUSY_POLL_SEEN);
    }
}

/* An exchange with somebody far away: one packet soon, the next one late. */
static void a_few_that_come_soon_are_not_enough(void **state)
{
    (void)state;
    setup(PROCESSORS);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(wait_for(ANSWER_NS), 0);
        assert_int_equal(wait_for(LONG_NS), 0);
    }
}

static void what_comes_a_little_late_is_slept_for(void **state)
{
    (void)state;
    setup(PROCESSORS);
    assert_int_equal(looks(1000, BUSY_POLL_SHORT_NS - WAKING_NS + 1), 0);
}

static void what_was_there_already_says_nothing(void **state)
{
    (void)state;
    setup(PROCESSORS);
    for (unsigned i = 0; i < 1000; i++) {
        now_ns += WORK_NS;
        assert_int_equal(busy_poll_begin(&poll, now_ns), now_ns);
        now_ns += BUSY_POLL_NO_WAIT_NS - 1;
        busy_poll_end(&poll, 0, now_ns);
    }
}

static void looks_no_longer_than_it_works(void **state)
{
    (void)state;
    const uint64_t work_ns = ANSWER_NS / 4;
    uint64_t looked_ns = 0, worked_ns = BUSY_POLL_SAVED_NS;
    setup(PROCESSORS);
    unsigned slept = 0;
    for (unsigned i = 0; i < 10000; i++) {
        now_ns += work_ns;
        worked_ns += work_ns;
        uint64_t until_ns = busy_poll_begin(&poll, now_ns);
        uint64_t look_ns = until_ns > now_ns ? ANSWER_NS : 0;
        now_ns += look_ns ? look_ns : ANSWER_NS + WAKING_NS;
        busy_poll_end(&poll, look_ns, now_ns);
        looked_ns += look_ns;
        slept += !look_ns;
    }
    assert_true(looked_ns <= worked_ns);
    assert_true(looked_ns >= worked_ns / 10 * 9);
    assert_in_range(slept, 7000, 8000); /* of four that it may look, one is paid for */
}

/* A download, say: many packets at once. */
static void sleeps_at_once_after_much_work(void **state)
{
    (void)state;
    setup(PROCESSORS);
    looks(1000, ANSWER_NS);
    now_ns += BUSY_POLL_WORK_NS - WORK_NS;
    assert_int_equal(wait_for(ANSWER_NS), ANSWER_NS);
    now_ns += BUSY_POLL_WORK_NS - WORK_NS + 1;
    assert_int_equal(wait_for(ANSWER_NS), 0);
    assert_int_equal(wait_for(ANSWER_NS), ANSWER_NS);
}

/* Nothing is saved up for longer than that. */
static void long_work_pays_for_few_looks(void **state)
{
    (void)state;
    setup(PROCESSORS);
    looks(1000, ANSWER_NS);
    now_ns += NS_PER_S;
    busy_poll_begin(&poll, now_ns);
    busy_poll_end(&poll, 0, now_ns);
    uint64_t looked_ns = 0;
    for (unsigned i = 0; i < 1000; i++) { /* no work in between */
        uint64_t until_ns = busy_poll_begin(&poll, now_ns), look_ns = until_ns > now_ns ? ANSWER_NS : 0;
        now_ns += ANSWER_NS;
        busy_poll_end(&poll, look_ns, now_ns);
        looked_ns += look_ns;
    }
    assert_in_range(looked_ns, BUSY_POLL_SAVED_NS - BUSY_POLL_NS, BUSY_POLL_SAVED_NS);
}

static void never_on_one_processor(void **state)
{
    (void)state;
    setup(1);
    assert_int_equal(looks(1000, ANSWER_NS), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_once_answers_have_come_soon),
        cmocka_unit_test(gives_up_after_two_looks_in_vain),
        cmocka_unit_test(nor_for_who_comes_right_after),
        cmocka_unit_test(one_look_in_vain_is_no_end),
        cmocka_unit_test(a_few_that_come_soon_are_not_enough),
        cmocka_unit_test(what_comes_a_little_late_is_slept_for),
        cmocka_unit_test(what_was_there_already_says_nothing),
        cmocka_unit_test(looks_no_longer_than_it_works),
        cmocka_unit_test(sleeps_at_once_after_much_work),
        cmocka_unit_test(long_work_pays_for_few_looks),
        cmocka_unit_test(never_on_one_processor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
