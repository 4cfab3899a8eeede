#include "service/door.h"

#include <errno.h>
#include <stdlib.h>

#include "base/compiler.h"
#include "base/list.h"

/* A client that waits, and what is tried for it. */
struct call {
    struct dial_user dial_user;
    struct door *door;
    struct list link;
    struct hawser_request *request;
    struct dial *dial; /* NULL: it is over, or waits for a port */
};

struct door {
    struct watch watch;
    struct hawser_listener *listener;
    struct joints *joints;
    struct dialer *far;
    const struct demands *(*demands)(void *of, const struct hawser_addr *client);
    void *of;
    struct list calls, starved; /* starved: of those that wait for a port */
    bool shut;
    struct door_counts counts;
};

enum hawser_refusal door_refusal(int error)
{
    static const struct {
        int error;
        enum hawser_refusal how;
    } table[] = {
        {-ECONNREFUSED, HAWSER_REFUSE_RESET},
        {-ECONNRESET, HAWSER_REFUSE_RESET},
        {-EPROTONOSUPPORT, HAWSER_REFUSE_RESET}, /* the destination speaks plain TCP, which is not wanted */
        {-ENETUNREACH, HAWSER_REFUSE_NETWORK},
        {-EADDRNOTAVAIL, HAWSER_REFUSE_NETWORK}, /* the uplink has lost its address meanwhile */
        {-EINVAL, HAWSER_REFUSE_NETWORK},        /* no single host has that address, or it is an uplink's own */
        {-EHOSTUNREACH, HAWSER_REFUSE_HOST},
        {-EACCES, HAWSER_REFUSE_PROHIBITED},
        {-ENOPROTOOPT, HAWSER_REFUSE_PROTOCOL},
        {-EPROTO, HAWSER_REFUSE_PORT},
        {-ETIMEDOUT, HAWSER_REFUSE_SILENTLY},
    };
    for (size_t i = 0; i < HW_ARRAY_LEN(table); i++) {
        if (table[i].error == error)
            return table[i].how;
    }
    return HAWSER_REFUSE_RESET; /* a limit, or no memory: the client learns at once, and may try again */
}

static void end_call(struct call *call)
{
    if (call->dial)
        dial_cancel(call->door->far, call->dial);
    list_remove(&call->link);
    call->door->counts.waiting--;
    free(call);
}

static void refuse(struct door *door, struct hawser_request *request, int error)
{
    enum hawser_refusal how = door_refusal(error);
    hawser_request_refuse(request, how);
    door->counts.refused[how]++;
    door->counts.without_mptcp += error == -EPROTONOSUPPORT;
}

static void let_in(struct call *call, struct end far, uint64_t now_ns)
{
    struct door *door = call->door;
    struct hawser_conn *near;
    int error = hawser_request_accept(call->request, &near);
    if (error < 0) {
        end_abort(far);
        if (error == -ECONNRESET) /* it has given up: so we shall be told */
            return;
        refuse(door, call->request, error);
    } else if (joint_make(door->joints, conn_end(near), far, &(struct joint_origin){.way = JOINT_BY_LINK}, now_ns) <
               0) {
        end_abort(far);
        hawser_abort(near);
    } else {
        door->counts.accepted++;
    }
    end_call(call);
}

static void dial_answered(struct dial_user *user, int error, struct end far, uint64_t now_ns)
{
    struct call *call = HW_CONTAINER(user, struct call, dial_user);
    call->dial = NULL;
    if (error == 0) {
        let_in(call, far, now_ns);
        return;
    }
    refuse(call->door, call->request, error);
    end_call(call);
}

static int begin_dial(struct call *call, uint64_t now_ns)
{
    const struct door *door = call->door;
    struct destination to = {0};
    hawser_request_addrs(call->request, &to.from, &to.addr);
    to.demands = door->demands ? door->demands(door->of, &to.from) : NULL;
    return dial_begin(door->far, &to, &call->dial_user, now_ns, &call->dial);
}

static int call_far(struct door *door, struct hawser_request *request, uint64_t now_ns)
{
    struct call *call = malloc(sizeof *call);
    if (!call)
        return -ENOMEM;
    *call = (struct call){.dial_user = {dial_answered}, .door = door, .request = request};
    int error = begin_dial(call, now_ns);
    if (error < 0 && error != -EADDRNOTAVAIL) {
        free(call);
        return error;
    }
    hawser_request_set_user(request, call);
    list_push_back(error ? &door->starved : &door->calls, &call->link);
    door->counts.without_port += error != 0;
    door->counts.waiting++;
    return 0;
}

void door_turn(struct door *door, uint64_t now_ns)
{
    for (struct list *first; (first = list_first(&door->starved));) {
        struct call *call = LIST_ENTRY(first, struct call, link);
        int error = begin_dial(call, now_ns);
        list_remove(first);
        list_push_back(error == -EADDRNOTAVAIL ? &door->starved : &door->calls, first);
        if (error == -EADDRNOTAVAIL) /* the next turn is another destination's, it may be */
            break;
        if (error < 0) {
            refuse(door, call->request, error);
            end_call(call);
        }
    }
}

/* The client hears nothing any more; the destination must not wait for it. */
static void withdraw(struct door *door, struct hawser_request *request)
{
    struct call *call = hawser_request_user(request);
    hawser_request_refuse(request, HAWSER_REFUSE_SILENTLY);
    door->counts.withdrawn++;
    if (call)
        end_call(call);
}

static void door_heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    struct door *door = HW_CONTAINER(watch, struct door, watch);
    struct hawser_request *request;
    (void)event;
    while (hawser_next_request(door->listener, &request) == 0) {
        if (hawser_request_withdrawn(request)) {
            withdraw(door, request);
            continue;
        }
        door->counts.asked++;
        int error = door->shut ? -ECONNRESET : call_far(door, request, now_ns);
        if (error < 0)
            refuse(door, request, error);
    }
}

int door_open(struct hawser_stack *stack, int link, struct joints *joints, const struct door_options *options,
              struct door **out)
{
    struct door *door = calloc(1, sizeof *door);
    if (!door)
        return -ENOMEM;
    *door = (struct door){
        .watch = {door_heard}, .joints = joints, .far = options->far, .demands = options->demands, .of = options->of};
    list_init(&door->calls);
    list_init(&door->starved);
    int error = hawser_listen_link(stack, link, options->backlog, &options->near, &door->listener);
    if (error < 0) {
        free(door);
        return error;
    }
    hawser_listener_set_user(door->listener, &door->watch);
    *out = door;
    return 0;
}

void door_count(const struct door *door, struct door_counts *out) { *out = door->counts; }

static void refuse_all(struct door *door, struct list *calls)
{
    LIST_EACH (it, calls) {
        struct call *call = LIST_ENTRY(it, struct call, link);
        refuse(door, call->request, -ECONNRESET);
        end_call(call);
    }
}

void door_shut(struct door *door)
{
    door->shut = true;
    refuse_all(door, &door->calls);
    refuse_all(door, &door->starved);
}

void door_close(struct door *door)
{
    door_shut(door);
    hawser_listener_close(door->listener);
    free(door);
}
