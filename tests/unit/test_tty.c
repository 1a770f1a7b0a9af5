/* Terminals as files: reading, job control, hang-up, ioctls; the console and pseudo-terminals. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_kernel.h"

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "abi/termios.h"
#include "fs/poll.h"
#include "fs/pty.h"
#include "fs/tty.h"
#include "syscall/syscall.h"

static unsigned nr_open_input;
void arch_console_open_input(void) { nr_open_input++; }

static struct file *console;

static int64_t ctl(struct file *f, unsigned cmd, void *data, size_t n, bool is_input)
{
	int64_t r;

	if (is_input)
		fake_user_put(0, data, n);
	r = f->ops->ioctl(f, cmd, FAKE_USER);
	if (!is_input && r == 0)
		fake_user_get(0, data, n);
	return r;
}
static int get_int(struct file *f, unsigned cmd)
{
	int value = -1;
	int64_t r = ctl(f, cmd, &value, sizeof(value), false);

	return r < 0 ? (int)r : value;
}
static int set_int(struct file *f, unsigned cmd, int value) { return (int)ctl(f, cmd, &value, sizeof(value), true); }

static void type(const char *s) { console_input(s, strlen(s)); }

static void termios_edit(struct file *f, unsigned cmd, uint32_t set, uint32_t clear, int min, int time)
{
	struct linux_termios t;

	assert_int_equal(ctl(f, TCGETS, &t, sizeof(t), false), 0);
	t.c_lflag = (t.c_lflag & ~clear) | set;
	t.c_cc[VMIN] = (uint8_t)min;
	t.c_cc[VTIME] = (uint8_t)time;
	assert_int_equal(ctl(f, cmd, &t, sizeof(t), true), 0);
}

#define assert_reads(f, n, text)                                        \
	do {                                                            \
		char got_[256];                                         \
		assert_int_equal(fake_read(f, got_, n), strlen(text));  \
		assert_memory_equal(got_, text, strlen(text));          \
	} while (0)

/* Takes a pending signal of process 1; 0: none. */
static int pending(int sig)
{
	struct linux_siginfo info;

	return signal_dequeue(SIGMASK(sig), &info);
}

/* ---- the console ----------------------------------------------------------- */

static void test_console_io(void **state)
{
	assert_int_equal(nr_open_input, 0);
	fake.console_size = 0;
	assert_int_equal(fake_write(console, "hi\n", 3), 3);
	assert_int_equal(fake.console_size, 4);
	assert_memory_equal(fake.console, "hi\r\n", 4);
	assert_int_equal(nr_open_input, 0); /* writing does not make the host's terminal raw */
	type("typed\n");
	assert_int_equal(get_int(console, FIONREAD), 6);
	assert_reads(console, 3, "typ");
	assert_int_equal(nr_open_input, 1);
	assert_reads(console, 100, "ed\n");
	console->flags |= O_NONBLOCK;
	assert_int_equal(fake_read(console, (char[1]){0}, 1), -EAGAIN);
	console->flags &= ~(uint32_t)O_NONBLOCK;
	assert_int_equal(fake_read(console, NULL, 0), 0);
	type("\004");
	assert_int_equal(fake_read(console, (char[1]){0}, 1), 0);
}

static void type_later(void *arg) { type(arg); }

static void test_console_blocks(void **state)
{
	fake_spawn(type_later, "late\n");
	assert_reads(console, 100, "late\n");
	assert_true(fake_reap() > 1);
	/* Half a line does not end the read. */
	fake_spawn(type_later, "ha");
	fake_spawn(type_later, "lf\n");
	assert_reads(console, 100, "half\n");
	assert_true(fake_reap() > 1);
	assert_true(fake_reap() > 1);
}

static void test_interrupt_character(void **state)
{
	current_process()->stop_pending = 0;
	fake_spawn(type_later, "abc\003");
	assert_int_equal(fake_read(console, (char[1]){0}, 1), -ERESTARTSYS);
	assert_int_equal(pending(SIGINT), SIGINT);
	assert_true(fake_reap() > 1);
	assert_int_equal(get_int(console, FIONREAD), 0);
}

