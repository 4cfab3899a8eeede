/* One subflow of a connection: a TCP connection, and what MPTCP keeps beside it. */
#ifndef HW_MPTCP_SUBFLOW_H
#define HW_MPTCP_SUBFLOW_H

#include "base/hash.h"
#include "base/list.h"
#include "mptcp/join_proof.h"
#include "mptcp/rx_mapping.h"
#include "tcp/tcp.h"

struct conn;

/* Where a subflow stands as part of the connection, beside its TCP state. */
enum subflow_stage {
    SUBFLOW_OPENING,
    SUBFLOW_PROVING, /* our join's third packet is out, the peer has not acknowledged it (RFC 8684 3.2) */
    SUBFLOW_JOINED,
    SUBFLOW_LEAVING, /* both directions of the connection are finished: it has until its timer fires to close */
};

/* A checksum failed, ours or the peer's (RFC 8684 3.7). */
enum fail_stage {
    FAIL_NONE,
    FAIL_ON_RESET, /* the RST says so */
    FAIL_ASKING,   /* on the only subflow, which it asks to become plain TCP, until that is answered */
};

/* What a subflow has to say to its connection, which works it off when it settles. */
enum subflow_news {
    SUBFLOW_ENDED = 1 << 0,      /* the peer's FIN arrived, in order */
    SUBFLOW_WENT_STALE = 1 << 1, /* it is stale, */
    SUBFLOW_CAME_BACK = 1 << 2,  /* or is no more: the later of the two */
    SUBFLOW_PARTED = 1 << 3,     /* both directions are closed */
    SUBFLOW_CLOSED = 1 << 4,     /* it is over */
    SUBFLOW_TRUSTED = 1 << 5,    /* a join came about, or a suspicion to nothing */
    SUBFLOW_RESTS = 1 << 6,      /* its address is away */
};

/* Of one that does not answer, or brings nothing any more. */
struct silence {
    uint64_t due_ms : 48; /* the next question; 0: there are none */
    uint64_t questions : 8;
    uint64_t brought : 1; /* payload, since it last answered a question */
};

struct subflow {
    struct tcp tcp;
    struct conn *conn;
    struct list link;       /* in conn->subflows */
    struct hash_node tuple; /* in the stack's demultiplexer */
    uint32_t id;            /* no other subflow of the connection ever has the same */
    uint8_t slot;           /* its number among the connection's subflows, below SUBFLOWS_MAX */
    uint8_t news;           /* set of enum subflow_news */
    bool bound : 1;
    bool port_chosen : 1; /* by the stack, which takes it back */
    bool join : 1;        /* came by MP_JOIN */
    bool passive : 1;     /* the peer opened it */
    bool plain : 1;       /* it is to open the connection as plain TCP: its SYN offers no MPTCP */
    bool backup_local : 1, backup_remote : 1;
    bool stale : 1; /* silent for two round trips (and 10 ms at least), or timed out, and nothing acknowledged since */
    bool carried_again : 1; /* it was given the oldest missing byte, which others had carried */
    bool bare_acks : 1;     /* it acknowledged data without an option of MPTCP */
    bool dss_seen : 1;      /* one came on it */
    bool told_why : 1;      /* the peer's RST gives a reason: it was for the subflow, not for want of the connection */
    bool closed_for_good : 1; /* the peer's RST says that it shall not be opened again (RFC 8684 3.6) */
    bool reset_with_reason : 1;
    bool row_full : 1; /* another one would be one too many, since row_full_ms at least */
    uint8_t reset_reason;
    uint8_t local_id, remote_id;
    uint8_t signals;    /* bare acknowledgements for the sake of options since anything was sent or received in order */
    uint8_t doubts;     /* how often it was asked since `doubted_ns`; 0: it answered */
    uint8_t stage;      /* enum subflow_stage */
    uint8_t fail_stage; /* enum fail_stage */
    uint32_t row_full_ms;
    struct join_proof join_proof;
    struct rx_mapping rx_mapping;
    uint64_t suspect_since_ns; /* it delivered what the peer's data level does not acknowledge; 0: no suspicion */
    uint32_t signals_snd, signals_rcv; /* how far it had come when `signals` were counted from, modulo 2^32 */
    uint64_t due_ns;                   /* its proof or MP_FAIL goes out again, or it has to be closed; or TIME_NEVER */
    union {
        uint64_t doubted_ns; /* the peer says that its address is gone, and was asked on it then; 0: never */
        uint64_t outside;    /* of one that rests, which nobody doubts: a digest of where its address was reached */
    };
    struct silence silence;
    dsn64 fail_dsn;
};

