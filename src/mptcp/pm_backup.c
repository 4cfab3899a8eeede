/* As the default; but only the first pair carries data, or whatever is not marked, as long as it works: RFC 8684 3.3.8.
 * To take over, and to return, is the scheduler's affair. */
#include "mptcp/pm_cover.h"

static bool any_marked(const struct hawser_pm_view *view)
{
    for (unsigned i = 0; i < view->local_count; i++)
        if (view->locals[i]->backup)
            return true;
    return view->options->backup_count != 0;
}

static void event(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    const struct pm_aim aim = {.spares_first = !any_marked(view)};
    pm_mark_first(pm, view, what);
    pm_cover(pm, view, &aim);
}

const struct hawser_path_manager pm_backup = {.size = sizeof pm_backup, .name = "backup", .event = event};
