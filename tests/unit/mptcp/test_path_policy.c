/* What the connection shows a path manager, and lets it do. */
#include <errno.h>

#include "base/compiler.h"
#include "policy_bench.h"

struct script {
    void (*play)(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what);
    unsigned calls;
};

static struct script script;

static void play(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    script.calls++;
    script.play(pm, view, what);
}

static const struct hawser_path_manager scripted = {
    .size = sizeof scripted, .name = "scripted", .conn_bytes = 32, .event = play};

static void begin_scripted(struct bench *b, bool opens, unsigned locals,
                           void (*to_play)(struct hawser_pm *, const struct hawser_pm_view *, unsigned))
{
    const struct hawser_path_options options = {.size = sizeof options, .manager = &scripted};
    script = (struct script){.play = to_play};
    begin(b, &options, opens, locals);
}

static void look_around(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    unsigned char *memory = view->memory;
    assert_int_equal(what, script.calls == 1 ? HAWSER_PM_CONFIRMED | HAWSER_PM_REMOTE_ADDED : HAWSER_PM_TIMER);
    assert_int_equal(memory[31]++, script.calls - 1);
    assert_true(view->initiator && !view->rescue);
    assert_int_equal(view->now_ns, NS_PER_S + (script.calls - 1) * HAWSER_PM_WAKE_MIN_NS);
    assert_int_equal(view->bytes, 77);
    assert_int_equal(view->local_count, 2);
    assert_int_equal(view->remote_count, 2);
    assert_int_equal(view->subflow_limit, 8);
    assert_int_equal(view->locals[0]->id, 0);
    assert_int_equal(view->locals[1]->id, 2);
    assert_int_equal(view->locals[1]->link, 2);
    assert_int_equal(view->locals[1]->prefix_len, 24);
    assert_int_equal(view->forgotten, 0);
    assert_int_equal(view->remotes[0]->addr.port, 80);
    assert_int_equal(view->remotes[1]->id, 2);
    assert_int_equal(view->subflow_count, 2);
    assert_int_equal(view->subflows[0]->local, 0);
    assert_int_equal(view->subflows[0]->remote, 0);
    assert_int_equal(view->subflows[1]->local, 1);
    assert_int_equal(view->subflows[1]->remote, -1);
    assert_int_equal(view->subflows[1]->id, 2);
    assert_int_equal(view->subflows[1]->state, HAWSER_PM_SILENT);
    assert_true(view->subflows[1]->ours && !view->subflows[0]->ours);
    assert_ptr_equal(view->options->manager, &scripted);
    hawser_pm_wake(pm, 5 * NS_PER_S);
    hawser_pm_wake(pm, view->now_ns);
}

static void it_sees_how_all_stands(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, true, 2, look_around);
    announce(&b, 2);
    use(&b, 2, 9, HAWSER_PM_SILENT); /* an address that the peer took back */
    b.view.bytes = 77;
    call(&b);
    assert_int_equal(b.paths.wake_ns, b.now_ns + HAWSER_PM_WAKE_MIN_NS); /* who is called at once is called for ever */
    b.now_ns = b.paths.wake_ns;
    call(&b);
    assert_int_equal(script.calls, 2);
    finish(&b);
}

static void ask_twice(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    assert_int_equal(what, script.calls == 1 ? HAWSER_PM_CONFIRMED : HAWSER_PM_BYTES);
    assert_int_equal(view->bytes, script.calls == 1 ? 0 : 100);
    if (script.calls == 1) {
        hawser_pm_tell_at(pm, 50);
        hawser_pm_tell_at(pm, 100); /* one mark at a time: the last */
    }
}

static void it_hears_once_of_so_many_bytes(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, true, 2, ask_twice);
    call(&b);
    paths_note_bytes(&b.paths, b.view.bytes = 99);
    assert_int_equal(b.paths.news, 0);
    paths_note_bytes(&b.paths, b.view.bytes = 100);
    call(&b);
    assert_int_equal(script.calls, 2);
    paths_note_bytes(&b.paths, b.view.bytes = 1000);
    assert_int_equal(b.paths.news, 0);
    finish(&b);
}

