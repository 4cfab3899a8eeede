/*
 * TIME-WAIT (RFC 9293 3.6): what is kept of a subflow that is over, for the late segments of its peer; and of one whose
 * connection was aborted, for a peer that did not hear that. A record is small, has a limit of its own and is no part
 * of a connection; at the limit the oldest makes way.
 */
#ifndef HW_STACK_TIME_WAIT_H
#define HW_STACK_TIME_WAIT_H

#include "base/hash.h"
#include "base/list.h"
#include "base/pool.h"
#include "base/seq.h"
#include "stack/ports.h"
#include "tcp/tcp.h"

/* Acknowledgements that wait for the next output; for the others the peer asks again. */
#define TIME_WAIT_ANSWERS_MAX 64

struct time_wait {
    struct hash_node tuple;
    struct list age; /* among all, the oldest first */
    uint64_t until_ns;
    union {
        dsn64 data_ack;
        uint64_t peer_key; /* of one that was aborted */
    };
    struct hawser_addr local, remote;
    seq32 snd_nxt, rcv_nxt;
    uint32_t ts_recent, ts_offset;
    uint32_t challenged_ms; /* when something that was not acceptable was last acknowledged */
    uint16_t window;        /* its field, and how far that is scaled */
    uint8_t wscale;
    uint8_t link; /* by which its segments come, or TCP_NO_LINK: by the one that has its address now */
    bool timestamps : 1;
    bool owing : 1;       /* it has an acknowledgement to send */
    bool port_chosen : 1; /* it holds its local port in `ports` */
    bool mptcp : 1;       /* and its stream ended: acknowledgements carry the DATA_ACK */
    bool aborted : 1;     /* and not closed: its late segments are refused */
};

struct time_waits {
    struct tcp_host *host;
    struct ports *ports;
    struct pool pool;
    struct hash_table tuples;
    struct list by_age;
    struct deadline timer; /* of the oldest */
    struct time_wait *owing[TIME_WAIT_ANSWERS_MAX];
    uint32_t owing_count;
};

/* At most `limit` records. The host's deadline queue has room reserved for one node. Returns 0 or -ENOMEM. */
int time_waits_init(struct time_waits *t, struct tcp_host *host, struct ports *ports, uint32_t limit);
void time_waits_destroy(struct time_waits *t);

struct time_wait *time_waits_find(const struct time_waits *t, const struct hawser_addr *local,
                                  const struct hawser_addr *remote);

/* Keeps a copy of `record`, of which addresses, numbers and options are set, for twice the maximum segment lifetime.
 * False: there is no memory. */
bool time_waits_add(struct time_waits *t, const struct time_wait *record, uint64_t now_ns);
void time_waits_remove(struct time_waits *t, struct time_wait *record);
/* That link goes. Its records wait for their addresses, which may come back elsewhere; those of a door end. */
void time_waits_lose_link(struct time_waits *t, uint8_t link, bool door);

/* A SYN without ACK arrived: may a new connection take over (RFC 6191 2)? */
bool time_wait_yields(const struct time_wait *record, const struct tcp_segment *syn);
/* Any other segment, or a SYN that nobody takes up, of one that was closed. The record may be gone afterwards. */
void time_waits_input(struct time_waits *t, struct time_wait *record, const struct tcp_segment *segment,
                      uint64_t now_ns);

/* The next that has to send an acknowledgement, or NULL; it has none to send any more. */
const struct time_wait *time_waits_next_owing(struct time_waits *t);
void time_wait_write(const struct time_wait *record, uint8_t link, struct hawser_tx *tx, uint64_t now_ns);

#endif
