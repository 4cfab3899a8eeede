/* A host: a real Hawser stack as a node. Each port is an interface, a link of the stack with addresses of its own. */
#ifndef HW_SIM_HOST_H
#define HW_SIM_HOST_H

#include <hawser/hawser.h>

#include "link/rx_buffers.h"
#include "mptcp/host.h"
#include "sim/node.h"
#include "sim/world.h"

struct host;

/* Somebody who looks at what a host sends and receives, at its interfaces: a judge, a recorder. */
struct tap {
    struct list link;
    void (*packet)(struct tap *tap, const struct host *host, bool sent, const struct packet *packet, uint64_t now_ns);
};

/* The owner of connections: set as the user pointer of each, by host_own(). */
struct host_user {
    void (*event)(struct host_user *user, unsigned what, uint64_t now_ns); /* `what`: of struct hawser_event */
};

/* A listening port and who takes its connections. */
struct host_listener {
    struct list link;
    struct hawser_listener *listener;
    void (*accepted)(struct host_listener *self, struct hawser_conn *conn, uint64_t now_ns);
};

/* Memory the stack holds. */
struct host_memory {
    uint64_t live_bytes, live_objects, peak_bytes;
    uint64_t limit_bytes; /* allocations beyond are refused; 0: no limit */
    uint32_t refuse_ppm;  /* share of allocations refused at random */
    uint64_t refused;
};

struct host {
    struct node node;
    struct hawser_stack *stack;
    struct host_memory memory;
    struct prng secrets; /* what the stack takes for randomness */
    struct prng refusals;
    struct list taps, listeners;
    struct list arrivals;     /* packets for the next run: one may come while the stack's own still wait to be sent */
    bool lends_nothing;       /* what arrives is copied into the stack's own memory, which has a limit */
    struct rx_buffers *lends; /* or comes in these, as from a device; NULL: in memory without a limit */
    bool has_work;            /* a packet came in since the last run */
    uint64_t last_run_ns;
    uint32_t idle_runs;         /* in a row at one time, with nothing to show for it: a timer that is never served */
    struct mp_host_ops numbers; /* with wrap_soon: the stack's, with sequence numbers of our choice */
    /* Sabotage, for the tests of the judges: changes what leaves before anyone sees it; false drops it. */
    bool (*tamper)(void *ctx, struct packet *packet);
    void *tamper_ctx;
};

/* `options` may be NULL. With `wrap_soon` sequence numbers of both levels start shortly before they wrap, which must be
 * so on all hosts of a world or on none. */
struct host *host_new(struct world *world, const char *name, const struct hawser_stack_options *options,
                      bool wrap_soon);

/* What arrives comes in about so many bytes of buffers that packets share, as from a device, and when these are all
 * held by the stack in none. */
void host_lend_buffers(struct host *host, uint64_t bytes);

/* One more interface, as a port of the node with the same number. Returns it. */
unsigned host_add_interface(struct host *host, uint32_t mtu);
void host_add_address(struct host *host, unsigned interface, const struct hawser_addr *addr);
void host_remove_address(struct host *host, const struct hawser_addr *addr);

/* NULL when the node is none. */
struct host *host_of(struct node *node);

/* Whose business the connection is from now on. */
void host_own(struct hawser_conn *conn, struct host_user *user);

/* Something was asked of the stack outside an event: it runs at `now_ns`. */
static inline void host_wake(struct host *host, uint64_t now_ns) { node_wake(&host->node, now_ns); }

/* 0, or what hawser_listen() says. */
int host_listen(struct host *host, struct host_listener *listener, uint16_t port, unsigned backlog,
                const struct hawser_conn_options *options);
void host_stop_listening(struct host *host, struct host_listener *listener);

/* Counter of the stack by its public name; 0 when there is none of that name. */
uint64_t host_counter(const struct host *host, const char *name);

#endif