static void test_vmin_vtime(void **state)
{
	uint64_t before;

	/* MIN 0, TIME 0: what is there. */
	termios_edit(console, TCSETSF, 0, ICANON | ECHO, 0, 0);
	assert_int_equal(fake_read(console, (char[1]){0}, 1), 0);
	type("ab");
	assert_reads(console, 10, "ab");
	/* MIN 0, TIME 2: up to 200 ms for the first byte. */
	termios_edit(console, TCSETS, 0, 0, 0, 2);
	before = arch_time_ns();
	assert_int_equal(fake_read(console, (char[1]){0}, 1), 0);
	assert_in_range(arch_time_ns() - before, 200000000, 201000000);
	/* MIN 3, TIME 0: three bytes, however long that takes. */
	termios_edit(console, TCSETS, 0, 0, 3, 0);
	type("a");
	assert_int_equal(vfs_poll(console, NULL) & POLLIN, 0);
	fake_spawn(type_later, "bc");
	assert_reads(console, 10, "abc");
	assert_true(fake_reap() > 1);
	/* MIN 3, TIME 1: 100 ms after the last byte it is enough. */
	termios_edit(console, TCSETS, 0, 0, 3, 1);
	type("x");
	before = arch_time_ns();
	assert_reads(console, 10, "x");
	assert_in_range(arch_time_ns() - before, 100000000, 101000000);
	/* A smaller request is enough too. */
	type("z");
	assert_reads(console, 1, "z");
	termios_edit(console, TCSETSF, ICANON | ECHO, 0, 1, 0);
}

static void test_winsize(void **state)
{
	struct linux_winsize ws = {40, 100, 0, 0}, got;

	signal_set_blocked(SIGMASK(SIGWINCH)); /* ignored by default: it would not be kept */
	assert_int_equal(ctl(console, TIOCSWINSZ, &ws, sizeof(ws), true), 0);
	assert_int_equal(pending(SIGWINCH), SIGWINCH);
	assert_int_equal(ctl(console, TIOCGWINSZ, &got, sizeof(got), false), 0);
	assert_int_equal(got.ws_row, 40);
	assert_int_equal(ctl(console, TIOCSWINSZ, &ws, sizeof(ws), true), 0);
	assert_int_equal(pending(SIGWINCH), 0); /* no change */
	console_resized();
	assert_int_equal(pending(SIGWINCH), SIGWINCH);
	signal_set_blocked(0);
}

static void test_flow(void **state)
{
	fake.console_size = 0;
	type("\023");
	console->flags |= O_NONBLOCK;
	assert_int_equal(fake_write(console, "x", 1), -EAGAIN);
	assert_int_equal(vfs_poll(console, NULL) & POLLOUT, 0);
	console->flags &= ~(uint32_t)O_NONBLOCK;
	fake_spawn(type_later, "\021");
	assert_int_equal(fake_write(console, "x", 1), 1);
	assert_true(fake_reap() > 1);
	assert_int_equal(fake.console_size, 1);
	assert_int_equal(console->ops->ioctl(console, TCXONC, TCOOFF), 0);
	assert_int_equal(vfs_poll(console, NULL) & POLLOUT, 0);
	assert_int_equal(console->ops->ioctl(console, TCXONC, TCOON), 0);
	assert_int_equal(console->ops->ioctl(console, TCXONC, 9), -EINVAL);
	assert_int_equal(console->ops->ioctl(console, TCFLSH, 9), -EINVAL);
	type("lost\n");
	assert_int_equal(console->ops->ioctl(console, TCFLSH, TCIFLUSH), 0);
	assert_int_equal(get_int(console, FIONREAD), 0);
}

