/* chmod(2), chown(2), utimensat(2), truncate(2) and their older and descriptor forms. */
#include "abi/time.h"
#include "syscall/file_io.h"

/* ---- mode ---- */

static int64_t chmod_name(int dirfd, uint64_t name, uint32_t mode)
{
	struct path p;
	int64_t error = user_path_lookup(dirfd, name, LOOKUP_FOLLOW, &p);

	if (error != 0)
		return error;
	error = vfs_chmod(&p, mode);
	path_put(&p);
	return error;
}

SYSCALL_DEFINE(chmod) { return chmod_name(AT_FDCWD, args[0], (uint32_t)args[1]); }
SYSCALL_DEFINE(fchmodat) { return chmod_name((int)args[0], args[1], (uint32_t)args[2]); }

SYSCALL_DEFINE(fchmod)
{
	struct path p;
	int64_t error = fd_path((int)args[0], &p);

	if (error != 0)
		return error;
	error = vfs_chmod(&p, (uint32_t)args[1]);
	path_put(&p);
	return error;
}

/* ---- owner ---- */

static int64_t chown_name(int dirfd, uint64_t name, uint64_t uid, uint64_t gid, unsigned flags)
{
	unsigned lookup_flags = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW;
	struct path p;
	int64_t error;

	if ((flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) != 0)
		lookup_flags |= LOOKUP_EMPTY_OK;
	error = user_path_lookup(dirfd, name, lookup_flags, &p);
	if (error != 0)
		return error;
	error = vfs_chown(&p, (uint32_t)uid, (uint32_t)gid);
	path_put(&p);
	return error;
}

SYSCALL_DEFINE(chown) { return chown_name(AT_FDCWD, args[0], args[1], args[2], 0); }
SYSCALL_DEFINE(lchown) { return chown_name(AT_FDCWD, args[0], args[1], args[2], AT_SYMLINK_NOFOLLOW); }
SYSCALL_DEFINE(fchownat) { return chown_name((int)args[0], args[1], args[2], args[3], (unsigned)args[4]); }

SYSCALL_DEFINE(fchown)
{
	struct path p;
	int64_t error = fd_path((int)args[0], &p);

	if (error != 0)
		return error;
	error = vfs_chown(&p, (uint32_t)args[1], (uint32_t)args[2]);
	path_put(&p);
	return error;
}

/* ---- times ---- */

