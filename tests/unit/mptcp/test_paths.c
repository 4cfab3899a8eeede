/* The paths of a connection without a connection. */
#include "wish_bench.h"

/* What an idle connection of two hosts with an address each has to pay. */
static void two_hosts_with_one_address_cost_little(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    expect_no_wish(&b);
    assert_int_equal(paths_deadline(&b.paths), TIME_NEVER);
    assert_int_equal(b.env.live, 0);
    assert_true(sizeof b.paths <= 80);
    finish(&b);
}

static void every_address_of_ours_gets_a_subflow(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 3);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    expect_wish(&b, 1, 1);
    use(&b, 1, 1, 1, HAWSER_PM_OPENING);
    expect_wish(&b, 2, 1);
    use(&b, 2, 2, 1, HAWSER_PM_OPENING);
    expect_no_wish(&b);
    assert_int_equal(b.env.live, 0);
    finish(&b);
}

/* Two hosts on two networks that do not meet: of the four pairs only one more works. */
static void the_only_pair_that_works_is_tried(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    expect_wish(&b, 1, 1);
    use(&b, 1, 1, 1, HAWSER_PM_OPENING); /* in vain */
    assert_int_equal(hear(&b, 7, address(2, 2, 0)), PATHS_LEARNED);
    expect_wish(&b, 1, 2);
    use(&b, 2, 1, 2, HAWSER_PM_OPENING);
    expect_no_wish(&b);
    use(&b, 1, 1, 1, HAWSER_PM_UNANSWERED);
    use(&b, 2, 1, 2, HAWSER_PM_UP);
    expect_no_wish(&b);
    assert_int_equal(b.pm.subflows[1].state, HAWSER_PM_CLOSING);
    assert_int_equal(b.pm.subflows[2].state, HAWSER_PM_UP);
    finish(&b);
}

/* The same, but the announcement comes when the first join has been found out. */
static void an_unanswered_join_does_not_count(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    use(&b, 1, 1, 1, HAWSER_PM_UNANSWERED);
    expect_no_wish(&b);
    hear(&b, 7, address(2, 2, 0));
    expect_wish(&b, 1, 2);
    use(&b, 2, 1, 2, HAWSER_PM_UNANSWERED);
    expect_wish(&b, 0, 2); /* all pairs have their turn */
    use(&b, 3, 0, 2, HAWSER_PM_UNANSWERED);
    expect_no_wish(&b);
    finish(&b);
}

static void unanswered_pairs_back_off_each_by_itself(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    for (uint64_t wait_ns = NS_PER_S; wait_ns <= 4 * NS_PER_S; wait_ns *= 2) {
        expect_wish(&b, 1, 1);
        ended(&b, 1, 1, PATH_END_UNANSWERED);
        expect_no_wish(&b);
        assert_int_equal(paths_deadline(&b.paths), b.now_ns + wait_ns);
        b.now_ns += wait_ns;
    }
    hear(&b, 7, address(2, 2, 0));
    expect_wish(&b, 1, 2); /* never tried, so before the one that is due */
    use(&b, 1, 1, 2, HAWSER_PM_UP);
    expect_no_wish(&b);
    finish(&b);
}

/* RFC 8684 3.4.1, 3.9.3 */
static void a_refused_address_is_left_alone_until_announced_afresh(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 3);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    ended(&b, 1, 1, PATH_END_REFUSED);
    b.now_ns += 3600 * NS_PER_S;
    expect_no_wish(&b);
    assert_int_equal(hear(&b, 5, address(2, 2, 0)), PATHS_LEARNED);
    expect_wish(&b, 1, 2);
    ended(&b, 1, 2, PATH_END_REFUSED);
    expect_no_wish(&b);
    assert_int_equal(hear(&b, 5, address(2, 2, 0)), PATHS_NO_NEWS);
    expect_wish(&b, 1, 2);
    ended(&b, 1, 2, PATH_END_REFUSED);
    assert_int_equal(hear(&b, 0, address(1, 2, 0)), PATHS_NO_NEWS); /* the first one too */
    expect_wish(&b, 1, 1);
    finish(&b);
}

