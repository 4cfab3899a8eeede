/* Values, in the units of hawser lab. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <hawser/addr.h>

#include "lab/values.h"
#include "toml/reader.h"

static const char *string_of(const struct toml_node *node) { return node->kind == TOML_STRING ? node->text : NULL; }

static bool is_plain_name(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = strlen(text);
    return len > 0 && len < 32 && strspn(text, allowed) == len;
}

bool read_name(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    const char *text = string_of(node);
    if (!text || !is_plain_name(text))
        return false;
    snprintf(out, 32, "%s", text);
    return true;
}

bool read_kind(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    const char *text = string_of(node);
    if (!text || strlen(text) >= 24)
        return false;
    snprintf(out, 24, "%s", text);
    return true;
}

bool read_text(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    const char *text = string_of(node);
    for (const char *at = text; at && *at; at++)
        if (iscntrl((unsigned char)*at))
            return false;
    memcpy(out, &text, sizeof text);
    return text != NULL;
}

bool read_rate(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    return string_of(node) && value_rate(node->text, out) && *(uint64_t *)out <= UINT64_C(1000000000000);
}

bool read_duration(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    return string_of(node) && value_duration(node->text, out) && *(uint64_t *)out <= UINT64_C(1000000000000000);
}

bool read_bytes(struct reader *r, const struct toml_node *node, void *out)
{
    uint64_t *bytes = out;
    (void)r;
    if (node->kind == TOML_INTEGER && node->integer >= 0) {
        *bytes = (uint64_t)node->integer;
        return true;
    }
    return string_of(node) && value_bytes(node->text, bytes);
}

bool read_bytes32(struct reader *r, const struct toml_node *node, void *out)
{
    uint64_t bytes;
    if (!read_bytes(r, node, &bytes) || bytes > UINT32_MAX / 2)
        return false;
    *(uint32_t *)out = (uint32_t)bytes;
    return true;
}

bool read_number(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    if (node->kind != TOML_INTEGER || node->integer < 0)
        return false;
    *(uint64_t *)out = (uint64_t)node->integer;
    return true;
}

bool read_count(struct reader *r, const struct toml_node *node, void *out)
{
    uint64_t number;
    if (!read_number(r, node, &number) || number > UINT32_MAX)
        return false;
    *(uint32_t *)out = (uint32_t)number;
    return true;
}

bool read_share(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    return string_of(node) && value_percent(node->text, out);
}

bool read_flag(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    if (node->kind != TOML_BOOLEAN)
        return false;
    *(bool *)out = node->integer != 0;
    return true;
}

bool read_address(struct reader *r, const struct toml_node *node, void *out)
{
    (void)r;
    return string_of(node) && hawser_addr_parse(out, node->text, 0) == 0;
}

bool read_endpoint(struct reader *r, const struct toml_node *node, void *out)
{
    char text[HAWSER_ADDR_STRLEN];
    uint64_t port;
    (void)r;
    const char *whole = string_of(node), *colon = whole ? strrchr(whole, ':') : NULL;
    if (!colon || (size_t)(colon - whole) >= sizeof text || !value_number(colon + 1, &port) || port == 0 ||
        port > UINT16_MAX)
        return false;
    snprintf(text, sizeof text, "%.*s", (int)(colon - whole), whole);
    char *start = text, *end = text + strlen(text);
    if (*start == '[' && end > start + 1 && end[-1] == ']') {
        start++;
        end[-1] = '\0';
    }
    return hawser_addr_parse(out, start, (uint16_t)port) == 0;
}
