/* Reads a script, and writes the way to the state in which it begins before its lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "story.h"

static const char *const state_names[STORY_STATES] = {
    [STORY_CLOSED] = "CLOSED",
    [STORY_LISTEN] = "LISTEN",
    [STORY_SYN_SENT] = "SYN-SENT",
    [STORY_FIN_WAIT_1] = "FIN-WAIT-1",
    [STORY_SYN_RECEIVED] = "SYN-RECEIVED",
    [STORY_ESTABLISHED] = "ESTABLISHED",
    [STORY_FIN_WAIT_2] = "FIN-WAIT-2",
    [STORY_CLOSE_WAIT] = "CLOSE-WAIT",
    [STORY_CLOSING] = "CLOSING",
    [STORY_LAST_ACK] = "LAST-ACK",
    [STORY_TIME_WAIT] = "TIME-WAIT",
};

const char *story_state_name(enum story_state state) { return state_names[state]; }

bool story_find_state(const char *name, enum story_state *out)
{
    for (unsigned i = 0; i < STORY_STATES; i++) {
        if (strcmp(state_names[i], name) != 0)
            continue;
        *out = (enum story_state)i;
        return true;
    }
    return false;
}

/* The way to each state from the one before, in the language of scripts itself. "+rtt" is what the facts say. */
static const struct way {
    enum story_state before;
    const char *lines;
} ways[STORY_STATES] = {
    [STORY_CLOSED] = {STORY_CLOSED, ""},
    [STORY_LISTEN] = {STORY_CLOSED, " app listen\n"},
    [STORY_SYN_SENT] = {STORY_CLOSED, " app connect\n host SYN seq 0\n"},
    [STORY_SYN_RECEIVED] = {STORY_LISTEN, " peer SYN seq 0 offer\n host SYN,ACK seq 0 ack 1\n"},
    [STORY_ESTABLISHED] = {STORY_SYN_SENT, "+rtt peer SYN,ACK seq 0 ack 1 offer\n host ACK seq 1 ack 1\n"},
    [STORY_FIN_WAIT_1] = {STORY_ESTABLISHED, " app shutdown\n host FIN,ACK seq 1 ack 1\n"},
    [STORY_FIN_WAIT_2] = {STORY_FIN_WAIT_1, " peer ACK seq 1 ack 2\n"},
    [STORY_CLOSE_WAIT] = {STORY_ESTABLISHED, " peer FIN,ACK seq 1 ack 1\n host ACK seq 1 ack 2\n"},
    [STORY_CLOSING] = {STORY_FIN_WAIT_1, " peer FIN,ACK seq 1 ack 1\n host ACK seq 2 ack 2\n"},
    [STORY_LAST_ACK] = {STORY_CLOSE_WAIT, " app shutdown\n host FIN,ACK seq 1 ack 2\n"},
    [STORY_TIME_WAIT] = {STORY_FIN_WAIT_2, " peer FIN,ACK seq 1 ack 2\n host ACK seq 2 ack 2\n"},
};
static const struct way opened_by_the_peer = {STORY_SYN_RECEIVED, "+rtt peer ACK seq 1 ack 1\n app accept\n"};

/* "20ms", "+20ms", "10ms..20ms", "+10ms..20ms". */
static bool read_when(struct words *w, const char *text, struct when *when)
{
    char first[32];
    *when = (struct when){.relative = *text == '+'};
    const char *from = text + when->relative, *dots = strstr(from, "..");
    size_t len = dots ? (size_t)(dots - from) : strlen(from);
    if (len >= sizeof first)
        return words_wrong(w, "'%s' is no time", text);
    memcpy(first, from, len);
    first[len] = 0;
    bool good = text_time(first, &when->from_ns) && text_time(dots ? dots + 2 : first, &when->to_ns);
    if (!good)
        return words_wrong(w, "a line begins with a time such as 20ms, +20ms or 10ms..20ms, or with a blank, not '%s'",
                           text);
    return when->from_ns <= when->to_ns || words_wrong(w, "'%s' ends before it begins", text);
}

static bool read_until(struct words *w, struct story_line *line, enum deed deed)
{
    const char *until;
    line->deed = deed;
    if (!words_take(w, "until") || !(until = words_next(w)))
        return words_wrong(w, "it goes on: until 20ms, or until +20ms");
    return read_when(w, until, &line->until) && words_end(w);
}

static bool read_state(struct words *w, struct story_line *line)
{
    const char *name = words_next(w);
    line->deed = DEED_STATE;
    if (!name || !story_find_state(name, &line->state))
        return words_wrong(w, "'%s' is no state of RFC 9293", name ? name : "");
    return words_end(w);
}

static bool read_host(struct words *w, struct names *names, struct story_line *line)
{
    if (words_take(w, "nothing"))
        return read_until(w, line, DEED_NOTHING);
    if (words_take(w, "anything"))
        return read_until(w, line, DEED_ANYTHING);
    if (words_take(w, "state"))
        return read_state(w, line);
    return read_segment(w, names, line);
}

