/*
 * Open files and directories of the host: the data descriptor, reading and writing through the page
 * cache, what the host makes up at each read, and snapshots of directories.
 *
 * Lock: inode->lock for writes.
 */
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "sched/task.h"

#include "hostfs_internal.h"

/* ---- opening ---------------------------------------------------------------- */

/* Makes the inode's descriptor one for data. A file once opened for writing stays so. */
static int need_data(struct inode *inode, bool for_write)
{
	struct host_inode *h = host(inode);
	int fd, r;

	if (h->is_data && (h->is_data_writable || !for_write))
		return 0;
	r = host_fs_open_data(h->fd, for_write, &fd);
	if (out_of_descriptors(r) && dentry_shrink(inode->sb, SHRINK_STEP) != 0)
		r = host_fs_open_data(h->fd, for_write, &fd);
	/* A file that may be written but not read can be cached only if the host lets us read it. */
	if (r != 0)
		return r;
	host_fs_close(h->fd);
	h->fd = fd;
	h->is_data = true;
	h->is_data_writable = for_write;
	return 0;
}

static int hostfs_open(struct file *file)
{
	struct inode *inode = file->inode;
	int r;

	if ((file->flags & O_PATH) != 0)
		return 0;
	if (file_can_write(file) && host_sb(inode)->is_readonly)
		return -EROFS;
	r = need_data(inode, file_can_write(file));
	return r != 0 ? r : hostfs_refresh(inode);
}

/* Contents written through this file reach the host now, before the last writer is gone. */
static void hostfs_release(struct file *file)
{
	if (file_can_write(file)) {
		int r = filemap_sync(&file->inode->map);

		if (r != 0)
			klog("hostfs: writing back a file failed: error %d\n", -r);
		(void)hostfs_refresh(file->inode);
	}
}

static int64_t hostfs_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	/* At the end: the host may have appended. */
	if (*pos + uio->resid_bytes > file->inode->map.size_bytes && !has_own_changes(file->inode))
		(void)hostfs_refresh(file->inode);
	return filemap_read_uio(&file->inode->map, uio, pos);
}

static int64_t hostfs_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct inode *inode = file->inode;
	int64_t n;

	mutex_lock(&inode->lock);
	if ((file->flags & O_APPEND) != 0)
		*pos = inode->map.size_bytes;
	n = filemap_write_uio(&inode->map, uio, pos);
	mutex_unlock(&inode->lock);
	if (n > 0 && (file->flags & (O_SYNC | O_DSYNC)) != 0) {
		int r = filemap_sync(&inode->map);

		if (r != 0)
			return r;
	}
	return n;
}

static struct filemap *hostfs_mmap(struct file *file, unsigned vm_shared, int *err)
{
	(void)vm_shared;
	*err = 0;
	return &file->inode->map;
}

static int hostfs_fsync(struct file *file)
{
	int r;

	if (!host(file->inode)->is_data_writable)
		return 0;
	r = filemap_sync(&file->inode->map);
	return r != 0 ? r : host_fs_sync(host(file->inode)->fd);
}

static int hostfs_read_pages(struct filemap *map, uint64_t index, void *const pages[], unsigned nr_pages)
{
	struct inode *inode = map->owner;
	int64_t n;
	int r = need_data(inode, false);

	if (r != 0)
		return r;
	n = host_fs_read_pages(host(inode)->fd, pages, nr_pages, PAGE_SIZE, index * PAGE_SIZE);
	if (n < 0)
		return (int)n;
	for (unsigned i = 0; i < nr_pages; i++) {
		uint64_t start = i * PAGE_SIZE, got = (uint64_t)n > start ? (uint64_t)n - start : 0;

		if (got < PAGE_SIZE)
			memset((char *)pages[i] + got, 0, PAGE_SIZE - got);
	}
	return 0;
}

static int hostfs_write_page(struct filemap *map, uint64_t index, const void *page, size_t size_bytes)
{
	struct inode *inode = map->owner;
	uint64_t done = 0;

	while (done < size_bytes) {
		int64_t n = host_fs_write(host(inode)->fd, (const char *)page + done, size_bytes - done,
					  index * PAGE_SIZE + done);

		if (n <= 0)
			return n < 0 ? (int)n : -EIO;
		done += (uint64_t)n;
	}
	return 0;
}

/* Files whose contents the host makes up at each read: straight through, no cache. */
static int64_t synthetic_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	size_t size = MIN(uio->resid_bytes, 64 * 1024);
	char *buf = kmalloc(size != 0 ? size : 1);
	int64_t n;

	if (buf == NULL)
		return -ENOMEM;
	n = host_fs_read(host(file->inode)->fd, buf, size, *pos);
	if (n > 0) {
		int r = uio_put(uio, buf, (size_t)n);

		if (r != 0)
			n = r;
		else
			*pos += (uint64_t)n;
	}
	kfree(buf);
	return n;
}

/* ---- directories ------------------------------------------------------------ */

/* Positions count entries of a snapshot, which is taken anew whenever reading starts at the front. */
static int hostfs_readdir(struct file *file, uint64_t *pos,
			  bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino, unsigned type,
				       uint64_t next_pos),
			  void *arg)
{
	const char *name;
	uint64_t ino;
	unsigned type;
	size_t len;

	if (*pos <= 2 || file->private == NULL) {
		struct host_dir *dir;
		int r = host_dir_read(host(file->inode)->fd, &dir);

		if (r != 0)
			return r;
		host_dir_free(file->private);
		file->private = dir;
	}
	while (host_dir_entry(file->private, *pos - 2, &name, &len, &ino, &type)) {
		if (!emit(arg, name, len, ino, type, *pos + 1))
			break;
		++*pos;
	}
	return 0;
}

static void hostfs_release_dir(struct file *file) { host_dir_free(file->private); }

const struct file_ops hostfs_file_ops = {
	.open = hostfs_open, .release = hostfs_release, .read = hostfs_read, .write = hostfs_write,
	.lseek = vfs_lseek_size, .mmap = hostfs_mmap, .fsync = hostfs_fsync,
};
const struct file_ops hostfs_synthetic_ops = {
	.open = hostfs_open, .read = synthetic_read, .lseek = vfs_lseek_size,
};
const struct file_ops hostfs_dir_ops = {.readdir = hostfs_readdir, .release = hostfs_release_dir};
const struct filemap_ops hostfs_map_ops = {.read_pages = hostfs_read_pages, .write_page = hostfs_write_page};