static void test_old_termio(void **state)
{
	struct linux_termio old;
	struct linux_termios t;

	assert_int_equal(ctl(console, TCGETA, &old, sizeof(old), false), 0);
	old.c_lflag &= (uint16_t)~ECHO;
	assert_int_equal(ctl(console, TCSETA, &old, sizeof(old), true), 0);
	assert_int_equal(ctl(console, TCGETS, &t, sizeof(t), false), 0);
	assert_int_equal(t.c_lflag & ECHO, 0);
	assert_int_equal(t.c_cc[VWERASE], 027);
	termios_edit(console, TCSETS, ECHO, 0, 1, 0);
	assert_int_equal(console->ops->ioctl(console, TCGETS, 8), -EFAULT);
	assert_int_equal(console->ops->ioctl(console, TCSETS, 8), -EFAULT);
	assert_int_equal(console->ops->ioctl(console, TIOCSTI, FAKE_USER), -EIO);
	assert_int_equal(console->ops->ioctl(console, 0x1234, FAKE_USER), -ENOTTY);
}

/* ---- job control ----------------------------------------------------------- */

static int64_t background_result;
static int background_signal;

/* Runs in a process group of its own, in the background. */
static void background(void (*action)(void), bool ignores)
{
	struct task *me = current_task();
	struct linux_siginfo info;

	spin_lock(&task_lock);
	process_set_pgrp_locked(me->process, me->id);
	spin_unlock(&task_lock);
	if (ignores) {
		fake_set_handler(SIGTTIN, LINUX_SIG_IGN);
		fake_set_handler(SIGTTOU, LINUX_SIG_IGN);
	}
	action();
	background_signal = signal_dequeue(SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU), &info);
	me->process->stop_pending = 0;
}
static void do_read(void) { background_result = fake_read(console, (char[1]){0}, 1); }
static void do_write(void) { background_result = fake_write(console, "w", 1); }
static void do_set(void)
{
	struct linux_termios t = tty_console()->ld.termios;

	fake_user_put(0, &t, sizeof(t));
	background_result = console->ops->ioctl(console, TCSETS, FAKE_USER);
}
static void bg_read(void *arg) { background(do_read, arg != NULL); }
static void bg_write(void *arg) { background(do_write, arg != NULL); }
static void bg_set(void *arg) { background(do_set, arg != NULL); }

static void run_background(void (*fn)(void *arg), bool ignores)
{
	background_result = background_signal = 0;
	fake_spawn(fn, ignores ? console : NULL);
	assert_true(fake_reap() > 1);
}

static void test_background(void **state)
{
	run_background(bg_read, false);
	assert_int_equal(background_result, -ERESTARTSYS);
	assert_int_equal(background_signal, SIGTTIN);
	run_background(bg_read, true);
	assert_int_equal(background_result, -EIO);
	assert_int_equal(background_signal, 0);
	run_background(bg_write, false);
	assert_int_equal(background_result, 1);
	termios_edit(console, TCSETS, TOSTOP, 0, 1, 0);
	run_background(bg_write, false);
	assert_int_equal(background_result, -ERESTARTSYS);
	assert_int_equal(background_signal, SIGTTOU);
	run_background(bg_write, true);
	assert_int_equal(background_result, 1); /* ignored: allowed */
	termios_edit(console, TCSETS, 0, TOSTOP, 1, 0);
	run_background(bg_set, false);
	assert_int_equal(background_result, -ERESTARTSYS);
	assert_int_equal(background_signal, SIGTTOU);
	run_background(bg_set, true);
	assert_int_equal(background_result, 0);
}

static void test_foreground_group(void **state)
{
	assert_int_equal(get_int(console, TIOCGPGRP), 1);
	assert_int_equal(get_int(console, TIOCGSID), 1);
	assert_int_equal(set_int(console, TIOCSPGRP, 12345), -ESRCH);
	assert_int_equal(set_int(console, TIOCSPGRP, -1), -EINVAL);
	assert_int_equal(set_int(console, TIOCSPGRP, 1), 0);
	assert_int_equal(console->ops->ioctl(console, TIOCSCTTY, 0), 0); /* already ours */
}

