/* What is told and heard of addresses, without a connection (RFC 8684 3.4). */
#include <errno.h>

#include "mptcp/announcements.h"
#include "path_bench.h"

/* ---- addresses that the peer announces ---- */

static void what_is_announced_is_learned_and_echoed(void **state)
{
    (void)state;
    struct bench b;
    struct tcp_options options = {0};
    set_up(&b, true, 1);
    struct mp_add_addr add = announcement(2);
    hear(&b, &add);
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_IN), 1);
    assert_int_equal(say(&b, b.first), 1);
    path_manager_write(&b.pm, b.first, &options);
    assert_int_equal(options.mp.present, 1u << MPTCP_ADD_ADDR);
    assert_true(options.mp.add_addr.echo);
    assert_true(options.mp.add_addr.hmac64 == 0);
    assert_int_equal(options.mp.add_addr.address_id, 2);
    assert_true(hawser_addr_equal(&options.mp.add_addr.addr, &add.addr));
    expect_wish(&b, 1, 2);
    hear(&b, &add); /* it is no news, and echoed once more */
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_IN), 1);
    tear_down(&b);
}

static void anybody_can_write_an_address(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 1);
    struct mp_add_addr add = announcement(2);
    add.hmac64 ^= UINT64_C(1) << 63;
    hear(&b, &add);
    add = announcement(2);
    add.addr.ip[15]++;
    hear(&b, &add);
    add = announcement(2);
    add.hmac64 = mptcp_add_addr_hmac(LOCAL_KEY, REMOTE_KEY, &add); /* our own, sent back */
    hear(&b, &add);
    assert_int_equal(counted(&b, COUNT_DROP_ADD_ADDR_HMAC), 3);
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_IN), 0);
    assert_int_equal(say(&b, b.first), 0);
    assert_false(paths_owes(&b.paths, b.first->slot));
    assert_int_equal(wish(&b), 0);
    tear_down(&b);
}

static void what_cannot_be_joined_is_counted(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, true, 1);
    struct mp_add_addr add = announcement(2);
    add.addr.ip[12] = 127;
    add.hmac64 = mptcp_add_addr_hmac(REMOTE_KEY, LOCAL_KEY, &add);
    hear(&b, &add);
    assert_int_equal(counted(&b, COUNT_DROP_ADD_ADDR_INVALID), 1);
    for (unsigned m = 2; m < 2 + ADDRESSES_MAX; m++) {
        add = announcement(m);
        hear(&b, &add);
    }
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_IN), ADDRESSES_MAX);
    assert_int_equal(counted(&b, COUNT_DROP_ADD_ADDR_LIMIT), 0);
    add = announcement(2 + ADDRESSES_MAX);
    hear(&b, &add);
    assert_int_equal(counted(&b, COUNT_DROP_ADD_ADDR_LIMIT), 1);
    assert_int_equal(counted(&b, COUNT_LIMIT_ECHOES), ADDRESSES_MAX + 2 - ECHOES_MAX);
    tear_down(&b);
}

/* ---- addresses that we announce ---- */

/* What the subflow writes on a bare acknowledgement, and of which all leaves but for what is in `but`. */
static uint16_t write_and_send(struct bench *b, struct subflow *s, uint16_t but)
{
    struct tcp_options options = {0};
    path_manager_write(&b->pm, s, &options);
    uint16_t written = options.mp.present;
    options.mp.present |= 1u << MPTCP_DSS;
    options.mp.present &= (uint16_t)~but;
    if (options.mp.present & (1u << MPTCP_ADD_ADDR | 1u << MPTCP_REMOVE_ADDR))
        path_manager_sent(&b->pm, s, &options.mp);
    return written;
}

static int announce(struct bench *b, unsigned local)
{
    return paths_announce(&b->paths, b->pm.payer, &b->locals[local], 0);
}

