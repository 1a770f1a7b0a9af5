/*
 * read(2), write(2), their vector and positioned forms, lseek(2). A file with an
 * offset is locked while it is used (file->pos_lock); streams are not.
 */
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "syscall/file_io.h"

int64_t file_transfer(struct file *file, struct uio *uio, bool is_write)
{
	uint64_t no_pos = 0;
	int64_t n;

	if (file->ops->lseek == NULL)
		return is_write ? vfs_write(file, uio, &no_pos) : vfs_read(file, uio, &no_pos);
	mutex_lock(&file->pos_lock);
	n = is_write ? vfs_write(file, uio, &file->pos) : vfs_read(file, uio, &file->pos);
	mutex_unlock(&file->pos_lock);
	return n;
}

static int64_t transfer_fd(const uint64_t args[6], bool is_write)
{
	struct file *file = fd_get((int)args[0]);
	struct linux_iovec iov;
	struct uio uio;
	int64_t n;

	if (file == NULL)
		return -EBADF;
	if (!(is_write ? file_can_write(file) : file_can_read(file))) {
		n = -EBADF;
	} else if ((int64_t)args[2] < 0) {
		n = -EINVAL;
	} else if (!user_range_ok(args[1], args[2])) {
		n = -EFAULT;
	} else {
		uio_user(&uio, &iov, args[1], MIN(args[2], RW_COUNT_MAX));
		n = file_transfer(file, &uio, is_write);
	}
	file_put(file);
	return n;
}

SYSCALL_DEFINE(read) { return transfer_fd(args, false); }
SYSCALL_DEFINE(write) { return transfer_fd(args, true); }

/* At an offset of the caller's; offset -1 (preadv2 only): the file's own. */
static int64_t transfer_at(int fd, struct uio *uio, int64_t offset, bool own_offset, bool is_write)
{
	uint64_t pos = (uint64_t)offset;
	struct file *file;
	int64_t n;

	if (offset < 0 && !own_offset)
		return -EINVAL;
	file = fd_get(fd);
	if (file == NULL)
		return -EBADF;
	if (!(is_write ? file_can_write(file) : file_can_read(file)))
		n = -EBADF;
	else if (own_offset)
		n = file_transfer(file, uio, is_write);
	else if (file->ops->lseek == NULL)
		n = -ESPIPE;
	else
		n = is_write ? vfs_write(file, uio, &pos) : vfs_read(file, uio, &pos);
	file_put(file);
	return n;
}

static int64_t transfer_user_at(const uint64_t args[6], bool is_write)
{
	struct linux_iovec iov;
	struct uio uio;

	if ((int64_t)args[2] < 0)
		return -EINVAL;
	if (!user_range_ok(args[1], args[2]))
		return -EFAULT;
	uio_user(&uio, &iov, args[1], MIN(args[2], RW_COUNT_MAX));
	return transfer_at((int)args[0], &uio, (int64_t)args[3], false, is_write);
}

SYSCALL_DEFINE(pread64) { return transfer_user_at(args, false); }
SYSCALL_DEFINE(pwrite64) { return transfer_user_at(args, true); }

int iovecs_get(uint64_t user_iov, uint64_t nr, struct user_iovecs *out)
{
	struct linux_iovec *iov = out->stack;
	uint64_t total = 0;

	out->heap = NULL;
	if (nr > UIO_MAXIOV)
		return -EINVAL;
	if (nr > IOV_ON_STACK) {
		iov = out->heap = kmalloc(nr * sizeof(*iov));
		if (iov == NULL)
			return -ENOMEM;
	}
	if (copy_from_user(iov, uaddr(user_iov), nr * sizeof(*iov)) != 0)
		goto fault;
	for (uint64_t i = 0; i < nr; i++) {
		if ((int64_t)iov[i].len < 0) {
			iovecs_put(out);
			return -EINVAL;
		}
		if (!user_range_ok(iov[i].base, iov[i].len))
			goto fault;
		iov[i].len = MIN(iov[i].len, RW_COUNT_MAX - total);
		total += iov[i].len;
	}
	out->uio = (struct uio){.iov = iov, .nr_iov = (unsigned)nr, .resid_bytes = total};
	return 0;
fault:
	iovecs_put(out);
	return -EFAULT;
}

void iovecs_put(struct user_iovecs *v)
{
	kfree(v->heap);
	v->heap = NULL;
}

static int64_t transfer_vector(const uint64_t args[6], bool is_write)
{
	struct file *file = fd_get((int)args[0]);
	struct user_iovecs v;
	int64_t n;

	if (file == NULL)
		return -EBADF;
	n = (is_write ? file_can_write(file) : file_can_read(file)) ? iovecs_get(args[1], args[2], &v)
								    : -EBADF;
	if (n == 0) {
		n = file_transfer(file, &v.uio, is_write);
		iovecs_put(&v);
	}
	file_put(file);
	return n;
}

SYSCALL_DEFINE(readv) { return transfer_vector(args, false); }
SYSCALL_DEFINE(writev) { return transfer_vector(args, true); }

/* args[3]: the offset's low half, args[4]: the high one, which 64-bit machines leave unused. */
static int64_t transfer_vector_at(const uint64_t args[6], bool own_offset, bool is_write)
{
	struct user_iovecs v;
	int64_t n = iovecs_get(args[1], args[2], &v);

	if (n != 0)
		return n;
	n = transfer_at((int)args[0], &v.uio, (int64_t)args[3], own_offset, is_write);
	iovecs_put(&v);
	return n;
}

SYSCALL_DEFINE(preadv) { return transfer_vector_at(args, false, false); }
SYSCALL_DEFINE(pwritev) { return transfer_vector_at(args, false, true); }

/* Data is in memory or goes to the host at once: the hints about waiting and syncing ask for nothing more. */
#define RWF_HARMLESS (RWF_HIPRI | RWF_DSYNC | RWF_SYNC)

SYSCALL_DEFINE(preadv2)
{
	if ((args[5] & ~(uint64_t)RWF_HARMLESS) != 0)
		return -EOPNOTSUPP;
	return transfer_vector_at(args, (int64_t)args[3] == -1, false);
}

SYSCALL_DEFINE(pwritev2)
{
	if ((args[5] & ~(uint64_t)RWF_HARMLESS) != 0)
		return -EOPNOTSUPP;
	return transfer_vector_at(args, (int64_t)args[3] == -1, true);
}

SYSCALL_DEFINE(lseek)
{
	struct file *file = fd_get_io((int)args[0]);
	int64_t result;

	if (file == NULL)
		return -EBADF;
	if ((unsigned)args[2] > SEEK_HOLE) {
		result = -EINVAL;
	} else if (file->ops->lseek == NULL) {
		result = -ESPIPE;
	} else {
		mutex_lock(&file->pos_lock);
		result = file->ops->lseek(file, (int64_t)args[1], (int)args[2]);
		mutex_unlock(&file->pos_lock);
	}
	file_put(file);
	return result;
}
