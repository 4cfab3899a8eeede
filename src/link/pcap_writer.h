/* Writes capture files: classic pcap with nanoseconds, raw IP packets. */
#ifndef HW_LINK_PCAP_WRITER_H
#define HW_LINK_PCAP_WRITER_H

#include <stddef.h>
#include <stdint.h>

struct pcap_writer;

/*
 * Creates or truncates the file at `path` and writes the header. Returns NULL and sets *err to a negative errno when
 * that fails. Times given later are CLOCK_MONOTONIC; they are shown as the wall clock's, as it stood at this call.
 */
struct pcap_writer *pcap_open(const char *path, int *err);

/* Appends one IP packet of `len` bytes seen at `now_ns`. After a failed write (disk full) later packets are counted as
 * lost and not written, so that the file ends on a whole record. */
void pcap_write(struct pcap_writer *writer, uint64_t now_ns, const void *packet, size_t len);

/* Packets that could not be written. */
uint64_t pcap_lost(const struct pcap_writer *writer);

/* Writes what is buffered and closes the file. Returns 0, or the negative errno that lost packets. */
int pcap_close(struct pcap_writer *writer);

#endif
