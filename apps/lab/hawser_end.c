#include "hawser_end.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <hawser/hawser.h>

#include "lab/hawser_peer.h"
#include "lab/topology.h"

enum { END_TICK_MS = 50, END_SPEC = 1024 };

/* One device with all the addresses of the end. */
static bool end_add_link(struct hawser_host *host, const struct lab_options *o, enum lab_side side,
                         struct lab_result *result)
{
    char spec[END_SPEC], text[HAWSER_ADDR_STRLEN], why[LAB_WHY - 32];
    int used = snprintf(spec, sizeof(spec), "tun,dev=hw-%s", lab_side_name(side));
    for (unsigned i = 0; i < lab_address_count(o, side); i++) {
        struct hawser_addr addr = lab_address(o, side, i);
        used += snprintf(spec + used, sizeof(spec) - (size_t)used, ",addr=%s/%u",
                         hawser_addr_format(&addr, text, sizeof(text)), o->ipv6 ? 128u : 32u);
    }
    if (hawser_host_add_link(host, spec, why, sizeof(why)) >= 0)
        return true;
    snprintf(result->why, sizeof(result->why), "%s", why);
    return false;
}

/* Serves the host until `result` is known, or from then on until the run is over. */
static void end_serve(struct hawser_host *host, struct hawser_peer *peer, const struct lab_shared *shared)
{
    const bool lingering = peer->done;
    while (peer->done == lingering && !atomic_load_explicit(&shared->stop, memory_order_relaxed)) {
        hawser_host_step(host);
        if (hawser_peer_pump(peer, hawser_host_now(host)))
            continue;
        struct pollfd p = {.fd = hawser_host_fd(host), .events = POLLIN};
        poll(&p, 1, END_TICK_MS);
    }
    hawser_host_step(host);
}

void hawser_end_run(const struct lab_options *o, enum lab_side side, struct lab_shared *shared,
                    struct lab_result *result, void (*report)(void *ctx, struct lab_result *result), void *ctx)
{
    struct hawser_stack_options options = {
        .size = sizeof(options), .congestion = o->cc, .checksum_required = o->checksum};
    struct hawser_peer peer;
    struct hawser_host *host;
    int error = hawser_host_new(&options, &host);
    if (error) {
        snprintf(result->why, sizeof(result->why), "cannot make a host: %s", strerror(-error));
        report(ctx, result);
        return;
    }
    if (end_add_link(host, o, side, result)) {
        hawser_peer_start(&peer, o, side, hawser_host_stack(host), shared, result, hawser_host_now(host));
        end_serve(host, &peer, shared);
        report(ctx, result);
        end_serve(host, &peer, shared);
        hawser_peer_destroy(&peer);
    } else {
        report(ctx, result);
    }
    hawser_host_free(host);
}
