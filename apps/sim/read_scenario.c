/* The whole of a scenario file, and the changes made to it on the command line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/memory.h"
#include "sim/reader.h"

struct head {
    const char *name, *about;
    uint64_t seed, duration_ns, heal_ns, patience_ns;
    bool must_complete, wrap_soon;
};

static const struct {
    const char *key;
    bool (*read)(struct reader *r, const struct toml_node *table);
} parts[] = {
    /* in the order in which they may refer to each other */
    {"host", read_host},         {"router", read_router}, {"link", read_link},           {"box", read_box},
    {"workload", read_workload}, {"flow", read_flow},     {"published", read_published},
};

static bool read_head(struct reader *r, const struct toml_node *tree, struct scenario_file *file)
{
    static const char *const others[] = {"host",     "router", "link",      "box",     "event",
                                         "workload", "flow",   "published", "measure", NULL};
#define TOP(member) offsetof(struct head, member)
    static const struct field fields[] = {
        {"name", read_text, TOP(name), "a text on one line"},
        {"about", read_text, TOP(about), "a text on one line"},
        {"seed", read_number, TOP(seed), "a number"},
        {"duration", read_duration, TOP(duration_ns), "a time, like \"10s\""},
        {"heal", read_duration, TOP(heal_ns), "a time, like \"8s\""},
        {"patience", read_duration, TOP(patience_ns), "a time, like \"60s\""},
        {"must_complete", read_flag, TOP(must_complete), "true or false"},
        {"wrap_soon", read_flag, TOP(wrap_soon), "true or false"},
    };
#undef TOP
    struct head top = {0};
    if (!read_fields(r, tree, fields, HW_ARRAY_LEN(fields), others, &top))
        return false;
    struct scenario *s = scenario_of(r);
    snprintf(s->name, sizeof s->name, "%s", top.name ? top.name : "scenario");
    snprintf(s->about, sizeof s->about, "%s", top.about ? top.about : "");
    s->duration_ns = top.duration_ns;
    s->heal_ns = top.heal_ns;
    s->patience_ns = top.patience_ns;
    s->must_complete = top.must_complete;
    s->wrap_soon = top.wrap_soon;
    if (!file->has_seed && toml_get(tree, "seed"))
        reading_of(r)->seed = file->seed = top.seed;
    if (s->duration_ns == 0)
        return reader_says(r, tree, "the duration is missing: add duration = \"10s\"");
    if (s->patience_ns && s->heal_ns == 0)
        return reader_says(r, toml_get(tree, "patience"), "patience counts from heal: add heal = \"1s\"");
    if (s->must_complete && s->heal_ns == 0)
        return reader_says(r, toml_get(tree, "must_complete"), "it is demanded after heal: add heal = \"1s\"");
    if (s->heal_ns + s->patience_ns > s->duration_ns)
        return reader_says(r, tree, "the story ends before the end is demanded: duration is at least heal + patience");
    return true;
}

struct timed_node {
    uint64_t at_ns;
    size_t number;
    const struct toml_node *node;
};

static int by_time(const void *a, const void *b)
{
    const struct timed_node *x = a, *y = b;
    int order = (x->at_ns > y->at_ns) - (x->at_ns < y->at_ns);
    return order ? order : (x->number > y->number) - (x->number < y->number);
}

static struct timed_node timed(struct reader *r, const struct toml_node *node, size_t number)
{
    struct timed_node timed = {.number = number, .node = node};
    const struct toml_node *at = node->kind == TOML_TABLE ? toml_get(node, "at") : NULL;
    if (at && !read_duration(r, at, &timed.at_ns))
        timed.at_ns = 0; /* read_event() tells what is wrong with it */
    return timed;
}

/* In the order of their times: each event says what changes, and the rest is as the event before left it. */
static bool read_events(struct reader *r, const struct toml_node *tree)
{
    const struct toml_node *list = toml_get(tree, "event");
    struct timed_node *events = NULL;
    size_t count = 0;
    bool good = !list || list->kind == TOML_ARRAY ||
                reader_says(r, list, "write [[event]], with two brackets: there may be several");
    for (const struct toml_node *node = list ? list->first : NULL; good && node; node = node->next) {
        if (count == SCENARIO_EVENTS_MAX)
            good = reader_says(r, node, "there are more than %u events", SCENARIO_EVENTS_MAX);
        events = sim_grow(events, count, sizeof *events);
        events[count] = timed(r, node, count);
        count++;
    }
    if (events)
        qsort(events, count, sizeof *events, by_time);
    for (size_t i = 0; good && i < count; i++) {
        good = read_event(r, events[i].node);
        reader_mark(r, events[i].node);
    }
    sim_free(events);
    return good;
}

/* measure = ["flows", ...] */
static bool read_measure(struct reader *r, const struct toml_node *tree, unsigned *sections)
{
    static const char *const names[] = {"flows", "workloads", "links", "middleboxes", "hosts"};
    const struct toml_node *list = toml_get(tree, "measure");
    if (!list)
        return true;
    *sections = 0;
    for (const struct toml_node *node = list->kind == TOML_ARRAY ? list->first : list; node; node = node->next) {
        size_t i = 0;
        while (i < HW_ARRAY_LEN(names) && (node->kind != TOML_STRING || strcmp(node->text, names[i]) != 0))
            i++;
        if (i == HW_ARRAY_LEN(names))
            return reader_says(r, node, "measure is a list of flows, workloads, links, middleboxes and hosts");
        *sections |= 1u << i;
        if (node == list)
            break;
    }
    return true;
}