static void ask_again(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    hawser_pm_tell_at(pm, view->bytes);
}

/* A mark that is reached each time it is set makes no loop. */
static void a_mark_that_is_reached_is_told_in_turn(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, true, 2, ask_again);
    call(&b);
    assert_true(paths_wish_due(&b.paths) <= b.now_ns); /* there may never be more */
    for (unsigned i = 0; i < 3; i++) {
        call(&b);
        assert_int_equal(paths_wish_due(&b.paths), b.now_ns + PATH_NEWS_INTERVAL_NS);
        b.now_ns += PATH_NEWS_INTERVAL_NS;
    }
    finish(&b);
}

static void open_beyond(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    assert_int_equal(hawser_pm_open(pm, 2, 0, false), -EINVAL);
    assert_int_equal(hawser_pm_open(pm, 0, 2, false), -EINVAL);
    assert_int_equal(hawser_pm_open(pm, 1, 1, true), -EAGAIN); /* it was refused there */
    assert_int_equal(hawser_pm_due(pm, 0, 1), TIME_NEVER);
    assert_int_equal(hawser_pm_due(pm, 9, 9), TIME_NEVER);
    assert_int_equal(hawser_pm_ended(pm, 1, 1), HAWSER_PM_END_REFUSED);
    assert_int_equal(hawser_pm_ended(pm, 1, 0), HAWSER_PM_END_UNANSWERED);
    assert_int_equal(hawser_pm_ended(pm, 0, 0), HAWSER_PM_END_NONE);
    assert_int_equal(hawser_pm_ended(pm, 9, 9), HAWSER_PM_END_NONE);
    assert_int_equal(hawser_pm_tries(pm, 1, 0), 2);
    assert_int_equal(hawser_pm_tries(pm, 0, 0), 0);
    assert_int_equal(hawser_pm_due(pm, 1, 0), view->now_ns + 2 * NS_PER_S);
    assert_int_equal(hawser_pm_due(pm, 0, 0), 0);
    for (unsigned i = 1; i < 8; i++) {
        assert_int_equal(hawser_pm_open(pm, 0, 0, i == 1), 0);
        assert_int_equal(view->subflow_count, i + 1);
        assert_int_equal(view->subflows[i]->state, HAWSER_PM_OPENING);
        assert_int_equal(view->subflows[i]->backup_local, i == 1);
    }
    assert_int_equal(hawser_pm_open(pm, 0, 0, false), -ENOBUFS);
    assert_int_equal(hawser_pm_close(pm, 1, 5), -EINVAL); /* nor is it there yet */
}

static void it_opens_what_may_be_opened(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, true, 2, open_beyond);
    announce(&b, 2);
    ended(&b, 2, 2, PATH_END_REFUSED);
    ended(&b, 2, 1, PATH_END_LOST);
    ended(&b, 2, 1, PATH_END_LOST);
    assert_int_equal(call(&b), 7);
    assert_true(path_policy_open_at(&b.pm, 0).backup);
    assert_int_equal(path_policy_open_at(&b.pm, 0).remote.id, 0);
    finish(&b);
}

static void close_some(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    assert_int_equal(view->subflow_count, 3);
    assert_int_equal(hawser_pm_close(pm, 3, 5), -EINVAL);
    assert_int_equal(hawser_pm_close(pm, 2, 5), 0); /* it still opens */
    assert_int_equal(view->subflows[2]->state, HAWSER_PM_CLOSING);
    assert_int_equal(view->subflow_count, 3);
    assert_int_equal(hawser_pm_close(pm, 2, 5), -EINVAL);
    assert_int_equal(hawser_pm_close(pm, 0, 3), 0);
    assert_int_equal(hawser_pm_close(pm, 1, 5), -EBUSY); /* the last one that works */
    assert_int_equal(hawser_pm_set_backup(pm, 1, true), 0);
    assert_int_equal(hawser_pm_set_backup(pm, 0, true), -EINVAL);
}

