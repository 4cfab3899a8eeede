/* Sources that nobody beyond a link can have (RFC 1122 3.2.1.3, RFC 4291 2.5.3) are not answered, except on a door. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "peer.h"

#define DOOR 1

static void setup(struct peer *p)
{
    static const struct {
        const char *text;
        unsigned prefix_len;
    } more[] = {{"192.0.2.1", 32}, {"192.0.2.4", 31}, {"198.51.100.129", 25}, {"2001:db8::1", 64}};
    struct hawser_link_options door = {.size = sizeof door, .door = true};
    struct hawser_addr addr;
    peer_init(p, NULL, NULL); /* with 10.0.0.1/24 */
    assert_int_equal(hawser_stack_add_link(p->stack, &door), DOOR);
    for (size_t i = 0; i < HW_ARRAY_LEN(more); i++) {
        assert_int_equal(hawser_addr_parse(&addr, more[i].text, 0), 0);
        assert_int_equal(hawser_stack_add_address(p->stack, 0, &addr, more[i].prefix_len, p->now_ns), 0);
    }
}

static void come_from(struct peer *p, const char *source, int link)
{
    const char *own = strchr(source, ':') ? "2001:db8::1" : "10.0.0.1";
    assert_int_equal(hawser_addr_parse(&p->own, own, PEER_PORT), 0);
    assert_int_equal(hawser_addr_parse(&p->addr, source, 4000), 0);
    p->link = link;
    peer_forget(p);
}

static const char *const martians[] = {"127.0.0.1", "127.255.255.255", "0.1.2.3",        "10.0.0.255", "10.0.0.1",
                                       "192.0.2.1", "192.0.2.4",       "198.51.100.255", "::1",        "2001:db8::1"};

static void are_not_answered(void **state)
{
    (void)state;
    static const uint8_t flags[] = {TCP_SYN, TCP_ACK, TCP_SYN | TCP_ACK, TCP_FIN | TCP_ACK, 0};
    for (size_t i = 0; i < HW_ARRAY_LEN(martians); i++) {
        struct peer p;
        setup(&p);
        come_from(&p, martians[i], 0);
        for (size_t j = 0; j < HW_ARRAY_LEN(flags); j++)
            peer_send(&p, flags[j], 0, 0, NULL, NULL, 0);
        assert_int_equal(p.seen_count, 0);
        assert_int_equal(peer_counter(&p, "drop.martian_source"), HW_ARRAY_LEN(flags));
        assert_true(hawser_stack_deadline(p.stack) == HAWSER_NEVER);
        peer_destroy(&p);
    }
}

static void come_in_by_a_door(void **state)
{
    (void)state;
    for (size_t i = 0; i < HW_ARRAY_LEN(martians); i++) {
        struct peer p;
        setup(&p);
        come_from(&p, martians[i], DOOR);
        peer_open_plain(&p);
        assert_int_equal(hawser_send(p.conn, "bytes", 5), 5);
        peer_drain(&p);
        assert_int_equal(peer_last(&p, TCP_ACK)->len, 5);
        assert_int_equal(peer_counter(&p, "drop.martian_source"), 0);
        peer_destroy(&p);
    }
}

/* Neighbours of those, and hosts of prefixes that have no broadcast address. */
static void others_are_hosts(void **state)
{
    (void)state;
    static const char *const hosts[] = {"1.0.0.0",        "10.0.0.0",   "126.255.255.255", "128.0.0.1",
                                        "10.0.0.254",     "10.0.1.255", "192.0.2.5",       "192.0.2.255",
                                        "198.51.100.127", "::2",        "2001:db8::2"};
    for (size_t i = 0; i < HW_ARRAY_LEN(hosts); i++) {
        struct peer p;
        setup(&p);
        come_from(&p, hosts[i], 0);
        peer_open_plain(&p);
        peer_destroy(&p);
    }
}

/* What cannot be any host's is dropped on a door as well. */
static void nobody_has_these(void **state)
{
    (void)state;
    static const char *const nobodys[] = {"0.0.0.0", "224.0.0.1", "239.1.2.3", "255.255.255.255", "::", "ff02::1"};
    for (size_t i = 0; i < HW_ARRAY_LEN(nobodys); i++) {
        for (int link = 0; link <= DOOR; link++) {
            struct peer p;
            setup(&p);
            come_from(&p, nobodys[i], link);
            peer_send(&p, TCP_SYN, 0, 0, NULL, NULL, 0);
            assert_int_equal(p.seen_count, 0);
            assert_int_equal(peer_counter(&p, "drop.ip_bad_address"), 1);
            peer_destroy(&p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(are_not_answered),
        cmocka_unit_test(come_in_by_a_door),
        cmocka_unit_test(others_are_hosts),
        cmocka_unit_test(nobody_has_these),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