/* Which byte of the stream that begins after `idsn` a byte of the first subflow is, where the two go side by side: in
 * plain TCP, under an infinite mapping, and as long as there is a way back to these. */
static inline dsn64 dsn_of_ssn(dsn64 idsn, uint64_t ssn) { return dsn_add(idsn, ssn - SSN_ORIGIN); }

static inline struct subflow *subflow_of(struct tcp *tcp) { return HW_CONTAINER(tcp, struct subflow, tcp); }
static inline struct subflow *subflow_at(struct list *node) { return LIST_ENTRY(node, struct subflow, link); }

/* RFC 8684 3.6: why the peer resets it, if it says so. */
static inline void subflow_note_reason(struct subflow *subflow, uint8_t flags, const struct mptcp_options *mp)
{
    bool reset = flags & TCP_RST && mptcp_has(mp, MPTCP_TCPRST);
    subflow->told_why |= reset;
    subflow->closed_for_good |= reset && !mp->tcprst.transient;
}

/* RFC 8684 3.3.8: of the subflow that carries it. True: it is a new one. */
static inline bool subflow_take_priority(struct subflow *subflow, bool backup)
{
    bool news = subflow->backup_remote != backup;
    subflow->backup_remote = backup;
    return news;
}

/* May it carry data? */
static inline bool subflow_usable(const struct subflow *subflow)
{
    return tcp_may_send(&subflow->tcp) && (!subflow->join || subflow->stage == SUBFLOW_JOINED);
}
/* Is it established, and does it answer? */
static inline bool subflow_alive(const struct subflow *subflow)
{
    return !subflow->stale && subflow->tcp.state >= TCPS_ESTABLISHED && subflow->tcp.state != TCPS_TIME_WAIT;
}
/* Does nothing speak against what it carries? */
static inline bool subflow_trusted(const struct subflow *subflow)
{
    return subflow_usable(subflow) && subflow_alive(subflow) && !subflow->suspect_since_ns;
}
/* Is its handshake under way? */
static inline bool subflow_opening(const struct subflow *subflow)
{
    return subflow->tcp.state == TCPS_SYN_SENT || subflow->tcp.state == TCPS_SYN_RECEIVED;
}

/* Something happened to its TCP. */
void subflow_note(struct subflow *subflow, enum tcp_event event);
static inline unsigned subflow_take_news(struct subflow *subflow)
{
    unsigned news = subflow->news;
    subflow->news = 0;
    return news;
}
/* The join has proved itself, and both ends know. */
static inline void subflow_joined(struct subflow *subflow)
{
    subflow->stage = SUBFLOW_JOINED;
    subflow->due_ns = TIME_NEVER;
    subflow->news |= SUBFLOW_TRUSTED;
}
/* No suspicion is left. */
static inline void subflow_acquit(struct subflow *subflow)
{
    if (subflow->suspect_since_ns)
        subflow->news |= SUBFLOW_TRUSTED;
    subflow->suspect_since_ns = 0;
}
/* It does not answer, or answers again. */
void subflow_set_stale(struct subflow *subflow, bool stale);

/* Is this byte of the stream outstanding on it, or the rest of its mapping? */
bool subflow_holds(const struct subflow *subflow, dsn64 at);
/* The data that a transmit record of its maps; 0 bytes when it maps none. */
uint32_t subflow_record_data(const struct tx_record *record, dsn64 *from);

/* Bytes below `una`, which the peer has from other subflows, and which this one cannot let go of (RFC 8684 3.3.2), as
 * far as they are the oldest it holds. */
