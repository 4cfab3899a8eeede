#include "service/name_dialer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"

/* As many as are told at first, and as many that come later. */
enum { ADDRESSES_MAX = 2 * RESOLVER_ADDRESSES };

/* An address that is tried. */
struct attempt {
    struct dial_user user;
    struct dial *owner;
    struct dial *dial; /* NULL: it is not, or not any more */
};

struct dial {
    struct lookup_user lookup_user;
    struct name_dialer *by;
    struct dial_user *user;
    struct lookup *lookup;  /* under way, else NULL */
    sd_event_source *timer; /* when the next one has its turn */
    struct hawser_addr addrs[ADDRESSES_MAX];
    struct attempt attempts[ADDRESSES_MAX];
    unsigned count, begun;
    struct hawser_addr from;
    uint16_t port;
    bool demanding;
    struct demands demands;
    int error; /* what is told when all have failed */
};

static void end_dial(struct dial *dial)
{
    if (dial->lookup)
        lookup_cancel(dial->lookup);
    for (unsigned i = 0; i < dial->begun; i++)
        if (dial->attempts[i].dial)
            dial_cancel(dial->by->below, dial->attempts[i].dial);
    sd_event_source_disable_unref(dial->timer);
    free(dial);
}

static void answer(struct dial *dial, int error, struct end end)
{
    struct dial_user *user = dial->user;
    const uint64_t now_ns = hawser_host_now(dial->by->host);
    end_dial(dial);
    user->answered(user, error, end, now_ns);
}

/* A host that refuses says more than one that cannot be reached. */
static void note(struct dial *dial, int error)
{
    if (dial->error != -ECONNREFUSED && (dial->error == 0 || error == -ECONNREFUSED || error == -ETIMEDOUT))
        dial->error = error;
}

static bool any_waits(const struct dial *dial)
{
    for (unsigned i = 0; i < dial->begun; i++)
        if (dial->attempts[i].dial)
            return true;
    return false;
}

static void begin_next(struct dial *dial);

static void attempt_answered(struct dial_user *user, int error, struct end end, uint64_t now_ns)
{
    struct attempt *attempt = HW_CONTAINER(user, struct attempt, user);
    (void)now_ns;
    attempt->dial = NULL;
    if (error == 0) {
        answer(attempt->owner, 0, end);
        return;
    }
    note(attempt->owner, error);
    begin_next(attempt->owner);
}

/* The next one has its turn in a while. When all have failed, and none is to come any more, it is over. */
static void wait_for_next(struct dial *dial)
{
    const bool tried = any_waits(dial);
    if (!tried && !dial->lookup) {
        answer(dial, dial->error, (struct end){0});
    } else if (!tried || dial->begun < dial->count) {
        sd_event_source_set_time_relative(dial->timer, tried ? NAME_DIAL_DELAY_US : NAME_DIAL_REST_US);
        sd_event_source_set_enabled(dial->timer, SD_EVENT_ONESHOT);
    }
}

/* The next address that can be tried at all. */
static void begin_next(struct dial *dial)
{
    int error = -EHOSTUNREACH;
    while (dial->begun < dial->count && error < 0) {
        struct attempt *attempt = &dial->attempts[dial->begun];
        struct destination to = {
            .addr = dial->addrs[dial->begun++], .from = dial->from, .demands = dial->demanding ? &dial->demands : NULL};
        to.addr.port = dial->port;
        *attempt = (struct attempt){.user = {attempt_answered}, .owner = dial};
        error = dial_begin(dial->by->below, &to, &attempt->user, hawser_host_now(dial->by->host), &attempt->dial);
        if (error < 0)
            note(dial, error);
    }
    wait_for_next(dial);
}

static int time_is_up(sd_event_source *source, uint64_t usec, void *of)
{
    struct dial *dial = of;
    (void)source;
    (void)usec;
    if (dial->begun == dial->count && !any_waits(dial))
        answer(dial, dial->error, (struct end){0});
    else
        begin_next(dial);
    return 0;
}

