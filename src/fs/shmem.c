/*
 * Nameless files of memory: shared anonymous mappings and memfd_create(2). They are
 * tmpfs inodes of a file system of their own that is mounted nowhere; the last
 * reference frees their pages. Seals are guarded by inode->lock.
 */
#include "internal.h"
#include "lib/printf.h"
#include "mm/kmalloc.h"

#define SEALS_ALL (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)
#define MEMFD_NAME_MAX 249

static int shmem_sb(struct superblock **out)
{
	static struct superblock *sb;
	int error = 0;

	if (sb == NULL)
		error = tmpfs_create_sized(0700, UINT64_MAX / 2, &sb);
	*out = sb;
	return error;
}

static int create(uint64_t size_bytes, uint32_t mode, struct file **out)
{
	struct superblock *sb;
	struct inode *inode;
	int error;

	if (size_bytes > INT64_MAX)
		return -EINVAL;
	error = shmem_sb(&sb);
	if (error == 0)
		error = tmpfs_inode_create(sb, S_IFREG | mode, 0, &inode);
	if (error != 0)
		return error;
	inode_init_owner(inode, NULL);
	inode->nlink = 0;
	inode->map.size_bytes = size_bytes;
	tmpfs_inode(inode)->seals = F_SEAL_SEAL;
	error = file_create(inode->fops, inode, O_RDWR | O_LARGEFILE, NULL, out);
	if (error == 0) {
		inode->nr_writers++;
		(*out)->has_write_access = true;
	}
	inode_put(inode); /* the file has its own */
	return error;
}

int shmem_file_create(uint64_t size_bytes, struct file **out) { return create(size_bytes, 0777, out); }

int shmem_file_create_reserved(uint64_t size_bytes, struct file **out)
{
	int error = create(size_bytes, 0777, out);

	if (error != 0)
		return error;
	error = filemap_promise(&(*out)->inode->map, (size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT);
	if (error != 0)
		file_put(*out);
	return error;
}

int memfd_file_create(const char *name, unsigned flags, struct file **out)
{
	size_t name_bytes = strlen(name) + sizeof("/memfd: (deleted)");
	struct tmpfs_inode *ti;
	int error;

	if ((flags & ~(unsigned)(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC)) != 0 ||
	    strlen(name) > MEMFD_NAME_MAX)
		return -EINVAL;
	error = create(0, (flags & MFD_NOEXEC_SEAL) != 0 ? 0666 : 0777, out);
	if (error != 0)
		return error;
	ti = tmpfs_inode((*out)->inode);
	ti->is_memfd = true;
	ti->memfd_name = kmalloc(name_bytes);
	if (ti->memfd_name == NULL) {
		file_put(*out);
		return -ENOMEM;
	}
	ksnprintf(ti->memfd_name, name_bytes, "/memfd:%s (deleted)", name);
	if ((flags & MFD_ALLOW_SEALING) != 0)
		ti->seals = 0;
	return 0;
}

int64_t shmem_get_seals(struct file *file)
{
	return inode_is_tmpfs(file->inode) && tmpfs_inode(file->inode)->is_memfd
		       ? (int64_t)tmpfs_inode(file->inode)->seals
		       : -EINVAL;
}

int64_t shmem_add_seals(struct file *file, unsigned seals)
{
	struct inode *inode = file->inode;
	int64_t result = 0;

	if (shmem_get_seals(file) < 0 || (seals & ~(unsigned)SEALS_ALL) != 0)
		return -EINVAL;
	if (!file_can_write(file))
		return -EPERM;
	mutex_lock(&inode->lock);
	if ((tmpfs_inode(inode)->seals & F_SEAL_SEAL) != 0)
		result = -EPERM;
	else if ((seals & F_SEAL_WRITE) != 0 && filemap_has_writers(&inode->map))
		result = -EBUSY;
	else
		tmpfs_inode(inode)->seals |= seals;
	mutex_unlock(&inode->lock);
	return result;
}
