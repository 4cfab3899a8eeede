#include "base/sized.h"

#include <errno.h>
#include <string.h>

#include "base/compiler.h"

static size_t size_of(const void *sized)
{
    size_t size;
    memcpy(&size, sized, sizeof size);
    return size;
}

int sized_take(void *to, size_t known, size_t least, const void *from)
{
    memset(to, 0, known);
    if (!from)
        return 0;
    const size_t size = size_of(from);
    if (size < least)
        return -EINVAL;
    for (size_t at = known; at < size; at++)
        if (((const unsigned char *)from)[at])
            return -E2BIG;
    memcpy(to, from, HW_MIN(size, known));
    return 0;
}

int sized_give(void *to, const void *from, size_t known, size_t least)
{
    const size_t size = size_of(to);
    if (size < least)
        return -EINVAL;
    memset(to, 0, size);
    memcpy(to, from, HW_MIN(size, known));
    memcpy(to, &size, sizeof size);
    return 0;
}
