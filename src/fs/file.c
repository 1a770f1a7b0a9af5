/*
 * Open file descriptions: life, reading and writing through the operations,
 * times, names of nameless files. file->pos_lock guards the offset of files that
 * have one; the operations take what other locks they need.
 */
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "fs/epoll.h"
#include "fs/poll.h"
#include "internal.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"

#define RW_COUNT_MAX 0x7ffff000u
#define RELATIME_SECONDS (24 * 3600)

static struct kmem_cache *file_cache;

int file_alloc(unsigned flags, struct file **out)
{
	struct file *file;

	if (file_cache == NULL)
		file_cache = kmem_cache_create("file", sizeof(struct file), 64);
	file = file_cache != NULL ? kmem_cache_alloc(file_cache) : NULL;
	if (file == NULL)
		return -ENOMEM;
	memset(file, 0, sizeof(*file));
	file->refs = 1;
	file->flags = flags & ~(unsigned)(O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC);
	file->is_noctty = (flags & O_NOCTTY) != 0;
	file->ops = &no_file_ops;
	mutex_init(&file->pos_lock);
	*out = file;
	return 0;
}

int file_create(const struct file_ops *ops, struct inode *inode, unsigned flags, void *private,
		struct file **out)
{
	struct file *file;
	int error;

	if (inode == NULL) {
		error = anon_inode(&inode);
		if (error != 0)
			return error;
	} else {
		inode_get(inode);
	}
	error = file_alloc(flags, &file);
	if (error != 0) {
		inode_put(inode);
		return error;
	}
	file->ops = ops;
	file->inode = inode;
	file->private = private;
	*out = file;
	return 0;
}

void file_get(struct file *f) { ref_get(&f->refs); }

void file_put(struct file *f)
{
	if (f == NULL || !ref_put(&f->refs))
		return;
	if (f->epoll_items != NULL)
		epoll_file_release(f);
	if (f->has_locks)
		lock_release_file(f);
	if (f->ops->release != NULL)
		f->ops->release(f);
	if (f->has_write_access)
		f->inode->nr_writers--;
	if (f->denies_write)
		f->inode->nr_writers++;
	inode_put(f->inode);
	path_put(&f->path);
	kmem_cache_free(file_cache, f);
}

/* relatime: not after every read, but when the content is newer or a day has passed. */
void file_touch_atime(struct file *file)
{
	struct inode *inode = file->inode;
	struct timestamp now;

	if ((file->flags & O_NOATIME) != 0 || file->path.mount == NULL || mount_is_readonly(file->path.mount))
		return;
	if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
		return;
	if (inode->atime.sec > inode->mtime.sec && inode->atime.sec > inode->ctime.sec) {
		now = vfs_now();
		if (now.sec - inode->atime.sec < RELATIME_SECONDS)
			return;
	} else {
		now = vfs_now();
	}
	inode->atime = now;
}

int64_t vfs_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	int64_t n;

	if (!file_can_read(file))
		return -EBADF;
	if (file->ops->read == NULL)
		return file->inode != NULL && S_ISDIR(file->inode->mode) ? -EISDIR : -EINVAL;
	uio->resid_bytes = MIN(uio->resid_bytes, RW_COUNT_MAX);
	n = file->ops->read(file, uio, pos);
	if (n > 0)
		file_touch_atime(file);
	return n;
}

/* Writing by others than root takes set-id bits away (inode(7)). */
static int drop_set_id(struct inode *inode)
{
	struct attr_change change = {.valid = ATTR_MODE};

	if ((inode->mode & (S_ISUID | S_ISGID)) == 0 || vfs_cred()->fsuid == 0)
		return 0;
	change.mode = inode->mode & S_IALLUGO & ~(uint32_t)S_ISUID;
	if ((inode->mode & S_IXGRP) != 0)
		change.mode &= ~(uint32_t)S_ISGID;
	return change.mode == (inode->mode & S_IALLUGO) ? 0 : inode_setattr(inode, &change);
}

int64_t vfs_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	bool is_regular = S_ISREG(file->inode->mode);
	int64_t n;

	if (!file_can_write(file))
		return -EBADF;
	if (file->ops->write == NULL)
		return -EINVAL;
	uio->resid_bytes = MIN(uio->resid_bytes, RW_COUNT_MAX);
	if (is_regular && uio->resid_bytes > 0) {
		uint64_t at = (file->flags & O_APPEND) != 0 ? file->inode->map.size_bytes : *pos;
		int error = file_limit_size(at, &uio->resid_bytes);

		if (error == 0)
			error = drop_set_id(file->inode);
		if (error != 0)
			return error;
	}
	n = file->ops->write(file, uio, pos);
	if (n > 0 && is_regular)
		inode_touch(file->inode, true);
	return n;
}