/* name 0: dirfd itself (futimens). times NULL: now. */
static int64_t set_times(int dirfd, uint64_t name, const struct timestamp *times, unsigned flags)
{
	unsigned lookup_flags = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW;
	struct path p;
	int64_t error;

	if ((flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	if (name == 0 && dirfd != AT_FDCWD) {
		if (flags != 0)
			return -EINVAL;
		error = fd_path(dirfd, &p);
	} else {
		if ((flags & AT_EMPTY_PATH) != 0)
			lookup_flags |= LOOKUP_EMPTY_OK;
		error = user_path_lookup(dirfd, name, lookup_flags, &p);
	}
	if (error != 0)
		return error;
	error = vfs_utimes(&p, times);
	path_put(&p);
	return error;
}

static bool is_valid_nsec(int64_t nsec)
{
	return (nsec >= 0 && nsec < 1000000000) || nsec == UTIME_NOW || nsec == UTIME_OMIT;
}

SYSCALL_DEFINE(utimensat)
{
	struct linux_timespec user[2];
	struct timestamp times[2];

	if (args[2] == 0)
		return set_times((int)args[0], args[1], NULL, (unsigned)args[3]);
	if (copy_from_user(user, uaddr(args[2]), sizeof(user)) != 0)
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (!is_valid_nsec(user[i].nsec))
			return -EINVAL;
		times[i] = (struct timestamp){user[i].sec, (uint32_t)user[i].nsec};
	}
	if (user[0].nsec == UTIME_OMIT && user[1].nsec == UTIME_OMIT)
		return 0;
	return set_times((int)args[0], args[1], times, (unsigned)args[3]);
}

static int64_t set_timevals(int dirfd, uint64_t name, uint64_t user_times)
{
	struct linux_timeval user[2];
	struct timestamp times[2];

	if (user_times == 0)
		return set_times(dirfd, name, NULL, 0);
	if (copy_from_user(user, uaddr(user_times), sizeof(user)) != 0)
		return -EFAULT;
	for (int i = 0; i < 2; i++) {
		if (user[i].usec < 0 || user[i].usec >= 1000000)
			return -EINVAL;
		times[i] = (struct timestamp){user[i].sec, (uint32_t)user[i].usec * 1000};
	}
	return set_times(dirfd, name, times, 0);
}

SYSCALL_DEFINE(utimes) { return set_timevals(AT_FDCWD, args[0], args[1]); }
SYSCALL_DEFINE(futimesat) { return set_timevals((int)args[0], args[1], args[2]); }

SYSCALL_DEFINE(utime)
{
	int64_t user[2];
	struct timestamp times[2];

	if (args[1] == 0)
		return set_times(AT_FDCWD, args[0], NULL, 0);
	if (copy_from_user(user, uaddr(args[1]), sizeof(user)) != 0)
		return -EFAULT;
	times[0] = (struct timestamp){user[0], 0};
	times[1] = (struct timestamp){user[1], 0};
	return set_times(AT_FDCWD, args[0], times, 0);
}

/* ---- size ---- */

SYSCALL_DEFINE(truncate)
{
	struct path p;
	int64_t error;

	if ((int64_t)args[1] < 0)
		return -EINVAL;
	error = user_path_lookup(AT_FDCWD, args[0], LOOKUP_FOLLOW, &p);
	if (error != 0)
		return error;
	error = vfs_truncate(&p, args[1]);
	path_put(&p);
	return error;
}

SYSCALL_DEFINE(ftruncate)
{
	struct file *file;
	int64_t error;

	if ((int64_t)args[1] < 0)
		return -EINVAL;
	file = fd_get_io((int)args[0]);
	if (file == NULL)
		return -EBADF;
	error = vfs_ftruncate(file, args[1]);
	file_put(file);
	return error;
}

/* Which combinations of mode bits fallocate(2) knows. */
static bool is_valid_fallocate(int mode)
{
	const int known = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_COLLAPSE_RANGE |
			  FALLOC_FL_ZERO_RANGE | FALLOC_FL_INSERT_RANGE;

	if ((mode & ~known) != 0 || (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)) ==
					    (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return false;
	return (mode & FALLOC_FL_PUNCH_HOLE) == 0 || (mode & FALLOC_FL_KEEP_SIZE) != 0;
}

static int64_t do_fallocate(struct file *file, int mode, int64_t offset, int64_t len)
{
	if (offset < 0 || len <= 0)
		return -EINVAL;
	if (!is_valid_fallocate(mode))
		return -EOPNOTSUPP;
	if (!file_can_write(file))
		return -EBADF;
	if (S_ISFIFO(file->inode->mode))
		return -ESPIPE;
	if (S_ISDIR(file->inode->mode))
		return -EISDIR;
	if (!S_ISREG(file->inode->mode))
		return -ENODEV;
	if (offset > INT64_MAX - len)
		return -EFBIG;
	if (file->ops->fallocate == NULL)
		return -EOPNOTSUPP;
	return file->ops->fallocate(file, mode, (uint64_t)offset, (uint64_t)len);
}

SYSCALL_DEFINE(fallocate)
{
	struct file *file = fd_get_io((int)args[0]);
	int64_t error;

	if (file == NULL)
		return -EBADF;
	error = do_fallocate(file, (int)args[1], (int64_t)args[2], (int64_t)args[3]);
	file_put(file);
	return error;
}
