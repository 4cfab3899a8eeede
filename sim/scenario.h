/*
 * A scenario as plain data: who is connected to whom, what happens when, who talks to whom. Files, the swarm and tests
 * fill it in; the stage (stage.h) plays it. Names join the parts; scenario_check() says what does not fit together.
 */
#ifndef HW_SIM_SCENARIO_H
#define HW_SIM_SCENARIO_H

#include <stddef.h>

#include "sim/boxes.h"
#include "sim/flow.h"
#include "sim/lane.h"

#define SCENARIO_ADDRESSES_MAX 8   /* of an end of a link */
#define SCENARIO_PARTS_MAX 8192u   /* hosts, routers, links and middleboxes */
#define SCENARIO_EVENTS_MAX 10000u /* changes of links and of addresses */
#define SCENARIO_FLOWS_MAX 20000u

#define HOST_PREFIXES_MAX 8

struct host_prefixes {
    struct hawser_prefix list[HOST_PREFIXES_MAX];
    uint32_t count;
};

struct host_spec {
    char name[NODE_NAME_MAX];
    struct hawser_stack_options options; /* `congestion` points to `congestion_name` */
    char congestion_name[16];
    char path_manager_name[16];               /* "": the default */
    struct host_prefixes allow, deny, backup; /* of struct hawser_path_options */
    uint64_t memory_limit_bytes;              /* of all its allocations; 0: none */
    uint64_t link_memory_bytes; /* of the buffers that packets come in; 0: none, or unlimited (SCENARIOS.md) */
    uint32_t refuse_ppm;        /* share of allocations refused */
};

struct router_spec {
    char name[NODE_NAME_MAX];
};

/* A link joins end[0] to end[1], each a host or a router. At a host it makes one interface with these addresses. */
struct wire_spec {
    char name[NODE_NAME_MAX];
    char end[2][NODE_NAME_MAX];
    struct hawser_addr addresses[2][SCENARIO_ADDRESSES_MAX];
    unsigned address_count[2];
    struct lane_config lanes[2]; /* lanes[0] from end[0] to end[1] */
    uint32_t mtu;                /* of the interfaces; 0: 1500 */
};

/* A middlebox on a link, at its end[1]; several stand in the order given, the first the farthest from end[1]. */
struct box_spec {
    char name[NODE_NAME_MAX];
    char link[NODE_NAME_MAX];
    bool inner_is_end1; /* else its inner side faces end[0] */
    struct box_config config;
};

/* From `at_ns` on the lanes of a link have these parameters. */
struct change_spec {
    uint64_t at_ns;
    char link[NODE_NAME_MAX];
    bool lanes_set[2];
    struct lane_config lanes[2];
};

/* The plan's host pointers are NULL here; the names stand for them. */
struct flow_spec {
    struct flow_plan plan;
    char client[NODE_NAME_MAX], server[NODE_NAME_MAX];
};

/* An address given to or taken from a running host. */
struct address_spec {
    uint64_t at_ns;
    char link[NODE_NAME_MAX];
    unsigned end; /* of the link: which host */
    struct hawser_addr addr;
    bool remove;
};

struct scenario {
    char name[64];
    char about[256];
    uint64_t duration_ns; /* the story lasts this long */
    uint64_t heal_ns;     /* when faults are over; liveness is demanded from here; 0: never demanded */
    uint64_t patience_ns; /* after heal_ns every flow that ends must have ended */
    bool must_complete;   /* nothing in it excuses an error: where liveness is demanded, so is every byte */
    bool wrap_soon;       /* sequence numbers start shortly before they wrap */
    struct host_spec *hosts;
    struct router_spec *routers;
    struct wire_spec *links;
    struct box_spec *boxes;
    struct change_spec *changes;
    struct flow_spec *flows;
    struct address_spec *addresses;
    struct rate_trace **traces; /* owned; what lanes point to */
    size_t host_count, router_count, link_count, box_count, change_count, flow_count, address_count, trace_count;
};

void scenario_init(struct scenario *s);
void scenario_fini(struct scenario *s);

/* One more of each: zeroed but for its name. Pointers given out before become invalid. */
struct host_spec *scenario_add_host(struct scenario *s, const char *name);
struct router_spec *scenario_add_router(struct scenario *s, const char *name);
struct wire_spec *scenario_add_link(struct scenario *s, const char *name, const char *end0, const char *end1);
struct box_spec *scenario_add_box(struct scenario *s, const char *name, const char *link);
struct change_spec *scenario_add_change(struct scenario *s, uint64_t at_ns, const char *link);
struct flow_spec *scenario_add_flow(struct scenario *s, const char *name, const char *client, const char *server);
struct address_spec *scenario_add_address_change(struct scenario *s, uint64_t at_ns, const char *link, unsigned end);
/* Takes ownership of the trace and its times, which came from sim_new() or sim_grow(). */
const struct rate_trace *scenario_add_trace(struct scenario *s, struct rate_trace *trace);

/* An address on a link's end; false when it has SCENARIO_ADDRESSES_MAX already or `text` is no address. */
bool wire_spec_add_address(struct wire_spec *link, unsigned end, const char *text);

/* What, by name, is a link; NULL. */
struct wire_spec *scenario_find_link(const struct scenario *s, const char *name);

/* True when it can be played; else one line in `why` that names the part at fault. */
bool scenario_check(const struct scenario *s, char *why, size_t why_size);

#endif
