/*
 * One direction of an imperfect path, as pure arithmetic: a transmitter of a given rate behind a drop-tail queue, then
 * a wire with delay, loss, jitter and reordering. It holds handles of packets, not packets, and is told the time, so
 * the same seed and the same calls give the same fates.
 */
#ifndef HW_LINK_IMPAIR_H
#define HW_LINK_IMPAIR_H

#include <stdbool.h>
#include <stdint.h>

#include <hawser/env.h>

#include "base/prng.h"

/* A share of packets, in millionths. */
#define IMPAIR_ALL UINT32_C(1000000)

/* A reordered packet comes this much later than it should, and an eighth of the delay more. */
#define IMPAIR_DETOUR_NS UINT64_C(1000000)

/* Neither delay nor jitter may be longer. */
#define IMPAIR_TIME_MAX_NS UINT64_C(3600000000000)

struct impair_config {
    uint64_t rate_bps;     /* bits of IP packets a second; 0: no limit, so that nothing ever queues */
    uint64_t delay_ns;     /* of the wire */
    uint64_t jitter_ns;    /* each packet takes up to this much longer, uniformly; later ones may overtake it */
    uint64_t queue_bytes;  /* waiting or in transmission; one packet always fits; 0: no limit */
    uint32_t loss_ppm;     /* lost on the wire: they had used up their share of the rate */
    uint32_t reorder_ppm;  /* overtaken by later ones */
    uint32_t packet_limit; /* packets inside at once, queued or on the wire; at least 1 */
};

enum impair_entry {
    IMPAIR_TAKEN,
    IMPAIR_QUEUE_FULL,
    IMPAIR_DOWN,     /* the path is cut */
    IMPAIR_TOO_MANY, /* packet_limit */
};

enum impair_exit {
    IMPAIR_NOTHING, /* nothing leaves now */
    IMPAIR_DELIVER,
    IMPAIR_LOST,
    IMPAIR_CUT, /* it would have arrived while the path is cut */
};

struct impair_packet {
    uint64_t at_ns, order;
    void *handle;
    bool lost;
};

/* A packet that is not wholly transmitted yet. */
struct impair_queued {
    uint64_t end_ns;
    uint32_t len;
};

struct impair {
    struct impair_config config;
    const struct hawser_env *env;
    struct prng rng;
    bool down;

    uint64_t busy_until_ns; /* when the transmitter will have sent all it has */
    uint64_t remainder;     /* of the last division by the rate, so that rounding does not add up */

    struct impair_queued *queue; /* ring of packet_limit */
    uint32_t queue_first, queue_count;
    uint64_t queue_bytes, queue_peak_bytes;

    struct impair_packet *heap; /* everything inside, by time of arrival */
    uint32_t count;
    uint64_t next_order;
};

/* Memory comes from `env` (borrowed). Returns 0, -EINVAL for an impossible configuration, or -ENOMEM. */
int impair_init(struct impair *im, const struct hawser_env *env, const struct impair_config *config, uint64_t seed);

/* Forgets what is inside: the handles stay the caller's. */
void impair_destroy(struct impair *im);

/* Cuts the path or restores it. What is inside keeps moving and is dropped at the far end while the path is cut. */
void impair_set_down(struct impair *im, bool down);

/* A packet of `len` bytes enters at `now_ns`, which never goes back. Only IMPAIR_TAKEN keeps the handle. */
enum impair_entry impair_push(struct impair *im, uint64_t now_ns, void *handle, uint32_t len);

/* When the next packet leaves; UINT64_MAX: none is inside. */
uint64_t impair_next_time(const struct impair *im);

/* Takes out the earliest packet that leaves by `now_ns`, and says what became of it. */
enum impair_exit impair_pop(struct impair *im, uint64_t now_ns, void **handle);

/* Takes out any packet, for cleaning up; NULL when none is left. */
void *impair_drain(struct impair *im);

/* Bytes waiting or in transmission at `now_ns`. */
uint64_t impair_backlog(struct impair *im, uint64_t now_ns);

#endif
