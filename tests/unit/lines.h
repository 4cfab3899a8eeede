/*
 * Several connections and subflows of a peer by hand at once, for what they do to each other's memory. What they send
 * are pieces of one stream that all share.
 */
#ifndef HW_TESTS_LINES_H
#define HW_TESTS_LINES_H

#include "peer.h"

#define LINES_PIECE 1000 /* bytes a segment */
#define LINES_STREAM 800000

extern uint8_t lines_stream[LINES_STREAM];

/* A subflow as the peer must know it to go on with it. */
struct line {
    struct hawser_conn *conn;
    uint16_t port;
    uint32_t irs;
    uint64_t key, idsn; /* the stack's */
};

/* As peer_init(); a `memory` of 0 is the default. */
void lines_init(struct peer *p, uint32_t memory, bool checksums, const struct hawser_conn_options *listening);

struct line line_open(struct peer *p, uint16_t port);
struct line line_join(struct peer *p, const struct line *first, uint16_t port);
/* What is sent by the peer's own calls goes to this one. Forgets what was seen. */
void line_take(struct peer *p, const struct line *line);

/* Maps `len` bytes from `ssn` on to as many from `dsn` on, under the sum of those from `fresh` on, and sends `count` of
 * them, from `from` on. */
void line_send(struct peer *p, const struct line *line, uint32_t ssn, uint32_t dsn, uint16_t len, uint32_t fresh,
               uint32_t from, uint32_t count);

#endif
