/*
 * From a path back to its name: getcwd(2), /proc/PID/fd, /proc/PID/maps, /proc/mounts.
 * Names are written from the end of the buffer backwards.
 */
#include "abi/statfs.h"
#include "internal.h"
#include "lib/printf.h"

struct backwards {
	char *start, *p; /* text is [p, end of buffer) */
	bool is_full;
};

static void put_text(struct backwards *b, const char *text, size_t len)
{
	if ((size_t)(b->p - b->start) < len) {
		b->is_full = true;
		return;
	}
	b->p -= len;
	memcpy(b->p, text, len);
}

/* Nameless files have a dentry without a parent that is no file system's root. */
static bool is_nameless(const struct dentry *d) { return d->parent == NULL && d != d->sb->root; }

static const char *nameless_prefix(const struct inode *inode)
{
	if (S_ISFIFO(inode->mode))
		return "pipe";
	if (S_ISSOCK(inode->mode))
		return "socket";
	return "anon_inode";
}

static char *nameless_name(const struct inode *inode, char *buf, size_t size_bytes)
{
	const char *memfd = inode_is_tmpfs(inode) ? tmpfs_inode(inode)->memfd_name : NULL;
	int len;

	if (memfd != NULL)
		len = ksnprintf(buf, size_bytes, "%s", memfd);
	else if (inode_is_tmpfs(inode))
		len = ksnprintf(buf, size_bytes, "/dev/zero (deleted)");
	else
		len = ksnprintf(buf, size_bytes, "%s:[%llu]", nameless_prefix(inode),
				(unsigned long long)inode->ino);
	return (size_t)len < size_bytes ? buf : NULL;
}

/* Writes the components between the root and *p; true when the root was met. */
static bool put_components(struct backwards *b, const struct path *root, struct path at)
{
	while (at.dentry != root->dentry || at.mount != root->mount) {
		if (at.dentry == at.mount->root) {
			if (at.mount->parent == NULL)
				return false;
			at = (struct path){at.mount->parent, at.mount->mountpoint};
			continue;
		}
		if (at.dentry->parent == NULL)
			return false;
		put_text(b, at.dentry->name, at.dentry->name_len);
		put_text(b, "/", 1);
		at.dentry = at.dentry->parent;
	}
	return true;
}

char *path_name(const struct path *p, char *buf, size_t size_bytes)
{
	struct backwards b = {buf, buf + size_bytes, false};
	const struct task *task = current_task();
	struct path root;
	char *end;
	bool is_reachable;

	if (is_nameless(p->dentry))
		return nameless_name(p->dentry->inode, buf, size_bytes);
	if (task != NULL && task->fs != NULL) {
		root = task->fs->root;
		path_get(&root);
	} else {
		vfs_root(&root);
	}
	put_text(&b, "", 1);
	if (p->dentry->is_unlinked)
		put_text(&b, " (deleted)", 10);
	end = b.p;
	is_reachable = put_components(&b, &root, *p);
	path_put(&root);
	if (b.p == end)
		put_text(&b, "/", 1);
	if (!is_reachable)
		put_text(&b, "(unreachable)", 13);
	return b.is_full ? NULL : b.p;
}

char *file_name(struct file *file, char *buf, size_t size_bytes)
{
	if (file->anon_name != NULL)
		return str_copy(buf, file->anon_name, size_bytes) < size_bytes ? buf : NULL;
	if (file->path.dentry != NULL)
		return path_name(&file->path, buf, size_bytes);
	if (file->inode == NULL)
		return NULL;
	return nameless_name(file->inode, buf, size_bytes);
}

/* The mount that nameless files' paths are in: it only has to exist. */
static struct mount *nameless_mount(void)
{
	static struct mount *mount;
	struct superblock *sb;
	struct inode *root;

	if (mount != NULL)
		return mount;
	if (superblock_create("anon_inodefs", ANON_INODE_FS_MAGIC, &sb) != 0)
		return NULL;
	if (inode_create(sb, S_IFDIR | 0500, &root) == 0 && superblock_set_root(sb, root) == 0)
		mount = mount_internal(sb);
	superblock_put(sb);
	return mount;
}

int file_get_path(struct file *file, struct path *out)
{
	if (file->path.dentry == NULL) {
		struct mount *mount = nameless_mount();
		struct dentry *d = mount != NULL ? dentry_alloc_root(file->inode->sb, file->inode) : NULL;

		if (d == NULL)
			return -ENOMEM;
		inode_get(file->inode);
		mount_get(mount);
		file->path = (struct path){mount, d};
	}
	*out = file->path;
	path_get(out);
	return 0;
}