static void an_address_is_announced_until_it_is_echoed(void **state)
{
    (void)state;
    struct bench b;
    struct tcp_options options = {0};
    set_up(&b, false, 2);
    assert_int_equal(announce(&b, 0), -EINVAL); /* the peer knows that one */
    assert_false(paths_owes(&b.paths, 0));
    assert_int_equal(announce(&b, 1), 0);
    run(&b, b.bundle.now_ns);
    assert_int_equal(say(&b, b.first), 1);
    path_manager_write(&b.pm, b.first, &options);
    const struct mp_add_addr *add = &options.mp.add_addr;
    assert_int_equal(options.mp.present, 1u << MPTCP_ADD_ADDR);
    assert_true(!add->echo && add->is_v4);
    assert_int_equal(add->address_id, 2);
    assert_true(hawser_addr_equal(&add->addr, &b.locals[1].addr));
    assert_true(add->hmac64 == mptcp_add_addr_hmac(LOCAL_KEY, REMOTE_KEY, add));
    path_manager_sent(&b.pm, b.first, &options.mp);
    const struct mp_add_addr echo = {.echo = true, .is_v4 = true, .address_id = 2, .addr = b.locals[1].addr};
    hear(&b, &echo);
    assert_false(paths_owes(&b.paths, 0));
    tear_down(&b);
}

/* Five times, a second apart; no signal is one too many for that (the peer sends something in between). */
static void what_is_not_echoed_is_given_up(void **state)
{
    (void)state;
    struct bench b;
    unsigned told = 0;
    set_up(&b, false, 2);
    assert_int_equal(announce(&b, 1), 0);
    do {
        run(&b, b.bundle.now_ns);
        told += write_and_send(&b, b.first, 0) == 1u << MPTCP_ADD_ADDR;
        b.first->tcp.rx.next++;
        uint64_t due_ns = due(&b);
        assert_true(due_ns == TIME_NEVER || due_ns == b.bundle.now_ns + NS_PER_S);
        b.bundle.now_ns = due_ns;
    } while (b.bundle.now_ns < TIME_NEVER);
    assert_int_equal(told, ANNOUNCE_TRIES_MAX);
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_OUT), 1);
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_LOST), 1);
    tear_down(&b);
}

/* The third signal in a row waits for something to come between, or half a minute. */
static void no_third_signal_in_a_row(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 2);
    assert_int_equal(announce(&b, 1), 0);
    for (int i = 0; i < 2; i++) {
        run(&b, b.bundle.now_ns);
        assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
        b.bundle.now_ns = due(&b);
    }
    run(&b, b.bundle.now_ns);
    assert_true(paths_owes(&b.paths, 0));
    assert_int_equal(write_and_send(&b, b.first, 0), 0);
    uint64_t due_ns = path_manager_due(&b.pm, b.bundle.now_ns);
    assert_int_equal(due_ns, b.bundle.now_ns + SIGNAL_ROW_NS);
    run(&b, due_ns);
    assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
    tear_down(&b);
}

/* What was lost of the first two waits no longer for the third than for whatever else is sent or received. */
static void what_comes_between_opens_the_row(void **state)
{
    (void)state;
    for (unsigned what = 0; what < 4; what++) {
        struct bench b;
        set_up(&b, false, 2);
        struct tcp *tcp = &b.first->tcp;
        assert_int_equal(announce(&b, 1), 0);
        for (int i = 0; i < 3; i++) {
            run(&b, b.bundle.now_ns);
            (void)write_and_send(&b, b.first, 0);
            b.bundle.now_ns += NS_PER_S;
        }
        tcp->rx.next += what == 1;
        tcp->snd_nxt += what == 2;
        tcp->retransmitted_bytes += what == 3;
        if (what == 0) {
            assert_true(path_manager_due(&b.pm, b.bundle.now_ns) > b.bundle.now_ns + 20 * NS_PER_S);
        } else {
            assert_int_equal(path_manager_due(&b.pm, b.bundle.now_ns), b.bundle.now_ns);
            run(&b, b.bundle.now_ns);
            assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
        }
        tear_down(&b);
    }
}

