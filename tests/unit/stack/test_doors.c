/* Links by which packets to any destination are for the stack, and connections that are opened from there. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "peer.h"
#include "stack/stack.h"
#include "wire/keys.h"

enum { UPLINK, DOOR, OTHER_DOOR };

#define NONCE 5

static struct hawser_addr addr_of(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

/* One uplink with 10.0.0.1/24, and two doors. The peer is behind the first of them. */
static void setup(struct peer *p, const struct hawser_conn_options *listening)
{
    struct hawser_link_options door = {.size = sizeof door, .door = true};
    struct hawser_addr own6 = addr_of("2001:db8::1", 0);
    peer_init(p, NULL, listening);
    assert_int_equal(hawser_stack_add_link(p->stack, &door), DOOR);
    assert_int_equal(hawser_stack_add_link(p->stack, &door), OTHER_DOOR);
    assert_int_equal(hawser_stack_add_address(p->stack, UPLINK, &own6, 64, p->now_ns), 0);
    p->link = DOOR;
}

static void between(struct peer *p, const char *peer, const char *stack)
{
    p->addr = addr_of(peer, 4000);
    p->own = addr_of(stack, PEER_PORT);
    peer_forget(p);
}

static void whoever_asks_for_nobody_is_refused(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"10.77.9.2", "192.0.2.1"},
                                           {"10.77.9.2", "127.0.0.1"},
                                           {"10.0.0.1", "198.51.100.7"},
                                           {"fd00::2", "2001:db8:1::7"}};
    for (size_t i = 0; i < HW_ARRAY_LEN(pairs); i++) {
        struct peer p;
        setup(&p, NULL);
        between(&p, pairs[i][0], pairs[i][1]);
        peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
        const struct peer_segment *rst = peer_last(&p, TCP_RST);
        assert_non_null(rst);
        assert_int_equal(rst->link, DOOR);
        assert_int_equal(rst->ack, 1);
        assert_true(hawser_addr_equal(&rst->local, &p.own));
        p.link = UPLINK; /* where only what is to us is ours */
        peer_forget(&p);
        peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
        assert_int_equal(p.seen_count, 0);
        assert_int_equal(peer_counter(&p, "drop.not_our_address"), 1);
        peer_destroy(&p);
    }
}

/* RFC 9293 3.9.2.3 (MUST-57) */
static void what_is_to_no_single_host_is_not_answered(void **state)
{
    (void)state;
    static const char *const nobody[] = {"224.0.0.1", "255.255.255.255", "0.0.0.0", "ff02::1", "::"};
    struct peer p;
    setup(&p, NULL);
    for (size_t i = 0; i < HW_ARRAY_LEN(nobody); i++) {
        between(&p, strchr(nobody[i], ':') ? "fd00::2" : "10.77.9.2", nobody[i]);
        peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
        assert_int_equal(p.seen_count, 0);
    }
    assert_int_equal(peer_counter(&p, "drop.not_our_address"), HW_ARRAY_LEN(nobody));
    peer_destroy(&p);
}

/* A listener on an address of ours is reached by a door, too, and not one on others. */
static void our_own_listener_answers_by_the_door(void **state)
{
    (void)state;
    struct peer p;
    setup(&p, NULL);
    between(&p, "10.77.9.2", "10.0.0.1");
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_int_equal(peer_last(&p, TCP_SYN | TCP_ACK)->link, DOOR);
    p.link = OTHER_DOOR; /* another program with the same address */
    peer_send(&p, TCP_ACK, 1, 1, NULL, NULL, 0);
    assert_int_equal(hawser_accept(p.listener, &p.conn), -EAGAIN);
    assert_int_equal(peer_counter(&p, "drop.by_another_door"), 1);
    p.link = DOOR;
    peer_send(&p, TCP_ACK, 1, 1, NULL, "bytes", 5);
    assert_int_equal(hawser_accept(p.listener, &p.conn), 0);
    assert_int_equal(peer_last(&p, TCP_ACK)->link, DOOR);
    p.link = UPLINK;
    peer_send(&p, TCP_RST, 6, 0, NULL, NULL, 0);
    assert_true(peer_is_open(&p));
    p.link = OTHER_DOOR;
    peer_send(&p, TCP_RST, 6, 0, NULL, NULL, 0);
    assert_true(peer_is_open(&p));
    assert_int_equal(peer_counter(&p, "drop.by_another_door"), 3);
    p.link = DOOR;
    peer_send(&p, TCP_RST, 6, 0, NULL, NULL, 0);
    assert_false(peer_is_open(&p));
    between(&p, "10.77.9.2", "192.0.2.1"); /* the listener is on every address of ours, and that is none */
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_RST));
    peer_destroy(&p);
}