static bool read_parts(struct reader *r, const struct toml_node *tree)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(parts); i++) {
        const struct toml_node *list = toml_get(tree, parts[i].key);
        if (list && list->kind != TOML_ARRAY)
            return reader_says(r, list, "write [[%s]], with two brackets: there may be several", parts[i].key);
        for (const struct toml_node *node = list ? list->first : NULL; node; node = node->next) {
            if (!parts[i].read(r, node))
                return false;
            reader_mark(r, node);
        }
    }
    return read_events(r, tree);
}

/* ---- --set ---- */

static struct toml_node *find_named(const struct toml_node *list, const char *name)
{
    for (struct toml_node *node = list->first; node; node = node->next) {
        const struct toml_node *own = node->kind == TOML_TABLE ? toml_get(node, "name") : NULL;
        if (own && own->kind == TOML_STRING && strcmp(own->text, name) == 0)
            return node;
    }
    return NULL;
}

static bool set_value(struct toml_node *node, const char *value)
{
    char *end;
    errno = 0;
    long long integer = strtoll(value, &end, 10);
    free(node->text);
    node->text = NULL;
    node->integer = 0;
    if (*value && *end == '\0' && errno == 0) {
        node->kind = TOML_INTEGER;
        node->integer = integer;
    } else if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0) {
        node->kind = TOML_BOOLEAN;
        node->integer = *value == 't';
    } else {
        node->kind = TOML_STRING;
        node->text = strdup(value);
        return node->text != NULL;
    }
    return true;
}

/* Walks `path` ("link.path0.rate") to the table of its last key; NULL when there is none. A part need not have a table
 * of that name yet, such as "forward" in "link.path0.forward.rate": whether it may is for its reader to say. */
static struct toml_node *walk(struct toml_node *tree, char *path, const char *set, char **last)
{
    struct toml_node *at = tree;
    for (char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        *dot = '\0';
        struct toml_node *next = at->kind == TOML_ARRAY ? find_named(at, path) : toml_get(at, path);
        if (!next && at->kind == TOML_TABLE && at != tree && *path &&
            (next = toml_add(at, TOML_TABLE, 0, path)) != NULL)
            next->set = set;
        if (!next)
            return NULL;
        at = next;
    }
    *last = path;
    return at->kind == TOML_TABLE ? at : NULL;
}

static bool apply_set(struct reader *r, struct toml_node *tree, const char *set)
{
    const struct toml_node complaint = {.set = set};
    char path[256], *last;
    const char *equals = strchr(set, '=');
    if (!equals || equals == set || (size_t)(equals - set) >= sizeof path)
        return reader_says(r, &complaint, "write KEY=VALUE, like link.path0.rate=20mbit");
    snprintf(path, sizeof path, "%.*s", (int)(equals - set), set);
    struct toml_node *table = walk(tree, path, set, &last);
    if (!table || *last == '\0')
        return reader_says(r, &complaint,
                           "nothing in the file is called that; like link.NAME.rate=20mbit or duration=5s");
    struct toml_node *node = toml_get(table, last);
    if (!node)
        node = toml_add(table, TOML_OTHER, 0, last);
    if (!node || node->first || !set_value(node, equals + 1))
        return reader_says(r, &complaint, "only plain values can be set");
    node->line = 0;
    node->set = set;
    return true;
}

static bool read_tree(struct reader *r, struct scenario_file *file, const char *const *sets, size_t set_count)
{
    for (size_t i = 0; i < set_count; i++)
        if (!apply_set(r, file->tree, sets[i]))
            return false;
    return read_head(r, file->tree, file) && read_measure(r, file->tree, &file->sections) &&
           read_parts(r, file->tree) && reader_check(r, file->tree);
}

bool scenario_file_read(struct scenario_file *file, const char *path, const char *const *sets, size_t set_count,
                        const uint64_t *seed, char *why, size_t why_size)
{
    unsigned line;
    char reason[256];
    *file = (struct scenario_file){.seed = seed ? *seed : 1, .has_seed = seed != NULL, .sections = REPORT_ALL};
    scenario_init(&file->scenario);
    file->tree = toml_read(path, &line, reason, sizeof reason);
    struct reading reading = {.scenario = &file->scenario, .seed = file->seed};
    struct reader r = {.path = path, .of = &reading, .why = why, .why_size = why_size};
    if (!file->tree && line == 0) {
        snprintf(why, why_size, "%s: %s", path, reason);
        return false;
    }
    if (!file->tree)
        return reader_says(&r, &(struct toml_node){.line = line}, "%s", reason);
    bool good = read_tree(&r, file, sets, set_count);
    sim_free(reading.marks);
    return good;
}

void scenario_file_free(struct scenario_file *file)
{
    scenario_fini(&file->scenario);
    toml_free(file->tree);
    file->tree = NULL;
}
