/* What a program asks of its connections. */
#include <errno.h>

#include "base/compiler.h"
#include "base/sized.h"
#include "stack/stack.h"

#define SEND_BUFFER_DEFAULT (4u * 1024 * 1024)
#define RECV_BUFFER_DEFAULT (6u * 1024 * 1024)
#define KEEPALIVE_INTERVAL_DEFAULT_NS (75 * NS_PER_S)
#define KEEPALIVE_TRIES_DEFAULT 9

int conn_options_take(struct hawser_conn_options *o, const struct hawser_conn_options *given)
{
    int err = sized_take(o, sizeof *o, SIZED_SINCE(struct hawser_conn_options, share), given);
    if (o->send_buffer_bytes == 0)
        o->send_buffer_bytes = SEND_BUFFER_DEFAULT;
    if (o->recv_buffer_bytes == 0)
        o->recv_buffer_bytes = RECV_BUFFER_DEFAULT;
    if (o->keepalive_interval_ns == 0)
        o->keepalive_interval_ns = KEEPALIVE_INTERVAL_DEFAULT_NS;
    if (o->keepalive_tries == 0)
        o->keepalive_tries = KEEPALIVE_TRIES_DEFAULT;
    o->keepalive_tries = HW_MIN(o->keepalive_tries, TCP_KEEPALIVE_TRIES_MAX);
    o->max_subflows = o->max_subflows ? HW_MIN(o->max_subflows, SUBFLOWS_MAX) : SUBFLOWS_DEFAULT;
    if (err == 0 && o->advertised_user_timeout_ns && !user_timeout_encode(o->advertised_user_timeout_ns))
        err = -EINVAL;
    return err < 0 ? err : scheduler_check(o->scheduler);
}

static bool same_list(const struct hawser_prefix *a, uint32_t a_count, const struct hawser_prefix *b, uint32_t b_count)
{
    if (a_count != b_count)
        return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (a[i].bits != b[i].bits || !hawser_addr_same_ip(&a[i].addr, &b[i].addr))
            return false;
    return true;
}

static bool same_plan(const struct path_plan *one, const struct path_plan *other)
{
    const struct hawser_path_options *a = path_plan_options(one), *b = path_plan_options(other);
    return a->manager == b->manager && a->subflows == b->subflows && a->demand_bytes == b->demand_bytes &&
           a->demand_ns == b->demand_ns && same_list(a->allow, a->allow_count, b->allow, b->allow_count) &&
           same_list(a->deny, a->deny_count, b->deny, b->deny_count) &&
           same_list(a->backup, a->backup_count, b->backup, b->backup_count) &&
           same_list(a->own, a->own_count, b->own, b->own_count);
}

/* A program says the same of thousands of connections, which share it. */
static struct path_plan *shared_plan(struct hawser_stack *stack, struct path_plan *plan)
{
    struct mp_host *host = &stack->host;
    struct path_plan *known[] = {host->plan, stack->latest_plan};
    for (size_t i = 0; i < HW_ARRAY_LEN(known); i++) {
        if (same_plan(plan, known[i])) {
            path_plan_unref(plan, &host->tcp.env);
            return path_plan_ref(known[i]);
        }
    }
    path_plan_unref(stack->latest_plan, &host->tcp.env);
    stack->latest_plan = path_plan_ref(plan);
    return plan;
}

int conn_plan_take(struct hawser_stack *stack, const struct hawser_conn_options *options, struct path_plan **out)
{
    struct mp_host *host = &stack->host;
    if (!options->paths) {
        *out = path_plan_ref(host->plan);
        return 0;
    }
    int err = path_plan_new(&host->tcp.env, options->paths, path_plan_options(host->plan)->manager, out);
    if (err == 0)
        *out = shared_plan(stack, *out);
    return err;
}

struct conn_config conn_config_of(const struct hawser_conn_options *options, struct path_plan *plan)
{
    struct conn_config config = {
        .plan = plan,
        .send_limit = options->send_buffer_bytes,
        .recv_limit = options->recv_buffer_bytes,
        .nagle = options->nagle,
        .plain = options->no_mptcp ? PLAIN_WANTED : PLAIN_NOT,
        .subflow_limit = (uint8_t)options->max_subflows,
        .door = options->foreign_local,
        .send_low_water = options->send_low_water_bytes,
        .scheduler = options->scheduler,
        .patience.keepalive = {ms_of_ns(options->keepalive_idle_ns), ms_of_ns(options->keepalive_interval_ns),
                               options->keepalive_tries & TCP_KEEPALIVE_TRIES_MAX, false},
    };
    user_timeout_set(&config.patience.user_timeout, options->user_timeout_ns);
    user_timeout_advertise(&config.patience.user_timeout, options->advertised_user_timeout_ns);
    return config;
}
