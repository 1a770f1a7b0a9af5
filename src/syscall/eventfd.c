/*
 * eventfd2(2), timerfd_create(2), timerfd_settime(2), timerfd_gettime(2),
 * signalfd4(2) and the old forms: arguments are copied and checked here.
 */
#include "fs/eventfd.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/signal.h"
#include "fs/fdtable.h"
#include "mm/usercopy.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(eventfd);
SYSCALL_DECLARE(eventfd2);
SYSCALL_DECLARE(timerfd_create);
SYSCALL_DECLARE(timerfd_settime);
SYSCALL_DECLARE(timerfd_gettime);
SYSCALL_DECLARE(signalfd);
SYSCALL_DECLARE(signalfd4);

/* The flags all of them share. */
#define FD_FLAGS ((unsigned)(O_CLOEXEC | O_NONBLOCK))

/* A descriptor for a new file, whose reference it takes over. error: of the creation. */
static int64_t install(int error, struct file *file, unsigned flags)
{
	int fd;

	if (error != 0)
		return error;
	fd = fd_install(file, 0, (flags & O_CLOEXEC) != 0);
	if (fd < 0)
		file_put(file);
	return fd;
}

/* ---- eventfd ------------------------------------------------------------- */

static int64_t do_eventfd(unsigned count, unsigned flags)
{
	struct file *file = NULL;
	int err;

	if ((flags & ~(FD_FLAGS | EFD_SEMAPHORE)) != 0)
		return -EINVAL;
	err = eventfd_create_file(count, (flags & EFD_SEMAPHORE) != 0, flags, &file);
	return install(err, file, flags);
}

int64_t sys_eventfd(const uint64_t args[6]) { return do_eventfd((unsigned)args[0], 0); }
int64_t sys_eventfd2(const uint64_t args[6]) { return do_eventfd((unsigned)args[0], (unsigned)args[1]); }

/* ---- timerfd ------------------------------------------------------------- */

static bool timespec_is_valid(const struct linux_timespec *t)
{
	return t->sec >= 0 && t->nsec >= 0 && (uint64_t)t->nsec < NSEC_PER_SEC;
}

int64_t sys_timerfd_create(const uint64_t args[6])
{
	int clock = (int)args[0];
	unsigned flags = (unsigned)args[1];
	struct file *file = NULL;
	int err;

	if ((flags & ~FD_FLAGS) != 0)
		return -EINVAL;
	if (clock == CLOCK_REALTIME_ALARM)
		clock = CLOCK_REALTIME;
	else if (clock == CLOCK_BOOTTIME_ALARM)
		clock = CLOCK_BOOTTIME;
	if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_BOOTTIME)
		return -EINVAL;
	err = timerfd_create_file(clock, flags, &file);
	return install(err, file, flags);
}

int64_t sys_timerfd_settime(const uint64_t args[6])
{
	struct linux_itimerspec value, old;
	unsigned flags = (unsigned)args[1];
	struct file *file;
	int64_t result;

	if ((flags & ~(unsigned)(TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET)) != 0)
		return -EINVAL;
	if (copy_from_user(&value, uaddr(args[2]), sizeof(value)) != 0)
		return -EFAULT;
	if (!timespec_is_valid(&value.value) || !timespec_is_valid(&value.interval))
		return -EINVAL;
	file = fd_get_io((int)args[0]);
	if (file == NULL)
		return -EBADF;
	result = timerfd_set(file, (flags & TFD_TIMER_ABSTIME) != 0, &value, &old);
	file_put(file);
	if (result == 0 && args[3] != 0 && copy_to_user(uaddr(args[3]), &old, sizeof(old)) != 0)
		return -EFAULT;
	return result;
}

int64_t sys_timerfd_gettime(const uint64_t args[6])
{
	struct linux_itimerspec value;
	struct file *file = fd_get_io((int)args[0]);
	int64_t result;

	if (file == NULL)
		return -EBADF;
	result = timerfd_get(file, &value);
	file_put(file);
	if (result == 0 && copy_to_user(uaddr(args[1]), &value, sizeof(value)) != 0)
		return -EFAULT;
	return result;
}

/* ---- signalfd ------------------------------------------------------------ */

static int64_t change_mask(int fd, uint64_t mask)
{
	struct file *file = fd_get_io(fd);
	int64_t result;

	if (file == NULL)
		return -EBADF;
	result = signalfd_set_mask(file, mask);
	file_put(file);
	return result == 0 ? fd : result;
}

static int64_t do_signalfd(int fd, uint64_t user_mask, uint64_t size_bytes, unsigned flags)
{
	struct file *file = NULL;
	uint64_t mask;
	int err;

	if (size_bytes != sizeof(mask) || (flags & ~FD_FLAGS) != 0)
		return -EINVAL;
	if (copy_from_user(&mask, uaddr(user_mask), sizeof(mask)) != 0)
		return -EFAULT;
	if (fd != -1)
		return change_mask(fd, mask);
	err = signalfd_create_file(mask, flags, &file);
	return install(err, file, flags);
}

int64_t sys_signalfd(const uint64_t args[6]) { return do_signalfd((int)args[0], args[1], args[2], 0); }
int64_t sys_signalfd4(const uint64_t args[6])
{
	return do_signalfd((int)args[0], args[1], args[2], (unsigned)args[3]);
}
