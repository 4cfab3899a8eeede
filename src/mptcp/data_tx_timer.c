/* Does the data level get on (RFC 8684 3.3.6, 3.7)? What the peer does not acknowledge there, though subflows delivered
 * it, is asked for, sent again elsewhere, and in the end given up. */
#include "mptcp/data_tx.h"

#include "base/compiler.h"
#include "tcp/rtt.h"

/* RFC 9293 3.8.3, R2: so long without progress means that nobody is there, unless the user timeout is longer. */
#define GIVE_UP_NS (120 * NS_PER_S)
/* When options must be deemed not to pass: after so many timeouts, and so many answers that say nothing of it. */
#define TERM_TIMEOUTS 3u
#define TERM_MAX_NS (10 * NS_PER_S)
#define ANSWERS_ENOUGH 3u

#define PROBE_MIN_NS (10 * NS_PER_MS)
/* Questions before their interval doubles each time, and the most doublings. */
#define STEADY_QUESTIONS 4u
#define BACKOFF_MAX 8u
#define VAIN_LOOKS_MAX 8u
#define QUESTION_MAX_NS (4 * NS_PER_S)
/* Bytes that are sent again first; then four times as many each time. */
#define AGAIN_BYTES UINT64_C(1000)
#define AGAIN_DOUBLINGS_MAX 20u
/* A DATA_FIN is repeated so late, and twice as late each time. */
#define FIN_REPEAT_NS NS_PER_S
#define FIN_DOUBLINGS_MAX 5u

bool data_tx_blocked(const struct data_tx *tx, const struct tx_paths *paths)
{
    return !paths->busy && data_tx_waits(tx, paths->committed);
}

/* The window counts when it is shut, bytes wait for it, and all before them is acknowledged. */
static enum awaited awaited(const struct data_tx *tx, const struct tx_paths *paths)
{
    return data_tx_outstanding(tx) ? AWAITS_DATA_ACK : data_tx_blocked(tx, paths) ? AWAITS_WINDOW : AWAITS_NOTHING;
}

/* As with a tail loss probe (RFC 8985 7.2), the first questions come after two round trips each, twice as late whenever
 * a subflow was found to be at it; then at the retransmission timeout, which doubles. 0: nobody is there to be asked;
 * subflows' own timers watch. */
static uint64_t question_interval(const struct data_tx *tx, const struct tx_paths *paths)
{
    unsigned questions = tx->progress.questions;
    if (questions < 2 && data_tx_outstanding(tx))
        return HW_MIN(paths->timeout_ns, HW_MAX(PROBE_MIN_NS, 2 * paths->srtt_ns) << tx->progress.vain_looks);
    unsigned doublings = questions < STEADY_QUESTIONS ? 0 : HW_MIN(questions - STEADY_QUESTIONS + 1, BACKOFF_MAX);
    return HW_MIN(paths->timeout_ns << doublings, HW_MAX(paths->timeout_ns, QUESTION_MAX_NS));
}

static uint64_t question_due(const struct data_tx *tx, const struct tx_paths *paths)
{
    uint64_t interval = question_interval(tx, paths);
    return interval ? tx->progress.una_since_ns + interval : TIME_NEVER;
}

bool data_tx_watch(struct data_tx *tx, bool committed, uint64_t now_ns)
{
    struct progress *p = &tx->progress;
    bool outstanding = data_tx_outstanding(tx);
    if (!dsn_eq(p->una, tx->sendq.una) || (!outstanding && !data_tx_waits(tx, committed))) {
        p->una = tx->sendq.una;
        p->una_since_ns = now_ns;
    }
    return outstanding ? p->armed != AWAITS_DATA_ACK : data_tx_waits(tx, committed);
}

/* It is left where it is as long as it is early enough: going off for nothing costs less than moving it with every
 * acknowledgement. */
void data_tx_arm(struct data_tx *tx, const struct tx_paths *paths, uint64_t now_ns)
{
    struct progress *p = &tx->progress;
    enum awaited what = awaited(tx, paths);
    if (what == AWAITS_NOTHING)
        p->una_since_ns = now_ns;
    if (what && what == p->armed)
        return;
    uint64_t asks = what ? question_due(tx, paths) : TIME_NEVER;
    p->armed = asks == TIME_NEVER ? AWAITS_NOTHING : what;
    p->due_ns = HW_MIN(p->due_ns, HW_MAX(asks, now_ns + 1));
}

void data_tx_disarm(struct data_tx *tx)
{
    tx->progress.due_ns = TIME_NEVER;
    data_tx_rearm(tx);
}

