/*
 * Middleboxes: nodes with two ports, in the middle of a link. What enters at one port leaves at the other, changed,
 * delayed, dropped, doubled or answered. Port 0 is the inner side (a client behind a NAT), port 1 the outer one.
 */
#ifndef HW_SIM_BOXES_H
#define HW_SIM_BOXES_H

#include <hawser/addr.h>

#include "sim/node.h"
#include "sim/world.h"

/* Which way a box works on. */
enum box_direction { BOX_BOTH, BOX_OUTWARD, BOX_INWARD }; /* outward: from port 0 to port 1 */

/* What a box is to do. Each kind names in its file the fields that mean something to it; the others are ignored. */
struct box_config {
    char kind[32]; /* "nat", "firewall", ... see box_kinds() */
    enum box_direction direction;
    bool syn_only, data_only; /* restrict to segments with SYN, or without */
    uint32_t ppm;             /* share of packets acted upon, millionths; 0: all */
    uint32_t amount;          /* bytes or a count, by kind */
    uint64_t period_ns;       /* intervals, by kind */
    uint64_t idle_ns;         /* a connection is forgotten after such a silence; 0: never */
    uint64_t from_ns, to_ns;  /* acts only in this time since the start of the world; to_ns 0: for ever */
    struct hawser_addr addr;  /* the public address of a NAT, the forged source of an attacker */
};

/* One kind of middlebox: how to make it. */
struct box_kind {
    const char *name;
    const char *summary; /* one line */
    struct node *(*make)(struct world *world, const char *name, const struct box_config *config);
};

/* All kinds, ended by an entry without a name. */
const struct box_kind *box_kinds(void);

/* A box of that kind, or NULL when there is none. */
struct node *box_new(struct world *world, const char *name, const struct box_config *config);

#endif
