/*
 * signalfd(2): the reader's own pending signals as a file. Owns struct signalfd.
 * The reader's sighand announces new signals (sched/signal.h); who polls waits for
 * signals of the task that polls, as on Linux.
 */
#include "fs/eventfd.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "fs/poll.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"
#include "sched/task.h"
#include "syscall/syscall.h"

_Static_assert(sizeof(struct linux_signalfd_siginfo) == 128, "struct signalfd_siginfo is 128 bytes");

struct signalfd {
	uint64_t mask;             /* signals it reads; never SIGKILL or SIGSTOP */
};

static const struct file_ops signalfd_fops;

static bool is_pending(const struct signalfd *s)
{
	return (signal_pending_set(current_task()) & s->mask) != 0;
}

static void convert(const struct linux_siginfo *info, struct linux_signalfd_siginfo *out)
{
	*out = (struct linux_signalfd_siginfo){
		.ssi_signo = (uint32_t)info->signo, .ssi_errno = info->errno_value, .ssi_code = info->code};
	switch (info->code) {
	case SI_TIMER:
		out->ssi_tid = (uint32_t)info->timer.tid;
		out->ssi_overrun = (uint32_t)info->timer.overrun;
		out->ssi_ptr = info->timer.value;
		out->ssi_int = (int32_t)info->timer.value;
		return;
	case SI_QUEUE:
	case SI_MESGQ:
		out->ssi_pid = (uint32_t)info->rt.pid;
		out->ssi_uid = info->rt.uid;
		out->ssi_ptr = info->rt.value;
		out->ssi_int = (int32_t)info->rt.value;
		return;
	}
	if (info->signo == SIGCHLD && info->code > 0) {
		out->ssi_pid = (uint32_t)info->chld.pid;
		out->ssi_uid = info->chld.uid;
		out->ssi_status = info->chld.status;
		out->ssi_utime = (uint64_t)info->chld.utime;
		out->ssi_stime = (uint64_t)info->chld.stime;
	} else if (info->code > 0 && info->code < SI_KERNEL &&
		   (info->signo == SIGSEGV || info->signo == SIGBUS || info->signo == SIGILL ||
		    info->signo == SIGFPE || info->signo == SIGTRAP)) {
		out->ssi_addr = info->fault.addr;
		out->ssi_addr_lsb = (uint16_t)info->fault.addr_lsb;
	} else if (info->code <= 0) {
		out->ssi_pid = (uint32_t)info->kill.pid;
		out->ssi_uid = info->kill.uid;
	}
}

/* The next signal; 0, -EAGAIN or -ERESTARTSYS. */
static int next_signal(const struct signalfd *s, bool may_wait, struct linux_siginfo *info)
{
	struct waitq *q = &current_task()->sig.hand->waitq;
	int err;

	while (signal_dequeue(s->mask, info) == 0) {
		if (!may_wait)
			return -EAGAIN;
		WAIT_EVENT(err, q, is_pending(s), true, WAIT_FOREVER);
		if (err != 0)
			return -ERESTARTSYS;
	}
	return 0;
}

static int64_t signalfd_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct signalfd *s = file->private;
	struct linux_signalfd_siginfo record;
	struct linux_siginfo info;
	int64_t done = 0;
	int err = 0;

	(void)pos;
	if (uio->resid_bytes < sizeof(record))
		return -EINVAL;
	while (uio->resid_bytes >= sizeof(record)) {
		err = next_signal(s, done == 0 && (file->flags & O_NONBLOCK) == 0, &info);
		if (err != 0)
			break;
		convert(&info, &record);
		err = uio_put(uio, &record, sizeof(record));
		if (err != 0)
			break;
		done += (int64_t)sizeof(record);
	}
	return done > 0 ? done : err;
}

static unsigned signalfd_poll(struct file *file, struct poll_table *table)
{
	struct signalfd *s = file->private;

	poll_wait(table, &current_task()->sig.hand->waitq);
	return is_pending(s) ? POLLIN : 0;
}

static int signalfd_fdinfo(struct file *file, char *buf, size_t size_bytes)
{
	struct signalfd *s = file->private;

	return ksnprintf(buf, size_bytes, "sigmask:\t%016llx\n", (unsigned long long)s->mask);
}

static void signalfd_release(struct file *file) { kfree(file->private); }

static const struct file_ops signalfd_fops = {
	.release = signalfd_release,
	.read = signalfd_read,
	.poll = signalfd_poll,
	.fdinfo = signalfd_fdinfo,
};

static uint64_t readable_mask(uint64_t mask) { return mask & ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)); }

int signalfd_create_file(uint64_t mask, unsigned flags, struct file **out)
{
	struct signalfd *s = kzalloc(sizeof(*s));
	int err;

	if (s == NULL)
		return -ENOMEM;
	s->mask = readable_mask(mask);
	err = file_create(&signalfd_fops, NULL, O_RDWR | (flags & O_NONBLOCK), s, out);
	if (err != 0) {
		kfree(s);
		return err;
	}
	(*out)->anon_name = "anon_inode:[signalfd]";
	return 0;
}

int signalfd_set_mask(struct file *file, uint64_t mask)
{
	struct signalfd *s = file->private;

	if (file->ops != &signalfd_fops)
		return -EINVAL;
	s->mask = readable_mask(mask);
	waitq_wake_all(&current_task()->sig.hand->waitq);
	return 0;
}
