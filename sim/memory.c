#include "sim/memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define GROW_MIN 8u

void *sim_new(size_t size)
{
    void *ptr = calloc(1, size);
    CHECK(ptr);
    return ptr;
}

void sim_free(void *ptr) { free(ptr); }

void *sim_grow(void *array, size_t count, size_t size)
{
    bool power_of_two = (count & (count - 1)) == 0;
    if (count == 0 || (count >= GROW_MIN && power_of_two)) {
        size_t capacity = count ? 2 * count : GROW_MIN;
        array = realloc(array, capacity * size);
        CHECK(array);
    }
    memset((char *)array + count * size, 0, size);
    return array;
}
