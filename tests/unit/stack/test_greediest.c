/* Who is reset when memory is used up: the greediest, whoever opened it, however many there are, and at a cost that
 * does not grow with them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/units.h"
#include "lines.h"
#include "stack/stack.h"

enum { MEMORY = 8 << 20, CROWD = 200, LOOKS = 64, PATIENCE_S = 10 };

static struct conn *inner(struct hawser_conn *conn) { return (struct conn *)conn; }

static uint64_t resets(const struct peer *p) { return peer_counter(p, "limit.reset_for_memory"); }

/* Another client of the network. */
static void move_to(struct peer *p, uint8_t host) { p->addr.ip[15] = host; }

/* Its program queued so many bytes, when memory was plentiful, for a peer that acknowledges none. */
static void queue(struct peer *p, const struct line *line, uint32_t bytes)
{
    struct account_root *memory = &p->stack->host.memory;
    memory->limit *= 16;
    assert_int_equal(hawser_send(line->conn, lines_stream, bytes), bytes);
    memory->limit /= 16;
    peer_drain(p);
}

/* Others hold all that is left but the emergency reserve. */
static void hold_the_rest(struct peer *p, struct account *others)
{
    struct account_root *memory = &p->stack->host.memory;
    account_open(others, &memory->account);
    account_charge(others, memory->limit - memory->reserve - memory->account.held);
}

static void give_back(struct account *others)
{
    account_release(others, others->held);
    account_close(others);
}

/* The connection finds no room for what comes next, until patience ends, and once more. */
static void suffer(struct peer *p, const struct line *line)
{
    assert_false(pressure_make_room(&p->stack->host, inner(line->conn), p->now_ns));
    assert_false(pressure_make_room(&p->stack->host, inner(line->conn), p->now_ns + PATIENCE_S * NS_PER_S));
}

/* One when memory is used up, and another one when it has been for a second. */
static void two_come(struct peer *p, uint8_t host)
{
    move_to(p, host);
    for (uint16_t i = 0; i < 2; i++) {
        assert_int_equal(resets(p), 0);
        p->addr.port = (uint16_t)(9000 + i);
        peer_send(p, TCP_SYN, 0, 0, NULL, NULL, 0);
        peer_send(p, TCP_ACK, 1, 1, NULL, NULL, 0);
        p->now_ns += NS_PER_S;
    }
}

/* One of a crowd is greedy. So many are looked at when patience ends, and others the next time. */
static void some_are_looked_at_in_turn(void **state)
{
    (void)state;
    enum { GREEDY = 150 };
    struct peer p;
    struct line lines[CROWD];
    struct account others;
    lines_init(&p, MEMORY, false, NULL);
    for (uint16_t i = 0; i < CROWD; i++)
        lines[i] = line_open(&p, (uint16_t)(4000 + i));
    for (int i = 0; i < 4; i++)
        queue(&p, &lines[GREEDY], 700000);
    hold_the_rest(&p, &others);
    const struct list *all = &p.stack->host.connections;
    for (unsigned looks = LOOKS; looks <= 3 * LOOKS; looks += LOOKS) {
        bool found = looks > GREEDY;
        suffer(&p, &lines[0]);
        assert_int_equal(resets(&p), found);
        assert_ptr_equal(all->next, &inner(lines[found ? GREEDY : looks].conn)->link);
        assert_ptr_equal(all->prev, &inner(lines[looks - 1].conn)->link);
    }
    assert_int_equal(hawser_conn_error(lines[GREEDY].conn), -ENOBUFS);
    give_back(&others);
    peer_destroy(&p);
}

/* Of several the greediest goes first; and for the greediest nobody does. */
static void most_first(void **state)
{
    (void)state;
    enum { GREEDY = 3 };
    struct peer p;
    struct line lines[GREEDY];
    struct account others;
    lines_init(&p, MEMORY, false, NULL);
    struct line modest = line_open(&p, 3999);
    for (uint16_t i = 0; i < GREEDY; i++)
        lines[i] = line_open(&p, (uint16_t)(4000 + i));
    queue(&p, &lines[0], 800000);
    queue(&p, &lines[1], 800000);
    queue(&p, &lines[1], 800000);
    queue(&p, &lines[2], 700000);
    hold_the_rest(&p, &others);
    suffer(&p, &lines[1]);
    assert_int_equal(resets(&p), 0);
    static const unsigned order[GREEDY] = {1, 0, 2};
    for (unsigned i = 0; i < GREEDY; i++) {
        assert_int_equal(hawser_conn_error(lines[order[i]].conn), 0);
        suffer(&p, &modest);
        p.now_ns += PATIENCE_S * NS_PER_S;
        assert_int_equal(hawser_conn_error(lines[order[i]].conn), -ENOBUFS);
        assert_int_equal(resets(&p), i + 1);
    }
    suffer(&p, &modest);
    assert_int_equal(resets(&p), GREEDY);
    give_back(&others);
    peer_destroy(&p);
}

