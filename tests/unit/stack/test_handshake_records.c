/* Records of half-open handshakes, without a connection or a stack. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "stack/handshake.h"
#include "support.h"

#define LIMIT 10
#define START_NS (100 * NS_PER_S)

struct room {
    struct test_env env;
    struct tcp_host host;
    struct account_root memory;
    struct handshakes table;
    struct quota owner, other;
    uint64_t now_ns;
};

static void setup(struct room *r)
{
    memset(r, 0, sizeof *r);
    test_env_init(&r->env, 3);
    r->host.env = r->env.env;
    r->now_ns = START_NS;
    account_init(&r->memory, &r->host.env, 1 << 20, 0);
    deadline_queue_init(&r->host.timers, &r->host.env);
    assert_int_equal(deadline_queue_reserve(&r->host.timers, 1), 0);
    assert_int_equal(handshakes_init(&r->table, &r->host, &r->memory.account, LIMIT, LIMIT), 0);
    quota_init(&r->owner, 4);
    quota_init(&r->other, LIMIT);
}

static void teardown(struct room *r)
{
    handshakes_destroy(&r->table);
    assert_int_equal(r->owner.count + r->other.count, 0);
    assert_int_equal(r->memory.account.held, 0);
    assert_true(deadline_next(&r->host.timers) == TIME_NEVER);
    deadline_queue_destroy(&r->host.timers);
    test_env_check_clean(&r->env);
}

static struct handshake from(const struct room *r, enum handshake_kind kind, uint16_t port)
{
    struct handshake h = {.kind = kind, .begun_ns = r->now_ns};
    assert_int_equal(hawser_addr_parse(&h.local, "10.0.0.1", 80), 0);
    assert_int_equal(hawser_addr_parse(&h.remote, "10.0.0.2", port), 0);
    return h;
}

static struct handshake *add(struct room *r, struct quota *owner, enum handshake_kind kind, uint16_t port)
{
    const struct handshake h = from(r, kind, port);
    if (handshakes_make_room(&r->table, owner, kind, r->now_ns) == HANDSHAKE_ROOM_NONE)
        return NULL;
    struct handshake *kept = handshakes_add(&r->table, owner, &h);
    assert_non_null(kept);
    return kept;
}

static bool knows(const struct room *r, uint16_t port)
{
    const struct handshake h = from(r, HANDSHAKE_PLAIN, port);
    const struct handshake *found = handshakes_find(&r->table, &h.local, &h.remote);
    assert_true(!found || hawser_addr_equal(&found->remote, &h.remote));
    return found != NULL;
}

static unsigned send_due(struct room *r)
{
    unsigned n = 0;
    for (struct handshake *h; (h = handshakes_due(&r->table)); n++)
        handshakes_sent(&r->table, h, r->now_ns);
    return n;
}

static unsigned wait_until(struct room *r, uint64_t at_ns)
{
    r->now_ns = at_ns;
    deadline_run(&r->host.timers, at_ns);
    return send_due(r);
}

/* RFC 6298: after one second, then twice as long each time; then it is given up. */
static void synacks_back_off(void **state)
{
    (void)state;
    struct room r;
    setup(&r);
    add(&r, &r.owner, HANDSHAKE_PLAIN, 1);
    assert_int_equal(send_due(&r), 1);
    r.now_ns += NS_PER_S / 2;
    add(&r, &r.owner, HANDSHAKE_PLAIN, 2); /* the others' times do not matter */
    assert_int_equal(send_due(&r), 1);
    uint64_t at_ns = START_NS;
    for (unsigned i = 0; i < HANDSHAKE_TRIES_MAX; i++) {
        at_ns += NS_PER_S << i;
        assert_true(deadline_next(&r.host.timers) == at_ns);
        bool again = i + 1 < HANDSHAKE_TRIES_MAX;
        assert_int_equal(wait_until(&r, at_ns), again);
        assert_int_equal(knows(&r, 1), again);
        assert_int_equal(wait_until(&r, at_ns + NS_PER_S / 2), again);
    }
    assert_true(deadline_next(&r.host.timers) == TIME_NEVER);
    assert_int_equal(r.host.counters.v[COUNT_HANDSHAKE_TIMEOUTS], 2 * HANDSHAKE_TRIES_MAX);
    assert_int_equal(r.owner.count, 0);
    teardown(&r);
}

