/* Structs of the public interface that begin with their size, `size_t size`, so that they can grow: a program and the
 * library may each know more fields of one than the other. */
#ifndef HW_BASE_SIZED_H
#define HW_BASE_SIZED_H

#include <stddef.h>

/* The least size: that of the struct as it was first published, which ended with this field. */
#define SIZED_SINCE(type, member) (offsetof(type, member) + sizeof(((const type *)NULL)->member))

/*
 * May a struct of the program be taken, of which the library knows `known` bytes? 0; -EINVAL when its size is below
 * `least`, as where it was forgotten; or -E2BIG when it asks for what the library does not know. Tables of functions
 * stay where they are: of a smaller one, members beyond its size are not to be read.
 */
int sized_check(const void *from, size_t known, size_t least);

/*
 * Copies options of the program, `from`, to `to`, of which the library knows `known` bytes; NULL and what the program
 * does not know of count as zero. Returns what sized_check() does.
 */
int sized_take(void *to, size_t known, size_t least, const void *from);

/* Copies `from`, of `known` bytes, to a struct of the program; what only the program knows of becomes zero. Returns 0
 * or -EINVAL, likewise. */
int sized_give(void *to, const void *from, size_t known, size_t least);

#endif
