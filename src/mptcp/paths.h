/* The addresses of both ends and what they were told of them (RFC 8684 3.4). */
#ifndef HW_MPTCP_PATHS_H
#define HW_MPTCP_PATHS_H

#include "mptcp/addresses.h"
#include "wire/mptcp_options.h"

#define ANNOUNCE_TRIES_MAX 5
/* Joins that the peer's announcements may make us try in the life of a connection. */
#define ANNOUNCED_JOINS_MAX 16

/* An address of ours to be announced until the peer echoes it. */
struct announcement {
    uint8_t id;
    uint8_t tries;
    bool echoed;
    struct hawser_addr addr;
};

struct paths {
    struct hawser_addr local, remote; /* of the first subflow */
    struct addresses remote_addresses;
    uint8_t announced_joins;
    struct announcement announcements[ADDRESSES_MAX];
    uint8_t announcement_count;
    bool announce_now;             /* the next bare segment carries one of them */
    struct mp_remove_addr removed; /* addresses of ours that are gone: IDs the peer has not been told */
    uint8_t removed_tells;         /* segments that still carry them */
    struct mp_add_addr echo;
    bool echo_wanted;
};

#endif
