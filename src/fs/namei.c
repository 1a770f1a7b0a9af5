/*
 * Path lookup. A walk goes through a string component by component, from the
 * task's root or a directory, through the name cache, mounts and symlinks
 * (path_resolution(7)). It holds a reference on where it stands, and takes a
 * directory's lock only for names that are not cached.
 */
#include "internal.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"

static struct kmem_cache *pathname_cache;

static char *pathname_alloc(void)
{
	if (pathname_cache == NULL) {
		pathname_cache = kmem_cache_create("pathname", PATH_MAX_BYTES, 64);
		if (pathname_cache == NULL)
			return NULL;
	}
	return kmem_cache_alloc(pathname_cache);
}

int pathname_get(uint64_t user_string, char **out)
{
	char *name = pathname_alloc();
	int64_t len;

	if (name == NULL)
		return -ENOMEM;
	len = strncpy_from_user(name, uaddr(user_string), PATH_MAX_BYTES);
	if (len < 0) {
		pathname_put(name);
		return (int)len;
	}
	*out = name;
	return 0;
}

void pathname_put(char *name)
{
	if (name != NULL)
		kmem_cache_free(pathname_cache, name);
}

void path_get(const struct path *p)
{
	mount_get(p->mount);
	dentry_get(p->dentry);
}

void path_put(struct path *p)
{
	if (p->dentry != NULL)
		dentry_put(p->dentry);
	if (p->mount != NULL)
		mount_put(p->mount);
	*p = (struct path){NULL, NULL};
}

static void path_replace(struct path *p, const struct path *with)
{
	path_get(with);
	path_put(p);
	*p = *with;
}

static bool path_equal(const struct path *a, const struct path *b)
{
	return a->dentry == b->dentry && a->mount == b->mount;
}

void path_cross_mounts(struct path *p)
{
	while (p->dentry->nr_mounts > 0) {
		struct mount *m = mount_find(p->mount, p->dentry);
		struct path inner;

		if (m == NULL)
			return;
		inner = (struct path){m, m->root};
		path_replace(p, &inner);
	}
}

/* ---- one name in one directory ---- */

static bool is_valid(struct dentry *parent, struct dentry *d)
{
	struct inode *dir = parent->inode;

	if (d->is_synthetic || d->nr_mounts > 0 || dir->ops->revalidate == NULL)
		return true;
	return dir->ops->revalidate(dir, d->name, d->inode) == 0;
}

static struct dentry *find_valid(struct dentry *dir, const struct name *name)
{
	struct dentry *d = dentry_find(dir, name);

	if (d == NULL || is_valid(dir, d))
		return d;
	dentry_drop(d, false);
	dentry_put(d);
	return NULL;
}

/* Asks the file system. *out: a published dentry, negative only where the file system guarantees absence. */
static int lookup_uncached(struct dentry *dir, const struct name *name, struct dentry **out)
{
	char text[NAME_MAX_BYTES + 1];
	struct inode *inode = NULL;
	struct dentry *d;
	int error;

	if (dir->is_unlinked)
		return -ENOENT;
	if (dir->inode->ops->lookup == NULL)
		return -ENOENT;
	memcpy(text, name->text, name->len);
	text[name->len] = '\0';
	error = dir->inode->ops->lookup(dir->inode, text, &inode);
	if (error != 0 && !(error == -ENOENT && dir->sb->caches_absence))
		return error;
	d = dentry_alloc(dir, name);
	if (d == NULL) {
		inode_put(inode);
		return -ENOMEM;
	}
	dentry_publish(d, error == 0 ? inode : NULL);
	*out = d;
	return 0;
}

struct dentry *lookup_locked(struct dentry *dir, const struct name *name, int *error)
{
	struct dentry *d = find_valid(dir, name);

	*error = 0;
	if (d == NULL)
		*error = lookup_uncached(dir, name, &d);
	if (*error != 0)
		return NULL;
	if (d->inode == NULL) {
		dentry_put(d);
		*error = -ENOENT;
		return NULL;
	}
	return d;
}

static int lookup_child(struct dentry *dir, const struct name *name, struct dentry **out)
{
	struct dentry *d = find_valid(dir, name);
	int error = 0;

	if (d == NULL) {
		mutex_lock(&dir->inode->lock);
		d = lookup_locked(dir, name, &error);
		mutex_unlock(&dir->inode->lock);
		if (d == NULL)
			return error;
	} else if (d->inode == NULL) {
		dentry_put(d);
		return -ENOENT;
	}
	*out = d;
	return 0;
}

