#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/account.h"
#include "base/compiler.h"
#include "base/prng.h"
#include "support.h"

enum { LIMIT = 1100000, RESERVE = 100000, ORDINARY = LIMIT - RESERVE, CONNS = 200 };

struct side {
    struct account conn, side;
};

struct books {
    struct account_root stack;
    struct test_env env;
    struct side of[CONNS];
    unsigned open;
};

static struct account *open_one(struct books *b)
{
    struct side *s = &b->of[b->open++];
    account_open(&s->conn, &b->stack.account);
    account_open(&s->side, &s->conn);
    return &s->side;
}

static void begin(struct books *b)
{
    *b = (struct books){0};
    test_env_init(&b->env, 1);
    account_init(&b->stack, &b->env.env, LIMIT, RESERVE);
}

static void end(struct books *b)
{
    for (unsigned i = 0; i < b->open; i++) {
        account_release(&b->of[i].side, b->of[i].side.held);
        account_close(&b->of[i].side);
        account_close(&b->of[i].conn);
    }
    assert_int_equal(b->stack.account.parts, 0);
    account_close(&b->stack.account);
    test_env_check_clean(&b->env);
}

/* Takes pieces of `each` bytes as long as they are admitted. */
static uint64_t take_all(struct account *a, uint64_t each, enum claim claim)
{
    uint64_t before = a->held;
    while (account_admits(a, each, claim))
        account_charge(a, each);
    return a->held - before;
}

static void what_is_charged_counts_all_the_way_up(void **state)
{
    (void)state;
    struct books b;
    begin(&b);
    struct account *first = open_one(&b), *second = open_one(&b);
    account_charge(first, 1000);
    account_charge(second, 500);
    account_release(first, 300);
    assert_int_equal(first->held, 700);
    assert_int_equal(first->parent->held, 700);
    assert_int_equal(b.stack.account.held, 1200);
    end(&b);
}

static void shares_are_dealt_out_level_by_level(void **state)
{
    (void)state;
    struct books b;
    struct account many, conns[10];
    begin(&b);
    struct account *alone = open_one(&b);
    account_open(&many, &b.stack.account); /* ten of one key */
    for (int i = 0; i < 10; i++)
        account_open(&conns[i], &many);
    assert_int_equal(account_share(alone->parent), ORDINARY / 4);
    assert_int_equal(account_share(&conns[3]), ORDINARY / 40);
    account_charge(&conns[3], ORDINARY / 40);
    assert_false(account_is_greedy(&conns[3]));
    account_charge(&conns[3], 1);
    assert_true(account_is_greedy(&conns[3]));
    account_release(&conns[3], ORDINARY / 40 + 1);
    for (int i = 0; i < 10; i++)
        account_close(&conns[i]);
    account_close(&many);
    end(&b);
}

/* Connections of one key, however many and however little each asks for, leave the last eighth to other keys. */
static void a_key_leaves_room_to_others(void **state)
{
    (void)state;
    enum { CROWD = 2000 };
    static struct account crowd[CROWD], sides[CROWD];
    struct books b;
    struct account many, other, conn, side;
    begin(&b);
    account_open(&many, &b.stack.account);
    account_open(&other, &b.stack.account);
    account_open(&conn, &other);
    account_open(&side, &conn);
    assert_false(account_is_full(&many));
    for (int i = 0; i < CROWD; i++) {
        account_open(&crowd[i], &many);
        account_open(&sides[i], &crowd[i]);
        take_all(&sides[i], 1000, CLAIM_NEED);
    }
    assert_in_range(b.stack.account.held, ORDINARY / 8 * 7 - 1000, ORDINARY / 8 * 7);
    assert_int_equal(sides[CROWD - 1].held, 0);
    assert_false(account_admits(&sides[CROWD - 1], 1000, CLAIM_URGENT)); /* nor is the reserve for them */
    assert_true(account_admits(&side, ORDINARY / 8, CLAIM_URGENT));
    assert_int_equal(take_all(&side, 1000, CLAIM_NEED), ACCOUNT_QUANTUM_MAX / 1000 * 1000);
    assert_true(account_is_full(&many) && account_is_full(&b.stack.account));
    assert_false(account_is_full(&other) || account_is_scarce(&b.stack.account, 0));
    account_charge(&side, ORDINARY / 16);
    assert_true(account_is_scarce(&b.stack.account, 0));
    assert_false(account_is_scarce(&b.stack.account, ORDINARY / 16));
    account_release(&side, side.held);
    for (int i = 0; i < CROWD; i++) {
        account_release(&sides[i], sides[i].held);
        account_close(&sides[i]);
        account_close(&crowd[i]);
    }
    account_close(&side);
    account_close(&conn);
    account_close(&other);
    account_close(&many);
    end(&b);
}

