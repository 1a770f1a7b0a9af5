/* fsync(2), sync(2) and the calls that only advise about caching. */
#include "syscall/file_io.h"

static int64_t do_fsync(int fd)
{
	struct file *file = fd_get_io(fd);
	int64_t error;

	if (file == NULL)
		return -EBADF;
	if (file->ops->fsync != NULL)
		error = file->ops->fsync(file);
	else
		error = S_ISREG(file->inode->mode) || S_ISDIR(file->inode->mode) ? 0 : -EINVAL;
	file_put(file);
	return error;
}

SYSCALL_DEFINE(fsync) { return do_fsync((int)args[0]); }
SYSCALL_DEFINE(fdatasync) { return do_fsync((int)args[0]); }

SYSCALL_DEFINE(sync)
{
	(void)args;
	vfs_sync_all();
	return 0;
}

SYSCALL_DEFINE(syncfs)
{
	struct file *file = fd_get_io((int)args[0]);
	struct superblock *sb;
	int64_t error = 0;

	if (file == NULL)
		return -EBADF;
	sb = file->inode->sb;
	if (sb->sync != NULL)
		error = sb->sync(sb);
	file_put(file);
	return error;
}

/* A regular file, for calls about its cached pages. */
static int64_t check_cached_file(int fd, bool for_read)
{
	struct file *file = fd_get_io(fd);
	int64_t error = 0;

	if (file == NULL)
		return -EBADF;
	if (for_read && !file_can_read(file))
		error = -EBADF;
	else if (S_ISFIFO(file->inode->mode))
		error = -ESPIPE;
	else if (for_read && !S_ISREG(file->inode->mode))
		error = -EINVAL;
	file_put(file);
	return error;
}

SYSCALL_DEFINE(sync_file_range)
{
	if ((int64_t)args[1] < 0 || (int64_t)args[2] < 0 ||
	    (args[3] & ~(uint64_t)SYNC_FILE_RANGE_VALID_FLAGS) != 0)
		return -EINVAL;
	return check_cached_file((int)args[0], false) != 0 ? check_cached_file((int)args[0], false)
							   : do_fsync((int)args[0]);
}

SYSCALL_DEFINE(readahead)
{
	int64_t error = check_cached_file((int)args[0], true);

	return error == -ESPIPE ? -EINVAL : error;
}

SYSCALL_DEFINE(fadvise64)
{
	int64_t error = check_cached_file((int)args[0], false);

	if (error == 0 && ((unsigned)args[3] > POSIX_FADV_NOREUSE || (int64_t)args[2] < 0))
		error = -EINVAL;
	return error;
}
