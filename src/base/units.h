/* Units of time and the readings of "never". */
#ifndef HW_BASE_UNITS_H
#define HW_BASE_UNITS_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define TIME_NEVER UINT64_MAX

#endif
