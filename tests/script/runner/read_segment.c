/* A segment in words: FLAGS seq 1 ack 1 len 1000 win 500 sack 2001-3001 x 3 ... */
#include <string.h>

#include "base/compiler.h"
#include "story.h"

static const struct {
    const char *name;
    uint8_t flag;
} flag_names[] = {
    {"FIN", TCP_FIN}, {"SYN", TCP_SYN}, {"RST", TCP_RST}, {"PSH", TCP_PSH},
    {"ACK", TCP_ACK}, {"URG", TCP_URG}, {"ECE", TCP_ECE}, {"CWR", TCP_CWR},
};

static bool read_flag(struct words *w, const char *name, struct spoken *s)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(flag_names); i++) {
        if (strcmp(flag_names[i].name, name) != 0)
            continue;
        s->flags |= flag_names[i].flag;
        s->push_said |= flag_names[i].flag == TCP_PSH;
        return true;
    }
    return words_wrong(w, "'%s' is no flag of TCP", name);
}

/* "SYN,ACK"; or "none", of a segment without any. */
static bool read_flags(struct words *w, struct spoken *s)
{
    char text[64], *rest = text;
    const char *word = words_next(w);
    if (!word)
        return words_wrong(w, "flags are missing");
    if (strcmp(word, "none") == 0)
        return true;
    if (strlen(word) >= sizeof text)
        return words_wrong(w, "'%s' is no flag of TCP", word);
    memcpy(text, word, strlen(word) + 1);
    for (char *name; (name = strsep(&rest, ","));)
        if (!read_flag(w, name, s))
            return false;
    return true;
}

static bool option(struct words *w, struct names *names, struct spoken *s, uint16_t bit, struct number *out,
                   const char *what)
{
    s->options |= bit;
    return words_number(w, names, what, out);
}

/* "no sack", "no timestamps"... */
static bool read_absent(struct words *w, struct spoken *s)
{
    static const struct {
        const char *name;
        uint16_t bit;
    } kinds[] = {
        {"mss", TCP_OPT_MSS},
        {"wscale", TCP_OPT_WSCALE},
        {"sack-permitted", TCP_OPT_SACK_PERMITTED},
        {"timestamps", TCP_OPT_TIMESTAMPS},
        {"fast-open", TCP_OPT_FASTOPEN},
        {"user-timeout", TCP_OPT_USER_TIMEOUT},
    };
    const char *name = words_next(w);
    for (size_t i = 0; name && i < HW_ARRAY_LEN(kinds); i++) {
        if (strcmp(kinds[i].name, name) != 0)
            continue;
        s->absent |= kinds[i].bit;
        return true;
    }
    s->no_mptcp = name && strcmp(name, "mptcp") == 0;
    return s->no_mptcp || words_wrong(w, "no such option: %s", name ? name : "(nothing)");
}

/* "1001-2001", or "$n-2001"; false without a complaint: it is no such thing. */
static bool is_block(const char *word, struct names *names, struct number block[2])
{
    char text[64];
    const char *dash = word ? strchr(word, '-') : NULL;
    if (!dash || dash == word || (size_t)(dash - word) >= sizeof text)
        return false;
    memcpy(text, word, (size_t)(dash - word));
    text[dash - word] = 0;
    return text_number(text, names, &block[0]) && text_number(dash + 1, names, &block[1]);
}

/* RFC 2018's order, the first that is written comes first. */
static bool read_sack(struct words *w, struct names *names, struct spoken *s)
{
    unsigned before = s->sack_count;
    struct number block[2];
    while (is_block(words_peek(w), names, block)) {
        if (s->sack_count == TCP_SACK_MAX)
            return words_wrong(w, "more than %d SACK blocks", TCP_SACK_MAX);
        memcpy(s->sack[s->sack_count++], block, sizeof block);
        (void)words_next(w);
    }
    return s->sack_count > before || words_wrong(w, "blocks of SACK are missing, such as 1001-2001");
}

