/*
 * ioctl_tty(2): attributes, window size, flow control, queues. Those of job
 * control are in tty_job.c. User memory is copied without the lock, the change made with it.
 */
#include "fs/tty_internal.h"

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/task.h"

static int64_t put_user(uint64_t arg, const void *value, size_t size)
{
	return copy_to_user(uaddr(arg), value, size);
}
static int64_t put_int(uint64_t arg, int value) { return put_user(arg, &value, sizeof(value)); }

/* ---- attributes ---------------------------------------------------------- */

static int64_t get_termios(struct tty *tty, unsigned cmd, uint64_t arg)
{
	struct linux_termios t = tty->ld.termios;

	if (cmd == TCGETA) {
		struct linux_termio old = {.c_iflag = (uint16_t)t.c_iflag, .c_oflag = (uint16_t)t.c_oflag,
					   .c_cflag = (uint16_t)t.c_cflag, .c_lflag = (uint16_t)t.c_lflag,
					   .c_line = t.c_line};
		memcpy(old.c_cc, t.c_cc, sizeof(old.c_cc));
		return put_user(arg, &old, sizeof(old));
	}
	if (cmd == TCGETS2) {
		struct linux_termios2 t2 = {.c_ispeed = 38400, .c_ospeed = 38400};

		memcpy(&t2, &t, sizeof(t));
		return put_user(arg, &t2, sizeof(t2));
	}
	return put_user(arg, &t, sizeof(t));
}

static int fetch_termios(unsigned cmd, uint64_t arg, struct linux_termios *t)
{
	if (cmd == TCSETA || cmd == TCSETAW || cmd == TCSETAF) {
		struct linux_termio old;

		if (copy_from_user(&old, uaddr(arg), sizeof(old)) != 0)
			return -EFAULT;
		t->c_iflag = (t->c_iflag & 0xffff0000u) | old.c_iflag;
		t->c_oflag = (t->c_oflag & 0xffff0000u) | old.c_oflag;
		t->c_cflag = (t->c_cflag & 0xffff0000u) | old.c_cflag;
		t->c_lflag = (t->c_lflag & 0xffff0000u) | old.c_lflag;
		memcpy(t->c_cc, old.c_cc, sizeof(old.c_cc));
		return 0;
	}
	/* struct termios2 begins with struct termios; the speeds mean nothing here. */
	return copy_from_user(t, uaddr(arg), sizeof(*t));
}

static int64_t set_termios(struct tty *tty, unsigned cmd, uint64_t arg)
{
	struct linux_termios t = tty->ld.termios;
	bool flush = cmd == TCSETSF || cmd == TCSETAF || cmd == TCSETSF2;
	int err = tty_check_foreground(tty, SIGTTOU);

	if (err == 0)
		err = fetch_termios(cmd, arg, &t);
	if (err != 0)
		return err;
	tty_want_input(tty);
	spin_lock(&tty->lock);
	if (flush)
		ldisc_flush_input(&tty->ld);
	t.c_line = tty->ld.termios.c_line;
	ldisc_set_termios(&tty->ld, &t);
	spin_unlock(&tty->lock);
	/* Pending input may have become readable, output possible. */
	waitq_wake_all(&tty->read_waitq);
	waitq_wake_all(&tty->write_waitq);
	return 0;
}

static int64_t set_discipline(uint64_t arg)
{
	int n;

	if (copy_from_user(&n, uaddr(arg), sizeof(n)) != 0)
		return -EFAULT;
	return n == 0 ? 0 : -EINVAL; /* N_TTY is the only one */
}

static int64_t set_local(struct tty *tty, uint64_t arg)
{
	int on;

	if (copy_from_user(&on, uaddr(arg), sizeof(on)) != 0)
		return -EFAULT;
	if (on)
		tty->ld.termios.c_cflag |= CLOCAL;
	else
		tty->ld.termios.c_cflag &= ~CLOCAL;
	return 0;
}

static int64_t ioctl_attributes(struct tty *tty, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case TCGETS:
	case TCGETS2:
	case TCGETA:
		return get_termios(tty, cmd, arg);
	case TCSETS:
	case TCSETSW:
	case TCSETSF:
	case TCSETS2:
	case TCSETSW2:
	case TCSETSF2:
	case TCSETA:
	case TCSETAW:
	case TCSETAF:
		return set_termios(tty, cmd, arg);
	case TIOCGETD:
		return put_int(arg, 0);
	case TIOCSETD:
		return set_discipline(arg);
	case TIOCGSOFTCAR:
		return put_int(arg, (tty->ld.termios.c_cflag & CLOCAL) != 0);
	case TIOCSSOFTCAR:
		return set_local(tty, arg);
	default:
		return -ENOTTY;
	}
}

