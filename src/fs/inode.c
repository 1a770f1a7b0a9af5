/*
 * Inodes and superblocks: life, reference counts, the object caches of the VFS,
 * the owner of new inodes, time stamps. An inode's members are guarded by
 * inode->lock; a superblock's list of inodes by the dentry lock.
 */
#include "abi/statfs.h"
#include "internal.h"
#include "mm/kmalloc.h"
#include "sched/timer.h"

const struct inode_ops no_inode_ops;
const struct file_ops no_file_ops;

static struct kmem_cache *inode_cache;
static uint32_t nr_anonymous_devs;

void vfs_caches_init(void)
{
	if (inode_cache != NULL)
		return;
	inode_cache = kmem_cache_create("inode", sizeof(struct inode), 64);
	if (inode_cache == NULL)
		panic("no memory for the inode cache");
	dentry_init();
}

const struct cred *vfs_cred(void)
{
	static const struct cred root_cred;
	struct task *task = current_task();

	return task != NULL ? &task->cred : &root_cred;
}

struct timestamp vfs_now(void)
{
	uint64_t ns = realtime_ns();

	return (struct timestamp){(int64_t)(ns / 1000000000u), (uint32_t)(ns % 1000000000u)};
}

int inode_create(struct superblock *sb, uint32_t mode, struct inode **out)
{
	struct inode *inode = kmem_cache_alloc(inode_cache);

	if (inode == NULL)
		return -ENOMEM;
	memset(inode, 0, sizeof(*inode));
	inode->refs = 1;
	inode->ops = &no_inode_ops;
	inode->fops = &no_file_ops;
	inode->sb = sb;
	inode->ino = ++sb->next_ino;
	inode->mode = mode;
	inode->nlink = 1;
	inode->atime = inode->mtime = inode->ctime = vfs_now();
	mutex_init(&inode->lock);
	list_init(&inode->flocks);
	spin_lock(dentry_lock());
	sb->nr_inodes++;
	list_add_tail(&sb->inodes, &inode->sb_link);
	spin_unlock(dentry_lock());
	*out = inode;
	return 0;
}

static void superblock_free(struct superblock *sb)
{
	if (sb->destroy != NULL)
		sb->destroy(sb);
	kfree(sb);
}

void inode_get(struct inode *i) { ref_get(&i->refs); }

void inode_put(struct inode *i)
{
	struct superblock *sb;
	bool is_last;

	if (i == NULL || !ref_put(&i->refs))
		return;
	sb = i->sb;
	ASSERT(list_is_empty(&i->flocks) && i->pipe == NULL);
	if (i->map.owner != NULL)
		filemap_destroy(&i->map);
	if (i->ops->destroy != NULL)
		i->ops->destroy(i);
	spin_lock(dentry_lock());
	list_remove(&i->sb_link);
	is_last = --sb->nr_inodes == 0 && sb->refs == 0;
	spin_unlock(dentry_lock());
	kmem_cache_free(inode_cache, i);
	if (is_last)
		superblock_free(sb);
}

void inode_init_owner(struct inode *inode, const struct inode *dir)
{
	const struct cred *cred = vfs_cred();

	inode->uid = cred->fsuid;
	inode->gid = cred->fsgid;
	if (dir == NULL || (dir->mode & S_ISGID) == 0)
		return;
	inode->gid = dir->gid;
	if (S_ISDIR(inode->mode))
		inode->mode |= S_ISGID;
	else if ((inode->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) && cred->fsuid != 0 &&
		 !vfs_in_group(dir->gid))
		inode->mode &= ~(uint32_t)S_ISGID;
}

void inode_touch(struct inode *inode, bool content)
{
	inode->ctime = vfs_now();
	if (content)
		inode->mtime = inode->ctime;
}

int superblock_create(const char *fstype, uint64_t magic, struct superblock **out)
{
	struct superblock *sb;

	vfs_caches_init();
	sb = kzalloc(sizeof(*sb));
	if (sb == NULL)
		return -ENOMEM;
	sb->refs = 1;
	sb->fstype = fstype;
	sb->magic = magic;
	sb->dev = dev_make(0, ++nr_anonymous_devs);
	list_init(&sb->inodes);
	*out = sb;
	return 0;
}

int superblock_set_root(struct superblock *sb, struct inode *root)
{
	ASSERT(sb->root == NULL);
	sb->root = dentry_alloc_root(sb, root);
	if (sb->root == NULL) {
		inode_put(root);
		return -ENOMEM;
	}
	return 0;
}

void superblock_get(struct superblock *sb) { ref_get(&sb->refs); }

void superblock_put(struct superblock *sb)
{
	if (!ref_put(&sb->refs))
		return;
	if (sb->nr_inodes == 0) {
		superblock_free(sb);
		return;
	}
	/* The last inode's put frees the superblock: hold one while the names go. */
	sb->refs = 1;
	if (sb->sync != NULL)
		(void)sb->sync(sb);
	if (sb->root != NULL)
		dentry_drop_tree(sb);
	if (ref_put(&sb->refs) && sb->nr_inodes == 0)
		superblock_free(sb);
}

int anon_inode(struct inode **out)
{
	static struct inode *shared;
	struct superblock *sb;
	int error;

	if (shared == NULL) {
		error = superblock_create("anon_inodefs", ANON_INODE_FS_MAGIC, &sb);
		if (error != 0)
			return error;
		error = inode_create(sb, 0600, &shared);
		if (error != 0) {
			superblock_put(sb);
			return error;
		}
	}
	inode_get(shared);
	*out = shared;
	return 0;
}
