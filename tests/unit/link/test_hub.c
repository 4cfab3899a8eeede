#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "link/hub.h"
#include "link/memory.h"
#include "link/packets.h"
#include "support.h"

enum { MEMBERS = 3, MTU = 1500, LEN = 1000 };

/* A hub of in-process links, with the far end of each. */
struct fixture {
    struct test_env t;
    struct hawser_buf_pool *pool;
    struct link *hub, *far[MEMBERS];
    struct hub_member *members[MEMBERS];
    uint8_t payload[LEN];
};

static struct hawser_addr own_addr(unsigned i, bool v4)
{
    struct hawser_addr addr = packet_addr(v4 ? "198.19.0.1" : "2001:2::1", 4000);
    addr.ip[15] = (uint8_t)(i + 1);
    return addr;
}

static struct link *add_pair(struct fixture *f, struct link **far)
{
    const struct memory_options options = {.mtu = MTU, .queue_packets = 100, .queue_bytes = 200000, .gso = true};
    struct link *near;
    assert_int_equal(memory_pair_new(&f->t.env, &options, f->pool, f->pool, &near, far), 0);
    return near;
}

static struct fixture *setup(void)
{
    struct fixture *f = calloc(1, sizeof(*f));
    assert_non_null(f);
    test_env_init(&f->t, test_seed());
    assert_int_equal(hawser_buf_pool_new(&f->t.env, 256 * 1024, 16, &f->pool), 0);
    assert_int_equal(hub_new(&f->t.env, MTU, 65000, &f->hub), 0);
    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct hawser_addr behind[] = {own_addr(i, true), own_addr(i, false)};
        struct link *near = add_pair(f, &f->far[i]);
        assert_int_equal(hub_add(f->hub, near, behind, 2, &f->members[i], &f->members[i]), 0);
    }
    return f;
}

static void teardown(struct fixture *f)
{
    link_destroy(f->hub);
    for (unsigned i = 0; i < MEMBERS; i++)
        link_destroy(f->far[i]);
    hawser_buf_pool_close(f->pool);
    test_env_check_clean(&f->t);
    free(f);
}

static void send_one(struct fixture *f, struct link *by, struct hawser_addr from, struct hawser_addr to, int expected)
{
    const struct packet_flow flow = {.src = from, .dst = to, .flags = TCP_ACK};
    struct hawser_tx tx = packet_make(&flow, f->payload, LEN, 0);
    assert_int_equal(link_transmit(by, &tx, 1, 0), expected);
}