static void it_closes_all_but_the_last(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, true, 3, close_some);
    use(&b, 2, 1, HAWSER_PM_UP);
    use(&b, 3, 1, HAWSER_PM_OPENING);
    call(&b);
    static const enum hawser_pm_state states[] = {HAWSER_PM_CLOSING, HAWSER_PM_UP, HAWSER_PM_CLOSING};
    for (unsigned i = 0; i < HW_ARRAY_LEN(states); i++)
        assert_int_equal(b.pm.subflows[i].state, states[i]);
    assert_int_equal(b.pm.reasons[0], 3);
    assert_int_equal(b.pm.changed, 2);
    finish(&b);
}

static void announce_some(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    assert_false(view->initiator);
    assert_int_equal(view->remote_count, 0);
    assert_int_equal(hawser_pm_open(pm, 0, 0, false), -EPERM);
    assert_int_equal(hawser_pm_announce(pm, 3, 0), -EINVAL);
    assert_int_equal(hawser_pm_announce(pm, 0, 0), -EINVAL); /* the peer knows it */
    assert_int_equal(view->locals[1]->announced, script.calls == 2);
    assert_int_equal(hawser_pm_announce(pm, 1, 8080), 0);
    assert_true(view->locals[1]->announced);
    assert_int_equal(hawser_pm_announce(pm, 1, 0), 0);
    assert_int_equal(hawser_pm_withdraw(pm, 3), -EINVAL);
    if (script.calls == 2) {
        assert_int_equal(hawser_pm_withdraw(pm, 1), 0);
        assert_false(view->locals[1]->announced);
    }
}

/* What is said of addresses next. */
static struct mptcp_options next_signal(struct bench *b)
{
    struct mptcp_options mp = {0};
    paths_turn(&b->paths, &b->payer, 1, NS_PER_S, b->now_ns);
    paths_write(&b->paths, &b->view.locals, 0, false, &mp);
    return mp;
}

static void it_announces_and_takes_back(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, false, 2, announce_some);
    call(&b);
    struct mptcp_options mp = next_signal(&b);
    assert_int_equal(mp.present, 1u << MPTCP_ADD_ADDR);
    assert_true(mp.add_addr.has_port);
    assert_int_equal(mp.add_addr.addr.port, 8080);
    call(&b);
    mp = next_signal(&b);
    assert_int_equal(mp.present, 1u << MPTCP_REMOVE_ADDR);
    assert_int_equal(mp.remove_addr.ids[0], 2);
    finish(&b);
}

static void withdraw_the_first(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    assert_int_equal(view->locals[0]->id, script.calls == 1 ? 0 : 7);
    assert_true(view->locals[0]->first);
    assert_int_equal(hawser_pm_withdraw(pm, 0), 0);
    assert_int_equal(view->locals[0]->id, 7);
    assert_int_equal(hawser_pm_announce(pm, 0, 0), 0);
    assert_true(view->locals[0]->announced);
}

/* RFC 8684 3.4.2: what was taken back is an ID; 0 stays with the first subflow, the address comes back by its own. And
 * that, taken back as well, not before its removal is settled. */
static void the_first_address_comes_back_under_another_id(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, false, 1, withdraw_the_first);
    b.locals[0].id = 7;
    call(&b);
    struct mptcp_options mp = next_signal(&b);
    assert_true(mptcp_has(&mp, MPTCP_REMOVE_ADDR) && mptcp_has(&mp, MPTCP_ADD_ADDR));
    assert_int_equal(mp.remove_addr.count, 1);
    assert_int_equal(mp.remove_addr.ids[0], 0);
    assert_int_equal(mp.add_addr.address_id, 7);
    call(&b);
    mp = next_signal(&b);
    assert_int_equal(mp.present, 1u << MPTCP_REMOVE_ADDR);
    assert_int_equal(mp.remove_addr.ids[1], 7);
    finish(&b);
}

static void withdraw_and_wait(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    (void)what;
    if (script.calls == 1)
        assert_int_equal(hawser_pm_withdraw(pm, 1), 0);
    assert_int_equal(hawser_pm_open(pm, 1, 0, false), -EAGAIN);
    assert_int_equal(hawser_pm_due(pm, 1, 0), view->now_ns + NS_PER_S);
    hawser_pm_wake(pm, hawser_pm_due(pm, 1, 0));
}

