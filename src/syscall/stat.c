/* stat(2), statx(2), statfs(2): the kernel's attributes in the ABI's structures. */
#include "abi/statfs.h"
#include "syscall/file_io.h"

static int put_stat(uint64_t user, const struct kstat *st)
{
	struct linux_stat out;

	memset(&out, 0, sizeof(out));
	out.st_dev = st->dev;
	out.st_ino = st->ino;
	out.st_mode = st->mode;
	out.st_nlink = st->nlink;
	out.st_uid = st->uid;
	out.st_gid = st->gid;
	out.st_rdev = st->rdev;
	out.st_size = (int64_t)st->size_bytes;
	out.st_blksize = (__typeof__(out.st_blksize))st->blksize_bytes;
	out.st_blocks = (int64_t)st->blocks512;
	out.atime_sec = st->atime.sec;
	out.atime_nsec = st->atime.nsec;
	out.mtime_sec = st->mtime.sec;
	out.mtime_nsec = st->mtime.nsec;
	out.ctime_sec = st->ctime.sec;
	out.ctime_nsec = st->ctime.nsec;
	return copy_to_user(uaddr(user), &out, sizeof(out));
}

static int stat_fd(int fd, struct kstat *out)
{
	struct file *file = fd_get(fd);
	int error;

	if (file == NULL)
		return -EBADF;
	error = vfs_stat_inode(file->inode, out);
	file_put(file);
	return error;
}

/* Also tells the mount for statx; NULL where the caller does not ask. */
static int stat_name(int dirfd, uint64_t user_name, unsigned at_flags, struct kstat *out, int *mount_id)
{
	unsigned flags = (at_flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW;
	struct path p;
	char *name;
	int error = pathname_get(user_name, &name);

	if (error != 0)
		return error;
	if ((at_flags & AT_EMPTY_PATH) != 0) {
		flags |= LOOKUP_EMPTY_OK;
		if (name[0] == '\0' && dirfd != AT_FDCWD && mount_id == NULL) {
			pathname_put(name);
			return stat_fd(dirfd, out); /* what fstat(3) of the C libraries is made of */
		}
	}
	error = path_lookup(dirfd, name, flags, &p);
	pathname_put(name);
	if (error != 0)
		return error;
	error = vfs_stat_inode(p.dentry->inode, out);
	if (mount_id != NULL)
		*mount_id = p.mount->id;
	path_put(&p);
	return error;
}

static int64_t stat_to_user(int dirfd, uint64_t name, unsigned at_flags, uint64_t user)
{
	struct kstat st;
	int error = stat_name(dirfd, name, at_flags, &st, NULL);

	return error != 0 ? error : put_stat(user, &st);
}

SYSCALL_DEFINE(stat) { return stat_to_user(AT_FDCWD, args[0], 0, args[1]); }
SYSCALL_DEFINE(lstat) { return stat_to_user(AT_FDCWD, args[0], AT_SYMLINK_NOFOLLOW, args[1]); }

SYSCALL_DEFINE(fstat)
{
	struct kstat st;
	int error = stat_fd((int)args[0], &st);

	return error != 0 ? error : put_stat(args[1], &st);
}

SYSCALL_DEFINE(newfstatat)
{
	unsigned flags = (unsigned)args[3];

	if ((flags & ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	return stat_to_user((int)args[0], args[1], flags, args[2]);
}

static struct linux_statx_timestamp statx_time(struct timestamp t)
{
	return (struct linux_statx_timestamp){.tv_sec = t.sec, .tv_nsec = t.nsec};
}

static int put_statx(uint64_t user, const struct kstat *st, int mount_id)
{
	struct linux_statx out;

	memset(&out, 0, sizeof(out));
	out.stx_mask = STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID;
	out.stx_blksize = (uint32_t)st->blksize_bytes;
	out.stx_nlink = st->nlink;
	out.stx_uid = st->uid;
	out.stx_gid = st->gid;
	out.stx_mode = (uint16_t)st->mode;
	out.stx_ino = st->ino;
	out.stx_size = st->size_bytes;
	out.stx_blocks = st->blocks512;
	out.stx_atime = statx_time(st->atime);
	out.stx_btime = statx_time(st->btime);
	out.stx_ctime = statx_time(st->ctime);
	out.stx_mtime = statx_time(st->mtime);
	out.stx_rdev_major = dev_major(st->rdev);
	out.stx_rdev_minor = dev_minor(st->rdev);
	out.stx_dev_major = dev_major(st->dev);
	out.stx_dev_minor = dev_minor(st->dev);
	out.stx_mnt_id = (uint64_t)mount_id;
	return copy_to_user(uaddr(user), &out, sizeof(out));
}

SYSCALL_DEFINE(statx)
{
	unsigned flags = (unsigned)args[2];
	struct kstat st;
	int mount_id, error;

	if ((flags &
	     ~(unsigned)(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE)) != 0 ||
	    (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE || (args[3] & STATX_RESERVED) != 0)
		return -EINVAL;
	error = stat_name((int)args[0], args[1], flags, &st, &mount_id);
	return error != 0 ? error : put_statx(args[4], &st, mount_id);
}

static int64_t put_statfs(uint64_t user, const struct path *p)
{
	struct linux_statfs out;
	struct kstatfs st;
	int error = vfs_statfs(p->dentry->sb, &st);

	if (error != 0)
		return error;
	memset(&out, 0, sizeof(out));
	out.f_type = (int64_t)st.type;
	out.f_bsize = out.f_frsize = (int64_t)st.block_bytes;
	out.f_blocks = st.nr_blocks;
	out.f_bfree = st.nr_free;
	out.f_bavail = st.nr_available;
	out.f_files = st.nr_files;
	out.f_ffree = st.nr_files_free;
	out.f_fsid[0] = (int32_t)st.fsid;
	out.f_fsid[1] = (int32_t)(st.fsid >> 32);
	out.f_namelen = st.name_max;
	out.f_flags = ST_VALID | (mount_is_readonly(p->mount) ? ST_RDONLY : 0);
	return copy_to_user(uaddr(user), &out, sizeof(out));
}

SYSCALL_DEFINE(statfs)
{
	struct path p;
	int64_t error = user_path_lookup(AT_FDCWD, args[0], LOOKUP_FOLLOW, &p);

	if (error != 0)
		return error;
	error = put_statfs(args[1], &p);
	path_put(&p);
	return error;
}

SYSCALL_DEFINE(fstatfs)
{
	struct file *file = fd_get((int)args[0]);
	struct path p;
	int64_t error;

	if (file == NULL)
		return -EBADF;
	error = file_get_path(file, &p);
	file_put(file);
	if (error != 0)
		return error;
	error = put_statfs(args[1], &p);
	path_put(&p);
	return error;
}
