/*
 * Terminals: open files on them, read, write, poll, hang-up. The characters go
 * through the line discipline (tty_ldisc.c); job control is in tty_job.c, ioctls
 * in tty_ioctl.c, devices in tty_console.c and pty.c.
 * Owns struct tty and struct tty_file. Lock: tty->lock, never held over a sleep.
 * Invariant: a file whose hangup_count is not the terminal's own is dead for ever.
 */
#include "fs/tty_internal.h"

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "fs/poll.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define CHUNK_BYTES 1024
#define LONGEST_EXPANSION 8 /* of one output byte: a tab */

static const struct file_ops tty_fops;

/* ---- line discipline's view ---------------------------------------------- */

static struct tty *ld_tty(struct ldisc *ld) { return CONTAINER_OF(ld, struct tty, ld); }

static size_t ld_output(struct ldisc *ld, const char *buf, size_t n)
{
	return ld_tty(ld)->driver->output(ld_tty(ld), buf, n);
}

static size_t ld_room(struct ldisc *ld) { return ld_tty(ld)->driver->room(ld_tty(ld)); }

static void ld_signal(struct ldisc *ld, int sig)
{
	if (ld_tty(ld)->pgrp > 0)
		(void)signal_send_pgrp(ld_tty(ld)->pgrp, sig, NULL);
}

static void ld_flush_output(struct ldisc *ld)
{
	if (ld_tty(ld)->driver->flush_output != NULL)
		ld_tty(ld)->driver->flush_output(ld_tty(ld));
}

static void ld_flow(struct ldisc *ld, bool is_stopped)
{
	struct tty *tty = ld_tty(ld);

	if (tty->driver->flow != NULL)
		tty->driver->flow(tty, is_stopped);
	if (!is_stopped)
		waitq_wake_all(&tty->write_waitq);
}

static const struct ldisc_ops ld_ops = {
	.output = ld_output,
	.room = ld_room,
	.signal = ld_signal,
	.flush_output = ld_flush_output,
	.flow = ld_flow,
};

/* ---- terminals ----------------------------------------------------------- */

void tty_init(struct tty *tty, const struct tty_driver *driver, uint64_t rdev)
{
	memset(tty, 0, sizeof(*tty));
	ldisc_init(&tty->ld, &ld_ops);
	tty->driver = driver;
	tty->rdev = rdev;
	tty->refs = 1;
	waitq_init(&tty->read_waitq);
	waitq_init(&tty->write_waitq);
}

void tty_put(struct tty *tty)
{
	ASSERT(tty->refs > 0);
	if (--tty->refs == 0 && tty->driver->release != NULL)
		tty->driver->release(tty);
}

void tty_receive(struct tty *tty, const char *buf, size_t n)
{
	bool is_readable;

	spin_lock(&tty->lock);
	ldisc_receive(&tty->ld, buf, n);
	is_readable = ldisc_is_readable(&tty->ld, false);
	spin_unlock(&tty->lock);
	if (is_readable)
		waitq_wake_all(&tty->read_waitq);
}

void tty_hangup(struct tty *tty, bool for_good)
{
	int session;

	tty->refs++;
	spin_lock(&tty->lock);
	tty->hangup_count++;
	tty->is_dead |= for_good;
	session = tty->session;
	ldisc_flush_input(&tty->ld);
	ldisc_start_output(&tty->ld);
	spin_unlock(&tty->lock);
	if (session > 0)
		tty_session_hangup(tty, session);
	waitq_wake_all(&tty->read_waitq);
	waitq_wake_all(&tty->write_waitq);
	tty_put(tty);
}

void tty_set_winsize(struct tty *tty, const struct linux_winsize *ws)
{
	bool is_changed;
	int pgrp;

	spin_lock(&tty->lock);
	is_changed = memcmp(&tty->winsize, ws, sizeof(*ws)) != 0;
	tty->winsize = *ws;
	pgrp = tty->pgrp;
	spin_unlock(&tty->lock);
	if (is_changed && pgrp > 0)
		(void)signal_send_pgrp(pgrp, SIGWINCH, NULL);
}

