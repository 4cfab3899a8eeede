/* While a subflow waits for its address there are others, other links and other places. */
#include "lines.h"
#include "rest.h"
#include "wire/keys.h"
#include "wire/tcp.h"

/* Peers know the connection by the place where the address was reached: what leaves from another one is not its. */
static void one_that_is_reached_elsewhere_is_another(void **state)
{
    (void)state;
    static const char *const places[] = {"192.0.2.7", "192.0.2.8", "192.168.1.20", "10.0.0.101"};
    for (unsigned from = 0; from < 4; from += 2) {
        for (unsigned elsewhere = 0; elsewhere < 2; elsewhere++) {
            struct peer p;
            struct hawser_addr before, after;
            assert_int_equal(hawser_addr_parse(&before, places[from], 0), 0);
            assert_int_equal(hawser_addr_parse(&after, places[from + elsewhere], 0), 0);
            begin(&p, PLAIN);
            const struct hawser_addr addr = own(&p);
            assert_int_equal(hawser_stack_set_outside(p.stack, &addr, &before, p.now_ns), 0);
            leave(&p);
            assert_int_equal(hawser_stack_add_address(p.stack, 0, &addr, 24, p.now_ns), 0);
            assert_int_equal(hawser_stack_set_outside(p.stack, &addr, &after, p.now_ns), 0);
            peer_drain(&p);
            assert_int_equal(hawser_conn_error(p.conn), elsewhere ? -EADDRNOTAVAIL : 0);
            end(&p);
        }
    }
}

/* The link may be another one then; but a narrower one does not take what is under way. */
static void it_goes_on_by_another_link(void **state)
{
    (void)state;
    for (int narrow = 0; narrow < 2; narrow++) {
        struct peer p;
        begin(&p, PLAIN);
        const struct hawser_addr addr = own(&p);
        const struct hawser_link_options link = {.size = sizeof link, .mtu = narrow ? 1400 : 1500};
        assert_int_equal(hawser_stack_add_link(p.stack, &link), 1);
        say(&p);
        leave(&p);
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 1, &addr, 24, p.now_ns), 0);
        peer_drain(&p);
        assert_int_equal(hawser_conn_error(p.conn), narrow ? -EADDRNOTAVAIL : 0);
        if (!narrow) {
            peer_wait(&p, 2 * NS_PER_S);
            expect_hello(&p, 1);
            assert_int_equal(peer_last(&p, TCP_PSH)->link, 1);
        }
        end(&p);
    }
}

/* A link that has the index of the one it left by is none of its: that of a door, say. */
static void a_link_that_is_gone_carries_nothing(void **state)
{
    (void)state;
    const struct hawser_link_options door = {.size = sizeof door, .mtu = 1500, .door = 1};
    const struct hawser_link_options uplink = {.size = sizeof uplink, .mtu = 1500};
    for (int back = 0; back < 2; back++) {
        struct peer p;
        begin(&p, PLAIN);
        const struct hawser_addr addr = own(&p);
        say(&p);
        leave(&p);
        peer_forget(&p);
        assert_int_equal(hawser_stack_remove_link(p.stack, 0), 0);
        assert_int_equal(hawser_stack_add_link(p.stack, &door), 0);
        assert_int_equal(hawser_stack_add_link(p.stack, &uplink), 1);
        if (back)
            assert_int_equal(hawser_stack_add_address(p.stack, 1, &addr, 24, p.now_ns), 0);
        peer_wait(&p, REST_NS + NS_PER_S);
        assert_int_equal(hawser_conn_error(p.conn), back ? 0 : -EADDRNOTAVAIL);
        assert_true(back || p.seen_count == 0);
        for (unsigned i = 0; i < p.seen_count; i++)
            assert_int_equal(p.seen[i].link, 1);
        if (back)
            expect_hello(&p, 1);
        end(&p);
    }
}

/* Nor a reset that did not leave before. */
static void nor_does_it_carry_a_reset_that_waits(void **state)
{
    (void)state;
    const struct hawser_link_options door = {.size = sizeof door, .mtu = 1500, .door = 1};
    struct peer p;
    begin(&p, PLAIN);
    const struct hawser_addr addr = own(&p);
    hawser_abort(p.conn);
    assert_int_equal(hawser_stack_remove_address(p.stack, &addr, p.now_ns), 0);
    assert_int_equal(hawser_stack_remove_link(p.stack, 0), 0);
    assert_int_equal(hawser_stack_add_link(p.stack, &door), 0);
    peer_wait(&p, NS_PER_S);
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

/* Another address comes: its join takes over, and the peer hears that the first one is gone. */
static void a_join_takes_its_place(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    begin(&p, JOINS);
    const struct hawser_addr first = own(&p);
    say(&p);
    leave(&p);
    join_from(&p, &other);
    bool resent = false, removed = false, reset = false;
    for (unsigned i = 0; i < p.seen_count; i++) {
        const struct peer_segment *s = &p.seen[i];
        bool joined = hawser_addr_same_ip(&s->local, &other);
        resent |= joined && s->len == sizeof hello;
        removed |= joined && is_removed(&s->options.mp, 0);
        reset |= !joined && s->flags & TCP_RST;
    }
    assert_true(resent && removed && reset);
    assert_true(peer_is_open(&p));
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &first, 24, p.now_ns), 0);
    peer_drain(&p);
    assert_true(peer_is_open(&p));
    end(&p);
}

