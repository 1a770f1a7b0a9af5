/*
 * rename(2), renameat2(2). Two directories are locked: an ancestor before its
 * descendant, else by address; rename_lock, taken first when they differ, keeps the tree's shape
 * while that is decided.
 */
#include "internal.h"
#include "mm/kmalloc.h"

static struct mutex rename_lock = {NULL, LIST_INIT(rename_lock.waiters)};

struct rename {
	struct walk from, to;
	struct dentry *source, *target; /* target NULL: the name is free */
	unsigned flags;
};

static bool is_below(const struct dentry *d, const struct dentry *ancestor)
{
	for (; d != NULL; d = d->parent)
		if (d == ancestor)
			return true;
	return false;
}

static void lock_directories(struct dentry *a, struct dentry *b)
{
	if (a == b) {
		mutex_lock(&a->inode->lock);
		return;
	}
	mutex_lock(&rename_lock);
	if (is_below(a, b) || (!is_below(b, a) && (uintptr_t)b->inode < (uintptr_t)a->inode)) {
		struct dentry *swap = a;

		a = b;
		b = swap;
	}
	mutex_lock(&a->inode->lock);
	if (b->inode != a->inode)
		mutex_lock(&b->inode->lock);
}

static void unlock_directories(struct dentry *a, struct dentry *b)
{
	mutex_unlock(&a->inode->lock);
	if (a == b)
		return;
	if (b->inode != a->inode)
		mutex_unlock(&b->inode->lock);
	mutex_unlock(&rename_lock);
}

static int check_names(const struct rename *r)
{
	bool source_is_dir;

	if (r->target != NULL && (r->flags & RENAME_NOREPLACE) != 0)
		return -EEXIST;
	if (r->target == NULL && (r->flags & RENAME_EXCHANGE) != 0)
		return -ENOENT;
	if ((r->flags & RENAME_EXCHANGE) != 0 && r->to.has_trailing_slash && !S_ISDIR(r->target->inode->mode))
		return -ENOTDIR;
	source_is_dir = S_ISDIR(r->source->inode->mode);
	if (!source_is_dir &&
	    (r->from.has_trailing_slash || (r->to.has_trailing_slash && (r->flags & RENAME_EXCHANGE) == 0)))
		return -ENOTDIR;
	if (is_below(r->to.path.dentry, r->source))
		return -EINVAL;
	if (r->target != NULL && is_below(r->from.path.dentry, r->target))
		return (r->flags & RENAME_EXCHANGE) != 0 ? -EINVAL : -ENOTEMPTY;
	return 0;
}

/* A directory that moves to another parent has its ".." rewritten. */
static int may_reparent(const struct rename *r, const struct dentry *d)
{
	if (!S_ISDIR(d->inode->mode) || r->from.path.dentry == r->to.path.dentry)
		return 0;
	return vfs_permission(d->inode, MAY_WRITE);
}

static int check_rights(const struct rename *r)
{
	bool source_is_dir = S_ISDIR(r->source->inode->mode);
	int error = may_delete(&r->from.path, r->source, source_is_dir);

	if (error == 0 && r->target == NULL)
		error = may_create(&r->to.path);
	else if (error == 0 && (r->flags & RENAME_EXCHANGE) != 0)
		error = may_delete(&r->to.path, r->target, S_ISDIR(r->target->inode->mode));
	else if (error == 0)
		error = may_delete(&r->to.path, r->target, source_is_dir);
	if (error == 0)
		error = may_reparent(r, r->source);
	if (error == 0 && (r->flags & RENAME_EXCHANGE) != 0)
		error = may_reparent(r, r->target);
	if (error == 0 && r->from.path.dentry->inode->ops->rename == NULL)
		error = -EPERM;
	return error;
}

/* Everything is checked and locked. */
static int commit(struct rename *r)
{
	struct inode *old_dir = r->from.path.dentry->inode, *new_dir = r->to.path.dentry->inode;
	struct inode *victim = r->target != NULL ? r->target->inode : NULL;
	char old_name[NAME_MAX_BYTES + 1], new_name[NAME_MAX_BYTES + 1];
	char *room;
	int error = dentry_name_room(r->to.last.len, &room);

	if (error != 0)
		return error;
	memcpy(old_name, r->from.last.text, r->from.last.len);
	old_name[r->from.last.len] = '\0';
	memcpy(new_name, r->to.last.text, r->to.last.len);
	new_name[r->to.last.len] = '\0';
	if (victim != NULL)
		mutex_lock(&victim->lock);
	error = old_dir->ops->rename(old_dir, old_name, r->source->inode, new_dir, new_name, victim,
				     r->flags);
	if (victim != NULL)
		mutex_unlock(&victim->lock);
	if (error != 0 || (r->flags & RENAME_EXCHANGE) != 0)
		kfree(room);
	if (error != 0)
		return error;
	if ((r->flags & RENAME_EXCHANGE) != 0) {
		dentry_exchange(r->source, r->target);
		return 0;
	}
	if (r->target != NULL)
		dentry_drop(r->target, true);
	dentry_move(r->source, r->to.path.dentry, &r->to.last, room);
	return 0;
}

static int rename_locked(struct rename *r)
{
	int error;

	r->source = lookup_locked(r->from.path.dentry, &r->from.last, &error);
	if (r->source == NULL)
		return error;
	r->target = lookup_locked(r->to.path.dentry, &r->to.last, &error);
	if (r->target == NULL && error != -ENOENT)
		return error;
	error = check_names(r);
	if (error != 0)
		return error;
	if (r->target != NULL && r->target->inode == r->source->inode && (r->flags & RENAME_EXCHANGE) == 0)
		return mount_is_readonly(r->from.path.mount) ? -EROFS : 0;
	error = check_rights(r);
	return error != 0 ? error : commit(r);
}

static int rename_walked(struct rename *r)
{
	struct dentry *from = r->from.path.dentry, *to = r->to.path.dentry;
	int error;

	if (r->from.path.mount != r->to.path.mount || from->sb != to->sb)
		return -EXDEV;
	if (r->from.last_kind != LAST_NORMAL)
		return -EBUSY;
	if (r->to.last_kind != LAST_NORMAL)
		return (r->flags & RENAME_NOREPLACE) != 0 ? -EEXIST : -EBUSY;
	lock_directories(from, to);
	error = rename_locked(r);
	unlock_directories(from, to);
	if (r->target != NULL && error == 0 && S_ISDIR(r->target->inode->mode) && r->target->is_unlinked)
		dentry_prune_children(r->target);
	dentry_put(r->source);
	dentry_put(r->target);
	return error;
}

int vfs_renameat(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name, unsigned flags)
{
	struct rename r = {.flags = flags};
	int error;

	if ((flags & ~(unsigned)(RENAME_NOREPLACE | RENAME_EXCHANGE)) != 0 ||
	    flags == (RENAME_NOREPLACE | RENAME_EXCHANGE))
		return -EINVAL;
	error = walk_begin(&r.from, old_dirfd, old_name, 0);
	if (error == 0)
		error = walk_parent(&r.from);
	if (error != 0)
		goto out_from;
	error = walk_begin(&r.to, new_dirfd, new_name, 0);
	if (error == 0)
		error = walk_parent(&r.to);
	if (error == 0)
		error = rename_walked(&r);
	walk_end(&r.to);
out_from:
	walk_end(&r.from);
	return error;
}
