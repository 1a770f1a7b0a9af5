/*
 * Directories of tmpfs: a list of entries in the order of creation, whose positions never
 * change, and one hash table over the entries of all directories. An entry references its
 * inode. A directory's lock guards its entries; the hash table is only touched without sleeping.
 */
#include "internal.h"
#include "mm/kmalloc.h"

#define NR_BUCKETS 4096u

struct tmpfs_entry {
	struct list link;	  /* directory's entries */
	struct tmpfs_entry *next; /* hash chain */
	struct inode *dir;	  /* not a reference: the directory outlives its entries */
	struct inode *inode;	  /* a reference */
	uint64_t pos;
	uint32_t hash;
	uint16_t len;
	char name[];
};

static struct tmpfs_entry *buckets[NR_BUCKETS];

static struct tmpfs_entry **bucket_of(const struct inode *dir, uint32_t hash)
{
	uint64_t mix = ((uint64_t)(uintptr_t)dir >> 6 ^ hash) * 0x9e3779b97f4a7c15u;

	return &buckets[(mix >> 32) % NR_BUCKETS];
}

static struct tmpfs_entry *entry_find(const struct inode *dir, const char *name)
{
	struct name key = name_make(name);
	struct tmpfs_entry *e;

	for (e = *bucket_of(dir, key.hash); e != NULL; e = e->next)
		if (e->hash == key.hash && e->dir == dir && e->len == key.len &&
		    memcmp(e->name, name, key.len) == 0)
			return e;
	return NULL;
}

static struct tmpfs_entry *entry_alloc(const char *name)
{
	struct name key = name_make(name);
	struct tmpfs_entry *e = kmalloc(sizeof(*e) + key.len + 1);

	if (e == NULL)
		return NULL;
	*e = (struct tmpfs_entry){.hash = key.hash, .len = (uint16_t)key.len};
	memcpy(e->name, name, key.len + 1);
	return e;
}

/* The entry now names inode in dir; takes over a reference. */
static void entry_insert(struct inode *dir, struct tmpfs_entry *e, struct inode *inode)
{
	struct tmpfs_inode *td = tmpfs_inode(dir);
	struct tmpfs_entry **bucket = bucket_of(dir, e->hash);

	e->dir = dir;
	e->inode = inode;
	e->pos = td->next_pos++;
	e->next = *bucket;
	*bucket = e;
	list_add_tail(&td->entries, &e->link);
	td->nr_entries++;
	dir->size_hint += 20;
}

static void entry_unhash(struct tmpfs_entry *e)
{
	struct tmpfs_entry **p = bucket_of(e->dir, e->hash);

	while (*p != e)
		p = &(*p)->next;
	*p = e->next;
}

/* Takes it out and frees it; the inode's reference is the caller's. */
static struct inode *entry_remove(struct inode *dir, struct tmpfs_entry *e)
{
	struct inode *inode = e->inode;

	entry_unhash(e);
	list_remove(&e->link);
	tmpfs_inode(dir)->nr_entries--;
	dir->size_hint -= 20;
	kfree(e);
	return inode;
}

/*
 * A directory dies with entries only when its file system goes. They are collected here and put
 * one after the other, so that a deep tree does not recurse deeply.
 */
void tmpfs_put_entries(struct tmpfs_inode *td)
{
	static struct list doomed = LIST_INIT(doomed);
	static bool is_draining;

	while (!list_is_empty(&td->entries)) {
		struct tmpfs_entry *e = LIST_FIRST(&td->entries, struct tmpfs_entry, link);

		entry_unhash(e);
		list_remove(&e->link);
		list_add_tail(&doomed, &e->link);
	}
	if (is_draining)
		return;
	is_draining = true;
	while (!list_is_empty(&doomed)) {
		struct tmpfs_entry *e = LIST_FIRST(&doomed, struct tmpfs_entry, link);

		list_remove(&e->link);
		inode_put(e->inode);
		kfree(e);
	}
	is_draining = false;
}

static int tmpfs_lookup(struct inode *dir, const char *name, struct inode **out)
{
	struct tmpfs_entry *e = entry_find(dir, name);

	if (e == NULL)
		return -ENOENT;
	inode_get(e->inode);
	*out = e->inode;
	return 0;
}

/* Makes inode and entry and links them. target: of a symlink. */
static int make(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, const char *target,
		struct inode **out)
{
	struct tmpfs_entry *e = entry_alloc(name);
	struct inode *inode = NULL;
	int error = -ENOMEM;

	if (e == NULL)
		return -ENOMEM;
	error = tmpfs_inode_create(dir->sb, mode, rdev, &inode);
	if (error != 0)
		goto fail;
	if (target != NULL) {
		tmpfs_inode(inode)->target = kstrdup(target);
		inode->size_hint = strlen(target);
		error = -ENOMEM;
		if (tmpfs_inode(inode)->target == NULL)
			goto fail;
	}
	inode_init_owner(inode, dir);
	inode_get(inode); /* one for the entry, one for the caller */
	entry_insert(dir, e, inode);
	if (S_ISDIR(mode))
		dir->nlink++;
	inode_touch(dir, true);
	*out = inode;
	return 0;
fail:
	inode_put(inode);
	kfree(e);
	return error;
}

