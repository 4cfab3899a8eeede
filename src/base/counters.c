#include "base/counters.h"

const char *counter_name(enum counter which)
{
    static const char *const names[COUNTER_TOTAL] = {
#define HW_COUNTER_NAME(id, name) name,
        HW_COUNTERS(HW_COUNTER_NAME)
#undef HW_COUNTER_NAME
    };
    return names[which];
}
