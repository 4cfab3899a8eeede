/* What the built-in path managers have in common: addresses get subflows, those that have none first. */
#ifndef HW_MPTCP_PM_COVER_H
#define HW_MPTCP_PM_COVER_H

#include <hawser/path_manager.h>

extern const struct hawser_path_manager pm_default, pm_fullmesh, pm_ports, pm_backup, pm_on_demand;

struct pm_aim {
    bool mesh;         /* every pair has one; else every address of either end has one that works */
    bool spares_first; /* all but those of the first pair are backups; else those from marked addresses */
};

/* What was there before the path manager is a backup where its address is marked: its SYN could not say so. */
void pm_mark_first(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what);

/* Is no subflow left, or does none that there is answer? */
bool pm_in_trouble(const struct hawser_pm_view *view);

/* Opens what is missing, wakes when a pair has its turn, announces where others open, and closes what nobody needs. */
void pm_cover(struct hawser_pm *pm, const struct hawser_pm_view *view, const struct pm_aim *aim);

#endif