/* ---- queues and flow ----------------------------------------------------- */

static int64_t flush_queues(struct tty *tty, uint64_t arg)
{
	int err;

	if (arg > TCIOFLUSH)
		return -EINVAL;
	err = tty_check_foreground(tty, SIGTTOU);
	if (err != 0)
		return err;
	spin_lock(&tty->lock);
	if (arg != TCOFLUSH)
		ldisc_flush_input(&tty->ld);
	if (arg != TCIFLUSH && tty->driver->flush_output != NULL)
		tty->driver->flush_output(tty);
	spin_unlock(&tty->lock);
	if (arg != TCOFLUSH && tty->driver->input_taken != NULL)
		tty->driver->input_taken(tty);
	waitq_wake_all(&tty->write_waitq);
	return 0;
}

static int64_t flow(struct tty *tty, uint64_t arg)
{
	const uint8_t *cc = tty->ld.termios.c_cc;
	int err;

	if (arg > TCION)
		return -EINVAL;
	err = tty_check_foreground(tty, SIGTTOU);
	if (err != 0)
		return err;
	spin_lock(&tty->lock);
	if (arg == TCOOFF || arg == TCOON)
		ldisc_hold_output(&tty->ld, arg == TCOOFF);
	else if (cc[arg == TCIOFF ? VSTOP : VSTART] != 0)
		(void)tty->driver->output(tty, (const char *)&cc[arg == TCIOFF ? VSTOP : VSTART], 1);
	spin_unlock(&tty->lock);
	return 0;
}

static int64_t input_count(struct tty *tty, uint64_t arg)
{
	size_t count;

	spin_lock(&tty->lock);
	count = ldisc_input_count(&tty->ld);
	spin_unlock(&tty->lock);
	return put_int(arg, (int)count);
}

static int64_t set_winsize(struct tty *tty, uint64_t arg)
{
	struct linux_winsize ws;

	if (copy_from_user(&ws, uaddr(arg), sizeof(ws)) != 0)
		return -EFAULT;
	tty_set_winsize(tty, &ws);
	return 0;
}

static int64_t hang_up(struct tty *tty)
{
	if (!tty_may_admin())
		return -EPERM;
	tty_hangup(tty, false);
	return 0;
}

int64_t tty_ioctl(struct tty *tty, unsigned cmd, uint64_t arg, bool is_master)
{
	switch (cmd) {
	case TIOCGWINSZ:
		return put_user(arg, &tty->winsize, sizeof(tty->winsize));
	case TIOCSWINSZ:
		return set_winsize(tty, arg);
	case TIOCGPGRP:
		return tty_ioctl_gpgrp(tty, arg, is_master);
	case TIOCSPGRP:
		return tty_ioctl_spgrp(tty, arg);
	case TIOCGSID:
		return tty_ioctl_gsid(tty, arg, is_master);
	case TIOCSCTTY:
		return tty_ioctl_sctty(tty, arg);
	case TIOCNOTTY:
		return tty_ioctl_notty(tty);
	case TCFLSH:
		return flush_queues(tty, arg);
	case TCXONC:
		return flow(tty, arg);
	case TCSBRK:
	case TCSBRKP:
		/* Output is never queued in the terminal, and a line without wires has no break. */
		return tty_check_foreground(tty, SIGTTOU);
	case TIOCSBRK:
	case TIOCCBRK:
		return 0;
	case FIONREAD:
		return input_count(tty, arg);
	case TIOCOUTQ:
		return put_int(
			arg, tty->driver->pending_output == NULL ? 0 : (int)tty->driver->pending_output(tty));
	case TIOCSTI:
		return -EIO; /* as Linux with dev.tty.legacy_tiocsti = 0 */
	case TIOCEXCL:
		tty->is_exclusive = true;
		return 0;
	case TIOCNXCL:
		tty->is_exclusive = false;
		return 0;
	case TIOCGEXCL:
		return put_int(arg, tty->is_exclusive);
	case TIOCGDEV: {
		uint32_t dev = (uint32_t)tty->rdev;

		return put_user(arg, &dev, sizeof(dev));
	}
	case TIOCVHANGUP:
		return hang_up(tty);
	default:
		return ioctl_attributes(tty, cmd, arg);
	}
}
