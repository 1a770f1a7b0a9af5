/*
 * The console terminal: the line discipline over the machine's console. Owns
 * the one struct tty of it, which is never freed, and implements the upcalls
 * of the console driver (arch/machine.h), which come from interrupt context.
 * The machine starts to deliver input (hosted: the host's terminal goes raw) only
 * when a guest first reads, polls or changes attributes.
 */
#include "fs/tty_internal.h"

#include "abi/errno.h"
#include "arch/machine.h"
#include "sched/task.h"

#define CONSOLE_RDEV dev_make(5, 1)

static struct tty console;
static bool is_initialised;
static bool is_input_open;
static bool was_full; /* console_input_room() said 0: the machine waits to be asked again */

static size_t console_output(struct tty *tty, const char *buf, size_t n)
{
	(void)tty;
	arch_console_write(buf, n);
	return n;
}

static size_t console_room(struct tty *tty)
{
	(void)tty;
	return LDISC_BUF_BYTES;
}

static void console_input_wanted(struct tty *tty)
{
	(void)tty;
	if (!is_input_open) {
		is_input_open = true;
		arch_console_open_input();
	}
}

static void console_input_taken(struct tty *tty)
{
	if (was_full && ldisc_room(&tty->ld) > 0) {
		was_full = false;
		arch_console_open_input();
	}
}

static const struct tty_driver console_driver = {
	.output = console_output,
	.room = console_room,
	.input_wanted = console_input_wanted,
	.input_taken = console_input_taken,
};

static void read_size(struct linux_winsize *ws)
{
	unsigned rows = 0, columns = 0;

	arch_console_size(&rows, &columns);
	*ws = (struct linux_winsize){.ws_row = (uint16_t)rows, .ws_col = (uint16_t)columns};
}

/* Set up at first use: its upcalls may come before the rest of the boot is done. */
struct tty *tty_console(void)
{
	if (!is_initialised) {
		is_initialised = true;
		tty_init(&console, &console_driver, CONSOLE_RDEV);
		console.ld.termios.c_iflag |= IUTF8;
		read_size(&console.winsize);
	}
	return &console;
}

size_t console_input_room(void)
{
	size_t room = ldisc_room(&tty_console()->ld);

	was_full = room == 0;
	return room;
}

void console_input(const char *buf, size_t size_bytes) { tty_receive(tty_console(), buf, size_bytes); }

void console_hangup(void) { tty_hangup(tty_console(), true); }

void console_resized(void)
{
	struct linux_winsize ws;

	read_size(&ws);
	tty_set_winsize(tty_console(), &ws);
}

static int console_open(struct file *file) { return tty_attach_file(tty_console(), file); }

/* /dev/tty: whatever terminal the process has. */
static int current_open(struct file *file)
{
	struct tty *tty = current_process()->tty;

	return tty == NULL ? -ENXIO : tty_attach_file(tty, file);
}

const struct file_ops tty_console_fops = {.open = console_open};
const struct file_ops tty_current_fops = {.open = current_open};