/* As setsid(2). */
static struct task *lead_session(void)
{
	struct task *me = current_task();

	spin_lock(&task_lock);
	process_set_session_locked(me->process, me->id);
	process_set_pgrp_locked(me->process, me->id);
	spin_unlock(&task_lock);
	tty_forget(me->process);
	return me;
}

static void other_session(void *arg)
{
	struct task *me = lead_session();

	assert_int_equal(get_int(console, TIOCGPGRP), -ENOTTY);
	assert_int_equal(get_int(console, TIOCGSID), -ENOTTY);
	assert_int_equal(set_int(console, TIOCSPGRP, 1), -ENOTTY);
	assert_int_equal(console->ops->ioctl(console, TIOCNOTTY, 0), -ENOTTY);
	me->cred.cap_effective = 0;
	assert_int_equal(console->ops->ioctl(console, TIOCSCTTY, 1), -EPERM); /* no stealing */
	me->cred.cap_effective = ~UINT64_C(0);
	assert_int_equal(console->ops->ioctl(console, TIOCSCTTY, 0), -EPERM);
}

static void test_other_session(void **state)
{
	struct file *f;
	uint32_t tty_nr;
	int tpgid;

	fake_spawn(other_session, NULL);
	assert_true(fake_reap() > 1);
	tty_process_info(current_process(), &tty_nr, &tpgid);
	assert_int_equal(tty_nr, 0x501);
	assert_int_equal(tpgid, 1);
	f = fake_open("/dev/tty", O_RDWR);
	type("x\n");
	assert_reads(f, 10, "x\n");
	file_put(f);
}

static void test_input_throttle(void **state)
{
	char line[64], got[64];
	unsigned before = nr_open_input;

	termios_edit(console, TCSETS, 0, ECHO, 1, 0);
	memset(line, 'l', 63);
	line[62] = '\n';
	line[63] = '\0';
	while (console_input_room() >= 63)
		type(line);
	while (console_input_room() > 0)
		type("l");
	assert_int_equal(nr_open_input, before);
	assert_int_equal(fake_read(console, got, sizeof(got)), 63);
	assert_int_equal(nr_open_input, before + 1); /* the machine is told that there is room */
	assert_true(console_input_room() > 0);
	assert_int_equal(console->ops->ioctl(console, TCFLSH, TCIFLUSH), 0);
	termios_edit(console, TCSETS, ECHO, 0, 1, 0);
}

/* ---- pseudo-terminals ------------------------------------------------------ */

static struct file *open_slave(struct file *master)
{
	char name[32];

	snprintf(name, sizeof(name), "/dev/pts/%d", get_int(master, TIOCGPTN));
	return fake_open(name, O_RDWR | O_NOCTTY);
}

static void test_pty_data(void **state)
{
	struct file *m = fake_open("/dev/ptmx", O_RDWR), *s, *locked = NULL;
	int unlock = 0;

	assert_int_equal(get_int(m, TIOCGPTN), 0);
	assert_int_equal(get_int(m, TIOCGPTLCK), 1);
	assert_int_equal(vfs_openat(AT_FDCWD, "/dev/pts/0", O_RDWR, 0, &locked), -EIO);
	assert_int_equal(ctl(m, TIOCSPTLCK, &unlock, sizeof(unlock), true), 0);
	s = open_slave(m);
	assert_int_equal(fake_write(m, "line\n", 5), 5);
	assert_reads(s, 100, "line\n");
	assert_reads(m, 100, "line\r\n"); /* the echo */
	assert_int_equal(fake_write(s, "out\n", 4), 4);
	assert_int_equal(vfs_poll(m, NULL), POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM);
	assert_int_equal(get_int(m, FIONREAD), 5);
	assert_reads(m, 100, "out\r\n");
	m->flags |= O_NONBLOCK;
	assert_int_equal(fake_read(m, (char[1]){0}, 1), -EAGAIN);
	file_put(s);
	assert_int_equal(fake_read(m, (char[1]){0}, 1), -EIO);
	assert_int_equal(vfs_poll(m, NULL) & POLLHUP, POLLHUP);
	s = open_slave(m);
	assert_int_equal(fake_read(m, (char[1]){0}, 1), -EAGAIN); /* and open again */
	file_put(s);
	file_put(m);
	assert_null(pty_find(0));
	assert_int_equal(vfs_openat(AT_FDCWD, "/dev/pts/0", O_RDWR, 0, &locked), -ENOENT);
}