void tty_want_input(struct tty *tty)
{
	if (tty->driver->input_wanted != NULL)
		tty->driver->input_wanted(tty);
}

/* ---- open files ---------------------------------------------------------- */

int tty_attach_file(struct tty *tty, struct file *file)
{
	struct tty_file *tf;

	if (tty->is_dead)
		return -EIO;
	if (tty->is_exclusive && !tty_may_admin())
		return -EBUSY;
	tf = kzalloc(sizeof(*tf));
	if (tf == NULL)
		return -ENOMEM;
	tf->tty = tty;
	tf->hangup_count = tty->hangup_count;
	tty->refs++;
	tty->nr_open++;
	file->private = tf;
	file->ops = &tty_fops;
	return 0;
}

struct tty *tty_of_file(struct file *file)
{
	return file->ops == &tty_fops ? ((struct tty_file *)file->private)->tty : NULL;
}

static bool is_hung_up(const struct tty_file *tf)
{
	return tf->hangup_count != tf->tty->hangup_count || tf->tty->is_dead;
}

static void tty_file_release(struct file *file)
{
	struct tty_file *tf = file->private;
	struct tty *tty = tf->tty;

	kfree(tf);
	if (--tty->nr_open == 0) {
		tty->is_exclusive = false;
		if (tty->driver->closed != NULL)
			tty->driver->closed(tty);
	}
	tty_put(tty);
}

/* ---- read ---------------------------------------------------------------- */

/* What VMIN and VTIME ask of one read; canonical reads wait for a line for ever. */
struct read_plan {
	size_t minimum;
	uint64_t between_ns; /* VTIME between bytes, 0: none */
	uint64_t deadline_ns;
};

static void read_plan_make(struct tty *tty, struct read_plan *plan)
{
	const struct linux_termios *t = &tty->ld.termios;
	uint64_t time_ns = (uint64_t)t->c_cc[VTIME] * 100000000u;

	*plan = (struct read_plan){.minimum = 1, .deadline_ns = WAIT_FOREVER};
	if (t->c_lflag & ICANON)
		return;
	if (t->c_cc[VMIN] > 0) {
		plan->minimum = t->c_cc[VMIN];
		plan->between_ns = time_ns;
	} else {
		plan->deadline_ns = time_ns > 0 ? arch_time_ns() + time_ns : 0;
	}
}

/* 0: try again; -EAGAIN, -ERESTARTSYS; -ETIMEDOUT: the read ends with what it has. */
static int wait_for_input(struct file *file, struct tty_file *tf, uint64_t deadline_ns)
{
	struct tty *tty = tf->tty;
	int result;

	if (deadline_ns == 0)
		return -ETIMEDOUT;
	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	WAIT_EVENT(result, &tty->read_waitq, ldisc_is_readable(&tty->ld, false) || is_hung_up(tf), true,
		   deadline_ns);
	return result == -EINTR ? -ERESTARTSYS : result;
}

static size_t take(struct tty *tty, char *buf, size_t n, bool *is_line_done, bool *is_canonical)
{
	size_t taken;

	spin_lock(&tty->lock);
	*is_canonical = (tty->ld.termios.c_lflag & ICANON) != 0;
	taken = ldisc_take(&tty->ld, buf, n, is_line_done);
	spin_unlock(&tty->lock);
	if (taken > 0 && tty->driver->input_taken != NULL)
		tty->driver->input_taken(tty);
	return taken;
}