/* Whoever comes first, takes most and never gives anything back: the next one goes on all the same. */
static void nobody_is_kept_from_going_on(void **state)
{
    (void)state;
    for (unsigned grain = 48; grain <= 80000; grain *= 7) {
        struct books b;
        begin(&b);
        while (b.open < 25) {
            struct account *greedy = open_one(&b);
            take_all(greedy, grain, b.open % 2 ? CLAIM_NEED : CLAIM_SURPLUS);
            take_all(greedy, 48, CLAIM_NEED);
            struct account *modest = open_one(&b);
            assert_true(account_admits(modest, ACCOUNT_QUANTUM_MIN, CLAIM_NEED));
            assert_true(account_admits(modest, 65000, CLAIM_URGENT));
        }
        assert_true(b.stack.account.held <= ORDINARY);
        assert_true(account_is_pressed(&b.of[0].side));
        end(&b);
    }
}

static void surplus_has_its_share_and_no_more(void **state)
{
    (void)state;
    struct books b;
    begin(&b);
    struct account *first = open_one(&b), *second = open_one(&b), *third = open_one(&b);
    assert_int_equal(take_all(first, 1000, CLAIM_SURPLUS), ORDINARY / 2);
    assert_in_range(take_all(second, 1000, CLAIM_SURPLUS), ORDINARY / 6 - 1000, ORDINARY / 6);
    assert_in_range(take_all(third, 1000, CLAIM_SURPLUS), ORDINARY / 4 - ORDINARY / 6 - 1000,
                    ORDINARY / 4 - ORDINARY / 6 + 1000);
    assert_int_equal(take_all(open_one(&b), 1000, CLAIM_SURPLUS), 0);
    assert_true(account_admits(first, 1 << 20, CLAIM_OWED));
    end(&b);
}

/* Nothing is ever admitted beyond the limit, nor beyond the reserve but what is urgent. */
static void the_limit_binds(void **state)
{
    (void)state;
    struct prng rng;
    prng_seed(&rng, test_seed());
    for (int run = 0; run < 50; run++) {
        struct books b;
        begin(&b);
        while (b.open < CONNS)
            open_one(&b);
        for (int step = 0; step < 5000; step++) {
            struct account *a = &b.of[prng_below(&rng, CONNS)].side;
            uint64_t bytes = prng_below(&rng, prng_below(&rng, 2) ? 3000 : 80000);
            enum claim claim = (enum claim)prng_below(&rng, CLAIM_OWED);
            if (prng_below(&rng, 4) == 0)
                account_release(a, prng_below(&rng, a->held + 1));
            else if (account_admits(a, bytes, claim))
                account_charge(a, bytes);
            else
                continue;
            assert_true(b.stack.account.held <= LIMIT);
        }
        end(&b);
    }
}

static void close_with_debts(void *account) { account_close(account); }
static void give_back_more(void *account) { account_release(account, 11); }

static void wrong_books_are_a_bug(void **state)
{
    (void)state;
    struct books b;
    begin(&b);
    struct account *a = open_one(&b);
    account_charge(a, 10);
    assert_true(test_aborts(close_with_debts, a));
    assert_true(test_aborts(give_back_more, a));
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_charged_counts_all_the_way_up),
        cmocka_unit_test(shares_are_dealt_out_level_by_level),
        cmocka_unit_test(a_key_leaves_room_to_others),
        cmocka_unit_test(nobody_is_kept_from_going_on),
        cmocka_unit_test(surplus_has_its_share_and_no_more),
        cmocka_unit_test(the_limit_binds),
        cmocka_unit_test(wrong_books_are_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
