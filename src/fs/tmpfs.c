/*
 * tmpfs: files of memory. A regular file is its filemap (no backing store, so its
 * pages are the file); directories are in tmpfs_dir.c.
 *
 * Sizes are limited per superblock: pages are counted when an operation on the file ends
 * (pages that only mappings touched, at the next one). inode->lock guards a file's contents; the
 * accounting is only touched without sleeping.
 */
#include "abi/statfs.h"
#include "internal.h"
#include "lib/printf.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

#define FIRST_POS 2u /* "." and ".." come before */

struct tmpfs_sb {
	uint64_t max_pages, used_pages;
};

static const struct inode_ops file_inode_ops, symlink_inode_ops, special_inode_ops;
static const struct file_ops reg_file_ops;
static const struct filemap_ops memory_ops; /* no backing store: pages start as zeroes and stay */

bool inode_is_tmpfs(const struct inode *inode) { return inode->ops == &file_inode_ops; }

static struct tmpfs_sb *tmpfs_sb(const struct inode *inode) { return inode->sb->private; }

/* ---- accounting ---- */

static void account(struct inode *inode)
{
	struct tmpfs_inode *ti = tmpfs_inode(inode);
	struct tmpfs_sb *ts = tmpfs_sb(inode);

	ts->used_pages = ts->used_pages - ti->nr_accounted + inode->map.nr_pages;
	ti->nr_accounted = inode->map.nr_pages;
}

/* Room for the pages of [pos, pos + n) that are not there yet, as far as the sizes tell? */
static int check_space(const struct inode *inode, uint64_t pos, uint64_t n)
{
	const struct tmpfs_sb *ts = tmpfs_sb(inode);
	uint64_t first = pos >> PAGE_SHIFT, last = (pos + n + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t wanted = last - first;
	uint64_t room = ts->max_pages - MIN(ts->used_pages, ts->max_pages);

	if (wanted <= room)
		return 0;
	/* Only near the limit it is worth counting what is already there. */
	for (uint64_t i = first; i < last && wanted > room && last - first <= (1u << 20); i++) {
		pfn_t pfn = filemap_peek((struct filemap *)(uintptr_t)&inode->map, i);

		if (!pfn_is_none(pfn)) {
			frame_put(pfn);
			wanted--;
		}
	}
	return wanted <= room ? 0 : -ENOSPC;
}

/* ---- inodes ---- */

int tmpfs_inode_create(struct superblock *sb, uint32_t mode, uint64_t rdev, struct inode **out)
{
	struct tmpfs_inode *ti = kzalloc(sizeof(*ti));
	struct inode *inode;
	int error;

	if (ti == NULL)
		return -ENOMEM;
	error = inode_create(sb, mode, &inode);
	if (error != 0) {
		kfree(ti);
		return error;
	}
	list_init(&ti->entries);
	ti->next_pos = FIRST_POS;
	inode->private = ti;
	inode->rdev = rdev;
	switch (mode & S_IFMT) {
	case S_IFREG:
		inode->ops = &file_inode_ops;
		inode->fops = &reg_file_ops;
		filemap_init(&inode->map, &memory_ops, inode);
		break;
	case S_IFDIR:
		inode->ops = &tmpfs_dir_inode_ops;
		inode->fops = &tmpfs_dir_file_ops;
		inode->nlink = 2;
		inode->size_hint = 40;
		break;
	case S_IFLNK: inode->ops = &symlink_inode_ops; break;
	default: inode->ops = &special_inode_ops;
	}
	*out = inode;
	return 0;
}

void tmpfs_destroy_inode(struct inode *inode)
{
	struct tmpfs_inode *ti = tmpfs_inode(inode);

	tmpfs_sb(inode)->used_pages -= ti->nr_accounted;
	tmpfs_put_entries(ti);
	kfree(ti->target);
	kfree(ti->memfd_name);
	kfree(ti);
}

static int64_t tmpfs_readlink(struct inode *inode, char *buf, size_t size_bytes)
{
	size_t n = MIN(strlen(tmpfs_inode(inode)->target), size_bytes);

	memcpy(buf, tmpfs_inode(inode)->target, n);
	return (int64_t)n;
}

static int tmpfs_setattr(struct inode *inode, const struct attr_change *change)
{
	uint32_t seals = tmpfs_inode(inode)->seals;
	int error;

	if ((change->valid & ATTR_SIZE) == 0)
		return 0;
	if (((seals & F_SEAL_SHRINK) != 0 && change->size_bytes < inode->map.size_bytes) ||
	    ((seals & F_SEAL_GROW) != 0 && change->size_bytes > inode->map.size_bytes))
		return -EPERM;
	if (change->size_bytes > INT64_MAX)
		return -EFBIG;
	error = filemap_truncate(&inode->map, change->size_bytes);
	account(inode);
	return error;
}

/* ---- open files ---- */

static int64_t tmpfs_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	return filemap_read_uio(&file->inode->map, uio, pos);
}

static int64_t write_locked(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct inode *inode = file->inode;
	uint32_t seals = tmpfs_inode(inode)->seals;
	int64_t n;
	int error;

	if ((file->flags & O_APPEND) != 0)
		*pos = inode->map.size_bytes;
	if (*pos > INT64_MAX || uio->resid_bytes > INT64_MAX - *pos)
		return -EFBIG;
	if ((seals & F_SEAL_WRITE) != 0 ||
	    ((seals & F_SEAL_GROW) != 0 && *pos + uio->resid_bytes > inode->map.size_bytes))
		return -EPERM;
	error = check_space(inode, *pos, uio->resid_bytes);
	if (error != 0)
		return error;
	n = filemap_write_uio(&inode->map, uio, pos);
	account(inode);
	return n;
}