/* Lest somebody is asked again and again because a peer calls him by many IDs. */
static void a_refusal_counts_for_every_id_of_the_address(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    assert_int_equal(hear(&b, 5, address(2, 2, 80)), PATHS_LEARNED);
    assert_int_equal(hear(&b, 6, address(2, 2, 80)), PATHS_LEARNED);
    expect_wish(&b, 0, 2);
    ended(&b, 0, 2, PATH_END_REFUSED);
    expect_no_wish(&b);
    b.now_ns += 3600 * NS_PER_S;
    expect_no_wish(&b);
    finish(&b);
}

/* RFC 8684 3.4.2: whoever took an address back does not want to be called there. */
static void an_address_that_was_taken_back_is_not_joined(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    hear(&b, 5, address(2, 2, 0));
    expect_wish(&b, 0, 2);
    paths_remove_addr(&b.paths, 6); /* which nobody knows */
    expect_wish(&b, 0, 2);
    paths_remove_addr(&b.paths, 5);
    expect_no_wish(&b);
    finish(&b);
}

/* RFC 8684 3.4.1: what is announced once more with another port is worth a try there. */
static void another_port_is_tried(void **state)
{
    (void)state;
    struct bench b;
    struct path_wish wish;
    begin(&b, true, 1);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    hear(&b, 5, address(2, 2, 0));
    expect_wish(&b, 0, 2); /* that of the first subflow */
    ended(&b, 0, 2, PATH_END_REFUSED);
    expect_no_wish(&b);
    hear(&b, 5, address(2, 2, 81));
    assert_true(next_wish(&b, &wish));
    assert_int_equal(wish.remote.addr.port, 81);
    finish(&b);
}

static void a_new_address_of_ours_tries_what_was_refused(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    ended(&b, 1, 1, PATH_END_REFUSED);
    expect_no_wish(&b);
    add_local(&b, 3, 3);
    paths_local_added(&b.paths);
    expect_wish(&b, 1, 1);
    finish(&b);
}

static void what_worked_and_was_lost_is_opened_again(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    ended(&b, 1, 1, PATH_END_LOST);
    expect_no_wish(&b);
    b.now_ns += NS_PER_S;
    expect_wish(&b, 1, 1);
    ended(&b, 1, 1, PATH_END_CLOSED);
    b.now_ns += 3600 * NS_PER_S;
    expect_no_wish(&b);
    finish(&b);
}

static void a_silent_subflow_does_not_serve_its_addresses(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    use(&b, 1, 1, 2, HAWSER_PM_UP);
    hear(&b, 7, address(2, 2, 0));
    expect_no_wish(&b);
    use(&b, 1, 1, 2, HAWSER_PM_SILENT);
    expect_wish(&b, 1, 1);
    use(&b, 2, 1, 1, HAWSER_PM_OPENING);
    expect_wish(&b, 0, 2);
    finish(&b);
}

/* RFC 8684 3.1, flag C: that address and port, however we learn of it; another port is another matter. */
static void a_closed_address_is_never_joined(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    paths_close_first(&b.paths);
    expect_no_wish(&b);
    hear(&b, 3, address(1, 2, 0));
    hear(&b, 4, address(1, 2, 80));
    expect_no_wish(&b);
    paths_begin_rescue(&b.paths, true);
    expect_no_wish(&b);
    paths_remove_addr(&b.paths, 0);
    expect_no_wish(&b);
    struct path_wish wish;
    hear(&b, 5, address(1, 2, 81));
    assert_true(next_wish(&b, &wish));
    assert_int_equal(wish.remote.addr.port, 81);
    finish(&b);
}

