/*
 * devpts: the names of pseudo-terminals, /dev/pts/N and /dev/pts/ptmx. The
 * directory shows the pairs whose master is open; there is one instance.
 * Lock: none of its own; a pair's inode lives as long as its master is open.
 */
#include "abi/dirent.h"
#include "abi/errno.h"
#include "fs/pty.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "sched/task.h"

#define DEVPTS_MAGIC 0x1cd1
#define TTY_GID 5u
#define FIRST_POS 2 /* of the entries: "." and ".." are the VFS's */

static struct superblock *devpts;
static struct inode *ptmx_inode;

/* A decimal number without leading zeroes, or -1. */
static int parse_index(const char *name)
{
	unsigned value = 0;

	if (name[0] == '\0' || (name[0] == '0' && name[1] != '\0'))
		return -1;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9' || value > PTY_MAX)
			return -1;
		value = value * 10 + (unsigned)(*name - '0');
	}
	return (int)value;
}

static struct inode *find(const char *name)
{
	int index = parse_index(name);
	struct pty *p;

	if (strcmp(name, "ptmx") == 0)
		return ptmx_inode;
	p = index < 0 ? NULL : pty_find((unsigned)index);
	return p == NULL ? NULL : p->inode;
}

static int devpts_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct inode *inode = find(name);

	(void)dir;
	if (inode == NULL)
		return -ENOENT;
	inode_get(inode);
	*out = inode;
	return 0;
}

static int devpts_revalidate(struct inode *dir, const char *name, struct inode *inode)
{
	(void)dir;
	return find(name) == inode ? 0 : -ESTALE;
}

static int devpts_setattr(struct inode *inode, const struct attr_change *change)
{
	(void)inode;
	return change->valid & ATTR_SIZE ? -EINVAL : 0;
}

static int devpts_readdir(struct file *file, uint64_t *pos,
			  bool (*emit)(void *arg, const char *name, size_t len, uint64_t ino, unsigned type,
				       uint64_t next_pos),
			  void *arg)
{
	char name[16];

	(void)file;
	if (*pos == FIRST_POS) {
		if (!emit(arg, "ptmx", 4, ptmx_inode->ino, DT_CHR, *pos + 1))
			return 0;
		(*pos)++;
	}
	for (uint64_t i = *pos - FIRST_POS - 1; i < PTY_MAX; i++) {
		struct pty *p = pty_find((unsigned)i);
		int len;

		if (p == NULL || p->inode == NULL)
			continue;
		len = ksnprintf(name, sizeof(name), "%u", p->index);
		*pos = i + FIRST_POS + 1;
		if (!emit(arg, name, (size_t)len, p->inode->ino, DT_CHR, *pos + 1))
			return 0;
		(*pos)++;
	}
	*pos = PTY_MAX + FIRST_POS + 1;
	return 0;
}

static const struct inode_ops devpts_dir_ops = {
	.lookup = devpts_lookup,
	.revalidate = devpts_revalidate,
	.setattr = devpts_setattr,
};
static const struct inode_ops devpts_node_ops = {.setattr = devpts_setattr};
static const struct file_ops devpts_dir_fops = {.readdir = devpts_readdir};

int devpts_inode_create(unsigned index, struct inode **out)
{
	struct inode *inode;
	int err;

	*out = NULL;
	if (devpts == NULL)
		return 0;
	err = inode_create(devpts, S_IFCHR | 0620, &inode);
	if (err != 0)
		return err;
	inode->ino = index + 3;
	inode->rdev = dev_make(PTS_MAJOR, index);
	inode->ops = &devpts_node_ops;
	inode->uid = current_task()->cred.fsuid;
	inode->gid = TTY_GID;
	*out = inode;
	return 0;
}

static int show_options(struct superblock *sb, char *buf, size_t size_bytes)
{
	(void)sb;
	return ksnprintf(buf, size_bytes, ",gid=5,mode=620,ptmxmode=666");
}

static int ptmx_create(struct superblock *sb)
{
	int err = inode_create(sb, S_IFCHR | 0666, &ptmx_inode);

	if (err != 0)
		return err;
	ptmx_inode->ino = 2;
	ptmx_inode->rdev = PTMX_RDEV;
	ptmx_inode->ops = &devpts_node_ops;
	return 0;
}

int devpts_create(struct superblock **out)
{
	struct superblock *sb;
	struct inode *root;
	int err = superblock_create("devpts", DEVPTS_MAGIC, &sb);

	if (err != 0)
		return err;
	err = inode_create(sb, S_IFDIR | 0755, &root);
	if (err != 0)
		goto put_sb;
	root->ops = &devpts_dir_ops;
	root->fops = &devpts_dir_fops;
	root->nlink = 2;
	root->ino = 1;
	err = superblock_set_root(sb, root);
	if (err != 0)
		goto put_sb;
	err = ptmx_create(sb);
	if (err != 0)
		goto put_sb;
	sb->show_options = show_options;
	devpts = sb;
	*out = sb;
	return 0;
put_sb:
	superblock_put(sb);
	return err;
}
