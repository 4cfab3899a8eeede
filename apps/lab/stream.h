/* The sending and the receiving half of an end, whatever stack carries the bytes: what to send next and for how long,
 * what arrived, when, and whether it was right. */
#ifndef HW_APPS_LAB_STREAM_H
#define HW_APPS_LAB_STREAM_H

#include <nettle/sha2.h>

#include "lab/lab.h"
#include "lab/pattern.h"

struct sender {
    struct pattern *pattern;
    struct lab_progress *progress;
    uint64_t bytes;    /* sent */
    uint64_t limit;    /* UINT64_MAX: no limit */
    uint64_t until_ns; /* UINT64_MAX: no limit */
    bool same_block;   /* nobody looks at the bytes: spare the making of them */
};

bool sender_init(struct sender *s, const struct lab_options *o, struct lab_progress *progress);
void sender_destroy(struct sender *s);

/* The clock of a run by time starts. */
void sender_start(struct sender *s, const struct lab_options *o, uint64_t now_ns);

/* What to send next and how much of it; NULL when all is sent. */
const uint8_t *sender_next(struct sender *s, uint64_t now_ns, size_t *len);
void sender_sent(struct sender *s, size_t len);

struct receiver {
    struct pattern *pattern;
    struct lab_progress *progress;
    struct sha256_ctx sha;
    bool verify;
    uint64_t bytes, mismatch_at;
    uint64_t first_ns, last_ns, max_gap_ns;
};

bool receiver_init(struct receiver *r, const struct lab_options *o, struct lab_progress *progress);
void receiver_destroy(struct receiver *r);
void receiver_take(struct receiver *r, const uint8_t *data, size_t len, uint64_t now_ns);
void receiver_finish(struct receiver *r, struct lab_result *result);

#endif