/* ---- connections from there ---- */

static struct hawser_conn_options foreign(const char *local, uint16_t port, int link)
{
    return (struct hawser_conn_options){.size = sizeof(struct hawser_conn_options),
                                        .no_mptcp = true,
                                        .foreign_local = true,
                                        .local = addr_of(local, port),
                                        .link = link};
}

static void open_foreign(struct peer *p, const char *local, const char *remote, bool mptcp)
{
    struct hawser_conn_options o = foreign(local, 0, DOOR);
    o.no_mptcp = !mptcp;
    p->addr = addr_of(remote, PEER_PORT);
    peer_forget(p);
    assert_int_equal(hawser_connect(p->stack, &p->addr, &o, p->now_ns, &p->conn), 0);
    peer_drain(p);
    const struct peer_segment *syn = peer_last(p, TCP_SYN);
    assert_non_null(syn);
    assert_int_equal(syn->link, DOOR);
    assert_true(hawser_addr_same_ip(&syn->local, &o.local));
    assert_true(syn->local.port >= PORTS_FIRST);
    p->own = syn->local;
}

static void a_connection_has_another_hosts_address(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"203.0.113.5", "10.77.9.2"}, {"2001:db8:5::1", "fd00::2"}};
    for (size_t i = 0; i < HW_ARRAY_LEN(pairs); i++) {
        struct peer p;
        setup(&p, NULL);
        open_foreign(&p, pairs[i][0], pairs[i][1], false);
        p.link = UPLINK;
        peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
        p.link = OTHER_DOOR;
        peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
        assert_false(hawser_conn_ready(p.conn) & HAWSER_CONNECTED);
        p.link = DOOR;
        peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, NULL, NULL, 0);
        assert_true(hawser_conn_ready(p.conn) & HAWSER_CONNECTED);
        assert_int_equal(hawser_send(p.conn, "bytes", 5), 5);
        peer_drain(&p);
        assert_int_equal(peer_last(&p, TCP_ACK)->len, 5);
        assert_int_equal(peer_last(&p, TCP_ACK)->link, DOOR);
        /* In TIME-WAIT it still answers there, and there only. */
        hawser_close(p.conn);
        peer_drain(&p);
        peer_send(&p, TCP_FIN | TCP_ACK, 1, 7, NULL, NULL, 0);
        peer_wait(&p, 10000000);
        assert_int_equal(hawser_stack_time_wait(p.stack), 1);
        peer_forget(&p);
        p.link = OTHER_DOOR;
        peer_send(&p, TCP_FIN | TCP_ACK, 1, 7, NULL, NULL, 0);
        assert_int_equal(p.seen_count, 0);
        p.link = DOOR;
        peer_send(&p, TCP_FIN | TCP_ACK, 1, 7, NULL, NULL, 0);
        assert_int_equal(peer_last(&p, TCP_ACK)->link, DOOR);
        assert_int_equal(peer_last(&p, TCP_ACK)->ack, 2);
        peer_destroy(&p);
    }
}

static int try_to_connect(struct peer *p, const char *remote, const struct hawser_conn_options *o)
{
    struct hawser_addr to = addr_of(remote, PEER_PORT);
    return hawser_connect(p->stack, &to, o, p->now_ns, &p->conn);
}

static void but_not_everywhere(void **state)
{
    (void)state;
    struct peer p;
    setup(&p, NULL);
    struct hawser_conn_options o = foreign("203.0.113.5", 7000, DOOR);
    o.foreign_local = false;
    assert_int_equal(try_to_connect(&p, "10.77.9.2", &o), -EADDRNOTAVAIL);
    static const int no_doors[] = {UPLINK, OTHER_DOOR + 1, -1};
    for (size_t i = 0; i < HW_ARRAY_LEN(no_doors); i++) {
        o = foreign("203.0.113.5", 7000, no_doors[i]);
        assert_int_equal(try_to_connect(&p, "10.77.9.2", &o), -EINVAL);
    }
    static const char *const nobody[] = {"0.0.0.0", "224.0.0.1", "255.255.255.255", "2001:db8::5", "::"};
    for (size_t i = 0; i < HW_ARRAY_LEN(nobody); i++) {
        o = foreign(nobody[i], 7000, DOOR);
        assert_int_equal(try_to_connect(&p, "10.77.9.2", &o), -EADDRNOTAVAIL);
    }
    o = foreign("203.0.113.5", 7000, DOOR);
    assert_int_equal(try_to_connect(&p, "10.77.9.2", &o), 0);
    assert_int_equal(try_to_connect(&p, "10.77.9.2", &o), -EADDRINUSE);
    assert_int_equal(try_to_connect(&p, "10.77.9.3", &o), 0);
    peer_destroy(&p);
}

