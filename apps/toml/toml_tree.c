#include <stdlib.h>
#include <string.h>

#include "toml/toml.h"

void toml_free(struct toml_node *node)
{
    if (!node)
        return;
    for (struct toml_node *child = node->first, *next; child; child = next) {
        next = child->next;
        toml_free(child);
    }
    free(node->key);
    free(node->text);
    free(node);
}

struct toml_node *toml_add(struct toml_node *parent, enum toml_kind kind, unsigned line, const char *key)
{
    struct toml_node *node = calloc(1, sizeof *node);
    if (!node)
        return NULL;
    node->kind = kind;
    node->line = line;
    if (key && !(node->key = strdup(key))) {
        free(node);
        return NULL;
    }
    if (parent) {
        if (parent->last)
            parent->last->next = node;
        else
            parent->first = node;
        parent->last = node;
    }
    return node;
}

struct toml_node *toml_get(const struct toml_node *table, const char *key)
{
    for (struct toml_node *child = table->first; child; child = child->next)
        if (child->key && strcmp(child->key, key) == 0)
            return child;
    return NULL;
}
