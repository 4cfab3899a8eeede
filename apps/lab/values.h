/* Strict reading of the values on the command line: a number, its unit, and nothing else. */
#ifndef HW_APPS_LAB_VALUES_H
#define HW_APPS_LAB_VALUES_H

#include <stdbool.h>
#include <stdint.h>

/* Each reads the whole of `text` and returns false when it is not such a value. Decimals such as 1.5 are welcome. */

bool value_rate(const char *text, uint64_t *bps);      /* 50mbit; bit, kbit, mbit, gbit */
bool value_duration(const char *text, uint64_t *ns);   /* 10ms; us, ms, s */
bool value_bytes(const char *text, uint64_t *bytes);   /* 128k; none, k, m, g (powers of 1000), ki, mi, gi (of 1024) */
bool value_percent(const char *text, uint32_t *ppm);   /* 1%; at most 100% */
bool value_seconds(const char *text, uint64_t *ns);    /* 10 or 2.5; a trailing s is allowed */
bool value_number(const char *text, uint64_t *number); /* 42 */

#endif
