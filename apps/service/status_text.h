/* How the service is doing, as the control socket says it, for people. */
#ifndef HW_APPS_SERVICE_STATUS_TEXT_H
#define HW_APPS_SERVICE_STATUS_TEXT_H

#include <stdio.h>

#include <jansson.h>

void status_text_print(FILE *out, const json_t *status);

#endif
