/*
 * Mounts: which superblock shows where. A mount is found by its parent mount and the
 * dentry it covers, so that one directory may be covered in one mount and open in
 * another (bind). vfs_mounts holds all of them, oldest first; the kernel is not
 * preemptible and a change of the list never sleeps, so mount_lock is enough.
 *
 * A mount point missing below a read-only file system becomes a directory (or
 * file) of the kernel's own, pinned in the name cache: "synthetic".
 */
#include "internal.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"

struct list vfs_mounts = LIST_INIT(vfs_mounts);
static struct spinlock mount_lock = SPINLOCK_INIT;
static int last_mount_id;

void mount_get(struct mount *m) { ref_get(&m->refs); }

void mount_put(struct mount *m)
{
	while (m != NULL && ref_put(&m->refs)) {
		struct mount *parent = m->parent;

		ASSERT(list_is_empty(&m->link));
		dentry_put(m->root);
		superblock_put(m->sb);
		kfree(m->source);
		kfree(m);
		m = parent;
	}
}

struct mount *mount_find(const struct mount *parent, const struct dentry *mountpoint)
{
	struct mount *m, *found = NULL;

	spin_lock(&mount_lock);
	LIST_FOR_EACH(m, &vfs_mounts, link)
		if (m->parent == parent && m->mountpoint == mountpoint)
			found = m;
	spin_unlock(&mount_lock);
	return found;
}

/* A mount in no tree. Takes references of its own on sb and root. */
static struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source,
				  bool is_readonly)
{
	struct mount *m = kzalloc(sizeof(*m));

	if (m == NULL)
		return NULL;
	m->source = kstrdup(source != NULL ? source : "none");
	if (m->source == NULL) {
		kfree(m);
		return NULL;
	}
	superblock_get(sb);
	dentry_get(root);
	m->refs = 1;
	m->id = ++last_mount_id;
	m->sb = sb;
	m->root = root;
	m->is_readonly = is_readonly;
	list_init(&m->link);
	return m;
}

struct mount *mount_internal(struct superblock *sb) { return mount_create(sb, sb->root, sb->fstype, false); }

static void mount_attach(struct mount *m, const struct path *at)
{
	if (at != NULL) {
		path_get(at);
		m->parent = at->mount;
		m->mountpoint = at->dentry;
		m->mountpoint->nr_mounts++;
	}
	spin_lock(&mount_lock);
	list_add_tail(&vfs_mounts, &m->link);
	spin_unlock(&mount_lock);
}

/* ---- mount points ---- */

/* The one read-only file system of kernel-only directories; its inodes hang below dentries of other ones. */
static struct superblock *synthetic_sb(void)
{
	static struct superblock *sb;

	if (sb == NULL && superblock_create("none", 0, &sb) != 0)
		return NULL;
	return sb;
}

static int synthetic_readdir(struct file *file, uint64_t *pos, readdir_emit_fn emit, void *arg)
{
	(void)file;
	(void)pos;
	(void)emit;
	(void)arg;
	return 0; /* what is below is kernel-only too: vfs_readdir() shows it */
}

static const struct file_ops synthetic_dir_ops = {.readdir = synthetic_readdir, .lseek = vfs_lseek_size};

int synthetic_create(struct dentry *parent, const struct name *name, uint32_t mode)
{
	struct superblock *sb = synthetic_sb();
	struct inode *inode;
	struct dentry *d;
	int error;

	if (sb == NULL)
		return -ENOMEM;
	error = inode_create(sb, mode, &inode);
	if (error != 0)
		return error;
	inode->fops = &synthetic_dir_ops;
	d = dentry_alloc(parent, name);
	if (d == NULL) {
		inode_put(inode);
		return -ENOMEM;
	}
	d->is_synthetic = true; /* keeps the reference */
	dentry_publish(d, inode);
	return 0;
}

/* Makes a missing component of a mount point, of type mode: really, or in the kernel only. */
static int make_component(const struct path *dir, const char *text, unsigned len, uint32_t mode)
{
	char name[NAME_MAX_BYTES + 1];
	struct name component = {text, len, name_hash(text, len)};
	struct inode *inode = dir->dentry->inode, *child = NULL;
	struct dentry *d;
	int error;

	if (mount_is_readonly(dir->mount) || inode->ops->mkdir == NULL || inode->ops->create == NULL)
		return synthetic_create(dir->dentry, &component, mode);
	memcpy(name, text, len);
	name[len] = '\0';
	d = dentry_alloc(dir->dentry, &component);
	if (d == NULL)
		return -ENOMEM;
	mutex_lock(&inode->lock);
	error = S_ISDIR(mode) ? inode->ops->mkdir(inode, name, mode & S_IALLUGO, &child)
			      : inode->ops->create(inode, name, mode, 0, &child);
	if (error == 0)
		dentry_publish(d, child);
	mutex_unlock(&inode->lock);
	dentry_put(d);
	return error;
}

