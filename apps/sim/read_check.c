/* What no part of a scenario can tell alone: whether it fits to the others. */
#include <string.h>

#include "sim/memory.h"
#include "sim/reader.h"

void reader_mark(struct reader *r, const struct toml_node *node)
{
    const struct scenario *s = r->scenario;
    r->marks = sim_grow(r->marks, r->mark_count, sizeof *r->marks);
    r->marks[r->mark_count++] = (struct reader_mark){
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
    struct scenario s = *r->scenario;
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
    if (scenario_check(r->scenario, why, sizeof why))
        return true;
    /* Parts refer only to parts that were read before: the first one with which it does not fit is at fault. */
    for (size_t i = 0; i < r->mark_count; i++) {
        const struct scenario so_far = scenario_until(r, &r->marks[i]);
        if (!scenario_check(&so_far, why, sizeof why))
            return reader_says(r, r->marks[i].node, "%s", why);
    }
    return reader_says(r, tree, "%s", why);
}
