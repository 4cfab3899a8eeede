/* Every pair of addresses has a subflow, and is tried until it answers (RFC 8684 3.4). */
#include "mptcp/pm_cover.h"

static void event(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    static const struct pm_aim aim = {.mesh = true};
    pm_mark_first(pm, view, what);
    pm_cover(pm, view, &aim);
}

const struct hawser_path_manager pm_fullmesh = {.size = sizeof pm_fullmesh, .name = "fullmesh", .event = event};
