#include "service/config_together.h"

#include <string.h>

#include "service/choice.h"
#include "service/config.h"

/* The n-th of the tables [[name]], or of the texts of a list. */
static const struct toml_node *nth(const struct toml_node *list, unsigned n)
{
    const struct toml_node *node = list->first;
    while (n-- > 0)
        node = node->next;
    return node;
}

static bool is_uplink(const struct config *config, const char *name)
{
    bool found = false;
    for (unsigned i = 0; i < config->uplink_count; i++)
        found |= strcmp(config->uplinks[i].device, name) == 0;
    return found;
}

/* Where uplinks are named none is looked for, so no other name will ever be one. */
static bool check_names(struct reader *r, const struct toml_node *uplinks)
{
    const struct config *config = r->of;
    struct choice choice;
    char why[256];
    for (unsigned i = 0; i < config->backup.count; i++) {
        if (!is_uplink(config, config->backup.at[i]))
            return reader_says(r, nth(toml_get(uplinks, "backup"), i), "backup: no [[uplink]] has dev = \"%.40s\"",
                               config->backup.at[i]);
    }
    choice_init(&choice);
    choice_set(&choice, config->first.at, config->first.count, why, sizeof why); /* which was checked */
    for (unsigned i = 0; i < choice.rule_count; i++) {
        if (!is_uplink(config, choice.rules[i].uplink))
            return reader_says(r, toml_get(uplinks, "first"), "first: no [[uplink]] has dev = \"%s\"",
                               choice.rules[i].uplink);
    }
    return true;
}

static bool check_uplinks(struct reader *r, const struct toml_node *tree)
{
    static const char wrong[] = "%s is for uplinks that are found: leave it out, or all [[uplink]]";
    const struct toml_node *uplinks = toml_get(tree, "uplinks"), *publish = toml_get(tree, "publish");
    if (publish && publish->first)
        return reader_says(r, nth(publish, 0), wrong, "[[publish]]");
    if (!uplinks)
        return true;
    for (const struct toml_node *key = uplinks->first; key; key = key->next) {
        if (strcmp(key->key, "allow") == 0 || strcmp(key->key, "exclude") == 0)
            return reader_says(r, key, wrong, key->key);
    }
    return check_names(r, uplinks);
}

static bool check_doors(struct reader *r, const struct toml_node *tree)
{
    const struct config *config = r->of;
    for (unsigned i = 0; i < config->door_count; i++) {
        const char *device = config->doors[i].device, *interface = config->doors[i].interface;
        const char *name = interface ? interface : device;
        const struct toml_node *key = toml_get(nth(toml_get(tree, "door"), i), interface ? "interface" : "dev");
        if (is_uplink(config, name) || is_uplink(config, device))
            return reader_says(r, key, "an [[uplink]] has dev = \"%.40s\" already: leave one out",
                               is_uplink(config, name) ? name : device);
        for (unsigned j = 0; j < i; j++) {
            if (strcmp(config->doors[j].device, device) == 0)
                return reader_says(r, key, "another table has %s \"%.40s\" already",
                                   interface ? "interface =" : "dev =", name);
        }
    }
    return true;
}

static bool check_ports(struct reader *r, const struct toml_node *tree)
{
    const struct config *config = r->of;
    for (unsigned i = 0; i < config->published_count; i++) {
        for (unsigned j = 0; j < i; j++) {
            if (config->published[i].port == config->published[j].port)
                return reader_says(r, toml_get(nth(toml_get(tree, "publish"), i), "port"),
                                   "port %u is published above already", (unsigned)config->published[i].port);
        }
    }
    return true;
}

bool config_check_together(struct reader *r, const struct toml_node *tree)
{
    const struct config *config = r->of;
    return (config->uplink_count == 0 || check_uplinks(r, tree)) && check_doors(r, tree) && check_ports(r, tree);
}
