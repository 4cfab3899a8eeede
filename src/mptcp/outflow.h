/*
 * The outgoing stream and the subflows that carry it: which bytes leave on which of them, who must let go of what
 * (RFC 8684 3.3.2, 3.3.5, 3.3.6). It knows the stream, subflows and the scheduler, and no connection.
 */
#ifndef HW_MPTCP_OUTFLOW_H
#define HW_MPTCP_OUTFLOW_H

#include "mptcp/views.h"

/* A turn: sends of what is to go again elsewhere, of what is new, and copies, piece by piece until `budget` bytes are
 * used up or the batch is full. False when there is no more to send now. */
bool outflow_send(const struct outflow *out, int64_t budget, struct tx_batch *batch, uint64_t now_ns);

/* When outflow_on_timer() is to be called, or TIME_NEVER. */
static inline uint64_t outflow_due(const struct data_tx *tx, const struct scheduler *scheduler)
{
    return HW_MIN(data_tx_due(tx), scheduler_due(scheduler));
}
/* A timer of the stream is due, or its scheduler is to be asked again. What it says is done: questions, bytes sent
 * again, suspicion; all of a peer that is `confirmed` answer a probe. False: nobody is there. */
bool outflow_on_timer(const struct outflow *out, bool confirmed, uint64_t now_ns);

/* Is it a bare acknowledgement that tells that the peer heard what it was asked of the stream? */
void outflow_note_answer(struct data_tx *tx, const struct subflow *subflow, const struct tcp_segment *segment);

/* What is outstanding on the subflow goes to others too / no longer. */
void outflow_reinject(struct data_tx *tx, const struct subflow *subflow);
void outflow_forget_reinjection(struct data_tx *tx, const struct subflow *subflow);

/* What the peer has is kept as long as a slow subflow has not delivered it too (RFC 8684 3.3.2), beside the send
 * buffer: past half of that the subflow is reset, if another can carry on and its answer is overdue. One that has
 * nobody beside it is given no more than the buffer holds. */
void outflow_reset_laggards(struct data_tx *tx, struct list *subflows, uint64_t now_ns);

/* The first subflow, if it alone has carried all that left, once and in order: what the way back to plain TCP needs
 * (3.7). NULL otherwise. */
struct subflow *outflow_only_carrier(const struct data_tx *tx, const struct list *subflows);

#endif
