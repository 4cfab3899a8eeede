#include "mptcp/pm_cover.h"

#include "base/compiler.h"
#include "base/units.h"
#include "mptcp/path_policy.h"
#include "wire/mptcp_options.h"

/* What there is at an address: sets of subflows, by their places in the view. */
struct end_state {
    uint32_t all, up, tried;
};

struct ends {
    struct end_state ours[HOST_ADDRESSES_MAX], theirs[PATH_REMOTES_MAX];
};

static void add_to(struct end_state *end, const struct hawser_pm_subflow *subflow, unsigned place)
{
    end->all |= UINT32_C(1) << place;
    end->up |= (uint32_t)(subflow->state == HAWSER_PM_UP) << place;
    end->tried |= (uint32_t)(subflow->state == HAWSER_PM_OPENING) << place;
}

static void add(struct ends *ends, const struct hawser_pm_view *view, unsigned place)
{
    const struct hawser_pm_subflow *subflow = view->subflows[place];
    if (subflow->local >= 0)
        add_to(&ends->ours[subflow->local], subflow, place);
    if (subflow->remote >= 0)
        add_to(&ends->theirs[subflow->remote], subflow, place);
}

static void survey(struct ends *ends, const struct hawser_pm_view *view)
{
    for (unsigned l = 0; l < view->local_count; l++)
        ends->ours[l] = (struct end_state){0};
    for (unsigned r = 0; r < view->remote_count; r++)
        ends->theirs[r] = (struct end_state){0};
    for (unsigned i = 0; i < view->subflow_count; i++)
        add(ends, view, i);
}

static bool is_served(const struct end_state *end) { return end->up || end->tried; }

/* The pair with the fewest tries; of those the one with the most ends that have nothing; of those the first. Where more
 * fail than are remembered they take turns instead: who was forgotten seems never to have been tried. */
static unsigned cost_of(const struct end_state *a, const struct end_state *b, unsigned tries, bool in_turn)
{
    return 4u * tries + (in_turn ? 0u : !!a->up + (unsigned)!!b->up);
}

struct choice {
    unsigned local, remote;
    uint64_t due_ns; /* when another pair has its turn */
};

/* True when a pair is to be tried now. */
static bool choose(const struct hawser_pm *pm, const struct hawser_pm_view *view, const struct ends *ends, bool mesh,
                   struct choice *out)
{
    const unsigned pairs = view->local_count * view->remote_count, first = pairs ? view->forgotten % pairs : 0;
    unsigned best = UINT32_MAX;
    out->due_ns = TIME_NEVER;
    for (unsigned n = 0; n < pairs; n++) {
        const unsigned at = (n + first) % pairs, l = at % view->local_count, r = at / view->local_count;
        const struct end_state *ours = &ends->ours[l], *theirs = &ends->theirs[r];
        bool served = !mesh && is_served(ours) && is_served(theirs);
        if (served || ours->all & theirs->all)
            continue;
        uint64_t due_ns = hawser_pm_due(pm, l, r);
        if (due_ns > view->now_ns) {
            out->due_ns = HW_MIN(out->due_ns, due_ns);
            continue;
        }
        unsigned cost = cost_of(ours, theirs, hawser_pm_tries(pm, l, r), view->forgotten != 0);
        if (cost < best) {
            best = cost;
            out->local = l;
            out->remote = r;
        }
    }
    return best < UINT32_MAX;
}

static bool is_backup(const struct hawser_pm_view *view, const struct pm_aim *aim, const struct choice *pair)
{
    const struct hawser_pm_address *ours = view->locals[pair->local], *theirs = view->remotes[pair->remote];
    return aim->spares_first ? !(ours->first && theirs->first) : ours->backup;
}

static void open_all(struct hawser_pm *pm, const struct hawser_pm_view *view, const struct pm_aim *aim,
                     struct ends *ends)
{
    struct choice choice;
    while (choose(pm, view, ends, aim->mesh, &choice) &&
           hawser_pm_open(pm, choice.local, choice.remote, is_backup(view, aim, &choice)) == 0)
        add(ends, view, view->subflow_count - 1);
    hawser_pm_wake(pm, choice.due_ns);
}

/* Those that still open, and both of whose addresses have others that work. */
static void close_idle(struct hawser_pm *pm, const struct hawser_pm_view *view, const struct ends *ends)
{
    for (unsigned i = 0; i < view->subflow_count; i++) {
        const struct hawser_pm_subflow *s = view->subflows[i];
        bool others = s->local >= 0 && s->remote >= 0 && ends->ours[s->local].up && ends->theirs[s->remote].up;
        if (s->state == HAWSER_PM_UNANSWERED && others)
            (void)hawser_pm_close(pm, i, MP_RST_PERFORMANCE);
    }
}

/* The family of the first subflow comes first: a peer may take in one address at a time, and be of no use to the other
 * family (Linux is both). */
static void announce_all(struct hawser_pm *pm, const struct hawser_pm_view *view)
{
    const struct hawser_pm_subflow *first = view->subflow_count ? view->subflows[0] : NULL;
    bool v4 = first && first->local >= 0 && hawser_addr_is_v4(&view->locals[first->local]->addr);
    for (unsigned pass = 0; pass < 2; pass++)
        for (unsigned l = 0; l < view->local_count; l++)
            if ((hawser_addr_is_v4(&view->locals[l]->addr) == v4) == (pass == 0))
                (void)hawser_pm_announce(pm, l, 0);
}

void pm_cover(struct hawser_pm *pm, const struct hawser_pm_view *view, const struct pm_aim *aim)
{
    struct ends ends;
    if (!view->initiator)
        announce_all(pm, view);
    survey(&ends, view);
    open_all(pm, view, aim, &ends);
    if (!aim->mesh)
        close_idle(pm, view, &ends);
}

void pm_mark_first(struct hawser_pm *pm, const struct hawser_pm_view *view, unsigned what)
{
    for (unsigned i = 0; what & HAWSER_PM_CONFIRMED && i < view->subflow_count; i++) {
        const int local = view->subflows[i]->local;
        if (local >= 0 && view->locals[local]->backup)
            (void)hawser_pm_set_backup(pm, i, true);
    }
}

bool pm_in_trouble(const struct hawser_pm_view *view)
{
    bool silent = false;
    for (unsigned i = 0; i < view->subflow_count; i++) {
        if (view->subflows[i]->state == HAWSER_PM_UP)
            return false;
        silent |= view->subflows[i]->state == HAWSER_PM_SILENT;
    }
    return view->rescue || silent;
}
