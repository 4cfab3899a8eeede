/* The only header that uses the compiler's extensions to C11. */
#ifndef HW_BASE_COMPILER_H
#define HW_BASE_COMPILER_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define HW_LIKELY(x) __builtin_expect(!!(x), 1)
#define HW_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define HW_NORETURN __attribute__((noreturn))
#define HW_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define HW_MUST_USE __attribute__((warn_unused_result))
#else
#define HW_LIKELY(x) (x)
#define HW_UNLIKELY(x) (x)
#define HW_NORETURN
#define HW_PRINTF(fmt, args)
#define HW_MUST_USE
#endif

/* The object of which `ptr` is the member `member`. */
#define HW_CONTAINER(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

/* The position of the highest bit of `x`, which is not 0. */
static inline unsigned hw_log2(uint32_t x)
{
#if defined(__GNUC__)
    return 31u - (unsigned)__builtin_clz(x);
#else
    unsigned n = 0;
    while (x >>= 1)
        n++;
    return n;
#endif
}

/* The position of the lowest bit of `x`, which is not 0. */
static inline unsigned hw_lowest_bit(uint64_t x)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(x);
#else
    unsigned n = 0;
    while (!(x >> n & 1))
        n++;
    return n;
#endif
}

#define HW_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
/* The lesser and the greater of two, of the type that both convert to. Each is evaluated once. */
#if defined(__GNUC__)
#define HW_MIN(a, b) HW_PICK(<, a, b, HW_CONCAT(hw_a, __COUNTER__), HW_CONCAT(hw_b, __COUNTER__))
#define HW_MAX(a, b) HW_PICK(>, a, b, HW_CONCAT(hw_a, __COUNTER__), HW_CONCAT(hw_b, __COUNTER__))
#define HW_CONCAT(a, b) HW_CONCAT_(a, b)
#define HW_CONCAT_(a, b) a##b
#define HW_PICK(is, a, b, one, other)                                                                                  \
    __extension__({                                                                                                    \
        __typeof__(1 ? (a) : (b)) one = (a), other = (b);                                                              \
        one is other ? one : other;                                                                                    \
    })
#else
#define HW_MIN(a, b) ((a) < (b) ? (a) : (b))
#define HW_MAX(a, b) ((a) > (b) ? (a) : (b))
#endif

#endif