/* ---- the walk ---- */

static void task_root(struct path *out)
{
	struct task *task = current_task();

	if (task == NULL || task->fs == NULL) {
		vfs_root(out);
		return;
	}
	*out = task->fs->root;
	path_get(out);
}

static int start_at_dirfd(int dirfd, bool is_empty_name, struct path *out)
{
	struct file *file;
	int error = 0;

	if (dirfd == AT_FDCWD) {
		struct task *task = current_task();

		if (task == NULL || task->fs == NULL) {
			vfs_root(out);
			return 0;
		}
		*out = task->fs->cwd;
		path_get(out);
		return 0;
	}
	file = fd_get(dirfd);
	if (file == NULL)
		return -EBADF;
	if (is_empty_name)
		error = file_get_path(file, out);
	else if (file->path.dentry == NULL || !S_ISDIR(file->inode->mode))
		error = -ENOTDIR;
	else
		*out = file->path;
	if (error == 0 && !is_empty_name)
		path_get(out);
	file_put(file);
	return error;
}

int walk_begin(struct walk *w, int dirfd, const char *name, unsigned flags)
{
	bool is_absolute = name[0] == '/';
	int error;

	*w = (struct walk){.flags = flags, .rest = name};
	if (name[0] == '\0' && (flags & LOOKUP_EMPTY_OK) == 0)
		return -ENOENT;
	if (is_absolute && (flags & LOOKUP_BENEATH) != 0)
		return -EXDEV;
	if (is_absolute && (flags & LOOKUP_IN_ROOT) == 0) {
		task_root(&w->root);
		w->path = w->root;
		path_get(&w->path);
		return 0;
	}
	error = start_at_dirfd(dirfd, name[0] == '\0', &w->path);
	if (error != 0)
		return error;
	if ((flags & (LOOKUP_IN_ROOT | LOOKUP_BENEATH)) != 0) {
		w->root = w->path;
		path_get(&w->root);
	} else {
		task_root(&w->root);
	}
	return 0;
}

void walk_end(struct walk *w)
{
	path_put(&w->path);
	path_put(&w->root);
	pathname_put(w->buffer);
	w->buffer = NULL;
}

static int step_dotdot(struct walk *w)
{
	struct path up = w->path;
	struct mount *from = w->path.mount;

	for (;;) {
		if (path_equal(&up, &w->root))
			return (w->flags & LOOKUP_BENEATH) != 0 ? -EXDEV : 0;
		if (up.dentry != up.mount->root) {
			up.dentry = up.dentry->parent;
			break;
		}
		if (up.mount->parent == NULL)
			return 0;
		up = (struct path){up.mount->parent, up.mount->mountpoint};
	}
	if (up.dentry == NULL)
		return 0; /* a nameless file's */
	path_replace(&w->path, &up);
	path_cross_mounts(&w->path);
	return w->path.mount != from && (w->flags & LOOKUP_NO_XDEV) != 0 ? -EXDEV : 0;
}

