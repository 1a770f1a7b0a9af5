/*
 * ioctl(2): the requests every file understands (FIOCLEX ... FIOQSIZE); all
 * others are the file's own. ioctl_fs(2), ioctl_tty(2), include/uapi/asm-generic/ioctls.h.
 */
#include "abi/ioctl.h"

#include "abi/errno.h"
#include "fs/fdtable.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(ioctl);

static int64_t put_int(uint64_t arg, int value) { return copy_to_user(uaddr(arg), &value, sizeof(value)); }

/* FIONBIO, FIOASYNC: *arg says whether the status flag is on. */
static int64_t set_status_flag(struct file *file, uint64_t arg, uint32_t flag)
{
	int on;

	if (copy_from_user(&on, uaddr(arg), sizeof(on)) != 0)
		return -EFAULT;
	if (on)
		file->flags |= flag;
	else
		file->flags &= ~flag;
	return 0;
}

static int64_t file_specific(struct file *file, unsigned cmd, uint64_t arg)
{
	struct inode *inode = file->inode;

	if (inode != NULL && S_ISREG(inode->mode)) {
		if (cmd == FIONREAD)
			return put_int(arg, (int)(inode->map.size_bytes - file->pos));
		if (cmd == FIGETBSZ)
			return put_int(arg, (int)PAGE_SIZE);
	}
	if (cmd == FIOQSIZE) {
		uint64_t size = inode == NULL ? 0 : inode->map.size_bytes;

		if (inode == NULL || (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode)))
			return -ENOTTY;
		return copy_to_user(uaddr(arg), &size, sizeof(size));
	}
	return file->ops->ioctl == NULL ? -ENOTTY : file->ops->ioctl(file, cmd, arg);
}

int64_t sys_ioctl(const uint64_t args[6])
{
	int fd = (int)args[0];
	unsigned cmd = (unsigned)args[1];
	struct file *file = fd_get_io(fd);
	int64_t result;

	if (file == NULL)
		return -EBADF;
	switch (cmd) {
	case FIOCLEX:
	case FIONCLEX:
		result = fd_set_cloexec(fd, cmd == FIOCLEX);
		break;
	case FIONBIO:
		result = set_status_flag(file, args[2], O_NONBLOCK);
		break;
	case FIOASYNC:
		result = set_status_flag(file, args[2], O_ASYNC);
		break;
	default:
		result = file_specific(file, cmd, args[2]);
	}
	file_put(file);
	return result;
}
