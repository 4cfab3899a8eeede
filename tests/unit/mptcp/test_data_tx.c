/* The outgoing stream alone: no connection, no subflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mptcp/data_tx.h"
#include "support.h"

#define IDSN (UINT64_MAX - 500) /* so that numbers wrap on the way */
#define RTO (200 * NS_PER_MS)
#define SRTT (20 * NS_PER_MS)

static uint8_t bytes[20000];

struct bench {
    struct test_env env;
    struct account_root stack;
    struct account conn;
    struct store store;
    struct data_tx tx;
    struct tx_paths paths;
    uint64_t now_ns;
};

static void set_up(struct bench *b)
{
    test_env_init(&b->env, 1);
    account_init(&b->stack, &b->env.env, 10 << 20, 0);
    account_open(&b->conn, &b->stack.account);
    assert_int_equal(store_init(&b->store, &b->env.env), 0);
    data_tx_init(&b->tx, &b->store, &b->conn, dsn_at(IDSN), sizeof bytes);
    b->paths = (struct tx_paths){.rto_ns = RTO, .timeout_ns = RTO, .srtt_ns = SRTT};
    b->now_ns = NS_PER_S;
}

static void tear_down(struct bench *b)
{
    data_tx_destroy(&b->tx);
    account_close(&b->conn);
    store_close(&b->store);
    test_env_check_clean(&b->env);
}

static dsn64 nth(uint64_t n) { return dsn_at(IDSN + 1 + n); }

/* Queues `len` bytes that leave at once on subflow `slot`. */
static void send(struct bench *b, uint32_t len, uint8_t slot)
{
    assert_int_equal(sendq_write(&b->tx.sendq, bytes, len), len);
    data_tx_sent(&b->tx, len, slot, b->now_ns);
}

static struct tx_news ack(struct bench *b, uint64_t n, uint32_t window)
{
    return data_tx_take_ack(&b->tx, nth(n), window, b->now_ns);
}

/* The next thing the timer says, and when, as long as it has something to do. */
static enum tx_due next_due(struct bench *b, bool under_way)
{
    enum tx_due due = TX_WAIT;
    for (int i = 0; i < 100 && due == TX_WAIT; i++) {
        if (data_tx_watch(&b->tx, b->paths.committed, b->now_ns))
            data_tx_arm(&b->tx, &b->paths, b->now_ns);
        if (b->tx.progress.due_ns == TIME_NEVER)
            return TX_WAIT;
        b->now_ns = b->tx.progress.due_ns;
        due = data_tx_on_timer(&b->tx, &b->paths, under_way, b->now_ns);
    }
    return due;
}

static void what_was_never_sent_is_not_acknowledged(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 1000, 0);
    assert_int_equal(ack(&b, 1001, 5000).what, TX_IMPOSSIBLE);
    assert_int_equal(data_tx_acked_bytes(&b.tx), 0);
    assert_int_equal(data_tx_window_left(&b.tx), 0);
    tear_down(&b);
}

static void acknowledgements_move_forward_only(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 1000, 0);
    assert_int_equal(ack(&b, 600, 5000).what, TX_ACKED);
    assert_int_equal(ack(&b, 600, 5000).what, 0);
    assert_int_equal(ack(&b, 100, 5000).what, 0);
    assert_int_equal(data_tx_acked_bytes(&b.tx), 600);
    assert_int_equal(data_tx_window_left(&b.tx), 4600);
    assert_int_equal(ack(&b, 1000, 100).what, TX_ACKED); /* RFC 8684 3.3.1: nor does the right edge move back */
    assert_int_equal(data_tx_window_left(&b.tx), 4600);
    assert_true(data_tx_all_acked(&b.tx));
    tear_down(&b);
}

/* As long as bytes of two subflows may overtake each other, a share of the window stays free, a larger one while some
 * had to be sent again; a subflow alone fills it, be it after another one. */
