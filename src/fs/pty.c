/*
 * Pseudo-terminals, pty(7): a terminal (the slave) whose device is another open
 * file (the master, from /dev/ptmx). What the slave writes stands in a ring the
 * master reads; what the master writes is the slave's input.
 * Owns struct pty and the table of numbers. Lock: the slave's tty->lock.
 * Invariant: a pair is in the table exactly while its master is open.
 */
#include "fs/pty.h"

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "fs/fdtable.h"
#include "fs/poll.h"
#include "fs/tty_internal.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define CHUNK_BYTES 1024

static struct pty *ptys[PTY_MAX];

struct pty *pty_find(unsigned index) { return index < PTY_MAX ? ptys[index] : NULL; }

/* ---- the slave's device -------------------------------------------------- */

static struct pty *tty_pty(struct tty *tty) { return CONTAINER_OF(tty, struct pty, tty); }

static size_t pty_output(struct tty *tty, const char *buf, size_t n)
{
	struct pty *p = tty_pty(tty);
	size_t room = PTY_RING_BYTES - (p->head - p->tail);

	n = MIN(n, room);
	for (size_t i = 0; i < n; i++)
		p->ring[p->head++ % PTY_RING_BYTES] = buf[i];
	if (n > 0)
		waitq_wake_all(&p->read_waitq);
	return n;
}

static size_t pty_room(struct tty *tty)
{
	struct pty *p = tty_pty(tty);

	return PTY_RING_BYTES - (p->head - p->tail);
}

static size_t pty_pending(struct tty *tty)
{
	struct pty *p = tty_pty(tty);

	return p->head - p->tail;
}

static void packet_note(struct pty *p, uint8_t clear, uint8_t set)
{
	if (p->is_packet_mode) {
		p->packet_status = (uint8_t)((p->packet_status & ~clear) | set);
		waitq_wake_all(&p->read_waitq);
	}
}

static void pty_flush_output(struct tty *tty)
{
	struct pty *p = tty_pty(tty);

	p->tail = p->head;
	packet_note(p, 0, TIOCPKT_FLUSHWRITE);
	waitq_wake_all(&tty->write_waitq);
}

static void pty_flow(struct tty *tty, bool is_stopped)
{
	packet_note(tty_pty(tty), is_stopped ? TIOCPKT_START : TIOCPKT_STOP,
		    is_stopped ? TIOCPKT_STOP : TIOCPKT_START);
}

static void pty_input_taken(struct tty *tty) { waitq_wake_all(&tty_pty(tty)->write_waitq); }

static void pty_slave_closed(struct tty *tty)
{
	struct pty *p = tty_pty(tty);

	p->is_slave_closed = true;
	waitq_wake_all(&p->read_waitq);
	waitq_wake_all(&p->write_waitq);
}

static void pty_release(struct tty *tty) { kfree(tty_pty(tty)); }

static const struct tty_driver pty_driver = {
	.output = pty_output,
	.room = pty_room,
	.flush_output = pty_flush_output,
	.pending_output = pty_pending,
	.input_taken = pty_input_taken,
	.flow = pty_flow,
	.closed = pty_slave_closed,
	.release = pty_release,
};

/* /dev/pts/N */
static int pts_open(struct file *file)
{
	struct pty *p = pty_find(dev_minor(file->inode->rdev));
	int err;

	if (p == NULL || p->is_locked)
		return -EIO;
	err = tty_attach_file(&p->tty, file);
	if (err != 0)
		return err;
	p->is_slave_closed = false;
	tty_open_controlling(&p->tty, file);
	return 0;
}

const struct file_ops pts_fops = {.open = pts_open};

/* ---- the master ---------------------------------------------------------- */

static int ptmx_open(struct file *file)
{
	unsigned index = 0;
	struct pty *p;
	int err;

	while (index < PTY_MAX && ptys[index] != NULL)
		index++;
	if (index == PTY_MAX)
		return -ENOSPC;
	p = kzalloc(sizeof(*p));
	if (p == NULL)
		return -ENOMEM;
	tty_init(&p->tty, &pty_driver, dev_make(PTS_MAJOR, index));
	p->tty.ld.termios.c_cflag &= ~HUPCL;
	p->index = index;
	p->is_locked = true;
	waitq_init(&p->read_waitq);
	waitq_init(&p->write_waitq);
	err = devpts_inode_create(index, &p->inode);
	if (err != 0) {
		kfree(p);
		return err;
	}
	ptys[index] = p;
	file->private = p;
	return 0;
}

static void ptmx_release(struct file *file)
{
	struct pty *p = file->private;
	struct inode *inode = p->inode;

	ptys[p->index] = NULL;
	p->inode = NULL;
	tty_hangup(&p->tty, true);
	tty_put(&p->tty);
	if (inode != NULL)
		inode_put(inode);
}

/* Something for read(2) of the master? Its slave's end counts. */
static bool master_is_readable(const struct pty *p)
{
	return p->head != p->tail || p->packet_status != 0 || p->is_slave_closed;
}

