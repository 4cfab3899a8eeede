/* IPv4 and IPv6 headers (RFC 791, RFC 8200). */
#ifndef HW_WIRE_IP_H
#define HW_WIRE_IP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <hawser/addr.h>

enum {
    IP_PROTO_ICMP = 1,
    IP_PROTO_TCP = 6,
    IP_PROTO_ICMPV6 = 58,
    IPV4_HEADER_LEN = 20,
    IPV6_HEADER_LEN = 40,
};

struct ip_header {
    struct hawser_addr src, dst; /* ports 0 */
    uint8_t protocol;            /* of the payload, past IPv6 extension headers */
    uint8_t ecn;                 /* two bits (RFC 3168) */
    uint8_t hop_limit;
    bool is_v4;
    uint16_t header_len;  /* bytes before the payload, options and extension headers included */
    uint32_t payload_len; /* bytes of payload; what follows it in the buffer is link padding */
};

/* Why a packet was not taken. */
enum ip_result {
    IP_OK,
    IP_TRUNCATED,    /* shorter than its headers or its length field say */
    IP_BAD_VERSION,  /* neither 4 nor 6 */
    IP_BAD_HEADER,   /* header length or options impossible */
    IP_BAD_CHECKSUM, /* IPv4 header checksum */
    IP_FRAGMENT,     /* a fragment: not reassembled here (TCP never sends one with DF) */
    IP_BAD_ADDRESS,  /* a source that cannot be a source: multicast, broadcast, none, v4-mapped inside IPv6 */
};

/*
 * Reads the IP header at `p` of `len` bytes. Accepts an IPv6 payload length or IPv4 total length of 0 as "the rest"
 * when `merged` is true (super-segments of 64 KiB and more). IPv6 extension headers hop-by-hop, routing (segments left
 * 0) and destination options are skipped.
 */
enum ip_result ip_parse(const uint8_t *p, size_t len, bool merged, struct ip_header *out);

/*
 * The same of a packet of our own that an ICMP error quotes, of which `len` bytes are left: `payload_len` is what its
 * header says, not what is there. Only the header must be, and it must be of a first fragment; its checksum is not
 * looked at, for routers and translators change headers.
 */
enum ip_result ip_parse_quoted(const uint8_t *p, size_t len, struct ip_header *out);

/* Length of the header that ip_emit() writes for this destination: 20 or 40. */
size_t ip_header_len(const struct hawser_addr *dst);

/*
 * Writes a header for a payload of that protocol, `payload_len` bytes, to `p`: hop limit 64, DF set and identification
 * 0 on IPv4 (RFC 6864), no options, IPv4 checksum filled. `ecn` is two bits. Lengths that do not fit in 16 bits
 * (super-segments) are truncated: the link rewrites them per wire segment. Returns bytes written. Source and
 * destination must be of one family.
 */
size_t ip_emit_as(uint8_t *p, uint8_t protocol, const struct hawser_addr *src, const struct hawser_addr *dst,
                  uint8_t ecn, uint32_t payload_len);
/* The same for TCP. */
static inline size_t ip_emit(uint8_t *p, const struct hawser_addr *src, const struct hawser_addr *dst, uint8_t ecn,
                             uint32_t payload_len)
{
    return ip_emit_as(p, IP_PROTO_TCP, src, dst, ecn, payload_len);
}

#endif