static bool readable(const struct link *link)
{
    struct pollfd p = {.fd = link->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Who sent what waits; fails when nothing does. */
static struct hawser_addr receive_one(struct link *by)
{
    struct hawser_rx rx;
    assert_true(readable(by));
    assert_int_equal(link_receive(by, &rx, 1, 0), 1);
    struct packet_view view = packet_parse(rx.data, rx.len, false);
    assert_int_equal(view.payload_len, LEN);
    link_release(by);
    return view.ip.src;
}

static void whoever_sends_is_heard(void **state)
{
    (void)state;
    struct fixture *f = setup();
    for (unsigned v4 = 0; v4 < 2; v4++) {
        bool seen[MEMBERS] = {false};
        assert_false(readable(f->hub));
        for (unsigned i = 0; i < MEMBERS; i++)
            send_one(f, f->far[i], own_addr(i, v4), packet_addr(v4 ? "192.0.2.1" : "2001:db8::1", 80), 1);
        for (unsigned i = 0; i < MEMBERS; i++)
            seen[receive_one(f->hub).ip[15] - 1] = true;
        for (unsigned i = 0; i < MEMBERS; i++)
            assert_true(seen[i]);
        assert_false(readable(f->hub));
    }
    assert_int_equal(f->hub->counters.rx_packets, 2 * MEMBERS);
    teardown(f);
}

static void nobody_uses_the_address_of_another(void **state)
{
    (void)state;
    struct fixture *f = setup();
    struct hawser_rx rx;
    struct hawser_addr to = packet_addr("192.0.2.1", 80);
    send_one(f, f->far[0], own_addr(1, true), to, 1);
    send_one(f, f->far[0], packet_addr("10.0.0.1", 1), to, 1);
    assert_int_equal(link_receive(f->hub, &rx, 1, 0), 0);
    link_release(f->hub);
    assert_int_equal(link_receive(f->hub, &rx, 1, 0), 0);
    link_release(f->hub);
    assert_int_equal(f->hub->counters.rx_foreign, 2);
    teardown(f);
}

static void a_packet_leaves_by_whom_it_is_for(void **state)
{
    (void)state;
    struct fixture *f = setup();
    struct hawser_addr from = packet_addr("192.0.2.1", 80);
    for (unsigned i = 0; i < MEMBERS; i++) {
        send_one(f, f->hub, from, own_addr(i, true), 1);
        for (unsigned k = 0; k < MEMBERS; k++)
            assert_int_equal(readable(f->far[k]), k == i);
        receive_one(f->far[i]);
    }
    send_one(f, f->hub, from, packet_addr("198.19.0.99", 1), 0);
    assert_int_equal(f->hub->counters.tx_errors, 1);
    teardown(f);
}

static void addresses_are_of_one_member(void **state)
{
    (void)state;
    struct fixture *f = setup();
    struct hub_member *none;
    struct link *far, *near = add_pair(f, &far);
    const struct hawser_addr taken[] = {packet_addr("198.19.0.77", 0), own_addr(1, false), own_addr(1, true)};
    assert_int_equal(hub_add(f->hub, near, taken, 2, NULL, &none), -EEXIST);
    assert_int_equal(hub_add(f->hub, near, taken, 3, NULL, &none), -EINVAL);
    link_destroy(near);
    link_destroy(far);
    teardown(f);
}

static void whose_address_is_it(void **state)
{
    (void)state;
    struct fixture *f = setup();
    for (unsigned i = 0; i < MEMBERS; i++) {
        const struct hawser_addr v4 = own_addr(i, true), v6 = own_addr(i, false);
        assert_ptr_equal(hub_owner(f->hub, &v4), &f->members[i]);
        assert_ptr_equal(hub_owner(f->hub, &v6), &f->members[i]);
    }
    const struct hawser_addr nobodys = packet_addr("192.0.2.1", 80);
    assert_null(hub_owner(f->hub, &nobodys));
    teardown(f);
}

static void removed_while_packets_wait(void **state)
{
    (void)state;
    struct fixture *f = setup();
    struct hawser_addr to = packet_addr("192.0.2.1", 80);
    for (unsigned i = 0; i < MEMBERS; i++)
        send_one(f, f->far[i], own_addr(i, true), to, 1);
    unsigned first = receive_one(f->hub).ip[15] - 1, second = (first + 1) % MEMBERS;
    hub_remove(f->members[second]);
    assert_int_equal(receive_one(f->hub).ip[15] - 1, (first + 2) % MEMBERS);
    assert_false(readable(f->hub));
    send_one(f, f->hub, to, own_addr(second, true), 0);
    teardown(f);
}

/* A device that was deleted. */
static int lost_receive(struct link *link, struct hawser_rx *out, size_t max, uint64_t now_ns)
{
    (void)link;
    (void)out;
    (void)max;
    (void)now_ns;
    return -ENODEV;
}

static int lost_transmit(struct link *link, const struct hawser_tx *packets, size_t count, uint64_t now_ns)
{
    (void)link;
    (void)packets;
    (void)count;
    (void)now_ns;
    return -ENODEV;
}

static void lost_release(struct link *link) { (void)link; }

static void lost_destroy(struct link *link)
{
    close(link->fd);
    free(link);
}

static const struct link_ops lost_ops = {lost_receive, lost_release, lost_transmit, lost_destroy};

static void a_lost_member_is_told_once(void **state)
{
    (void)state;
    struct fixture *f = setup();
    struct hub_member *member;
    struct hawser_addr addr = packet_addr("198.19.1.1", 0);
    struct hawser_rx rx;
    void *user = NULL;
    struct link *link = calloc(1, sizeof(*link));
    assert_non_null(link);
    *link = (struct link){.ops = &lost_ops, .fd = eventfd(1, EFD_NONBLOCK), .mtu = MTU};
    assert_int_equal(hub_add(f->hub, link, &addr, 1, f, &member), 0);
    send_one(f, f->hub, packet_addr("192.0.2.1", 80), addr, 0);
    assert_false(hub_next_gone(f->hub, &user)); /* nobody would look */
    assert_true(readable(f->hub));
    assert_int_equal(link_receive(f->hub, &rx, 1, 0), 0);
    link_release(f->hub);
    assert_true(hub_next_gone(f->hub, &user));
    assert_ptr_equal(user, f);
    assert_false(hub_next_gone(f->hub, &user));
    assert_false(readable(f->hub));
    send_one(f, f->hub, packet_addr("192.0.2.1", 80), addr, 0);
    hub_remove(member);
    teardown(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_sends_is_heard),
        cmocka_unit_test(nobody_uses_the_address_of_another),
        cmocka_unit_test(a_packet_leaves_by_whom_it_is_for),
        cmocka_unit_test(addresses_are_of_one_member),
        cmocka_unit_test(whose_address_is_it),
        cmocka_unit_test(removed_while_packets_wait),
        cmocka_unit_test(a_lost_member_is_told_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
