/* What the rooms of the lab share: the options of a run, the counters its processes write, and what an end reports. */
#ifndef HW_APPS_LAB_LAB_H
#define HW_APPS_LAB_LAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

#include "link/impair.h"

enum {
    LAB_PATHS = 8,
    LAB_CUTS = 8, /* of one path */
    LAB_MTU = 1500,
    LAB_PORT = 5001,
    LAB_WHY = 256,
    LAB_CC_SIZE = 16,
    LAB_SHA256_BYTES = 32,
};

/* The buffers of a kernel end. They hold as many bytes of the stream as Hawser's default ones do: the kernel counts its
 * bookkeeping as well, and so offers about half of a receive buffer as window. */
#define LAB_KERNEL_RMEM_MAX "12582912"
#define LAB_KERNEL_WMEM_MAX "8388608"

enum lab_stack { LAB_HAWSER, LAB_KERNEL };

/* The two ends, and thereby the two directions of a path: the one that leaves an end has its number. */
enum lab_side { LAB_CLIENT, LAB_SERVER, LAB_SIDES };

struct lab_cut {
    uint64_t from_ns, until_ns; /* since the client's connect call; UINT64_MAX: for good */
};

struct lab_path {
    struct impair_config config; /* of either direction */
    struct lab_cut cuts[LAB_CUTS];
    unsigned cut_count;
};

struct lab_end_options {
    enum lab_stack stack;
    bool tcp; /* plain TCP */
};

struct lab_options {
    struct lab_path paths[LAB_PATHS];
    unsigned path_count;
    struct lab_end_options ends[LAB_SIDES];
    enum lab_side sender;
    enum lab_side homes; /* the end with an address per path */
    uint64_t bytes;      /* 0: as many as fit into time_ns */
    uint64_t time_ns;
    uint64_t timeout_ns;
    uint64_t seed;
    const char *pcap_dir; /* NULL: no captures */
    /* What the ends are instead of one that streams: shell commands, of both or of none. Their stack is the kernel's,
     * until they start another. */
    const char *commands[LAB_SIDES];
    char cc[LAB_CC_SIZE];
    bool checksum; /* ask for DSS checksums */
    bool ipv6, json, direct, in_process, fallback, no_verify, zero_copy;
};

/* What the emulator did to one direction of a path. */
struct lab_lane {
    _Atomic uint64_t bytes, packets; /* delivered */
    _Atomic uint64_t drops_queue, drops_loss, drops_cut;
    _Atomic uint64_t queue_bytes, queue_peak_bytes;
};

/* The TCP payload that the paths brought from one end, all connections and repetitions together. */
struct lab_payload {
    _Atomic uint64_t bytes;
    _Atomic uint64_t first_ns, last_ns, longest_gap_ns; /* first_ns 0: none yet */
};

enum lab_phase {
    LAB_STARTING,
    LAB_WAITING, /* the server listens, the client connects */
    LAB_STREAMING,
    LAB_CLOSING, /* the stream went through; its end is being agreed on */
    LAB_FINISHED,
};

struct lab_progress {
    _Atomic uint64_t bytes; /* sent to the stack or received from it */
    _Atomic uint32_t phase; /* enum lab_phase */
};

/* One anonymous mapping that all processes of a run share. */
struct lab_shared {
    _Atomic uint64_t start_ns; /* the client's connect call; 0: not yet */
    _Atomic bool stop;         /* the run is over: whoever sees it ends */
    struct lab_progress ends[LAB_SIDES];
    struct lab_lane lanes[LAB_PATHS][LAB_SIDES];
    _Atomic bool path_down[LAB_PATHS];
    _Atomic uint32_t subflows;             /* established, as seen on the paths */
    _Atomic uint64_t lateness_peak_ns;     /* how late the emulator was with a packet at worst */
    _Atomic uint64_t lateness_ns, on_wire; /* ... in sum, over so many packets */
    _Atomic uint64_t pcap_lost;
    struct lab_payload payload[LAB_SIDES];
};

/* What an end reports when it is done. */
struct lab_result {
    bool ok;
    char why[LAB_WHY]; /* when not ok: one line */
    bool mptcp;        /* not fallen back */
    uint32_t subflows; /* as the end itself sees them; 0: unknown */
    uint64_t bytes;    /* sent or received */
    double cpu_s;
    /* Of the receiving end: */
    uint8_t sha256[LAB_SHA256_BYTES];
    uint64_t mismatch_at; /* offset of the first wrong byte; UINT64_MAX: none */
    uint64_t first_ns, last_ns, max_gap_ns;
};

static inline uint64_t lab_get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

static inline void lab_set(_Atomic uint64_t *counter, uint64_t value)
{
    atomic_store_explicit(counter, value, memory_order_relaxed);
}

static inline void lab_set_phase(struct lab_progress *progress, enum lab_phase phase)
{
    atomic_store_explicit(&progress->phase, (uint32_t)phase, memory_order_relaxed);
}

static inline enum lab_phase lab_phase(const struct lab_progress *progress)
{
    return (enum lab_phase)atomic_load_explicit(&progress->phase, memory_order_relaxed);
}

/* For counters with one writer. */
static inline void lab_add(_Atomic uint64_t *counter, uint64_t value) { lab_set(counter, lab_get(counter) + value); }

/* Do commands run in the namespaces? */
static inline bool lab_has_commands(const struct lab_options *o) { return o->commands[LAB_CLIENT] != NULL; }

static inline const char *lab_side_name(enum lab_side side) { return side == LAB_CLIENT ? "client" : "server"; }

#endif
