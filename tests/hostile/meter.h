/*
 * What the stack's work costs, counted and not timed: the core is compiled once more with -fsanitize-coverage=trace-pc,
 * so that each basic block that runs counts one. Bytes moved and hashes made by libraries are charged as README.md
 * says.
 */
#ifndef HW_HOSTILE_METER_H
#define HW_HOSTILE_METER_H

#include <stdint.h>

/* Blocks since the program began. */
uint64_t meter_read(void);

/* Forgets what was counted since `reading`: for what the core calls of ours. */
void meter_set_back(uint64_t reading);

#endif
