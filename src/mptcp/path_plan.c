#include "mptcp/path_plan.h"

#include <errno.h>
#include <string.h>

#include "base/scope.h"
#include "base/sized.h"

#define PORTS_SUBFLOWS_DEFAULT 2u
#define DEMAND_BYTES_DEFAULT (1024u * 1024)

struct path_plan {
    uint32_t refs;
    struct hawser_path_options options; /* its prefixes are those that follow */
    struct hawser_prefix prefixes[];
};

static bool is_prefix(const struct hawser_prefix *prefix)
{
    return prefix->bits <= (hawser_addr_is_v4(&prefix->addr) ? 32u : 128u);
}

static bool are_prefixes(const struct hawser_prefix *list, uint32_t count)
{
    if (count > HAWSER_PREFIXES_MAX || (count && !list))
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!is_prefix(&list[i]))
            return false;
    return true;
}

static int check_table(const struct hawser_path_manager *m)
{
    int err = sized_check(m, sizeof *m, SIZED_SINCE(struct hawser_path_manager, event));
    if (err < 0)
        return err;
    return m->name && m->event && m->conn_bytes <= HAWSER_PM_MEMORY_MAX ? 0 : -EINVAL;
}

static const struct hawser_prefix *keep(struct hawser_prefix **to, const struct hawser_prefix *from, uint32_t count)
{
    struct hawser_prefix *kept = *to;
    if (count)
        memcpy(kept, from, count * sizeof *from);
    *to += count;
    return kept;
}

int path_plan_new(const struct hawser_env *env, const struct hawser_path_options *options,
                  const struct hawser_path_manager *manager, struct path_plan **out)
{
    struct hawser_path_options o;
    int err = sized_take(&o, sizeof o, SIZED_SINCE(struct hawser_path_options, demand_ns), options);
    if (err < 0)
        return err;
    if (!o.manager)
        o.manager = manager;
    err = check_table(o.manager);
    if (err < 0)
        return err;
    if (!are_prefixes(o.allow, o.allow_count) || !are_prefixes(o.deny, o.deny_count) ||
        !are_prefixes(o.backup, o.backup_count) || !are_prefixes(o.own, o.own_count))
        return -EINVAL;
    size_t count = (size_t)o.allow_count + o.deny_count + o.backup_count + o.own_count;
    struct path_plan *plan = env->alloc(env->ctx, sizeof *plan + count * sizeof plan->prefixes[0]);
    if (!plan)
        return -ENOMEM;
    struct hawser_prefix *room = plan->prefixes;
    o.allow = keep(&room, o.allow, o.allow_count);
    o.deny = keep(&room, o.deny, o.deny_count);
    o.backup = keep(&room, o.backup, o.backup_count);
    o.own = keep(&room, o.own, o.own_count);
    if (o.subflows == 0)
        o.subflows = PORTS_SUBFLOWS_DEFAULT;
    if (o.demand_bytes == 0 && o.demand_ns == 0)
        o.demand_bytes = DEMAND_BYTES_DEFAULT;
    plan->refs = 1;
    plan->options = o;
    *out = plan;
    return 0;
}

struct path_plan *path_plan_ref(struct path_plan *plan)
{
    plan->refs++;
    return plan;
}

void path_plan_unref(struct path_plan *plan, const struct hawser_env *env)
{
    if (--plan->refs == 0)
        env->free(env->ctx, plan);
}

const struct hawser_path_options *path_plan_options(const struct path_plan *plan) { return &plan->options; }

static bool covers(const struct hawser_prefix *list, uint32_t count, const struct hawser_addr *addr)
{
    for (uint32_t i = 0; i < count; i++)
        if (scope_covers(&list[i].addr, list[i].bits, addr))
            return true;
    return false;
}

bool path_plan_allows(const struct path_plan *plan, const struct hawser_addr *addr)
{
    const struct hawser_path_options *o = &plan->options;
    return (o->allow_count == 0 || covers(o->allow, o->allow_count, addr)) && !covers(o->deny, o->deny_count, addr);
}

bool path_plan_owns(const struct path_plan *plan, const struct hawser_addr *addr)
{
    return plan->options.own_count == 0 || covers(plan->options.own, plan->options.own_count, addr);
}

bool path_plan_is_backup(const struct path_plan *plan, const struct hawser_addr *addr, bool marked)
{
    return plan->options.backup_count ? covers(plan->options.backup, plan->options.backup_count, addr) : marked;
}