static bool read_times(struct words *w, struct spoken *s)
{
    uint32_t times;
    if (!words_count(w, "how often", &times))
        return false;
    s->times = (uint16_t)times;
    return (times > 0 && times <= 1000) || words_wrong(w, "'x' is followed by 1 to 1000");
}

/* RFC 3168 5 */
static bool take_ecn(struct words *w, struct spoken *s)
{
    static const char *const codepoints[] = {"not-ect", "ect1", "ect0", "ce"};
    for (int i = 0; i < (int)HW_ARRAY_LEN(codepoints); i++) {
        if (!words_take(w, codepoints[i]))
            continue;
        s->ecn = i;
        return true;
    }
    return false;
}

static bool read_field(struct words *w, struct names *names, struct spoken *s)
{
    if (words_take(w, "seq"))
        return words_number(w, names, "seq", &s->seq);
    if (words_take(w, "ack"))
        return words_number(w, names, "ack", &s->ack);
    if (words_take(w, "len"))
        return words_number(w, names, "len", &s->len);
    if (words_take(w, "win"))
        return words_number(w, names, "win", &s->window);
    if (words_take(w, "mss"))
        return option(w, names, s, TCP_OPT_MSS, &s->mss, "mss");
    if (words_take(w, "wscale"))
        return option(w, names, s, TCP_OPT_WSCALE, &s->wscale, "wscale");
    if (words_take(w, "ts"))
        return option(w, names, s, TCP_OPT_TIMESTAMPS, &s->ts, "ts");
    if (words_take(w, "echo"))
        return option(w, names, s, TCP_OPT_TIMESTAMPS, &s->echo, "echo");
    if (words_take(w, "user-timeout"))
        return option(w, names, s, TCP_OPT_USER_TIMEOUT, &s->timeout, "user-timeout, in seconds,");
    if (words_take(w, "sack-permitted"))
        return s->options |= TCP_OPT_SACK_PERMITTED;
    if (words_take(w, "sack"))
        return read_sack(w, names, s);
    if (words_take(w, "urgent"))
        return words_number(w, names, "urgent", &s->urgent);
    if (words_take(w, "offer"))
        return s->offers = true;
    if (words_take(w, "mptcp"))
        return s->mptcp = true;
    if (words_take(w, "bad-checksum"))
        return s->bad_checksum = true;
    if (words_take(w, "multicast"))
        return s->multicast = true;
    if (words_take(w, "no"))
        return read_absent(w, s);
    if (words_take(w, "merged"))
        return words_count(w, "the bytes of a wire segment", &s->merged);
    if (words_take(w, "x"))
        return read_times(w, s);
    if (words_take(w, "step"))
        return words_count(w, "step", &s->step);
    if (words_take(w, "every"))
        return words_time(w, "every", &s->every_ns);
    return take_ecn(w, s) || words_end(w);
}

bool read_segment(struct words *w, struct names *names, struct story_line *line)
{
    struct spoken *s = &line->segment;
    *s = (struct spoken){.times = 1, .ecn = -1, .len = number_of(0)};
    line->deed = DEED_SEGMENT;
    if (!read_flags(w, s))
        return false;
    while (words_peek(w))
        if (!read_field(w, names, s))
            return false;
    if (s->ack.kind && !(s->flags & TCP_ACK))
        return words_wrong(w, "'ack' without the flag ACK");
    if (line->voice == VOICE_HOST && (s->offers || s->merged || s->every_ns || s->bad_checksum || s->multicast))
        return words_wrong(w, "'offer', 'merged', 'every', 'bad-checksum' and 'multicast' are of the peer");
    if (line->voice == VOICE_PEER && (s->mptcp || s->no_mptcp))
        return words_wrong(w, "'mptcp' is of the host: this peer speaks none");
    if (s->every_ns && s->times == 1)
        return words_wrong(w, "'every' without 'x'");
    return true;
}
