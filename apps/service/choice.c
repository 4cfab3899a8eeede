#include "service/choice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/scope.h"

void choice_init(struct choice *choice) { *choice = (struct choice){0}; }

/* ---- rules ---- */

static int complain(char *why, size_t why_size, int error, const char *text, const char *what)
{
    snprintf(why, why_size, "\"%s\": %s", text, what);
    return error;
}

/* "ADDRESS/LEN" or "ADDRESS". */
static bool read_prefix(char *text, struct hawser_addr *net, uint8_t *bits)
{
    char *slash = strchr(text, '/'), *end;
    if (slash)
        *slash = '\0';
    if (hawser_addr_parse(net, text, 0) < 0)
        return false;
    const unsigned most = hawser_addr_is_v4(net) ? 32 : 128;
    unsigned long len = slash ? strtoul(slash + 1, &end, 10) : most;
    *bits = (uint8_t)len;
    return !slash || (slash[1] >= '0' && slash[1] <= '9' && *end == '\0' && len <= most);
}

static const struct choice_rule *rule_for(const struct choice *choice, const struct hawser_addr *to)
{
    const struct choice_rule *best = NULL;
    for (unsigned i = 0; i < choice->rule_count; i++) {
        const struct choice_rule *rule = &choice->rules[i];
        if (scope_covers(&rule->net, rule->bits, to) && (!best || rule->bits > best->bits))
            best = rule;
    }
    return best;
}

int choice_read(struct choice *choice, const char *text, char *why, size_t why_size)
{
    const char *name = strrchr(text, '=');
    if (!name) {
        choice->share = strcmp(text, "share") == 0;
        if (choice->share || strcmp(text, "order") == 0)
            return 0;
        return complain(why, why_size, -EINVAL, text,
                        "there are order, share, and PREFIX=UPLINK, as in 192.0.2.0/24=wan1");
    }
    struct choice_rule rule = {0};
    char prefix[HAWSER_ADDR_STRLEN + 4];
    if ((size_t)(name - text) >= sizeof prefix)
        return complain(why, why_size, -EINVAL, text, "too long");
    memcpy(prefix, text, (size_t)(name - text));
    prefix[name - text] = '\0';
    if (!read_prefix(prefix, &rule.net, &rule.bits))
        return complain(why, why_size, -EINVAL, text, "no prefix before \"=\": write one as in 192.0.2.0/24=wan1");
    if (name[1] == '\0' || strlen(name + 1) >= sizeof rule.uplink)
        return complain(why, why_size, -EINVAL, text,
                        "no uplink has such a name: write that of its device after \"=\"");
    if (choice->rule_count == CHOICE_RULES)
        return complain(why, why_size, -ENOSPC, text, "there are too many such rules already");
    memcpy(rule.uplink, name + 1, strlen(name + 1));
    choice->rules[choice->rule_count++] = rule;
    return 0;
}

void choice_unread(struct choice *choice)
{
    choice->rule_count = 0;
    choice->share = false;
}

/* ---- sources ---- */

static struct choice_source *find(struct choice *choice, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < choice->source_count; i++)
        if (hawser_addr_same_ip(&choice->sources[i].addr, addr))
            return &choice->sources[i];
    return NULL;
}

int choice_came(struct choice *choice, const char *uplink, const struct hawser_addr *addr, uint32_t rank)
{
    struct choice_source source = {.addr = *addr, .rank = rank};
    if (find(choice, addr))
        return -EEXIST;
    if (strlen(uplink) >= sizeof source.uplink)
        return -EINVAL;
    if (choice->source_count == CHOICE_SOURCES)
        return -ENOSPC;
    memcpy(source.uplink, uplink, strlen(uplink));
    source.addr.port = 0;
    for (unsigned i = 0; i < choice->source_count; i++) /* who comes late makes up for nothing */
        if (choice->sources[i].turns > source.turns)
            source.turns = choice->sources[i].turns;
    choice->sources[choice->source_count++] = source;
    return 0;
}

void choice_went(struct choice *choice, const struct hawser_addr *addr)
{
    struct choice_source *source = find(choice, addr);
    if (!source)
        return;
    const struct choice_source *last = &choice->sources[--choice->source_count];
    memmove(source, source + 1, (size_t)(last - source) * sizeof *source);
}

bool choice_knows(const struct choice *choice, const char *uplink)
{
    for (unsigned i = 0; i < choice->source_count; i++)
        if (strcmp(choice->sources[i].uplink, uplink) == 0)
            return true;
    return false;
}

/* Is `a` better than `b`? What a rule says comes first, but for what is held back. */
static bool better(const struct choice *choice, const struct choice_rule *rule, const struct choice_source *a,
                   const struct choice_source *b, uint64_t now_ns)
{
    bool a_waits = a->held_back_ns > now_ns, b_waits = b->held_back_ns > now_ns;
    if (a_waits != b_waits)
        return b_waits;
    bool a_named = rule && strcmp(rule->uplink, a->uplink) == 0, b_named = rule && strcmp(rule->uplink, b->uplink) == 0;
    if (a_named != b_named)
        return a_named;
    if (choice->share && a->turns != b->turns)
        return a->turns < b->turns;
    return a->rank < b->rank;
}

bool choice_take(struct choice *choice, const struct hawser_addr *to, uint64_t now_ns, struct hawser_addr *out)
{
    const struct choice_rule *rule = rule_for(choice, to);
    struct choice_source *best = NULL;
    for (unsigned i = 0; i < choice->source_count; i++) {
        struct choice_source *source = &choice->sources[i];
        if (hawser_addr_is_v4(&source->addr) == hawser_addr_is_v4(to) &&
            (!best || better(choice, rule, source, best, now_ns)))
            best = source;
    }
    if (!best)
        return false;
    best->turns++;
    *out = best->addr;
    return true;
}

void choice_learn(struct choice *choice, const struct hawser_addr *first, const struct hawser_addr *used,
                  uint64_t now_ns)
{
    struct choice_source *began = find(choice, first), *answered = find(choice, used);
    if (answered)
        answered->held_back_ns = 0;
    if (began && began != answered)
        began->held_back_ns = now_ns + CHOICE_HELD_BACK_NS;
}
