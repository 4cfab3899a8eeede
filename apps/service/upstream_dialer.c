#include "service/upstream_dialer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/scope.h"
#include "base/units.h"
#include "commands.h"
#include "service/dial_words.h"
#include "service/socks.h"

/* What a client is told when the way to the server is what failed: nothing of that is the destination's word. */
enum { UPSTREAM_ERROR = -EHOSTUNREACH };

enum { UPSTREAM_QUESTION_MAX = 2 * SOCKS_MESSAGE_MAX };

struct dial {
    struct watch watch;
    struct dial_user server_user;
    struct upstream_dialer *by;
    struct dial_user *user;
    struct dial *server;     /* under way to it, else NULL */
    struct end end;          /* TLS, once there is a server */
    struct hawser_addr from; /* who asks */
    sd_event_source *timer;
    bool is_near;       /* `server` is the destination itself */
    uint64_t failures;  /* of TLS, when its began */
    bool asked, agreed; /* agreed: that nobody has to say who he is */
    size_t question_len;
    uint8_t question[UPSTREAM_QUESTION_MAX];
};

static void answer(struct dial *dial, int error, uint64_t now_ns)
{
    struct dial_user *user = dial->user;
    struct end end = dial->end;
    if (end.ops)
        end_watch(end, NULL);
    if (end.ops && error < 0) {
        end_abort(end);
        end = (struct end){0};
    }
    sd_event_source_disable_unref(dial->timer);
    free(dial);
    user->answered(user, error, end, now_ns);
}

/* Clients hear that the host is unreachable, so the log says why: once, as long as it is the same. */
static void tell(struct upstream_dialer *by)
{
    const uint64_t now_ns = hawser_host_now(by->host);
    const char *failure = by->tls->failure;
    char server[HAWSER_ADDR_STRLEN];
    if (strcmp(failure, by->told) == 0 || now_ns < by->tell_again_ns)
        return;
    snprintf(by->told, sizeof by->told, "%s", failure);
    by->tell_again_ns = now_ns + UPSTREAM_TELL_S * NS_PER_S;
    if (by->server.name)
        command_fail("up", "upstream %s:%u: %s", by->server.name, by->server.addr.port, failure);
    else
        command_fail("up", "upstream %s: %s", hawser_addr_format(&by->server.addr, server, sizeof server), failure);
}

static void not_reached(struct upstream_dialer *by, int error)
{
    const char *words = error == -ETIMEDOUT && by->server.name
                            ? "no answer in time: neither of it, nor perhaps of the resolvers of /etc/resolv.conf"
                            : dial_words(error);
    by->counts.unreachable++;
    tls_note_failure(by->tls, words);
    tell(by);
}

/* Unless too much is held for who asks: in that the server has no part. */
static void stranger(struct dial *dial, uint64_t now_ns)
{
    const bool is_own = end_error(dial->end) == -ECONNABORTED;
    if (!is_own) {
        dial->by->counts.strangers++;
        if (dial->by->tls->failures == dial->failures)
            tls_note_failure(dial->by->tls, "nobody there answers as a Hawser does");
        tell(dial->by);
    }
    answer(dial, is_own ? -ENOBUFS : UPSTREAM_ERROR, now_ns);
}

/* Takes off what the server has answered. Returns whether the dial is over, and told. */
static bool take_answers(struct dial *dial, uint64_t now_ns)
{
    struct hawser_part part;
    enum socks_method method = SOCKS_NO_METHOD;
    enum socks_reply reply;
    for (;;) {
        ssize_t n = end_peek(dial->end, &part, 1);
        if (n == -EAGAIN)
            return false;
        if (n > 0)
            n = dial->agreed ? socks_read_reply(part.data, part.len, &reply)
                             : socks_read_method(part.data, part.len, &method);
        if (n <= 0 || /* it is over, or half of an answer, which no Hawser gives */
            (!dial->agreed && method != SOCKS_OPEN)) {
            stranger(dial, now_ns);
            return true;
        }
        end_consume(dial->end, (size_t)n);
        if (dial->agreed) {
            answer(dial, socks_error_of(reply), now_ns);
            return true;
        }
        dial->agreed = true;
        dial->by->told[0] = '\0';
        sd_event_source_set_enabled(dial->timer, SD_EVENT_OFF);
    }
}

static void ask(struct dial *dial)
{
    const struct hawser_slice question = {.data = dial->question, .len = (uint32_t)dial->question_len};
    dial->asked = end_give(dial->end, question) == (ssize_t)dial->question_len;
}

static void go_on(struct dial *dial, uint64_t now_ns)
{
    if (end_error(dial->end)) {
        stranger(dial, now_ns);
        return;
    }
    if (!end_connected(dial->end))
        return;
    if (!dial->asked)
        ask(dial);
    if (!dial->asked)
        stranger(dial, now_ns);
    else
        (void)take_answers(dial, now_ns);
}

