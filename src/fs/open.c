/*
 * open(2): from a name to an open file description. The directory's lock is held
 * from the last lookup to the creation of a missing file.
 */
#include "abi/fcntl.h"
#include "internal.h"

static bool wants_write(unsigned flags)
{
	return (flags & O_PATH) == 0 && ((flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0);
}

/* By type and permission: may this inode be opened so? */
static int may_open(const struct path *p, unsigned flags, bool is_created)
{
	struct inode *inode = p->dentry->inode;
	unsigned want = 0;

	if (S_ISLNK(inode->mode))
		return -ELOOP;
	if (S_ISDIR(inode->mode) && (wants_write(flags) || (flags & O_CREAT) != 0))
		return -EISDIR;
	if (wants_write(flags) && mount_is_readonly(p->mount) && S_ISREG(inode->mode))
		return -EROFS;
	if ((flags & O_ACCMODE) != O_WRONLY)
		want |= MAY_READ;
	if (wants_write(flags))
		want |= MAY_WRITE;
	if (!is_created) {
		int error = vfs_permission(inode, want);

		if (error != 0)
			return error;
	}
	if ((flags & O_NOATIME) != 0 && !vfs_is_owner(inode))
		return -EPERM;
	return 0;
}

/* Which operations an inode of this type gets. */
static int pick_ops(struct inode *inode, const struct file_ops **out)
{
	*out = inode->fops;
	if (inode->fops != &no_file_ops)
		return 0;
	switch (inode->mode & S_IFMT) {
	case S_IFREG:
	case S_IFDIR: return 0;
	case S_IFIFO: *out = &fifo_file_ops; return 0;
	case S_IFCHR: *out = chrdev_find(inode->rdev); return *out != NULL ? 0 : -ENXIO;
	default: return -ENXIO;
	}
}

static int open_inode(struct file *file, unsigned flags)
{
	struct inode *inode = file->inode;
	const struct file_ops *ops;
	int error = pick_ops(inode, &ops);

	if (error != 0)
		return error;
	file->ops = ops;
	if (S_ISREG(inode->mode) && (flags & O_ACCMODE) != O_RDONLY) {
		if (inode->nr_writers < 0)
			return -ETXTBSY;
		inode->nr_writers++;
		file->has_write_access = true;
	}
	if (file->ops->open == NULL)
		return 0;
	error = file->ops->open(file);
	if (error != 0)
		file->ops = &no_file_ops; /* nothing to release */
	return error;
}

/*
 * Makes `file` (allocated before anything is created or truncated, so that no failure comes late) a file
 * for p, permissions checked. On error the caller puts the file.
 */
static int open_checked(const struct path *p, unsigned flags, struct file *file)
{
	path_get(p);
	file->path = *p;
	inode_get(p->dentry->inode);
	file->inode = p->dentry->inode;
	return (flags & O_PATH) != 0 ? 0 : open_inode(file, flags);
}

static int truncate_opened(struct inode *inode)
{
	struct attr_change change = {.valid = ATTR_SIZE};

	return inode->nr_writers < 0 ? -ETXTBSY : inode_setattr(inode, &change);
}

static int do_open(const struct path *p, unsigned flags, bool is_created, struct file *file)
{
	struct inode *inode = p->dentry->inode;
	int error;

	if ((flags & O_DIRECTORY) != 0 && !S_ISDIR(inode->mode))
		return -ENOTDIR;
	error = (flags & O_PATH) != 0 ? 0 : may_open(p, flags, is_created);
	if (error == 0)
		error = open_checked(p, flags, file);
	if (error == 0 && (flags & (O_TRUNC | O_PATH)) == O_TRUNC && !is_created && S_ISREG(inode->mode))
		error = truncate_opened(inode);
	return error;
}

/* O_CREAT of a missing name; the directory is locked. */
static int create_locked(struct walk *w, uint32_t mode, struct dentry **out)
{
	struct dentry *dir = w->path.dentry;
	struct inode *inode;
	int error = may_create(&w->path);

	if (error == 0 && dir->inode->ops->create == NULL)
		error = -ENOENT; /* as in /proc: nothing can be made, so nothing will be there */
	if (error != 0)
		return error;
	*out = dentry_alloc(dir, &w->last);
	if (*out == NULL)
		return -ENOMEM;
	error = dir->inode->ops->create(dir->inode, (*out)->name, S_IFREG | mode, 0, &inode);
	if (error != 0) {
		dentry_put(*out);
		return error;
	}
	dentry_publish(*out, inode);
	return 0;
}

/* The last component of an O_CREAT open: finds or creates it. *p with a reference. */
static int open_last(struct walk *w, unsigned flags, uint32_t mode, struct path *p, bool *is_created)
{
	struct dentry *dir = w->path.dentry, *d;
	int error;

	*is_created = false;
	if (w->has_trailing_slash)
		return -EISDIR;
	mutex_lock(&dir->inode->lock);
	d = lookup_locked(dir, &w->last, &error);
	if (d == NULL && error == -ENOENT) {
		error = create_locked(w, mode, &d);
		*is_created = error == 0;
	}
	mutex_unlock(&dir->inode->lock);
	if (error != 0)
		return error;
	mount_get(w->path.mount);
	*p = (struct path){w->path.mount, d};
	if (*is_created)
		return 0;
	path_cross_mounts(p);
	if ((flags & O_EXCL) != 0)
		error = -EEXIST;
	else if (p->mount != w->path.mount && (w->flags & LOOKUP_NO_XDEV) != 0)
		error = -EXDEV;
	if (error != 0)
		path_put(p);
	return error;
}

static int open_create(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned lookup_flags,
		       struct file *file)
{
	struct walk w;
	struct path p = {NULL, NULL};
	bool is_created = false, is_done = false;
	int error = walk_begin(&w, dirfd, name, lookup_flags);

	while (error == 0 && !is_done) {
		error = walk_parent(&w);
		if (error == 0 && w.last_kind != LAST_NORMAL)
			error = -EISDIR;
		if (error == 0)
			error = open_last(&w, flags, mode, &p, &is_created);
		if (error != 0)
			break;
		if (!S_ISLNK(p.dentry->inode->mode) || (flags & O_NOFOLLOW) != 0) {
			error = do_open(&p, flags, is_created, file);
			is_done = true;
		} else {
			error = walk_follow(&w, &p, &is_done);
			if (error == 0 && is_done)
				error = do_open(&w.path, flags, false, file);
		}
		path_put(&p);
	}
	walk_end(&w);
	return error;
}

static int open_tmpfile(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned lookup_flags,
			struct file *file)
{
	struct name label = name_make("#tmpfile");
	struct path dir, p;
	struct inode *inode;
	int error = path_lookup(dirfd, name, lookup_flags | LOOKUP_DIRECTORY, &dir);

	if (error != 0)
		return error;
	error = may_create(&dir);
	if (error == 0 && dir.dentry->inode->ops->tmpfile == NULL)
		error = -EOPNOTSUPP;
	if (error != 0)
		goto out_dir;
	p.mount = dir.mount;
	p.dentry = dentry_alloc(dir.dentry, &label);
	error = -ENOMEM;
	if (p.dentry == NULL)
		goto out_dir;
	p.dentry->is_unlinked = true;
	mutex_lock(&dir.dentry->inode->lock);
	error = dir.dentry->inode->ops->tmpfile(dir.dentry->inode, S_IFREG | mode, &inode);
	mutex_unlock(&dir.dentry->inode->lock);
	if (error == 0) {
		p.dentry->inode = inode;
		inode->is_linkable = (flags & O_EXCL) == 0;
		error = open_checked(&p, flags, file);
	}
	dentry_put(p.dentry);
out_dir:
	path_put(&dir);
	return error;
}

static int open_existing(int dirfd, const char *name, unsigned flags, unsigned lookup_flags,
			 struct file *file)
{
	struct path p;
	int error;

	if ((flags & O_NOFOLLOW) == 0)
		lookup_flags |= LOOKUP_FOLLOW;
	if ((flags & O_DIRECTORY) != 0)
		lookup_flags |= LOOKUP_DIRECTORY;
	error = path_lookup(dirfd, name, lookup_flags, &p);
	if (error != 0)
		return error;
	error = do_open(&p, flags, false, file);
	path_put(&p);
	return error;
}

static int check_flags(unsigned flags)
{
	if ((flags & O_TMPFILE_BIT) != 0 &&
	    ((flags & O_DIRECTORY) == 0 || (flags & O_CREAT) != 0 || (flags & O_ACCMODE) == O_RDONLY))
		return -EINVAL;
	return (flags & (O_CREAT | O_DIRECTORY)) == (O_CREAT | O_DIRECTORY) ? -EINVAL : 0;
}

int vfs_openat2(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned lookup_flags,
		struct file **out)
{
	struct file *file;
	int error;

	if ((flags & O_PATH) != 0)
		flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	error = check_flags(flags);
	if (error == 0)
		error = file_alloc(flags & ~(unsigned)O_TMPFILE_BIT, &file);
	if (error != 0)
		return error;
	mode = vfs_apply_umask(mode & S_IALLUGO);
	if ((flags & O_TMPFILE_BIT) != 0)
		error = open_tmpfile(dirfd, name, flags, mode, lookup_flags | LOOKUP_FOLLOW, file);
	else if ((flags & O_CREAT) != 0)
		error = open_create(dirfd, name, flags, mode, lookup_flags, file);
	else
		error = open_existing(dirfd, name, flags, lookup_flags, file);
	if (error != 0) {
		file_put(file);
		return error;
	}
	*out = file;
	return 0;
}

int vfs_open_path(const struct path *p, unsigned flags, struct file **out)
{
	struct file *file;
	int error = file_alloc(flags, &file);

	if (error != 0)
		return error;
	error = do_open(p, flags & ~(unsigned)(O_CREAT | O_EXCL), false, file);
	if (error != 0) {
		file_put(file);
		return error;
	}
	*out = file;
	return 0;
}

int vfs_openat(int dirfd, const char *name, unsigned flags, uint32_t mode, struct file **out)
{
	return vfs_openat2(dirfd, name, flags, mode, 0, out);
}

static int may_execute(const struct path *p)
{
	struct inode *inode = p->dentry->inode;
	int error;

	if (!S_ISREG(inode->mode))
		return S_ISLNK(inode->mode) ? -ELOOP : -EACCES;
	error = vfs_permission(inode, MAY_EXEC);
	if (error != 0)
		return error;
	return inode->nr_writers > 0 ? -ETXTBSY : 0;
}

int vfs_open_exec(int dirfd, const char *name, unsigned lookup_flags, struct file **out)
{
	struct path p;
	struct file *file;
	int error = path_lookup(dirfd, name, lookup_flags, &p);

	if (error != 0)
		return error;
	error = may_execute(&p);
	if (error == 0)
		error = file_alloc(O_RDONLY | O_LARGEFILE, &file);
	if (error == 0) {
		error = open_checked(&p, O_RDONLY, file);
		if (error == 0) {
			file->inode->nr_writers--;
			file->denies_write = true;
			*out = file;
		} else {
			file_put(file);
		}
	}
	path_put(&p);
	return error;
}
