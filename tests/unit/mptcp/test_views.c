/* The stream and its subflows as a scheduler sees them, without a connection. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bundle.h"

#define RTT (20 * NS_PER_MS)

struct bench {
    struct bundle bundle;
    struct outflow out;
    struct views views;
};

static void set_up(struct bench *b)
{
    bundle_init(&b->bundle);
    b->out = bundle_outflow(&b->bundle);
}

static void tear_down(struct bench *b) { bundle_destroy(&b->bundle); }

static const struct hawser_stream *look(struct bench *b)
{
    views_find(&b->views, &b->out);
    views_look(&b->views, &b->out, b->bundle.now_ns);
    return &b->views.stream;
}

static struct hawser_path path_of(struct bench *b, unsigned i)
{
    look(b);
    assert_ptr_equal(b->views.subflows[i], &b->bundle.all[i]);
    return b->views.paths[i];
}

static void queue(struct bench *b, uint32_t len)
{
    assert_int_equal(data_tx_write(&b->bundle.tx, b->bundle.bytes, len), len);
}

static void a_path(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *s = bundle_open(&b.bundle, RTT);
    bundle_open(&b.bundle, 0);
    struct hawser_path path = path_of(&b, 0);
    assert_true(path.willing && !path.backup && !path.stale && !path.in_recovery);
    assert_int_equal(path.id, 0);
    assert_int_equal(path_of(&b, 1).id, 1);
    assert_int_equal(path.cwnd_bytes, 10 * BUNDLE_MSS);
    assert_int_equal(path.room_bytes, 10 * BUNDLE_MSS);
    assert_int_equal(path.window_bytes, BUNDLE_WINDOW);
    assert_int_equal(path.segment_bytes, BUNDLE_MSS);
    assert_int_equal(path.in_flight_bytes, 0);
    assert_int_equal(path.srtt_ns, RTT);
    assert_int_equal(path.min_rtt_ns, RTT);
    assert_int_equal(path.rate_bps, 10 * BUNDLE_MSS * 8 * 50); /* a window in each of 50 round trips a second */
    assert_int_equal(path_of(&b, 1).rate_bps, 0);
    s->tcp.cc.pacing_bps = 12345;
    assert_int_equal(path_of(&b, 0).rate_bps, 12345);
    s->tcp.cc.pacing_bps = 0;
    bundle_carry(&b.bundle, s, 0, 3000);
    assert_int_equal(path_of(&b, 0).in_flight_bytes, 3000);
    assert_int_equal(path_of(&b, 0).room_bytes, 7000);
    s->tcp.flight->recovery.active = true;
    s->tcp.flight->recovery.cwnd = 1000;
    assert_true(path_of(&b, 0).in_recovery);
    assert_int_equal(path_of(&b, 0).room_bytes, 0);
    tear_down(&b);
}

static void who_may_carry_data_and_who_had_better_not(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *s = bundle_open(&b.bundle, RTT);
    bundle_open(&b.bundle, RTT);
    bundle_join(&b.bundle);
    assert_int_equal(look(&b)->path_count, 2);
    s->backup_remote = true;
    assert_true(path_of(&b, 0).backup && !path_of(&b, 0).willing);
    s->backup_remote = false;
    s->backup_local = true;
    assert_true(path_of(&b, 0).backup);
    b.bundle.all[1].stale = true;
    assert_true(path_of(&b, 0).willing && !path_of(&b, 1).willing);
    s->suspect_since_ns = 1;
    assert_true(path_of(&b, 0).stale);
    assert_true(path_of(&b, 0).willing && path_of(&b, 1).willing);
    s->stage = b.bundle.all[1].stage = SUBFLOW_PROVING;
    b.bundle.all[1].join = true;
    assert_int_equal(look(&b)->path_count, 1); /* the first is none that has to prove itself */
    tear_down(&b);
}

/* RFC 8684 3.3.5: a middlebox that acknowledges for the peer may never open the subflow's window again. A backup does
 * not wait for that, once it was asked; but where the connection's window is shut too, nobody can send. */
static void a_window_that_stays_shut(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *s = bundle_open(&b.bundle, RTT), *backup = bundle_open(&b.bundle, RTT);
    backup->backup_remote = true;
    queue(&b, 1000);
    s->tcp.snd_wnd = 0;
    assert_true(!path_of(&b, 0).stale && !path_of(&b, 1).willing);
    s->tcp.liveness.window_probes = 1;
    assert_true(path_of(&b, 0).stale && path_of(&b, 1).willing);
    s->tcp.snd_wnd = 1;
    assert_true(!path_of(&b, 0).stale && !path_of(&b, 1).willing);
    s->tcp.snd_wnd = 0;
    for (uint32_t n = 0; n < BUNDLE_WINDOW; n += BUNDLE_WINDOW / 4)
        bundle_carry(&b.bundle, backup, n, BUNDLE_WINDOW / 4);
    assert_true(!path_of(&b, 0).stale && !path_of(&b, 1).willing);
    tear_down(&b);
}