static void of_several_carriers_a_share_of_the_window_is_kept(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    ack(&b, 0, 16000);
    send(&b, 2000, 0);
    assert_int_equal(data_tx_window_left(&b.tx), 14000);
    send(&b, 2000, 1);
    assert_int_equal(data_tx_window_left(&b.tx), 12000 - 500);
    data_tx_reinject(&b.tx, nth(0), 1000);
    assert_int_equal(data_tx_window_left(&b.tx), 12000 - 2000);
    (void)data_tx_resent(&b.tx, nth(0), 1000);
    assert_int_equal(data_tx_window_left(&b.tx), 12000 - 2000);
    send(&b, 10000, 0);
    assert_int_equal(data_tx_window_left(&b.tx), 0);
    ack(&b, 1000, 15000); /* the edge stays */
    assert_int_equal(data_tx_window_left(&b.tx), 2000 - 15000 / 32);
    ack(&b, 4000, 12000); /* what is left was carried by one */
    assert_int_equal(data_tx_window_left(&b.tx), 2000);
    tear_down(&b);
}

/* A copy is no merit either, nor does it count as a repetition; what waited to go again has gone. */
static void copies(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 3000, 3);
    data_tx_reinject(&b.tx, nth(500), 2500);
    assert_false(data_tx_copied(&b.tx, nth(1000), 1000));
    struct range lost = data_tx_lost(&b.tx);
    assert_true(lost.start == nth(500).v && lost.end == nth(1000).v);
    assert_true(data_tx_copied(&b.tx, nth(0), 1000));
    lost = data_tx_lost(&b.tx);
    assert_true(lost.start == nth(2000).v && lost.end == nth(3000).v);
    assert_int_equal(data_tx_reinjected_bytes(&b.tx), 0);
    assert_int_equal(ack(&b, 2000, 0).merit, 0);
    assert_int_equal(ack(&b, 2001, 0).merit, 1u << 3);
    tear_down(&b);
}

static void places(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(data_tx_place(&b.tx, nth(0)), 0);
    assert_int_equal(data_tx_place(&b.tx, nth(700)), 700);
    assert_true(dsn_eq(data_tx_at(&b.tx, 700), nth(700)));
    tear_down(&b);
}

/* The merit is whose bytes nobody else carried. */
static void merit_is_of_those_who_carried_alone(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 1000, 3);
    send(&b, 1000, 5);
    assert_int_equal(ack(&b, 500, 0).merit, 1u << 3);
    data_tx_reinject(&b.tx, nth(500), 500);
    assert_true(data_tx_resent(&b.tx, nth(500), 500));
    assert_int_equal(ack(&b, 1000, 0).merit, 0);
    assert_int_equal(ack(&b, 1001, 0).merit, 1u << 5);
    tear_down(&b);
}

static void the_end_is_acknowledged_once(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(sendq_write(&b.tx.sendq, bytes, 10), 10);
    b.tx.fin = DATA_FIN_WANTED;
    assert_false(data_tx_may_finish(&b.tx));
    data_tx_sent(&b.tx, 10, 0, b.now_ns);
    assert_true(data_tx_may_finish(&b.tx));
    b.tx.fin = DATA_FIN_SENT;
    assert_int_equal(ack(&b, 10, 0).what, TX_ACKED);
    assert_true(data_tx_fin_waits(&b.tx));
    assert_int_equal(ack(&b, 11, 0).what, 0);
    assert_true(data_tx_end_acked(&b.tx));
    assert_int_equal(ack(&b, 11, 0).what, 0);
    assert_int_equal(ack(&b, 12, 0).what, TX_IMPOSSIBLE);
    tear_down(&b);
}

static void what_is_acknowledged_is_not_sent_again(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 1000, 0);
    (void)ack(&b, 300, 0);
    data_tx_reinject(&b.tx, nth(0), 500);
    struct range lost = data_tx_lost(&b.tx);
    assert_int_equal(lost.start, nth(300).v);
    assert_int_equal(lost.end - lost.start, 200);
    data_tx_forget_reinjection(&b.tx, nth(350), 50);
    assert_int_equal(data_tx_lost(&b.tx).end - lost.start, 50);
    (void)ack(&b, 400, 0);
    assert_int_equal(data_tx_lost(&b.tx).start, nth(400).v);
    (void)ack(&b, 1000, 0);
    lost = data_tx_lost(&b.tx);
    assert_int_equal(lost.start, lost.end);
    tear_down(&b);
}