/* ---- Multipath TCP ---- */

static void join(struct peer *p, const char *to, int link)
{
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_JOIN, .join = {.shape = MP_JOIN_SYN, .nonce = NONCE}}};
    uint64_t idsn;
    mptcp_key_derive(p->stack_key, &o.mp.join.token, &idsn);
    p->addr.port++;
    p->own = addr_of(to, PEER_PORT);
    p->link = link;
    peer_forget(p);
    peer_send(p, TCP_SYN, 0, 0, &o, NULL, 0);
}

/* RFC 8684 3.4: what the peer of a door knows is one address, and it is not told of ours. */
static void a_doors_connection_knows_no_address_of_ours(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_addr more = addr_of("10.0.1.1", 0), own = addr_of("10.0.0.1", 0);
    setup(&p, NULL);
    assert_int_equal(hawser_stack_add_address(p.stack, UPLINK, &more, 24, p.now_ns), 0);
    between(&p, "10.77.9.2", "10.0.0.1");
    peer_open_mptcp(&p);
    peer_wait(&p, 3000000000u);
    assert_int_equal(p.seen_count, 0);
    assert_int_equal(hawser_stack_remove_address(p.stack, &more, p.now_ns), 0);
    assert_int_equal(hawser_stack_add_address(p.stack, UPLINK, &more, 24, p.now_ns), 0);
    assert_int_equal(hawser_stack_remove_address(p.stack, &own, p.now_ns), 0);
    peer_wait(&p, 3000000000u);
    assert_int_equal(p.seen_count, 0);
    assert_true(peer_is_open(&p));
    peer_destroy(&p);
}

static void it_is_joined_by_that_door_only(void **state)
{
    (void)state;
    struct peer p;
    setup(&p, NULL);
    between(&p, "10.77.9.2", "10.0.0.1");
    peer_open_mptcp(&p);
    static const struct {
        const char *to;
        int link;
    } wrong[] = {{"10.0.0.1", UPLINK}, {"10.0.0.1", OTHER_DOOR}, {"192.0.2.1", DOOR}};
    for (size_t i = 0; i < HW_ARRAY_LEN(wrong); i++) {
        join(&p, wrong[i].to, wrong[i].link);
        assert_int_equal(p.seen_count, 1);
        assert_true(p.seen[0].flags & TCP_RST);
    }
    join(&p, "10.0.0.1", DOOR);
    const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    assert_int_equal(synack->link, DOOR);
    assert_int_equal(synack->options.mp.join.address_id, 0);
    peer_destroy(&p);

    setup(&p, NULL); /* nor does a door lead to the others */
    p.link = UPLINK;
    between(&p, "10.0.0.2", "10.0.0.1");
    peer_open_mptcp(&p);
    join(&p, "10.0.0.1", DOOR);
    assert_true(p.seen[0].flags & TCP_RST);
    peer_destroy(&p);
}

static void a_foreign_connection_stays_alone(void **state)
{
    (void)state;
    struct peer p;
    uint32_t token;
    setup(&p, NULL);
    open_foreign(&p, "203.0.113.5", "10.77.9.2", true);
    struct tcp_options o = {.mp = {.present = 1u << MPTCP_CAPABLE}};
    o.mp.capable = (struct mp_capable){
        .version = MPTCP_VERSION, .algorithms = MPTCP_HMAC_SHA256, .has_sender_key = true, .sender_key = p.key};
    peer_send(&p, TCP_SYN | TCP_ACK, 0, 1, &o, NULL, 0);
    p.stack_key = peer_last(&p, TCP_ACK)->options.mp.capable.sender_key;
    mptcp_key_derive(p.key, &token, &p.idsn);
    mptcp_key_derive(p.stack_key, &token, &p.stack_idsn);
    o = peer_dss(&p, 1, 0, 0, 0);
    peer_send(&p, TCP_ACK, 1, 1, &o, NULL, 0);
    peer_forget(&p);
    struct hawser_addr more = addr_of("10.0.1.1", 0);
    assert_int_equal(hawser_stack_add_address(p.stack, UPLINK, &more, 24, p.now_ns), 0);
    peer_wait(&p, 5000000000u);
    assert_int_equal(peer_count_syns(&p), 0);
    struct hawser_conn_info info = {.size = sizeof info};
    assert_int_equal(hawser_conn_get_info(p.conn, &info), 0);
    assert_true(info.mptcp);
    assert_true(peer_is_open(&p));
    peer_destroy(&p);
}

