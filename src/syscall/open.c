/* open(2), close(2), close_range(2), dup(2) and their kin: between names, files and descriptors. */
#include "syscall/file_io.h"

int user_path_lookup(int dirfd, uint64_t name, unsigned flags, struct path *out)
{
	char *text;
	int error = pathname_get(name, &text);

	if (error != 0)
		return error;
	error = path_lookup(dirfd, text, flags, out);
	pathname_put(text);
	return error;
}

int fd_path(int fd, struct path *out)
{
	struct file *file = fd_get_io(fd);
	int error;

	if (file == NULL)
		return -EBADF;
	error = file_get_path(file, out);
	file_put(file);
	return error;
}

static int64_t do_open(int dirfd, uint64_t user_name, unsigned flags, uint32_t mode, unsigned lookup_flags)
{
	struct file *file;
	char *name;
	int fd, error = pathname_get(user_name, &name);

	if (error != 0)
		return error;
	error = vfs_openat2(dirfd, name, flags, mode, lookup_flags, &file);
	pathname_put(name);
	if (error != 0)
		return error;
	fd = fd_install(file, 0, (flags & O_CLOEXEC) != 0);
	if (fd < 0)
		file_put(file);
	return fd;
}

SYSCALL_DEFINE(open)
{
	return do_open(AT_FDCWD, args[0], (unsigned)args[1] | O_LARGEFILE, (uint32_t)args[2], 0);
}

SYSCALL_DEFINE(creat)
{
	return do_open(AT_FDCWD, args[0], O_CREAT | O_WRONLY | O_TRUNC | O_LARGEFILE, (uint32_t)args[1], 0);
}

SYSCALL_DEFINE(openat)
{
	return do_open((int)args[0], args[1], (unsigned)args[2] | O_LARGEFILE, (uint32_t)args[3], 0);
}

#define OPEN_FLAGS_KNOWN                                                                                     \
	(O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC | O_ASYNC |      \
	 O_DIRECT | O_LARGEFILE | O_DIRECTORY | O_NOFOLLOW | O_NOATIME | O_CLOEXEC | O_PATH | O_TMPFILE_BIT)
#define RESOLVE_KNOWN                                                                                        \
	(RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH | RESOLVE_IN_ROOT | \
	 RESOLVE_CACHED)

static unsigned resolve_to_lookup(uint64_t resolve)
{
	unsigned flags = 0;

	if ((resolve & RESOLVE_NO_XDEV) != 0)
		flags |= LOOKUP_NO_XDEV;
	if ((resolve & RESOLVE_NO_MAGICLINKS) != 0)
		flags |= LOOKUP_NO_MAGIC;
	if ((resolve & RESOLVE_NO_SYMLINKS) != 0)
		flags |= LOOKUP_NO_SYMLINKS | LOOKUP_NO_MAGIC;
	if ((resolve & RESOLVE_BENEATH) != 0)
		flags |= LOOKUP_BENEATH;
	if ((resolve & RESOLVE_IN_ROOT) != 0)
		flags |= LOOKUP_IN_ROOT;
	return flags;
}

/* Structures that grow over time: a longer one must be zero where we know nothing. */
static int copy_extensible(void *dst, size_t known, uint64_t user, uint64_t size)
{
	uint64_t word;

	memset(dst, 0, known);
	if (copy_from_user(dst, uaddr(user), MIN(known, size)) != 0)
		return -EFAULT;
	for (uint64_t at = known; at < size; at += sizeof(word)) {
		word = 0;
		if (copy_from_user(&word, uaddr(user + at), MIN(sizeof(word), size - at)) != 0)
			return -EFAULT;
		if (word != 0)
			return -E2BIG;
	}
	return 0;
}

SYSCALL_DEFINE(openat2)
{
	struct linux_open_how how;
	int error;

	if (args[3] < sizeof(how))
		return -EINVAL;
	if (args[3] > PAGE_SIZE)
		return -E2BIG;
	error = copy_extensible(&how, sizeof(how), args[2], args[3]);
	if (error != 0)
		return error;
	if ((how.flags & ~(uint64_t)OPEN_FLAGS_KNOWN) != 0 || (how.resolve & ~(uint64_t)RESOLVE_KNOWN) != 0 ||
	    (how.resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) == (RESOLVE_BENEATH | RESOLVE_IN_ROOT))
		return -EINVAL;
	if ((how.flags & (O_CREAT | O_TMPFILE_BIT)) != 0 ? (how.mode & ~(uint64_t)S_IALLUGO) != 0
							 : how.mode != 0)
		return -EINVAL;
	if ((how.resolve & RESOLVE_CACHED) != 0)
		return -EAGAIN; /* as when the name is not cached: the caller tries again without */
	return do_open((int)args[0], args[1], (unsigned)how.flags, (uint32_t)how.mode,
		       resolve_to_lookup(how.resolve));
}

SYSCALL_DEFINE(close) { return fd_close((int)args[0]); }

SYSCALL_DEFINE(close_range)
{
	struct task *task = current_task();
	unsigned flags = (unsigned)args[2];
	struct fdtable *copy;

	if ((flags & ~(unsigned)(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC)) != 0 ||
	    (unsigned)args[0] > (unsigned)args[1])
		return -EINVAL;
	if ((flags & CLOSE_RANGE_UNSHARE) != 0 && fdtable_refs(task->files) > 1) {
		struct fdtable *shared = task->files;
		int error = fdtable_copy(shared, &copy);

		if (error != 0)
			return error;
		task->files = copy;
		fdtable_put(shared);
	}
	return fd_close_range((unsigned)args[0], (unsigned)args[1], (flags & CLOSE_RANGE_CLOEXEC) != 0);
}

