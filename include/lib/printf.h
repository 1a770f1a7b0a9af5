/*
 * Formatted output: %d %i %u %x %X %o %c %s %p %% with flags "-0+ #", width,
 * precision ('*' too) and the length modifiers hh h l ll z t j. No floats.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include <stdarg.h>

#include "lib/types.h"

/*
 * As C's snprintf: writes at most size bytes, the terminating NUL included;
 * returns the length the whole text would have.
 */
int ksnprintf(char *buf, size_t size, const char *fmt, ...) PRINTF_LIKE(3, 4);
int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args);

/*
 * Messages of the kernel itself. Both go to the kernel's log, a ring of the last
 * 64 KiB that syslog(2) reads; kprintf() also shows them at once on
 * the machine's log (arch_log_write): for what the user must see.
 */
void klog(const char *fmt, ...) PRINTF_LIKE(1, 2);
void kprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/*
 * Copies the log from byte number *pos on (0: the oldest still held) into buf; advances *pos.
 * Returns the number of bytes copied.
 */
#define KLOG_RING_BYTES 65536
size_t klog_read(uint64_t *pos, char *buf, size_t size);

#endif
