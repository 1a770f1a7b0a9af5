/*
 * The console: one serial line. Output goes out busily. Received bytes wait in a ring between
 * the interrupt handler and the line discipline (src/fs/tty_console.c), which takes as many as it has room for.
 * No lock: one CPU, interrupts are masked in the kernel.
 */
#include "abi/fcntl.h"
#include "arch/machine.h"
#include "fs/tty.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "metal/internal.h"

#define RING_BYTES 4096u /* a power of 2 */
#define ROWS 24u
#define COLUMNS 80u

static char ring[RING_BYTES];
static unsigned ring_start, ring_end; /* positions, modulo RING_BYTES */

void metal_console_received(const char *buf, size_t size_bytes)
{
	while (size_bytes-- > 0 && ring_end - ring_start < RING_BYTES)
		ring[ring_end++ % RING_BYTES] = *buf++;
}

bool metal_console_poll(void)
{
	bool any = false;

	while (ring_start != ring_end) {
		size_t room = console_input_room();
		size_t n = MIN(ring_end - ring_start, RING_BYTES - ring_start % RING_BYTES);

		n = MIN(n, room);
		if (n == 0)
			break; /* arch_console_open_input() comes when there is room again */
		ring_start += (unsigned)n;
		console_input(&ring[(ring_start - (unsigned)n) % RING_BYTES], n);
		any = true;
	}
	return any;
}

void arch_console_open_input(void)
{
	static bool is_open;

	if (!is_open) {
		is_open = true;
		machine_console_enable_input();
	}
	metal_console_poll();
}

void arch_console_write(const char *buf, size_t size_bytes) { machine_console_write(buf, size_bytes); }

/* A serial line does not say; programs that want to know ask the terminal. */
void arch_console_size(unsigned *rows, unsigned *columns)
{
	*rows = ROWS;
	*columns = COLUMNS;
}

/* No line discipline makes the carriage returns of what the kernel itself says. */
void arch_log_write(const char *buf, size_t size_bytes)
{
	while (size_bytes > 0) {
		const char *end = memchr(buf, '\n', size_bytes);
		size_t n = end != NULL ? (size_t)(end - buf) : size_bytes;

		machine_console_write(buf, n);
		if (end == NULL)
			return;
		machine_console_write("\r\n", 2);
		buf += n + 1;
		size_bytes -= n + 1;
	}
}

/* One description of /dev/console, three times, as Linux's init has it. */
int arch_open_stdio(struct file *out[3])
{
	int r = vfs_openat(AT_FDCWD, "/dev/console", O_RDWR, 0, &out[0]);

	if (r != 0)
		return r;
	for (int fd = 1; fd < 3; fd++) {
		file_get(out[0]);
		out[fd] = out[0];
	}
	arch_console_open_input(); /* Ctrl-C is to work also while nobody reads */
	return 0;
}
