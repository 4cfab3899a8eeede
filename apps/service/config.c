#include "service/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "service/config_sections.h"
#include "service/config_together.h"
#include "service/proxy_sections.h"

const struct config_section *config_section(size_t i)
{
    static const struct config_section *const sections[] = {
        &config_top,     &config_uplinks,  &config_uplink, &config_door,
        &config_publish, &config_programs, &config_proxy,  &config_upstream,
    };
    return i < HW_ARRAY_LEN(sections) ? sections[i] : NULL;
}

bool config_read_texts(struct reader *r, const struct toml_node *node, void *out)
{
    struct config_texts *texts = out;
    if (node->kind != TOML_ARRAY)
        return false;
    for (const struct toml_node *item = node->first; item; item = item->next) {
        if (texts->count == CONFIG_TEXTS)
            return reader_says(r, item, "more than %d of them", CONFIG_TEXTS);
        if (!read_text(r, item, &texts->at[texts->count]))
            return false;
        texts->count++;
    }
    return true;
}

static bool read_table(struct reader *r, const struct config_section *section, const struct toml_node *table)
{
    void *object = section->begin(r->of);
    if (!object)
        return reader_says(r, table, "more than %d of [[%s]]", CONFIG_LINKS, section->name);
    return read_fields(r, table, section->fields, section->field_count, NULL, object) &&
           (!section->check || section->check(r, table, object));
}

static bool read_section(struct reader *r, const struct config_section *section, const struct toml_node *node)
{
    if (!section->many)
        return read_table(r, section, node);
    if (node->kind != TOML_ARRAY)
        return reader_says(r, node, "\"%s\" may come more than once: write [[%s]]", section->name, section->name);
    for (const struct toml_node *table = node->first; table; table = table->next) {
        if (!read_table(r, section, table))
            return false;
    }
    return true;
}

static bool read_tree(struct reader *r, const struct toml_node *tree)
{
    const struct config_section *top = config_section(0), *section;
    const char *names[32] = {NULL};
    for (size_t i = 1; (section = config_section(i)) != NULL; i++)
        names[i - 1] = section->name;
    if (!read_fields(r, tree, top->fields, top->field_count, names, top->begin(r->of)))
        return false;
    for (size_t i = 1; (section = config_section(i)) != NULL; i++) {
        const struct toml_node *node = toml_get(tree, section->name);
        if (node && !read_section(r, section, node))
            return false;
    }
    return config_check_together(r, tree);
}

bool config_read(struct config *config, const char *path, char *why, size_t why_size)
{
    unsigned line;
    char reason[256];
    struct reader r = {.path = path, .of = config, .why = why, .why_size = why_size};
    *config = (struct config){.doors = calloc(CONFIG_LINKS, sizeof *config->doors),
                              .uplinks = calloc(CONFIG_LINKS, sizeof *config->uplinks),
                              .published = calloc(CONFIG_PUBLISHED, sizeof *config->published)};
    if (!config->doors || !config->uplinks || !config->published)
        return snprintf(why, why_size, "%s: no memory", path), false;
    config->tree = toml_read(path, &line, reason, sizeof reason);
    if (!config->tree && line == 0)
        return snprintf(why, why_size, "%s: %s", path, reason), false;
    if (!config->tree)
        return reader_says(&r, &(struct toml_node){.line = line}, "%s", reason);
    return read_tree(&r, config->tree);
}

void config_free(struct config *config)
{
    toml_free(config->tree);
    free(config->doors);
    free(config->uplinks);
    free(config->published);
    *config = (struct config){0};
}

static bool same(const struct toml_node *a, const struct toml_node *b)
{
    if (!a || !b)
        return a == b;
    if (a->kind != b->kind || a->integer != b->integer || strcmp(a->text ? a->text : "", b->text ? b->text : "") != 0)
        return false;
    const struct toml_node *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        if (strcmp(x->key ? x->key : "", y->key ? y->key : "") != 0 || !same(x, y))
            return false;
    }
    return x == y;
}

void config_compare(const struct config *a, const struct config *b, void (*tell)(void *user, const char *key),
                    void *user)
{
    for (const struct toml_node *node = a->tree->first; node; node = node->next) {
        if (!same(node, toml_get(b->tree, node->key)))
            tell(user, node->key);
    }
    for (const struct toml_node *node = b->tree->first; node; node = node->next) {
        if (!toml_get(a->tree, node->key))
            tell(user, node->key);
    }
}