static void heard(struct watch *watch, const struct hawser_event *event, uint64_t now_ns)
{
    (void)event;
    go_on(HW_CONTAINER(watch, struct dial, watch), now_ns);
}

static void server_answered(struct dial_user *user, int error, struct end end, uint64_t now_ns)
{
    struct dial *dial = HW_CONTAINER(user, struct dial, server_user);
    dial->server = NULL;
    if (dial->is_near) {
        dial->end = end;
        answer(dial, error, now_ns);
        return;
    }
    if (error < 0) {
        not_reached(dial->by, error);
        answer(dial, error == -EPROTONOSUPPORT ? error : UPSTREAM_ERROR, now_ns);
        return;
    }
    end_peer(end, &dial->by->met);
    dial->failures = dial->by->tls->failures;
    error = tls_end_new(dial->by->tls, end, &dial->from, &dial->end);
    if (error < 0) {
        end_abort(end);
        answer(dial, error, now_ns);
        return;
    }
    end_watch(dial->end, &dial->watch);
    go_on(dial, now_ns);
}

static int time_is_up(sd_event_source *source, uint64_t usec, void *of)
{
    struct dial *dial = of;
    (void)source;
    (void)usec;
    if (dial->server) {
        dial_cancel(dial->by->to_server, dial->server);
        server_answered(&dial->server_user, -ETIMEDOUT, (struct end){0}, hawser_host_now(dial->by->host));
    } else {
        stranger(dial, hawser_host_now(dial->by->host));
    }
    return 0;
}

static bool write_question(struct dial *dial, const struct destination *to)
{
    size_t methods = socks_write_methods(dial->question, SOCKS_OPEN);
    size_t request = socks_write_request(dial->question + methods, to);
    dial->question_len = methods + request;
    return request > 0;
}

/* What this host reaches by another way than a default route is nothing that the server would find; and to itself it
 * leads nobody. */
static bool is_near(const struct upstream_dialer *by, const struct destination *to)
{
    struct host_route route;
    if (to->name || !scope_is_reachable(&to->addr))
        return false;
    return hawser_addr_same_ip(&to->addr, &by->server.addr) || hawser_addr_same_ip(&to->addr, &by->met) ||
           (by->ask_route(&to->addr, &route) == 0 && route.prefix_len > 0);
}

static int call_server(struct dial *dial, const struct destination *to, uint64_t now_ns)
{
    struct upstream_dialer *by = dial->by;
    struct destination server = by->server;
    server.demands = to->demands; /* of the way there */
    int error = write_question(dial, to) ? 0 : -EINVAL;
    if (!error)
        error = sd_event_add_time_relative(by->loop, &dial->timer, CLOCK_MONOTONIC, UPSTREAM_PATIENCE_S * 1000000ull, 0,
                                           time_is_up, dial);
    if (error < 0)
        return error;
    by->counts.asked++;
    error = dial_begin(by->to_server, &server, &dial->server_user, now_ns, &dial->server);
    if (error == 0)
        return 0;
    not_reached(by, error);
    return UPSTREAM_ERROR;
}

static int begin(struct dialer *dialer, const struct destination *to, struct dial_user *user, uint64_t now_ns,
                 struct dial **out)
{
    struct upstream_dialer *by = HW_CONTAINER(dialer, struct upstream_dialer, dialer);
    struct dial *dial = calloc(1, sizeof *dial);
    if (!dial)
        return -ENOMEM;
    *dial = (struct dial){.watch = {heard}, .server_user = {server_answered}, .by = by, .user = user, .from = to->from};
    dial->is_near = is_near(by, to);
    int error = dial->is_near ? dial_begin(by->to_server, to, &dial->server_user, now_ns, &dial->server)
                              : call_server(dial, to, now_ns);
    if (error < 0) {
        sd_event_source_disable_unref(dial->timer);
        free(dial);
        return error;
    }
    *out = dial;
    return 0;
}

static void cancel(struct dialer *dialer, struct dial *dial)
{
    struct upstream_dialer *by = HW_CONTAINER(dialer, struct upstream_dialer, dialer);
    if (dial->server)
        dial_cancel(by->to_server, dial->server);
    if (dial->end.ops)
        end_abort(dial->end);
    sd_event_source_disable_unref(dial->timer);
    free(dial);
}

void upstream_dialer_init(struct upstream_dialer *dialer, sd_event *loop, struct hawser_host *host,
                          struct dialer *to_server, const struct destination *server, struct tls *tls)
{
    *dialer = (struct upstream_dialer){.dialer = {begin, cancel},
                                       .loop = loop,
                                       .host = host,
                                       .to_server = to_server,
                                       .server = *server,
                                       .ask_route = host_route_ask,
                                       .tls = tls};
}
