/*
 * Payload of one subflow that cannot go up yet: its mapping has not arrived, or a DSS checksum covers bytes that have
 * not (RFC 8684 3.3.1). By reference, in order of subflow sequence number, without overlap.
 */
#ifndef HW_MPTCP_HOLDQ_H
#define HW_MPTCP_HOLDQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/list.h"
#include "base/pool.h"
#include "wire/checksum.h"

/* Most pieces held by one subflow. */
#define HOLDQ_MAX 4096

struct holdq {
    struct pool *nodes;      /* borrowed: of objects of holdq_node_size() bytes */
    struct account *account; /* borrowed; what is held is charged to it, nodes too; NULL: to nobody */
    struct list pieces;
    struct list *near; /* where the last search ended: one of `pieces`, or its head */
    uint32_t count, bytes;
};

size_t holdq_node_size(void);

void holdq_init(struct holdq *q, struct pool *nodes, struct account *account);
/* Drops what is held. */
void holdq_destroy(struct holdq *q);

/* Holds `bytes`, which begin at `ssn` and overlap nothing held, with a reference. They become one piece with those next
 * to them in the mapping [from, to), which may be empty, where they lie next to them in memory too. 0, or -ENOBUFS at a
 * limit. */
int holdq_add(struct holdq *q, uint64_t ssn, struct slice bytes, uint64_t from, uint64_t to);

/* Where the first piece begins; false when nothing is held. */
bool holdq_first(const struct holdq *q, uint64_t *ssn);

/* One past the last byte held; 0 when nothing is. */
uint64_t holdq_end(const struct holdq *q);

/* Takes off the first piece that begins in [from, to), cut at `to`; false when there is none. The reference
 * is the caller's now. */
bool holdq_take(struct holdq *q, uint64_t from, uint64_t to, uint64_t *ssn, struct slice *bytes);

/* Drops the pieces that begin in [from, to). */
void holdq_drop(struct holdq *q, uint64_t from, uint64_t to);

/* The sum of the bytes [from, to), all of which must be held. */
struct csum holdq_sum(struct holdq *q, uint64_t from, uint64_t to);

#endif