/* RFC 8684 3.7: the peer answers, and never by an option; or never to a DATA_FIN that came with each question, for
 * which it needs no room. */
static bool options_vanished(const struct data_tx *tx, const struct tx_paths *paths, uint64_t now_ns)
{
    const struct progress *p = &tx->progress;
    uint64_t term = TERM_MAX_NS;
    if (!paths->opening && !p->answers_with_options)
        term = HW_MIN(TERM_TIMEOUTS * (paths->rto_ns ? paths->rto_ns : RTO_INITIAL_NS), term);
    if (now_ns - p->asked_since_ns < term || p->answers < ANSWERS_ENOUGH)
        return false;
    return !p->answers_with_options || (data_tx_fin_sent(tx) && !data_tx_outstanding(tx));
}

/* Counted from the first question on, whoever acknowledges for his subflow what he was sent again since. */
static bool is_given_up(const struct progress *p, const struct tx_paths *paths, uint64_t now_ns)
{
    uint64_t r2_ns = HW_MAX(GIVE_UP_NS, paths->user_timeout_ns);
    return p->asked_since_ns && p->spent_ns + (now_ns - p->asked_since_ns) >= r2_ns;
}

static enum tx_due note_question(struct data_tx *tx, const struct tx_paths *paths, uint64_t now_ns)
{
    struct progress *p = &tx->progress;
    if (p->asked_since_ns == 0) {
        p->asked_since_ns = now_ns;
        p->asked_open = !tx->window_shut;
        p->answers = 0;
        p->answers_with_options = false;
    }
    if (options_vanished(tx, paths, now_ns)) {
        p->answers = 0;
        return TX_USELESS;
    }
    return is_given_up(p, paths, now_ns) ? TX_TIMEOUT : TX_ASK;
}

void data_tx_note_answer(struct data_tx *tx, bool with_options)
{
    struct progress *p = &tx->progress;
    if (p->answers < UINT8_MAX)
        p->answers++;
    p->answers_with_options |= with_options;
}

/* The oldest byte is missing, and nobody is about to deliver it. First a question, for the DATA_ACK may just be lost;
 * then the bytes, on other subflows than those that had them. But never where the peer may have fallen back to plain
 * TCP: it would take them for new ones. */
static enum tx_due question(struct data_tx *tx, const struct tx_paths *paths, uint64_t now_ns)
{
    struct progress *p = &tx->progress;
    enum tx_due due = note_question(tx, paths, now_ns);
    if (due != TX_ASK)
        return due;
    if (p->questions > 0 && paths->committed && data_tx_outstanding(tx)) {
        data_tx_send_again(tx, AGAIN_BYTES << HW_MIN(2 * (p->questions - 1), AGAIN_DOUBLINGS_MAX));
        due = TX_AGAIN;
    }
    p->questions++;
    p->vain_looks = 0;
    return due;
}

/* It is looked after by a subflow's own timers meanwhile: nothing is gained by looking often. */
static enum tx_due look_in_vain(struct progress *p, const struct tx_paths *paths, uint64_t now_ns)
{
    if (p->vain_looks < VAIN_LOOKS_MAX)
        p->vain_looks++;
    return is_given_up(p, paths, now_ns) ? TX_TIMEOUT : TX_WAIT;
}

enum tx_due data_tx_on_timer(struct data_tx *tx, const struct tx_paths *paths, bool under_way, uint64_t now_ns)
{
    enum tx_due due = TX_WAIT;
    data_tx_disarm(tx);
    if (awaited(tx, paths) && question_due(tx, paths) <= now_ns) {
        due = under_way ? look_in_vain(&tx->progress, paths, now_ns) : question(tx, paths, now_ns);
        tx->progress.una_since_ns = now_ns;
    }
    return due;
}

void data_tx_arm_fin(struct data_tx *tx, uint64_t now_ns)
{
    tx->fin_due_ns = TIME_NEVER;
    if (data_tx_fin_waits(tx))
        tx->fin_due_ns = now_ns + (FIN_REPEAT_NS << HW_MIN(tx->fin_tries, FIN_DOUBLINGS_MAX));
}

enum tx_due data_tx_repeat_fin(struct data_tx *tx, const struct tx_paths *paths, uint64_t now_ns)
{
    enum tx_due due = note_question(tx, paths, now_ns);
    if (due == TX_ASK && tx->fin_tries < UINT8_MAX)
        tx->fin_tries++;
    return due;
}