static size_t master_take(struct pty *p, char *buf, size_t n)
{
	size_t taken = 0;

	spin_lock(&p->tty.lock);
	if (p->is_packet_mode && n > 0) {
		buf[taken++] = (char)p->packet_status;
		if (p->packet_status != 0)
			n = 1;
		else if (p->head == p->tail)
			taken = 0;
		p->packet_status = 0;
	}
	while (taken < n && p->tail != p->head)
		buf[taken++] = p->ring[p->tail++ % PTY_RING_BYTES];
	spin_unlock(&p->tty.lock);
	return taken;
}

static int64_t ptmx_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct pty *p = file->private;
	char chunk[CHUNK_BYTES];
	int err;

	(void)pos;
	for (;;) {
		size_t n = master_take(p, chunk, MIN(uio->resid_bytes, sizeof(chunk)));

		if (n > 0) {
			waitq_wake_all(&p->tty.write_waitq);
			err = uio_put(uio, chunk, n);
			return err != 0 ? err : (int64_t)n;
		}
		if (uio->resid_bytes == 0)
			return 0;
		if (p->is_slave_closed)
			return -EIO;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		WAIT_EVENT(err, &p->read_waitq, master_is_readable(p), true, WAIT_FOREVER);
		if (err != 0)
			return -ERESTARTSYS;
	}
}

static int64_t ptmx_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct pty *p = file->private;
	char chunk[CHUNK_BYTES];
	size_t done = 0;
	int err = 0;

	(void)pos;
	while (uio->resid_bytes > 0) {
		size_t n = MIN(MIN(uio->resid_bytes, sizeof(chunk)), ldisc_room(&p->tty.ld));

		if (n > 0) {
			err = uio_get(uio, chunk, n);
			if (err != 0)
				break;
			tty_receive(&p->tty, chunk, n);
			done += n;
			continue;
		}
		if (file->flags & O_NONBLOCK) {
			err = -EAGAIN;
			break;
		}
		WAIT_EVENT(err, &p->write_waitq, ldisc_room(&p->tty.ld) > 0, true, WAIT_FOREVER);
		if (err != 0) {
			err = -ERESTARTSYS;
			break;
		}
	}
	return done > 0 ? (int64_t)done : err;
}

static unsigned ptmx_poll(struct file *file, struct poll_table *table)
{
	struct pty *p = file->private;
	unsigned events = 0;

	poll_wait(table, &p->read_waitq);
	poll_wait(table, &p->write_waitq);
	if (p->head != p->tail)
		events |= POLLIN | POLLRDNORM;
	if (p->packet_status != 0)
		events |= POLLIN | POLLRDNORM | POLLPRI;
	if (p->is_slave_closed)
		events |= POLLHUP;
	if (ldisc_room(&p->tty.ld) > 0)
		events |= POLLOUT | POLLWRNORM;
	return events;
}

/* ---- ioctls of the master ------------------------------------------------ */

static int64_t put_int(uint64_t arg, int value) { return copy_to_user(uaddr(arg), &value, sizeof(value)); }

static int64_t set_flag(uint64_t arg, bool *flag)
{
	int on;

	if (copy_from_user(&on, uaddr(arg), sizeof(on)) != 0)
		return -EFAULT;
	*flag = on != 0;
	return 0;
}

/* TIOCGPTPEER: a descriptor of the slave. */
static int64_t open_peer(const struct pty *p, unsigned flags)
{
	char name[32];
	struct file *file;
	int fd;

	ksnprintf(name, sizeof(name), "/dev/pts/%u", p->index);
	fd = vfs_openat(AT_FDCWD, name, flags & (O_ACCMODE | O_NOCTTY | O_NONBLOCK), 0, &file);
	if (fd != 0)
		return fd;
	fd = fd_install(file, 0, (flags & O_CLOEXEC) != 0);
	if (fd < 0)
		file_put(file);
	return fd;
}

/* TIOCSIG: a signal to the slave's foreground group. */
static int64_t send_signal(struct pty *p, uint64_t sig)
{
	if (sig < 1 || sig > NR_SIGNALS)
		return -EINVAL;
	if (p->tty.pgrp > 0)
		(void)signal_send_pgrp(p->tty.pgrp, (int)sig, NULL);
	return 0;
}

static int64_t ptmx_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct pty *p = file->private;

	switch (cmd) {
	case TIOCGPTN:
		return put_int(arg, (int)p->index);
	case TIOCSPTLCK:
		return set_flag(arg, &p->is_locked);
	case TIOCGPTLCK:
		return put_int(arg, p->is_locked);
	case TIOCPKT:
		return set_flag(arg, &p->is_packet_mode);
	case TIOCGPKT:
		return put_int(arg, p->is_packet_mode);
	case TIOCGPTPEER:
		return open_peer(p, (unsigned)arg);
	case TIOCSIG:
		return send_signal(p, arg);
	case FIONREAD:
		return put_int(arg, (int)(p->head - p->tail));
	case TIOCOUTQ:
		return put_int(arg, 0);
	case TIOCSCTTY:
	case TIOCNOTTY:
		return -ENOTTY;
	default:
		return tty_ioctl(&p->tty, cmd, arg, true);
	}
}

const struct file_ops ptmx_fops = {
	.open = ptmx_open,
	.release = ptmx_release,
	.read = ptmx_read,
	.write = ptmx_write,
	.poll = ptmx_poll,
	.ioctl = ptmx_ioctl,
};