static void who_takes_back_is_woken_when_it_may_be_settled(void **state)
{
    (void)state;
    struct bench b;
    begin_scripted(&b, true, 2, withdraw_and_wait);
    for (unsigned i = 0; i < 3; i++) { /* also when its turn is due, and did not come yet */
        call(&b);
        assert_int_equal(b.paths.wake_ns, b.now_ns + NS_PER_S);
        b.now_ns += NS_PER_S;
        if (i == 0)
            paths_turn(&b.paths, &b.payer, 1, NS_PER_S, b.now_ns - NS_PER_S);
    }
    finish(&b);
}

/* RFC 8684 3.4.1: an ID that was taken back is not used again before the peer was told enough. */
static void an_id_in_doubt_is_not_opened(void **state)
{
    (void)state;
    struct bench b;
    begin_named(&b, "fullmesh", 2);
    assert_true(paths_withdraw(&b.paths, &b.payer, &b.locals[1]));
    paths_turn(&b.paths, &b.payer, 1, NS_PER_S, b.now_ns);
    assert_int_equal(call(&b), 0);
    assert_int_equal(b.paths.wake_ns, b.now_ns + NS_PER_S);
    finish(&b);
}

/* ---- tables and options ---- */

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    static const struct hawser_path_manager bad[] = {
        {.name = "no size", .event = play},
        {.size = sizeof bad[0], .event = play},
        {.size = sizeof bad[0], .name = "no event"},
        {.size = sizeof bad[0], .name = "greedy", .conn_bytes = HAWSER_PM_MEMORY_MAX + 1, .event = play},
    };
    static const struct hawser_prefix long_v4 = {{.ip = {[10] = 0xff, [11] = 0xff}}, 33}, long_v6 = {{.ip = {1}}, 129};
    static struct hawser_prefix many[HAWSER_PREFIXES_MAX + 1];
    const struct hawser_path_options options[] = {
        {.size = 3},
        {.size = sizeof options[0], .manager = &bad[0]},
        {.size = sizeof options[0], .manager = &bad[1]},
        {.size = sizeof options[0], .manager = &bad[2]},
        {.size = sizeof options[0], .manager = &bad[3]},
        {.size = sizeof options[0], .allow = &long_v4, .allow_count = 1},
        {.size = sizeof options[0], .deny = &long_v6, .deny_count = 1},
        {.size = sizeof options[0], .backup = many, .backup_count = HAWSER_PREFIXES_MAX + 1},
        {.size = sizeof options[0], .backup_count = 1},
    };
    struct test_env env;
    struct path_plan *plan;
    test_env_init(&env, 1);
    for (unsigned i = 0; i < HW_ARRAY_LEN(options); i++)
        assert_int_equal(path_plan_new(&env.env, &options[i], &scripted, &plan), -EINVAL);
    env.fail_at = 1;
    assert_int_equal(path_plan_new(&env.env, NULL, &scripted, &plan), -ENOMEM);
    assert_int_equal(path_plan_new(&env.env, NULL, &scripted, &plan), 0);
    assert_int_equal(path_plan_options(plan)->subflows, 2);
    assert_int_equal(path_plan_options(plan)->demand_bytes, 1 << 20);
    path_plan_unref(path_plan_ref(plan), &env.env);
    path_plan_unref(plan, &env.env);
    test_env_check_clean(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_sees_how_all_stands),
        cmocka_unit_test(it_hears_once_of_so_many_bytes),
        cmocka_unit_test(a_mark_that_is_reached_is_told_in_turn),
        cmocka_unit_test(it_opens_what_may_be_opened),
        cmocka_unit_test(it_closes_all_but_the_last),
        cmocka_unit_test(it_announces_and_takes_back),
        cmocka_unit_test(the_first_address_comes_back_under_another_id),
        cmocka_unit_test(who_takes_back_is_woken_when_it_may_be_settled),
        cmocka_unit_test(an_id_in_doubt_is_not_opened),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