static void who_can_tell_is_told_to(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 3);
    struct subflow *s = bundle_open(&b.bundle, RTT), *proving = bundle_open(&b.bundle, RTT);
    proving->stage = SUBFLOW_PROVING;
    path_manager_local_removed(&b.pm, &b.locals[2]);
    assert_int_equal(announce(&b, 1), 0);
    run(&b, b.bundle.now_ns);
    assert_int_equal(say(&b, b.first), 1);
    assert_int_equal(say(&b, s), 1);
    assert_int_equal(say(&b, proving), 0);
    assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_REMOVE_ADDR | 1u << MPTCP_ADD_ADDR);
    assert_int_equal(write_and_send(&b, b.first, 0), 0);
    assert_int_equal(write_and_send(&b, s, 0), 1u << MPTCP_REMOVE_ADDR);
    assert_int_equal(write_and_send(&b, proving, 0), 0);
    tear_down(&b);
}

/* What left without a DATA_ACK, which somebody may wait for, or leaves something unsaid, is followed by another one. */
static void what_is_unsaid_follows(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 3);
    assert_int_equal(announce(&b, 1), 0);
    assert_int_equal(announce(&b, 2), 0);
    assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
    assert_int_equal(say(&b, b.first), 1); /* of the third address */
    assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
    assert_int_equal(say(&b, b.first), 0);
    b.first->tcp.rx.next++;
    b.locals[1].id = 11;
    assert_int_equal(announce(&b, 1), 0);
    assert_int_equal(write_and_send(&b, b.first, 1u << MPTCP_DSS), 1u << MPTCP_ADD_ADDR);
    assert_int_equal(say(&b, b.first), 1);
    b.locals[1].id = 21;
    b.locals[2].id = 22;
    assert_int_equal(announce(&b, 1), 0);
    assert_int_equal(announce(&b, 2), 0);
    assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
    assert_true(paths_owes(&b.paths, 0));
    assert_int_equal(say(&b, b.first), 0); /* the row is full */
    tear_down(&b);
}

/* What did not leave is no signal, and stays owed. */
static void what_found_no_room_is_still_owed(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 2);
    assert_int_equal(announce(&b, 1), 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(write_and_send(&b, b.first, 1u << MPTCP_ADD_ADDR), 1u << MPTCP_ADD_ADDR);
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_OUT), 0);
    assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
    assert_int_equal(counted(&b, COUNT_MPTCP_ADD_ADDR_OUT), 1);
    tear_down(&b);
}

/* Which combinations fit beside each other in 40 bytes; what does not goes later. */
static void what_is_written_beside_what(void **state)
{
    (void)state;
    static const struct {
        bool v6, timestamps, beside;
    } table[] = {{false, false, true}, {false, true, true}, {true, false, true}, {true, true, false}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(table); i++) {
        struct bench b;
        set_up(&b, false, 3);
        struct hawser_addr remote = bundle_remote(1);
        for (unsigned n = 0; n < 3; n++)
            if (table[i].v6)
                b.locals[n].outside.ip[0] = b.locals[n].addr.ip[0] = 0x20;
        remote.ip[0] = b.locals[0].addr.ip[0];
        paths_begin(&b.paths, &b.locals[0], 5000, &remote);
        assert_int_equal(announce(&b, 1), 0);
        path_manager_local_removed(&b.pm, &b.locals[2]);
        run(&b, b.bundle.now_ns);
        struct tcp_options options = {.present = table[i].timestamps ? TCP_OPT_TIMESTAMPS : 0};
        path_manager_write(&b.pm, b.first, &options);
        uint16_t both = 1u << MPTCP_REMOVE_ADDR | 1u << MPTCP_ADD_ADDR;
        assert_int_equal(options.mp.present, table[i].beside ? both : 1u << MPTCP_REMOVE_ADDR);
        path_manager_sent(&b.pm, b.first, &options.mp);
        options.mp.present = 0;
        path_manager_write(&b.pm, b.first, &options);
        assert_int_equal(options.mp.present, table[i].beside ? 0 : 1u << MPTCP_ADD_ADDR);
        tear_down(&b);
    }
}

