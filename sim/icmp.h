/* ICMP errors, as routers and who forges them send them (RFC 792, RFC 1191, RFC 4443). */
#ifndef HW_SIM_ICMP_H
#define HW_SIM_ICMP_H

#include "sim/packet.h"

enum icmp_said {
    ICMP_SAYS_PORT,       /* nobody listens there: a hard error */
    ICMP_SAYS_TOO_BIG,    /* with an MTU */
    ICMP_SAYS_HOST,       /* it does not answer: a soft error */
    ICMP_SAYS_PROHIBITED, /* by a filter */
};

/* To the sender of `quoted`, whose checksum is in place, from where that was to go. NULL for what is no IP packet, or
 * like packet_new(). */
struct packet *icmp_about(struct hawser_buf_pool *pool, const struct packet *quoted, enum icmp_said what, uint32_t mtu);
/* Makes the checksum right, after the message was changed. */
void icmp_seal(struct packet *icmp);

#endif
