/*
 * Kernel messages and panic. A message is formatted on the stack, cut at
 * LOG_LINE_MAX, and kept in a ring for syslog(2); kprintf's goes to the machine's
 * log at once too. No lock: one CPU, and arch_log_write() does not sleep.
 */
#include "arch/machine.h"
#include "lib/assert.h"
#include "lib/printf.h"

#define LOG_LINE_MAX 512
#define PREFIX "levitate: " /* of what the user sees: it stands among a program's own output */

static char ring[KLOG_RING_BYTES];
static uint64_t ring_end; /* bytes ever written */

static void ring_add(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
		ring[ring_end++ % KLOG_RING_BYTES] = text[i];
}

size_t klog_read(uint64_t *pos, char *buf, size_t size)
{
	size_t n = 0;

	if (ring_end - MIN(*pos, ring_end) > KLOG_RING_BYTES)
		*pos = ring_end - KLOG_RING_BYTES;
	while (n < size && *pos < ring_end)
		buf[n++] = ring[(*pos)++ % KLOG_RING_BYTES];
	return n;
}

static void log_write(const char *text, int length)
{
	arch_log_write(text, (size_t)MIN(length, LOG_LINE_MAX - 1));
}

static int format(char text[LOG_LINE_MAX], const char *fmt, va_list args)
{
	int n = kvsnprintf(text, LOG_LINE_MAX, fmt, args);

	n = MIN(n, LOG_LINE_MAX - 1);
	ring_add(text, (size_t)n);
	return n;
}

void klog(const char *fmt, ...)
{
	char text[LOG_LINE_MAX];
	va_list args;

	va_start(args, fmt);
	(void)format(text, fmt, args);
	va_end(args);
}

void kprintf(const char *fmt, ...)
{
	static bool at_line_start = true;
	char text[LOG_LINE_MAX];
	va_list args;
	int n;

	va_start(args, fmt);
	n = format(text, fmt, args);
	va_end(args);
	if (at_line_start)
		arch_log_write(PREFIX, sizeof(PREFIX) - 1);
	log_write(text, n);
	at_line_start = n > 0 && text[n - 1] == '\n';
}

void panic(const char *fmt, ...)
{
	static bool is_panicking;
	static const char prefix[] = PREFIX "kernel panic: ";
	char text[LOG_LINE_MAX];
	va_list args;

	if (!is_panicking) {
		is_panicking = true;
		va_start(args, fmt);
		arch_log_write(prefix, sizeof(prefix) - 1);
		log_write(text, kvsnprintf(text, sizeof(text), fmt, args));
		arch_log_write("\n", 1);
		va_end(args);
	}
	arch_panic_stop();
}
