#include "service/stack_dialer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/scope.h"

struct dial {
    struct watch watch;
    struct choice *choice;
    struct dial_user *user;
    struct hawser_conn *conn;
    struct hawser_addr first; /* where it begins, if that was chosen */
    bool chosen;
};

static void learn(const struct dial *dial, uint64_t now_ns)
{
    struct hawser_addr used;
    hawser_conn_local(dial->conn, &used);
    choice_learn(dial->choice, &dial->first, &used, now_ns);
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

static int begin(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                 struct dial **out)
{
    struct stack_dialer *by = HW_CONTAINER(dialer, struct stack_dialer, dialer);
    if (to->name || !scope_is_reachable(&to->addr)) /* this host's own: no uplink leads there */
        return -EINVAL;
    struct dial *dial = malloc(sizeof *dial);
    if (!dial)
        return -ENOMEM;
    *dial = (struct dial){.watch = {heard}, .choice = by->choice, .user = user};
    struct hawser_conn_options options = by->options;
    dial->chosen = by->choice && choice_take(by->choice, &to->addr, now_ns, &dial->first);
    if (dial->chosen) {
        options.local = dial->first;
        options.local_first = true;
    }
    int error = hawser_connect(by->stack, &to->addr, &options, now_ns, &dial->conn);
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
}
