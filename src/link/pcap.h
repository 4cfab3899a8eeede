/* A wrapper that records what passes a link, as it would look on a wire. */
#ifndef HW_LINK_PCAP_H
#define HW_LINK_PCAP_H

#include "link/link.h"
#include "link/pcap_writer.h"

/*
 * Wraps `inner` and writes every packet to `writer`: super-segments cut into wire segments, checksums that offload
 * left unfinished completed. Owns both from now on. Returns NULL, owning nothing, when memory is out.
 */
struct link *pcap_link_new(struct link *inner, struct pcap_writer *writer);

#endif
