/* Connections, as the control socket lists them, for people. */
#ifndef HW_APPS_SERVICE_SS_TEXT_H
#define HW_APPS_SERVICE_SS_TEXT_H

#include <stdio.h>

#include <jansson.h>

/* A line each, and two for each of its paths. `before` is a list of a while ago, for rates; or NULL. */
void ss_text_print(FILE *out, const json_t *connections, const json_t *before);

#endif
