/*
 * Host directories as a file system (--root, --bind). An inode holds one host
 * descriptor: a handle (O_PATH) until the file is opened, then the data
 * descriptor. The kernel's VFS resolves paths and symlinks; the host is asked for
 * single names below a handle and never follows a symlink, so a guest cannot
 * leave the tree. Inodes are found again by (device, number): hard links are one inode.
 *
 * Regular files are read and written through the page cache (hostfs_file.c). What the host
 * changes meanwhile is seen when a file is opened, and names are trusted for
 * TRUST_NS after they were looked at. Writes reach the host when the file is
 * closed, synced, or at power off.
 */
#include "hostfs.h"

#include "arch/machine.h"
#include "lib/assert.h"
#include "mm/kmalloc.h"

#include "hostfs_internal.h"

#define TRUST_NS 100000000ull
#define MAGIC 0x00c0ffee

static const struct inode_ops hostfs_inode_ops;

static struct host_inode **bucket(struct hostfs *fs, uint64_t dev, uint64_t ino)
{
	return &fs->buckets[(ino * 0x9e3779b97f4a7c15ull ^ dev) >> 7 & (HASH_BUCKETS - 1)];
}

/* ---- attributes ----------------------------------------------------------- */

static bool same_time(struct timestamp a, struct timestamp b) { return a.sec == b.sec && a.nsec == b.nsec; }

/* Takes over what the host says; the cache is dropped when the contents have changed. */
static void refresh(struct inode *inode, const struct host_stat *st)
{
	struct host_inode *h = host(inode);
	struct timestamp mtime = {st->mtime_sec, st->mtime_nsec};

	h->checked_ns = arch_time_ns();
	inode->mode = st->mode;
	inode->nlink = st->nlink;
	inode->uid = st->uid;
	inode->gid = st->gid;
	inode->atime = (struct timestamp){st->atime_sec, st->atime_nsec};
	inode->ctime = (struct timestamp){st->ctime_sec, st->ctime_nsec};
	if (inode->map.owner == NULL) {
		inode->size_hint = st->size_bytes;
		inode->mtime = mtime;
		return;
	}
	if (has_own_changes(inode))
		return; /* ours are the newer contents until they are written back */
	if (!same_time(mtime, h->mtime) || st->size_bytes != inode->map.size_bytes) {
		filemap_invalidate(&inode->map);
		inode->map.size_bytes = st->size_bytes;
	}
	h->mtime = inode->mtime = mtime;
}

int hostfs_refresh(struct inode *inode)
{
	struct host_stat st;
	int r = host_fs_stat(host(inode)->fd, &st);

	if (r == 0)
		refresh(inode, &st);
	return r;
}

static int hostfs_getattr(struct inode *inode, struct kstat *out)
{
	struct host_stat st;
	int r = host_fs_stat(host(inode)->fd, &st);

	if (r != 0)
		return r;
	out->dev = st.dev;
	out->ino = st.ino;
	out->rdev = st.rdev;
	out->blocks512 = st.blocks512;
	out->blksize_bytes = st.blksize_bytes;
	out->nlink = st.nlink;
	out->atime = (struct timestamp){st.atime_sec, st.atime_nsec};
	out->btime = (struct timestamp){st.btime_sec, st.btime_nsec};
	if (has_own_changes(inode))
		return 0;
	refresh(inode, &st);
	out->size_bytes = st.size_bytes;
	out->mtime = (struct timestamp){st.mtime_sec, st.mtime_nsec};
	out->ctime = (struct timestamp){st.ctime_sec, st.ctime_nsec};
	return 0;
}

/* ---- inodes ----------------------------------------------------------------- */

static void set_operations(struct inode *inode)
{
	inode->ops = &hostfs_inode_ops;
	switch (inode->mode & S_IFMT) {
	case S_IFREG:
		inode->fops = host(inode)->is_synthetic ? &hostfs_synthetic_ops : &hostfs_file_ops;
		if (!host(inode)->is_synthetic)
			filemap_init(&inode->map, &hostfs_map_ops, inode);
		break;
	case S_IFDIR: inode->fops = &hostfs_dir_ops; break;
	default: break; /* links need none; FIFOs and devices are the VFS's */
	}
}

