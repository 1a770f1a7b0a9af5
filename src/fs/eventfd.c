/*
 * eventfd(2): a 64-bit counter as a file. Owns struct eventfd. It changes without
 * sleeping in between, so the kernel's own rule (no preemption) and the queue's
 * lock suffice; the lock is taken for machines with several CPUs.
 */
#include "fs/eventfd.h"

#include "abi/errno.h"
#include "fs/poll.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
	struct spinlock lock;
	uint64_t count;            /* lock */
	bool is_semaphore;
	struct waitq waitq;        /* readers and writers */
};

/* Takes the counter (or one of it). False: it is 0. */
static bool take(struct eventfd *e, uint64_t *value)
{
	spin_lock(&e->lock);
	*value = e->is_semaphore && e->count > 0 ? 1 : e->count;
	e->count -= *value;
	spin_unlock(&e->lock);
	return *value != 0;
}

static bool add(struct eventfd *e, uint64_t value)
{
	bool fits;

	spin_lock(&e->lock);
	fits = COUNT_MAX - e->count >= value;
	if (fits)
		e->count += value;
	spin_unlock(&e->lock);
	return fits;
}

static int64_t eventfd_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct eventfd *e = file->private;
	uint64_t value;
	int err;

	(void)pos;
	if (uio->resid_bytes < sizeof(value))
		return -EINVAL;
	while (!take(e, &value)) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		WAIT_EVENT(err, &e->waitq, e->count > 0, true, WAIT_FOREVER);
		if (err != 0)
			return -ERESTARTSYS;
	}
	waitq_wake_all(&e->waitq);
	err = uio_put(uio, &value, sizeof(value));
	return err != 0 ? err : (int64_t)sizeof(value);
}

static int64_t eventfd_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct eventfd *e = file->private;
	uint64_t value;
	int err;

	(void)pos;
	if (uio->resid_bytes < sizeof(value))
		return -EINVAL;
	err = uio_get(uio, &value, sizeof(value));
	if (err != 0)
		return err;
	if (value == UINT64_MAX)
		return -EINVAL;
	while (!add(e, value)) {
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		WAIT_EVENT(err, &e->waitq, COUNT_MAX - e->count >= value, true, WAIT_FOREVER);
		if (err != 0)
			return -ERESTARTSYS;
	}
	waitq_wake_all(&e->waitq);
	return sizeof(value);
}

static unsigned eventfd_poll(struct file *file, struct poll_table *table)
{
	struct eventfd *e = file->private;
	unsigned events = 0;

	poll_wait(table, &e->waitq);
	if (e->count > 0)
		events |= POLLIN;
	if (e->count < COUNT_MAX)
		events |= POLLOUT;
	return events;
}

static int eventfd_fdinfo(struct file *file, char *buf, size_t size_bytes)
{
	struct eventfd *e = file->private;

	return ksnprintf(buf, size_bytes, "eventfd-count: %16llx\n", (unsigned long long)e->count);
}

static void eventfd_release(struct file *file) { kfree(file->private); }

static const struct file_ops eventfd_fops = {
	.release = eventfd_release,
	.read = eventfd_read,
	.write = eventfd_write,
	.poll = eventfd_poll,
	.fdinfo = eventfd_fdinfo,
};

int eventfd_create_file(uint64_t count, bool is_semaphore, unsigned flags, struct file **out)
{
	struct eventfd *e = kzalloc(sizeof(*e));
	int err;

	if (e == NULL)
		return -ENOMEM;
	e->count = count;
	e->is_semaphore = is_semaphore;
	waitq_init(&e->waitq);
	err = file_create(&eventfd_fops, NULL, O_RDWR | (flags & O_NONBLOCK), e, out);
	if (err != 0) {
		kfree(e);
		return err;
	}
	(*out)->anon_name = "anon_inode:[eventfd]";
	return 0;
}
