/* Writes pcapng files: raw IP packets with nanoseconds, several named interfaces in one file. */
#ifndef HW_TRACE_PCAPNG_H
#define HW_TRACE_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapng;

/* Creates or truncates the file. NULL, with *err a negative errno, when that fails. */
struct pcapng *pcapng_open(const char *path, int *err);

/* Declares one more interface; returns its number. All of them before the first packet. `name` is copied. */
uint32_t pcapng_add_interface(struct pcapng *file, const char *name);

/* Appends one IP packet of `len` bytes at `at_ns` since the epoch; `inbound` tells which way it went. After an error
 * nothing more is written. */
void pcapng_write(struct pcapng *file, uint32_t interface, bool inbound, uint64_t at_ns, const void *packet,
                  size_t len);

/* Closes the file. 0, or the negative errno that lost packets. */
int pcapng_close(struct pcapng *file);

#endif