/* A connection that may have one subflow is joined all the same. */
static void it_takes_no_other_ones_place(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    uint64_t idsn;
    const struct hawser_conn_options one = {.size = sizeof one, .max_subflows = 1};
    peer_init(&p, NULL, &one);
    peer_open_mptcp(&p);
    peer_forget(&p);
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
    leave(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    p.own = other;
    p.own.port = PEER_PORT;
    p.addr.port++;
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = 1}}};
    mptcp_key_derive(p.stack_key, &o.mp.join.token, &idsn);
    peer_send(&p, TCP_SYN, 0, 0, &o, NULL, 0);
    assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    assert_int_equal(peer_counter(&p, "limit.subflows"), 0);
    end(&p);
}

/* And one that began to be joined, and goes on by what rested before that came to be, has one subflow still. */
static void a_join_that_has_not_come_to_be_makes_way(void **state)
{
    (void)state;
    for (unsigned answered = 0; answered < 2; answered++) {
        struct hawser_conn_info info = {.size = sizeof info};
        struct hawser_addr other;
        struct peer p;
        begin(&p, JOINS);
        ((struct conn *)(void *)p.conn)->subflow_limit = 1;
        const struct hawser_addr first = own(&p);
        leave(&p);
        assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
        peer_drain(&p);
        assert_int_equal(peer_count_syns(&p), 1);
        if (answered)
            peer_synack_join(&p); /* whose third packet is under way */
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &first, 24, p.now_ns), 0);
        peer_drain(&p);
        assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
        assert_int_equal(info.subflows, 1);
        assert_int_equal(peer_count_syns(&p), 0);
        assert_int_equal(peer_last(&p, TCP_RST) != NULL, answered);
        assert_int_equal(((struct conn *)(void *)p.conn)->subflow_count, 1);
        end(&p);
    }
}

/* It comes back under a new ID, but the peer knows the subflow by the old one. */
static void the_peer_hears_of_the_address_once(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    begin(&p, JOINS);
    const struct hawser_addr first = own(&p);
    leave(&p);
    const uint8_t joined_as = join_from(&p, &other);
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
    peer_drain(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_drain(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &first, 24, p.now_ns), 0);
    peer_drain(&p);
    peer_answer_join(&p);
    peer_forget(&p);
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
    peer_wait(&p, 5 * NS_PER_S);
    assert_true(removals_name(&p, joined_as));
    end(&p);
}

/* That ID is no other address's as long as the subflow has it (RFC 8684 3.4.1). */
static void its_id_is_lent_to_no_other(void **state)
{
    (void)state;
    enum { ALL_IDS = 260 };
    struct peer p;
    struct hawser_addr other, third;
    begin(&p, JOINS);
    leave(&p);
    const uint8_t joined_as = join_from(&p, &other);
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
    peer_drain(&p);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    peer_drain(&p);
    assert_int_equal(hawser_addr_parse(&third, "10.0.0.4", 0), 0);
    for (unsigned i = 0; i < ALL_IDS; i++) {
        peer_forget(&p);
        assert_int_equal(hawser_stack_add_address(p.stack, 0, &third, 24, p.now_ns), 0);
        peer_drain(&p);
        assert_int_equal(peer_count_syns(&p), 1);
        assert_int_not_equal(peer_last(&p, TCP_SYN)->options.mp.join.address_id, joined_as);
        assert_int_equal(hawser_stack_remove_address(p.stack, &third, p.now_ns), 0);
        peer_wait(&p, NS_PER_MS);
        assert_false(removals_name(&p, joined_as));
    }
    assert_true(peer_is_open(&p));
    end(&p);
}

/* As long as there are others. */
static void when_all_ids_are_in_use(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    begin(&p, JOINS);
    struct conn *conn = LIST_ENTRY(list_first(&p.stack->host.connections), struct conn, link);
    for (unsigned id = 1; id <= UINT8_MAX; id++) {
        const struct local_address local = {.id = (uint8_t)id};
        const uint8_t before = (uint8_t)(id % UINT8_MAX + 1);
        assert_true(paths_local_back(&conn->paths, &conn->account, before, &local));
        assert_int_equal(paths_local_id(&conn->paths, &local), before);
    }
    assert_int_equal(hawser_addr_parse(&other, "10.0.0.3", 0), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &other, 24, p.now_ns), 0);
    assert_int_equal(peer_counter(&p, "limit.address_ids"), 1);
    assert_int_not_equal(p.stack->host.addresses[0].id, p.stack->host.addresses[1].id);
    end(&p);
}

