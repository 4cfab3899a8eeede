/* Several stacks that stand for one host. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "peer.h"

#define SECOND UINT64_C(1000000000)

static void opens(struct peer *p, struct peer_segment *syn)
{
    struct hawser_conn_options options = {.size = sizeof options, .local = p->own};
    options.local.port = 5000;
    peer_forget(p);
    assert_int_equal(hawser_connect(p->stack, &p->addr, &options, p->now_ns, &p->conn), 0);
    peer_drain(p);
    *syn = *peer_last(p, TCP_SYN);
    hawser_abort(p->conn);
    peer_drain(p);
}

/* RFC 6528, RFC 7323 5.4: numbers of a 4-tuple come from the secret and the clock, of whichever stack. */
static void one_secret_one_numbering(void **state)
{
    (void)state;
    struct hawser_stack_options options = {.size = sizeof options, .secret = "known to both"};
    struct peer a, b, stranger;
    struct peer_segment syn_a, syn_b, syn_stranger;
    peer_init(&a, &options, NULL);
    peer_init(&b, &options, NULL);
    peer_init(&stranger, NULL, NULL);
    b.now_ns += SECOND;
    opens(&a, &syn_a);
    opens(&b, &syn_b);
    opens(&stranger, &syn_stranger);
    assert_int_equal(syn_b.number - syn_a.number, SECOND / 4000);
    assert_int_equal(syn_b.options.ts_val - syn_a.options.ts_val, 1000);
    assert_int_not_equal(syn_stranger.number, syn_a.number);
    assert_int_not_equal(syn_stranger.options.ts_val, syn_a.options.ts_val);
    peer_destroy(&a);
    peer_destroy(&b);
    peer_destroy(&stranger);
}

/* RFC 6191: the next connection between the same ports is told from the one before by its timestamps. */
static void timestamps_go_on_between_connections(void **state)
{
    (void)state;
    struct peer p;
    struct peer_segment first, second;
    peer_init(&p, NULL, NULL);
    opens(&p, &first);
    peer_wait(&p, SECOND);
    opens(&p, &second);
    assert_int_equal(second.options.ts_val - first.options.ts_val, 1000);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_secret_one_numbering),
        cmocka_unit_test(timestamps_go_on_between_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
