/* A peer by hand behind a door, and a program that decides about it. */
#ifndef HW_TESTS_STACK_DOOR_H
#define HW_TESTS_STACK_DOOR_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"
#include "stack/stack.h"

enum { UPLINK, DOOR, OTHER_DOOR };

#define BACKLOG 8

static inline struct hawser_addr addr_of(const char *text, uint16_t port)
{
    struct hawser_addr addr;
    assert_int_equal(hawser_addr_parse(&addr, text, port), 0);
    return addr;
}

static inline void use_family(struct peer *p, bool v6)
{
    p->addr = addr_of(v6 ? "fd00::2" : "10.77.9.2", 4000);
    p->own = addr_of(v6 ? "2001:db8:1::7" : "192.0.2.1", PEER_PORT);
}

static inline void setup_with(struct peer *p, const struct hawser_stack_options *options,
                              const struct hawser_conn_options *listening)
{
    struct hawser_link_options door = {.size = sizeof door, .door = true};
    peer_init(p, options, NULL);
    assert_int_equal(hawser_stack_add_link(p->stack, &door), DOOR);
    assert_int_equal(hawser_stack_add_link(p->stack, &door), OTHER_DOOR);
    hawser_listener_close(p->listener);
    assert_int_equal(hawser_listen_link(p->stack, DOOR, BACKLOG, listening, &p->listener), 0);
    p->link = DOOR;
    use_family(p, false);
}

static inline void setup(struct peer *p) { setup_with(p, NULL, NULL); }

static inline void syn(struct peer *p) { peer_send(p, TCP_SYN, 0, 0, NULL, NULL, 0); }

static inline void syn_from(struct peer *p, uint16_t port)
{
    p->addr.port = port;
    syn(p);
}

static inline struct hawser_request *told_now(struct peer *p)
{
    struct hawser_request *request = NULL;
    assert_int_equal(hawser_next_request(p->listener, &request), 0);
    return request;
}

static inline struct hawser_request *told(struct peer *p)
{
    assert_true(hawser_stack_pending(p->stack));
    return told_now(p);
}

static inline void not_told(struct peer *p)
{
    struct hawser_request *request;
    assert_false(hawser_stack_pending(p->stack));
    assert_int_equal(hawser_next_request(p->listener, &request), -EAGAIN);
}

static inline struct hawser_request *ask(struct peer *p)
{
    syn(p);
    return told(p);
}

static inline void accept_it(struct peer *p, struct hawser_request *request)
{
    assert_int_equal(hawser_request_accept(request, &p->conn), 0);
    peer_drain(p);
}

static inline void refuse(struct peer *p, struct hawser_request *request, enum hawser_refusal how)
{
    assert_int_equal(hawser_request_refuse(request, how), 0);
    peer_drain(p);
}

#endif