/* A peer that asks again is answered, which counts as a try; the timer runs anew. */
static void asked_again(void **state)
{
    (void)state;
    struct room r;
    setup(&r);
    struct handshake *h = add(&r, &r.owner, HANDSHAKE_PLAIN, 1);
    send_due(&r);
    r.now_ns += NS_PER_S / 2;
    handshakes_ask(&r.table, h, r.now_ns);
    assert_true(deadline_next(&r.host.timers) == TIME_NEVER);
    handshakes_ask(&r.table, h, r.now_ns);
    assert_int_equal(send_due(&r), 1);
    assert_int_equal(h->tries, 2);
    assert_true(deadline_next(&r.host.timers) == r.now_ns + 2 * NS_PER_S);
    handshakes_drop(&r.table, h);
    assert_false(knows(&r, 1));
    assert_true(deadline_next(&r.host.timers) == TIME_NEVER);
    teardown(&r);
}

/* RFC 4987 3.3: the oldest one, and nobody who could not have answered yet. */
static void the_oldest_makes_way(void **state)
{
    (void)state;
    static const struct {
        enum handshake_kind kind;
        uint64_t patience_ns;
    } kinds[] = {{HANDSHAKE_PLAIN, 3 * NS_PER_S}, {HANDSHAKE_CAPABLE, 3 * NS_PER_S}, {HANDSHAKE_JOIN, NS_PER_S / 4}};
    for (size_t i = 0; i < HW_ARRAY_LEN(kinds); i++) {
        struct room r;
        setup(&r);
        for (uint16_t port = 1; port <= 4; port++, r.now_ns += NS_PER_MS)
            assert_non_null(add(&r, &r.owner, kinds[i].kind, port));
        r.now_ns = START_NS + kinds[i].patience_ns - 1;
        assert_null(add(&r, &r.owner, kinds[i].kind, 5));
        r.now_ns = START_NS + kinds[i].patience_ns;
        assert_non_null(add(&r, &r.owner, kinds[i].kind, 5));
        assert_false(knows(&r, 1));
        for (uint16_t port = 2; port <= 5; port++)
            assert_true(knows(&r, port));
        assert_null(add(&r, &r.owner, kinds[i].kind, 6));
        assert_int_equal(r.host.counters.v[COUNT_LIMIT_HALF_OPEN], 1);
        teardown(&r);
    }
}

/* An old one whose peer has just asked again has two seconds to take the answer, or its whole time where that is less;
 * those behind it make way meanwhile. */
static void who_asks_again_does_not_make_way(void **state)
{
    (void)state;
    static const struct {
        enum handshake_kind kind;
        uint64_t patience_ns;
    } kinds[] = {{HANDSHAKE_PLAIN, 2 * NS_PER_S}, {HANDSHAKE_CAPABLE, 2 * NS_PER_S}, {HANDSHAKE_JOIN, NS_PER_S / 4}};
    for (size_t i = 0; i < HW_ARRAY_LEN(kinds); i++) {
        struct room r;
        setup(&r);
        struct handshake *first = add(&r, &r.owner, kinds[i].kind, 1);
        for (uint16_t port = 2; port <= 4; port++)
            assert_non_null(add(&r, &r.owner, kinds[i].kind, port));
        r.now_ns += 5 * NS_PER_S;
        handshakes_ask(&r.table, first, r.now_ns);
        for (uint16_t port = 5; port <= 7; port++)
            assert_non_null(add(&r, &r.owner, kinds[i].kind, port));
        r.now_ns += kinds[i].patience_ns - 1;
        assert_null(add(&r, &r.owner, kinds[i].kind, 8));
        assert_true(knows(&r, 1));
        r.now_ns++;
        assert_non_null(add(&r, &r.owner, kinds[i].kind, 8));
        assert_false(knows(&r, 1));
        teardown(&r);
    }
}

/* All owners together have a limit too, opens apart from joins. */
static void a_stack_has_a_limit(void **state)
{
    (void)state;
    struct room r;
    setup(&r);
    quota_init(&r.other, UINT32_MAX);
    for (uint16_t port = 1; port <= 2; port++)
        assert_non_null(add(&r, &r.owner, HANDSHAKE_CAPABLE, port));
    for (uint16_t port = 3; port <= LIMIT; port++)
        assert_non_null(add(&r, &r.other, HANDSHAKE_PLAIN, port));
    assert_null(add(&r, &r.other, HANDSHAKE_CAPABLE, 100));
    assert_non_null(add(&r, &r.other, HANDSHAKE_JOIN, 101));
    r.now_ns += 3 * NS_PER_S;
    assert_non_null(add(&r, &r.other, HANDSHAKE_PLAIN, 102));
    assert_false(knows(&r, 1)); /* the oldest of all */
    assert_int_equal(r.owner.count, 1);
    handshakes_drop_owner(&r.table, &r.other);
    assert_int_equal(r.other.count, 0);
    assert_true(knows(&r, 2));
    teardown(&r);
}

