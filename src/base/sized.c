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

int sized_check(const void *from, size_t known, size_t least)
{
    const size_t size = size_of(from);
    if (size < least)
        return -EINVAL;
    for (size_t at = known; at < size; at++)
        if (((const unsigned char *)from)[at])
            return -E2BIG;
    return 0;
}

int sized_take(void *to, size_t known, size_t least, const void *from)
{
    memset(to, 0, known);
    int err = from ? sized_check(from, known, least) : 0;
    if (from && err == 0)
        memcpy(to, from, HW_MIN(size_of(from), known));
    return err;
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