/* RFC 9293 3.8.6.2.1: a sliver of a segment waits for more room, unless it is all there is, or nothing is under way. */
static void a_sliver_of_room(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *s = bundle_open(&b.bundle, RTT);
    s->tcp.snd_wnd = BUNDLE_MSS - 1;
    queue(&b, BUNDLE_MSS + 5000);
    assert_int_equal(path_of(&b, 0).room_bytes, BUNDLE_MSS - 1);
    s->tcp.snd_wnd = 2 * BUNDLE_MSS - 1;
    bundle_carry(&b.bundle, s, 0, BUNDLE_MSS);
    assert_int_equal(path_of(&b, 0).room_bytes, 0);
    data_tx_reinject(&b.bundle.tx, nth_byte(0), BUNDLE_MSS - 1); /* these alone would fit */
    assert_int_equal(path_of(&b, 0).room_bytes, BUNDLE_MSS - 1);
    data_tx_reinject(&b.bundle.tx, nth_byte(0), BUNDLE_MSS);
    assert_int_equal(path_of(&b, 0).room_bytes, 0);
    s->tcp.snd_wnd++;
    assert_int_equal(path_of(&b, 0).room_bytes, BUNDLE_MSS);
    tear_down(&b);
}

static void the_stream(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    bundle_open(&b.bundle, RTT);
    struct subflow *s = bundle_open(&b.bundle, RTT);
    const struct hawser_stream *stream = look(&b);
    assert_int_equal(stream->now_ns, b.bundle.now_ns);
    assert_true(stream->una == 0 && stream->next == 0 && stream->end == 0 && stream->new_bytes == 0);
    assert_int_equal(stream->window_end, BUNDLE_WINDOW);
    assert_int_equal(stream->head_path, HAWSER_NO_PATH);
    assert_true(stream->may_copy && stream->app_limited && !stream->end_known);
    assert_ptr_equal(stream->paths[0], &b.views.paths[0]);
    assert_false(b.views.under_way);
    queue(&b, BUNDLE_WINDOW + 1000);
    bundle_carry(&b.bundle, s, 0, 3000);
    data_tx_end(&b.bundle.tx);
    assert_int_equal(data_tx_take_ack(&b.bundle.tx, nth_byte(1000), 1, b.bundle.now_ns).what, TX_ACKED);
    data_tx_reinject(&b.bundle.tx, nth_byte(1500), 500);
    stream = look(&b);
    assert_true(stream->una == 1000 && stream->next == 3000 && stream->end == BUNDLE_WINDOW + 1000);
    assert_int_equal(stream->new_bytes, BUNDLE_WINDOW - 3000);
    assert_true(stream->again_from == 1500 && stream->again_end == 2000);
    assert_int_equal(stream->head_path, 1);
    assert_true(stream->end_known && !stream->app_limited);
    assert_true(b.views.under_way);
    b.out.committed = false;
    stream = look(&b);
    assert_true(!stream->may_copy && stream->again_from == stream->again_end);
    s->stale = true;
    look(&b);
    assert_false(b.views.under_way);
    tear_down(&b);
}

/* Where a path that is behind what the peer has would go on. */
/* Nothing is on its way, but more leaves by itself soon. */
static void what_waits_for_its_pace_is_under_way(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *s = bundle_open(&b.bundle, RTT);
    bundle_carry(&b.bundle, s, 0, 3000);
    b.bundle.now_ns += RTT;
    bundle_ack(&b.bundle, s, 3000);
    s->tcp.flight->pacing.due_ns = b.bundle.now_ns + 1;
    look(&b);
    assert_true(b.views.under_way);
    s->tcp.flight->pacing.due_ns = TIME_NEVER;
    look(&b);
    assert_false(b.views.under_way);
    tear_down(&b);
}

static void cursors(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    struct subflow *s = bundle_open(&b.bundle, RTT);
    bundle_open(&b.bundle, RTT);
    assert_int_equal(path_of(&b, 0).cursor, 0);
    assert_null(path_of(&b, 0).memory);
    scheduler_init(&b.bundle.scheduler, &scheduler_redundant);
    scheduler_serve(&b.bundle.scheduler, &b.bundle.conn, 3, &b.bundle.host.counters);
    scheduler_path(&b.bundle.scheduler, s->slot)->cursor = 700;
    assert_int_equal(path_of(&b, 0).cursor, 700);
    assert_int_equal(path_of(&b, 1).cursor, 0);
    bundle_carry(&b.bundle, s, 0, 2000);
    assert_int_equal(data_tx_take_ack(&b.bundle.tx, nth_byte(1000), 1, b.bundle.now_ns).what, TX_ACKED);
    assert_int_equal(path_of(&b, 0).cursor, 1000);
    assert_int_equal(path_of(&b, 1).cursor, 1000);
    assert_non_null(path_of(&b, 1).memory);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path),
        cmocka_unit_test(who_may_carry_data_and_who_had_better_not),
        cmocka_unit_test(cursors),
        cmocka_unit_test(a_window_that_stays_shut),
        cmocka_unit_test(a_sliver_of_room),
        cmocka_unit_test(the_stream),
        cmocka_unit_test(what_waits_for_its_pace_is_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
