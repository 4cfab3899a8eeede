/*
 * All subflows of a connection: questions that one of them cannot answer. `subflows` is a list of struct subflow, by
 * `link`. It knows no connection.
 */
#ifndef HW_MPTCP_SUBFLOWS_H
#define HW_MPTCP_SUBFLOWS_H

#include "mptcp/data_rx.h"
#include "mptcp/data_tx.h"
#include "mptcp/subflow.h"

/* Most that any connection may have, and how many it has where nobody says otherwise. */
#define SUBFLOWS_MAX 32
#define SUBFLOWS_DEFAULT 8

/* A slot that none of them has; SUBFLOWS_MAX when all are taken. */
uint8_t subflows_free_slot(const struct list *subflows);
/* Those that are taken, as a bit set. */
uint32_t subflows_slots(const struct list *subflows);
/* How many are not closed. */
unsigned subflows_alive(const struct list *subflows);
/* Has any of them something to say? */
bool subflows_have_news(const struct list *subflows);
/* Is every one closed? */
static inline bool subflows_closed(const struct list *subflows) { return subflows_alive(subflows) == 0; }
/* Can none of them bring more data? */
bool subflows_stranded(const struct list *subflows);
/* Is none left but joins that have not proved themselves, if any, and those that rest? */
bool subflows_lost(const struct list *subflows);
/* Did any byte of the stream come on one that is left? */
bool subflows_brought(const struct list *subflows);
/* Does the peer's keepalive wait for an answer on any? */
bool subflows_asked(const struct list *subflows);
/* Is every one closed, or in TIME-WAIT? */
bool subflows_over(const struct list *subflows);
/* The error when they have been silent for too long: what a router said last, or a timeout. */
int subflows_silence(const struct list *subflows);
/* The longest of their smoothed round trips. */
uint64_t subflows_slowest_ns(const struct list *subflows);
/* In plain TCP, of the only one there is: has the peer acknowledged the FIN? */
bool subflows_fin_acked(const struct list *subflows);
/* Is there another one that may carry data? One that is opening may never come to be. */
bool subflows_have_other(const struct list *subflows, const struct subflow *leaving);
/* And does nothing speak against it, so that it can carry on? */
bool subflows_have_successor(const struct list *subflows, const struct subflow *leaving);
/* RFC 8684 3.3.3: a subflow's FIN says nothing of the connection. It is answered when another one can carry on. */
void subflows_answer_fins(struct list *subflows, uint64_t now_ns);
/* When the first of them is due, or to be judged; or: they have something to say. */
#define SUBFLOWS_HAVE_NEWS 0
uint64_t subflows_due(const struct list *subflows);

/* As the timer of the outgoing stream and a coupled congestion controller see them. */
struct tx_paths subflows_tx_paths(const struct list *subflows, bool committed);
size_t subflows_siblings(const struct list *subflows, struct hawser_sibling *out, size_t max);

/* Is this byte outstanding on one that answers, and that nothing speaks against? */
bool subflows_carry(const struct list *subflows, dsn64 at);
bool subflows_any_trusted(const struct list *subflows);
/* Whoever delivered the oldest missing byte, `first` or one that carried it again, comes under suspicion; when that
 * leaves nobody, it must be the peer's fault. */
void subflows_suspect(struct list *subflows, uint8_t first, uint64_t now_ns);
/* Those in the bit set alone had carried what the peer acknowledged. */
void subflows_clear(struct list *subflows, uint32_t merit);

/* ---- what all of them do ---- */

/* Looks for payload that waits for its mapping. */
void subflows_note_unmapped(struct list *subflows, uint64_t now_ns);
/* What was lost leaves again; and what each has to say by itself. */
void subflows_resend(struct list *subflows, struct tx_batch *batch, uint64_t now_ns);
void subflows_output(struct list *subflows, struct tx_batch *batch, uint64_t now_ns);
/* What is due on each. `farewell`: the peer knows that all is over. */
void subflows_run_timers(struct list *subflows, bool farewell, uint64_t now_ns);
/* Gives up those whose judgement is due, and that are found guilty. */
void subflows_judge(struct list *subflows, uint64_t now_ns);
/* Those that answer deliver nothing: they go. Those that do not may be well again one day. */
void subflows_give_up_answering(struct list *subflows, uint64_t now_ns);
/* The end of the stream leaves: in plain TCP as a FIN, else by what is said on each that is usable. */
void subflows_end(struct list *subflows, bool plain, uint64_t now_ns);
/* Asks for a DATA_ACK. */
void subflows_ask(struct list *subflows);
/* The program made room: those are told on which less was said, beside what is `promised` for all (bytes). */
void subflows_opened(struct list *subflows, uint32_t promised, struct data_rx_opening opening);
/* For somebody else's keepalive: tcp_ask() on each. False: all that could have answered left a question unanswered. */
bool subflows_ask_around(struct list *subflows, uint64_t now_ns);
/* What the peer's keepalive asked on each is answered: tcp_answer(). */
void subflows_answer(struct list *subflows, bool there, uint64_t now_ns);
/* A bare acknowledgement with what there is to say on each that is established; and with `probe`, of which the peer
 * answers whatever it has seen before. */
void subflows_signal(struct list *subflows, bool probe);
/* Both streams are over. True when a peer's acknowledgement of a FIN tells that it knows. */
bool subflows_say_good_bye(struct list *subflows, uint64_t now_ns);
void subflows_abort(struct list *subflows, int error, uint64_t now_ns);
void subflows_abort_others(struct list *subflows, const struct subflow *spared, int error, uint64_t now_ns);
/* Those from that address of ours, but for those that rest. */
void subflows_abort_from(struct list *subflows, const struct hawser_addr *local, int error, uint64_t now_ns);

#endif
