/* syslog(2): the kernel's own log, for dmesg. */
#include "abi/errno.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "syscall/syscall.h"

/* Actions of syslog(2). */
enum { LOG_CLOSE, LOG_OPEN, LOG_READ, LOG_READ_ALL, LOG_READ_CLEAR, LOG_CLEAR, LOG_CONSOLE_OFF, LOG_CONSOLE_ON,
       LOG_CONSOLE_LEVEL, LOG_SIZE_UNREAD, LOG_SIZE_BUFFER };

static uint64_t cleared; /* what LOG_CLEAR hides from LOG_READ_ALL */

/* Copies what follows *pos; returns the count or a negative errno. */
static int64_t read_from(uint64_t *pos, uint64_t user_buf, int len)
{
	char *buf;
	size_t n;
	int r;

	if (len < 0)
		return -EINVAL;
	buf = kmalloc(KLOG_RING_BYTES);
	if (buf == NULL)
		return -ENOMEM;
	n = klog_read(pos, buf, MIN((size_t)len, KLOG_RING_BYTES));
	r = copy_to_user(uaddr(user_buf), buf, n);
	kfree(buf);
	return r != 0 ? r : (int64_t)n;
}

SYSCALL_DEFINE(syslog)
{
	uint64_t pos = cleared;
	int64_t n;

	switch ((int)args[0]) {
	case LOG_CLOSE: case LOG_OPEN: case LOG_CONSOLE_OFF: case LOG_CONSOLE_ON: case LOG_CONSOLE_LEVEL: return 0;
	case LOG_READ_ALL: return read_from(&pos, args[1], (int)args[2]);
	case LOG_READ_CLEAR:
		n = read_from(&pos, args[1], (int)args[2]);
		if (n >= 0)
			cleared = pos;
		return n;
	case LOG_CLEAR:
		while (klog_read(&cleared, (char[64]){0}, 64) != 0)
			continue;
		return 0;
	case LOG_SIZE_BUFFER: return KLOG_RING_BYTES;
	default: return -EINVAL;
	}
}