/* Its index is free again, for a link of another kind too. */
static void a_link_goes(void **state)
{
    (void)state;
    struct peer p;
    struct hawser_listener *listener;
    const struct hawser_link_options link = {.size = sizeof link, .mtu = 1400};
    const struct hawser_addr own = addr_of("10.5.0.1", 0);
    setup(&p, NULL);
    assert_int_equal(hawser_stack_remove_link(p.stack, UPLINK), -EBUSY);
    assert_int_equal(hawser_stack_remove_link(p.stack, OTHER_DOOR + 1), -EINVAL);
    assert_int_equal(hawser_stack_remove_link(p.stack, -1), -EINVAL);
    assert_int_equal(hawser_listen_link(p.stack, DOOR, 1, NULL, &listener), 0);
    assert_int_equal(hawser_stack_remove_link(p.stack, DOOR), -EBUSY);
    hawser_listener_close(listener);
    assert_int_equal(hawser_stack_remove_link(p.stack, DOOR), 0);
    assert_int_equal(hawser_stack_remove_link(p.stack, DOOR), -EINVAL);
    assert_int_equal(hawser_listen_link(p.stack, DOOR, 1, NULL, &listener), -EINVAL);
    assert_int_equal(hawser_stack_add_address(p.stack, DOOR, &own, 24, p.now_ns), -EINVAL);
    between(&p, "10.77.9.2", "192.0.2.1");
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0); /* nobody answers */
    assert_null(peer_last(&p, TCP_RST));
    for (unsigned i = 0; i < 2 * LINKS_MAX; i++) {
        assert_int_equal(hawser_stack_add_link(p.stack, &link), DOOR);
        assert_int_equal(hawser_stack_remove_link(p.stack, DOOR), 0);
    }
    assert_int_equal(hawser_stack_add_link(p.stack, &link), DOOR);
    assert_int_equal(hawser_stack_add_address(p.stack, DOOR, &own, 24, p.now_ns), 0);
    assert_int_equal(hawser_stack_add_link(p.stack, &link), OTHER_DOOR + 1);
    peer_destroy(&p);
}

/* ---- what came by a link that is gone is not what has its index now ---- */

/* The link with our address goes; a door gets its index, and another link the address. */
static void change_uplink(struct peer *p, const struct hawser_addr *own)
{
    const struct hawser_link_options link = {.size = sizeof link}, door = {.size = sizeof door, .door = true};
    const struct hawser_addr own6 = addr_of("2001:db8::1", 0);
    assert_int_equal(hawser_stack_remove_address(p->stack, own, p->now_ns), 0);
    assert_int_equal(hawser_stack_remove_address(p->stack, &own6, p->now_ns), 0);
    peer_drain(p);
    assert_int_equal(hawser_stack_remove_link(p->stack, UPLINK), 0);
    assert_int_equal(hawser_stack_add_link(p->stack, &door), UPLINK);
    assert_int_equal(hawser_stack_add_link(p->stack, &link), OTHER_DOOR + 1);
    assert_int_equal(hawser_stack_add_address(p->stack, OTHER_DOOR + 1, own, 24, p->now_ns), 0);
    peer_drain(p);
    peer_forget(p);
}

/* The connection is joined by every link that is no door, whichever it began on. */
static void a_connection_is_joined_though_its_first_link_is_gone(void **state)
{
    (void)state;
    struct peer p;
    const struct hawser_addr own = addr_of("10.0.0.1", 0);
    setup(&p, NULL);
    p.link = UPLINK;
    peer_open_mptcp(&p);
    change_uplink(&p, &own);
    join(&p, "10.0.0.1", UPLINK);
    assert_true(p.seen_count == 1 && p.seen[0].flags & TCP_RST);
    join(&p, "10.0.0.1", OTHER_DOOR + 1);
    const struct peer_segment *synack = peer_last(&p, TCP_SYN | TCP_ACK);
    assert_non_null(synack);
    assert_int_equal(synack->link, OTHER_DOOR + 1);
    peer_destroy(&p);
}

