#include "mptcp/scheduler.h"

#include "base/compiler.h"

/* How willingly a path is used: a path of a worse standing carries bytes only when no path stands better. */
enum standing {
    STANDING_REGULAR,
    STANDING_BACKUP, /* RFC 8684 3.3.8: only when no regular path is available */
    STANDING_STALE,  /* nothing says that it still works */
    STANDING_STALE_BACKUP,
    STANDING_UNUSABLE,
};

static enum standing standing_of(const struct path_view *path)
{
    if (!path->usable)
        return STANDING_UNUSABLE;
    if (path->stale)
        return path->backup ? STANDING_STALE_BACKUP : STANDING_STALE;
    return path->backup ? STANDING_BACKUP : STANDING_REGULAR;
}

/*
 * The worst standing that may carry bytes now. Whether a path is alive does not depend on its room: a full regular path
 * is waited for, not replaced by a backup. Once no path is alive at all, any that has room may try.
 */
static enum standing worst_admitted(const struct path_view *paths, size_t count)
{
    enum standing best = STANDING_UNUSABLE;
    for (size_t i = 0; i < count; i++)
        best = HW_MIN(best, standing_of(&paths[i]));
    return best == STANDING_STALE ? STANDING_STALE_BACKUP : best;
}

/* A path without a measurement comes after all that have one: with room on those there is no need to gamble, and
 * without it the path is chosen and so gets measured. */
static uint64_t rtt_rank(const struct path_view *path) { return path->srtt_ns ? path->srtt_ns : UINT64_MAX; }

static bool is_better(const struct path_view *a, const struct path_view *b)
{
    if (standing_of(a) != standing_of(b))
        return standing_of(a) < standing_of(b);
    return rtt_rank(a) < rtt_rank(b);
}

static int pick_lowest_rtt(const struct path_view *paths, size_t count, const struct demand *demand)
{
    (void)demand;
    enum standing worst = worst_admitted(paths, count);
    int best = SCHEDULE_NONE;
    for (size_t i = 0; i < count; i++) {
        enum standing standing = standing_of(&paths[i]);
        if (standing == STANDING_UNUSABLE || standing > worst || !paths[i].room)
            continue;
        if (best == SCHEDULE_NONE || is_better(&paths[i], &paths[best]))
            best = (int)i;
    }
    return best;
}

const struct scheduler scheduler_lowest_rtt = {pick_lowest_rtt};
