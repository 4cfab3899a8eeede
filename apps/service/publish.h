/*
 * Publishing: TCP servers that know nothing of Hawser, reached from outside by Multipath TCP. Connections to a
 * published port of this host's uplinks end in the stack, which goes on to the server from the client's own address, by
 * a device of its own: the server sees its clients as ever. Or it goes on from this host's address, to a server
 * anywhere, and tells it who the client is by the PROXY protocol.
 */
#ifndef HW_APPS_SERVICE_PUBLISH_H
#define HW_APPS_SERVICE_PUBLISH_H

#include "service/stall.h"

#define PUBLISH_DEVICE "pub0"

enum {
    PUBLISH_MAX = 64,        /* ports */
    PUBLISH_SOCKETS = 16384, /* to servers that are told of their clients, of which one client gets about half */
};

struct publish_rule {
    uint16_t port;         /* outside */
    struct hawser_addr to; /* the server, with a port; all zero: the address that the client asked for */
    bool tells;            /* it hears of its client by the PROXY protocol */
};

struct publish;

/* Reads "PORT[,to=ADDRESS[:PORT]][,proxy-protocol]". Returns 0, or -EINVAL and one line in `why`. */
int publish_rule_read(const char *text, struct publish_rule *rule, char *why, size_t why_size);

/* Takes away what a sudden end has left of published ports, likewise (ways_sweep()). */
void publish_sweep(void);

/* Nothing is published so far. Returns 0 and *out, or -ENOMEM. */
int publish_new(struct publish **out, struct stalls *stalls);

/* Publishes these from now on, of uplinks that are found, and no others: at ports that stay nobody notices, and of
 * those that go whoever waits is reset, and joints live on. Returns 0, or a negative errno and in `why` one line that
 * says what to do; those before the one that failed are published then. */
int publish_set(struct publish *p, const struct publish_rule *rules, size_t count, char *why, size_t why_size);

/* Whoever waits is reset. Joints live on. */
void publish_shut(struct publish *p);

/* Takes back what was changed of the host: after service_end(). NULL is nothing. */
void publish_close(struct publish *p);

#endif
