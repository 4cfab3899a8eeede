/* Subflows and the two streams that they carry, without a connection and without a peer: for what stands between parts
 * and conductor. What happens to a subflow's TCP becomes its news, as in a connection, and nothing else. */
#ifndef HW_TESTS_BUNDLE_H
#define HW_TESTS_BUNDLE_H

#include "mptcp/data_rx.h"
#include "mptcp/data_tx.h"
#include "mptcp/outflow.h"
#include "support.h"

enum {
    BUNDLE_MSS = 1000,
    BUNDLE_LIMIT = 1 << 18, /* of either stream */
    BUNDLE_WINDOW = 200000, /* that either end offers */
    BUNDLE_MEMORY = 4 << 20,
    BUNDLE_RESERVE = 1 << 18,
    BUNDLE_PACKETS = 8,
};
#define BUNDLE_IDSN (UINT64_MAX - 5000) /* of both streams, so that numbers wrap on the way */

struct bundle {
    struct test_env env;
    struct tcp_host host;
    struct account_root memory;
    struct account conn, other; /* the connection's, and of all others */
    struct store store;
    struct pool nodes, pieces;
    struct data_rx rx;
    struct data_tx tx;
    struct list subflows;
    struct scheduler scheduler;
    struct subflow all[SUBFLOWS_MAX];
    unsigned count;
    uint64_t now_ns;
    struct hawser_tx packets[BUNDLE_PACKETS];
    uint8_t bytes[BUNDLE_LIMIT]; /* of either stream */
};

/* At one second, without a subflow. */
void bundle_init(struct bundle *b);
/* Asserts that nothing is left. */
void bundle_destroy(struct bundle *b);

/* One more subflow, closed; the first one is no join. The n-th goes from 10.0.n.1:n to 10.0.n.2:80, whose IDs are
 * n, and of the first 0. */
struct subflow *bundle_add(struct bundle *b);
/* One more, established: the path is known to take `rtt_ns` (0: nothing is known of it). */
struct subflow *bundle_open(struct bundle *b, uint64_t rtt_ns);
/* One more join, whose SYN is out. */
struct subflow *bundle_join(struct bundle *b);
struct hawser_addr bundle_local(unsigned n);
struct hawser_addr bundle_remote(unsigned n);

/* The n-th byte of either stream, and of a subflow. */
static inline dsn64 nth_byte(uint64_t n) { return dsn_at(BUNDLE_IDSN + 1 + n); }
static inline uint64_t nth_ssn(uint64_t n) { return SSN_ORIGIN + 1 + n; }

/* The subflow is given `len` bytes from the n-th on, which the program wrote, to carry. */
void bundle_carry(struct bundle *b, struct subflow *subflow, uint64_t n, uint32_t len);
/* The stream and its subflows, and the scheduler; the peer is committed. */
struct outflow bundle_outflow(struct bundle *b);
/* Its peer acknowledges the first `n` bytes on it. */
void bundle_ack(struct bundle *b, struct subflow *subflow, uint64_t n);
/* Its peer sends a segment without payload that acknowledges all. `options` may be NULL. */
void bundle_hear(struct bundle *b, struct subflow *subflow, uint8_t flags, struct tcp_options *options);
/* How many packets it has to say now. */
unsigned bundle_say(struct bundle *b, struct subflow *subflow);

/* Others hold all memory but `left` bytes of it, the emergency reserve included. */
void bundle_press(struct bundle *b, uint64_t left);
static inline uint64_t bundle_counted(const struct bundle *b, enum counter which) { return b->host.counters.v[which]; }

#endif
