#include "mptcp/path_policy.h"

#include <errno.h>
#include <string.h>

#include "base/units.h"
#include "mptcp/pairs.h"

/* ---- the view ---- */

static void show_locals(struct hawser_pm *pm, const struct path_locals *locals)
{
    const struct path_plan *plan = pm->paths->plan;
    for (unsigned i = 0; i < locals->count; i++) {
        const struct local_address *local = &locals->list[i];
        const unsigned n = pm->view.local_count;
        if (!paths_may_use(pm->paths, local))
            continue;
        pm->locals[n] = (struct hawser_pm_address){.addr = local->addr,
                                                   .id = paths_local_id(pm->paths, local),
                                                   .link = local->link,
                                                   .backup = path_plan_is_backup(plan, &local->addr, local->backup),
                                                   .announced = paths_announced(pm->paths, local),
                                                   .first = paths_began_from(pm->paths, local),
                                                   .prefix_len = local->prefix_len};
        pm->sources[n] = local;
        pm->local_list[n] = &pm->locals[n];
        pm->view.local_count++;
    }
}

static int place_of_local(const struct hawser_pm *pm, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < pm->view.local_count; i++)
        if (hawser_addr_same_ip(&pm->locals[i].addr, addr))
            return (int)i;
    return -1;
}

static int place_of_remote(const struct hawser_pm *pm, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < pm->view.remote_count; i++)
        if (hawser_addr_equal(&pm->remotes[i].addr, addr))
            return (int)i;
    return -1;
}

/* Each once, under the latest of its IDs. */
static void show_remotes(struct hawser_pm *pm)
{
    struct path_remote remote;
    for (unsigned i = 0; pm->view.initiator && i < paths_remote_count(pm->paths); i++) {
        if (!paths_remote_at(pm->paths, i, &remote) || !remote.latest ||
            !path_plan_allows(pm->paths->plan, &remote.addr))
            continue;
        const unsigned n = pm->view.remote_count++;
        pm->remotes[n] = (struct hawser_pm_address){
            .addr = remote.addr, .id = remote.id, .first = paths_began_to(pm->paths, &remote.addr)};
        pm->refused[n] = paths_is_refused(pm->paths, remote.id);
        pm->remote_list[n] = &pm->remotes[n];
    }
}

static void show_subflow(struct hawser_pm *pm, const struct hawser_pm_subflow *subflow)
{
    const unsigned n = pm->view.subflow_count++;
    pm->subflows[n] = *subflow;
    pm->subflow_list[n] = &pm->subflows[n];
}

static void show_subflows(struct hawser_pm *pm, const struct paths_view *view)
{
    for (unsigned i = 0; i < view->use_count; i++) {
        const struct path_use *use = &view->uses[i];
        const struct hawser_pm_subflow subflow = {.id = use->id,
                                                  .local = place_of_local(pm, use->local),
                                                  .remote = place_of_remote(pm, use->remote),
                                                  .state = use->state,
                                                  .ours = use->ours,
                                                  .backup_local = use->backup_local,
                                                  .backup_remote = use->backup_remote,
                                                  .srtt_ns = use->srtt_ns,
                                                  .sent_bytes = use->sent_bytes,
                                                  .recv_bytes = use->recv_bytes,
                                                  .heard_ns = use->heard_ns};
        show_subflow(pm, &subflow);
    }
    pm->used = view->use_count;
}

void path_policy_run(struct hawser_pm *pm, struct paths *paths, struct account *payer, const struct paths_view *view,
                     uint64_t now_ns)
{
    const struct hawser_path_options *options = path_plan_options(paths->plan);
    pm->paths = paths;
    pm->payer = payer;
    pm->changed = 0;
    pm->untold = 0;
    pm->view = (struct hawser_pm_view){.now_ns = now_ns,
                                       .initiator = paths->opens,
                                       .rescue = paths->rescue,
                                       .bytes = view->bytes,
                                       .subflow_limit = view->limit,
                                       .forgotten = paths_forgotten(paths),
                                       .locals = pm->local_list,
                                       .remotes = pm->remote_list,
                                       .subflows = pm->subflow_list,
                                       .options = options,
                                       .memory = paths_memory(paths, payer)};
    show_locals(pm, &view->locals);
    show_remotes(pm);
    show_subflows(pm, view);
    options->manager->event(pm, &pm->view, paths_take_news(paths, now_ns));
}

/* ---- what it asks ---- */

static bool is_pair(const struct hawser_pm *pm, unsigned local, unsigned remote)
{
    return local < pm->view.local_count && remote < pm->view.remote_count;
}

uint64_t hawser_pm_due(const struct hawser_pm *pm, unsigned local, unsigned remote)
{
    if (!is_pair(pm, local, remote) || pm->refused[remote] ||
        !paths_meet(pm->paths, pm->sources[local], &pm->remotes[remote].addr))
        return TIME_NEVER;
    return paths_due(pm->paths, pm->sources[local], pm->remotes[remote].id, pm->view.now_ns);
}

static const struct pair *failed(const struct hawser_pm *pm, unsigned local, unsigned remote)
{
    return is_pair(pm, local, remote) ? paths_failed(pm->paths, pm->sources[local], pm->remotes[remote].id) : NULL;
}