/* As memory is dealt out by address first, nobody holds less for being many, nor more for being the only one of an
 * address to hold any. */
static void an_address_has_one_share(void **state)
{
    (void)state;
    enum { MANY = 8 };
    for (int modest_address = 0; modest_address < 2; modest_address++) {
        struct peer p;
        struct line many[MANY], alone, sufferer;
        struct account others;
        lines_init(&p, MEMORY, false, NULL);
        move_to(&p, 50);
        sufferer = line_open(&p, 4000);
        move_to(&p, 51);
        alone = line_open(&p, 4000);
        if (modest_address) /* its connection holds more than its part of that */
            for (uint16_t i = 1; i < MANY; i++)
                (void)line_open(&p, (uint16_t)(4000 + i));
        queue(&p, &alone, modest_address ? 600000 : 800000);
        if (!modest_address)
            queue(&p, &alone, 500000);
        move_to(&p, 52);
        for (uint16_t i = 0; i < MANY; i++) {
            many[i] = line_open(&p, (uint16_t)(4000 + i));
            queue(&p, &many[i], 280000);
        }
        hold_the_rest(&p, &others);
        suffer(&p, &sufferer);
        assert_int_equal(resets(&p), 1);
        assert_int_equal(hawser_conn_error(alone.conn), 0);
        give_back(&others);
        peer_destroy(&p);
    }
}

/* Connections that this host opened are no exception, neither for who suffers nor for who comes. */
static void our_own_go_too(void **state)
{
    (void)state;
    for (int come = 0; come < 2; come++) {
        struct peer p;
        struct account others;
        lines_init(&p, MEMORY, false, NULL);
        move_to(&p, 50);
        struct line sufferer = line_open(&p, 4000);
        move_to(&p, 51);
        peer_connect_mptcp(&p);
        struct line own = {.conn = p.conn};
        for (int i = 0; i < 4; i++)
            queue(&p, &own, 700000);
        hold_the_rest(&p, &others);
        p.own.port = PEER_PORT;
        if (come)
            two_come(&p, 52);
        else
            suffer(&p, &sufferer);
        assert_int_equal(hawser_conn_error(own.conn), -ENOBUFS);
        assert_int_equal(resets(&p), 1);
        give_back(&others);
        peer_destroy(&p);
    }
}

/* Whoever holds much and makes progress by a byte now and then gains nothing by that, nor by a crowd of his that made
 * none for longer and holds nothing. */
static void nobody_hides_in_a_crowd(void **state)
{
    (void)state;
    struct peer p;
    struct account others;
    lines_init(&p, MEMORY, false, NULL);
    move_to(&p, 50);
    struct line modest = line_open(&p, 4000);
    queue(&p, &modest, 10000);
    move_to(&p, 51);
    for (uint16_t i = 0; i < CROWD; i++)
        (void)line_open(&p, (uint16_t)(4000 + i));
    struct line greedy = line_open(&p, 5000);
    for (int i = 0; i < 4; i++)
        queue(&p, &greedy, 700000);
    hold_the_rest(&p, &others);
    for (uint32_t i = 0; i < 2; i++) {
        peer_wait(&p, 9 * NS_PER_S);
        line_take(&p, &greedy);
        struct tcp_options o = peer_dss(&p, 3 + i, 0, 0, 0);
        peer_send(&p, TCP_ACK, 2, 3 + i, &o, NULL, 0);
    }
    two_come(&p, 52);
    assert_int_equal(hawser_conn_error(greedy.conn), -ENOBUFS);
    assert_int_equal(hawser_conn_error(modest.conn), 0);
    assert_int_equal(resets(&p), 1);
    give_back(&others);
    peer_destroy(&p);
}

/* Nor does it help to leave the stack alone with what it holds, until another subflow comes or half a minute is over.
 */
static void who_is_waited_for_goes_too(void **state)
{
    (void)state;
    struct peer p;
    struct account others;
    lines_init(&p, MEMORY, false, NULL);
    struct line modest = line_open(&p, 4000), greedy = line_open(&p, 4001);
    for (int i = 0; i < 4; i++)
        queue(&p, &greedy, 700000);
    line_take(&p, &greedy);
    peer_send(&p, TCP_RST, 2, 0, NULL, NULL, 0);
    assert_int_equal(hawser_conn_error(greedy.conn), 0);
    hold_the_rest(&p, &others);
    suffer(&p, &modest);
    assert_int_equal(hawser_conn_error(greedy.conn), -ENOBUFS);
    give_back(&others);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_are_looked_at_in_turn), cmocka_unit_test(most_first),
        cmocka_unit_test(an_address_has_one_share),   cmocka_unit_test(our_own_go_too),
        cmocka_unit_test(nobody_hides_in_a_crowd),    cmocka_unit_test(who_is_waited_for_goes_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
