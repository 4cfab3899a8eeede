/* ICMP errors about TCP segments of ours (RFC 792, 1191, 1812 5.2.7, 4443 3), read. */
#ifndef HW_WIRE_ICMP_ERROR_H
#define HW_WIRE_ICMP_ERROR_H

#include "base/seq.h"
#include "wire/ip.h"

enum icmp_kind {
    ICMP_TOO_BIG,            /* fragmentation needed and DF set; packet too big */
    ICMP_NO_NETWORK,         /* no route, or none of that kind; a source route failed */
    ICMP_NO_HOST,            /* it does not answer, or is out of scope */
    ICMP_NO_PROTOCOL,        /* it has no TCP */
    ICMP_NO_PORT,            /* nobody listens there, or a filter says so */
    ICMP_PROHIBITED_NETWORK, /* filters: RFC 1812's codes for a network, */
    ICMP_PROHIBITED_HOST,    /* for a host and for any communication, */
    ICMP_PROHIBITED,         /* and RFC 4443's */
    ICMP_TIME_EXCEEDED,
    ICMP_PARAMETER_PROBLEM,
    ICMP_KINDS
};

struct icmp_error {
    enum icmp_kind kind;
    uint32_t mtu;                     /* that a packet which is too big would have to keep to; 0: it does not say */
    struct hawser_addr local, remote; /* source and destination of the segment, with its ports */
    seq32 seq;
    uint32_t packet_len; /* of the whole packet, as its header says */
};

enum icmp_result {
    ICMP_ERROR,
    ICMP_OTHER,     /* no error, or not about TCP: none of our business */
    ICMP_MALFORMED, /* shorter than it must be, or what it quotes is impossible */
    ICMP_BAD_CHECKSUM,
};

/* Reads the ICMP or ICMPv6 message of `ip->payload_len` bytes at `p`, as the header `ip` of its packet says. */
enum icmp_result icmp_error_parse(const uint8_t *p, const struct ip_header *ip, struct icmp_error *out);

/* RFC 1191 5 and 7: the MTU of the kind of network that may stand behind a router that names none. */
uint32_t icmp_plateau_below(uint32_t packet_len);

#endif