static void what_no_peer_can_have_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"0.1.2.3",  "127.0.0.1",  "224.0.0.1",   "255.255.255.255",
                                      "10.0.1.1", "10.0.2.255", "169.254.1.1", "fe80::1",
                                      "ff02::1",  "::1",        "::"};
    struct bench b;
    begin(&b, true, 2);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct hawser_addr addr;
        assert_int_equal(hawser_addr_parse(&addr, bad[i], 0), 0);
        assert_int_equal(hear(&b, 9, addr), PATHS_INVALID);
    }
    struct mp_add_addr mapped = {.address_id = 9, .addr = address(2, 2, 0)}; /* said to be IPv6 */
    assert_int_equal(paths_add_addr(&b.paths, &b.payer, &b.view.locals, &mapped, 0), PATHS_INVALID);
    struct mp_add_addr no_port = {.is_v4 = true, .has_port = true, .address_id = 9, .addr = address(2, 2, 0)};
    assert_int_equal(paths_add_addr(&b.paths, &b.payer, &b.view.locals, &no_port, 0), PATHS_INVALID);
    assert_int_equal(hear(&b, 0, address(2, 2, 0)), PATHS_INVALID); /* RFC 8684 3.4.1: 0 is taken */
    assert_int_equal(b.env.live, 0);
    finish(&b);
}

/* RFC 6724 3.1 */
static void link_local_addresses_stay_among_themselves(void **state)
{
    (void)state;
    static const char *const ours[] = {"2001:db8::1", "fe80::1", "fe80::2"};
    static const uint8_t links[] = {0, 0, 1};
    struct bench b;
    for (unsigned near = 0; near < 2; near++) {
        for (unsigned opens = 0; opens < 2; opens++) {
            struct hawser_addr remote;
            begin(&b, opens, 0);
            for (unsigned i = 0; i < 3; i++) {
                b.locals[i] = (struct local_address){.id = (uint8_t)(i + 1), .link = links[i]};
                hawser_addr_parse(&b.locals[i].addr, ours[i], 0);
                b.locals[i].outside = b.locals[i].addr;
            }
            b.view.locals.count = 3;
            hawser_addr_parse(&remote, near ? "fe80::99" : "2001:db8::99", 80);
            paths_begin(&b.paths, &b.locals[near], 5000, &remote);
            b.view.use_count = 1;
            b.uses[0] = (struct path_use){.local = &b.locals[near].addr, .remote = &remote, .state = HAWSER_PM_UP};
            expect_no_wish(&b);
            assert_int_equal(paths_turn(&b.paths, &b.payer, 1, NS_PER_S, 0), 0);
            assert_false(paths_owes(&b.paths, 0));
            finish(&b);
        }
    }
}

/* By the link where the first address is now, not by one that has the index of a link that is gone. */
static void a_link_local_address_moves_with_its_link(void **state)
{
    (void)state;
    struct bench b;
    struct hawser_addr remote;
    struct local_address first = {.link = 3}, other = {.link = 3, .id = 1};
    begin(&b, true, 1);
    assert_int_equal(hawser_addr_parse(&first.addr, "fe80::1", 0), 0);
    assert_int_equal(hawser_addr_parse(&other.addr, "fe80::2", 0), 0);
    assert_int_equal(hawser_addr_parse(&remote, "fe80::99", 80), 0);
    paths_begin(&b.paths, &first, 5000, &remote);
    assert_true(paths_meet(&b.paths, &other, &remote));
    paths_lose_link(&b.paths, 2);
    assert_true(paths_meet(&b.paths, &other, &remote));
    paths_lose_link(&b.paths, 3);
    assert_false(paths_meet(&b.paths, &other, &remote));
    first.link = 4;
    assert_true(paths_local_back(&b.paths, &b.payer, 0, &first));
    assert_false(paths_meet(&b.paths, &other, &remote));
    other.link = 4;
    assert_true(paths_meet(&b.paths, &other, &remote));
    finish(&b);
}

