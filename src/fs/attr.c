/*
 * Attributes of inodes: permission checks by the task's fsuid and groups (path_resolution(7), with root's
 * override), stat, chmod, chown, utimes, truncate. inode->lock guards what is changed.
 */
#include "abi/resource.h"
#include "internal.h"
#include "sched/signal.h"

bool vfs_in_group(uint32_t gid)
{
	const struct cred *cred = vfs_cred();

	if (gid == cred->fsgid)
		return true;
	for (unsigned i = 0; i < cred->nr_groups; i++)
		if (cred->groups[i] == gid)
			return true;
	return false;
}

bool vfs_is_owner(const struct inode *inode)
{
	const struct cred *cred = vfs_cred();

	return cred->fsuid == 0 || cred->fsuid == inode->uid;
}

int vfs_permission(struct inode *inode, unsigned want)
{
	const struct cred *cred = vfs_cred();
	uint32_t mode = inode->mode;

	if ((want & MAY_WRITE) != 0 && inode->sb->is_readonly &&
	    (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
		return -EROFS;
	if (inode->ops->permission != NULL)
		return inode->ops->permission(inode, want);
	if (cred->fsuid == 0)
		return (want & MAY_EXEC) != 0 && !S_ISDIR(mode) && (mode & S_IXUGO) == 0 ? -EACCES : 0;
	if (cred->fsuid == inode->uid)
		mode >>= 6;
	else if (vfs_in_group(inode->gid))
		mode >>= 3;
	return (mode & want) == want ? 0 : -EACCES;
}

uint32_t vfs_apply_umask(uint32_t mode)
{
	const struct task *task = current_task();

	return task != NULL && task->fs != NULL ? mode & ~task->fs->umask : mode;
}

int may_create(const struct path *dir)
{
	if (dir->dentry->is_unlinked)
		return -ENOENT;
	if (mount_is_readonly(dir->mount))
		return -EROFS;
	return vfs_permission(dir->dentry->inode, MAY_WRITE | MAY_EXEC);
}

int may_delete(const struct path *dir, struct dentry *victim, bool is_dir)
{
	const struct inode *parent = dir->dentry->inode, *inode = victim->inode;
	int error = may_create(dir);

	if (error != 0)
		return error;
	if ((parent->mode & S_ISVTX) != 0 && !vfs_is_owner(inode) && !vfs_is_owner(parent))
		return -EPERM;
	if (is_dir != S_ISDIR(inode->mode))
		return is_dir ? -ENOTDIR : -EISDIR;
	return victim->nr_mounts > 0 || victim->is_synthetic ? -EBUSY : 0;
}

int vfs_stat_inode(struct inode *inode, struct kstat *out)
{
	*out = (struct kstat){
		.dev = inode->sb->dev,
		.ino = inode->ino,
		.rdev = inode->rdev,
		.size_bytes = inode->size_hint,
		.blksize_bytes = PAGE_SIZE,
		.mode = inode->mode,
		.nlink = inode->nlink,
		.uid = inode->uid,
		.gid = inode->gid,
		.atime = inode->atime,
		.mtime = inode->mtime,
		.ctime = inode->ctime,
		.btime = inode->ctime,
	};
	if (inode->map.owner != NULL) {
		out->size_bytes = inode->map.size_bytes;
		out->blocks512 = inode->map.nr_pages * (PAGE_SIZE / 512);
	}
	return inode->ops->getattr != NULL ? inode->ops->getattr(inode, out) : 0;
}

int vfs_statfs(struct superblock *sb, struct kstatfs *out)
{
	*out = (struct kstatfs){.type = sb->magic, .block_bytes = PAGE_SIZE, .name_max = NAME_MAX_BYTES};
	return sb->statfs != NULL ? sb->statfs(sb, out) : 0;
}

int inode_setattr(struct inode *inode, struct attr_change *change)
{
	int error = 0;

	mutex_lock(&inode->lock);
	if (inode->ops->setattr != NULL)
		error = inode->ops->setattr(inode, change);
	else if ((change->valid & ATTR_SIZE) != 0)
		error = -EINVAL;
	if (error != 0)
		goto out;
	if ((change->valid & ATTR_MODE) != 0)
		inode->mode = (inode->mode & S_IFMT) | (change->mode & S_IALLUGO);
	if ((change->valid & ATTR_UID) != 0)
		inode->uid = change->uid;
	if ((change->valid & ATTR_GID) != 0)
		inode->gid = change->gid;
	if ((change->valid & ATTR_ATIME) != 0)
		inode->atime = change->atime;
	inode_touch(inode, (change->valid & ATTR_SIZE) != 0);
	if ((change->valid & ATTR_MTIME) != 0)
		inode->mtime = change->mtime;
out:
	mutex_unlock(&inode->lock);
	return error;
}

int vfs_chmod(const struct path *p, uint32_t mode)
{
	struct inode *inode = p->dentry->inode;
	struct attr_change change = {.valid = ATTR_MODE, .mode = mode & S_IALLUGO};

	if (mount_is_readonly(p->mount))
		return -EROFS;
	if (S_ISLNK(inode->mode))
		return -EOPNOTSUPP;
	if (!vfs_is_owner(inode))
		return -EPERM;
	if (vfs_cred()->fsuid != 0 && !vfs_in_group(inode->gid))
		change.mode &= ~(uint32_t)S_ISGID;
	return inode_setattr(inode, &change);
}

int vfs_chown(const struct path *p, uint32_t uid, uint32_t gid)
{
	struct inode *inode = p->dentry->inode;
	const struct cred *cred = vfs_cred();
	struct attr_change change = {.uid = uid, .gid = gid};

	if (mount_is_readonly(p->mount))
		return -EROFS;
	if (cred->fsuid != 0) {
		if (uid != UINT32_MAX && (cred->fsuid != inode->uid || uid != inode->uid))
			return -EPERM;
		if (gid != UINT32_MAX &&
		    (cred->fsuid != inode->uid || (!vfs_in_group(gid) && gid != inode->gid)))
			return -EPERM;
	}
	change.valid = (uid != UINT32_MAX ? ATTR_UID : 0) | (gid != UINT32_MAX ? ATTR_GID : 0);
	if (!S_ISDIR(inode->mode) && (inode->mode & (S_ISUID | S_ISGID)) != 0) {
		change.valid |= ATTR_MODE;
		change.mode = inode->mode & S_IALLUGO & ~(uint32_t)S_ISUID;
		if ((inode->mode & S_IXGRP) != 0)
			change.mode &= ~(uint32_t)S_ISGID;
	}
	return inode_setattr(inode, &change);
}

int vfs_utimes(const struct path *p, const struct timestamp times[2])
{
	struct inode *inode = p->dentry->inode;
	struct timestamp now = vfs_now();
	struct attr_change change = {.valid = ATTR_ATIME | ATTR_MTIME, .atime = now, .mtime = now};
	bool is_now = times == NULL || (times[0].nsec == UTIME_NOW && times[1].nsec == UTIME_NOW);

	if (times != NULL && times[0].nsec == UTIME_OMIT && times[1].nsec == UTIME_OMIT)
		return 0;
	if (mount_is_readonly(p->mount))
		return -EROFS;
	if (!vfs_is_owner(inode)) {
		if (!is_now)
			return -EPERM;
		if (vfs_permission(inode, MAY_WRITE) != 0)
			return -EACCES;
	}
	if (!is_now) {
		if (times[0].nsec == UTIME_OMIT)
			change.valid &= ~(unsigned)ATTR_ATIME;
		else if (times[0].nsec != UTIME_NOW)
			change.atime = times[0];
		if (times[1].nsec == UTIME_OMIT)
			change.valid &= ~(unsigned)ATTR_MTIME;
		else if (times[1].nsec != UTIME_NOW)
			change.mtime = times[1];
	}
	return inode_setattr(inode, &change);
}

int file_limit_size(uint64_t pos, uint64_t *n)
{
	const struct task *task = current_task();
	uint64_t limit =
		task != NULL && task->process != NULL ? task->process->rlimits[RLIMIT_FSIZE].cur : UINT64_MAX;

	if (limit > INT64_MAX)
		limit = INT64_MAX;
	else if (pos >= limit && *n > 0) {
		signal_send_task(current_task(), SIGXFSZ, NULL);
		return -EFBIG;
	}
	if (pos >= limit && *n > 0)
		return -EFBIG;
	*n = MIN(*n, limit - MIN(pos, limit));
	return 0;
}

/* The new size of a file, permission given. Writing drops set-id bits, and so does truncating. */
static int truncate_inode(struct inode *inode, uint64_t size_bytes)
{
	struct attr_change change = {.valid = ATTR_SIZE, .size_bytes = size_bytes};
	uint64_t grow = size_bytes > inode->map.size_bytes ? size_bytes - inode->map.size_bytes : 0;
	uint64_t wanted = grow;
	int error = file_limit_size(inode->map.size_bytes, &wanted);

	if (error != 0)
		return error;
	if (wanted < grow)
		return -EFBIG;
	if ((inode->mode & (S_ISUID | S_ISGID)) != 0 && vfs_cred()->fsuid != 0) {
		change.valid |= ATTR_MODE;
		change.mode = inode->mode & S_IALLUGO & ~(uint32_t)S_ISUID;
		if ((inode->mode & S_IXGRP) != 0)
			change.mode &= ~(uint32_t)S_ISGID;
	}
	return inode_setattr(inode, &change);
}

int vfs_truncate(const struct path *p, uint64_t size_bytes)
{
	struct inode *inode = p->dentry->inode;
	int error;

	if (S_ISDIR(inode->mode))
		return -EISDIR;
	if (!S_ISREG(inode->mode))
		return -EINVAL;
	if (mount_is_readonly(p->mount))
		return -EROFS;
	error = vfs_permission(inode, MAY_WRITE);
	if (error != 0)
		return error;
	if (inode->nr_writers < 0)
		return -ETXTBSY;
	return truncate_inode(inode, size_bytes);
}

int vfs_ftruncate(struct file *file, uint64_t size_bytes)
{
	if (!S_ISREG(file->inode->mode) || !file_can_write(file))
		return -EINVAL;
	return truncate_inode(file->inode, size_bytes);
}
