/* What no part of a scenario can tell alone: whether it fits to the others. */
#include <stdio.h>
#include <string.h>

#include "sim/measures.h"
#include "sim/memory.h"
#include "sim/reader.h"

void reader_mark(struct reader *r, const struct toml_node *node)
{
    const struct scenario *s = scenario_of(r);
    reading_of(r)->marks = sim_grow(reading_of(r)->marks, reading_of(r)->mark_count, sizeof *reading_of(r)->marks);
    reading_of(r)->marks[reading_of(r)->mark_count++] = (struct reader_mark){
        .node = node,
        .hosts = s->host_count,
        .routers = s->router_count,
        .links = s->link_count,
        .boxes = s->box_count,
        .changes = s->change_count,
        .flows = s->flow_count,
        .addresses = s->address_count,
    };
}

static struct scenario scenario_until(const struct reader *r, const struct reader_mark *mark)
{
    struct scenario s = *scenario_of(r);
    s.host_count = mark->hosts;
    s.router_count = mark->routers;
    s.link_count = mark->links;
    s.box_count = mark->boxes;
    s.change_count = mark->changes;
    s.flow_count = mark->flows;
    s.address_count = mark->addresses;
    return s;
}

bool reader_check(struct reader *r, const struct toml_node *tree)
{
    char why[256];
    if (scenario_check(scenario_of(r), why, sizeof why))
        return true;
    /* Parts refer only to parts that were read before: the first one with which it does not fit is at fault. */
    for (size_t i = 0; i < reading_of(r)->mark_count; i++) {
        const struct scenario so_far = scenario_until(r, &reading_of(r)->marks[i]);
        if (!scenario_check(&so_far, why, sizeof why))
            return reader_says(r, reading_of(r)->marks[i].node, "%s", why);
    }
    return reader_says(r, tree, "%s", why);
}

static bool has_flow_of(const struct scenario *s, const char *workload)
{
    for (size_t i = 0; i < s->flow_count; i++)
        if (measures_count_flow(workload, s->flows[i].plan.name))
            return true;
    return false;
}

/* "bulk" or "bulk.median_ms". */
static bool check_measure(struct reader *r, const struct toml_node *node, const char *what)
{
    char workload[NODE_NAME_MAX];
    size_t len;
    bool known = measure_kind_of(what, &len) != NULL;
    snprintf(workload, sizeof workload, "%.*s", (int)len, what);
    if (len >= sizeof workload || !has_flow_of(scenario_of(r), workload))
        return reader_says(r, node, "there is no workload \"%s\" to measure", workload);
    return known || reader_says(r, node, "measure is the name of a workload, a dot, and one of " MEASURE_NAMES);
}

bool read_published(struct reader *r, const struct toml_node *table)
{
    struct entry {
        const char *text, *figure, *measure;
    } entry = {0};
    static const struct field fields[] = {
        {"text", read_text, offsetof(struct entry, text), "a text: what the figure is of"},
        {"figure", read_text, offsetof(struct entry, figure), "a text, like \"0.9 of capacity\""},
        {"measure", read_text, offsetof(struct entry, measure),
         "the name of a workload, like \"bulk\" or \"bulk.median_ms\""},
    };
    if (!read_fields(r, table, fields, HW_ARRAY_LEN(fields), NULL, &entry))
        return false;
    if (!entry.text || !entry.figure || !entry.measure)
        return reader_says(r, table, "a published figure needs text, figure and measure, the name of a workload");
    return check_measure(r, toml_get(table, "measure"), entry.measure);
}
