/* The environment of a stack on a real system: malloc, getrandom, the monotonic clock. */
#ifndef HW_RUN_SYSTEM_H
#define HW_RUN_SYSTEM_H

#include <stdint.h>

#include <hawser/env.h>

/* Lives for ever. */
const struct hawser_env *system_env(void);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t system_now(void);

#endif
