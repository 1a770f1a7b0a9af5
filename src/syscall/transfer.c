/*
 * sendfile(2), copy_file_range(2): file to file through a buffer of the kernel's. What
 * the destination did not take is not consumed from the source.
 */
#include "mm/kmalloc.h"
#include "syscall/file_io.h"

#define CHUNK_BYTES (64 * 1024u)

static int64_t read_chunk(struct file *file, void *buf, size_t n, uint64_t *pos)
{
	struct linux_iovec iov;
	struct uio uio;

	uio_kernel(&uio, &iov, buf, n);
	return vfs_read(file, &uio, pos);
}

/* out_pos NULL: the file's own offset, or a stream. */
static int64_t write_chunk(struct file *file, void *buf, size_t n, uint64_t *out_pos)
{
	struct linux_iovec iov;
	struct uio uio;

	uio_kernel(&uio, &iov, buf, n);
	return out_pos != NULL ? vfs_write(file, &uio, out_pos) : file_transfer(file, &uio, true);
}

/* Moves up to n bytes; *in_pos advances by what was written. */
static int64_t copy_loop(struct file *in, uint64_t *in_pos, struct file *out, uint64_t *out_pos, uint64_t n)
{
	void *buf = kmalloc(CHUNK_BYTES);
	int64_t done = 0, got, put = 0;

	if (buf == NULL)
		return -ENOMEM;
	while (n > 0) {
		uint64_t pos = *in_pos;

		got = read_chunk(in, buf, MIN(n, CHUNK_BYTES), &pos);
		if (got <= 0) {
			put = got;
			break;
		}
		put = write_chunk(out, buf, (size_t)got, out_pos);
		if (put < 0)
			break;
		*in_pos += (uint64_t)put;
		done += put;
		n -= (uint64_t)put;
		if (put < got || signal_is_pending(current_task()))
			break;
	}
	kfree(buf);
	return done > 0 ? done : put;
}

static int64_t check_sendfile(const struct file *in, const struct file *out, bool has_offset)
{
	if (!file_can_read(in) || !file_can_write(out))
		return -EBADF;
	if (in->ops->lseek == NULL)
		return has_offset ? -ESPIPE : -EINVAL;
	if (S_ISDIR(in->inode->mode) || (out->flags & O_APPEND) != 0)
		return -EINVAL;
	return 0;
}

/* The file's own offset moves, and with it that of a host file which stands behind it. */
static void set_offset(struct file *file, uint64_t pos)
{
	mutex_lock(&file->pos_lock);
	if (file->ops->lseek == NULL || file->ops->lseek(file, (int64_t)pos, SEEK_SET) < 0)
		file->pos = pos;
	mutex_unlock(&file->pos_lock);
}

static int64_t do_sendfile(struct file *out, struct file *in, uint64_t user_offset, uint64_t n)
{
	int64_t result = check_sendfile(in, out, user_offset != 0);
	uint64_t pos;

	if (result != 0)
		return result;
	n = MIN(n, RW_COUNT_MAX);
	if (user_offset == 0) {
		pos = in->pos;
		result = copy_loop(in, &pos, out, NULL, n);
		set_offset(in, pos);
		return result;
	}
	if (copy_from_user(&pos, uaddr(user_offset), sizeof(pos)) != 0)
		return -EFAULT;
	if ((int64_t)pos < 0)
		return -EINVAL;
	result = copy_loop(in, &pos, out, NULL, n);
	return copy_to_user(uaddr(user_offset), &pos, sizeof(pos)) != 0 ? -EFAULT : result;
}

SYSCALL_DEFINE(sendfile)
{
	struct file *out = fd_get((int)args[0]), *in = fd_get((int)args[1]);
	int64_t result = -EBADF;

	if (in != NULL && out != NULL)
		result = do_sendfile(out, in, args[2], args[3]);
	file_put(in);
	file_put(out);
	return result;
}

static int64_t check_copy_range(const struct file *in, const struct file *out)
{
	if (!file_can_read(in) || !file_can_write(out) || (out->flags & O_APPEND) != 0)
		return -EBADF;
	if (S_ISDIR(in->inode->mode) || S_ISDIR(out->inode->mode))
		return -EISDIR;
	if (!S_ISREG(in->inode->mode) || !S_ISREG(out->inode->mode))
		return -EINVAL;
	return 0;
}

/* An offset argument: from the user, or the file's own when it is NULL. */
static int get_offset(uint64_t user, const struct file *file, uint64_t *out)
{
	*out = file->pos;
	if (user != 0 && copy_from_user(out, uaddr(user), sizeof(*out)) != 0)
		return -EFAULT;
	return (int64_t)*out < 0 ? -EINVAL : 0;
}

static int put_offset(uint64_t user, struct file *file, uint64_t pos)
{
	if (user != 0)
		return copy_to_user(uaddr(user), &pos, sizeof(pos));
	set_offset(file, pos);
	return 0;
}

static int64_t do_copy_range(struct file *in, uint64_t user_in, struct file *out, uint64_t user_out,
			     uint64_t n)
{
	int64_t result = check_copy_range(in, out);
	uint64_t in_pos, out_pos;

	if (result == 0)
		result = get_offset(user_in, in, &in_pos);
	if (result == 0)
		result = get_offset(user_out, out, &out_pos);
	if (result != 0)
		return result;
	n = MIN(n, RW_COUNT_MAX);
	if (n > INT64_MAX - in_pos || n > INT64_MAX - out_pos)
		return -EOVERFLOW;
	if (in->inode == out->inode && in_pos < out_pos + n && out_pos < in_pos + n)
		return -EINVAL;
	result = copy_loop(in, &in_pos, out, &out_pos, n);
	if (result > 0 && (put_offset(user_in, in, in_pos) != 0 || put_offset(user_out, out, out_pos) != 0))
		return -EFAULT;
	return result;
}

SYSCALL_DEFINE(copy_file_range)
{
	struct file *in, *out;
	int64_t result = -EBADF;

	if (args[5] != 0)
		return -EINVAL;
	in = fd_get_io((int)args[0]);
	out = fd_get_io((int)args[2]);
	if (in != NULL && out != NULL)
		result = do_copy_range(in, args[1], out, args[3], args[4]);
	file_put(in);
	file_put(out);
	return result;
}
