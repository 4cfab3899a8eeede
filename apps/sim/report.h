/* What a played scenario has to tell: a table for people, JSON for programs. */
#ifndef HW_APPS_SIM_REPORT_H
#define HW_APPS_SIM_REPORT_H

#include <stdio.h>

#include "sim/reader.h"
#include "sim/stage.h"

/* To be called when the story is over and the hosts are alive; the verdict comes later. Freed with report_free(). */
struct report *report_new(const struct stage *stage, const struct scenario_file *file, double real_s);
void report_free(struct report *report);

/* The world's verdict is final: adds it and prints. 0, or a negative errno. */
int report_print(struct report *report, const struct stage *stage, bool json, FILE *out);

#endif