/* But an owner who has but a few is not refused for what others hold. */
static void everybody_is_sure_of_some(void **state)
{
    (void)state;
    struct room r;
    setup(&r);
    quota_init(&r.owner, UINT32_MAX);
    for (uint16_t port = 1; port <= LIMIT; port++)
        assert_non_null(add(&r, &r.other, HANDSHAKE_JOIN, port));
    for (uint16_t port = 1; port <= HANDSHAKE_SURE; port++)
        assert_non_null(add(&r, &r.owner, HANDSHAKE_JOIN, (uint16_t)(100 + port)));
    assert_null(add(&r, &r.owner, HANDSHAKE_JOIN, 200));
    teardown(&r);
}

static void goes_with_its_address(void **state)
{
    (void)state;
    struct room r;
    struct hawser_addr gone, stays;
    setup(&r);
    struct handshake h = from(&r, HANDSHAKE_PLAIN, 1);
    gone = stays = h.local;
    stays.ip[15] = 9;
    assert_non_null(handshakes_add(&r.table, &r.owner, &h));
    assert_true(handshakes_answer(&r.table, &h));
    h.kind = HANDSHAKE_JOIN;
    h.remote.port = 2;
    assert_non_null(handshakes_add(&r.table, &r.owner, &h));
    h.local = stays;
    h.remote.port = 3;
    assert_non_null(handshakes_add(&r.table, &r.owner, &h));
    handshakes_drop_address(&r.table, &gone);
    assert_int_equal(send_due(&r), 1);
    assert_int_equal(r.owner.count, 1);
    teardown(&r);
}

/* Answers without a record leave once, and nothing stays of them. */
static void answers_are_bounded(void **state)
{
    (void)state;
    struct room r;
    setup(&r);
    const struct handshake h = from(&r, HANDSHAKE_PLAIN, 1);
    for (unsigned i = 0; i < HANDSHAKE_COOKIES_MAX; i++)
        assert_true(handshakes_answer(&r.table, &h));
    assert_false(handshakes_answer(&r.table, &h));
    assert_false(knows(&r, 1));
    assert_int_equal(send_due(&r), HANDSHAKE_COOKIES_MAX);
    assert_true(deadline_next(&r.host.timers) == TIME_NEVER);
    assert_true(handshakes_answer(&r.table, &h));
    teardown(&r);
}

static void without_memory(void **state)
{
    (void)state;
    struct room r;
    setup(&r);
    const struct handshake h = from(&r, HANDSHAKE_PLAIN, 1);
    r.env.fail_at = 1;
    assert_null(handshakes_add(&r.table, &r.owner, &h));
    r.env.fail_at = 1;
    assert_false(handshakes_answer(&r.table, &h));
    assert_int_equal(send_due(&r), 0);
    teardown(&r);
}

/* What records hold counts; where memory is used up, opens go on without one. Joins are few, and a connection's own. */
static void records_are_charged(void **state)
{
    (void)state;
    struct room r;
    setup(&r);
    assert_non_null(add(&r, &r.other, HANDSHAKE_PLAIN, 1000));
    assert_non_null(add(&r, &r.other, HANDSHAKE_JOIN, 1001));
    assert_int_equal(r.memory.account.held, 2 * sizeof(struct handshake));
    uint64_t elsewhere = r.memory.limit / 8 * 7;
    account_charge(&r.memory.account, elsewhere);
    assert_null(add(&r, &r.other, HANDSHAKE_CAPABLE, 1002));
    const struct handshake h = from(&r, HANDSHAKE_CAPABLE, 1002);
    assert_true(handshakes_answer(&r.table, &h));
    assert_non_null(add(&r, &r.other, HANDSHAKE_JOIN, 1003));
    account_release(&r.memory.account, elsewhere);
    assert_non_null(add(&r, &r.other, HANDSHAKE_CAPABLE, 1002));
    teardown(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synacks_back_off),      cmocka_unit_test(asked_again),
        cmocka_unit_test(the_oldest_makes_way),  cmocka_unit_test(who_asks_again_does_not_make_way),
        cmocka_unit_test(a_stack_has_a_limit),   cmocka_unit_test(everybody_is_sure_of_some),
        cmocka_unit_test(goes_with_its_address), cmocka_unit_test(answers_are_bounded),
        cmocka_unit_test(without_memory),        cmocka_unit_test(records_are_charged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
