/* The bytes of a TOML file, within limits. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "toml/toml.h"

#define BLOCK_BYTES 65536u

HW_PRINTF(3, 4) static char *fail(char *why, size_t why_size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, why_size, format, args);
    va_end(args);
    return NULL;
}

static char *read_all(FILE *file, size_t *len, char *why, size_t why_size)
{
    char *text = NULL;
    *len = 0;
    for (size_t got = BLOCK_BYTES; got == BLOCK_BYTES; *len += got) {
        char *more = *len <= TOML_FILE_MAX ? realloc(text, *len + BLOCK_BYTES + 1) : NULL;
        if (!more) {
            free(text);
            return fail(why, why_size, "larger than the %u bytes that it may have", TOML_FILE_MAX);
        }
        text = more;
        got = fread(text + *len, 1, BLOCK_BYTES, file);
    }
    text[*len] = '\0';
    if (!ferror(file))
        return text;
    free(text);
    return fail(why, why_size, "%s", strerror(errno));
}

char *toml_load(const char *path, size_t *len, char *why, size_t why_size)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return fail(why, why_size, "%s", strerror(errno));
    char *text = read_all(file, len, why, why_size);
    fclose(file);
    return text;
}

/* Behind the string that begins at `at`, or at the end of a line that does not close it. */
static const char *skip_string(const char *at, const char *end, unsigned *line)
{
    char quote = *at;
    bool many = end - at >= 3 && at[1] == quote && at[2] == quote;
    for (at += many ? 3 : 1; at < end; at++) {
        if (*at == '\n' && !many)
            return at;
        *line += *at == '\n';
        if (*at == '\\' && quote == '"' && at + 1 < end && at[1] != '\n')
            at++;
        else if (*at == quote && !many)
            return at + 1;
        else if (*at == quote && end - at >= 3 && at[1] == quote && at[2] == quote)
            return at + 3;
    }
    return end;
}

unsigned toml_too_deep(const char *text, size_t len)
{
    unsigned line = 1, brackets = 0, dots = 0;
    for (const char *at = text, *end = text + len; at < end;) {
        if (*at == '"' || *at == '\'') {
            at = skip_string(at, end, &line);
            continue;
        }
        if (*at == '#')
            at = memchr(at, '\n', (size_t)(end - at));
        if (!at)
            return 0;
        if (*at == '\n') {
            line++;
            dots = 0;
        }
        dots += *at == '.';
        brackets += *at == '[' || *at == '{';
        brackets -= (*at == ']' || *at == '}') && brackets;
        if (dots > TOML_LINE_DOTS_MAX || brackets > TOML_BRACKETS_MAX)
            return line;
        at++;
    }
    return 0;
}