/* First a question, after two round trips; then bytes, four times as many each time. */
static void a_question_then_the_bytes(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.paths.committed = true;
    send(&b, 10000, 0);
    uint64_t sent_ns = b.now_ns;
    assert_int_equal(next_due(&b, false), TX_ASK);
    assert_in_range(b.now_ns - sent_ns, 2 * SRTT, 4 * SRTT);
    assert_int_equal(next_due(&b, false), TX_AGAIN);
    struct range lost = data_tx_lost(&b.tx);
    assert_int_equal(lost.start, nth(0).v);
    assert_int_equal(lost.end - lost.start, 1000);
    assert_int_equal(next_due(&b, false), TX_AGAIN);
    lost = data_tx_lost(&b.tx);
    assert_int_equal(lost.end - lost.start, 4000);
    tear_down(&b);
}

/* The answer asks for just what follows: that is missing too. */
static void what_follows_is_missing_too(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    b.paths.committed = true;
    send(&b, 10000, 0);
    (void)next_due(&b, false);
    (void)next_due(&b, false);
    (void)data_tx_resent(&b.tx, nth(0), 1000);
    (void)ack(&b, 1000, 0);
    struct range lost = data_tx_lost(&b.tx);
    assert_int_equal(lost.start, nth(1000).v);
    assert_int_equal(lost.end - lost.start, 2000);
    (void)data_tx_resent(&b.tx, nth(1000), 2000);
    (void)ack(&b, 9000, 0); /* and here it is not */
    lost = data_tx_lost(&b.tx);
    assert_int_equal(lost.start, lost.end);
    tear_down(&b);
}

/* A peer that may have fallen back would take bytes that come again for new ones. */
static void never_again_to_an_uncommitted_peer(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 10000, 0);
    enum tx_due due;
    while ((due = next_due(&b, false)) == TX_ASK)
        ;
    assert_int_equal(due, TX_TIMEOUT);
    assert_in_range(b.now_ns, 121 * NS_PER_S, 130 * NS_PER_S);
    assert_int_equal(b.tx.reinject.count, 0);
    tear_down(&b);
}

/* R2 gives way to a user timeout that is longer, and to no other. */
static void given_up_at_the_user_timeout(void **state)
{
    (void)state;
    static const struct {
        uint64_t user_timeout_ns, least_ns, most_ns;
    } cases[] = {
        {5 * NS_PER_S, 120 * NS_PER_S, 130 * NS_PER_S},
        {600 * NS_PER_S, 600 * NS_PER_S, 630 * NS_PER_S},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct bench b;
        set_up(&b);
        b.paths.user_timeout_ns = cases[i].user_timeout_ns;
        send(&b, 10000, 0);
        enum tx_due due;
        while ((due = next_due(&b, false)) == TX_ASK)
            ;
        assert_int_equal(due, TX_TIMEOUT);
        assert_in_range(b.now_ns, cases[i].least_ns, cases[i].most_ns);
        tear_down(&b);
    }
}

/* Bytes that are under way again whenever somebody looks are asked for no more, and given up in the end all the same.
 */
static void under_way_for_ever(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 10000, 0);
    assert_int_equal(next_due(&b, false), TX_ASK);
    enum tx_due due = TX_WAIT;
    for (int i = 0; i < 100 && due == TX_WAIT; i++)
        due = next_due(&b, true);
    assert_int_equal(due, TX_TIMEOUT);
    assert_in_range(b.now_ns, 120 * NS_PER_S, 122 * NS_PER_S);
    tear_down(&b);
}

/* As long as a subflow is at it there is ever less to look for; when none is, or something else is missing, soon. */
static void what_is_under_way_is_looked_after_ever_more_rarely(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 10000, 0);
    uint64_t begun_ns = b.now_ns, last_ns;
    unsigned looks = 0;
    do {
        last_ns = b.now_ns;
        if (data_tx_watch(&b.tx, b.paths.committed, b.now_ns))
            data_tx_arm(&b.tx, &b.paths, b.now_ns);
        b.now_ns = b.tx.progress.due_ns;
        assert_int_equal(data_tx_on_timer(&b.tx, &b.paths, true, b.now_ns), TX_WAIT);
        looks++;
    } while (b.now_ns < begun_ns + 10 * NS_PER_S);
    assert_int_equal(b.now_ns - last_ns, RTO);
    assert_in_range(looks, 10 * NS_PER_S / RTO, 10 * NS_PER_S / RTO + 4);
    last_ns = b.now_ns;
    assert_int_equal(next_due(&b, false), TX_ASK);
    assert_in_range(b.now_ns - last_ns, 0, RTO);
    assert_int_equal(ack(&b, 5000, 0).what, TX_ACKED);
    last_ns = b.now_ns;
    assert_int_equal(next_due(&b, false), TX_ASK);
    assert_int_equal(b.now_ns - last_ns, 2 * SRTT);
    tear_down(&b);
}

