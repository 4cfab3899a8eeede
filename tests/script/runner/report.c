/* What went otherwise, for people. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/compiler.h"
#include "play.h"

bool play_wrong(struct play *play, const char *format, ...)
{
    va_list args;
    if (play->wrong[0])
        return false;
    va_start(args, format);
    vsnprintf(play->wrong, sizeof play->wrong, format, args);
    va_end(args);
    return false;
}

static void add(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

static void add(char *text, size_t size, const char *format, ...)
{
    va_list args;
    size_t at = strlen(text);
    va_start(args, format);
    vsnprintf(text + at, size - at, format, args);
    va_end(args);
}

static void flags_text(uint8_t flags, char *text, size_t size)
{
    static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
    text[0] = 0;
    for (unsigned i = 0; i < HW_ARRAY_LEN(names); i++)
        if (flags & 1u << i)
            add(text, size, "%s%s", text[0] ? "," : "", names[i]);
    if (!text[0])
        add(text, size, "none");
}

static void options_text(const struct seen *s, char *text, size_t size)
{
    const struct tcp_options *o = &s->options;
    if (o->present & TCP_OPT_MSS)
        add(text, size, " mss %u", o->mss);
    if (o->present & TCP_OPT_WSCALE)
        add(text, size, " wscale %u", o->wscale);
    if (o->present & TCP_OPT_SACK_PERMITTED)
        add(text, size, " sack-permitted");
    if (o->present & TCP_OPT_TIMESTAMPS)
        add(text, size, " ts %" PRId64 " echo %" PRId64, s->ts, s->echo);
    if (o->present & TCP_OPT_USER_TIMEOUT)
        add(text, size, " user-timeout %" PRIu64, user_timeout_decode(o->user_timeout) / NS_PER_S);
    if (o->sack_count)
        add(text, size, " sack");
    for (unsigned i = 0; i < o->sack_count; i++)
        add(text, size, " %" PRId64 "-%" PRId64, s->sack[i][0], s->sack[i][1]);
    if (o->mp.present)
        add(text, size, " mptcp");
}

void seen_text(const struct stage *stage, const struct seen *s, char *text, size_t size)
{
    int64_t us = stage_time(stage, s->at_ns) / 1000;
    char time[32], flags[48];
    snprintf(time, sizeof time, "%s%" PRId64 ".%03dms", us < 0 ? "-" : "", (us < 0 ? -us : us) / 1000,
             (int)((us < 0 ? -us : us) % 1000));
    snprintf(text, size, "%12s  %s ", time, s->from_host ? "host" : "peer");
    if (s->other) {
        add(text, size, "(no TCP)");
        return;
    }
    flags_text(s->flags, flags, sizeof flags);
    add(text, size, "%s seq %" PRId64, flags, s->seq);
    if (s->flags & TCP_ACK)
        add(text, size, " ack %" PRId64, s->ack);
    if (s->len)
        add(text, size, " len %u", s->len);
    add(text, size, " win %u", s->window);
    options_text(s, text, size);
}

void report_failure(const struct play *play, const struct story_line *line)
{
    const struct stage *stage = play->stage;
    char text[512];
    const char *where = line->number ? "" : " (on the way to the state in which it begins)";
    printf("%s:%u: %s%s\n", play->story->path, line->number, play->wrong, where);
    printf("  %s; %s\n", play->v6 ? "IPv6" : "IPv4", play->story->rfc);
    printf("  the script     %s\n", line->text);
    if (play->has_come) {
        seen_text(stage, &play->came, text, sizeof text);
        printf("  what came %s\n", text);
    } else {
        printf("  what came      nothing more, until %.3fms\n", (double)stage_time(stage, stage->now_ns) / 1e6);
    }
    printf("  the last segments, those that left and those that arrived\n");
    for (unsigned i = stage->logged > STAGE_LOG_MAX ? stage->logged - STAGE_LOG_MAX : 0; i < stage->logged; i++) {
        seen_text(stage, &stage->log[i % STAGE_LOG_MAX], text, sizeof text);
        printf("  %s\n", text);
    }
}