uint64_t subflow_lagging_bytes(const struct subflow *subflow, dsn64 una);

/* When the last keepalive should have been answered, of one whose address is in doubt. */
uint64_t subflow_doubt_due(const struct subflow *subflow);
/* When the next question to one that is silent is due, or TIME_NEVER. */
uint64_t subflow_question_due(const struct subflow *subflow);
uint64_t subflow_next_judgement(const struct subflow *subflow);
/* The earliest time at which subflow_judge(), or whoever doubts or asks it, may have something to say, or TIME_NEVER.
 */
static inline uint64_t subflow_judge_due(const struct subflow *subflow)
{
    bool any = subflow->suspect_since_ns || subflow->doubts || subflow->silence.due_ms ||
               rx_mapping_has_term(&subflow->rx_mapping);
    return any ? subflow_next_judgement(subflow) : TIME_NEVER;
}

enum subflow_verdict {
    SUBFLOW_FINE,
    SUBFLOW_UNMAPPED,  /* payload waits in vain for its mapping */
    SUBFLOW_CONVICTED, /* suspected long enough, and guilty unless it is the only one to be trusted */
    SUBFLOW_HOARDING,  /* a mapping that was begun keeps scarce memory waiting for its rest */
};
/* What a middlebox or the peer did to it cannot be mended here (RFC 8684 3.7). */
enum subflow_verdict subflow_judge(struct subflow *subflow, uint64_t now_ns);
/* Looks whether payload waits for its mapping. */
void subflow_note_unmapped(struct subflow *subflow, uint64_t now_ns);

/* RFC 8684 3: may a bare acknowledgement carry options that are no answer to anything? No more than two in a row, lest
 * a middlebox takes them for duplicates that tell of a loss. */
bool subflow_may_signal(const struct subflow *subflow);
/* How many are in a row. */
unsigned subflow_signals(const struct subflow *subflow);
void subflow_count_signal(struct subflow *subflow);
/* A row that is full ends after so long as well: what was lost before it was sent again long since. Without that an
 * idle connection would never tell of a third change. */
#define SIGNAL_ROW_NS (30 * NS_PER_S + NS_PER_MS) /* half a minute, whatever of a millisecond it began in */
void subflow_end_row(struct subflow *subflow, uint64_t now_ns);
/* When it may signal, as far as is known: `now_ns`, or when its row ends. */
uint64_t subflow_signal_due(const struct subflow *subflow, uint64_t now_ns);

/* ---- its end ---- */

/* Resets it and says why (RFC 8684 3.6); `error` is what its connection learns if it was the last. */
void subflow_reset(struct subflow *subflow, uint8_t reason, int error, uint64_t now_ns);
/* The same for one that a middlebox made useless. The bytes are acknowledged on the subflow already, so it must go, or
 * its peer would wait for ever; other subflows carry them again (RFC 8684 3.7). */
void subflow_give_up(struct subflow *subflow, enum counter cause, uint64_t now_ns);
/* Was it reset by us for good (RFC 8684 3.6), and not only for want of room here? */
bool subflow_is_useless(const struct subflow *subflow);
/* Both streams are over. A path that is dead by then must not keep alive what is; unless no other has told the peer so
 * yet. */
void subflow_say_good_bye(struct subflow *subflow, uint64_t now_ns);

/* ---- its timer, and options ---- */

/* Repeats a join's third packet (RFC 8684 3.2), or an MP_FAIL (3.7), until that is answered. */
void subflow_insist(struct subflow *subflow, uint64_t now_ns);
/* It was due. `farewell`: the peer knows that all is over. */
void subflow_on_timer(struct subflow *subflow, bool farewell, uint64_t now_ns);

/* MP_JOIN, where it is due. */
void subflow_write_join(const struct subflow *subflow, const struct identity *id, bool syn, struct mptcp_options *mp);
void subflow_write_fail(const struct subflow *subflow, struct mptcp_options *mp);
/* What a RST says. */
void subflow_write_reset(const struct subflow *subflow, struct mptcp_options *mp);

#endif