static bool read_voice(struct words *w, struct names *names, struct story_line *line)
{
    const char *voice = words_next(w);
    bool range = line->when.from_ns != line->when.to_ns;
    if (voice && strcmp(voice, "host") == 0) {
        line->voice = VOICE_HOST;
        return read_host(w, names, line);
    }
    if (range)
        return words_wrong(w, "only what the host does may take from one time to another");
    if (voice && strcmp(voice, "app") == 0) {
        line->voice = VOICE_APP;
        return read_call(w, line);
    }
    if (voice && strcmp(voice, "peer") == 0) {
        line->voice = VOICE_PEER;
        return read_segment(w, names, line);
    }
    if (voice && strcmp(voice, "router") == 0) {
        line->voice = VOICE_ROUTER;
        return read_icmp(w, names, line);
    }
    return words_wrong(w, "app, peer, router or host is to follow, not '%s'", voice ? voice : "nothing");
}

/* The text as it is told when the line fails, without what stands around it. */
static void keep_text(struct story_line *line, const char *text)
{
    text += strspn(text, " \t");
    size_t len = strcspn(text, "#\r\n");
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t'))
        len--;
    snprintf(line->text, sizeof line->text, "%.*s", (int)len, text);
}

static bool add_line(struct story *story, struct words *w, const char *text, unsigned number)
{
    if (story->count == STORY_LINES_MAX)
        return words_wrong(w, "a script has at most %d lines", STORY_LINES_MAX);
    struct story_line *line = &story->lines[story->count++];
    *line = (struct story_line){.number = number, .when = {.relative = true}};
    keep_text(line, text);
    if (!w->indented && !read_when(w, words_next(w), &line->when))
        return false;
    return read_voice(w, &story->names, line);
}

/* Up to the blank of the next line, with the round trip in place of its name. */
static bool add_way(struct story *story, struct words *w, const struct way *way)
{
    char text[LINE_BYTES];
    for (const char *at = way->lines, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        bool waits = strncmp(at, "+rtt", 4) == 0;
        if (waits)
            snprintf(text, sizeof text, "+%uus%.*s", (unsigned)(story->facts.rtt_ns / 1000), (int)(end - at - 4),
                     at + 4);
        else
            snprintf(text, sizeof text, "%.*s", (int)(end - at), at);
        if (!words_cut(w, text) || !add_line(story, w, text, 0))
            return false;
    }
    return true;
}

static bool lead_to(struct story *story, struct words *w, enum story_state state)
{
    const struct way *way = &ways[state];
    if (state == STORY_ESTABLISHED && story->facts.passive)
        way = &opened_by_the_peer;
    if (state == STORY_CLOSED)
        return true;
    return lead_to(story, w, way->before) && add_way(story, w, way);
}

static bool read_from(struct story *story, struct words *w, bool *said)
{
    const char *name = words_next(w);
    if (*said)
        return words_wrong(w, "'from' comes once");
    *said = true;
    if (!name || !story_find_state(name, &story->facts.state))
        return words_wrong(w, "'%s' is no state of RFC 9293", name ? name : "");
    return read_facts(w, &story->facts);
}

static void keep_rfc(struct story *story, const char *text)
{
    size_t room = sizeof story->rfc - strlen(story->rfc);
    const char *rest = strstr(text, "rfc") + 3;
    size_t len = strcspn(rest, "#\r\n");
    snprintf(story->rfc + strlen(story->rfc), room, "%sRFC%.*s", story->rfc[0] ? "; " : "", (int)len, rest);
}

/* What stands before the first line that happens. False: nothing more of that. */
static bool read_head(struct story *story, struct words *w, const char *text, bool *from_said)
{
    if (w->indented)
        return false;
    if (words_take(w, "rfc"))
        keep_rfc(story, text);
    else if (words_take(w, "from"))
        (void)read_from(story, w, from_said);
    else if (words_take(w, "with"))
        (void)read_facts(w, &story->facts);
    else
        return false;
    return true;
}

static bool read_lines(struct story *story, struct words *w, FILE *file, unsigned *number)
{
    char text[LINE_BYTES + 2];
    bool from_said = false, begun = false;
    for (*number = 1; fgets(text, sizeof text, file); ++*number) {
        if (!words_cut(w, text))
            return false;
        if (w->count == 0)
            continue;
        if (!begun && read_head(story, w, text, &from_said)) {
            if (w->wrong[0])
                return false;
            continue;
        }
        if (!begun && !from_said)
            return words_wrong(w, "a script begins with 'from STATE'");
        if (!begun && !lead_to(story, w, story->facts.state))
            return false;
        if (!begun) {
            story->begins = story->count;
            if (!words_cut(w, text))
                return false;
        }
        begun = true;
        if (!add_line(story, w, text, *number))
            return false;
    }
    return begun || words_wrong(w, "nothing happens in it");
}

bool story_read(struct story *story, const char *path)
{
    struct words *w = calloc(1, sizeof *w);
    FILE *file = fopen(path, "r");
    unsigned number = 0;
    *story = (struct story){.path = path};
    facts_init(&story->facts);
    (void)names_find(&story->names, "mss");
    bool good = w && file && read_lines(story, w, file, &number);
    if (!good && file)
        fprintf(stderr, "%s:%u: %s\n", path, number, w ? w->wrong : "out of memory");
    else if (!good)
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    if (file)
        fclose(file);
    free(w);
    return good;
}
