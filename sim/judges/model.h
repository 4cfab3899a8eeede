/*
 * What the judges know of each host: its connections and subflows, from nothing but the packets that crossed its
 * interfaces. Sequence numbers are relative (the SYN has 0) and 64 bits long; stream offsets likewise (the IDSN has 0).
 * Where a packet can be read in more than one way, or a table is full, the subflow or connection is no longer judged.
 */
#ifndef HW_SIM_JUDGES_MODEL_H
#define HW_SIM_JUDGES_MODEL_H

#include "sim/host.h"
#include "sim/judges/decode.h"
#include "sim/judges/maps.h"
#include "sim/judges/spans.h"
#include "sim/stage.h"

/* Beyond these a new subflow is not judged. */
#define JUDGE_SUBFLOWS_MAX 8192u
#define JUDGE_BUCKETS 1024u
/* Bytes of a stream kept to compare retransmissions with, at most; and of all streams. */
#define JUDGE_BYTES_MIN 4096u
#define JUDGE_BYTES_MAX (UINT32_C(16) << 20)
#define JUDGE_BYTES_TOTAL (UINT64_C(512) << 20)

struct judges;
struct judge_host;

struct judge_key {
    bool known;
    uint64_t key, idsn;
    uint32_t token;
};

/* A connection as one host sees it. */
struct judge_conn {
    struct list link; /* in the host's */
    struct judge_host *at;
    unsigned subflows, alive;       /* in the table; not over yet */
    bool offered;                   /* the first SYN had MP_CAPABLE */
    bool speaks;                    /* this host sent MPTCP options after its SYN */
    bool fallen;                    /* and then data without: it fell back to plain TCP */
    bool heard_dss;                 /* a DSS, or MP_CAPABLE with data, was delivered */
    bool wants_checksums[2];        /* flag A of this host's SYN or SYN/ACK, of the peer's */
    bool peer_answered;             /* with MP_CAPABLE */
    struct judge_key local, remote; /* by their MP_CAPABLE */

    /* what it sent */
    uint64_t data_max;  /* one past the highest byte */
    uint64_t data_edge; /* right edge of the peer's window, as delivered */
    uint8_t *bytes;     /* a ring: byte `at` at at % bytes_size */
    uint32_t bytes_size;
    uint64_t bytes_from; /* those below are not there */
    uint64_t data_acked; /* highest DATA_ACK delivered */
    uint64_t data_fin;   /* number of its DATA_FIN; 0: none sent */
    uint64_t plain_lead; /* once fallen: how far stream offsets are ahead of subflow sequence numbers, modulo 2^64 */
    bool stream_blind;   /* which bytes of the stream it sends cannot be told */

    /* what was delivered to it */
    struct spans data;
    bool data_blind; /* and cannot be told */

    /* what it promised */
    uint64_t data_ack, window_edge;
    bool window_known;
    uint64_t causes; /* packets that call for an acknowledgement */
};

/* A mapping with a DSS checksum, `fin` not counted among its bytes. */
struct judge_sum {
    uint64_t data, len;
    uint32_t ssn;
    uint16_t checksum;
    bool fin;
};

struct judge_subflow {
    struct judge_subflow *next; /* in its bucket */
    struct list link;           /* in the host's, oldest first */
    struct hawser_addr local, remote;
    struct judge_conn *conn;
    bool opened; /* by this host */
    bool join;
    bool blind; /* not judged */
    bool over;  /* closed or reset */

    /* what it sent */
    bool iss_known;
    uint32_t iss;
    uint64_t sent_max; /* one past the highest sequence number */
    uint64_t fin_end;  /* one past the FIN; 0: none sent */
    bool reset;        /* a RST was sent */
    bool has_scale;
    uint8_t scale; /* of its own windows */
    struct maps sent_maps;
    struct judge_sum sum;        /* of the last mapping */
    bool sum_waits, sum_checked; /* for bytes that have not left; it was right */

    /* what was delivered */
    bool irs_known;
    uint32_t irs;
    struct spans arrived;
    bool peer_fin;
    bool syn_varies; /* it came more than once, with other options */
    bool refused;    /* it was answered by a RST so far */
    uint16_t syn_mptcp;
    bool peer_has_scale, peer_has_mss, peer_timestamps;
    uint8_t peer_scale;
    uint16_t peer_mss;
    uint64_t acked;     /* highest acknowledgement */
    uint64_t peer_edge; /* right edge of the peer's window */
    struct maps heard_maps;
    bool proof_sent, proved; /* MP_JOIN's third packet is out; the answer arrived, or the third packet itself */

