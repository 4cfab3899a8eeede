/* Addresses that come, go and are announced (RFC 8684 3.4), told and joined segment by segment. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/compiler.h"
#include "base/units.h"
#include "peer.h"
#include "wire/keys.h"

static struct hawser_addr parse(const char *text)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, 0), 0);
    return addr;
}

static void announce(struct peer *p, uint8_t id, const struct hawser_addr *addr)
{
    struct tcp_options o = {.mp.present = 1u << MPTCP_ADD_ADDR};
    o.mp.add_addr = (struct mp_add_addr){.is_v4 = hawser_addr_is_v4(addr), .address_id = id, .addr = *addr};
    o.mp.add_addr.hmac64 = mptcp_add_addr_hmac(p->key, p->stack_key, &o.mp.add_addr);
    peer_send(p, TCP_ACK, 1, 1, &o, NULL, 0);
}

static unsigned syns_seen(const struct peer *p)
{
    unsigned syns = 0;
    for (unsigned i = 0; i < p->seen_count; i++)
        syns += (p->seen[i].flags & TCP_SYN) != 0;
    return syns;
}

/* RFC 1122 3.2.1.3: ours, and those of everybody beside us. */
static void what_no_peer_can_have_is_not_joined(void **state)
{
    (void)state;
    static const char *const addresses[] = {"10.0.0.1", "10.0.0.255", "169.254.1.1"};
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    for (uint8_t i = 0; i < HW_ARRAY_LEN(addresses); i++) {
        const struct hawser_addr addr = parse(addresses[i]);
        announce(&p, (uint8_t)(1 + i), &addr);
    }
    peer_wait(&p, 10 * NS_PER_S);
    assert_int_equal(syns_seen(&p), 0);
    assert_int_equal(peer_counter(&p, "drop.add_addr_invalid"), HW_ARRAY_LEN(addresses));
    peer_destroy(&p);
}

/* The only subflow that worked is gone; of sixteen other addresses none answers, and each has its turn again and again.
 * That is not for ever. */
static void joins_alone_do_not_keep_a_connection(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    peer_connect_mptcp(&p);
    uint32_t irs = p.irs;
    for (uint8_t i = 0; i < 16; i++) {
        const struct hawser_addr addr = {.ip = {[10] = 0xff, [11] = 0xff, 10, 0, 2, (uint8_t)(1 + i)}};
        announce(&p, (uint8_t)(1 + i), &addr);
        p.irs = irs;
    }
    assert_true(syns_seen(&p) > 0);
    peer_send(&p, TCP_RST, 1, 1, NULL, NULL, 0);
    for (unsigned s = 0; s < 120; s++) {
        peer_wait(&p, NS_PER_S);
        peer_forget(&p);
    }
    assert_int_equal(hawser_conn_error(p.conn), -ETIMEDOUT);
    peer_wait(&p, 300 * NS_PER_S);
    assert_int_equal(syns_seen(&p), 0);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_peer_can_have_is_not_joined),
        cmocka_unit_test(joins_alone_do_not_keep_a_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