static int64_t tmpfs_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	int64_t n;

	mutex_lock(&file->inode->lock);
	n = write_locked(file, uio, pos);
	mutex_unlock(&file->inode->lock);
	return n;
}

static struct filemap *tmpfs_mmap(struct file *file, unsigned vm_shared, int *err)
{
	if (vm_shared != 0 && file_can_write(file) && (tmpfs_inode(file->inode)->seals & F_SEAL_WRITE) != 0) {
		*err = -EPERM;
		return NULL;
	}
	return &file->inode->map;
}

static int fallocate_locked(struct inode *inode, int mode, uint64_t offset, uint64_t len)
{
	uint32_t seals = tmpfs_inode(inode)->seals;
	uint64_t size = inode->map.size_bytes;
	int error;

	if ((mode & FALLOC_FL_PUNCH_HOLE) != 0) {
		if ((seals & F_SEAL_WRITE) != 0)
			return -EPERM;
		return offset < size ? filemap_punch(&inode->map, offset, MIN(len, size - offset)) : 0;
	}
	if ((mode & FALLOC_FL_KEEP_SIZE) == 0 && (seals & F_SEAL_GROW) != 0 && offset + len > size)
		return -EPERM;
	error = check_space(inode, offset, len);
	if (error == 0)
		error = filemap_allocate(&inode->map, offset >> PAGE_SHIFT, (offset + len - 1) >> PAGE_SHIFT);
	if (error == 0 && (mode & FALLOC_FL_KEEP_SIZE) == 0 && offset + len > size)
		error = filemap_truncate(&inode->map, offset + len);
	return error;
}

static int tmpfs_fallocate(struct file *file, int mode, uint64_t offset, uint64_t len)
{
	struct inode *inode = file->inode;
	int error;

	if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) != 0)
		return -EOPNOTSUPP;
	mutex_lock(&inode->lock);
	error = fallocate_locked(inode, mode, offset, len);
	account(inode);
	if (error == 0)
		inode_touch(inode, true);
	mutex_unlock(&inode->lock);
	return error;
}

static const struct inode_ops file_inode_ops = {.setattr = tmpfs_setattr, .destroy = tmpfs_destroy_inode};
static const struct inode_ops symlink_inode_ops = {.readlink = tmpfs_readlink, .destroy = tmpfs_destroy_inode};
static const struct inode_ops special_inode_ops = {.destroy = tmpfs_destroy_inode};
static const struct file_ops reg_file_ops = {
	.read = tmpfs_read,
	.write = tmpfs_write,
	.lseek = vfs_lseek_size,
	.mmap = tmpfs_mmap,
	.fallocate = tmpfs_fallocate,
};

/* ---- superblock ---- */

static int tmpfs_statfs(struct superblock *sb, struct kstatfs *out)
{
	struct tmpfs_sb *ts = sb->private;
	struct frame_stats stats;
	struct inode *inode;

	LIST_FOR_EACH(inode, &sb->inodes, sb_link)
		if (inode_is_tmpfs(inode))
			account(inode);
	frame_get_stats(&stats);
	out->nr_blocks = ts->max_pages;
	out->nr_free = out->nr_available = ts->max_pages - MIN(ts->used_pages, ts->max_pages);
	out->nr_files = stats.nr_total / 2;
	out->nr_files_free = out->nr_files - MIN(out->nr_files, sb->nr_inodes);
	return 0;
}

static int tmpfs_show_options(struct superblock *sb, char *buf, size_t size_bytes)
{
	const struct tmpfs_sb *ts = sb->private;

	return ksnprintf(buf, size_bytes, ",size=%lluk",
			 (unsigned long long)(ts->max_pages * (PAGE_SIZE / 1024)));
}

static void tmpfs_destroy_sb(struct superblock *sb) { kfree(sb->private); }

int tmpfs_create_sized(uint32_t root_mode, uint64_t size_limit_bytes, struct superblock **out)
{
	struct frame_stats stats;
	struct superblock *sb;
	struct tmpfs_sb *ts;
	struct inode *root;
	int error = superblock_create("tmpfs", TMPFS_MAGIC, &sb);

	if (error != 0)
		return error;
	frame_get_stats(&stats);
	ts = kzalloc(sizeof(*ts));
	error = -ENOMEM;
	if (ts == NULL)
		goto fail;
	ts->max_pages =
		size_limit_bytes != 0 ? (size_limit_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT : stats.nr_total / 2;
	sb->private = ts;
	sb->statfs = tmpfs_statfs;
	sb->show_options = tmpfs_show_options;
	sb->destroy = tmpfs_destroy_sb;
	sb->caches_absence = true;
	error = tmpfs_inode_create(sb, S_IFDIR | (root_mode & S_IALLUGO), 0, &root);
	if (error == 0)
		error = superblock_set_root(sb, root);
	if (error != 0)
		goto fail;
	*out = sb;
	return 0;
fail:
	superblock_put(sb);
	return error;
}

int tmpfs_create(uint32_t root_mode, struct superblock **out)
{
	return tmpfs_create_sized(root_mode, 0, out);
}
