/*
 * Assertions and panic. An assertion states an invariant of the kernel; it is
 * never a check of input. It stands in every build: it is cheap beside a trap.
 */
#ifndef LIB_ASSERT_H
#define LIB_ASSERT_H

#include "lib/types.h"

/* Prints the report and stops the machine (hosted: exit status 70). */
NORETURN void panic(const char *fmt, ...) PRINTF_LIKE(1, 2);

#define ASSERT(cond) \
	((cond) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #cond))

#endif
