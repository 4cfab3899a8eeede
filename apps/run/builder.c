#include "run/builder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/compiler.h"
#include "run/ask.h"
#include "run/inlets.h"
#include "run/keeper.h"
#include "run/space.h"

#define RESOLV_CONF "/etc/resolv.conf"

enum { WHY_SIZE = 512 };

/* What the builder says when it is done. */
struct report {
    int error;
    char why[WHY_SIZE];
};

struct resolvers {
    struct hawser_addr near[INLETS_RESOLVERS], far[INLETS_RESOLVERS];
    size_t near_count, far_count;
};

static int offer(struct inlets *out, const struct hawser_addr *addr, bool stream)
{
    for (size_t i = 0; i < out->count; i++)
        if (out->all[i].stream == stream && hawser_addr_equal(&out->all[i].addr, addr))
            return 0;
    return inlets_add(out, addr, stream);
}

static int offer_resolver(struct inlets *out, const struct hawser_addr *addr)
{
    int error = offer(out, addr, true);
    return error ? error : offer(out, addr, false);
}

/* Where a host has its own, if any: resolv.conf may name them when the program runs already, as it does when a VPN or
 * systemd-resolved begins; and 127.0.0.1 is meant where it names none (resolv.conf(5)). */
static int offer_usual_resolvers(struct inlets *out)
{
    static const char *const usual[] = {"127.0.0.1", "127.0.0.53"};
    int error = 0;
    for (size_t i = 0; i < HW_ARRAY_LEN(usual) && !error; i++) {
        struct hawser_addr addr;
        hawser_addr_parse(&addr, usual[i], INLETS_RESOLVER_PORT);
        error = offer_resolver(out, &addr);
    }
    return error;
}

/* Where the program finds the host's resolvers and services. Those that are there already in its namespace, by any
 * chance, stay. */
static int open_inlets(const struct run_options *options, const struct resolvers *resolvers, struct inlets *out,
                       char *why, size_t why_size)
{
    int error = offer_usual_resolvers(out);
    for (size_t i = 0; i < resolvers->near_count && !error; i++)
        error = offer_resolver(out, &resolvers->near[i]);
    for (size_t i = 0; i < resolvers->far_count && !error; i++) {
        error = offer(out, &resolvers->far[i], false);
        if (!hawser_addr_is_v4(&resolvers->far[i])) {
            offer(out, &resolvers->far[i], true);
            error = 0; /* where IPv6 is off nobody asks it */
        }
    }
    for (size_t i = 0; i < out->count; i++)
        out->all[i].named = options->loopback_count > 0;
    for (unsigned i = 0; i < options->loopback_count && !error; i++) {
        struct hawser_addr addr;
        hawser_addr_parse(&addr, "127.0.0.1", options->loopback_ports[i]);
        error = offer(out, &addr, true);
    }
    if (error)
        snprintf(why, why_size, "cannot offer the host's own services to the program: %s", strerror(-error));
    return error;
}

/* Those that are elsewhere the program asks itself, unless the host's own name is to be found, or, of IPv6, nothing but
 * TCP leaves by that. */
static void leave_alone(struct resolvers *resolvers, const struct run_options *options, const struct network *network)
{
    size_t kept = 0;
    for (size_t i = 0; i < resolvers->far_count; i++) {
        const struct hawser_addr *resolver = &resolvers->far[i];
        if (options->loopback_count || (!hawser_addr_is_v4(resolver) && !network->has_gateway_v6))
            resolvers->far[kept++] = *resolver;
    }
    resolvers->far_count = kept;
}

/* In the new namespace: all that the program finds there. */
static int furnish(const struct run_options *options, int control, int keeper, int namespace,
                   struct resolvers *resolvers, char *why, size_t why_size)
{
    struct ask_answer answer;
    struct inlets inlets = {.count = 0};
    int error = network_begin();
    if (error) {
        snprintf(why, why_size, "cannot configure the program's network: %s", strerror(-error));
        return error;
    }
    error = ask_door(control, namespace, options, &answer, why, why_size);
    leave_alone(resolvers, options, &answer.network);
    answer.network.resolvers = resolvers->far;
    answer.network.resolver_count = resolvers->far_count;
    if (!error)
        error = network_set_up(&answer.network, why, why_size);
    if (!error)
        error = open_inlets(options, resolvers, &inlets, why, why_size);
    if (!error) {
        error = keeper_tell(keeper, answer.queue, &inlets);
        if (error)
            snprintf(why, why_size, "the keeper of the program's network has ended: %s", strerror(-error));
    }
    inlets_close(&inlets);
    if (answer.queue >= 0)
        close(answer.queue);
    return error;
}

static int build(const struct run_options *options, int control, int program, char *why, size_t why_size)
{
    struct resolvers resolvers = {.near_count = 0};
    resolvers.near_count = inlets_read_resolvers(RESOLV_CONF, INLETS_NEAR, resolvers.near);
    resolvers.far_count = inlets_read_resolvers(RESOLV_CONF, INLETS_FAR, resolvers.far);
    struct space_settings *settings = space_remember();
    int keeper = keeper_start(control, program);
    if (keeper < 0) {
        snprintf(why, why_size, "cannot start the keeper of the program's network: %s", strerror(-keeper));
        free(settings);
        return keeper;
    }
    int namespace = space_enter(why, why_size), error = namespace < 0 ? namespace : 0;
    if (!error) {
        space_restore(settings);
        error = furnish(options, control, keeper, namespace, &resolvers, why, why_size);
        close(namespace);
    } else {
        free(settings);
    }
    return error; /* the keeper hears of this process's end */
}

/* Its namespaces are there for the other end of `pair` to join as long as it waits. */
static _Noreturn void work(const struct run_options *options, int control, int program, int pair)
{
    struct report report = {.error = 0};
    char nothing;
    report.error = build(options, control, program, report.why, sizeof(report.why));
    if (send(pair, &report, sizeof(report), MSG_NOSIGNAL) < 0)
        _exit(EXIT_FAILURE);
    while (recv(pair, &nothing, 1, 0) < 0 && errno == EINTR)
        ;
    _exit(EXIT_SUCCESS);
}

/* Waits for the report, and does as it says. */
static int join(int pair, pid_t builder, char *why, size_t why_size)
{
    struct report report;
    ssize_t n;
    do
        n = recv(pair, &report, sizeof(report), 0);
    while (n < 0 && errno == EINTR);
    if (n != sizeof(report)) {
        snprintf(why, why_size, "the builder of the program's network was killed");
        return -EPIPE;
    }
    if (report.error) {
        snprintf(why, why_size, "%s", report.why);
        return report.error;
    }
    int error = space_join(builder);
    if (error)
        snprintf(why, why_size, "cannot enter the program's network: %s", strerror(-error));
    return error;
}

static int fail_to_start(int error, char *why, size_t why_size)
{
    snprintf(why, why_size, "cannot start the builder of the program's network: %s", strerror(-error));
    return error;
}

int builder_run(const struct run_options *options, int control, char *why, size_t why_size)
{
    int pair[2], program = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (program < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        int error = -errno;
        if (program >= 0)
            close(program);
        return fail_to_start(error, why, why_size);
    }
    pid_t builder = fork();
    if (builder == 0) {
        close(pair[0]);
        work(options, control, program, pair[1]);
    }
    int error = builder < 0 ? fail_to_start(-errno, why, why_size) : 0;
    close(program);
    close(pair[1]);
    if (!error)
        error = join(pair[0], builder, why, why_size);
    close(pair[0]);
    while (builder > 0 && waitpid(builder, NULL, 0) < 0 && errno == EINTR)
        ;
    return error;
}
