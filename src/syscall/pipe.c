/* pipe(2), pipe2(2), memfd_create(2): calls that make nameless files. */
#include "syscall/file_io.h"

static int64_t do_pipe(uint64_t user_fds, unsigned flags)
{
	bool close_on_exec = (flags & O_CLOEXEC) != 0;
	struct file *ends[2];
	int32_t fds[2];
	int error;

	if ((flags & ~(unsigned)(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) != 0)
		return -EINVAL;
	error = pipe_create(flags, ends);
	if (error != 0)
		return error;
	error = fds[0] = fd_install(ends[0], 0, close_on_exec);
	if (error < 0)
		goto put_both;
	error = fds[1] = fd_install(ends[1], 0, close_on_exec);
	if (error < 0)
		goto close_first;
	if (copy_to_user(uaddr(user_fds), fds, sizeof(fds)) == 0)
		return 0;
	fd_close(fds[1]);
	fd_close(fds[0]);
	return -EFAULT;
close_first:
	fd_close(fds[0]);
	file_put(ends[1]);
	return error;
put_both:
	file_put(ends[0]);
	file_put(ends[1]);
	return error;
}

SYSCALL_DEFINE(pipe) { return do_pipe(args[0], 0); }
SYSCALL_DEFINE(pipe2) { return do_pipe(args[0], (unsigned)args[1]); }

#define MEMFD_NAME_BYTES 250

SYSCALL_DEFINE(memfd_create)
{
	char name[MEMFD_NAME_BYTES];
	struct file *file;
	int64_t len = strncpy_from_user(name, uaddr(args[0]), sizeof(name));
	int fd, error;

	if (len < 0)
		return len == -ENAMETOOLONG ? -EINVAL : len;
	error = memfd_file_create(name, (unsigned)args[1], &file);
	if (error != 0)
		return error;
	fd = fd_install(file, 0, (args[1] & MFD_CLOEXEC) != 0);
	if (fd < 0)
		file_put(file);
	return fd;
}