static void joins_to_announced_addresses_are_rationed(void **state)
{
    (void)state;
    struct bench b;
    struct path_wish wish;
    unsigned knocks = 0;
    begin(&b, true, 1);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    for (uint8_t i = 0; i < 100; i++) {
        (void)paths_remove_addr(&b.paths, 1);
        enum paths_news news = hear(&b, 1, address(100, (uint8_t)(10 + i), 0)); /* always another one */
        assert_int_equal(news, knocks < PATH_JOINS_BURST ? PATHS_LEARNED : PATHS_LIMITED);
        knocks += next_wish(&b, &wish);
    }
    assert_int_equal(knocks, PATH_JOINS_BURST);
    assert_int_equal(paths_deadline(&b.paths), PATH_JOIN_INTERVAL_NS);
    b.now_ns = PATH_JOIN_INTERVAL_NS; /* and what was held back has its turn */
    assert_true(next_wish(&b, &wish));
    assert_int_equal(wish.remote.addr.ip[15], 109);
    b.now_ns = 1000 * NS_PER_S; /* no limit for a lifetime */
    for (uint8_t i = 0; i < PATH_JOINS_BURST; i++) {
        assert_true(paths_remove_addr(&b.paths, 1));
        assert_int_equal(hear(&b, 1, address(101, (uint8_t)(10 + i), 0)), PATHS_LEARNED);
        assert_true(next_wish(&b, &wish));
    }
    finish(&b);
}

/* RFC 8684 3.4.1: another port may come with an ID that is known, but no other address before a removal. */
static void an_id_stands_for_one_address(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    assert_int_equal(hear(&b, 7, address(2, 2, 0)), PATHS_LEARNED);
    expect_wish(&b, 0, 2);
    ended(&b, 0, 2, PATH_END_REFUSED);
    assert_int_equal(hear(&b, 7, address(3, 2, 0)), PATHS_TAKEN);
    assert_int_equal(hear(&b, 7, address(1, 2, 80)), PATHS_TAKEN); /* nor that of the first subflow */
    expect_no_wish(&b);
    assert_int_equal(hear(&b, 7, address(2, 2, 80)), PATHS_NO_NEWS); /* the port that was meant */
    expect_wish(&b, 0, 2);
    ended(&b, 0, 2, PATH_END_REFUSED);
    assert_int_equal(hear(&b, 7, address(2, 2, 81)), PATHS_LEARNED);
    struct path_wish wish;
    assert_true(next_wish(&b, &wish));
    assert_int_equal(wish.remote.addr.port, 81);
    assert_true(paths_remove_addr(&b.paths, 7));
    assert_false(paths_remove_addr(&b.paths, 7));
    assert_int_equal(hear(&b, 7, address(3, 2, 0)), PATHS_LEARNED);
    expect_wish(&b, 0, 3);
    finish(&b);
}

static unsigned take_news(struct bench *b) { return paths_take_news(&b->paths, b->now_ns); }

/* What changes nothing is no news. */
static void an_announcement_again_is_news_where_something_failed(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    assert_int_equal(hear(&b, 7, address(2, 2, 0)), PATHS_LEARNED);
    assert_int_equal(take_news(&b), HAWSER_PM_REMOTE_ADDED);
    hear(&b, 7, address(2, 2, 0));
    hear(&b, 0, address(1, 2, 0));
    assert_int_equal(take_news(&b), 0);
    ended(&b, 0, 2, PATH_END_REFUSED);
    hear(&b, 7, address(2, 2, 0));
    assert_int_equal(take_news(&b), HAWSER_PM_REMOTE_REFRESHED);
    ended(&b, 0, 1, PATH_END_REFUSED);
    hear(&b, 0, address(1, 2, 0));
    assert_int_equal(take_news(&b), HAWSER_PM_REMOTE_REFRESHED);
    finish(&b);
}

