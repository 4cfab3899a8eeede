/* Every address of either end has a subflow that works: whoever went unanswered makes way for pairs that were never
 * tried. */
#include "mptcp/pm_cover.h"

static void event(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    static const struct pm_aim aim = {.mesh = false};
    pm_mark_first(pm, view, what);
    pm_cover(pm, view, &aim);
}

const struct hawser_path_manager pm_default = {.size = sizeof pm_default, .name = "default", .event = event};