/* Splits the next component off w->rest. Returns its length; 0 at the end of the string. */
static unsigned next_component(struct walk *w, struct name *name)
{
	const char *p = w->rest;
	uint32_t hash = 2166136261u;

	while (*p == '/')
		p++;
	name->text = p;
	for (; *p != '\0' && *p != '/'; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	name->len = (unsigned)(p - name->text);
	name->hash = hash;
	w->has_trailing_slash = *p == '/';
	while (*p == '/')
		p++;
	w->rest = p;
	return name->len;
}

static enum last_kind kind_of(const struct name *name)
{
	if (name->text[0] != '.' || name->len > 2)
		return LAST_NORMAL;
	if (name->len == 1)
		return LAST_DOT;
	return name->text[1] == '.' ? LAST_DOTDOT : LAST_NORMAL;
}

/* The directory may be searched. */
static int check_directory(const struct path *p)
{
	struct inode *inode = p->dentry->inode;

	if (!S_ISDIR(inode->mode))
		return -ENOTDIR;
	return vfs_permission(inode, MAY_EXEC);
}

int walk_child(struct walk *w, struct path *out)
{
	struct dentry *d = NULL;
	int error = lookup_child(w->path.dentry, &w->last, &d);

	if (error != 0)
		return error;
	mount_get(w->path.mount);
	*out = (struct path){w->path.mount, d};
	path_cross_mounts(out);
	if (out->mount != w->path.mount && (w->flags & LOOKUP_NO_XDEV) != 0) {
		path_put(out);
		return -EXDEV;
	}
	return 0;
}

/* The link's text and then what was left of the string become the new string. */
static int splice_link(struct walk *w, struct inode *inode)
{
	size_t rest_len = strlen(w->rest);
	char *buffer = pathname_alloc();
	int64_t len;

	if (buffer == NULL)
		return -ENOMEM;
	len = inode->ops->readlink(inode, buffer, PATH_MAX_BYTES - 1);
	if (len == 0)
		len = -ENOENT;
	else if (len > 0 && (uint64_t)len + 2 + rest_len > PATH_MAX_BYTES)
		len = -ENAMETOOLONG;
	if (len < 0) {
		pathname_put(buffer);
		return (int)len;
	}
	if (w->has_trailing_slash)
		buffer[len++] = '/';
	memcpy(buffer + len, w->rest, rest_len + 1);
	pathname_put(w->buffer);
	w->buffer = buffer;
	w->rest = buffer;
	return 0;
}

int walk_follow(struct walk *w, const struct path *link, bool *is_done)
{
	struct inode *inode = link->dentry->inode;
	struct path target;
	int error;

	*is_done = false;
	if ((w->flags & LOOKUP_NO_SYMLINKS) != 0 || ++w->nr_links > SYMLINK_DEPTH_MAX)
		return -ELOOP;
	if (inode->ops->follow != NULL) {
		if ((w->flags & (LOOKUP_NO_MAGIC | LOOKUP_BENEATH | LOOKUP_IN_ROOT)) != 0)
			return (w->flags & LOOKUP_NO_MAGIC) != 0 ? -ELOOP : -EXDEV;
		error = inode->ops->follow(inode, &target);
		if (error == 0) {
			path_put(&w->path);
			w->path = target;
			*is_done = true;
		}
		return error;
	}
	if (inode->ops->readlink == NULL)
		return -EINVAL;
	error = splice_link(w, inode);
	if (error != 0 || w->rest[0] != '/')
		return error;
	if ((w->flags & LOOKUP_BENEATH) != 0)
		return -EXDEV;
	path_replace(&w->path, &w->root);
	return 0;
}

/* One component that is not the last, or the last of a lookup. */
static int step_normal(struct walk *w, bool follow)
{
	struct path child;
	bool is_done;
	int error = walk_child(w, &child);

	if (error != 0)
		return error;
	if (follow && S_ISLNK(child.dentry->inode->mode)) {
		error = walk_follow(w, &child, &is_done);
		path_put(&child);
		return error;
	}
	path_put(&w->path);
	w->path = child;
	return 0;
}

static int walk_step(struct walk *w, bool follow)
{
	switch (w->last_kind) {
	case LAST_NORMAL: return step_normal(w, follow);
	case LAST_DOTDOT: return step_dotdot(w);
	default: return 0;
	}
}

int walk_parent(struct walk *w)
{
	for (;;) {
		int error;

		w->last_kind = LAST_ROOT;
		if (next_component(w, &w->last) == 0)
			return 0;
		error = check_directory(&w->path);
		if (error != 0)
			return error;
		if (w->last.len > NAME_MAX_BYTES)
			return -ENAMETOOLONG;
		w->last_kind = kind_of(&w->last);
		if (*w->rest == '\0')
			return 0;
		error = walk_step(w, true);
		if (error != 0)
			return error;
	}
}

int path_lookup(int dirfd, const char *name, unsigned flags, struct path *out)
{
	struct walk w;
	bool needs_directory = (flags & LOOKUP_DIRECTORY) != 0;
	int error = walk_begin(&w, dirfd, name, flags);

	while (error == 0 && *w.rest != '\0') {
		error = walk_parent(&w);
		if (error != 0 || w.last_kind == LAST_ROOT)
			break;
		needs_directory |= w.has_trailing_slash;
		error = walk_step(&w, (flags & LOOKUP_FOLLOW) != 0 || w.has_trailing_slash);
	}
	if (error == 0 && needs_directory && !S_ISDIR(w.path.dentry->inode->mode))
		error = -ENOTDIR;
	if (error == 0) {
		*out = w.path;
		w.path = (struct path){NULL, NULL};
	}
	walk_end(&w);
	return error;
}
