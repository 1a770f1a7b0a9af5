/*
 * epoll_create(2), epoll_ctl(2), epoll_wait(2) and their variants: arguments are
 * copied and checked here, the rest is src/fs/epoll.c.
 */
#include "abi/errno.h"
#include "fs/epoll.h"
#include "fs/fdtable.h"
#include "mm/usercopy.h"
#include "syscall/poll_time.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(epoll_create);
SYSCALL_DECLARE(epoll_create1);
SYSCALL_DECLARE(epoll_ctl);
SYSCALL_DECLARE(epoll_wait);
SYSCALL_DECLARE(epoll_pwait);
SYSCALL_DECLARE(epoll_pwait2);

static int64_t create(bool close_on_exec)
{
	struct file *file;
	int fd = epoll_create_file(&file);

	if (fd != 0)
		return fd;
	fd = fd_install(file, 0, close_on_exec);
	if (fd < 0)
		file_put(file);
	return fd;
}

int64_t sys_epoll_create(const uint64_t args[6]) { return (int)args[0] <= 0 ? -EINVAL : create(false); }

int64_t sys_epoll_create1(const uint64_t args[6])
{
	if (((unsigned)args[0] & ~(unsigned)O_CLOEXEC) != 0)
		return -EINVAL;
	return create(((unsigned)args[0] & O_CLOEXEC) != 0);
}

int64_t sys_epoll_ctl(const uint64_t args[6])
{
	int op = (int)args[1], fd = (int)args[2];
	struct linux_epoll_event event = {0};
	struct file *epoll, *target = NULL;
	int64_t result = -EBADF;

	if (op != EPOLL_CTL_DEL && copy_from_user(&event, uaddr(args[3]), sizeof(event)) != 0)
		return -EFAULT;
	epoll = fd_get_io((int)args[0]);
	if (epoll != NULL)
		target = fd_get_io(fd);
	if (target != NULL) {
		if (target->ops->poll == NULL)
			result = -EPERM;
		else if (!file_is_epoll(epoll) || op < EPOLL_CTL_ADD || op > EPOLL_CTL_MOD)
			result = -EINVAL;
		else
			result = epoll_control(epoll, op, fd, target, &event);
		file_put(target);
	}
	if (epoll != NULL)
		file_put(epoll);
	return result;
}

static int64_t wait_events(const uint64_t args[6], uint64_t deadline_ns)
{
	int max = (int)args[2];
	struct file *epoll;
	int64_t result;

	if (max <= 0 || max > EPOLL_MAX_EVENTS)
		return -EINVAL;
	epoll = fd_get_io((int)args[0]);
	if (epoll == NULL)
		return -EBADF;
	result = file_is_epoll(epoll) ? epoll_wait_events(epoll, args[1], (unsigned)max, deadline_ns)
				      : -EINVAL;
	file_put(epoll);
	return result;
}

int64_t sys_epoll_wait(const uint64_t args[6]) { return wait_events(args, poll_deadline_ms((int)args[3])); }

static int64_t pwait(const uint64_t args[6], uint64_t deadline_ns)
{
	int64_t result = poll_sigmask_enter(args[4], args[5]);

	if (result != 0)
		return result;
	result = wait_events(args, deadline_ns);
	poll_sigmask_leave(args[4], result == -EINTR);
	return result;
}

int64_t sys_epoll_pwait(const uint64_t args[6]) { return pwait(args, poll_deadline_ms((int)args[3])); }

int64_t sys_epoll_pwait2(const uint64_t args[6])
{
	uint64_t deadline_ns;
	int err = poll_deadline_timespec(args[3], &deadline_ns);

	return err != 0 ? err : pwait(args, deadline_ns);
}
