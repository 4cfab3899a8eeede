/* A segment that left beside one that was expected. */
#include <inttypes.h>
#include <stdio.h>

#include "base/compiler.h"
#include "play.h"

bool number_value(struct play *play, const struct number *number, const char *what, int64_t *out)
{
    if (number->kind != NUMBER_IS || number->low != number->high)
        return play_wrong(play, "%s has to be one number here", what);
    if (number->name >= 0 && !play->known[number->name])
        return play_wrong(play, "$%s has no value yet", play->story->names.name[number->name]);
    *out = number->low + (number->name >= 0 ? play->value[number->name] : 0);
    return true;
}

/* `plus`: what repetition adds to it. */
static bool matches(struct play *play, const struct number *number, int64_t plus, int64_t actual, const char *what)
{
    int64_t base = plus;
    if (number->kind != NUMBER_IS)
        return true;
    if (number->name >= 0 && !play->known[number->name]) {
        play->known[number->name] = true;
        play->value[number->name] = actual - number->low;
        return true;
    }
    if (number->name >= 0)
        base += play->value[number->name];
    if (actual >= number->low + base && (number->high == INT64_MAX || actual <= number->high + base))
        return true;
    if (number->low == number->high)
        return play_wrong(play, "%s is %" PRId64 ", not %" PRId64, what, actual, number->low + base);
    return play_wrong(play, "%s is %" PRId64 ", which is not in the range", what, actual);
}

/* What is not said must be what follows from what was said before. */
static bool matches_or(struct play *play, const struct number *number, int64_t plus, int64_t unsaid, int64_t actual,
                       const char *what)
{
    const struct number follows = number_of(unsaid);
    if (number->kind == NUMBER_UNSAID)
        return matches(play, &follows, 0, actual, what);
    return matches(play, number, plus, actual, what);
}

static bool match_flags(struct play *play, const struct spoken *spoken, const struct seen *seen)
{
    uint8_t looked_at = spoken->push_said ? 0xff : (uint8_t)~TCP_PSH;
    uint8_t differ = (uint8_t)((seen->flags ^ spoken->flags) & looked_at);
    return !differ || play_wrong(play, "the flags are others");
}

static bool match_sack(struct play *play, const struct spoken *spoken, const struct seen *seen)
{
    if (seen->options.sack_count != spoken->sack_count)
        return play_wrong(play, "it has %u blocks of SACK, not %u", seen->options.sack_count, spoken->sack_count);
    for (unsigned i = 0; i < spoken->sack_count; i++)
        for (unsigned edge = 0; edge < 2; edge++)
            if (!matches(play, &spoken->sack[i][edge], 0, seen->sack[i][edge], "the edge of a block of SACK"))
                return false;
    return true;
}

static bool match_options(struct play *play, const struct spoken *spoken, const struct seen *seen)
{
    const struct tcp_options *o = &seen->options;
    bool capable = mptcp_has(&o->mp, MPTCP_CAPABLE);
    if (spoken->options & ~o->present)
        return play_wrong(play, "an option that was expected is missing");
    if (spoken->absent & o->present)
        return play_wrong(play, "it has an option that was not expected");
    if ((spoken->mptcp && !capable) || (spoken->no_mptcp && o->mp.present))
        return play_wrong(play, "MPTCP is %s", spoken->mptcp ? "missing" : "offered");
    return matches(play, &spoken->mss, 0, o->mss, "mss") && matches(play, &spoken->wscale, 0, o->wscale, "wscale") &&
           matches(play, &spoken->ts, 0, seen->ts, "ts") && matches(play, &spoken->echo, 0, seen->echo, "echo") &&
           matches(play, &spoken->timeout, 0, (int64_t)(user_timeout_decode(o->user_timeout) / NS_PER_S),
                   "user-timeout") &&
           match_sack(play, spoken, seen);
}

bool match_segment(struct play *play, const struct spoken *spoken, unsigned i, const struct seen *seen)
{
    int64_t span = spoken->len.low + !!(spoken->flags & TCP_SYN) + !!(spoken->flags & TCP_FIN);
    if (seen->other)
        return play_wrong(play, "what left is no TCP");
    if (!match_flags(play, spoken, seen))
        return false;
    if (!matches_or(play, &spoken->seq, i * span, seen->next, seen->seq, "seq"))
        return false;
    if (spoken->flags & TCP_ACK &&
        !matches_or(play, &spoken->ack, (int64_t)i * spoken->step, seen->acked, seen->ack, "ack"))
        return false;
    if (!matches(play, &spoken->len, 0, seen->len, "len"))
        return false;
    if (spoken->ecn >= 0 && spoken->ecn != seen->ecn)
        return play_wrong(play, "the ECN field is %u, not %d", seen->ecn, spoken->ecn);
    if (!seen->text_right)
        return play_wrong(play, "its bytes are not those that the program sent");
    return matches(play, &spoken->window, 0, seen->window, "win") &&
           matches(play, &spoken->urgent, 0, seen->urgent, "urgent") && match_options(play, spoken, seen);
}
