/* When an episode of recovery counts as one for nothing (RFC 3522, RFC 3708). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "support.h"
#include "tcp/undo.h"

struct bench {
    struct test_env env;
    struct account_root root;
    struct undo undo;
};

static void set_up(struct bench *b)
{
    test_env_init(&b->env, 1);
    account_init(&b->root, &b->env.env, 1 << 20, 0);
    undo_init(&b->undo, &b->root.account);
}

static void tear_down(struct bench *b)
{
    undo_destroy(&b->undo);
    test_env_check_clean(&b->env);
}

/* The first retransmission, of [1000, 2000) at time 500, is acknowledged by an echo of the first transmission or not.
 */
static void the_echo_of_the_first_retransmission_decides(void **state)
{
    (void)state;
    static const struct {
        uint32_t echo;
        bool has_echo, due;
    } cases[] = {{499, true, true}, {500, true, false}, {501, true, false}, {499, false, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        set_up(&b);
        undo_watch(&b.undo);
        undo_resent(&b.undo, 1000, 2000, 1000, true, 500);
        undo_resent(&b.undo, 3000, 4000, 1000, true, 510);
        assert_false(undo_is_due(&b.undo, 1000, true, 400)); /* it says nothing of what was sent again */
        assert_int_equal(undo_is_due(&b.undo, 2000, cases[i].has_echo, cases[i].echo), cases[i].due);
        assert_false(undo_is_due(&b.undo, 4000, true, 400)); /* RFC 3522 3.2: the first one decided */
        tear_down(&b);
    }
}

/* What an older episode sent again is acknowledged while this one lasts, with echoes from before it began. */
static void retransmissions_of_an_older_episode_say_nothing(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    undo_watch(&b.undo);
    undo_resent(&b.undo, 1000, 2000, 1000, true, 500);
    undo_watch(&b.undo);
    undo_resent(&b.undo, 5000, 6000, 1000, true, 600); /* older gaps are before it */
    assert_false(undo_is_due(&b.undo, 2000, true, 500));
    assert_false(undo_is_due(&b.undo, 6000, true, 599));
    assert_true(b.undo.possible);
    tear_down(&b);
}

/* Each byte has to be reported as often as it left, and nothing else counts. */
static void duplicates_of_all_that_was_sent_again(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    undo_watch(&b.undo);
    assert_false(undo_is_due(&b.undo, 1000, false, 0)); /* nothing was sent again yet */
    undo_resent(&b.undo, 1000, 2000, 1000, false, 0);
    undo_resent(&b.undo, 3000, 5000, 1000, false, 0);
    undo_duplicate(&b.undo, 1000, 2000);
    undo_duplicate(&b.undo, 1000, 2000); /* once more, as the network may do */
    undo_duplicate(&b.undo, 4500, 5500); /* partly beyond */
    undo_duplicate(&b.undo, 3000, 4000);
    assert_false(undo_is_due(&b.undo, 6000, false, 0));
    undo_duplicate(&b.undo, 4000, 5000);
    assert_true(undo_is_due(&b.undo, 6000, false, 0));
    assert_false(undo_is_due(&b.undo, 6000, false, 0)); /* said once */
    undo_watch(&b.undo);
    undo_resent(&b.undo, 1000, 2000, 1000, false, 0);
    undo_resent(&b.undo, 1000, 2000, 1000, false, 0);
    undo_duplicate(&b.undo, 1000, 2000);
    assert_false(undo_is_due(&b.undo, 6000, false, 0)); /* one of both was needed, for all we know */
    tear_down(&b);
}

/* After a question its answer may be what brings the news, with whatever echo. */
static void a_question_takes_the_echo_away(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    undo_watch(&b.undo);
    undo_resent(&b.undo, 1000, 2000, 1000, true, 500);
    undo_asked(&b.undo);
    assert_false(undo_is_due(&b.undo, 2000, true, 499));
    tear_down(&b);
}

/* More ranges than are remembered count as needed. */
static void more_than_is_remembered(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    undo_watch(&b.undo);
    for (uint64_t i = 0; i < 200; i++)
        undo_resent(&b.undo, 2 * i, 2 * i + 1, 1000, false, 0);
    for (uint64_t i = 0; i < 200; i++)
        undo_duplicate(&b.undo, 2 * i, 2 * i + 1);
    assert_false(undo_is_due(&b.undo, 1000, false, 0));
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_echo_of_the_first_retransmission_decides),
        cmocka_unit_test(retransmissions_of_an_older_episode_say_nothing),
        cmocka_unit_test(duplicates_of_all_that_was_sent_again),
        cmocka_unit_test(a_question_takes_the_echo_away),
        cmocka_unit_test(more_than_is_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