/* The peer was told of 10.0.0.3, has joined it, and the first address is gone; then that one is away, and comes back.
 * Returns the ID by which the peer knows it. */
static uint8_t begin_with_the_second_one(struct peer *p, struct hawser_addr *other)
{
    peer_init(p, NULL, NULL);
    const struct line first = line_open(p, 4000);
    const struct hawser_addr addr = own(p);
    assert_int_equal(hawser_addr_parse(other, "10.0.0.3", 0), 0);
    assert_int_equal(hawser_stack_add_address(p->stack, 0, other, 24, p->now_ns), 0);
    peer_wait(p, NS_PER_MS);
    p->own = *other;
    p->own.port = PEER_PORT;
    (void)line_join(p, &first, 4001);
    const uint8_t joined_as = peer_last(p, TCP_SYN)->options.mp.join.address_id;
    const struct tcp_options echo = {
        .mp = {.present = 1u << MPTCP_ADD_ADDR,
               .add_addr = {.echo = true, .is_v4 = true, .address_id = joined_as, .addr = *other}}};
    peer_send(p, TCP_ACK, 1, 1, &echo, NULL, 0);
    assert_int_equal(hawser_stack_remove_address(p->stack, &addr, p->now_ns), 0);
    peer_drain(p);
    leave(p);
    come_back(p);
    peer_forget(p);
    return joined_as;
}

/* It is not announced once more, by the ID that is the host's alone: nothing would say that, and nothing after it. */
static void the_next_announcement_leaves(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other, third;
    bool told = false;
    begin_with_the_second_one(&p, &other);
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0); /* it has asked */
    peer_wait(&p, 2 * GRACE);
    assert_true(p.seen_count < 10);
    assert_int_equal(hawser_addr_parse(&third, "10.0.0.4", 0), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, 0, &third, 24, p.now_ns), 0);
    peer_wait(&p, 2 * NS_PER_S);
    for (unsigned i = 0; i < p.seen_count; i++)
        told |= mptcp_has(&p.seen[i].options.mp, MPTCP_ADD_ADDR) &&
                hawser_addr_same_ip(&p.seen[i].options.mp.add_addr.addr, &third);
    assert_true(told);
    peer_destroy(&p);
}

/* And the peer hears by the same ID that it is reached elsewhere now. */
static void a_new_place_takes_the_old_id_away(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other, outside;
    const uint8_t joined_as = begin_with_the_second_one(&p, &other);
    assert_int_equal(hawser_addr_parse(&outside, "192.0.2.9", 0), 0);
    assert_int_equal(hawser_stack_set_outside(p.stack, &other, &outside, p.now_ns), 0);
    peer_wait(&p, 2 * GRACE); /* no more than two bare segments for that in a row */
    assert_true(removals_name(&p, joined_as));
    for (unsigned id = 1; id <= UINT8_MAX; id++)
        assert_true(id == joined_as || !removals_name(&p, (uint8_t)id));
    assert_true(peer_is_open(&p));
    assert_int_equal(peer_counter(&p, "tcp.rests"), 1);
    peer_destroy(&p);
}

/* What the address of one that came to its aid goes for is not the time that it has had itself. */
static void the_next_address_has_all_of_its_time(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr other;
    begin(&p, JOINS);
    leave(&p);
    peer_wait(&p, NS_PER_S);
    join_from(&p, &other);
    peer_wait(&p, 24 * NS_PER_S);
    assert_int_equal(hawser_stack_remove_address(p.stack, &other, p.now_ns), 0);
    peer_wait(&p, GRACE - NS_PER_S);
    assert_true(peer_is_open(&p));
    peer_wait(&p, 2 * NS_PER_S);
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_is_reached_elsewhere_is_another),
        cmocka_unit_test(it_goes_on_by_another_link),
        cmocka_unit_test(a_link_that_is_gone_carries_nothing),
        cmocka_unit_test(nor_does_it_carry_a_reset_that_waits),
        cmocka_unit_test(a_join_takes_its_place),
        cmocka_unit_test(it_takes_no_other_ones_place),
        cmocka_unit_test(a_join_that_has_not_come_to_be_makes_way),
        cmocka_unit_test(the_peer_hears_of_the_address_once),
        cmocka_unit_test(its_id_is_lent_to_no_other),
        cmocka_unit_test(when_all_ids_are_in_use),
        cmocka_unit_test(the_next_announcement_leaves),
        cmocka_unit_test(a_new_place_takes_the_old_id_away),
        cmocka_unit_test(the_next_address_has_all_of_its_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
