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

static int read_rule(struct choice *choice, const char *text, char *why, size_t why_size)
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
    if (!name_is_possible(name + 1))
        return complain(why, why_size, -EINVAL, text,
                        "no uplink has such a name: write that of its device after \"=\"");
    if (choice->rule_count == CHOICE_RULES)
        return complain(why, why_size, -ENOSPC, text, "there are too many such rules already");
    memcpy(rule.uplink, name + 1, strlen(name + 1));
    choice->rules[choice->rule_count++] = rule;
    return 0;
}

int choice_set(struct choice *choice, const char *const *texts, unsigned count, char *why, size_t why_size)
{
    struct choice next = *choice;
    int error = 0;
    next.rule_count = 0;
    next.share = false;
    for (unsigned i = 0; i < count && !error; i++)
        error = read_rule(&next, texts[i], why, why_size);
    if (!error)
        *choice = next;
    return error;
}

/* ---- sources ---- */

static struct choice_source *find(struct choice *choice, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < choice->source_count; i++)
        if (hawser_addr_same_ip(&choice->sources[i].addr, addr))
            return &choice->sources[i];
    return NULL;
}

/* A place for one more: what has gone makes room. */
static struct choice_source *place(struct choice *choice)
{
    if (choice->source_count < CHOICE_SOURCES)
        return &choice->sources[choice->source_count++];
    for (unsigned i = 0; i < CHOICE_SOURCES; i++)
        if (choice->sources[i].gone)
            return &choice->sources[i];
    return NULL;
}

int choice_came(struct choice *choice, const char *uplink, const struct hawser_addr *addr, uint32_t rank)
{
    struct choice_source source = {.addr = *addr, .rank = rank}, *at = find(choice, addr);
    if (at && !at->gone)
        return -EEXIST;
    if (strlen(uplink) >= sizeof source.uplink)
        return -EINVAL;
    if (!at)
        at = place(choice);
    if (!at)
        return -ENOSPC;
    memcpy(source.uplink, uplink, strlen(uplink));
    source.addr.port = 0;
    at->gone = true;
    for (unsigned i = 0; i < choice->source_count; i++) /* who comes late makes up for nothing */
        if (!choice->sources[i].gone && choice->sources[i].turns > source.turns)
            source.turns = choice->sources[i].turns;
    *at = source;
    return 0;
}

void choice_went(struct choice *choice, const struct hawser_addr *addr)
{
    struct choice_source *source = find(choice, addr);
    if (source)
        source->gone = true;
}

void choice_rests(struct choice *choice, const struct hawser_addr *addr)
{
    struct choice_source *source = find(choice, addr);
    if (source)
        source->idle = true;
}

bool choice_knows(const struct choice *choice, const char *uplink)
{
    for (unsigned i = 0; i < choice->source_count; i++)
        if (!choice->sources[i].gone && strcmp(choice->sources[i].uplink, uplink) == 0)
            return true;
    return false;
}

const char *choice_name(const struct choice *choice, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < choice->source_count; i++)
        if (!choice->sources[i].gone && hawser_addr_same_ip(&choice->sources[i].addr, addr))
            return choice->sources[i].uplink;
    return NULL;
}

void choice_list(const struct choice *choice, char *out, size_t size)
{
    struct name_list said = {.count = 0};
    size_t used = 0;
    *out = '\0';
    for (unsigned i = 0; i < choice->source_count; i++) {
        const struct choice_source *source = &choice->sources[i];
        if (source->gone || names_have(&said, source->uplink) || names_add(&said, source->uplink) < 0)
            continue;
        int n = snprintf(out + used, size - used, "%s%s", used ? ", " : "", source->uplink);
        if (n < 0 || (size_t)n >= size - used)
            return;
        used += (size_t)n;
    }
}

static bool is_backup(const struct choice *choice, const struct demands *demands, const struct choice_source *source)
{
    return names_have(demands && demands->backup.count ? &demands->backup : &choice->backup, source->uplink);
}

static bool is_wanted(const struct demands *demands, const struct choice_source *source)
{
    return !demands || demands->only.count == 0 || names_have(&demands->only, source->uplink);
}

/* What a source is to one connection: the less of the first in which two differ, the better. */
struct standing {
    bool waits, not_named, backup;
    uint64_t turns;
    uint32_t rank;
};

static struct standing stand(const struct choice *choice, const struct demands *demands, const struct choice_rule *rule,
                             const struct choice_source *source, uint64_t now_ns)
{
    return (struct standing){.waits = source->held_back_ns > now_ns,
                             .not_named = !rule || strcmp(rule->uplink, source->uplink) != 0,
                             .backup = is_backup(choice, demands, source),
                             .turns = choice->share ? source->turns : 0,
                             .rank = source->rank};
}

static bool better(const struct standing *a, const struct standing *b)
{
    if (a->waits != b->waits)
        return b->waits;
    if (a->not_named != b->not_named)
        return b->not_named;
    if (a->backup != b->backup)
        return b->backup;
    return a->turns != b->turns ? a->turns < b->turns : a->rank < b->rank;
}

bool choice_take(struct choice *choice, const struct demands *demands, const struct hawser_addr *to, uint64_t now_ns,
                 struct hawser_addr *out)
{
    const struct choice_rule *rule = rule_for(choice, to);
    struct choice_source *best = NULL;
    struct standing least = {.waits = false};
    for (unsigned i = 0; i < choice->source_count; i++) {
        struct choice_source *source = &choice->sources[i];
        if (source->gone || source->idle || hawser_addr_is_v4(&source->addr) != hawser_addr_is_v4(to) ||
            !is_wanted(demands, source))
            continue;
        const struct standing standing = stand(choice, demands, rule, source, now_ns);
        if (best && !better(&standing, &least))
            continue;
        best = source;
        least = standing;
    }
    if (!best)
        return false;
    best->turns++;
    *out = best->addr;
    return true;
}

void choice_limit(const struct choice *choice, const struct demands *demands, struct choice_room *room,
                  struct hawser_path_options *paths)
{
    for (unsigned i = 0; i < choice->source_count; i++) {
        const struct choice_source *source = &choice->sources[i];
        const struct hawser_prefix prefix = {source->addr, hawser_addr_is_v4(&source->addr) ? 32 : 128};
        if (demands->only.count && is_wanted(demands, source))
            room->own[paths->own_count++] = prefix;
        if (demands->backup.count && is_backup(choice, demands, source))
            room->backup[paths->backup_count++] = prefix;
    }
    paths->own = room->own;
    paths->backup = room->backup;
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