static int64_t tty_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct tty_file *tf = file->private;
	struct read_plan plan;
	size_t done = 0;
	int err = 0;

	(void)pos;
	tty_want_input(tf->tty);
	read_plan_make(tf->tty, &plan);
	while (uio->resid_bytes > 0 && !is_hung_up(tf)) {
		char chunk[CHUNK_BYTES];
		bool is_line_done, is_canonical;
		size_t n;

		err = tty_check_foreground(tf->tty, SIGTTIN);
		if (err != 0)
			break;
		n = take(tf->tty, chunk, MIN(uio->resid_bytes, sizeof(chunk)), &is_line_done, &is_canonical);
		if (n > 0) {
			err = uio_put(uio, chunk, n);
			if (err != 0)
				break;
			done += n;
		}
		if (is_line_done || (is_canonical && done > 0 && n < sizeof(chunk)))
			break;
		if (n > 0 && !is_canonical) {
			if (done >= plan.minimum)
				break;
			if (plan.between_ns > 0)
				plan.deadline_ns = arch_time_ns() + plan.between_ns;
		}
		if (n > 0)
			continue;
		err = wait_for_input(file, tf, plan.deadline_ns);
		if (err != 0)
			break;
	}
	if (err == -ETIMEDOUT)
		err = 0;
	return done > 0 ? (int64_t)done : err;
}

/* ---- write --------------------------------------------------------------- */

static bool can_write(struct tty *tty)
{
	return !tty->ld.is_stopped && tty->driver->room(tty) >= LONGEST_EXPANSION;
}

/* One chunk, as much as goes without sleeping. */
static size_t write_some(struct tty *tty, const char *buf, size_t n)
{
	size_t done;

	spin_lock(&tty->lock);
	done = ldisc_write(&tty->ld, buf, n);
	spin_unlock(&tty->lock);
	return done;
}

static int wait_for_room(struct file *file, struct tty_file *tf)
{
	int result;

	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	WAIT_EVENT(result, &tf->tty->write_waitq, can_write(tf->tty) || is_hung_up(tf), true, WAIT_FOREVER);
	return result == -EINTR ? -ERESTARTSYS : result;
}

static int write_check(struct tty_file *tf)
{
	if (is_hung_up(tf))
		return -EIO;
	if (tf->tty->ld.termios.c_lflag & TOSTOP)
		return tty_check_foreground(tf->tty, SIGTTOU);
	return 0;
}

static int64_t tty_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct tty_file *tf = file->private;
	char chunk[CHUNK_BYTES];
	size_t filled = 0, sent = 0, done = 0;
	int err;

	(void)pos;
	for (;;) {
		size_t n;

		err = write_check(tf);
		if (err != 0)
			break;
		if (sent == filled) {
			filled = MIN(uio->resid_bytes, sizeof(chunk));
			sent = 0;
			if (filled == 0)
				break;
			err = uio_get(uio, chunk, filled);
			if (err != 0)
				break;
		}
		n = write_some(tf->tty, chunk + sent, filled - sent);
		sent += n;
		done += n;
		if (n == 0) {
			err = wait_for_room(file, tf);
			if (err != 0)
				break;
		}
	}
	return done > 0 ? (int64_t)done : err;
}

/* ---- poll, ioctl --------------------------------------------------------- */

static unsigned tty_poll(struct file *file, struct poll_table *table)
{
	struct tty_file *tf = file->private;
	struct tty *tty = tf->tty;
	unsigned events = 0;

	if (table != NULL)
		tty_want_input(tty);
	poll_wait(table, &tty->read_waitq);
	poll_wait(table, &tty->write_waitq);
	if (is_hung_up(tf))
		return POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDNORM | POLLWRNORM;
	if (ldisc_is_readable(&tty->ld, true))
		events |= POLLIN | POLLRDNORM;
	if (can_write(tty))
		events |= POLLOUT | POLLWRNORM;
	return events;
}

static int64_t tty_file_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct tty_file *tf = file->private;

	if (is_hung_up(tf))
		return cmd == TIOCSPGRP ? -ENOTTY : -EIO;
	return tty_ioctl(tf->tty, cmd, arg, false);
}

static const struct file_ops tty_fops = {
	.release = tty_file_release,
	.read = tty_read,
	.write = tty_write,
	.poll = tty_poll,
	.ioctl = tty_file_ioctl,
};