/* install: fd_install() or fd_install_at(). */
static int64_t duplicate(int fd, int (*install)(struct file *, int, bool), int to, bool close_on_exec)
{
	struct file *file = fd_get(fd);
	int result;

	if (file == NULL)
		return -EBADF;
	result = install(file, to, close_on_exec);
	if (result < 0)
		file_put(file);
	return result;
}

SYSCALL_DEFINE(dup) { return duplicate((int)args[0], fd_install, 0, false); }

SYSCALL_DEFINE(dup2)
{
	if ((int)args[0] == (int)args[1])
		return fd_get_cloexec((int)args[0]) < 0 ? -EBADF : (int)args[0];
	return duplicate((int)args[0], fd_install_at, (int)args[1], false);
}

SYSCALL_DEFINE(dup3)
{
	if ((args[2] & ~(uint64_t)O_CLOEXEC) != 0 || (int)args[0] == (int)args[1])
		return -EINVAL;
	return duplicate((int)args[0], fd_install_at, (int)args[1], (args[2] & O_CLOEXEC) != 0);
}

/* ---- fcntl(2) ---- */

#define SETFL_MASK (O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME)

static int64_t set_status_flags(struct file *file, unsigned flags)
{
	if ((flags & O_NOATIME) != 0 && (file->flags & O_NOATIME) == 0 && !vfs_is_owner(file->inode))
		return -EPERM;
	file->flags = (file->flags & ~(unsigned)SETFL_MASK) | (flags & SETFL_MASK);
	return 0;
}

static int64_t record_lock(struct file *file, unsigned cmd, uint64_t user)
{
	bool is_ofd = cmd >= F_OFD_GETLK;
	struct linux_flock request;
	int error;

	if (copy_from_user(&request, uaddr(user), sizeof(request)) != 0)
		return -EFAULT;
	if (cmd != F_GETLK && cmd != F_OFD_GETLK)
		return lock_posix_set(file, &request, is_ofd, cmd == F_SETLKW || cmd == F_OFD_SETLKW);
	error = lock_posix_get(file, &request, is_ofd);
	return error != 0 ? error : copy_to_user(uaddr(user), &request, sizeof(request));
}

static int64_t set_owner(struct file *file, int who)
{
	file->owner_type = who < 0 ? F_OWNER_PGRP : F_OWNER_PID;
	file->owner_pid = who < 0 ? -who : who;
	return who == INT32_MIN ? -EINVAL : 0;
}

static int64_t owner_ex(struct file *file, unsigned cmd, uint64_t user)
{
	struct linux_f_owner_ex owner = {file->owner_type, file->owner_pid};

	if (cmd == F_GETOWN_EX)
		return copy_to_user(uaddr(user), &owner, sizeof(owner));
	if (copy_from_user(&owner, uaddr(user), sizeof(owner)) != 0)
		return -EFAULT;
	if (owner.type < F_OWNER_TID || owner.type > F_OWNER_PGRP || owner.pid < 0)
		return -EINVAL;
	file->owner_type = owner.type;
	file->owner_pid = owner.pid;
	return 0;
}

/* What an O_PATH descriptor allows too is dealt with before. */
static int64_t fcntl_file(struct file *file, unsigned cmd, uint64_t arg)
{
	switch (cmd) {
	case F_SETFL: return set_status_flags(file, (unsigned)arg);
	case F_GETLK:
	case F_SETLK:
	case F_SETLKW:
	case F_OFD_GETLK:
	case F_OFD_SETLK:
	case F_OFD_SETLKW: return record_lock(file, cmd, arg);
	case F_SETOWN: return set_owner(file, (int)arg);
	case F_GETOWN: return file->owner_type == F_OWNER_PGRP ? -file->owner_pid : file->owner_pid;
	case F_SETOWN_EX:
	case F_GETOWN_EX: return owner_ex(file, cmd, arg);
	case F_SETSIG:
		if (arg > 64)
			return -EINVAL;
		file->owner_sig = (int)arg;
		return 0;
	case F_GETSIG: return file->owner_sig;
	case F_GETPIPE_SZ: return pipe_get_size(file);
	case F_SETPIPE_SZ: return pipe_set_size(file, arg);
	case F_ADD_SEALS: return shmem_add_seals(file, (unsigned)arg);
	case F_GET_SEALS: return shmem_get_seals(file);
	case F_GETLEASE: return F_UNLCK;
	default: return -EINVAL;
	}
}

SYSCALL_DEFINE(fcntl)
{
	int fd = (int)args[0];
	unsigned cmd = (unsigned)args[1];
	struct file *file;
	int64_t result;

	switch (cmd) {
	case F_DUPFD:
	case F_DUPFD_CLOEXEC: return duplicate(fd, fd_install, (int)args[2], cmd == F_DUPFD_CLOEXEC);
	case F_GETFD: return fd_get_cloexec(fd);
	case F_SETFD: return fd_set_cloexec(fd, (args[2] & FD_CLOEXEC) != 0);
	default: break;
	}
	file = fd_get(fd);
	if (file == NULL)
		return -EBADF;
	if (cmd == F_GETFL)
		result = file->flags;
	else if ((file->flags & O_PATH) != 0)
		result = -EBADF;
	else
		result = fcntl_file(file, cmd, args[2]);
	file_put(file);
	return result;
}

SYSCALL_DEFINE(flock)
{
	struct file *file = fd_get_io((int)args[0]);
	int64_t result;

	if (file == NULL)
		return -EBADF;
	result = lock_flock(file, (int)args[1]);
	file_put(file);
	return result;
}
