/* As the default, but no more than one subflow before there is a demand for it (RFC 8684 3.9.2): so many bytes, so
 * much time, that the one does not answer, or that only the peer has to say something, before which it must be joined.
 */
#include "base/units.h"
#include "mptcp/pm_cover.h"

struct memory {
    uint64_t since_ns; /* when the connection was confirmed */
    bool demanded;
};

static uint64_t due_at(const struct memory *m, const struct hawser_path_options *o)
{
    return o->demand_ns ? m->since_ns + o->demand_ns : TIME_NEVER;
}

static bool is_demanded(const struct hawser_pm_view *view, const struct memory *m)
{
    const struct hawser_path_options *o = view->options;
    bool enough = o->demand_bytes && view->bytes >= o->demand_bytes;
    return !m || m->demanded || pm_in_trouble(view) || enough || view->now_ns >= due_at(m, o);
}

static void event(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    static const struct pm_aim aim = {.mesh = false};
    struct memory *m = view->memory;
    pm_mark_first(pm, view, what);
    if (m && what & HAWSER_PM_CONFIRMED) {
        m->since_ns = view->now_ns;
        if (view->options->demand_bytes)
            hawser_pm_tell_at(pm, view->options->demand_bytes);
    }
    if (m)
        m->demanded |= (what & HAWSER_PM_LISTENING) != 0;
    if (!is_demanded(view, m)) {
        hawser_pm_wake(pm, due_at(m, view->options));
        return;
    }
    if (m)
        m->demanded = true;
    pm_cover(pm, view, &aim);
}

const struct hawser_path_manager pm_on_demand = {
    .size = sizeof pm_on_demand, .name = "on-demand", .conn_bytes = sizeof(struct memory), .event = event};
