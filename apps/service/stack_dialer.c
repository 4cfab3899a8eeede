#include "service/stack_dialer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/scope.h"

struct dial {
    struct watch watch;
    struct choice *choice;
    struct dial_user *user;
    struct hawser_conn *conn;
    struct hawser_addr first; /* where it begins, if that was chosen */
    bool chosen;
    bool mptcp; /* or nothing */
};

static void learn(const struct dial *dial, uint64_t now_ns)
{
    struct hawser_addr used;
    hawser_conn_local(dial->conn, &used);
    choice_learn(dial->choice, &dial->first, &used, now_ns);
}

static bool is_mptcp(const struct hawser_conn *conn)
{
    struct hawser_conn_info info = {.size = sizeof info};
    return hawser_conn_get_info(conn, &info) == 0 && info.mptcp;
}

static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct dial *dial = HW_CONTAINER(watch, struct dial, watch);
    struct end end = {0};
    int error = 0;
    if (event->what & HAWSER_CONNECTED) {
        if (dial->chosen)
            learn(dial, now_ns);
        end = conn_end(dial->conn);
        end_watch(end, NULL);
        if (dial->mptcp && !is_mptcp(dial->conn)) {
            end_abort(end);
            end = (struct end){0};
            error = -EPROTONOSUPPORT;
        }
    } else if (event->what & HAWSER_ERROR) {
        error = hawser_conn_error(dial->conn);
        hawser_close(dial->conn);
    } else {
        return;
    }
    struct dial_user *user = dial->user;
    free(dial);
    user->answered(user, error, end, now_ns);
}

/* By the uplinks that are wanted, and by no others. */
static int open_limited(struct stack_dialer *by, const struct destination *to, struct hawser_conn_options *options,
                        uint64_t now_ns, struct hawser_conn **out)
{
    struct choice_room room;
    struct hawser_path_options paths = {.size = sizeof paths};
    if (options->paths)
        paths = *options->paths;
    if (by->choice)
        choice_limit(by->choice, to->demands, &room, &paths);
    options->paths = &paths;
    if (to->demands->mptcp) /* who is thought to speak plain TCP is asked again */
        hawser_stack_forget_plain_peers(by->stack, &to->addr);
    return hawser_connect(by->stack, &to->addr, options, now_ns, out);
}

static uint64_t without_port(const struct stack_dialer *by)
{
    struct hawser_counter counter = {0};
    hawser_stack_counter(by->stack, by->port_limit, &counter);
    return counter.value;
}

/* As connect() has it. The stack says -EADDRNOTAVAIL, too, where no uplink has an address from which that is reached.
 */
static int open_any(struct stack_dialer *by, const struct destination *to, struct hawser_conn_options *options,
                    uint64_t now_ns, struct hawser_conn **out)
{
    const uint64_t before = without_port(by);
    int error = to->demands ? open_limited(by, to, options, now_ns, out)
                            : hawser_connect(by->stack, &to->addr, options, now_ns, out);
    return error == -EADDRNOTAVAIL && without_port(by) == before ? -ENETUNREACH : error;
}

static int begin(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                 struct dial **out)
{
    struct stack_dialer *by = HW_CONTAINER(dialer, struct stack_dialer, dialer);
    if (to->name || !scope_is_reachable(&to->addr)) /* this host's own: no uplink leads there */
        return -EINVAL;
    struct dial *dial = malloc(sizeof *dial);
    if (!dial)
        return -ENOMEM;
    const struct demands *demands = to->demands;
    *dial = (struct dial){.watch = {heard}, .choice = by->choice, .user = user, .mptcp = demands && demands->mptcp};
    struct hawser_conn_options options = by->options;
    dial->chosen = by->choice && choice_take(by->choice, demands, &to->addr, now_ns, &dial->first);
    if (demands && demands->only.count && !dial->chosen) { /* none of those that are wanted is there */
        free(dial);
        return -ENETUNREACH;
    }
    if (dial->chosen) {
        options.local = dial->first;
        options.local_first = true;
    }
    int error = open_any(by, to, &options, now_ns, &dial->conn);
    if (error < 0) {
        free(dial);
        return error;
    }
    hawser_conn_set_user(dial->conn, &dial->watch);
    *out = dial;
    return 0;
}

static void cancel(struct dialer *dialer, struct dial *dial)
{
    (void)dialer;
    hawser_abort(dial->conn);
    free(dial);
}

void stack_dialer_init(struct stack_dialer *dialer, struct hawser_stack *stack, struct choice *choice,
                       const struct hawser_conn_options *options)
{
    *dialer = (struct stack_dialer){.dialer = {begin, cancel}, .stack = stack, .choice = choice, .options = *options};
    for (struct hawser_counter at; hawser_stack_counter(stack, dialer->port_limit, &at); dialer->port_limit++)
        if (strcmp(at.name, "limit.ports") == 0)
            break;
}