static struct file *new_pty(struct file **slave)
{
	struct file *m = fake_open("/dev/ptmx", O_RDWR);
	int unlock = 0;

	assert_int_equal(ctl(m, TIOCSPTLCK, &unlock, sizeof(unlock), true), 0);
	*slave = open_slave(m);
	return m;
}

static void test_pty_backpressure(void **state)
{
	struct file *s, *m = new_pty(&s);
	char block[1000], got[1000];
	int64_t n, written = 0, seen = 0;

	memset(block, 'b', sizeof(block));
	s->flags |= O_NONBLOCK;
	while ((n = fake_write(s, block, sizeof(block))) > 0)
		written += n;
	assert_int_equal(n, -EAGAIN);
	assert_in_range(written, 8000, 8192);
	assert_int_equal(vfs_poll(s, NULL) & POLLOUT, 0);
	m->flags |= O_NONBLOCK;
	while ((n = fake_read(m, got, sizeof(got))) > 0)
		seen += n;
	assert_int_equal(seen, written);
	assert_int_equal(vfs_poll(s, NULL) & POLLOUT, POLLOUT);
	/* The other way: raw input beyond the ring waits in the master's write. */
	termios_edit(s, TCSETS, 0, ICANON | ECHO, 1, 0);
	for (written = 0; (n = fake_write(m, block, sizeof(block))) > 0;)
		written += n;
	assert_int_equal(n, -EAGAIN);
	assert_int_equal(written, 4095);
	for (seen = 0; (n = fake_read(s, got, sizeof(got))) > 0;)
		seen += n;
	assert_int_equal(seen, written);
	file_put(s);
	file_put(m);
}

static void test_pty_hangup(void **state)
{
	struct file *s, *m = new_pty(&s);

	file_put(m);
	assert_int_equal(fake_read(s, (char[1]){0}, 1), 0);
	assert_int_equal(fake_write(s, "x", 1), -EIO);
	assert_int_equal(get_int(s, TIOCGPGRP), -EIO);
	assert_int_equal(vfs_poll(s, NULL) & POLLHUP, POLLHUP);
	file_put(s);
}

static struct file *session_slave, *session_master;
static void session_leader(void *arg)
{
	struct task *me = lead_session();

	assert_int_equal(session_slave->ops->ioctl(session_slave, TIOCSCTTY, 0), 0);
	assert_int_equal(get_int(session_slave, TIOCGPGRP), me->tid);
	assert_int_equal(get_int(session_master, TIOCGPGRP), me->tid);
	assert_int_equal(get_int(session_master, TIOCGSID), me->tid);
	assert_int_equal(fake_write(session_master, "\003", 1), 1);
	assert_int_equal(pending(SIGINT), SIGINT);
}

static void test_pty_session(void **state)
{
	session_master = new_pty(&session_slave);
	fake_spawn(session_leader, NULL);
	assert_true(fake_reap() > 1);
	/* The leader is gone: the terminal is free, but lives on for those who have it open. */
	assert_int_equal(get_int(session_master, TIOCGSID), -ENOTTY);
	assert_int_equal(fake_write(session_slave, "x", 1), 1);
	assert_reads(session_master, 10, "^Cx");
	session_master->flags |= O_NONBLOCK;
	assert_int_equal(fake_read(session_master, (char[1]){0}, 1), -EAGAIN); /* somebody has it open still */
	assert_int_equal(vfs_poll(session_master, NULL) & POLLHUP, 0);
	file_put(session_slave);
	assert_int_equal(fake_read(session_master, (char[1]){0}, 1), -EIO);
	file_put(session_master);
}

