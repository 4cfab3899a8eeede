/*
 * A path that went silent while others go on. Its retransmission timeout doubles, ours or the peer's (RFC 6298 5.5), so
 * that a path that comes back after two seconds lies idle for one or two more. A bare question twice a second costs
 * nothing and finds out: what waits here is sent again at once; where it is the peer that waits, and we opened the
 * subflow, a new one takes its place.
 */
#ifndef HW_MPTCP_SILENCE_H
#define HW_MPTCP_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counters.h"
#include "base/list.h"

struct subflow;
struct tcp_segment;

/* Questions of all subflows of a stack in a second. */
struct silence_budget {
    uint64_t second_ns; /* which began then */
    uint32_t asked;     /* in it */
    uint32_t most;
};

/* For a stack of so many connections at most. */
void silence_budget_init(struct silence_budget *budget, uint32_t connections);

/* It does not answer, and another one is there. */
void silence_begin(struct subflow *subflow, uint64_t now_ns);
/* Payload came on it, or it acknowledged what was outstanding. */
void silence_end(struct subflow *subflow, bool brought);

/* Payload came on the connection: which of the subflows that we opened brought some before, and bring none now? */
void silence_look(struct list *subflows, uint64_t now_ns);
/* Asks those whose turn it is, as far as the budget goes; a question that it holds back was never asked. */
void silence_ask(struct list *subflows, struct silence_budget *budget, struct counters *counters, uint64_t now_ns);
/* A segment came on it. If that answers a question, and two before it had no answer, the path is back. */
void silence_note_answer(struct list *subflows, struct subflow *subflow, const struct tcp_segment *segment,
                         uint64_t now_ns);

#endif
