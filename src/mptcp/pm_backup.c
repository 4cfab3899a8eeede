/* As the default; but only the first pair carries data, or whatever is not marked, as long as it works: RFC 8684 3.3.8.
 * To take over, and to return, is the scheduler's affair. */
#include "mptcp/pm_cover.h"

/* The first subflow's SYN could not say so. */
static void mark_first(struct hawser_pm *pm, const struct hawser_pm_view *view)
{
    for (unsigned i = 0; i < view->subflow_count; i++) {
        const int local = view->subflows[i]->local;
        if (local >= 0 && view->locals[local]->id == 0 && view->locals[local]->backup)
            (void)hawser_pm_set_backup(pm, i, true);
    }
}

static void event(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    const struct pm_aim aim = {.spares_first = view->options->backup_count == 0};
    if (what & HAWSER_PM_CONFIRMED)
        mark_first(pm, view);
    pm_cover(pm, view, &aim);
}

const struct hawser_path_manager pm_backup = {.size = sizeof pm_backup, .name = "backup", .event = event};
