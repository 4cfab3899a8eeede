#include "play.h"

#include <stdio.h>

#include "base/compiler.h"

/* The clock's time of a time of the script's. */
static uint64_t at(const struct play *play, bool relative, uint64_t ns)
{
    return (relative ? play->stage->now_ns : play->stage->zero_ns) + ns;
}

static bool unexpected(struct play *play, const struct seen *seen)
{
    play->came = *seen;
    play->has_come = true;
    return play_wrong(play, "a segment left that was not expected");
}

/* The clock goes on to `until_ns`, and nothing leaves before; what leaves at that very moment may be expected by lines
 * to come. */
static bool wait_until(struct play *play, uint64_t until_ns)
{
    struct stage *stage = play->stage;
    const struct seen *first;
    if (until_ns + play->story->facts.tolerance_ns < stage->now_ns)
        return play_wrong(play, "that time is over");
    if (until_ns <= stage->now_ns)
        return true;
    if ((first = stage_next(stage, until_ns - 1)))
        return unexpected(play, first);
    stage->now_ns = until_ns;
    hawser_stack_advance(stage->stack, until_ns);
    stage_drain(stage);
    return true;
}

static bool expect_one(struct play *play, const struct spoken *spoken, unsigned i, uint64_t from_ns, uint64_t to_ns)
{
    const struct seen *seen = stage_next(play->stage, to_ns);
    play->has_come = seen != NULL;
    if (!seen)
        return play_wrong(play, "no such segment left");
    play->came = *seen;
    if (!match_segment(play, spoken, i, seen))
        return false;
    return seen->at_ns >= from_ns || play_wrong(play, "it left too early");
}

static bool expect(struct play *play, const struct story_line *line)
{
    const struct when *when = &line->when;
    uint64_t tolerance_ns = play->story->facts.tolerance_ns;
    uint64_t from_ns = at(play, when->relative, when->from_ns), to_ns = at(play, when->relative, when->to_ns);
    for (unsigned i = 0; i < line->segment.times; i++)
        if (!expect_one(play, &line->segment, i, from_ns - tolerance_ns, to_ns + tolerance_ns))
            return false;
    return true;
}

static bool expect_nothing(struct play *play, const struct story_line *line)
{
    const struct when *until = &line->until;
    uint64_t until_ns = at(play, until->relative, until->to_ns);
    const struct seen *seen = stage_next(play->stage, until_ns);
    return !seen || unexpected(play, seen);
}

static void let_anything(struct play *play, const struct story_line *line)
{
    uint64_t until_ns = at(play, line->until.relative, line->until.to_ns);
    while (stage_next(play->stage, until_ns))
        ;
}

static bool expect_state(struct play *play, const struct story_line *line)
{
    enum story_state state = stage_state(play->stage);
    return state == line->state || play_wrong(play, "the state is %s", story_state_name(state));
}

static bool route(struct play *play, const struct story_line *line)
{
    int64_t mtu, seq;
    if (!number_value(play, &line->icmp.mtu, "mtu", &mtu) || !number_value(play, &line->icmp.seq, "seq", &seq))
        return false;
    return stage_route(play->stage, line->icmp.kind, (uint32_t)mtu, seq) ||
           play_wrong(play, "no segment of the host's began there lately");
}

static bool act_of_host(struct play *play, const struct story_line *line)
{
    if (line->deed == DEED_STATE)
        return expect_state(play, line);
    if (line->deed == DEED_NOTHING)
        return expect_nothing(play, line);
    let_anything(play, line);
    return true;
}

static bool act(struct play *play, const struct story_line *line)
{
    switch (line->voice) {
    case VOICE_APP:
        return call_host(play, line->deed, &line->call);
    case VOICE_PEER:
        return say_segment(play, &line->segment);
    case VOICE_ROUTER:
        return route(play, line);
    case VOICE_HOST:
        return act_of_host(play, line);
    }
    return false;
}

static bool play_line(struct play *play, const struct story_line *line)
{
    bool good = line->voice == VOICE_HOST && line->deed == DEED_SEGMENT
                    ? expect(play, line)
                    : wait_until(play, at(play, line->when.relative, line->when.to_ns)) && act(play, line);
    if (play->stage->trouble[0])
        return play_wrong(play, "%s", play->stage->trouble);
    return good;
}

bool play_story(struct play *play)
{
    const struct story *story = play->story;
    play->known[0] = true; /* $mss */
    play->value[0] = stage_mss(play->stage);
    for (unsigned i = 0; i < story->count; i++) {
        const struct story_line *line = &story->lines[i];
        if (i == story->begins) {
            play->stage->zero_ns = play->stage->now_ns;
            play->stage->told = 0;
        }
        play->has_come = false;
        bool good = play_line(play, line);
        if (good && i + 1 == story->count && stage_peek(play->stage))
            good = unexpected(play, stage_peek(play->stage));
        if (good)
            continue;
        if (!play->quiet)
            report_failure(play, line);
        return false;
    }
    return true;
}