/* The first at once, then together; but whatever else happens brings them along. */
static void what_the_peer_says_is_heard_in_intervals(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    b.now_ns = NS_PER_S;
    paths_note(&b.paths, HAWSER_PM_PRIORITY);
    assert_int_equal(paths_wish_due(&b.paths), TIME_NEVER); /* nobody knows yet that it speaks MPTCP */
    paths_confirm(&b.paths);
    assert_int_equal(paths_wish_due(&b.paths), 0);
    assert_int_equal(take_news(&b), HAWSER_PM_CONFIRMED | HAWSER_PM_PRIORITY);
    hear(&b, 7, address(2, 2, 0));
    paths_note(&b.paths, HAWSER_PM_PRIORITY);
    assert_int_equal(paths_wish_due(&b.paths), b.now_ns + PATH_NEWS_INTERVAL_NS);
    paths_look_at(&b.paths, b.now_ns + 1);
    assert_int_equal(paths_wish_due(&b.paths), b.now_ns + 1);
    paths_note(&b.paths, HAWSER_PM_SUBFLOW_DOWN);
    assert_int_equal(paths_wish_due(&b.paths), 0);
    assert_int_equal(take_news(&b), HAWSER_PM_REMOTE_ADDED | HAWSER_PM_PRIORITY | HAWSER_PM_SUBFLOW_DOWN);
    b.now_ns += PATH_NEWS_INTERVAL_NS;
    paths_note(&b.paths, HAWSER_PM_REMOTE_REMOVED);
    assert_true(paths_wish_due(&b.paths) <= b.now_ns);
    finish(&b);
}

static void more_addresses_than_the_limit(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 1);
    for (uint8_t id = 1; id <= ADDRESSES_MAX; id++)
        assert_int_equal(hear(&b, id, address(id + 100, 2, 0)), PATHS_LEARNED);
    assert_int_equal(hear(&b, 100, address(99, 2, 0)), PATHS_LIMITED);
    paths_remove_addr(&b.paths, 3);
    assert_int_equal(hear(&b, 100, address(99, 2, 0)), PATHS_LEARNED);
    finish(&b);
}

/* The first address of ours goes and comes back: ID 0 does not, for the peer may still be told that it is gone. */
static void a_first_address_that_is_back_has_another_id(void **state)
{
    (void)state;
    for (unsigned opens = 0; opens < 2; opens++) {
        struct bench b;
        struct mptcp_options mp = {0};
        begin(&b, opens, 2);
        use(&b, 0, 1, 1, HAWSER_PM_UP);
        assert_int_equal(paths_local_id(&b.paths, &b.locals[0]), 0);
        assert_true(paths_local_removed(&b.paths, &b.payer, &b.locals[0]));
        b.locals[0].id = 77;
        assert_int_equal(paths_local_id(&b.paths, &b.locals[0]), 77);
        paths_local_added(&b.paths);
        if (!opens)
            expect_no_wish(&b);
        paths_turn(&b.paths, &b.payer, 1, NS_PER_S, 0);
        paths_write(&b.paths, &b.view.locals, 0, false, &mp);
        assert_true(mptcp_has(&mp, MPTCP_REMOVE_ADDR));
        assert_int_equal(mp.remove_addr.ids[0], 0);
        if (opens) {
            expect_wish(&b, 0, 1);
        } else {
            assert_true(mptcp_has(&mp, MPTCP_ADD_ADDR));
            assert_int_equal(mp.add_addr.address_id, 77);
        }
        finish(&b);
    }
}

/* And the peer's: what it announces under another ID is its address, the one with ID 0 is gone. */
static void the_peers_first_address_goes_and_comes_back(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    paths_remove_addr(&b.paths, 0);
    expect_no_wish(&b);
    hear(&b, 2, address(2, 2, 0));
    use(&b, 0, 0, 2, HAWSER_PM_UP);
    expect_wish(&b, 1, 2);
    use(&b, 1, 1, 2, HAWSER_PM_UP);
    assert_int_equal(hear(&b, 3, address(1, 2, 0)), PATHS_LEARNED);
    expect_wish(&b, 0, 1);
    finish(&b);
}

