/*
 * Dialling by way of one's own Hawser elsewhere: TLS to it over whatever leads there, and inside of that SOCKS 5, so
 * that names are looked up there, and errors are those of there. All is asked in one flight. Addresses that are near,
 * and the server's own, are called as if there were no such way.
 */
#ifndef HW_APPS_SERVICE_UPSTREAM_DIALER_H
#define HW_APPS_SERVICE_UPSTREAM_DIALER_H

#include <systemd/sd-event.h>

#include "service/dial.h"
#include "service/host_route.h"
#include "service/tls_end.h"

enum { UPSTREAM_TELL_S = 10 };     /* between two words in the log of why it is not reached */
enum { UPSTREAM_PATIENCE_S = 20 }; /* until whoever is there has shown that he is the one; then he takes his time */

struct upstream_counts {
    uint64_t asked;
    uint64_t unreachable;  /* it could not be reached, */
    uint64_t strangers;    /* or it has another key, or is no Hawser's */
    struct tls_counts tls; /* as its owner tells */
};

struct upstream_dialer {
    struct dialer dialer;
    sd_event *loop;
    struct hawser_host *host; /* the clock */
    struct dialer *to_server;
    struct destination server; /* its name outlives the dialer */
    struct hawser_addr met;    /* where it was last reached, whatever its name */
    int (*ask_route)(const struct hawser_addr *to, struct host_route *out); /* the kernel, unless somebody changes it */
    struct tls *tls; /* what came to nothing is noted there, too */
    struct upstream_counts counts;
    char told[TLS_FAILURE_SIZE]; /* of that, in the log; empty: it was reached since */
    uint64_t tell_again_ns;
};

void upstream_dialer_init(struct upstream_dialer *dialer, sd_event *loop, struct hawser_host *host,
                          struct dialer *to_server, const struct destination *server, struct tls *tls);

#endif