/* It answers, and never by an option. */
static void options_that_do_not_pass(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    send(&b, 10000, 0);
    enum tx_due due;
    while ((due = next_due(&b, false)) == TX_ASK)
        data_tx_note_answer(&b.tx, false);
    assert_int_equal(due, TX_USELESS);
    assert_true(b.now_ns < 3 * NS_PER_S);
    tear_down(&b);
}

static void a_shut_window_is_no_silence(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(sendq_write(&b.tx.sendq, bytes, 1000), 1000);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(next_due(&b, false), TX_ASK);
        b.now_ns += SRTT;
        (void)ack(&b, 0, 0);
    }
    assert_true(b.now_ns > 600 * NS_PER_S);
    tear_down(&b);
}

/* RFC 8684 3.3.5: the edge that was promised stays, and what says otherwise is old. */
static void an_old_acknowledgement_shuts_no_window(void **state)
{
    (void)state;
    static const uint64_t olds[] = {0, 1000};
    for (size_t i = 0; i < sizeof olds / sizeof *olds; i++) {
        struct bench b;
        set_up(&b);
        (void)ack(&b, 0, 20000);
        send(&b, 3000, 0);
        (void)ack(&b, 1000, 19000);
        enum tx_due due = TX_ASK;
        for (int n = 0; n < 1000 && due == TX_ASK; n++) {
            due = next_due(&b, false);
            (void)ack(&b, olds[i], 0);
        }
        assert_int_equal(due, TX_TIMEOUT);
        tear_down(&b);
    }
}

/* RFC 7323 2.4: a window that is rounded down seems to shrink. */
static void a_sliver_of_a_window_may_be_said_to_be_none(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    (void)ack(&b, 0, 1024);
    send(&b, 1000, 0);
    assert_int_equal(sendq_write(&b.tx.sendq, bytes, 1000), 1000);
    for (int i = 0; i < 100; i++) {
        (void)ack(&b, 1000, 0);
        assert_int_equal(next_due(&b, false), TX_ASK);
    }
    assert_true(b.now_ns > 200 * NS_PER_S);
    tear_down(&b);
}

/* But a peer that opens it each time, and acknowledges nothing, is not there for ever. */
static void a_window_that_opens_for_nothing(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    (void)ack(&b, 0, 1000);
    send(&b, 1000, 0);
    enum tx_due due = TX_ASK;
    for (int i = 0; i < 1000 && due == TX_ASK; i++) {
        due = next_due(&b, false);
        b.now_ns += NS_PER_S;
        (void)ack(&b, 0, 0);
        (void)ack(&b, 0, 1000);
    }
    assert_int_equal(due, TX_TIMEOUT);
    tear_down(&b);
}

static void laggards_are_looked_for_now_and_then(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    unsigned looks = 0;
    for (int i = 0; i < 100; i++) {
        send(&b, 100, 0);
        (void)ack(&b, 100 * (uint64_t)(i + 1), 0);
        looks += data_tx_look_for_laggards(&b.tx, b.now_ns);
    }
    assert_int_equal(looks, 10000 / (sizeof bytes / 8));
    tear_down(&b);
}

/* RFC 8684 3.3.3: the end is said again, ever more rarely, until it is acknowledged. */
static void the_end_is_repeated(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    data_tx_arm_fin(&b.tx, b.now_ns);
    assert_int_equal(b.tx.fin_due_ns, TIME_NEVER); /* there is none yet */
    b.tx.fin = DATA_FIN_SENT;
    data_tx_arm_fin(&b.tx, b.now_ns);
    static const uint64_t waits_s[] = {1, 2, 4, 8, 16, 32, 32};
    for (size_t i = 0; i < sizeof waits_s / sizeof *waits_s; i++) {
        assert_int_equal(data_tx_due(&b.tx), b.now_ns + waits_s[i] * NS_PER_S);
        b.now_ns = b.tx.fin_due_ns;
        assert_int_equal(data_tx_repeat_fin(&b.tx, &b.paths, b.now_ns), TX_ASK);
        data_tx_arm_fin(&b.tx, b.now_ns);
    }
    (void)ack(&b, 1, 1000);
    assert_int_equal(b.tx.fin, DATA_FIN_ACKED);
    assert_int_equal(b.tx.fin_due_ns, TIME_NEVER);
    tear_down(&b);
}

