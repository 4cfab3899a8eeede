/* What a stack sends, segment by segment: never beyond the window, mapped for what it is, and not too talkative. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/units.h"
#include "peer.h"

static uint8_t bytes[20000];

/* One past the highest byte that the stack sent since peer_forget(). */
static uint32_t sent_end(const struct peer *p)
{
    uint32_t end = 1;
    for (unsigned i = 0; i < p->seen_count; i++)
        if (p->seen[i].len && p->seen[i].seq + p->seen[i].len > end)
            end = p->seen[i].seq + p->seen[i].len;
    return end;
}

/* RFC 9293 3.10.7.4: a segment sent again has an old sequence number, but its acknowledgement is as new as any, and the
 * window counts from there. */
static void a_retransmission_brings_its_window(void **state)
{
    (void)state;
    struct peer p;
    peer_init(&p, NULL, NULL);
    p.window = 8000;
    peer_open_plain(&p);
    assert_int_equal(hawser_send(p.conn, bytes, sizeof bytes), sizeof bytes);
    peer_drain(&p);
    assert_true(sent_end(&p) > 5000);
    p.window = 7000;
    peer_send(&p, TCP_ACK, 101, 1001, NULL, bytes, 100); /* a hole before it */
    p.window = 5000;
    peer_send(&p, TCP_ACK, 1, 3001, NULL, bytes, 100); /* which this fills; the right edge stays where it was */
    assert_true(sent_end(&p) > 5000 && sent_end(&p) <= 8001);
    peer_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_retransmission_brings_its_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
