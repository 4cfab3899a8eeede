/* The TCP option area: parsing, and the planner that fits what we want to say into 40 bytes. */
#ifndef HW_WIRE_TCP_OPTIONS_H
#define HW_WIRE_TCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/seq.h"
#include "wire/mptcp_options.h"

enum { TCP_SACK_MAX = 4, TCP_FASTOPEN_COOKIE_MAX = 16 };

struct sack_block {
    seq32 start, end; /* [start, end) */
};

enum tcp_option_bit {
    TCP_OPT_MSS = 1u << 0,
    TCP_OPT_WSCALE = 1u << 1,
    TCP_OPT_SACK_PERMITTED = 1u << 2,
    TCP_OPT_SACK = 1u << 3,
    TCP_OPT_TIMESTAMPS = 1u << 4,
    TCP_OPT_FASTOPEN = 1u << 5,
    TCP_OPT_USER_TIMEOUT = 1u << 6,
};

struct tcp_options {
    uint16_t present; /* TCP_OPT_... */
    uint16_t mss;
    uint16_t user_timeout; /* RFC 5482 3.3, as on the wire: user_timeout_decode() */
    uint8_t wscale;        /* as on the wire; RFC 7323 2.3: above 14 means 14 */
    uint8_t sack_count;
    uint8_t fastopen_len; /* cookie bytes; 0: a request (RFC 7413) */
    struct sack_block sack[TCP_SACK_MAX];
    uint32_t ts_val, ts_ecr;
    uint8_t fastopen[TCP_FASTOPEN_COOKIE_MAX];
    struct mptcp_options mp;
    uint8_t malformed; /* options skipped because their length made no sense */
};

/* Clears the present bits and counts only: cheap enough for each packet. */
static inline void tcp_options_clear(struct tcp_options *o)
{
    o->present = 0;
    o->sack_count = 0;
    o->malformed = 0;
    o->mp.present = 0;
}

/*
 * Reads the option area of `len` bytes (header_len - 20) of a segment with these TCP flags into `o` (cleared first).
 * Unknown kinds are skipped; an option whose length is wrong for its kind is skipped and counted in `malformed`; a
 * length that runs past the area ends the parse (RFC 9293 3.1, MUST-64, MUST-7: never a crash or a loop). MSS, window
 * scale, SACK-permitted and fast open count only with SYN, SACK only without; a user timeout of 0 never (RFC 5482 3.4).
 */
void tcp_options_parse(const uint8_t *p, size_t len, uint8_t tcp_flags, struct tcp_options *o);

/*
 * Decides what of `want` fits into 40 bytes and writes it to `p`, padded with NOP to a multiple of 4 (each option or
 * pair aligned as hosts usually do: NOP NOP TS, NOP NOP SACK). Returns the length, 0 to 40. What was written is set in
 * *sent: `sent->present`, `sent->sack_count`, `sent->mp.present` and the widths chosen for DSS; `sent` may be `want`.
 *
 * Priority, highest first: MSS, wscale, SACK-permitted, timestamps; MP_CAPABLE or MP_JOIN; MP_FASTCLOSE; MP_TCPRST;
 * DSS; MP_FAIL; fast open; MP_PRIO; ADD_ADDR; REMOVE_ADDR; MP_EXPERIMENTAL; user timeout; SACK blocks in what is
 * left, as many as fit. A DSS with has_ack, unless ack_stays_64, narrows its DATA_ACK to 32 bits (the low half) when
 * that makes room for an ADD_ADDR, REMOVE_ADDR or one more SACK block that would not fit otherwise. An ADD_ADDR that
 * does not fit even so is left out, never cut. The mapping of a DSS is never narrowed or dropped.
 */
size_t tcp_options_plan(uint8_t p[40], const struct tcp_options *want, struct tcp_options *sent);

/* The option's value for a time: whole seconds or, beyond 32,767 of them, whole minutes, rounded up. 0: it is 0, or
 * longer than 32,767 minutes. */
uint16_t user_timeout_encode(uint64_t ns);
uint64_t user_timeout_decode(uint16_t value);

/* Would all MPTCP options of `want` leave, a DATA_ACK narrowed or not? */
bool tcp_options_fit(const struct tcp_options *want);

#endif