/* More than can be told at once. */
static void too_many_to_tell(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 2);
    struct local_address one = b.locals[1];
    for (unsigned i = 0; i < ANNOUNCEMENTS_MAX; i++, one.id++)
        assert_int_equal(paths_announce(&b.paths, b.pm.payer, &one, 0), 0);
    assert_int_equal(paths_announce(&b.paths, b.pm.payer, &one, 0), -ENOBUFS);
    assert_false(paths_announced(&b.paths, &one)); /* it may be later */
    for (unsigned i = 0; i <= MPTCP_REMOVE_MAX; i++, one.id++) {
        assert_int_equal(counted(&b, COUNT_LIMIT_ANNOUNCEMENTS), 0);
        path_manager_local_removed(&b.pm, &one);
    }
    assert_int_equal(counted(&b, COUNT_LIMIT_ANNOUNCEMENTS), 1);
    tear_down(&b);
}

/* The round of removals after that one is over: their IDs may be given anew. */
static void settle_removals(struct bench *b)
{
    for (unsigned round = 0; round <= REMOVE_ROUNDS_MAX; round++) {
        b->bundle.now_ns += NS_PER_S;
        b->first->tcp.rx.next++;
        run(b, b->bundle.now_ns);
        (void)write_and_send(b, b->first, 0);
    }
}

static void expect_told(struct bench *b, const struct hawser_addr *addr)
{
    struct tcp_options options = {0};
    path_manager_write(&b->pm, b->first, &options);
    const struct mp_add_addr *add = &options.mp.add_addr;
    assert_int_equal(options.mp.present, 1u << MPTCP_ADD_ADDR);
    assert_int_equal(add->address_id, 2);
    assert_true(hawser_addr_equal(&add->addr, addr));
    assert_int_equal(add->has_port, addr->port != 0);
    assert_true(add->hmac64 == mptcp_add_addr_hmac(LOCAL_KEY, REMOTE_KEY, add));
}

/* RFC 8684 3.4.1: behind a translation the peer is told where it reaches us, and at which port, under the ID that the
 * address has inside. */
static void what_is_told_is_the_address_outside(void **state)
{
    (void)state;
    static const struct {
        uint16_t wished, outside, told;
    } ports[] = {{0, 0, 0}, {80, 0, 80}, {0, 4433, 4433}, {80, 4433, 4433}};
    for (unsigned i = 0; i < HW_ARRAY_LEN(ports); i++) {
        struct bench b;
        set_up(&b, false, 2);
        struct hawser_addr outside = bundle_local(77);
        outside.port = ports[i].outside;
        b.locals[1].outside = outside;
        assert_int_equal(paths_announce(&b.paths, b.pm.payer, &b.locals[1], ports[i].wished), 0);
        run(&b, b.bundle.now_ns);
        outside.port = ports[i].told;
        expect_told(&b, &outside);
        tear_down(&b);
    }
}

/* One that means nothing where the peer is stays unsaid, whatever it is inside; and the other way round. */
static void what_means_nothing_there_is_not_told(void **state)
{
    (void)state;
    struct bench b;
    struct hawser_addr near;
    assert_int_equal(hawser_addr_parse(&near, "169.254.1.1", 0), 0);
    set_up(&b, false, 3);
    b.locals[1].outside = near;
    assert_int_equal(announce(&b, 1), -EINVAL);
    b.locals[2].addr = near;
    assert_int_equal(announce(&b, 2), 0);
    tear_down(&b);
}

/* Of what was not said yet there is nothing to take back. */
static void an_address_that_moves_in_time_is_told_once(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 2);
    assert_int_equal(announce(&b, 1), 0);
    b.locals[1].outside = bundle_local(77);
    b.locals[1].outside.port = 0;
    path_manager_local_moved(&b.pm, &b.locals[1]);
    run(&b, b.bundle.now_ns);
    expect_told(&b, &b.locals[1].outside);
    tear_down(&b);
}

