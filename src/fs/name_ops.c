/*
 * Operations on names: mknod, mkdir, symlink, link, unlink, rmdir. Each walks to the
 * parent, locks it, looks the last name up, checks, and lets the file system do it.
 */
#include "internal.h"
#include "mm/kmalloc.h"

/*
 * Walks to the parent of a name to be created and locks it. *out: a dentry for the name, not yet
 * published. On success create_end() must follow.
 */
static int create_begin(struct walk *w, int dirfd, const char *name, bool is_dir, struct dentry **out)
{
	struct dentry *dir, *existing;
	int error = walk_begin(w, dirfd, name, 0);

	if (error == 0)
		error = walk_parent(w);
	if (error == 0 && w->last_kind != LAST_NORMAL)
		error = -EEXIST;
	if (error != 0)
		goto fail;
	dir = w->path.dentry;
	mutex_lock(&dir->inode->lock);
	existing = lookup_locked(dir, &w->last, &error);
	if (existing != NULL) {
		dentry_put(existing);
		error = -EEXIST;
	} else if (error == -ENOENT && (!w->has_trailing_slash || is_dir)) {
		error = may_create(&w->path);
		if (error == 0 && dir->inode->ops->create == NULL)
			error = -ENOENT; /* as in /proc: nothing can be made, so nothing will be there */
	}
	if (error == 0) {
		*out = dentry_alloc(dir, &w->last);
		if (*out != NULL)
			return 0;
		error = -ENOMEM;
	}
	mutex_unlock(&dir->inode->lock);
fail:
	walk_end(w);
	return error;
}

/* Publishes or forgets the new name, unlocks, ends the walk. Returns error. */
static int create_end(struct walk *w, struct dentry *d, struct inode *inode, int error)
{
	if (error == 0)
		dentry_publish(d, inode);
	mutex_unlock(&w->path.dentry->inode->lock);
	dentry_put(d);
	walk_end(w);
	return error;
}

int vfs_mknodat(int dirfd, const char *name, uint32_t mode, uint64_t rdev)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *inode = NULL;
	int error;

	if ((mode & S_IFMT) == 0)
		mode |= S_IFREG;
	switch (mode & S_IFMT) {
	case S_IFREG:
	case S_IFIFO:
	case S_IFSOCK: break;
	case S_IFCHR:
	case S_IFBLK:
		if (vfs_cred()->fsuid != 0)
			return -EPERM;
		break;
	default: return S_ISDIR(mode) ? -EPERM : -EINVAL;
	}
	error = create_begin(&w, dirfd, name, false, &d);
	if (error != 0)
		return error;
	dir = w.path.dentry->inode;
	error = dir->ops->create == NULL
			? -EPERM
			: dir->ops->create(dir, d->name, vfs_apply_umask(mode), rdev, &inode);
	return create_end(&w, d, inode, error);
}

int vfs_mkdirat(int dirfd, const char *name, uint32_t mode)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *inode = NULL;
	int error = create_begin(&w, dirfd, name, true, &d);

	if (error != 0)
		return error;
	dir = w.path.dentry->inode;
	mode = vfs_apply_umask(mode & (S_IRWXU | S_IRWXG | S_IRWXO | S_ISVTX));
	error = dir->ops->mkdir == NULL ? -EPERM : dir->ops->mkdir(dir, d->name, mode, &inode);
	return create_end(&w, d, inode, error);
}

int vfs_symlinkat(const char *target, int dirfd, const char *name)
{
	struct walk w;
	struct dentry *d;
	struct inode *dir, *inode = NULL;
	int error;

	if (target[0] == '\0')
		return -ENOENT;
	error = create_begin(&w, dirfd, name, false, &d);
	if (error != 0)
		return error;
	dir = w.path.dentry->inode;
	error = dir->ops->symlink == NULL ? -EPERM : dir->ops->symlink(dir, d->name, target, &inode);
	return create_end(&w, d, inode, error);
}

static int link_locked(struct inode *dir, const char *name, struct inode *inode)
{
	int error;

	if (dir->ops->link == NULL)
		return -EPERM;
	mutex_lock(&inode->lock);
	if (inode->nlink == 0 && !inode->is_linkable)
		error = -ENOENT;
	else
		error = dir->ops->link(dir, name, inode);
	if (error == 0)
		inode->is_linkable = false;
	mutex_unlock(&inode->lock);
	return error;
}

int vfs_linkat(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
	       unsigned lookup_flags)
{
	struct walk w;
	struct path source;
	struct dentry *d;
	struct inode *inode;
	int error = path_lookup(old_dirfd, old_name, lookup_flags, &source);

	if (error != 0)
		return error;
	inode = source.dentry->inode;
	error = create_begin(&w, new_dirfd, new_name, false, &d);
	if (error != 0)
		goto out;
	if (source.mount != w.path.mount || inode->sb != w.path.dentry->sb)
		error = -EXDEV;
	else if (S_ISDIR(inode->mode))
		error = -EPERM;
	else
		error = link_locked(w.path.dentry->inode, d->name, inode);
	if (error == 0)
		inode_get(inode);
	error = create_end(&w, d, inode, error);
out:
	path_put(&source);
	return error;
}

/* What unlink(2) and rmdir(2) say of names that are not ordinary. */
static int special_last(enum last_kind kind, bool is_rmdir)
{
	if (!is_rmdir)
		return -EISDIR;
	switch (kind) {
	case LAST_DOT: return -EINVAL;
	case LAST_DOTDOT: return -ENOTEMPTY;
	default: return -EBUSY;
	}
}

static int remove_locked(struct inode *dir, struct dentry *victim, bool is_rmdir)
{
	struct inode *inode = victim->inode;
	int error;

	mutex_lock(&inode->lock);
	if (is_rmdir)
		error = dir->ops->rmdir == NULL ? -EPERM : dir->ops->rmdir(dir, victim->name, inode);
	else
		error = dir->ops->unlink == NULL ? -EPERM : dir->ops->unlink(dir, victim->name, inode);
	mutex_unlock(&inode->lock);
	if (error == 0)
		dentry_drop(victim, true);
	return error;
}

int vfs_unlinkat(int dirfd, const char *name, bool is_rmdir)
{
	struct walk w;
	struct dentry *dir, *victim = NULL;
	int error = walk_begin(&w, dirfd, name, 0);

	if (error == 0)
		error = walk_parent(&w);
	if (error == 0 && w.last_kind != LAST_NORMAL)
		error = special_last(w.last_kind, is_rmdir);
	if (error != 0)
		goto out;
	dir = w.path.dentry;
	mutex_lock(&dir->inode->lock);
	victim = lookup_locked(dir, &w.last, &error);
	if (victim != NULL) {
		if (!is_rmdir && w.has_trailing_slash)
			error = S_ISDIR(victim->inode->mode) ? -EISDIR : -ENOTDIR;
		if (error == 0)
			error = may_delete(&w.path, victim, is_rmdir);
		if (error == 0)
			error = remove_locked(dir->inode, victim, is_rmdir);
	}
	mutex_unlock(&dir->inode->lock);
	if (victim != NULL) {
		if (error == 0 && is_rmdir)
			dentry_prune_children(victim);
		dentry_put(victim); /* outside of the lock: the last one frees the file's pages */
	}
out:
	walk_end(&w);
	return error;
}

int64_t vfs_readlink(const struct path *p, char *buf, size_t size_bytes)
{
	struct inode *inode = p->dentry->inode;

	if (!S_ISLNK(inode->mode) || inode->ops->readlink == NULL)
		return -EINVAL;
	return inode->ops->readlink(inode, buf, size_bytes);
}
