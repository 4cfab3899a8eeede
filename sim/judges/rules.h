/*
 * The rules, in groups: one file a group. Each looks at a packet that a host sends, before the model takes it in. The
 * names that world_violation() gets are listed here.
 */
#ifndef HW_SIM_JUDGES_RULES_H
#define HW_SIM_JUDGES_RULES_H

#include "sim/judges/model.h"

/* form.c: "packet-form", "option-form", "mss". False: the packet is not worth looking at any further. */
bool form_good(const struct judge_host *at, const struct seen *seen, bool is_tcp);
void form_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns);

/* handshake.c: "capable-consistent", "checksums-agreed", "join-after-dss", "join-early-data", "path-allowed" */
void handshake_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns);

/* acks.c: "ack-honest", "ack-back", "sack-honest", "data-ack-honest", "data-ack-back" */
void acks_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns);

/* windows.c: "window-shrinks", "window-exceeded" */
void windows_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns);
/* Bytes of the stream up to `end` leave. */
void windows_data(const struct judge_subflow *s, uint64_t end);

/* mappings.c: "mapping-fixed", "mapping-applies", "mapping-missing", "bytes-fixed", "sequence-contiguous" */
void mappings_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns);

/* checksums.c: "dss-checksum" */
void checksums_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns);

/* manners.c: "fallback-final", "reset-final", "signal-acks", "ack-storm", "timestamp-back", "timestamp-agreed" */
void manners_sent(struct judge_subflow *s, const struct seen *seen, uint64_t now_ns);

/* household.c: "memory-bound", "deadline-future", "deadline-set"; at the end "teardown",
 * "stuck" and "path-given-up" */
void household_begin(struct judge_host *at);
void household_sent(const struct judge_host *at, const struct seen *seen, uint64_t now_ns);
void household_end(const struct judge_host *at);

#endif
