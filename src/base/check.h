/* Checks that stay in every build: a failed one is a bug of ours, never a peer's doing. */
#ifndef HW_BASE_CHECK_H
#define HW_BASE_CHECK_H

#include "base/compiler.h"

HW_NORETURN void check_failed(const char *expr, const char *file, int line);

#define CHECK(expr) (HW_LIKELY(expr) ? (void)0 : check_failed(#expr, __FILE__, __LINE__))

#endif
