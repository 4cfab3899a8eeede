#include "mptcp/scheduler.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"
#include "base/sized.h"

/* A policy is asked no more often than that, */
#define ASK_AGAIN_MIN_NS (10 * NS_PER_US)
/* and has so long to send something when nothing is under way. */
#define PATIENCE_NS NS_PER_S

/* The policy's own memory lies behind each of these, aligned for anything. */
union path_memory {
    struct scheduler_path path;
    max_align_t align;
};
struct scheduler_memory {
    union path_memory *paths[SCHEDULER_SLOTS]; /* by slot */
    uint64_t due_ns;
    uint64_t waits_since_ns; /* it sends nothing since; 0: it does */
    _Alignas(max_align_t) uint64_t copied_bytes;
};

static const struct hawser_scheduler *const all[] = {&scheduler_lowest_rtt, &scheduler_redundant};

const struct hawser_scheduler *hawser_scheduler_at(size_t i) { return i < HW_ARRAY_LEN(all) ? all[i] : NULL; }

const struct hawser_scheduler *hawser_scheduler_find(const char *name)
{
    for (size_t i = 0; i < HW_ARRAY_LEN(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    return NULL;
}

int scheduler_check(const struct hawser_scheduler *policy)
{
    if (!policy)
        return 0;
    int err = sized_check(policy, sizeof *policy, SIZED_SINCE(struct hawser_scheduler, gone));
    if (err < 0)
        return err;
    bool whole = policy->name && policy->name[0] && policy->ask && policy->conn_bytes <= HAWSER_SCHEDULER_MEMORY_MAX &&
                 policy->path_bytes <= HAWSER_SCHEDULER_MEMORY_MAX;
    return whole ? 0 : -EINVAL;
}

/* ---- memory ---- */

static size_t conn_size(const struct scheduler *s) { return sizeof *s->memory + s->policy->conn_bytes; }
static size_t path_size(const struct scheduler *s) { return sizeof(union path_memory) + s->policy->path_bytes; }

static void *zeroed(struct account *payer, size_t size)
{
    void *block = account_alloc(payer, size, CLAIM_SURPLUS);
    return block ? memset(block, 0, size) : NULL;
}

static void free_path(struct scheduler *s, struct account *payer, uint8_t slot)
{
    account_free(payer, s->memory->paths[slot], path_size(s));
    s->memory->paths[slot] = NULL;
}

void scheduler_drop(struct scheduler *s, struct account *payer, uint8_t slot, uint32_t id)
{
    if (!scheduler_path(s, slot))
        return;
    if (s->policy->gone)
        s->policy->gone(scheduler_conn_memory(s), id, scheduler_path_memory(s, slot));
    free_path(s, payer, slot);
}

void scheduler_destroy(struct scheduler *s, struct account *payer)
{
    for (uint8_t slot = 0; s->memory && slot < SCHEDULER_SLOTS; slot++)
        free_path(s, payer, slot);
    account_free(payer, s->memory, conn_size(s));
    s->memory = NULL;
}

static bool provide(struct scheduler *s, struct account *payer, uint32_t slots)
{
    if (!s->memory && !(s->memory = zeroed(payer, conn_size(s))))
        return false;
    s->memory->due_ns = TIME_NEVER;
    for (uint8_t slot = 0; slot < SCHEDULER_SLOTS; slot++) {
        union path_memory **path = &s->memory->paths[slot];
        if (slots >> slot & 1 && !*path && !(*path = zeroed(payer, path_size(s))))
            return false;
    }
    return true;
}

void scheduler_serve(struct scheduler *s, struct account *payer, uint32_t slots, struct counters *counters)
{
    bool alone = (slots & (slots - 1)) == 0;
    if (scheduler_is_default(s) || (alone && !s->memory) || provide(s, payer, slots))
        return;
    count(counters, COUNT_LIMIT_SCHEDULER);
    scheduler_destroy(s, payer);
    s->policy = &scheduler_lowest_rtt;
}

void *scheduler_conn_memory(const struct scheduler *s) { return s->memory ? s->memory + 1 : NULL; }

void *scheduler_path_memory(const struct scheduler *s, uint8_t slot)
{
    return s->memory && s->memory->paths[slot] ? s->memory->paths[slot] + 1 : NULL;
}

struct scheduler_path *scheduler_path(const struct scheduler *s, uint8_t slot)
{
    return s->memory && s->memory->paths[slot] ? &s->memory->paths[slot]->path : NULL;
}

/* ---- when it is asked ---- */

uint64_t scheduler_due(const struct scheduler *s) { return s->memory ? s->memory->due_ns : TIME_NEVER; }

void scheduler_set_due(struct scheduler *s, uint64_t due_ns)
{
    if (s->memory)
        s->memory->due_ns = due_ns;
}

void scheduler_postpone(struct scheduler *s, uint64_t until_ns, uint64_t now_ns)
{
    if (!s->memory)
        return;
    s->memory->waits_since_ns = 0;
    if (until_ns)
        s->memory->due_ns = HW_MAX(until_ns, now_ns + ASK_AGAIN_MIN_NS);
}

bool scheduler_may_wait(struct scheduler *s, uint64_t until_ns, uint64_t now_ns)
{
    struct scheduler_memory *m = s->memory;
    if (!m || until_ns == 0)
        return false;
    if (m->waits_since_ns == 0)
        m->waits_since_ns = now_ns;
    uint64_t latest_ns = m->waits_since_ns + PATIENCE_NS;
    m->due_ns = HW_MIN(HW_MAX(until_ns, now_ns + ASK_AGAIN_MIN_NS), latest_ns);
    return now_ns < latest_ns;
}

void scheduler_sent(struct scheduler *s, uint32_t copied)
{
    if (!s->memory)
        return;
    s->memory->waits_since_ns = 0;
    s->memory->copied_bytes += copied;
}

uint64_t scheduler_copied_bytes(const struct scheduler *s) { return s->memory ? s->memory->copied_bytes : 0; }
