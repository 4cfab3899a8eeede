/* The report for people: tables made of the tree that programs get. */
#ifndef HW_APPS_SIM_REPORT_TEXT_H
#define HW_APPS_SIM_REPORT_TEXT_H

#include <stdio.h>

#include <jansson.h>

/* `sections` is a set of enum report_section. */
void report_text(const json_t *root, unsigned sections, FILE *out);

#endif