/* RFC 8684 3.4.1: an ID stands for one address, until that was removed. */
static void an_address_that_moves_is_taken_back_first(void **state)
{
    (void)state;
    for (unsigned echoed = 0; echoed < 2; echoed++) {
        struct bench b;
        set_up(&b, false, 2);
        const struct mp_add_addr echo = {.echo = true, .is_v4 = true, .address_id = 2, .addr = b.locals[1].addr};
        assert_int_equal(announce(&b, 1), 0);
        run(&b, b.bundle.now_ns);
        assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_ADD_ADDR);
        if (echoed)
            hear(&b, &echo);
        b.locals[1].outside = bundle_local(77);
        b.locals[1].outside.port = 0;
        path_manager_local_moved(&b.pm, &b.locals[1]);
        assert_int_equal(wish(&b), 0); /* which is where the path manager announces it again */
        assert_true(paths_announced(&b.paths, &b.locals[1]));
        run(&b, b.bundle.now_ns);
        assert_int_equal(write_and_send(&b, b.first, 0), 1u << MPTCP_REMOVE_ADDR);
        hear(&b, &echo); /* late */
        settle_removals(&b);
        b.bundle.now_ns += NS_PER_S;
        b.first->tcp.rx.next++;
        run(&b, b.bundle.now_ns);
        expect_told(&b, &b.locals[1].outside);
        hear(&b, &echo);
        tear_down(&b);
    }
}

/* Nobody was told of that of the first subflow, nor, by the host that opens subflows, of any. */
static void what_was_not_told_moves_in_silence(void **state)
{
    (void)state;
    for (unsigned opens = 0; opens < 2; opens++) {
        struct bench b;
        set_up(&b, opens, 2);
        b.locals[0].outside = bundle_local(77);
        path_manager_local_moved(&b.pm, &b.locals[0]);
        run(&b, b.bundle.now_ns);
        assert_false(paths_owes(&b.paths, 0));
        tear_down(&b);
    }
}

/* RFC 8684 3.2: that of the first subflow is 0, until it goes. */
static void the_id_of_an_address(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b, false, 2);
    const struct hawser_addr first = bundle_local(1), second = bundle_local(2), none = bundle_local(3);
    assert_int_equal(path_manager_local_id(&b.pm, &first), 0);
    assert_int_equal(path_manager_local_id(&b.pm, &second), 2);
    assert_int_equal(path_manager_local_id(&b.pm, &none), 0);
    path_manager_local_removed(&b.pm, &b.locals[0]);
    assert_int_equal(path_manager_local_id(&b.pm, &first), 1);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_announced_is_learned_and_echoed),
        cmocka_unit_test(anybody_can_write_an_address),
        cmocka_unit_test(what_cannot_be_joined_is_counted),
        cmocka_unit_test(an_address_is_announced_until_it_is_echoed),
        cmocka_unit_test(what_is_not_echoed_is_given_up),
        cmocka_unit_test(no_third_signal_in_a_row),
        cmocka_unit_test(what_comes_between_opens_the_row),
        cmocka_unit_test(who_can_tell_is_told_to),
        cmocka_unit_test(what_is_unsaid_follows),
        cmocka_unit_test(what_found_no_room_is_still_owed),
        cmocka_unit_test(what_is_written_beside_what),
        cmocka_unit_test(too_many_to_tell),
        cmocka_unit_test(what_is_told_is_the_address_outside),
        cmocka_unit_test(what_means_nothing_there_is_not_told),
        cmocka_unit_test(an_address_that_moves_in_time_is_told_once),
        cmocka_unit_test(an_address_that_moves_is_taken_back_first),
        cmocka_unit_test(what_was_not_told_moves_in_silence),
        cmocka_unit_test(the_id_of_an_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
