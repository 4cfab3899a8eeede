#include "words.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"

bool words_wrong(struct words *w, const char *format, ...)
{
    va_list args;
    if (w->wrong[0])
        return false;
    va_start(args, format);
    vsnprintf(w->wrong, sizeof w->wrong, format, args);
    va_end(args);
    return false;
}

/* The comma between words of a list; that inside of SYN,ACK stays. */
static void drop_comma(char *word)
{
    size_t len = strlen(word);
    if (len > 1 && word[len - 1] == ',')
        word[len - 1] = 0;
}

bool words_cut(struct words *w, const char *line)
{
    char *rest = w->text;
    w->count = w->at = 0;
    w->wrong[0] = 0;
    w->indented = line[0] == ' ' || line[0] == '\t';
    if (strlen(line) >= sizeof w->text)
        return words_wrong(w, "the line is longer than %d bytes", LINE_BYTES - 1);
    memcpy(w->text, line, strlen(line) + 1);
    w->text[strcspn(w->text, "#\r\n")] = 0;
    for (char *word; (word = strsep(&rest, " \t"));) {
        if (!*word)
            continue;
        if (w->count == WORDS_MAX)
            return words_wrong(w, "the line has more than %d words", WORDS_MAX);
        drop_comma(word);
        w->word[w->count++] = word;
    }
    return true;
}

const char *words_peek(const struct words *w) { return w->at < w->count ? w->word[w->at] : NULL; }
const char *words_next(struct words *w) { return w->at < w->count ? w->word[w->at++] : NULL; }

bool words_take(struct words *w, const char *word)
{
    bool is = w->at < w->count && strcmp(w->word[w->at], word) == 0;
    w->at += is;
    return is;
}

bool words_end(struct words *w)
{
    return w->at == w->count || words_wrong(w, "'%s' is not understood here", words_peek(w));
}

/* The word itself, or a complaint that names what ought to be there. */
static const char *need(struct words *w, const char *what)
{
    const char *word = words_next(w);
    if (!word)
        words_wrong(w, "%s is missing", what);
    return word;
}

bool words_count(struct words *w, const char *what, uint32_t *out)
{
    char *end;
    const char *word = need(w, what);
    if (!word)
        return false;
    unsigned long value = strtoul(word, &end, 10);
    if (!isdigit((unsigned char)*word) || *end || value > UINT32_MAX)
        return words_wrong(w, "%s is a number, not '%s'", what, word);
    *out = (uint32_t)value;
    return true;
}

bool words_time(struct words *w, const char *what, uint64_t *out_ns)
{
    const char *word = need(w, what);
    return word &&
           (text_time(word, out_ns) || words_wrong(w, "%s is a time such as 20ms or 1.5s, not '%s'", what, word));
}

bool words_number(struct words *w, struct names *names, const char *what, struct number *out)
{
    const char *word = need(w, what);
    return word && (text_number(word, names, out) ||
                    words_wrong(w, "%s is a number, a range such as 1..5, $name or any, not '%s'", what, word));
}

bool text_time(const char *text, uint64_t *out_ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
    char *end;
    if (!isdigit((unsigned char)*text))
        return false;
    double value = strtod(text, &end);
    for (size_t i = 0; i < HW_ARRAY_LEN(units); i++) {
        if (strcmp(end, units[i].name) != 0)
            continue;
        *out_ns = (uint64_t)(value * units[i].ns + 0.5);
        return true;
    }
    *out_ns = 0;
    return strcmp(text, "0") == 0;
}

int names_find(struct names *names, const char *name)
{
    if (!isalpha((unsigned char)*name) || strlen(name) >= NAME_BYTES)
        return -1;
    for (unsigned i = 0; i < names->count; i++)
        if (strcmp(names->name[i], name) == 0)
            return (int)i;
    if (names->count == NAMES_MAX)
        return -1;
    memcpy(names->name[names->count], name, strlen(name) + 1);
    return (int)names->count++;
}

/* "$name", "$name+5", "$name-5". */
static bool named_number(const char *text, struct names *names, struct number *out)
{
    char name[NAME_BYTES], *end;
    size_t len = strcspn(text, "+-");
    if (len >= sizeof name)
        return false;
    memcpy(name, text, len);
    name[len] = 0;
    *out = number_of(text[len] ? strtoll(text + len, &end, 10) : 0);
    out->name = names_find(names, name);
    return out->name >= 0 && (!text[len] || !*end);
}

bool text_number(const char *text, struct names *names, struct number *out)
{
    char *end;
    if (strcmp(text, "any") == 0) {
        *out = (struct number){NUMBER_ANY, 0, 0, -1};
        return true;
    }
    if (*text == '$')
        return named_number(text + 1, names, out);
    if (!isdigit((unsigned char)*text) && !(*text == '-' && isdigit((unsigned char)text[1])))
        return false;
    *out = number_of(strtoll(text, &end, 10));
    if (strncmp(end, "..", 2) != 0)
        return *end == 0;
    out->high = INT64_MAX;
    if (!end[2])
        return true;
    const char *last = end + 2;
    out->high = strtoll(last, &end, 10);
    return end != last && !*end && out->low <= out->high;
}

static const struct {
    const char *name;
    int error;
} errors[] = {
    {"EAGAIN", EAGAIN},
    {"EPIPE", EPIPE},
    {"ENOTCONN", ENOTCONN},
    {"ECONNREFUSED", ECONNREFUSED},
    {"ECONNRESET", ECONNRESET},
    {"ECONNABORTED", ECONNABORTED},
    {"ETIMEDOUT", ETIMEDOUT},
    {"EHOSTUNREACH", EHOSTUNREACH},
    {"ENETUNREACH", ENETUNREACH},
    {"ENOPROTOOPT", ENOPROTOOPT},
    {"EACCES", EACCES},
    {"EPROTO", EPROTO},
    {"ENOBUFS", ENOBUFS},
    {"ENOMEM", ENOMEM},
    {"EINVAL", EINVAL},
    {"EADDRINUSE", EADDRINUSE},
    {"EADDRNOTAVAIL", EADDRNOTAVAIL},
};

int text_errno(const char *text)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(errors); i++)
        if (strcmp(errors[i].name, text) == 0)
            return errors[i].error;
    return 0;
}

const char *errno_text(int error)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(errors); i++)
        if (errors[i].error == error)
            return errors[i].name;
    return error ? strerror(error) : "no error";
}
