/* The path managers that come with the library, by their public interface alone. */
#include "base/compiler.h"
#include "policy_bench.h"

/* ---- fullmesh ---- */

static void every_pair_has_a_subflow(void **state)
{
    (void)state;
    struct bench b;
    begin_named(&b, "fullmesh", 3);
    b.view.limit = 32;
    announce(&b, 2);
    announce(&b, 3);
    assert_int_equal(call(&b), 8);
    for (unsigned n = 1; n <= 3; n++)
        for (unsigned m = 1; m <= 3; m++)
            assert_int_equal(opens(&b, n, m), n != 1 || m != 1);
    assert_int_equal(b.paths.wake_ns, TIME_NEVER);
    finish(&b);
}

static void as_many_as_may_be(void **state)
{
    (void)state;
    struct bench b;
    begin_named(&b, "fullmesh", 3);
    b.view.limit = 3;
    announce(&b, 2);
    assert_int_equal(call(&b), 2);
    use(&b, 2, 2, HAWSER_PM_UP);
    use(&b, 3, 1, HAWSER_PM_OPENING);
    assert_int_equal(call(&b), 0);
    b.view.use_count--;
    assert_int_equal(call(&b), 1);
    finish(&b);
}

static void pairs_are_tried_until_they_answer(void **state)
{
    (void)state;
    struct bench b;
    begin_named(&b, "fullmesh", 2);
    for (uint64_t wait_ns = NS_PER_S; wait_ns <= 4 * NS_PER_S; wait_ns *= 2) {
        assert_int_equal(call(&b), 1);
        assert_true(opens(&b, 2, 1));
        ended(&b, 2, 1, PATH_END_UNANSWERED);
        assert_int_equal(call(&b), 0);
        assert_int_equal(b.paths.wake_ns, b.now_ns + wait_ns);
        b.now_ns += wait_ns;
    }
    use(&b, 2, 1, HAWSER_PM_UNANSWERED); /* nor does it make way for others, as under the default */
    announce(&b, 2);
    assert_int_equal(call(&b), 2);
    use(&b, 1, 2, HAWSER_PM_UP);
    use(&b, 2, 2, HAWSER_PM_UP);
    assert_int_equal(call(&b), 0);
    for (unsigned i = 0; i < b.view.use_count; i++)
        assert_int_not_equal(b.pm.subflows[i].state, HAWSER_PM_CLOSING);
    finish(&b);
}

#define MANY 64

/* Lets all that the path manager wishes for fail; returns how many pairs had their first turn. */
static unsigned let_all_fail(struct bench *b, bool tried[MANY + 1][MANY + 1])
{
    unsigned news = 0;
    const unsigned count = call(b);
    for (unsigned i = 0; i < count; i++) {
        const struct path_wish wish = path_policy_open_at(&b->pm, i);
        bool *was_tried = &tried[wish.local->addr.ip[14]][wish.remote.addr.ip[14]];
        news += !*was_tried;
        *was_tried = true;
        (void)paths_ended(&b->paths, &b->payer, wish.local, &wish.remote.addr, PATH_END_UNANSWERED, b->now_ns);
    }
    return news;
}

/* More pairs fail than are remembered. One address of ours works, which is no reason to pass it over for ever. */
static void every_pair_has_its_turn(void **state)
{
    (void)state;
    struct bench b;
    static bool tried[MANY + 1][MANY + 1];
    unsigned missing = MANY * MANY - 1; /* the first is there */
    begin_named(&b, "fullmesh", MANY);
    for (unsigned m = 2; m <= MANY; m++) {
        const struct mp_add_addr add = {.is_v4 = true, .address_id = (uint8_t)m, .addr = address(m, 2, 0)};
        (void)paths_add_addr(&b.paths, &b.payer, &b.view.locals, &add, b.now_ns);
    }
    for (unsigned call = 0; call < MANY * MANY && missing; call++) {
        missing -= let_all_fail(&b, tried);
        b.now_ns += PATH_JOINS_BURST * PATH_JOIN_INTERVAL_NS;
    }
    assert_int_equal(missing, 0);
    finish(&b);
}

/* ---- ports ---- */

