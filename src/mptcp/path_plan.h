/* What the program wants done about paths: a copy of its options, of which connections and listeners hold references.
 */
#ifndef HW_MPTCP_PATH_PLAN_H
#define HW_MPTCP_PATH_PLAN_H

#include <hawser/path_manager.h>

struct path_plan;

/* With one reference. `options` may be NULL; `manager` is that of who names none. 0; -EINVAL for options or a table
 * that cannot be, -E2BIG for what is not known here, or -ENOMEM. */
int path_plan_new(const struct hawser_env *env, const struct hawser_path_options *options,
                  const struct hawser_path_manager *manager, struct path_plan **out);
struct path_plan *path_plan_ref(struct path_plan *plan);
/* `env` is that of its making. */
void path_plan_unref(struct path_plan *plan, const struct hawser_env *env);

/* With defaults filled in. */
const struct hawser_path_options *path_plan_options(const struct path_plan *plan);
/* May subflows beside the first have that address at either end? */
bool path_plan_allows(const struct path_plan *plan, const struct hawser_addr *addr);
/* May any subflow have that address at this end? */
bool path_plan_owns(const struct path_plan *plan, const struct hawser_addr *addr);
/* Are subflows from that address of ours to be backups? `marked`: they are for who does not say. */
bool path_plan_is_backup(const struct path_plan *plan, const struct hawser_addr *addr, bool marked);

#endif