enum hawser_pm_end hawser_pm_ended(const struct hawser_pm *pm, unsigned local, unsigned remote)
{
    static const enum hawser_pm_end ends[] = {
        [PAIR_UNANSWERED] = HAWSER_PM_END_UNANSWERED, [PAIR_REFUSED] = HAWSER_PM_END_REFUSED,
        [PAIR_CLOSED] = HAWSER_PM_END_CLOSED,         [PAIR_USELESS] = HAWSER_PM_END_USELESS,
        [PAIR_UNOPENED] = HAWSER_PM_END_NONE,
    };
    const struct pair *pair = failed(pm, local, remote);
    return pair ? ends[pair->outcome] : HAWSER_PM_END_NONE;
}

unsigned hawser_pm_tries(const struct hawser_pm *pm, unsigned local, unsigned remote)
{
    const struct pair *pair = failed(pm, local, remote);
    return pair ? pair->tries : 0;
}

bool path_policy_is_done(const struct hawser_pm *pm)
{
    for (unsigned r = 0; r < pm->view.remote_count; r++)
        for (unsigned l = 0; l < pm->view.local_count; l++)
            if (hawser_pm_due(pm, l, r) != TIME_NEVER)
                return false;
    return true;
}

/* ---- what it wishes ---- */

int hawser_pm_open(struct hawser_pm *pm, unsigned local, unsigned remote, bool backup)
{
    if (!pm->view.initiator)
        return -EPERM;
    if (!is_pair(pm, local, remote))
        return -EINVAL;
    if (hawser_pm_due(pm, local, remote) > pm->view.now_ns)
        return -EAGAIN;
    if (pm->view.subflow_count >= pm->view.subflow_limit || pm->view.subflow_count == PATH_USES_MAX)
        return -ENOBUFS;
    paths_try(pm->paths, pm->remotes[remote].id);
    const struct hawser_pm_subflow subflow = {
        .local = (int)local, .remote = (int)remote, .state = HAWSER_PM_OPENING, .ours = true, .backup_local = backup};
    show_subflow(pm, &subflow);
    return 0;
}

struct path_wish path_policy_open_at(const struct hawser_pm *pm, unsigned i)
{
    const struct hawser_pm_subflow *wished = &pm->subflows[pm->used + i];
    const struct hawser_pm_address *remote = &pm->remotes[wished->remote];
    return (struct path_wish){.local = pm->sources[wished->local],
                              .remote = {.addr = remote->addr, .id = remote->id},
                              .backup = wished->backup_local};
}

/* One that was there before the call, and is to stay. */
static bool is_subflow(const struct hawser_pm *pm, unsigned subflow)
{
    return subflow < pm->used && pm->subflows[subflow].state != HAWSER_PM_CLOSING;
}

static bool is_only_one(const struct hawser_pm *pm, unsigned subflow)
{
    unsigned up = 0;
    for (unsigned i = 0; i < pm->used; i++)
        up += pm->subflows[i].state == HAWSER_PM_UP;
    return pm->subflows[subflow].state == HAWSER_PM_UP && up == 1;
}

int hawser_pm_close(struct hawser_pm *pm, unsigned subflow, uint8_t reason)
{
    if (!is_subflow(pm, subflow))
        return -EINVAL;
    if (is_only_one(pm, subflow))
        return -EBUSY;
    pm->subflows[subflow].state = HAWSER_PM_CLOSING;
    pm->reasons[subflow] = reason;
    return 0;
}

int hawser_pm_announce(struct hawser_pm *pm, unsigned local, uint16_t port)
{
    if (local >= pm->view.local_count)
        return -EINVAL;
    int err = pm->locals[local].announced ? 0 : paths_announce(pm->paths, pm->payer, pm->sources[local], port);
    pm->locals[local].announced |= err == 0;
    pm->untold += err == -ENOBUFS;
    return err;
}

int hawser_pm_withdraw(struct hawser_pm *pm, unsigned local)
{
    if (local >= pm->view.local_count)
        return -EINVAL;
    pm->locals[local].announced = false;
    bool noted = paths_withdraw(pm->paths, pm->payer, pm->sources[local]);
    pm->locals[local].id = paths_local_id(pm->paths, pm->sources[local]);
    pm->untold += !noted;
    return noted ? 0 : -ENOBUFS;
}

int hawser_pm_set_backup(struct hawser_pm *pm, unsigned subflow, bool backup)
{
    if (!is_subflow(pm, subflow))
        return -EINVAL;
    if (pm->subflows[subflow].backup_local != backup)
        pm->changed ^= UINT32_C(1) << subflow;
    pm->subflows[subflow].backup_local = backup;
    return 0;
}

void hawser_pm_wake(struct hawser_pm *pm, uint64_t at_ns)
{
    paths_look_at(pm->paths, HW_MAX(at_ns, pm->view.now_ns + HAWSER_PM_WAKE_MIN_NS));
}

void hawser_pm_tell_at(struct hawser_pm *pm, uint64_t bytes)
{
    if (paths_tell_at(pm->paths, pm->payer, bytes))
        paths_note_bytes(pm->paths, pm->view.bytes); /* there may never be more */
}