static void an_id_in_doubt_opens_nothing(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, true, 2);
    use(&b, 0, 0, 1, HAWSER_PM_UP);
    assert_true(paths_local_removed(&b.paths, &b.payer, &b.locals[1]));
    expect_no_wish(&b); /* another address has got its ID at once */
    for (uint64_t round = 0; round <= 3; round++) {
        struct mptcp_options mp = {0};
        paths_turn(&b.paths, &b.payer, 1, NS_PER_S, round * NS_PER_S);
        paths_write(&b.paths, &b.view.locals, 0, false, &mp);
        paths_sent(&b.paths, &b.payer, 0, &mp);
    }
    assert_int_equal(b.env.live, 0); /* all is said */
    expect_wish(&b, 1, 1);
    finish(&b);
}

static void without_memory_nothing_breaks(void **state)
{
    (void)state;
    for (unsigned fails = 1; fails <= 5; fails++) {
        struct bench b;
        begin(&b, true, 2);
        struct mp_add_addr add = {.is_v4 = true, .address_id = 5, .addr = address(2, 2, 0)};
        struct hawser_addr remote = address(1, 2, 80);
        b.env.fail_at = fails;
        bool echoed = paths_owe_echo(&b.paths, &b.payer, &add);
        bool learned = paths_add_addr(&b.paths, &b.payer, &b.view.locals, &add, 0) == PATHS_LEARNED;
        bool noted = paths_ended(&b.paths, &b.payer, &b.locals[1], &remote, PATH_END_REFUSED, 0);
        bool told = paths_local_removed(&b.paths, &b.payer, &b.locals[1]);
        assert_int_equal(echoed + learned + noted + told, fails <= 4 ? 3 : 4);
        paths_turn(&b.paths, &b.payer, 1, NS_PER_S, 0);
        finish(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_hosts_with_one_address_cost_little),
        cmocka_unit_test(every_address_of_ours_gets_a_subflow),
        cmocka_unit_test(the_only_pair_that_works_is_tried),
        cmocka_unit_test(an_unanswered_join_does_not_count),
        cmocka_unit_test(unanswered_pairs_back_off_each_by_itself),
        cmocka_unit_test(a_refused_address_is_left_alone_until_announced_afresh),
        cmocka_unit_test(a_refusal_counts_for_every_id_of_the_address),
        cmocka_unit_test(an_address_that_was_taken_back_is_not_joined),
        cmocka_unit_test(another_port_is_tried),
        cmocka_unit_test(a_new_address_of_ours_tries_what_was_refused),
        cmocka_unit_test(what_worked_and_was_lost_is_opened_again),
        cmocka_unit_test(a_silent_subflow_does_not_serve_its_addresses),
        cmocka_unit_test(a_closed_address_is_never_joined),
        cmocka_unit_test(what_no_peer_can_have_is_refused),
        cmocka_unit_test(link_local_addresses_stay_among_themselves),
        cmocka_unit_test(a_link_local_address_moves_with_its_link),
        cmocka_unit_test(joins_to_announced_addresses_are_rationed),
        cmocka_unit_test(an_id_stands_for_one_address),
        cmocka_unit_test(an_announcement_again_is_news_where_something_failed),
        cmocka_unit_test(what_the_peer_says_is_heard_in_intervals),
        cmocka_unit_test(more_addresses_than_the_limit),
        cmocka_unit_test(a_first_address_that_is_back_has_another_id),
        cmocka_unit_test(the_peers_first_address_goes_and_comes_back),
        cmocka_unit_test(an_id_in_doubt_opens_nothing),
        cmocka_unit_test(without_memory_nothing_breaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
