/* So many subflows over one pair of addresses, each from a port of its own; over any, when none is left
 * that answers. */
#include "base/compiler.h"
#include "base/units.h"
#include "mptcp/pm_cover.h"

static unsigned count_between(const struct hawser_pm_view *view, unsigned local, unsigned remote)
{
    unsigned count = 0;
    for (unsigned i = 0; i < view->subflow_count; i++)
        count += view->subflows[i]->local == (int)local && view->subflows[i]->remote == (int)remote;
    return count;
}

/* The first pair that may be tried, now or later: the first subflow's, as long as both its addresses are there. */
static uint64_t first_pair(const struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned *local,
                           unsigned *remote)
{
    for (unsigned first = 0; first < 2; first++)
        for (unsigned r = 0; r < view->remote_count; r++)
            for (unsigned l = 0; l < view->local_count; l++) {
                bool is_first = view->locals[l]->first && view->remotes[r]->first;
                uint64_t due_ns = hawser_pm_due(pm, l, r);
                if (is_first == !first && due_ns != TIME_NEVER) {
                    *local = l;
                    *remote = r;
                    return due_ns;
                }
            }
    return TIME_NEVER;
}

static void event(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    static const struct pm_aim any = {.mesh = false};
    unsigned local = 0, remote = 0;
    pm_mark_first(pm, view, what);
    if (pm_in_trouble(view)) {
        pm_cover(pm, view, &any);
        return;
    }
    uint64_t due_ns = first_pair(pm, view, &local, &remote);
    if (due_ns > view->now_ns) {
        hawser_pm_wake(pm, due_ns);
        return;
    }
    for (unsigned n = count_between(view, local, remote); n < view->options->subflows; n++)
        if (hawser_pm_open(pm, local, remote, view->locals[local]->backup) < 0)
            return;
}

const struct hawser_path_manager pm_ports = {.size = sizeof pm_ports, .name = "ports", .event = event};
