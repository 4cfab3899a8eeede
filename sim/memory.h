/* Memory of the simulator itself, which runs on a real host: without it there is nothing to do but stop. */
#ifndef HW_SIM_MEMORY_H
#define HW_SIM_MEMORY_H

#include <stddef.h>

/* `size` zeroed bytes, never NULL: aborts when memory is out. Freed with sim_free(). */
void *sim_new(size_t size);
void sim_free(void *ptr);

/* Room for one more element in an array of `count` elements of `size` bytes each, grown by doubling. Returns the array,
 * whose new element (index `count`) is zeroed. Start with NULL and 0; the capacity follows from the count. */
void *sim_grow(void *array, size_t count, size_t size);

#endif