static void so_many_over_the_first_pair(void **state)
{
    (void)state;
    struct bench b;
    const struct hawser_path_options options = {
        .size = sizeof options, .manager = hawser_path_manager_find("ports"), .subflows = 4};
    begin(&b, &options, true, 2);
    announce(&b, 2);
    assert_int_equal(call(&b), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_ptr_equal(path_policy_open_at(&b.pm, i).local, &b.locals[0]);
    assert_true(opens(&b, 1, 1));
    use(&b, 1, 1, HAWSER_PM_UP);
    use(&b, 1, 1, HAWSER_PM_OPENING);
    ended(&b, 1, 1, PATH_END_LOST);
    assert_int_equal(call(&b), 0);
    assert_int_equal(b.paths.wake_ns, b.now_ns + NS_PER_S);
    b.now_ns += NS_PER_S;
    assert_int_equal(call(&b), 1);
    ended(&b, 1, 1, PATH_END_USELESS); /* then over another one */
    b.view.use_count = 0;
    assert_int_equal(call(&b), 4);
    assert_true(opens(&b, 2, 1));
    finish(&b);
}

/* ---- backup ---- */

static void all_but_the_first_address_stand_by(void **state)
{
    (void)state;
    struct bench b;
    begin_named(&b, "backup", 3);
    assert_int_equal(call(&b), 2);
    for (unsigned i = 0; i < 2; i++)
        assert_true(path_policy_open_at(&b.pm, i).backup);
    assert_int_equal(b.pm.changed, 0);
    finish(&b);
}

/* The regular pair is that with which the connection began, whatever the IDs are now. */
static void only_the_first_pair_is_regular(void **state)
{
    (void)state;
    struct bench b;
    begin_named(&b, "backup", 1);
    announce(&b, 2);
    assert_int_equal(call(&b), 1);
    assert_true(path_policy_open_at(&b.pm, 0).backup);
    (void)paths_local_removed(&b.paths, &b.payer, &b.locals[0]);
    b.view.use_count = 0;
    b.locals[0].id = 5;
    paths_local_added(&b.paths);
    b.now_ns += 10 * NS_PER_S;
    assert_int_equal(call(&b), 2);
    for (unsigned i = 0; i < 2; i++) {
        const struct path_wish wish = path_policy_open_at(&b.pm, i);
        assert_int_equal(wish.backup, wish.remote.id != 0);
    }
    finish(&b);
}

static void what_is_marked_stands_by(void **state)
{
    (void)state;
    static const char *const names[] = {"backup", "default", "fullmesh"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(names); i++) {
        struct bench b;
        const struct hawser_prefix metered[] = {{address(1, 0, 0), 24}, {address(3, 0, 0), 24}};
        const struct hawser_path_options options = {.size = sizeof options,
                                                    .manager = hawser_path_manager_find(names[i]),
                                                    .backup = metered,
                                                    .backup_count = 2};
        begin(&b, &options, true, 3);
        assert_int_equal(call(&b), 2);
        for (unsigned k = 0; k < 2; k++) {
            const struct path_wish wish = path_policy_open_at(&b.pm, k);
            assert_int_equal(wish.backup, wish.local == &b.locals[2]);
        }
        finish(&b);
    }
}

/* Also the first subflow, whose SYN could not say so, and at either end; but a priority that the program gave later
 * stays. */
static void every_manager_tells_that_the_first_is_marked(void **state)
{
    (void)state;
    static const char *const names[] = {"default", "fullmesh", "ports", "backup", "on-demand"};
    for (unsigned i = 0; i < 2 * HW_ARRAY_LEN(names); i++) {
        struct bench b;
        const struct hawser_prefix metered = {address(1, 0, 0), 24};
        const struct hawser_path_options options = {.size = sizeof options,
                                                    .manager = hawser_path_manager_find(names[i / 2]),
                                                    .backup = &metered,
                                                    .backup_count = 1};
        begin(&b, &options, i % 2, 1);
        (void)call(&b);
        assert_int_equal(b.pm.changed, 1);
        assert_true(b.pm.subflows[0].backup_local);
        paths_note(&b.paths, HAWSER_PM_REMOTE_ADDED);
        (void)call(&b);
        assert_int_equal(b.pm.changed, 0);
        finish(&b);
    }
}

/* ---- on demand ---- */

static void after_so_many_bytes(void **state)
{
    (void)state;
    struct bench b;
    const struct hawser_path_options options = {
        .size = sizeof options, .manager = hawser_path_manager_find("on-demand"), .demand_bytes = 1000};
    begin(&b, &options, true, 2);
    assert_int_equal(call(&b), 0);
    assert_int_equal(b.paths.wake_ns, TIME_NEVER);
    paths_note_bytes(&b.paths, b.view.bytes = 999);
    assert_int_equal(b.paths.news, 0);
    paths_note_bytes(&b.paths, b.view.bytes = 1000);
    assert_int_equal(b.paths.news, HAWSER_PM_BYTES);
    assert_int_equal(call(&b), 1);
    ended(&b, 2, 1, PATH_END_LOST); /* what was asked for once stays so */
    b.now_ns += NS_PER_S;
    b.view.bytes = 0;
    assert_int_equal(call(&b), 1);
    paths_note_bytes(&b.paths, 1 << 30);
    assert_int_equal(b.paths.news, 0);
    finish(&b);
}

static void after_so_much_time(void **state)
{
    (void)state;
    struct bench b;
    const struct hawser_path_options options = {
        .size = sizeof options, .manager = hawser_path_manager_find("on-demand"), .demand_ns = 5 * NS_PER_S};
    begin(&b, &options, true, 2);
    uint64_t due_ns = b.now_ns + 5 * NS_PER_S;
    assert_int_equal(call(&b), 0);
    assert_int_equal(b.paths.wake_ns, due_ns);
    b.now_ns += NS_PER_S;
    paths_note(&b.paths, HAWSER_PM_SUBFLOW_STALE);
    assert_int_equal(call(&b), 0);
    assert_int_equal(b.paths.wake_ns, due_ns);
    b.now_ns = due_ns;
    assert_int_equal(call(&b), 1);
    finish(&b);
}

/* A path that has gone silent is not to be waited for. */
static void when_none_answers(void **state)
{
    (void)state;
    static const char *const names[] = {"on-demand", "ports"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(names); i++) {
        struct bench b;
        const struct hawser_path_options options = {.size = sizeof options,
                                                    .manager = hawser_path_manager_find(names[i]),
                                                    .subflows = 1,
                                                    .demand_ns = NS_PER_S};
        begin(&b, &options, true, 2);
        assert_int_equal(call(&b), 0);
        b.uses[0].state = HAWSER_PM_SILENT;
        assert_int_equal(call(&b), 1);
        assert_true(opens(&b, 2, 1));
        finish(&b);
    }
}

static void at_once_when_none_is_left_or_nothing_can_be_remembered(void **state)
{
    (void)state;
    for (int memory = 0; memory < 2; memory++) {
        struct bench b;
        begin_named(&b, "on-demand", 2);
        if (memory) {
            assert_int_equal(call(&b), 0);
            paths_begin_rescue(&b.paths, true);
            b.view.use_count = 0;
        } else {
            b.env.fail_at = 1;
        }
        assert_int_equal(call(&b), memory ? 2 : 1);
        finish(&b);
    }
}

/* ---- prefixes ---- */

static void only_between_allowed_addresses(void **state)
{
    (void)state;
    static const struct {
        unsigned allow, deny, count; /* nets; 0: none */
        bool first, second, third;   /* of our addresses are joined from */
    } cases[] = {{0, 2, 1, false, false, true}, {3, 0, 0, false, false, false}, {3, 3, 0, false, false, false}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(cases); i++) {
        struct bench b;
        const struct hawser_prefix allow = {address(cases[i].allow, 0, 0), 24},
                                   deny = {address(cases[i].deny, 0, 0), 24};
        const struct hawser_path_options options = {.size = sizeof options,
                                                    .allow = &allow,
                                                    .allow_count = cases[i].allow != 0,
                                                    .deny = &deny,
                                                    .deny_count = cases[i].deny != 0};
        begin(&b, &options, true, 3);
        assert_int_equal(call(&b), cases[i].count);
        assert_int_equal(opens(&b, 3, 1), cases[i].third);
        finish(&b);
    }
}

static void a_denied_address_of_the_peer_is_not_kept(void **state)
{
    (void)state;
    struct bench b;
    const struct hawser_prefix deny[] = {{address(2, 2, 0), 32}, {v6_address(0), 64}};
    const struct hawser_path_options options = {.size = sizeof options, .deny = deny, .deny_count = 2};
    const struct mp_add_addr add[] = {{.is_v4 = true, .address_id = 2, .addr = address(2, 2, 0)},
                                      {.address_id = 3, .addr = v6_address(9)}};
    begin(&b, &options, true, 1);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(paths_add_addr(&b.paths, &b.payer, &b.view.locals, &add[i], b.now_ns), PATHS_NO_NEWS);
    assert_int_equal(b.env.live, 0);
    assert_int_equal(call(&b), 0);
    finish(&b);
}

static void nor_is_a_denied_address_announced(void **state)
{
    (void)state;
    struct bench b;
    const struct hawser_prefix deny = {address(2, 0, 0), 24};
    const struct hawser_path_options options = {.size = sizeof options, .deny = &deny, .deny_count = 1};
    begin(&b, &options, false, 3);
    assert_int_equal(call(&b), 0);
    assert_false(paths_announced(&b.paths, &b.locals[1]));
    assert_true(paths_announced(&b.paths, &b.locals[2]));
    finish(&b);
}

/* ---- both families ---- */

static void the_other_family_is_announced_and_joined(void **state)
{
    (void)state;
    for (int opens = 0; opens < 2; opens++) {
        struct bench b;
        begin(&b, NULL, opens, 2);
        b.locals[1].addr = v6_address(1);
        const struct mp_add_addr add = {.address_id = 5, .has_port = true, .addr = v6_address(2)};
        struct mp_add_addr with_port = add;
        with_port.addr.port = 8080;
        if (!opens) {
            assert_int_equal(call(&b), 0);
            assert_true(paths_announced(&b.paths, &b.locals[1]));
        } else {
            assert_int_equal(call(&b), 0); /* no two of one family */
            assert_int_equal(paths_add_addr(&b.paths, &b.payer, &b.view.locals, &with_port, b.now_ns), PATHS_LEARNED);
            assert_int_equal(call(&b), 1);
            const struct path_wish wish = path_policy_open_at(&b.pm, 0);
            assert_ptr_equal(wish.local, &b.locals[1]);
            assert_true(hawser_addr_equal(&wish.remote.addr, &with_port.addr));
        }
        finish(&b);
    }
}

static void they_are_found_by_name(void **state)
{
    (void)state;
    static const char *const names[] = {"default", "fullmesh", "ports", "backup", "on-demand"};
    for (unsigned i = 0; i < HW_ARRAY_LEN(names); i++)
        assert_string_equal(hawser_path_manager_find(names[i])->name, names[i]);
    assert_null(hawser_path_manager_find("none"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_pair_has_a_subflow),
        cmocka_unit_test(as_many_as_may_be),
        cmocka_unit_test(pairs_are_tried_until_they_answer),
        cmocka_unit_test(every_pair_has_its_turn),
        cmocka_unit_test(so_many_over_the_first_pair),
        cmocka_unit_test(all_but_the_first_address_stand_by),
        cmocka_unit_test(only_the_first_pair_is_regular),
        cmocka_unit_test(what_is_marked_stands_by),
        cmocka_unit_test(every_manager_tells_that_the_first_is_marked),
        cmocka_unit_test(after_so_many_bytes),
        cmocka_unit_test(after_so_much_time),
        cmocka_unit_test(when_none_answers),
        cmocka_unit_test(at_once_when_none_is_left_or_nothing_can_be_remembered),
        cmocka_unit_test(only_between_allowed_addresses),
        cmocka_unit_test(a_denied_address_of_the_peer_is_not_kept),
        cmocka_unit_test(nor_is_a_denied_address_announced),
        cmocka_unit_test(the_other_family_is_announced_and_joined),
        cmocka_unit_test(they_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
