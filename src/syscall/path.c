/* System calls on names: making, removing, renaming, links, the working directory, access(2). */
#include "mm/kmalloc.h"
#include "syscall/file_io.h"

/* ---- making and removing ---- */

static int64_t do_mknod(int dirfd, uint64_t user_name, uint32_t mode, uint64_t rdev)
{
	char *name;
	int error = pathname_get(user_name, &name);

	if (error != 0)
		return error;
	error = vfs_mknodat(dirfd, name, mode, rdev & UINT32_MAX);
	pathname_put(name);
	return error;
}

static int64_t do_mkdir(int dirfd, uint64_t user_name, uint32_t mode)
{
	char *name;
	int error = pathname_get(user_name, &name);

	if (error != 0)
		return error;
	error = vfs_mkdirat(dirfd, name, mode);
	pathname_put(name);
	return error;
}

static int64_t do_unlink(int dirfd, uint64_t user_name, bool is_rmdir)
{
	char *name;
	int error = pathname_get(user_name, &name);

	if (error != 0)
		return error;
	error = vfs_unlinkat(dirfd, name, is_rmdir);
	pathname_put(name);
	return error;
}

SYSCALL_DEFINE(mknod) { return do_mknod(AT_FDCWD, args[0], (uint32_t)args[1], args[2]); }
SYSCALL_DEFINE(mknodat) { return do_mknod((int)args[0], args[1], (uint32_t)args[2], args[3]); }
SYSCALL_DEFINE(mkdir) { return do_mkdir(AT_FDCWD, args[0], (uint32_t)args[1]); }
SYSCALL_DEFINE(mkdirat) { return do_mkdir((int)args[0], args[1], (uint32_t)args[2]); }
SYSCALL_DEFINE(unlink) { return do_unlink(AT_FDCWD, args[0], false); }
SYSCALL_DEFINE(rmdir) { return do_unlink(AT_FDCWD, args[0], true); }

SYSCALL_DEFINE(unlinkat)
{
	if ((args[2] & ~(uint64_t)AT_REMOVEDIR) != 0)
		return -EINVAL;
	return do_unlink((int)args[0], args[1], (args[2] & AT_REMOVEDIR) != 0);
}

/* Two user strings at once. */
static int get_two(uint64_t user_a, uint64_t user_b, char **a, char **b)
{
	int error = pathname_get(user_a, a);

	if (error != 0)
		return error;
	error = pathname_get(user_b, b);
	if (error != 0)
		pathname_put(*a);
	return error;
}

static int64_t do_symlink(uint64_t user_target, int dirfd, uint64_t user_name)
{
	char *target, *name;
	int error = get_two(user_target, user_name, &target, &name);

	if (error != 0)
		return error;
	error = vfs_symlinkat(target, dirfd, name);
	pathname_put(name);
	pathname_put(target);
	return error;
}

static int64_t do_link(int old_fd, uint64_t user_old, int new_fd, uint64_t user_new, unsigned flags)
{
	unsigned lookup_flags = (flags & AT_SYMLINK_FOLLOW) != 0 ? LOOKUP_FOLLOW : 0;
	char *old_name, *new_name;
	int error;

	if ((flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) != 0) {
		if (vfs_cred()->fsuid != 0)
			return -ENOENT;
		lookup_flags |= LOOKUP_EMPTY_OK;
	}
	error = get_two(user_old, user_new, &old_name, &new_name);
	if (error != 0)
		return error;
	error = vfs_linkat(old_fd, old_name, new_fd, new_name, lookup_flags);
	pathname_put(new_name);
	pathname_put(old_name);
	return error;
}

static int64_t do_rename(int old_fd, uint64_t user_old, int new_fd, uint64_t user_new, unsigned flags)
{
	char *old_name, *new_name;
	int error = get_two(user_old, user_new, &old_name, &new_name);

	if (error != 0)
		return error;
	error = vfs_renameat(old_fd, old_name, new_fd, new_name, flags);
	pathname_put(new_name);
	pathname_put(old_name);
	return error;
}

SYSCALL_DEFINE(symlink) { return do_symlink(args[0], AT_FDCWD, args[1]); }
SYSCALL_DEFINE(symlinkat) { return do_symlink(args[0], (int)args[1], args[2]); }
SYSCALL_DEFINE(link) { return do_link(AT_FDCWD, args[0], AT_FDCWD, args[1], 0); }
SYSCALL_DEFINE(linkat) { return do_link((int)args[0], args[1], (int)args[2], args[3], (unsigned)args[4]); }
SYSCALL_DEFINE(rename) { return do_rename(AT_FDCWD, args[0], AT_FDCWD, args[1], 0); }
SYSCALL_DEFINE(renameat) { return do_rename((int)args[0], args[1], (int)args[2], args[3], 0); }
SYSCALL_DEFINE(renameat2)
{
	return do_rename((int)args[0], args[1], (int)args[2], args[3], (unsigned)args[4]);
}

/* ---- readlink(2) ---- */