    /* what it promised */
    uint64_t ack_max, window_edge;
    bool window_known;

    /* for single rules */
    bool timestamps_sent, ts_known;
    uint32_t ts_val;
    unsigned signals; /* acknowledgements for signalling only, in a row */
    uint64_t last_sent_ack, last_sent_seq, last_sent_ns;
    uint16_t last_window;
    uint64_t ack_credit, credit_ns, causes_seen;
};

struct judge_host {
    struct tap tap;
    struct host *host;
    struct judges *all;
    const struct host_spec *spec;
    struct list subflows, conns;
    struct judge_subflow *buckets[JUDGE_BUCKETS];
    unsigned count;
    uint64_t memory_limit;
};

struct judges {
    struct watcher watcher;
    struct stage *stage;
    struct world *world;
    struct judge_host **hosts; /* as the stage's */
    size_t host_count;
    uint64_t bytes_held;
};

/* ---- model.c ---- */
void model_add_host(struct judge_host *at, struct judges *all, struct host *host);
void model_remove_host(struct judge_host *at);

/* The subflow of a packet the host sends; a SYN begins one. NULL: none that is judged. */
struct judge_subflow *model_sending(struct judge_host *at, const struct seen *seen);
void model_sent(struct judge_subflow *subflow, const struct seen *seen);

/* The subflow can no longer be followed: it is not judged, nor is what its connection acknowledges. */
void model_blind(struct judge_subflow *subflow);

/* Takes a delivered packet in; its subflow or NULL. */
struct judge_subflow *model_delivered(struct judge_host *at, const struct seen *seen);

/* Frees what retransmissions are compared with. */
void model_drop_bytes(struct judge_conn *conn);

/* ---- tidings.c: what delivered packets say about data ---- */
void tidings_take(struct judge_subflow *subflow, const struct seen *seen);

/* ---- sequence numbers ---- */

/* The 64-bit number nearest to `near` whose low half is `low`; 0 when that would be negative. */
static inline uint64_t unwrap(uint32_t low, uint64_t near)
{
    int64_t at = (int64_t)near + (int32_t)(low - (uint32_t)near);
    return at < 0 ? 0 : (uint64_t)at;
}

static inline uint64_t sent_seq(const struct judge_subflow *s, uint32_t seq)
{
    return unwrap(seq - s->iss, s->sent_max);
}

/* In the peer's sequence space: segments delivered and acknowledgements sent. */
static inline uint64_t peer_seq(const struct judge_subflow *s, uint32_t seq)
{
    return unwrap(seq - s->irs, s->arrived.next);
}

/* First byte of payload: a SYN comes before it. */
static inline uint64_t payload_start(const struct judge_subflow *s, const struct seen *seen)
{
    return sent_seq(s, seen->seq) + !!(seen->flags & SEEN_SYN);
}

/* RFC 7323 2.2: scaled when both SYNs had the option, and never on a SYN. */
static inline unsigned own_scale(const struct judge_subflow *s)
{
    return s->has_scale && s->peer_has_scale ? s->scale : 0;
}
static inline unsigned peer_scale(const struct judge_subflow *s)
{
    return s->has_scale && s->peer_has_scale ? s->peer_scale : 0;
}

/* A DATA_ACK or DSN of the stream whose IDSN is `key`'s, as an offset. */
static inline uint64_t stream_offset(const struct judge_key *key, uint64_t number, bool is_64, uint64_t near)
{
    return is_64 ? number - key->idsn : unwrap((uint32_t)number - (uint32_t)key->idsn, near);
}

/* The mapping a segment declares, offsets in `key`'s stream. False: none, or of nothing but the DATA_FIN. */
bool model_mapping(const struct seen *seen, const struct judge_key *key, uint64_t near_ssn, uint64_t near_data,
                   struct map *out);

/* Options that signal anything but a DSS (RFC 8684 5.1). MP_FAIL is left out: the stream stands still until it is
 * answered, so that it is repeated like a join's third packet. */
#define SIGNAL_OPTIONS (1u << SEEN_ADD_ADDR | 1u << SEEN_REMOVE_ADDR | 1u << SEEN_PRIO)

void judge_says(const struct judge_subflow *subflow, const char *rule, const char *format, ...) HW_PRINTF(3, 4);

#endif