static void nor_is_a_doors_by_another_in_its_place(void **state)
{
    (void)state;
    const struct hawser_link_options door = {.size = sizeof door, .door = true};
    struct peer p;
    setup(&p, NULL);
    between(&p, "10.77.9.2", "10.0.0.1");
    peer_open_mptcp(&p);
    assert_int_equal(hawser_stack_remove_link(p.stack, DOOR), 0);
    assert_int_equal(hawser_stack_add_link(p.stack, &door), DOOR);
    for (int link = UPLINK; link <= OTHER_DOOR; link++) {
        join(&p, "10.0.0.1", link);
        assert_true(p.seen_count == 1 && p.seen[0].flags & TCP_RST);
    }
    peer_destroy(&p);
}

static void a_time_wait_goes_with_its_address(void **state)
{
    (void)state;
    struct peer p;
    const struct hawser_addr own = addr_of("10.0.0.1", 0);
    setup(&p, NULL);
    p.link = UPLINK;
    peer_open_plain(&p);
    hawser_close(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    change_uplink(&p, &own);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0); /* by that door */
    assert_int_equal(p.seen_count, 0);
    p.link = OTHER_DOOR + 1;
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_int_equal(p.seen_count, 1);
    assert_int_equal(p.seen[0].flags, TCP_ACK);
    assert_int_equal(p.seen[0].link, OTHER_DOOR + 1);
    peer_destroy(&p);
}

/* What belongs to a door goes with it: TIME-WAITs, handshakes of ours or of its program's, and answers. */
static void a_door_takes_along_what_it_brought(void **state)
{
    (void)state;
    const struct hawser_link_options door = {.size = sizeof door, .door = true};
    uint8_t bytes[PEER_PACKET_MAX];
    struct hawser_listener *listener;
    struct hawser_request *request;
    struct peer p;
    setup(&p, NULL);
    between(&p, "10.77.9.2", "10.0.0.1");
    peer_open_plain(&p);
    hawser_close(p.conn);
    peer_drain(&p);
    peer_send(&p, TCP_FIN | TCP_ACK, 1, 2, NULL, NULL, 0);
    assert_int_equal(hawser_stack_time_wait(p.stack), 1);
    p.addr.port++;
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    assert_int_equal(hawser_listen_link(p.stack, DOOR, 1, NULL, &listener), 0);
    between(&p, "10.77.9.2", "192.0.2.1");
    peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
    assert_int_equal(hawser_next_request(listener, &request), 0);
    assert_int_equal(hawser_request_accept(request, &p.conn), 0);
    peer_drain(&p);
    assert_non_null(peer_last(&p, TCP_SYN | TCP_ACK));
    hawser_listener_close(listener);
    struct hawser_rx rx = {.data = bytes, .flags = HAWSER_RX_CSUM_OK};
    p.addr.port++;
    rx.len = (uint32_t)peer_packet(&p, bytes, TCP_ACK, 1, 1, NULL, NULL, 0);
    hawser_stack_input(p.stack, DOOR, &rx, 1, p.now_ns); /* its RST is to leave */
    assert_int_equal(hawser_stack_remove_link(p.stack, DOOR), 0);
    assert_int_equal(hawser_stack_add_link(p.stack, &door), DOOR);
    assert_int_equal(hawser_stack_time_wait(p.stack), 0);
    assert_int_equal(hawser_conn_error(p.conn), -ENETDOWN);
    hawser_close(p.conn);
    peer_forget(&p);
    peer_wait(&p, UINT64_C(10000000000));
    assert_int_equal(p.seen_count, 0);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_asks_for_nobody_is_refused),
        cmocka_unit_test(what_is_to_no_single_host_is_not_answered),
        cmocka_unit_test(our_own_listener_answers_by_the_door),
        cmocka_unit_test(a_connection_has_another_hosts_address),
        cmocka_unit_test(but_not_everywhere),
        cmocka_unit_test(a_doors_connection_knows_no_address_of_ours),
        cmocka_unit_test(it_is_joined_by_that_door_only),
        cmocka_unit_test(a_foreign_connection_stays_alone),
        cmocka_unit_test(a_link_goes),
        cmocka_unit_test(a_connection_is_joined_though_its_first_link_is_gone),
        cmocka_unit_test(nor_is_a_doors_by_another_in_its_place),
        cmocka_unit_test(a_time_wait_goes_with_its_address),
        cmocka_unit_test(a_door_takes_along_what_it_brought),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