static int64_t do_readlink(int dirfd, uint64_t user_name, uint64_t user_buf, int64_t size)
{
	struct path p;
	char *text, *name;
	int64_t n;
	int error;

	if (size <= 0)
		return -EINVAL;
	error = pathname_get(user_name, &name);
	if (error != 0)
		return error;
	error = path_lookup(dirfd, name, LOOKUP_EMPTY_OK, &p);
	if (error == 0 && name[0] == '\0' && !S_ISLNK(p.dentry->inode->mode)) {
		path_put(&p); /* "" names a descriptor, which must be of a symlink */
		error = -ENOENT;
	}
	pathname_put(name);
	if (error != 0)
		return error;
	text = kmalloc(PATH_MAX_BYTES);
	n = text != NULL ? vfs_readlink(&p, text, MIN((uint64_t)size, PATH_MAX_BYTES)) : -ENOMEM;
	if (n > 0 && copy_to_user(uaddr(user_buf), text, (size_t)n) != 0)
		n = -EFAULT;
	kfree(text);
	path_put(&p);
	return n;
}

SYSCALL_DEFINE(readlink) { return do_readlink(AT_FDCWD, args[0], args[1], (int32_t)args[2]); }
SYSCALL_DEFINE(readlinkat) { return do_readlink((int)args[0], args[1], args[2], (int32_t)args[3]); }

/* ---- working directory and root ---- */

static int64_t set_directory(const struct path *to, struct path *which)
{
	int error = S_ISDIR(to->dentry->inode->mode) ? vfs_permission(to->dentry->inode, MAY_EXEC) : -ENOTDIR;
	struct path old = *which;

	if (error != 0)
		return error;
	path_get(to);
	*which = *to;
	path_put(&old);
	return 0;
}

SYSCALL_DEFINE(chdir)
{
	struct path p;
	int64_t error = user_path_lookup(AT_FDCWD, args[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (error != 0)
		return error;
	error = set_directory(&p, &current_task()->fs->cwd);
	path_put(&p);
	return error;
}

SYSCALL_DEFINE(fchdir)
{
	struct file *file = fd_get((int)args[0]);
	int64_t error;

	if (file == NULL)
		return -EBADF;
	error = file->path.dentry == NULL ? -ENOTDIR : set_directory(&file->path, &current_task()->fs->cwd);
	file_put(file);
	return error;
}

SYSCALL_DEFINE(chroot)
{
	struct path p;
	int64_t error = user_path_lookup(AT_FDCWD, args[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (error != 0)
		return error;
	error = vfs_cred()->fsuid == 0 ? set_directory(&p, &current_task()->fs->root) : -EPERM;
	path_put(&p);
	return error;
}

SYSCALL_DEFINE(getcwd)
{
	struct path *cwd = &current_task()->fs->cwd;
	char *buf, *name;
	int64_t len = -ENAMETOOLONG;

	if (cwd->dentry->is_unlinked)
		return -ENOENT;
	buf = kmalloc(PATH_MAX_BYTES);
	if (buf == NULL)
		return -ENOMEM;
	name = path_name(cwd, buf, PATH_MAX_BYTES);
	if (name != NULL) {
		len = (int64_t)strlen(name) + 1;
		if ((uint64_t)len > args[1])
			len = -ERANGE;
		else if (copy_to_user(uaddr(args[0]), name, (size_t)len) != 0)
			len = -EFAULT;
	}
	kfree(buf);
	return len;
}

SYSCALL_DEFINE(umask)
{
	struct fs_context *fs = current_task()->fs;
	uint32_t old = fs->umask;

	fs->umask = (uint32_t)args[0] & (S_IRWXU | S_IRWXG | S_IRWXO);
	return old;
}

/* ---- access(2) ---- */

static int check_access(const struct path *p, unsigned want)
{
	struct inode *inode = p->dentry->inode;
	int error = vfs_permission(inode, want);

	if (error == 0 && (want & MAY_WRITE) != 0 && mount_is_readonly(p->mount) &&
	    (S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode)))
		error = -EROFS;
	return error;
}

/* By the real ids, unless AT_EACCESS asks for those files are opened with. */
static int64_t do_access(int dirfd, uint64_t name, unsigned want, unsigned flags)
{
	struct cred *cred = &current_task()->cred;
	uint32_t fsuid = cred->fsuid, fsgid = cred->fsgid;
	unsigned lookup_flags = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW;
	struct path p;
	int64_t error;

	if ((want & ~(unsigned)(R_OK | W_OK | X_OK)) != 0 ||
	    (flags & ~(unsigned)(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	if ((flags & AT_EMPTY_PATH) != 0)
		lookup_flags |= LOOKUP_EMPTY_OK;
	if ((flags & AT_EACCESS) == 0) {
		cred->fsuid = cred->uid;
		cred->fsgid = cred->gid;
	}
	error = user_path_lookup(dirfd, name, lookup_flags, &p);
	if (error == 0) {
		error = check_access(&p, want);
		path_put(&p);
	}
	cred->fsuid = fsuid;
	cred->fsgid = fsgid;
	return error;
}

SYSCALL_DEFINE(access) { return do_access(AT_FDCWD, args[0], (unsigned)args[1], 0); }
SYSCALL_DEFINE(faccessat) { return do_access((int)args[0], args[1], (unsigned)args[2], 0); }
SYSCALL_DEFINE(faccessat2) { return do_access((int)args[0], args[1], (unsigned)args[2], (unsigned)args[3]); }