/* The first that is not used yet, of that family if there is one. */
static unsigned next_of(const struct hawser_addr *addrs, const bool *used, unsigned count, bool v4)
{
    unsigned first = count;
    for (unsigned i = count; i-- > 0;)
        if (!used[i] &&
            (first == count || hawser_addr_is_v4(&addrs[i]) == v4 || hawser_addr_is_v4(&addrs[first]) != v4))
            first = i;
    return first;
}

static bool is_known(const struct dial *dial, const struct hawser_addr *addr)
{
    for (unsigned i = 0; i < dial->count; i++)
        if (hawser_addr_same_ip(&dial->addrs[i], addr))
            return true;
    return false;
}

/* RFC 8305 4: the families in turn, beginning with that of the best address. What comes later has its turn, too. */
static void place(struct dial *dial, const struct hawser_addr *addrs, unsigned count)
{
    struct hawser_addr all[ADDRESSES_MAX + RESOLVER_ADDRESSES];
    bool used[ADDRESSES_MAX + RESOLVER_ADDRESSES] = {0};
    unsigned left = 0;
    for (unsigned i = dial->begun; i < dial->count; i++)
        all[left++] = dial->addrs[i];
    for (unsigned i = 0; i < count; i++)
        if (!is_known(dial, &addrs[i]))
            all[left++] = addrs[i];
    if (left == 0)
        return;
    const unsigned end = HW_MIN(dial->begun + left, (unsigned)ADDRESSES_MAX);
    bool v4 = dial->begun ? !hawser_addr_is_v4(&dial->addrs[dial->begun - 1]) : hawser_addr_is_v4(&all[0]);
    for (dial->count = dial->begun; dial->count < end; dial->count++) {
        unsigned next = next_of(all, used, left, v4);
        used[next] = true;
        dial->addrs[dial->count] = all[next];
        v4 = !hawser_addr_is_v4(&all[next]);
    }
}

static void found(struct lookup_user *user, int error, const struct hawser_addr *addrs, unsigned count, bool more)
{
    struct dial *dial = HW_CONTAINER(user, struct dial, lookup_user);
    if (!more)
        dial->lookup = NULL;
    if (dial->count == 0)
        dial->error = error;
    place(dial, addrs, count);
    if (any_waits(dial))
        wait_for_next(dial);
    else
        begin_next(dial);
}

static int begin(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                 struct dial **out)
{
    struct name_dialer *by = HW_CONTAINER(dialer, struct name_dialer, dialer);
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return -ENOMEM;
    *dial = (struct dial){.lookup_user = {found}, .by = by, .user = user, .from = to->from, .port = to->addr.port};
    if (to->demands) {
        dial->demanding = true;
        dial->demands = *to->demands;
    }
    int error = sd_event_add_time(by->loop, &dial->timer, CLOCK_MONOTONIC, 0, 1000, time_is_up, dial);
    if (error >= 0)
        error = sd_event_source_set_enabled(dial->timer, SD_EVENT_OFF);
    if (error >= 0 && to->name) {
        error = resolver_look_up(by->resolver, to->name, &to->from, &dial->lookup_user, &dial->lookup);
    } else if (error >= 0) {
        dial->count = dial->begun = 1;
        dial->attempts[0] = (struct attempt){.user = {attempt_answered}, .owner = dial};
        error = dial_begin(by->below, to, &dial->attempts[0].user, now_ns, &dial->attempts[0].dial);
    }
    if (error < 0) {
        end_dial(dial);
        return error;
    }
    *out = dial;
    return 0;
}

static void cancel(struct dialer *dialer, struct dial *dial)
{
    (void)dialer;
    end_dial(dial);
}

void name_dialer_init(struct name_dialer *dialer, sd_event *loop, struct hawser_host *host, struct resolver *resolver,
                      struct dialer *below)
{
    *dialer = (struct name_dialer){
        .dialer = {begin, cancel}, .loop = loop, .host = host, .resolver = resolver, .below = below};
}
