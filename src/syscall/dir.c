/* getdents64(2) and the older getdents(2): one record after the other into the user's buffer. */
#include "abi/dirent.h"
#include "syscall/file_io.h"

struct dents {
	uint64_t user, room, used;
	bool is_old;
	int error;
};

#define RECORD_MAX ALIGN_UP(sizeof(struct linux_dirent64) + NAME_MAX_BYTES + 2, 8)

/* Builds one record; returns its length. */
static size_t build(char *record, const struct dents *d, const char *name, size_t len, uint64_t ino,
		    unsigned type, uint64_t next_pos)
{
	size_t size;

	if (d->is_old) {
		struct linux_dirent *e = (struct linux_dirent *)record;

		size = ALIGN_UP(offsetof(struct linux_dirent, d_name) + len + 2, 8);
		memset(record, 0, size);
		*e = (struct linux_dirent){.d_ino = ino, .d_off = next_pos, .d_reclen = (uint16_t)size};
		memcpy(e->d_name, name, len);
		record[size - 1] = (char)type;
	} else {
		struct linux_dirent64 *e = (struct linux_dirent64 *)record;

		size = ALIGN_UP(offsetof(struct linux_dirent64, d_name) + len + 1, 8);
		memset(record, 0, size);
		e->d_ino = ino;
		e->d_off = (int64_t)next_pos;
		e->d_reclen = (uint16_t)size;
		e->d_type = (uint8_t)type;
		memcpy(e->d_name, name, len);
	}
	return size;
}

static bool emit(void *arg, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next_pos)
{
	struct dents *d = arg;
	char record[RECORD_MAX] __attribute__((aligned(8)));
	size_t size;

	if (len > NAME_MAX_BYTES)
		return true;
	size = build(record, d, name, len, ino, type, next_pos);
	if (size > d->room - d->used) {
		if (d->used == 0)
			d->error = -EINVAL; /* not even one fits */
		return false;
	}
	if (copy_to_user(uaddr(d->user + d->used), record, size) != 0) {
		d->error = -EFAULT;
		return false;
	}
	d->used += size;
	return true;
}

static int64_t do_getdents(const uint64_t args[6], bool is_old)
{
	struct dents d = {.user = args[1], .room = (uint32_t)args[2], .is_old = is_old};
	struct file *file = fd_get_io((int)args[0]);
	int error;

	if (file == NULL)
		return -EBADF;
	mutex_lock(&file->pos_lock);
	error = vfs_readdir(file, &file->pos, emit, &d);
	mutex_unlock(&file->pos_lock);
	file_put(file);
	if (d.used > 0)
		return (int64_t)d.used;
	return error != 0 ? error : d.error;
}

SYSCALL_DEFINE(getdents64) { return do_getdents(args, false); }
SYSCALL_DEFINE(getdents) { return do_getdents(args, true); }
