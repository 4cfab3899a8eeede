/* What is told, and what is known already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hawser/event.h>

#include "mptcp/told.h"

static void once(void **state)
{
    (void)state;
    struct told told;
    told_init(&told, false);
    assert_false(told_of_listener(&told));
    assert_int_equal(told_news(&told, 0, 0), 0);
    assert_int_equal(told_news(&told, HAWSER_CONNECTED | HAWSER_WRITABLE, 0), HAWSER_CONNECTED | HAWSER_WRITABLE);
    told_note(&told, HAWSER_CONNECTED | HAWSER_WRITABLE, 0);
    assert_int_equal(told_news(&told, HAWSER_CONNECTED | HAWSER_WRITABLE, 0), 0);
    assert_int_equal(told_news(&told, HAWSER_CONNECTED | HAWSER_WRITABLE | HAWSER_CLOSED, 0), HAWSER_CLOSED);
    told_forget(&told, HAWSER_WRITABLE);
    assert_int_equal(told_news(&told, HAWSER_CONNECTED, 0), 0); /* not yet */
    assert_int_equal(told_news(&told, HAWSER_CONNECTED | HAWSER_WRITABLE, 0), HAWSER_WRITABLE);
}

static void each_time_more_came(void **state)
{
    (void)state;
    static const unsigned bits[] = {HAWSER_READABLE, HAWSER_ACCEPTABLE};
    for (unsigned i = 0; i < 2; i++) {
        struct told told;
        told_init(&told, i);
        assert_int_equal(told_of_listener(&told), i);
        for (uint32_t came = UINT32_MAX - 1; came != 2; came++) { /* across the wrap */
            assert_int_equal(told_news(&told, 0, came), 0);
            assert_int_equal(told_news(&told, bits[i], came), bits[i]);
            told_note(&told, bits[i], came);
            assert_int_equal(told_news(&told, bits[i], came), 0);
        }
    }
}

/* Whoever looks at one direction only learns of an error. */
static void an_error_is_told_of_both_directions(void **state)
{
    (void)state;
    const unsigned all = HAWSER_CONNECTED | HAWSER_READABLE | HAWSER_WRITABLE;
    struct told told;
    told_init(&told, false);
    told_note(&told, all, 7);
    assert_int_equal(told_news(&told, all | HAWSER_ERROR, 7), HAWSER_ERROR | HAWSER_READABLE | HAWSER_WRITABLE);
    told_note(&told, HAWSER_ERROR, 7);
    assert_int_equal(told_news(&told, all | HAWSER_ERROR, 7), 0);
}

static void the_place_in_line_is_kept(void **state)
{
    (void)state;
    struct list line;
    struct told told[3];
    list_init(&line);
    for (int i = 0; i < 3; i++) {
        told_init(&told[i], false);
        told_line_up(&told[i], &line, true);
    }
    told_line_up(&told[0], &line, true); /* something more */
    assert_ptr_equal(told_at(list_first(&line)), &told[0]);
    told_line_up(&told[0], &line, false); /* nothing any more */
    assert_false(told_waits(&told[0]));
    assert_ptr_equal(told_at(list_first(&line)), &told[1]);
    told_note(&told[1], HAWSER_CLOSED, 0);
    told_line_up(&told[1], &line, true);
    assert_ptr_equal(told_at(list_first(&line)), &told[2]);
    told_leave(&told[2]);
    assert_ptr_equal(told_at(list_first(&line)), &told[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(once),
        cmocka_unit_test(each_time_more_came),
        cmocka_unit_test(an_error_is_told_of_both_directions),
        cmocka_unit_test(the_place_in_line_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