/* Walks target (absolute) and makes what is missing of it; the last component a directory or a file. */
static int make_mountpoint(const char *target, bool is_dir, struct path *out)
{
	struct walk w;
	int error = walk_begin(&w, AT_FDCWD, target, 0);

	while (error == 0 && *w.rest != '\0') {
		struct path child;
		struct name component;
		const char *rest = w.rest;
		unsigned len;

		while (*rest == '/')
			rest++;
		len = 0;
		while (rest[len] != '\0' && rest[len] != '/')
			len++;
		component = (struct name){rest, len, name_hash(rest, len)};
		rest += len;
		while (*rest == '/')
			rest++;
		if (len == 0)
			break;
		w.rest = rest;
		w.last = component;
		error = S_ISDIR(w.path.dentry->inode->mode) ? walk_child(&w, &child) : -ENOTDIR;
		if (error == -ENOENT || error == -EACCES) {
			error = make_component(&w.path, component.text, len,
					       *rest == '\0' && !is_dir ? S_IFREG | 0444 : S_IFDIR | 0755);
			if (error == 0)
				error = walk_child(&w, &child);
		}
		if (error == 0) {
			path_put(&w.path);
			w.path = child;
		}
	}
	if (error == 0) {
		*out = w.path;
		w.path = (struct path){NULL, NULL};
	}
	walk_end(&w);
	return error;
}

static int find_mountpoint(const char *target, bool is_dir, struct path *out)
{
	int error = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW, out);

	if (error == -ENOENT && target[0] == '/')
		error = make_mountpoint(target, is_dir, out);
	if (error != 0)
		return error;
	if (is_dir == S_ISDIR(out->dentry->inode->mode))
		return 0;
	path_put(out);
	return -ENOTDIR;
}

/* ---- operations ---- */

static int mount_tree(struct superblock *sb, struct dentry *root, const char *target, const char *source,
		      bool is_readonly)
{
	struct path at;
	struct mount *m;
	int error = find_mountpoint(target, S_ISDIR(root->inode->mode), &at);

	if (error != 0)
		return error;
	m = mount_create(sb, root, source, is_readonly);
	if (m == NULL)
		error = -ENOMEM;
	else
		mount_attach(m, &at);
	path_put(&at);
	return error;
}

int vfs_mount(struct superblock *sb, const char *target, const char *source, bool is_readonly)
{
	int error = mount_tree(sb, sb->root, target, source, is_readonly);

	if (error == 0)
		superblock_put(sb); /* the caller's: the mount has its own */
	return error;
}

int vfs_bind(const struct path *source, const char *target, bool is_readonly)
{
	return mount_tree(source->mount->sb, source->dentry, target, source->mount->source,
			  is_readonly || source->mount->is_readonly);
}

int vfs_mount_root(struct superblock *sb, const char *source, bool is_readonly)
{
	struct mount *m;

	ASSERT(list_is_empty(&vfs_mounts));
	m = mount_create(sb, sb->root, source, is_readonly);
	if (m == NULL)
		return -ENOMEM;
	mount_attach(m, NULL);
	superblock_put(sb);
	return 0;
}

int vfs_umount(const struct path *p, bool is_lazy)
{
	struct mount *m = p->mount, *other;
	struct dentry *mountpoint = m->mountpoint;

	if (p->dentry != m->root || m->is_detached)
		return -EINVAL;
	if (m->parent == NULL)
		return -EBUSY;
	/* One reference is the tree's, one the path's. */
	if (!is_lazy && m->refs > 2)
		return -EBUSY;
	LIST_FOR_EACH(other, &vfs_mounts, link)
		if (other->parent == m)
			return -EBUSY;
	spin_lock(&mount_lock);
	list_remove(&m->link);
	spin_unlock(&mount_lock);
	m->is_detached = true;
	mountpoint->nr_mounts--;
	m->mountpoint = NULL;
	dentry_put(mountpoint);
	mount_put(m->parent);
	m->parent = NULL;
	mount_put(m); /* the tree's */
	return 0;
}

void vfs_root(struct path *out)
{
	struct mount *m;

	ASSERT(!list_is_empty(&vfs_mounts));
	m = LIST_FIRST(&vfs_mounts, struct mount, link);
	*out = (struct path){m, m->root};
	path_get(out);
}

void vfs_sync_all(void)
{
	struct mount *m;

	LIST_FOR_EACH(m, &vfs_mounts, link)
		if (m->sb->sync != NULL)
			(void)m->sb->sync(m->sb);
}

unsigned vfs_audit(void)
{
	struct mount *m, *other;
	unsigned bad = 0;

	LIST_FOR_EACH(m, &vfs_mounts, link) {
		uint32_t nr_children = 0, nr_here = 0;

		LIST_FOR_EACH(other, &vfs_mounts, link) {
			nr_children += other->parent == m;
			nr_here += m->mountpoint != NULL && other->mountpoint == m->mountpoint;
		}
		if (m->refs < nr_children + 1 || m->sb->refs == 0 ||
		    (m->parent == NULL) != (m->mountpoint == NULL)) {
			kprintf("audit: mount %d has %u references, %u children\n", m->id, m->refs,
				nr_children);
			bad++;
		}
		if (m->mountpoint != NULL && m->mountpoint->nr_mounts != nr_here) {
			kprintf("audit: mount point '%s' counts %u mounts, has %u\n", m->mountpoint->name,
				m->mountpoint->nr_mounts, nr_here);
			bad++;
		}
		bad += dentry_audit(m->sb);
	}
	return bad;
}
