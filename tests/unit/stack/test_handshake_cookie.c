/* Cookies: what a SYN/ACK's number says, to whom, and for how long (RFC 4987 3.6). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <hawser/stack.h>

#include "base/compiler.h"
#include "stack/handshake.h"

#define NOW_NS (1000 * COOKIE_SLOT_NS)

static const uint8_t secret[32] = "of this stack, and of its shards";

static struct handshake offer(uint16_t mss, int scale, bool sack)
{
    struct handshake h = {.terms = {.irs = 12345, .mss = mss, .sack = sack, .window_scaling = scale >= 0}};
    h.terms.wscale = (uint8_t)(scale < 0 ? 0 : scale);
    assert_int_equal(hawser_addr_parse(&h.local, "10.0.0.1", 80), 0);
    assert_int_equal(hawser_addr_parse(&h.remote, "192.0.2.7", 4000), 0);
    return h;
}

/* What is known when the third packet comes. */
static struct handshake third_of(const struct handshake *syn)
{
    struct handshake h = {.local = syn->local, .remote = syn->remote, .iss = syn->iss};
    h.terms.irs = syn->terms.irs;
    return h;
}

static void says_what_the_syn_said(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {48, 300, 536, 1200, 1220, 1400, 1459, 1460, 1461, 8940, 65535};
    static const uint16_t rounded[] = {48, 48, 536, 536, 1220, 1380, 1420, 1460, 1460, 8940, 8940};
    for (size_t i = 0; i < HW_ARRAY_LEN(sizes); i++) {
        for (int scale = -1; scale <= 14; scale++) {
            for (int sack = 0; sack < 2; sack++) {
                struct handshake syn = offer(sizes[i], scale, sack), third;
                syn.iss = cookie_make(secret, &syn, NOW_NS);
                third = third_of(&syn);
                assert_int_equal(cookie_read(secret, &third, NOW_NS), COOKIE_OURS);
                assert_int_equal(third.terms.mss, rounded[i]);
                assert_int_equal(third.terms.window_scaling, scale >= 0);
                assert_int_equal(third.terms.wscale, scale < 0 ? 0 : scale);
                assert_int_equal(third.terms.sack, sack);
                assert_true(third.local_key == cookie_key(secret, &syn, NOW_NS));
            }
        }
    }
}

/* To the next slot of time, and no longer; a clock that has just begun has no slot before. */
static void lasts_for_two_slots(void **state)
{
    (void)state;
    static const struct {
        uint64_t made, read;
        bool good;
    } cases[] = {
        {NOW_NS, NOW_NS + COOKIE_SLOT_NS - 1, true},
        {NOW_NS, NOW_NS + COOKIE_SLOT_NS, true},
        {NOW_NS, NOW_NS + COOKIE_LIFE_NS - 1, true},
        {NOW_NS, NOW_NS + COOKIE_LIFE_NS, false},
        {NOW_NS + COOKIE_SLOT_NS - 1, NOW_NS + COOKIE_SLOT_NS, true},
        {NOW_NS, NOW_NS + 2 * COOKIE_LIFE_NS, false},
        {NOW_NS, NOW_NS - 1, false},
        {0, 0, true},
        {COOKIE_SLOT_NS, 0, false},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct handshake syn = offer(1460, 7, true), third;
        syn.iss = cookie_make(secret, &syn, cases[i].made);
        third = third_of(&syn);
        assert_int_equal(cookie_read(secret, &third, cases[i].read) == COOKIE_OURS, cases[i].good);
        if (cases[i].good)
            assert_true(third.local_key == cookie_key(secret, &syn, cases[i].made));
    }
}

static void is_nobody_elses(void **state)
{
    (void)state;
    struct handshake syn = offer(1460, 7, true), third;
    syn.iss = cookie_make(secret, &syn, NOW_NS);
    for (unsigned bit = 0; bit < 32; bit++) { /* what it says cannot be changed either */
        third = third_of(&syn);
        third.iss ^= UINT32_C(1) << bit;
        assert_int_not_equal(cookie_read(secret, &third, NOW_NS), COOKIE_OURS);
    }
    third = third_of(&syn);
    third.terms.irs++;
    assert_int_not_equal(cookie_read(secret, &third, NOW_NS), COOKIE_OURS);
    third = third_of(&syn);
    third.remote.port++;
    assert_int_not_equal(cookie_read(secret, &third, NOW_NS), COOKIE_OURS);
    third = third_of(&syn);
    third.remote.ip[15]++;
    assert_int_not_equal(cookie_read(secret, &third, NOW_NS), COOKIE_OURS);
    third = third_of(&syn);
    third.local.port++;
    assert_int_not_equal(cookie_read(secret, &third, NOW_NS), COOKIE_OURS);
    third = third_of(&syn);
    assert_int_not_equal(cookie_read((const uint8_t *)"another stack's ............... ", &third, NOW_NS), COOKIE_OURS);
}

/* Whatever it begins at, what acknowledges a cookie is known for that; of the rest, nearly none is. */
static void is_known_in_what_follows(void **state)
{
    (void)state;
    enum { FOLLOWERS = 10000, STRANGERS = 10000 };
    struct handshake syn = offer(1460, 7, true), third;
    unsigned taken = 0;
    syn.iss = cookie_make(secret, &syn, NOW_NS);
    for (uint32_t i = 1; i <= FOLLOWERS; i++) {
        third = third_of(&syn);
        third.terms.irs += i;
        assert_int_equal(cookie_read(secret, &third, NOW_NS + COOKIE_SLOT_NS), COOKIE_UNREADABLE);
    }
    for (uint32_t i = 1; i <= STRANGERS; i++) {
        third = third_of(&syn);
        third.iss += i * UINT32_C(0x9e3779b9);
        taken += cookie_read(secret, &third, NOW_NS) != COOKIE_NONE;
    }
    assert_in_range(taken, STRANGERS / 64, STRANGERS / 16);
}

/* RFC 8684 3.1: hard to guess, and another one for each handshake. */
static void keys_differ(void **state)
{
    (void)state;
    struct handshake a = offer(1460, 7, true), b = a;
    a.iss = 1;
    b.iss = 2;
    assert_true(cookie_key(secret, &a, NOW_NS) != cookie_key(secret, &b, NOW_NS));
    b = a;
    b.remote.port++;
    assert_true(cookie_key(secret, &a, NOW_NS) != cookie_key(secret, &b, NOW_NS));
    assert_true(cookie_key(secret, &a, NOW_NS) != cookie_key(secret, &a, NOW_NS + COOKIE_SLOT_NS));
    assert_true(cookie_key(secret, &a, NOW_NS) == cookie_key(secret, &a, NOW_NS + COOKIE_SLOT_NS - 1));
    uint8_t other[HAWSER_SECRET_LEN] = {0};
    assert_true(cookie_key(secret, &a, NOW_NS) != cookie_key(other, &a, NOW_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_what_the_syn_said),
        cmocka_unit_test(lasts_for_two_slots),
        cmocka_unit_test(is_nobody_elses),
        cmocka_unit_test(is_known_in_what_follows),
        cmocka_unit_test(keys_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
