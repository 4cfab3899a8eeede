/* What the control socket can be asked of programs: "door" (docs/CONTROL.md). */
#ifndef HW_APPS_SERVICE_PROGRAM_VERB_H
#define HW_APPS_SERVICE_PROGRAM_VERB_H

#include "service/control.h"
#include "service/programs.h"

/* Adds it. Returns 0 or a negative errno. */
int program_verb_add(struct control *control, struct programs *programs);

#endif
