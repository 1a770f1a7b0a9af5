/*
 * timerfd_create(2): a timer as a file; a read returns the number of expirations.
 * Owns struct timerfd. The timer's callback comes from interrupt context; lock guards
 * what both sides change.
 */
#include "fs/eventfd.h"

#include "abi/errno.h"
#include "abi/epoll.h"
#include "abi/ioctl.h"
#include "fs/poll.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

struct timerfd {
	int clock;
	bool is_absolute;
	struct spinlock lock;
	/* lock guards these: */
	struct ktimer timer;
	uint64_t deadline_ns;      /* arch_time_ns() of the next expiration */
	uint64_t interval_ns;      /* 0: once */
	uint64_t nr_expired;
	struct waitq waitq;
};

static const struct file_ops timerfd_fops;

/* Expirations up to now; sets deadline_ns to the next. */
static uint64_t advance(struct timerfd *t, uint64_t now_ns)
{
	uint64_t nr;

	if (t->interval_ns == 0 || now_ns < t->deadline_ns)
		return now_ns >= t->deadline_ns;
	nr = (now_ns - t->deadline_ns) / t->interval_ns + 1;
	t->deadline_ns += nr * t->interval_ns;
	return nr;
}

static void fired(struct ktimer *timer)
{
	struct timerfd *t = CONTAINER_OF(timer, struct timerfd, timer);

	spin_lock(&t->lock);
	t->nr_expired += advance(t, MAX(arch_time_ns(), t->deadline_ns));
	if (t->interval_ns != 0)
		ktimer_set(&t->timer, t->deadline_ns);
	spin_unlock(&t->lock);
	waitq_wake_all(&t->waitq);
}

static struct linux_timespec to_timespec(uint64_t ns)
{
	return (struct linux_timespec){(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC)};
}

/* Saturating, so that a far future stays one. */
static uint64_t to_ns(const struct linux_timespec *t)
{
	if ((uint64_t)t->sec >= (UINT64_MAX >> 1) / NSEC_PER_SEC)
		return UINT64_MAX >> 1;
	return (uint64_t)t->sec * NSEC_PER_SEC + (uint64_t)t->nsec;
}

static void get_locked(const struct timerfd *t, struct linux_itimerspec *out)
{
	uint64_t now = arch_time_ns(), left = 0;

	if (ktimer_is_set(&t->timer))
		left = t->deadline_ns > now ? t->deadline_ns - now : 1;
	out->value = to_timespec(left);
	out->interval = to_timespec(t->interval_ns);
}

int timerfd_get(struct file *file, struct linux_itimerspec *out)
{
	struct timerfd *t = file->private;

	if (file->ops != &timerfd_fops)
		return -EINVAL;
	spin_lock(&t->lock);
	get_locked(t, out);
	spin_unlock(&t->lock);
	return 0;
}

int timerfd_set(struct file *file, bool is_absolute, const struct linux_itimerspec *new_value,
		struct linux_itimerspec *old)
{
	struct timerfd *t = file->private;
	uint64_t value_ns = to_ns(&new_value->value);

	if (file->ops != &timerfd_fops)
		return -EINVAL;
	spin_lock(&t->lock);
	get_locked(t, old);
	ktimer_cancel(&t->timer);
	t->nr_expired = 0;
	t->interval_ns = to_ns(&new_value->interval);
	t->is_absolute = is_absolute;
	if (value_ns != 0) {
		if (!is_absolute)
			t->deadline_ns = arch_time_ns() + value_ns;
		else if (t->clock == CLOCK_REALTIME)
			t->deadline_ns = realtime_to_deadline(value_ns);
		else
			t->deadline_ns = value_ns;
		ktimer_set(&t->timer, t->deadline_ns);
	}
	spin_unlock(&t->lock);
	return 0;
}

static int64_t timerfd_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct timerfd *t = file->private;
	uint64_t nr;
	int err;

	(void)pos;
	if (uio->resid_bytes < sizeof(nr))
		return -EINVAL;
	for (;;) {
		spin_lock(&t->lock);
		nr = t->nr_expired;
		t->nr_expired = 0;
		spin_unlock(&t->lock);
		if (nr != 0)
			break;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		WAIT_EVENT(err, &t->waitq, t->nr_expired != 0, true, WAIT_FOREVER);
		if (err != 0)
			return -ERESTARTSYS;
	}
	err = uio_put(uio, &nr, sizeof(nr));
	return err != 0 ? err : (int64_t)sizeof(nr);
}

static unsigned timerfd_poll(struct file *file, struct poll_table *table)
{
	struct timerfd *t = file->private;

	poll_wait(table, &t->waitq);
	return t->nr_expired != 0 ? POLLIN : 0;
}

/* TFD_IOC_SET_TICKS: pretend so many expirations. */
static int64_t timerfd_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct timerfd *t = file->private;
	uint64_t nr;

	if (cmd != TFD_IOC_SET_TICKS)
		return -ENOTTY;
	if (copy_from_user(&nr, uaddr(arg), sizeof(nr)) != 0)
		return -EFAULT;
	if (nr == 0)
		return -EINVAL;
	t->nr_expired = nr;
	waitq_wake_all(&t->waitq);
	return 0;
}

static int timerfd_fdinfo(struct file *file, char *buf, size_t size_bytes)
{
	struct timerfd *t = file->private;
	struct linux_itimerspec v;

	get_locked(t, &v);
	return ksnprintf(buf, size_bytes,
			 "clockid: %d\nticks: %llu\nsettime flags: 0%o\nit_value: (%lld, %lld)\n"
			 "it_interval: (%lld, %lld)\n",
			 t->clock, (unsigned long long)t->nr_expired, t->is_absolute ? TFD_TIMER_ABSTIME : 0,
			 (long long)v.value.sec, (long long)v.value.nsec, (long long)v.interval.sec,
			 (long long)v.interval.nsec);
}

static void timerfd_release(struct file *file)
{
	struct timerfd *t = file->private;

	ktimer_cancel(&t->timer);
	kfree(t);
}

static const struct file_ops timerfd_fops = {
	.release = timerfd_release,
	.read = timerfd_read,
	.poll = timerfd_poll,
	.ioctl = timerfd_ioctl,
	.fdinfo = timerfd_fdinfo,
};

int timerfd_create_file(int clock, unsigned flags, struct file **out)
{
	struct timerfd *t = kzalloc(sizeof(*t));
	int err;

	if (t == NULL)
		return -ENOMEM;
	t->clock = clock;
	t->timer.fn = fired;
	waitq_init(&t->waitq);
	err = file_create(&timerfd_fops, NULL, O_RDWR | (flags & O_NONBLOCK), t, out);
	if (err != 0) {
		kfree(t);
		return err;
	}
	(*out)->anon_name = "anon_inode:[timerfd]";
	return 0;
}
