/* What a script says: how things stand when it begins, and its lines. README.md is the reference of the format. */
#ifndef HW_TESTS_SCRIPT_STORY_H
#define HW_TESTS_SCRIPT_STORY_H

#include "base/units.h"
#include "wire/tcp.h"
#include "wire/tcp_options.h"
#include "words.h"

enum { STORY_LINES_MAX = 400, STORY_TEXT_MAX = 160 };

/* RFC 9293 3.3.2; SYN-RECEIVED comes of LISTEN. */
enum story_state {
    STORY_CLOSED,
    STORY_LISTEN,
    STORY_SYN_SENT,
    STORY_SYN_RECEIVED,
    STORY_ESTABLISHED,
    STORY_FIN_WAIT_1,
    STORY_FIN_WAIT_2,
    STORY_CLOSE_WAIT,
    STORY_CLOSING,
    STORY_LAST_ACK,
    STORY_TIME_WAIT,
    STORY_STATES,
};

/* `from` and `with`. */
struct facts {
    enum story_state state;
    bool passive;              /* it was opened by the peer */
    bool sack, timestamps;     /* offered by the peer */
    bool nagle, refuses_mptcp; /* the host's: refuses, the peer does; else none is offered */
    bool only_v4, only_v6;
    uint32_t mss;           /* named by the peer; 0: so that full segments carry `segment_bytes` */
    uint32_t segment_bytes; /* payload of a full segment of the host's */
    uint32_t window;        /* the peer's, bytes */
    int wscale;             /* the peer's; -1: not offered */
    uint32_t mtu;           /* of the host's link */
    uint32_t send_buffer, recv_buffer;
    uint64_t rtt_ns; /* of the handshake */
    uint64_t tolerance_ns;
    uint64_t keepalive_idle_ns, keepalive_interval_ns, user_timeout_ns, told_user_timeout_ns;
    uint32_t keepalive_tries;
    char congestion[16];
};

/* When, by the script's clock, or since the line before. */
struct when {
    bool relative;
    uint64_t from_ns, to_ns; /* the same but for a range */
};

enum voice {
    VOICE_APP,    /* calls */
    VOICE_PEER,   /* segments that arrive */
    VOICE_ROUTER, /* ICMP errors that arrive */
    VOICE_HOST,   /* what leaves, and how the host stands */
};

enum deed {
    DEED_CONNECT,
    DEED_LISTEN,
    DEED_ACCEPT,
    DEED_SEND,
    DEED_RECV,
    DEED_SHUTDOWN,
    DEED_FINISH,
    DEED_CLOSE,
    DEED_ABORT,
    DEED_SET,
    DEED_TOLD,
    DEED_ERROR,
    DEED_SEGMENT,
    DEED_ICMP,
    DEED_NOTHING,
    DEED_ANYTHING,
    DEED_STATE,
};

struct call {
    uint32_t len;
    bool answered;   /* the script says what it returns: */
    int64_t answer;  /* a count, or a negative errno */
    uint32_t events; /* HAWSER_READABLE... */
    unsigned option; /* enum hawser_option */
    uint64_t value;  /* its */
    int error;       /* positive; 0: none */
};

/* Numbers are relative: a SYN has 0, the first byte 1. */
struct spoken {
    uint8_t flags;
    bool push_said; /* else PSH is not looked at */
    bool ack_said;
    bool offers; /* the options that `from` and `with` say of the peer's SYN */
    bool bad_checksum, multicast;
    uint16_t options; /* TCP_OPT_...: said to be there */
    uint16_t absent;  /* and said not to be */
    bool mptcp, no_mptcp;
    struct number seq, ack, len, window, urgent, mss, wscale, ts, echo, timeout;
    int ecn; /* of the IP header; -1: unsaid */
    struct number sack[TCP_SACK_MAX][2];
    uint8_t sack_count;
    uint16_t times;    /* how often */
    uint32_t step;     /* what `ack` grows by each time */
    uint64_t every_ns; /* 0: all in one batch */
    uint32_t merged;   /* bytes of the wire segments that the link put together; 0: it did not */
};

enum icmp_word {
    ICMP_WORD_TOO_BIG,
    ICMP_WORD_NETWORK,
    ICMP_WORD_HOST,
    ICMP_WORD_PORT,
    ICMP_WORD_PROHIBITED,
    ICMP_WORD_TIME_EXCEEDED,
    ICMP_WORD_SOURCE_QUENCH,
    ICMP_WORDS,
};

struct router_word {
    enum icmp_word kind;
    struct number mtu, seq;
};

struct story_line {
    unsigned number; /* in the file; 0: the way to the state in which it begins */
    struct when when;
    enum voice voice;
    enum deed deed;
    union {
        struct call call;
        struct spoken segment;
        struct router_word icmp;
        struct when until; /* DEED_NOTHING, DEED_ANYTHING */
        enum story_state state;
    };
    char text[STORY_TEXT_MAX];
};

struct story {
    const char *path;
    char rfc[STORY_TEXT_MAX];
    struct facts facts;
    struct names names; /* the first is "mss": what the host names in its SYN */
    struct story_line lines[STORY_LINES_MAX];
    unsigned count;
    unsigned begins; /* the first line of the file; those before lead to `facts.state` */
};

/* False, and stderr says which line is wrong, and how. */
bool story_read(struct story *story, const char *path);

const char *story_state_name(enum story_state state);
bool story_find_state(const char *name, enum story_state *out);

/* read_segment.c: of the words after "peer" or "host"; read_calls.c: after "app" and "router". */
bool read_segment(struct words *w, struct names *names, struct story_line *line);
bool read_call(struct words *w, struct story_line *line);
bool read_icmp(struct words *w, struct names *names, struct story_line *line);
/* read_facts.c: after "from STATE" or "with". */
bool read_facts(struct words *w, struct facts *facts);
void facts_init(struct facts *facts);

#endif
