/* What the program does, and what routers say. */
#include <string.h>

#include <hawser/hawser.h>

#include "base/compiler.h"
#include "story.h"

/* "= 1000", "= EAGAIN", "= end". */
static bool read_answer(struct words *w, struct call *call)
{
    uint32_t count;
    if (!words_take(w, "="))
        return true;
    call->answered = true;
    const char *word = words_peek(w);
    int error = word ? text_errno(word) : 0;
    if (error) {
        call->answer = -error;
        (void)words_next(w);
        return true;
    }
    if (words_take(w, "end") || words_take(w, "ok"))
        return true;
    if (!words_count(w, "what it returns", &count))
        return false;
    call->answer = count;
    return true;
}

/* Which has a number only where it need not be said what comes back. */
static bool read_length(struct words *w, struct call *call)
{
    const char *word = words_peek(w);
    if (!word || strcmp(word, "=") == 0)
        return true;
    return words_count(w, "the number of bytes", &call->len);
}

static bool read_events(struct words *w, struct call *call)
{
    static const struct {
        const char *name;
        uint32_t event;
    } events[] = {
        {"readable", HAWSER_READABLE},   {"writable", HAWSER_WRITABLE},     {"connected", HAWSER_CONNECTED},
        {"error", HAWSER_ERROR},         {"closed", HAWSER_CLOSED},         {"finished", HAWSER_PEER_FINISHED},
        {"delivered", HAWSER_DELIVERED}, {"acceptable", HAWSER_ACCEPTABLE},
    };
    if (words_take(w, "nothing"))
        return true;
    for (const char *word; (word = words_next(w));) {
        size_t i = 0;
        while (i < HW_ARRAY_LEN(events) && strcmp(events[i].name, word) != 0)
            i++;
        if (i == HW_ARRAY_LEN(events))
            return words_wrong(w, "there is no event '%s'", word);
        call->events |= events[i].event;
    }
    return call->events || words_wrong(w, "events are missing, or 'nothing'");
}

static bool read_setting(struct words *w, struct call *call)
{
    static const struct {
        const char *name;
        enum hawser_option option;
        bool is_time;
    } options[] = {
        {"send-buffer", HAWSER_OPTION_SEND_BUFFER_BYTES, false},
        {"recv-buffer", HAWSER_OPTION_RECV_BUFFER_BYTES, false},
        {"nagle", HAWSER_OPTION_NAGLE, false},
        {"keepalive-idle", HAWSER_OPTION_KEEPALIVE_IDLE_NS, true},
        {"keepalive-interval", HAWSER_OPTION_KEEPALIVE_INTERVAL_NS, true},
        {"keepalive-tries", HAWSER_OPTION_KEEPALIVE_TRIES, false},
        {"user-timeout", HAWSER_OPTION_USER_TIMEOUT_NS, true},
    };
    const char *name = words_next(w);
    uint32_t count = 0;
    for (size_t i = 0; name && i < HW_ARRAY_LEN(options); i++) {
        if (strcmp(options[i].name, name) != 0)
            continue;
        call->option = options[i].option;
        if (options[i].is_time)
            return words_time(w, "its value", &call->value);
        bool good = words_count(w, "its value", &count);
        call->value = count;
        return good;
    }
    return words_wrong(w, "there is no option '%s' to set", name ? name : "");
}

static bool read_error(struct words *w, struct call *call)
{
    const char *word = words_next(w);
    call->error = word ? text_errno(word) : 0;
    return call->error || (word && strcmp(word, "none") == 0) ||
           words_wrong(w, "an error is ECONNRESET or its like, or none, not '%s'", word ? word : "");
}

static bool read_arguments(struct words *w, enum deed deed, struct call *call)
{
    switch (deed) {
    case DEED_SEND:
        return words_count(w, "the number of bytes", &call->len) && read_answer(w, call);
    case DEED_RECV:
        return read_length(w, call) && read_answer(w, call) &&
               (call->len || call->answered || words_wrong(w, "recv says how many bytes, or what it returns"));
    case DEED_SET:
        return read_setting(w, call);
    case DEED_TOLD:
        return read_events(w, call);
    case DEED_ERROR:
        return read_error(w, call);
    default:
        return read_answer(w, call);
    }
}

bool read_call(struct words *w, struct story_line *line)
{
    static const struct {
        const char *name;
        enum deed deed;
    } calls[] = {
        {"connect", DEED_CONNECT}, {"listen", DEED_LISTEN},     {"accept", DEED_ACCEPT}, {"send", DEED_SEND},
        {"recv", DEED_RECV},       {"shutdown", DEED_SHUTDOWN}, {"finish", DEED_FINISH}, {"close", DEED_CLOSE},
        {"abort", DEED_ABORT},     {"set", DEED_SET},           {"told", DEED_TOLD},     {"error", DEED_ERROR},
    };
    const char *name = words_next(w);
    line->call = (struct call){0};
    for (size_t i = 0; name && i < HW_ARRAY_LEN(calls); i++) {
        if (strcmp(calls[i].name, name) != 0)
            continue;
        line->deed = calls[i].deed;
        return read_arguments(w, line->deed, &line->call) && words_end(w);
    }
    return words_wrong(w, "the program cannot '%s'", name ? name : "do nothing");
}

bool read_icmp(struct words *w, struct names *names, struct story_line *line)
{
    static const char *const kinds[ICMP_WORDS] = {
        [ICMP_WORD_TOO_BIG] = "too-big",
        [ICMP_WORD_NETWORK] = "network-unreachable",
        [ICMP_WORD_HOST] = "host-unreachable",
        [ICMP_WORD_PORT] = "port-unreachable",
        [ICMP_WORD_PROHIBITED] = "prohibited",
        [ICMP_WORD_TIME_EXCEEDED] = "time-exceeded",
        [ICMP_WORD_SOURCE_QUENCH] = "source-quench",
    };
    const char *name = words_next(w);
    unsigned kind = 0;
    while (name && kind < ICMP_WORDS && strcmp(kinds[kind], name) != 0)
        kind++;
    if (!name || kind == ICMP_WORDS)
        return words_wrong(w, "a router says no such thing as '%s'", name ? name : "nothing");
    line->deed = DEED_ICMP;
    line->icmp = (struct router_word){.kind = (enum icmp_word)kind, .mtu = number_of(0)};
    if (words_take(w, "mtu") && !words_number(w, names, "mtu", &line->icmp.mtu))
        return false;
    if (!words_take(w, "about") || !words_take(w, "seq"))
        return words_wrong(w, "'about seq N' is missing: the segment of the host's that it is about");
    return words_number(w, names, "seq", &line->icmp.seq) && words_end(w);
}
