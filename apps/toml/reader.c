#include "toml/reader.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* The end of the complaint so far, and the room behind it. */
static char *why_end(const struct reader *r, size_t *room)
{
    size_t used = strlen(r->why);
    *room = r->why_size - used;
    return r->why + used;
}

static void name_sets(const struct reader *r, const struct toml_node *table)
{
    for (const struct toml_node *node = table->kind == TOML_TABLE ? table->first : NULL; node; node = node->next) {
        size_t room;
        char *end = why_end(r, &room);
        if (node->set)
            snprintf(end, room, " (with --set %s)", node->set);
    }
}

bool reader_says(struct reader *r, const struct toml_node *node, const char *format, ...)
{
    if (r->failed)
        return false;
    r->failed = true;
    if (node->set)
        snprintf(r->why, r->why_size, "%s: --set %s: ", r->path, node->set);
    else
        snprintf(r->why, r->why_size, "%s:%u: ", r->path, HW_MAX(node->line, 1u));
    size_t room;
    char *end = why_end(r, &room);
    va_list args;
    va_start(args, format);
    vsnprintf(end, room, format, args);
    va_end(args);
    name_sets(r, node);
    for (char *at = r->why; *at; at++) /* one line, whatever the file holds, and no orders to a terminal */
        if (iscntrl((unsigned char)*at))
            *at = ' ';
    return false;
}

static bool is_among(const char *key, const char *const *names)
{
    for (; names && *names; names++)
        if (strcmp(key, *names) == 0)
            return true;
    return false;
}

static bool unknown_key(struct reader *r, const struct toml_node *node, const struct field *fields, size_t count,
                        const char *const *others)
{
    char list[512] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof list; i++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", fields[i].key);
    for (; others && *others && used < sizeof list; others++)
        used += (size_t)snprintf(list + used, sizeof list - used, "%s%s", used ? ", " : "", *others);
    return reader_says(r, node, "unknown key \"%s\"; allowed: %s", node->key, list);
}

static bool read_field(struct reader *r, const struct toml_node *node, const struct field *field, void *object)
{
    if (field->read(r, node, (char *)object + field->offset))
        return true;
    if (field->allowed)
        reader_says(r, node, "%s is %s", field->key, field->allowed);
    return false;
}

bool read_fields(struct reader *r, const struct toml_node *table, const struct field *fields, size_t count,
                 const char *const *others, void *object)
{
    if (table->kind != TOML_TABLE)
        return table->key ? reader_says(r, table, "\"%s\" must be a table", table->key)
                          : reader_says(r, table, "this must be a table");
    for (const struct toml_node *node = table->first; node; node = node->next) {
        size_t i = 0;
        while (i < count && strcmp(fields[i].key, node->key) != 0)
            i++;
        if (i == count && !is_among(node->key, others))
            return unknown_key(r, node, fields, count, others);
        if (i < count && !read_field(r, node, &fields[i], object))
            return false;
    }
    return true;
}
