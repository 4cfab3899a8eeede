/* Units of time and the readings of "never". */
#ifndef HW_BASE_UNITS_H
#define HW_BASE_UNITS_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define TIME_NEVER UINT64_MAX

/* Whole milliseconds of a time, rounded up; what is beyond 49 days is never. */
static inline uint32_t ms_of_ns(uint64_t ns)
{
    uint64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
    return ms < UINT32_MAX ? (uint32_t)ms : UINT32_MAX;
}
static inline uint64_t ns_of_ms(uint32_t ms) { return ms == UINT32_MAX ? TIME_NEVER : ms * NS_PER_MS; }

/* That time after `now_ns`, or never. */
static inline uint64_t time_after(uint64_t wait_ns, uint64_t now_ns)
{
    return wait_ns < TIME_NEVER - now_ns ? now_ns + wait_ns : TIME_NEVER;
}

#endif