static uint64_t queue_costs(const struct bench *b)
{
    uint64_t cost = b->tx.sendq.capacity * sizeof *b->tx.sendq.ring;
    for (uint32_t i = 0; i < b->tx.sendq.count; i++)
        cost += buf_size(b->tx.sendq.ring[(b->tx.sendq.head + i) % b->tx.sendq.capacity].bytes.buf);
    return cost;
}

/* So are notes of who carried what and of what is to be sent again; and none are kept for later. */
static void notes_are_charged(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    for (unsigned i = 0; i < 50; i++)
        send(&b, 100, i % 2);
    uint64_t carried = b.tx.account.held - queue_costs(&b);
    assert_true(carried >= 50 * sizeof(struct carrier_run));
    for (unsigned i = 0; i < 50; i++)
        data_tx_reinject(&b.tx, nth(100 * i), 50);
    assert_true(b.tx.account.held - queue_costs(&b) - carried >= 50 * sizeof(struct range));
    while (b.tx.reinject.count)
        (void)data_tx_resent(&b.tx, dsn_at(data_tx_lost(&b.tx).start), 50);
    assert_int_equal(ack(&b, 5000, 0).merit, 3);
    assert_int_equal(b.tx.account.held, 0);
    tear_down(&b);
}

/* What others hold makes notes coarse, and stops nothing. */
static void a_few_notes_are_always_taken(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    for (unsigned i = 0; i < 50; i++)
        send(&b, 100, i % 2);
    uint64_t elsewhere = b.stack.limit - b.stack.account.held - 1000;
    account_charge(&b.stack.account, elsewhere);
    uint64_t held = b.tx.account.held;
    for (unsigned at = 0; at < 5000; at += 100) {
        data_tx_reinject(&b.tx, nth(at), 50);
        data_tx_reinject(&b.tx, nth(at + 100), 50); /* may find no room: it will be asked for again */
    }
    assert_in_range(b.tx.reinject.count, 1, 10);
    assert_in_range(b.tx.account.held - held, 1, 500);
    for (unsigned at = 0; at < 5000; at += 100) {
        data_tx_reinject(&b.tx, nth(at), 50);
        assert_int_equal(data_tx_lost(&b.tx).start, nth(at).v);
        (void)data_tx_resent(&b.tx, nth(at), 50);
        (void)ack(&b, at + 100, 0);
    }
    account_release(&b.stack.account, elsewhere);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_never_sent_is_not_acknowledged),
        cmocka_unit_test(acknowledgements_move_forward_only),
        cmocka_unit_test(of_several_carriers_a_share_of_the_window_is_kept),
        cmocka_unit_test(copies),
        cmocka_unit_test(places),
        cmocka_unit_test(merit_is_of_those_who_carried_alone),
        cmocka_unit_test(the_end_is_acknowledged_once),
        cmocka_unit_test(what_is_acknowledged_is_not_sent_again),
        cmocka_unit_test(a_question_then_the_bytes),
        cmocka_unit_test(what_follows_is_missing_too),
        cmocka_unit_test(never_again_to_an_uncommitted_peer),
        cmocka_unit_test(given_up_at_the_user_timeout),
        cmocka_unit_test(under_way_for_ever),
        cmocka_unit_test(what_is_under_way_is_looked_after_ever_more_rarely),
        cmocka_unit_test(options_that_do_not_pass),
        cmocka_unit_test(a_shut_window_is_no_silence),
        cmocka_unit_test(an_old_acknowledgement_shuts_no_window),
        cmocka_unit_test(a_sliver_of_a_window_may_be_said_to_be_none),
        cmocka_unit_test(a_window_that_opens_for_nothing),
        cmocka_unit_test(laggards_are_looked_for_now_and_then),
        cmocka_unit_test(the_end_is_repeated),
        cmocka_unit_test(notes_are_charged),
        cmocka_unit_test(a_few_notes_are_always_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
