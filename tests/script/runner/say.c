/* What the peer says, in full: what a line leaves out follows from what was said before. */
#include <stdlib.h>

#include "base/compiler.h"
#include "play.h"

#define SAID_MAX 65000

/* RFC 7323 3.2: on each segment but a RST once both have offered them. */
static void add_timestamps(struct stage *stage, const struct spoken *s, struct utterance *u)
{
    bool agreed = stage->peer.timestamps && stage->host.timestamps;
    bool offered = u->flags & TCP_SYN && s->offers && stage->facts->timestamps;
    if ((s->absent & TCP_OPT_TIMESTAMPS) || u->flags & TCP_RST || !(offered || (agreed && !(u->flags & TCP_SYN))))
        return;
    u->options.present |= TCP_OPT_TIMESTAMPS;
    u->options.ts_val = stage_peer_ts(stage, stage_time(stage, stage->now_ns) / (int64_t)NS_PER_MS);
    u->options.ts_ecr = u->flags & TCP_ACK ? stage->host.ts_last : 0;
}

static void add_offer(const struct stage *stage, struct tcp_options *o, uint32_t mss)
{
    const struct facts *f = stage->facts;
    o->present |= TCP_OPT_MSS;
    o->mss = (uint16_t)mss;
    if (f->sack)
        o->present |= TCP_OPT_SACK_PERMITTED;
    if (f->wscale >= 0) {
        o->present |= TCP_OPT_WSCALE;
        o->wscale = (uint8_t)f->wscale;
    }
}

/* An option's number, where one is written. */
static bool set_number(struct play *play, const struct number *number, const char *what, int64_t *out)
{
    return number->kind == NUMBER_UNSAID || number_value(play, number, what, out);
}

static bool add_options(struct play *play, const struct spoken *s, struct utterance *u)
{
    struct stage *stage = play->stage;
    struct tcp_options *o = &u->options;
    int64_t mss = o->mss, wscale = o->wscale, timeout = 0;
    int64_t ts = stage_time(stage, stage->now_ns) / (int64_t)NS_PER_MS, echo = 0;
    if (!set_number(play, &s->mss, "mss", &mss) || !set_number(play, &s->wscale, "wscale", &wscale) ||
        !set_number(play, &s->ts, "ts", &ts) || !set_number(play, &s->echo, "echo", &echo) ||
        !set_number(play, &s->timeout, "user-timeout", &timeout))
        return false;
    o->present |= s->options;
    o->mss = (uint16_t)mss;
    o->wscale = (uint8_t)wscale;
    if (s->timeout.kind != NUMBER_UNSAID)
        o->user_timeout = user_timeout_encode((uint64_t)timeout * NS_PER_S);
    if (s->ts.kind != NUMBER_UNSAID || (s->options & TCP_OPT_TIMESTAMPS && !o->ts_val))
        o->ts_val = stage_peer_ts(stage, ts);
    if (s->echo.kind != NUMBER_UNSAID)
        o->ts_ecr = stage->host.ts_zero + (uint32_t)echo;
    o->sack_count = s->sack_count;
    if (s->sack_count)
        o->present |= TCP_OPT_SACK;
    for (unsigned i = 0; i < s->sack_count; i++) {
        int64_t start, end;
        if (!number_value(play, &s->sack[i][0], "a block's edge", &start) ||
            !number_value(play, &s->sack[i][1], "a block's edge", &end))
            return false;
        o->sack[i] =
            (struct sack_block){seq_at(stage->host.isn + (uint32_t)start), seq_at(stage->host.isn + (uint32_t)end)};
    }
    return true;
}

/* The `i`-th of the line. */
static bool compose(struct play *play, const struct spoken *s, unsigned i, struct utterance *u)
{
    struct stage *stage = play->stage;
    int64_t seq = stage->peer.next, ack = stage->peer.acked, window = stage->facts->window, urgent = 0, len = 0;
    if (!set_number(play, &s->seq, "seq", &seq) || !set_number(play, &s->len, "len", &len) ||
        !set_number(play, &s->ack, "ack", &ack) || !set_number(play, &s->window, "win", &window) ||
        !set_number(play, &s->urgent, "urgent", &urgent))
        return false;
    if (len < 0 || len > SAID_MAX)
        return play_wrong(play, "len is 0 to %d", SAID_MAX);
    int64_t span = len + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
    *u = (struct utterance){.flags = s->flags,
                            .ecn = (uint8_t)HW_MAX(s->ecn, 0),
                            .seq = seq + i * span,
                            .ack = ack + (int64_t)i * s->step,
                            .window = (uint32_t)window,
                            .urgent = (uint16_t)urgent,
                            .len = (uint32_t)len,
                            .bad_checksum = s->bad_checksum,
                            .multicast = s->multicast,
                            .merged = (uint16_t)s->merged};
    tcp_options_clear(&u->options);
    if (s->offers)
        add_offer(stage, &u->options, stage->facts->mss);
    add_timestamps(stage, s, u);
    return add_options(play, s, u);
}

/* Each after what the one before gave rise to. */
static bool say_one_by_one(struct play *play, const struct spoken *s)
{
    struct utterance u;
    const int64_t next = play->stage->peer.next;
    struct spoken again = *s;
    if (s->seq.kind == NUMBER_UNSAID)
        again.seq = number_of(next);
    for (unsigned i = 0; i < s->times; i++) {
        if (!compose(play, &again, i, &u))
            return false;
        stage_say(play->stage, &u, 1);
        if (i + 1u < s->times) {
            uint64_t then_ns = play->stage->now_ns + s->every_ns;
            while (hawser_stack_deadline(play->stage->stack) <= then_ns) {
                play->stage->now_ns = HW_MAX(play->stage->now_ns, hawser_stack_deadline(play->stage->stack));
                hawser_stack_advance(play->stage->stack, play->stage->now_ns);
                stage_drain(play->stage);
            }
            play->stage->now_ns = then_ns;
        }
    }
    return true;
}

bool say_segment(struct play *play, const struct spoken *s)
{
    if (s->every_ns)
        return say_one_by_one(play, s);
    struct utterance *list = calloc(s->times, sizeof *list);
    bool good = list != NULL;
    for (unsigned i = 0; good && i < s->times; i++)
        good = compose(play, s, i, &list[i]);
    if (good)
        stage_say(play->stage, list, s->times);
    free(list);
    return good;
}