/* The inode of an open handle, which it takes over (also on failure). */
static int inode_of_handle(struct superblock *sb, int fd, struct inode **out)
{
	struct hostfs *fs = sb->private;
	struct host_inode *h, **slot;
	struct inode *inode;
	struct host_stat st;
	int r = host_fs_stat(fd, &st);

	if (r != 0)
		goto close_handle;
	slot = bucket(fs, st.dev, st.ino);
	for (h = *slot; h != NULL; h = h->hash_next) {
		if (h->dev == st.dev && h->ino == st.ino) {
			host_fs_close(fd);
			inode_get(h->inode);
			refresh(h->inode, &st);
			*out = h->inode;
			return 0;
		}
	}
	r = -ENOMEM;
	h = kzalloc(sizeof(*h));
	if (h == NULL)
		goto close_handle;
	if (inode_create(sb, st.mode, &inode) != 0)
		goto free_private;
	h->fd = fd;
	h->dev = st.dev;
	h->ino = st.ino;
	h->inode = inode;
	h->is_synthetic = (st.mode & S_IFMT) == S_IFREG && host_fs_is_synthetic(fd);
	h->hash_next = *slot;
	*slot = h;
	inode->private = h;
	inode->ino = st.ino;
	inode->rdev = st.rdev;
	set_operations(inode);
	refresh(inode, &st);
	*out = inode;
	return 0;

free_private:
	kfree(h);
close_handle:
	host_fs_close(fd);
	return r;
}

static void hostfs_destroy_inode(struct inode *inode)
{
	struct host_inode *h = host(inode), **link;

	for (link = bucket(host_sb(inode), h->dev, h->ino); *link != h; link = &(*link)->hash_next)
		ASSERT(*link != NULL);
	*link = h->hash_next;
	host_fs_close(h->fd);
	kfree(h);
}

static int hostfs_lookup(struct inode *dir, const char *name, struct inode **out)
{
	int fd, r = host_fs_lookup(host(dir)->fd, name, &fd);

	if (out_of_descriptors(r) && dentry_shrink(dir->sb, SHRINK_STEP) != 0)
		r = host_fs_lookup(host(dir)->fd, name, &fd);
	return r != 0 ? r : inode_of_handle(dir->sb, fd, out);
}

static int hostfs_revalidate(struct inode *dir, const char *name, struct inode *inode)
{
	struct host_stat st;
	int r;

	if (inode != NULL && arch_time_ns() - host(inode)->checked_ns < TRUST_NS)
		return 0;
	r = host_fs_stat_at(host(dir)->fd, name, &st);
	if (inode == NULL)
		return r == -ENOENT ? 0 : -ESTALE;
	if (r != 0 || st.dev != host(inode)->dev || st.ino != host(inode)->ino)
		return -ESTALE;
	refresh(inode, &st);
	return 0;
}

static int64_t hostfs_readlink(struct inode *inode, char *buf, size_t size_bytes)
{
	return host_fs_readlink(host(inode)->fd, buf, size_bytes);
}

/* ---- changes ---------------------------------------------------------------- */

static int may_change(const struct inode *inode) { return host_sb(inode)->is_readonly ? -EROFS : 0; }

/* After a name was made: the new inode, and the directory's new times. */
static int made(struct inode *dir, const char *name, int r, struct inode **out)
{
	if (r != 0)
		return r;
	(void)hostfs_refresh(dir);
	return hostfs_lookup(dir, name, out);
}

static int hostfs_make(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, struct inode **out)
{
	int r = may_change(dir);

	return r != 0 ? r : made(dir, name, host_fs_create(host(dir)->fd, name, mode, rdev), out);
}

static int hostfs_mkdir(struct inode *dir, const char *name, uint32_t mode, struct inode **out)
{
	int r = may_change(dir);

	return r != 0 ? r : made(dir, name, host_fs_mkdir(host(dir)->fd, name, mode), out);
}

static int hostfs_symlink(struct inode *dir, const char *name, const char *target, struct inode **out)
{
	int r = may_change(dir);

	return r != 0 ? r : made(dir, name, host_fs_symlink(host(dir)->fd, name, target), out);
}

static int changed(struct inode *a, struct inode *b, int r)
{
	if (r == 0) {
		(void)hostfs_refresh(a);
		if (b != NULL)
			(void)hostfs_refresh(b);
	}
	return r;
}

static int hostfs_link(struct inode *dir, const char *name, struct inode *target)
{
	int r = may_change(dir);

	return r != 0 ? r : changed(dir, target, host_fs_link(host(target)->fd, host(dir)->fd, name));
}

static int hostfs_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	int r = may_change(dir);

	return r != 0 ? r : changed(dir, victim, host_fs_unlink(host(dir)->fd, name, false));
}

static int hostfs_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	int r = may_change(dir);

	return r != 0 ? r : changed(dir, victim, host_fs_unlink(host(dir)->fd, name, true));
}