int64_t vfs_read_kernel(struct file *file, void *buf, size_t n, uint64_t offset)
{
	struct linux_iovec iov;
	struct uio uio;

	uio_kernel(&uio, &iov, buf, n);
	return file->ops->read != NULL ? file->ops->read(file, &uio, &offset) : -EINVAL;
}

int64_t vfs_write_kernel(struct file *file, const void *buf, size_t n, uint64_t offset)
{
	struct linux_iovec iov;
	struct uio uio;

	uio_kernel(&uio, &iov, (void *)(uintptr_t)buf, n);
	return vfs_write(file, &uio, &offset);
}

int64_t vfs_lseek_size(struct file *file, int64_t offset, int whence)
{
	uint64_t size = file->inode->map.owner != NULL ? file->inode->map.size_bytes : file->inode->size_hint;
	int64_t base = 0;

	switch (whence) {
	case SEEK_SET: break;
	case SEEK_CUR: base = (int64_t)file->pos; break;
	case SEEK_END: base = (int64_t)size; break;
	case SEEK_DATA:
	case SEEK_HOLE: /* all of the file is data, with a hole at its end */
		if (offset < 0 || (uint64_t)offset >= size)
			return -ENXIO;
		offset = whence == SEEK_DATA ? offset : (int64_t)size;
		break;
	default: return -EINVAL;
	}
	if (__builtin_add_overflow(base, offset, &offset))
		return -EOVERFLOW;
	if (offset < 0)
		return -EINVAL;
	file->pos = (uint64_t)offset;
	return offset;
}

unsigned vfs_poll(struct file *file, struct poll_table *table)
{
	if (file->ops->poll == NULL)
		return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
	return file->ops->poll(file, table);
}

/* ---- readdir ---- */

/* Positions from here on: mount points that exist in the kernel only. */
#define SYNTHETIC_POS READDIR_POS_MAX

struct counting_emit {
	readdir_emit_fn emit;
	void *arg;
	bool is_full;
};

static bool emit_counting(void *arg, const char *name, size_t len, uint64_t ino, unsigned type,
			  uint64_t next_pos)
{
	struct counting_emit *c = arg;

	if (!c->emit(c->arg, name, len, ino, type, next_pos))
		c->is_full = true;
	return !c->is_full;
}

/* Emits the kernel-only children number *pos - SYNTHETIC_POS and following. */
static void emit_synthetic(struct dentry *dir, uint64_t *pos, struct counting_emit *c)
{
	uint64_t nr = 0;
	struct dentry *child;

	LIST_FOR_EACH(child, &dir->children, sibling) {
		if (!child->is_synthetic || SYNTHETIC_POS + nr++ < *pos)
			continue;
		if (!emit_counting(c, child->name, child->name_len, child->inode->ino,
				   (child->inode->mode & S_IFMT) >> 12, *pos + 1))
			return;
		++*pos;
	}
}

static uint64_t parent_ino(const struct path *p)
{
	const struct dentry *d = p->dentry;
	const struct mount *m = p->mount;

	while (d == m->root && m->parent != NULL) {
		d = m->mountpoint;
		m = m->parent;
	}
	return d->parent != NULL && d != m->root ? d->parent->inode->ino : d->inode->ino;
}

int vfs_readdir(struct file *file, uint64_t *pos, readdir_emit_fn emit, void *arg)
{
	struct counting_emit c = {emit, arg, false};
	struct inode *inode = file->inode;
	int error = 0;

	if (!S_ISDIR(inode->mode) || file->ops->readdir == NULL)
		return -ENOTDIR;
	if (file->path.dentry->is_unlinked)
		return -ENOENT;
	mutex_lock(&inode->lock);
	if (*pos == 0 && emit_counting(&c, ".", 1, inode->ino, S_IFDIR >> 12, 1))
		*pos = 1;
	if (*pos == 1 && !c.is_full && emit_counting(&c, "..", 2, parent_ino(&file->path), S_IFDIR >> 12, 2))
		*pos = 2;
	if (*pos >= 2 && *pos < SYNTHETIC_POS && !c.is_full) {
		error = file->ops->readdir(file, pos, emit_counting, &c);
		if (error == 0 && !c.is_full)
			*pos = SYNTHETIC_POS;
	}
	if (*pos >= SYNTHETIC_POS && !c.is_full)
		emit_synthetic(file->path.dentry, pos, &c);
	mutex_unlock(&inode->lock);
	file_touch_atime(file);
	return error;
}
