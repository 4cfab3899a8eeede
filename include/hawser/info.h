/* What a connection and its subflows are doing. */
#ifndef HAWSER_INFO_H
#define HAWSER_INFO_H

#include <hawser/socket.h>

/* Begins with its size, which the caller sets, so that it can grow. */
struct hawser_conn_info {
    size_t size;               /* sizeof(struct hawser_conn_info) */
    bool mptcp;                /* false: plain TCP, from the start or by fallback, or not connected yet */
    bool checksums;            /* DSS checksums are in use */
    uint32_t local_token;      /* 0 on plain TCP */
    uint32_t remote_token;     /* 0 on plain TCP */
    uint32_t subflows;         /* the first one, and those whose handshake is over; not closed yet */
    uint64_t sent_bytes;       /* stream bytes handed to a subflow for the first time */
    uint64_t acked_bytes;      /* stream bytes the peer acknowledged */
    uint64_t recv_bytes;       /* stream bytes received in order */
    uint64_t reinjected_bytes; /* stream bytes that left once more because they seemed lost with their path */
    uint64_t duplicate_bytes;  /* stream bytes that arrived more than once */
    const char *scheduler;     /* its name */
    uint64_t copied_bytes;     /* stream bytes that left once more because the scheduler sends copies */
    /* Why it is plain TCP; NULL on MPTCP, and before anybody knows. "wanted": the options say so; "remembered": the
     * peer spoke plain TCP a while ago; "not offered": the peer's SYN or SYN/ACK has no MP_CAPABLE; "unanswered": only
     * a SYN without it was answered; "options lost": they do not come through; "checksum failed"; "peer fell back". */
    const char *plain_why;
    /* What the peer advertised last as its user timeout (RFC 5482), whole seconds. 0: nothing; or it is not heard, as
     * this end advertises none. */
    uint64_t peer_user_timeout_ns;
};

struct hawser_subflow_info {
    size_t size; /* sizeof(struct hawser_subflow_info) */
    uint32_t id; /* its own for good: no other subflow of the connection ever has the same */
    struct hawser_addr local, remote;
    uint8_t local_id, remote_id;  /* address IDs (RFC 8684 3.2) */
    const char *state;            /* RFC 9293's name, such as "ESTABLISHED" */
    bool backup;                  /* one of both ends asked to use it only when no regular one works */
    uint32_t cwnd_bytes;          /* congestion window */
    uint32_t in_flight_bytes;     /* neither acknowledged nor deemed lost */
    uint32_t mss_bytes;           /* payload of a full segment, with the options that data carries */
    uint64_t srtt_ns, rttvar_ns;  /* RFC 6298's, of what was measured last, however long ago; 0: nothing was yet. How
                                   * long the peer held acknowledgements back is in them; outages are not */
    uint64_t min_rtt_ns;          /* the least of the last half a minute in which there were any, or a little more */
    uint64_t sent_bytes;          /* payload, each byte once, acknowledged or not */
    uint64_t recv_bytes;          /* payload, each byte once, in whatever order, as far as there was room */
    uint64_t retransmitted_bytes; /* payload that it sent again by itself, each time */
    uint64_t timeouts;            /* of its retransmission timer, in all */
    int link;                     /* the stack's, by which its packets leave */
    uint32_t peer_window_bytes;   /* that the peer offered here last: on MPTCP, of the stream as a whole */
};

/* Fills in `out`, whose size is set; fields that the library does not know become zero. Returns 0, or -EINVAL when the
 * size is less than that of any version of the struct, as where it was forgotten. */
HAWSER_API int hawser_conn_get_info(const struct hawser_conn *conn, struct hawser_conn_info *out);

/* Likewise the i-th of those subflows (0, 1, ...). Returns 0, -EINVAL, or -ENOENT past the end. */
HAWSER_API int hawser_subflow_get_info(const struct hawser_conn *conn, size_t i, struct hawser_subflow_info *out);

/* Whether the peer is asked to use the subflow with this ID only when no regular one works (RFC 8684 3.3.8); so is this
 * end's scheduler. The peer is told when that changes. Returns 0, or -ENOENT when the connection has no such subflow,
 * or speaks plain TCP. */
HAWSER_API int hawser_subflow_set_backup(struct hawser_conn *conn, uint32_t id, bool backup);

#endif
