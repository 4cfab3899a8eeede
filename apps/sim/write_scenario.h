/* A scenario as a file, so that a story outlives what made it. */
#ifndef HW_APPS_SIM_WRITE_SCENARIO_H
#define HW_APPS_SIM_WRITE_SCENARIO_H

#include <stdio.h>

#include "sim/scenario.h"

/*
 * Writes what scenario_file_read() reads as the same scenario, which then plays the same. For scenarios whose names are
 * plain (of letters, digits, hyphens and underscores), whose changes and changes of addresses are in the order of time,
 * and each of which changes something. 0 or a negative errno.
 */
int scenario_write(const struct scenario *s, uint64_t seed, FILE *out);

/* The part of it that is about lanes: the keys by which `now` differs from `before`, one a line. */
void lane_write(const struct lane_config *before, const struct lane_config *now, FILE *out);

/* Values as reader_values.c reads them: a key, a value with its unit, the end of the line. */
void write_time(FILE *out, const char *key, uint64_t ns);
void write_rate(FILE *out, const char *key, uint64_t bps);
void write_share(FILE *out, const char *key, uint32_t ppm);
void write_number(FILE *out, const char *key, uint64_t number);
void write_flag(FILE *out, const char *key, bool flag);
void write_word(FILE *out, const char *key, const char *word);

#endif