static int tmpfs_make_file(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev,
			   struct inode **out)
{
	return make(dir, name, mode, rdev, NULL, out);
}

static int tmpfs_mkdir(struct inode *dir, const char *name, uint32_t mode, struct inode **out)
{
	return make(dir, name, S_IFDIR | mode, 0, NULL, out);
}

static int tmpfs_symlink(struct inode *dir, const char *name, const char *target, struct inode **out)
{
	return make(dir, name, S_IFLNK | 0777, 0, target, out);
}

static int tmpfs_tmpfile(struct inode *dir, uint32_t mode, struct inode **out)
{
	int error = tmpfs_inode_create(dir->sb, mode, 0, out);

	if (error != 0)
		return error;
	inode_init_owner(*out, dir);
	(*out)->nlink = 0;
	return 0;
}

static int tmpfs_link(struct inode *dir, const char *name, struct inode *target)
{
	struct tmpfs_entry *e = entry_alloc(name);

	if (e == NULL)
		return -ENOMEM;
	inode_get(target);
	entry_insert(dir, e, target);
	target->nlink++;
	inode_touch(target, false);
	inode_touch(dir, true);
	return 0;
}

/* The name is gone; so is a directory's "." and its "..". */
static void drop_link(struct inode *dir, struct inode *inode)
{
	inode->nlink--;
	if (S_ISDIR(inode->mode)) {
		inode->nlink--;
		dir->nlink--;
	}
	inode_touch(inode, false);
	inode_touch(dir, true);
}

static int tmpfs_unlink(struct inode *dir, const char *name, struct inode *victim)
{
	struct tmpfs_entry *e = entry_find(dir, name);

	if (e == NULL || e->inode != victim)
		return -ENOENT;
	drop_link(dir, victim);
	inode_put(entry_remove(dir, e)); /* the VFS holds another */
	return 0;
}

static int tmpfs_rmdir(struct inode *dir, const char *name, struct inode *victim)
{
	if (tmpfs_inode(victim)->nr_entries != 0)
		return -ENOTEMPTY;
	return tmpfs_unlink(dir, name, victim);
}

static void exchange(struct inode *old_dir, struct tmpfs_entry *a, struct inode *new_dir,
		     struct tmpfs_entry *b)
{
	struct inode *inode = a->inode;
	bool a_is_dir = S_ISDIR(a->inode->mode), b_is_dir = S_ISDIR(b->inode->mode);

	a->inode = b->inode;
	b->inode = inode;
	if (old_dir != new_dir && a_is_dir != b_is_dir) {
		old_dir->nlink += b_is_dir ? 1u : -1u;
		new_dir->nlink += a_is_dir ? 1u : -1u;
	}
}

static int tmpfs_rename(struct inode *old_dir, const char *old_name, struct inode *source,
			struct inode *new_dir, const char *new_name, struct inode *victim, unsigned flags)
{
	struct tmpfs_entry *from = entry_find(old_dir, old_name);
	struct tmpfs_entry *to = victim != NULL ? entry_find(new_dir, new_name) : NULL;
	struct tmpfs_entry *fresh;

	if (from == NULL || from->inode != source || (victim != NULL && (to == NULL || to->inode != victim)))
		return -ENOENT;
	if ((flags & RENAME_EXCHANGE) != 0) {
		exchange(old_dir, from, new_dir, to);
	} else {
		if (victim != NULL && S_ISDIR(victim->mode) && tmpfs_inode(victim)->nr_entries != 0)
			return -ENOTEMPTY;
		fresh = entry_alloc(new_name);
		if (fresh == NULL)
			return -ENOMEM;
		if (victim != NULL) {
			drop_link(new_dir, victim);
			inode_put(entry_remove(new_dir, to));
		}
		entry_insert(new_dir, fresh, entry_remove(old_dir, from));
		if (S_ISDIR(source->mode) && old_dir != new_dir) {
			old_dir->nlink--;
			new_dir->nlink++;
		}
	}
	inode_touch(source, false);
	inode_touch(old_dir, true);
	inode_touch(new_dir, true);
	return 0;
}

static int tmpfs_readdir(struct file *file, uint64_t *pos, readdir_emit_fn emit, void *arg)
{
	struct tmpfs_entry *e;

	LIST_FOR_EACH(e, &tmpfs_inode(file->inode)->entries, link) {
		if (e->pos < *pos)
			continue;
		if (!emit(arg, e->name, e->len, e->inode->ino, (e->inode->mode & S_IFMT) >> 12, e->pos + 1)) {
			*pos = e->pos;
			return 0;
		}
	}
	*pos = tmpfs_inode(file->inode)->next_pos;
	return 0;
}

const struct inode_ops tmpfs_dir_inode_ops = {
	.lookup = tmpfs_lookup,
	.create = tmpfs_make_file,
	.mkdir = tmpfs_mkdir,
	.symlink = tmpfs_symlink,
	.link = tmpfs_link,
	.unlink = tmpfs_unlink,
	.rmdir = tmpfs_rmdir,
	.rename = tmpfs_rename,
	.tmpfile = tmpfs_tmpfile,
	.destroy = tmpfs_destroy_inode,
};
const struct file_ops tmpfs_dir_file_ops = {.readdir = tmpfs_readdir, .lseek = vfs_lseek_size};