static int hostfs_rename(struct inode *old_dir, const char *old_name, struct inode *source, struct inode *new_dir,
			 const char *new_name, struct inode *victim, unsigned flags)
{
	int r = may_change(old_dir);

	if (r != 0)
		return r;
	r = host_fs_rename(host(old_dir)->fd, old_name, host(new_dir)->fd, new_name, flags);
	if (r == 0 && victim != NULL)
		(void)hostfs_refresh(victim);
	(void)source;
	return changed(old_dir, new_dir, r);
}

static int set_size(struct inode *inode, uint64_t size_bytes)
{
	int r = filemap_sync(&inode->map);

	if (r == 0)
		r = host_fs_truncate(host(inode)->fd, size_bytes);
	return r != 0 ? r : filemap_truncate(&inode->map, size_bytes);
}

static int hostfs_setattr(struct inode *inode, const struct attr_change *c)
{
	struct host_inode *h = host(inode);
	int r = may_change(inode);

	if (r == 0 && (c->valid & ATTR_SIZE) != 0)
		r = inode->map.owner != NULL ? set_size(inode, c->size_bytes) : -EINVAL;
	if (r == 0 && (c->valid & (ATTR_UID | ATTR_GID)) != 0)
		r = host_fs_chown(h->fd, (c->valid & ATTR_UID) != 0 ? c->uid : UINT32_MAX,
				  (c->valid & ATTR_GID) != 0 ? c->gid : UINT32_MAX);
	if (r == 0 && (c->valid & ATTR_MODE) != 0)
		r = host_fs_chmod(h->fd, c->mode);
	if (r == 0 && (c->valid & (ATTR_ATIME | ATTR_MTIME)) != 0)
		r = host_fs_set_times(h->fd, (c->valid & ATTR_ATIME) != 0, c->atime.sec, c->atime.nsec,
				      (c->valid & ATTR_MTIME) != 0, c->mtime.sec, c->mtime.nsec);
	return r;
}

/* ---- the superblock ---------------------------------------------------------- */

static int hostfs_statfs(struct superblock *sb, struct kstatfs *out)
{
	struct host_statfs st;
	int r = host_fs_statfs(host(sb->root->inode)->fd, &st);

	if (r != 0)
		return r;
	*out = (struct kstatfs){
		.type = st.type, .block_bytes = st.block_bytes, .nr_blocks = st.nr_blocks, .nr_free = st.nr_free,
		.nr_available = st.nr_available, .nr_files = st.nr_files, .nr_files_free = st.nr_files_free,
		.fsid = st.fsid, .name_max = st.name_max,
	};
	return 0;
}

static int hostfs_sync(struct superblock *sb)
{
	struct inode *inode;
	int result = 0;

	LIST_FOR_EACH(inode, &sb->inodes, sb_link) {
		if (inode->map.owner != NULL && host(inode)->is_data_writable) {
			int r = filemap_sync(&inode->map);

			result = result != 0 ? result : r;
		}
	}
	return result;
}

static void hostfs_destroy(struct superblock *sb) { kfree(sb->private); }

int hostfs_create(const char *host_path, bool is_readonly, struct superblock **out)
{
	struct superblock *sb;
	struct hostfs *fs;
	struct inode *root;
	int fd, r;

	r = host_fs_open_root(host_path, &fd);
	if (r != 0)
		return r;
	r = superblock_create("hostfs", MAGIC, &sb);
	if (r != 0)
		goto close_root;
	fs = kzalloc(sizeof(*fs));
	if (fs == NULL) {
		r = -ENOMEM;
		goto put_superblock;
	}
	fs->is_readonly = is_readonly;
	sb->private = fs;
	sb->is_readonly = is_readonly;
	sb->statfs = hostfs_statfs;
	sb->sync = hostfs_sync;
	sb->destroy = hostfs_destroy;
	r = inode_of_handle(sb, fd, &root);
	if (r == 0)
		r = superblock_set_root(sb, root);
	if (r != 0) {
		superblock_put(sb);
		return r;
	}
	*out = sb;
	return 0;

put_superblock:
	superblock_put(sb);
close_root:
	host_fs_close(fd);
	return r;
}

static const struct inode_ops hostfs_inode_ops = {
	.lookup = hostfs_lookup, .create = hostfs_make, .mkdir = hostfs_mkdir, .symlink = hostfs_symlink,
	.link = hostfs_link, .unlink = hostfs_unlink, .rmdir = hostfs_rmdir, .rename = hostfs_rename,
	.readlink = hostfs_readlink, .getattr = hostfs_getattr, .setattr = hostfs_setattr,
	.revalidate = hostfs_revalidate, .destroy = hostfs_destroy_inode,
};
