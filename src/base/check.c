#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

void check_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "hawser: bug: %s does not hold at %s:%d\n", expr, file, line);
    abort();
}
