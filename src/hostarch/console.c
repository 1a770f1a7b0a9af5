/*
 * The console: the host's terminal, if one of the descriptors 0, 1, 2 is one.
 * Raw from the first read by the guest on (the line discipline is src/fs/tty.c);
 * what the guest writes goes to the terminal as it is. Also the kernel's log.
 */
#include "hostarch/console.h"

#include "abi/errno.h"
#include "abi/signal.h"
#include "arch/machine.h"
#include "fs/tty.h"
#include "hostarch/host.h"
#include "hostarch/irq.h"
#include "lib/string.h"
#include "sched/signal.h"

#define STDERR 2
#define INPUT_CHUNK 256u
#define POLL_IN 1

static int input_fd = -1, output_fd = -1;
static bool is_raw;
static struct irq_source input = {.fd = -1};

void console_set_fd(int in, int out)
{
	input_fd = in;
	output_fd = out;
}

/*
 * While the terminal is not raw it makes "\r\n" of "\n", and so has our line discipline: takes out the
 * returns that come before a newline. A return at the end of a piece waits for the next one.
 */
static void write_cooked(int fd, const char *buf, size_t size_bytes)
{
	static bool has_return;

	while (size_bytes > 0) {
		const char *end;
		size_t n;

		if (has_return && buf[0] != '\n')
			host_write_all(fd, "\r", 1);
		end = memchr(buf, '\r', size_bytes);
		n = end != NULL ? (size_t)(end - buf) : size_bytes;
		host_write_all(fd, buf, n);
		has_return = end != NULL;
		n += has_return;
		buf += n;
		size_bytes -= n;
	}
}

void arch_console_write(const char *buf, size_t size_bytes)
{
	int fd = output_fd >= 0 ? output_fd : STDERR;

	if (is_raw)
		host_write_all(fd, buf, size_bytes);
	else
		write_cooked(fd, buf, size_bytes);
}

/* Characters, end of file or an error from the terminal. */
static void input_ready(struct irq_source *source, short events)
{
	char buf[INPUT_CHUNK];
	size_t room = console_input_room();
	int64_t n;

	(void)events;
	if (room == 0)
		return; /* arch_console_open_input() comes again */
	n = host_stream_read(source->fd, buf, room < sizeof(buf) ? room : sizeof(buf));
	if (n > 0)
		console_input(buf, (size_t)n);
	else if (n != -EAGAIN)
		console_hangup(); /* the terminal is gone: nothing comes any more */
	if (n > 0 || n == -EAGAIN)
		irq_source_wait(source, POLL_IN);
}

void arch_console_open_input(void)
{
	if (input_fd < 0)
		return;
	if (!is_raw && host_tty_raw(input_fd) == 0)
		is_raw = true;
	input.fd = input_fd;
	input.ready = input_ready;
	irq_source_wait(&input, POLL_IN);
}

void arch_console_size(unsigned *rows, unsigned *columns)
{
	int fd = output_fd >= 0 ? output_fd : input_fd;

	if (fd >= 0) {
		host_tty_size(fd, rows, columns);
	} else {
		*rows = 24;
		*columns = 80;
	}
}

/*
 * While the terminal is not raw its own line discipline has echoed the keys and made signals of them. Where
 * no process has taken the console as its terminal, the first program's group is meant.
 */
static void signal_foreground(int sig)
{
	int pgrp = tty_console()->pgrp;

	signal_send_pgrp(pgrp != 0 ? pgrp : 1, sig, NULL);
}

void console_signals(unsigned pending)
{
	if ((pending & HOST_CONTINUED) != 0 && is_raw)
		host_tty_raw(input_fd);
	if ((pending & (HOST_WINCH | HOST_CONTINUED)) != 0)
		console_resized();
	if ((pending & HOST_INTERRUPT) != 0)
		signal_foreground(SIGINT);
	if ((pending & HOST_QUIT) != 0)
		signal_foreground(SIGQUIT);
}

/* A raw terminal needs the carriage returns that it does not make itself. */
void arch_log_write(const char *buf, size_t size_bytes)
{
	while (is_raw && size_bytes > 0) {
		const char *end = memchr(buf, '\n', size_bytes);
		size_t n = end != NULL ? (size_t)(end - buf) : size_bytes;

		host_write_all(STDERR, buf, n);
		if (end == NULL)
			return;
		host_write_all(STDERR, "\r\n", 2);
		buf += n + 1;
		size_bytes -= n + 1;
	}
	host_write_all(STDERR, buf, size_bytes);
}