static void master_hangs_up(void *arg)
{
	struct task *me = lead_session();

	assert_int_equal(session_slave->ops->ioctl(session_slave, TIOCSCTTY, 0), 0);
	file_put(session_master);
	assert_int_equal(pending(SIGHUP), SIGHUP);
	assert_null(me->process->tty);
	me->process->stop_pending = 0;
}

static void test_pty_master_close(void **state)
{
	session_master = new_pty(&session_slave);
	fake_spawn(master_hangs_up, NULL);
	assert_true(fake_reap() > 1);
	file_put(session_slave);
}

static void test_pty_packet(void **state)
{
	struct file *s, *m = new_pty(&s);
	char got[16];

	assert_int_equal(set_int(m, TIOCPKT, 1), 0);
	assert_int_equal(fake_write(s, "d", 1), 1);
	assert_int_equal(fake_read(m, got, sizeof(got)), 2);
	assert_int_equal(got[0], TIOCPKT_DATA);
	assert_int_equal(got[1], 'd');
	assert_int_equal(fake_write(m, "\023", 1), 1);
	assert_int_equal(vfs_poll(m, NULL) & POLLPRI, POLLPRI);
	assert_int_equal(fake_read(m, got, sizeof(got)), 1);
	assert_int_equal(got[0], TIOCPKT_STOP);
	file_put(s);
	file_put(m);
}

static void test_pty_limits(void **state)
{
	static struct file *masters[PTY_MAX];
	struct file *f = NULL;

	for (unsigned i = 0; i < PTY_MAX; i++)
		masters[i] = fake_open("/dev/ptmx", O_RDWR);
	assert_int_equal(vfs_openat(AT_FDCWD, "/dev/ptmx", O_RDWR, 0, &f), -ENOSPC);
	for (unsigned i = 0; i < PTY_MAX; i++)
		file_put(masters[i]);
	for (unsigned n = 1; n < 6; n++) {
		int err;

		fail_alloc_arm(n, false);
		err = vfs_openat(AT_FDCWD, "/dev/ptmx", O_RDWR, 0, &f);
		fail_alloc_arm(0, false);
		if (err == 0)
			file_put(f);
		else
			assert_int_equal(err, -ENOMEM);
		assert_null(pty_find(0));
	}
}

/* Last: the console does not come back. */
static void test_console_hangup(void **state)
{
	console_hangup();
	assert_int_equal(pending(SIGHUP), SIGHUP);
	assert_int_equal(fake_read(console, (char[1]){0}, 1), 0);
	assert_int_equal(fake_write(console, "x", 1), -EIO);
	assert_null(current_process()->tty);
	struct file *f = NULL;
	assert_int_equal(vfs_openat(AT_FDCWD, "/dev/tty", O_RDWR, 0, &f), -ENXIO);
	assert_int_equal(vfs_openat(AT_FDCWD, "/dev/console", O_RDWR, 0, &f), -EIO);
	file_put(console);
}

static int setup(void **state)
{
	fake_kernel_boot();
	tty_set_console_session(current_process());
	console = fake_open("/dev/console", O_RDWR);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_console_io), cmocka_unit_test(test_console_blocks),
		cmocka_unit_test(test_interrupt_character), cmocka_unit_test(test_vmin_vtime),
		cmocka_unit_test(test_winsize), cmocka_unit_test(test_flow),
		cmocka_unit_test(test_old_termio), cmocka_unit_test(test_background),
		cmocka_unit_test(test_foreground_group), cmocka_unit_test(test_other_session),
		cmocka_unit_test(test_input_throttle), cmocka_unit_test(test_pty_data),
		cmocka_unit_test(test_pty_backpressure), cmocka_unit_test(test_pty_hangup),
		cmocka_unit_test(test_pty_session), cmocka_unit_test(test_pty_master_close),
		cmocka_unit_test(test_pty_packet), cmocka_unit_test(test_pty_limits),
		cmocka_unit_test(test_console_hangup),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
