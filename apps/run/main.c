/*
 * hawser run: a program whose TCP goes by the service. This very process becomes the program, in a network namespace of
 * its own: so its exit status, signals, terminal, files and surroundings are what they would be without.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "run/ask.h"
#include "run/inlets.h"
#include "run/keeper.h"
#include "run/space.h"
#include "service/control_socket.h"

#define RESOLV_CONF "/etc/resolv.conf"

enum { EXIT_CANNOT_RUN = 126, EXIT_NOT_FOUND = 127, WHY_SIZE = 512 };

/* Becomes the program, or says why not. */
static int become(char **program)
{
    execvp(program[0], program);
    int error = errno;
    command_fail("run", "cannot run %s: %s", program[0], strerror(error));
    return error == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

/* Those that are elsewhere are left alone, unless the host's own name is to be found. */
struct resolvers {
    struct hawser_addr near[INLETS_RESOLVERS], far[INLETS_RESOLVERS];
    size_t near_count, far_count;
};

/* Where the program finds the host's resolvers and services. Those that are there already in its namespace, by any
 * chance, stay. */
static int open_inlets(const struct run_options *options, const struct resolvers *resolvers, struct inlets *out,
                       char *why, size_t why_size)
{
    int error = 0;
    for (size_t i = 0; i < resolvers->near_count && !error; i++) {
        error = inlets_add(out, &resolvers->near[i], true);
        if (!error)
            error = inlets_add(out, &resolvers->near[i], false);
    }
    for (size_t i = 0; i < resolvers->far_count && !error; i++)
        error = inlets_add(out, &resolvers->far[i], false);
    for (size_t i = 0; i < out->count; i++)
        out->all[i].named = options->loopback_count > 0;
    for (unsigned i = 0; i < options->loopback_count && !error; i++) {
        struct hawser_addr addr;
        hawser_addr_parse(&addr, "127.0.0.1", options->loopback_ports[i]);
        error = inlets_add(out, &addr, true);
    }
    if (error)
        snprintf(why, why_size, "cannot offer the host's own services to the program: %s", strerror(-error));
    return error;
}

/* In the new namespace: all that the program finds there. */
static int furnish(const struct run_options *options, int control, int keeper, int namespace,
                   const struct resolvers *resolvers, char *why, size_t why_size)
{
    struct ask_answer answer;
    struct inlets inlets = {.count = 0};
    int error = network_begin();
    if (error) {
        snprintf(why, why_size, "cannot configure the program's network: %s", strerror(-error));
        return error;
    }
    error = ask_door(control, namespace, options, &answer, why, why_size);
    answer.network.resolvers = resolvers->far;
    answer.network.resolver_count = resolvers->far_count;
    if (!error)
        error = network_set_up(&answer.network, why, why_size);
    if (!error)
        error = open_inlets(options, resolvers, &inlets, why, why_size);
    if (!error) {
        error = keeper_tell(keeper, answer.queue, namespace, &inlets);
        if (error)
            snprintf(why, why_size, "the keeper of the program's network has ended: %s", strerror(-error));
    }
    inlets_close(&inlets);
    if (answer.queue >= 0)
        close(answer.queue);
    return error;
}

static int prepare(const struct run_options *options, int control, char *why, size_t why_size)
{
    struct resolvers resolvers = {.near_count = 0};
    resolvers.near_count = inlets_read_resolvers(RESOLV_CONF, INLETS_NEAR, resolvers.near);
    if (options->loopback_count)
        resolvers.far_count = inlets_read_resolvers(RESOLV_CONF, INLETS_FAR, resolvers.far);
    struct space_settings *settings = space_remember();
    int keeper = keeper_start(control);
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
    close(keeper);
    return error;
}

int run_main(int argc, char **argv)
{
    struct run_options options;
    char why[WHY_SIZE];
    int status = run_options_read(&options, argc, argv);
    if (status >= 0)
        return status;
    int control = control_connect(control_path(options.control), why, sizeof(why));
    int error = control < 0 ? control : prepare(&options, control, why, sizeof(why));
    if (control >= 0)
        close(control);
    if (!error)
        return become(options.program);
    if (!options.fallback)
        return command_fail("run", "%s", why);
    return become(options.program);
}
