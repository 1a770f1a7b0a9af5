/*
 * /dev: a tmpfs filled with the kernel's device nodes, and the memory devices
 * (null, zero, full, random, urandom; numbers as of null(4), full(4), random(4)).
 * The terminals' operations are those of src/fs/tty_console.c and pty.c.
 */
#include "fs/pty.h"
#include "fs/tty.h"
#include "internal.h"

#define MEM_MAJOR 1u

static int64_t read_nothing(struct file *file, struct uio *uio, uint64_t *pos)
{
	(void)file;
	(void)uio;
	(void)pos;
	return 0;
}

static int64_t swallow(struct file *file, struct uio *uio, uint64_t *pos)
{
	int64_t n = (int64_t)uio->resid_bytes;

	(void)file;
	(void)pos;
	return n;
}

static int64_t refuse(struct file *file, struct uio *uio, uint64_t *pos)
{
	(void)file;
	(void)uio;
	(void)pos;
	return -ENOSPC;
}

static int64_t read_zeroes(struct file *file, struct uio *uio, uint64_t *pos)
{
	uint64_t wanted = uio->resid_bytes;
	int error = uio_zero(uio, wanted);
	uint64_t moved = wanted - uio->resid_bytes;

	(void)file;
	(void)pos;
	return moved > 0 ? (int64_t)moved : error;
}

/* Random bytes go straight into the caller's pages. */
static int64_t read_random(struct file *file, struct uio *uio, uint64_t *pos)
{
	uint64_t wanted = uio->resid_bytes;

	(void)file;
	(void)pos;
	while (uio->resid_bytes > 0) {
		size_t avail;
		pfn_t pin;
		void *window = uio_window(uio, true, &avail, &pin);

		if (window == NULL)
			break;
		arch_random(window, avail);
		uio_advance(uio, avail, pin);
	}
	return wanted > uio->resid_bytes || wanted == 0 ? (int64_t)(wanted - uio->resid_bytes) : -EFAULT;
}

static int64_t seek_nowhere(struct file *file, int64_t offset, int whence)
{
	(void)offset;
	(void)whence;
	file->pos = 0;
	return 0;
}

/*
 * A mapping of /dev/zero shows zeroes that are the mapping's own: a nameless file of memory,
 * one for each open file description.
 */
static struct filemap *map_zeroes(struct file *file, unsigned vm_shared, int *err)
{
	struct file *memory;

	(void)vm_shared;
	if (file->private == NULL) {
		*err = shmem_file_create(INT64_MAX & PAGE_MASK, &memory);
		if (*err != 0)
			return NULL;
		file->private = memory;
	}
	memory = file->private;
	return &memory->inode->map;
}

static void release_zeroes(struct file *file) { file_put(file->private); }

static const struct file_ops null_ops = {.read = read_nothing, .write = swallow, .lseek = seek_nowhere};
static const struct file_ops zero_ops = {
	.read = read_zeroes,
	.write = swallow,
	.lseek = seek_nowhere,
	.mmap = map_zeroes,
	.release = release_zeroes,
};
static const struct file_ops full_ops = {.read = read_zeroes, .write = refuse, .lseek = seek_nowhere};
static const struct file_ops random_ops = {.read = read_random, .write = swallow, .lseek = seek_nowhere};

static void register_drivers(void)
{
	static bool is_registered;

	if (is_registered)
		return;
	is_registered = true;
	chrdev_register(MEM_MAJOR, 3, 1, &null_ops);
	chrdev_register(MEM_MAJOR, 5, 1, &zero_ops);
	chrdev_register(MEM_MAJOR, 7, 1, &full_ops);
	chrdev_register(MEM_MAJOR, 8, 2, &random_ops);
	chrdev_register(5, 0, 1, &tty_current_fops);
	chrdev_register(5, 1, 1, &tty_console_fops);
	chrdev_register(5, 2, 1, &ptmx_fops);
	chrdev_register(PTS_MAJOR, 0, 1u << 20, &pts_fops);
}

static const struct node {
	const char *name;
	uint32_t mode;
	uint16_t major, minor;
	const char *target;
} nodes[] = {
	{"null", S_IFCHR | 0666, MEM_MAJOR, 3, NULL},
	{"zero", S_IFCHR | 0666, MEM_MAJOR, 5, NULL},
	{"full", S_IFCHR | 0666, MEM_MAJOR, 7, NULL},
	{"random", S_IFCHR | 0666, MEM_MAJOR, 8, NULL},
	{"urandom", S_IFCHR | 0666, MEM_MAJOR, 9, NULL},
	{"tty", S_IFCHR | 0666, 5, 0, NULL},
	{"console", S_IFCHR | 0600, 5, 1, NULL},
	{"ptmx", S_IFCHR | 0666, 5, 2, NULL},
	{"fd", S_IFLNK, 0, 0, "/proc/self/fd"},
	{"stdin", S_IFLNK, 0, 0, "/proc/self/fd/0"},
	{"stdout", S_IFLNK, 0, 0, "/proc/self/fd/1"},
	{"stderr", S_IFLNK, 0, 0, "/proc/self/fd/2"},
	{"shm", S_IFDIR | 0755, 0, 0, NULL},
	{"pts", S_IFDIR | 0755, 0, 0, NULL},
};

static int add_node(struct inode *dir, const struct node *node)
{
	struct inode *inode;
	int error;

	if (S_ISLNK(node->mode))
		error = dir->ops->symlink(dir, node->name, node->target, &inode);
	else if (S_ISDIR(node->mode))
		error = dir->ops->mkdir(dir, node->name, node->mode & S_IALLUGO, &inode);
	else
		error = dir->ops->create(dir, node->name, node->mode, dev_make(node->major, node->minor),
					 &inode);
	if (error == 0)
		inode_put(inode);
	return error;
}

int devfs_create(struct superblock **out)
{
	struct superblock *sb;
	struct inode *dir;
	int error = tmpfs_create(0755, &sb);

	if (error != 0)
		return error;
	register_drivers();
	sb->fstype = "devtmpfs";
	dir = sb->root->inode;
	mutex_lock(&dir->lock);
	for (size_t i = 0; i < ARRAY_SIZE(nodes) && error == 0; i++)
		error = add_node(dir, &nodes[i]);
	mutex_unlock(&dir->lock);
	if (error != 0) {
		superblock_put(sb);
		return error;
	}
	*out = sb;
	return 0;
}
