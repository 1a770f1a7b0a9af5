/*
 * procfs: directories, inodes and files over the tables of entries (fs/proc.h).
 * An inode stands for an entry and, below /proc/PID, for one life of a process: a
 * number that was given to another process does not match any more.
 * Owns struct proc_node (inode->private) and struct proc_file (file->private).
 * Lock: proc_file.lock guards the text of an open file.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "abi/statfs.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/kmalloc.h"
#include "sched/task.h"

#define ROOT_INO 1
#define FIRST_POS 2         /* of the named children */
#define FIRST_NUMBER_POS 256 /* of the numbered ones */
#define WRITE_MAX 4096
#define CAP_SYS_PTRACE 19

struct proc_node {
	const struct proc_entry *entry;
	int pid, tid;              /* 0: none */
	int number;
	uint64_t start_time_ns;    /* of the process, to know it again */
};

struct proc_file {
	struct mutex lock;
	struct seqbuf text;
	bool is_filled;
	uint64_t aspace_id;         /* when it was opened, for is_of_aspace */
};

static const struct inode_ops dir_iops, link_iops, magic_link_iops, file_iops;
static const struct file_ops dir_fops, text_fops;

static const struct proc_node *node_of(const struct inode *inode) { return inode->private; }
const struct proc_entry *proc_entry_of(const struct inode *inode) { return node_of(inode)->entry; }

/* ---- targets -------------------------------------------------------------- */

static int target_of_node(const struct proc_node *node, struct proc_target *out)
{
	*out = (struct proc_target){
		.entry = node->entry, .number = node->number, .is_thread = node->tid != 0};
	if (node->pid == 0)
		return 0;
	out->process = process_find(node->pid);
	if (out->process == NULL)
		return -ESRCH;
	if (out->process->start_time_ns != node->start_time_ns)
		goto gone;
	if (node->tid != 0) {
		out->task = task_find(node->tid);
		if (out->task == NULL)
			goto gone;
		if (out->task->process != out->process)
			goto gone;
	} else {
		out->task = out->process->leader;
		if (out->task == NULL)
			goto gone;
		task_get(out->task);
	}
	return 0;
gone:
	proc_target_put(out);
	return -ESRCH;
}

int proc_target_get(const struct inode *inode, struct proc_target *out)
{
	return target_of_node(node_of(inode), out);
}

void proc_target_put(struct proc_target *t)
{
	if (t->task != NULL)
		task_put(t->task);
	if (t->process != NULL)
		process_put(t->process);
	t->task = NULL;
	t->process = NULL;
}

bool proc_may_inspect(const struct task *t)
{
	const struct cred *me = &current_task()->cred, *it = &t->cred;

	if (t->process == current_process())
		return true;
	if ((me->cap_effective >> CAP_SYS_PTRACE) & 1)
		return true;
	return me->fsuid == it->uid && me->fsuid == it->euid && me->fsuid == it->suid &&
	       me->fsgid == it->gid && me->fsgid == it->egid && me->fsgid == it->sgid &&
	       t->process->is_dumpable;
}

struct aspace *proc_aspace_get(const struct proc_target *t)
{
	struct task *task = t->task, *other = NULL;
	struct aspace *as = task->aspace;

	/* The leader may have left while other threads live. */
	for (int tid = 0;
	     as == NULL && !t->is_thread && (other = process_next_task(t->process, tid)) != NULL;) {
		tid = other->tid;
		as = other->aspace;
		task_put(other);
	}
	if (as != NULL)
		aspace_get(as);
	return as;
}

/* ---- inodes --------------------------------------------------------------- */

static uint64_t child_ino(uint64_t dir_ino, const char *name)
{
	uint64_t hash = dir_ino ^ 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return hash & 0xffffffffffffu;
}

/* Files of a process belong to it; those of one that hides itself to root. */
static void set_owner(struct inode *inode, const struct proc_target *t)
{
	inode->uid = inode->gid = 0;
	if (t->task != NULL && t->process->is_dumpable) {
		inode->uid = t->task->cred.euid;
		inode->gid = t->task->cred.egid;
	}
}

static void set_ops(struct inode *inode, const struct proc_entry *entry)
{
	if (S_ISDIR(entry->mode)) {
		inode->ops = &dir_iops;
		inode->fops = &dir_fops;
		inode->nlink = 2;
	} else if (S_ISLNK(entry->mode)) {
		inode->ops = entry->follow != NULL ? &magic_link_iops : &link_iops;
		inode->size_hint = entry->follow != NULL ? 64 : 0;
	} else {
		inode->ops = &file_iops;
		inode->fops = entry->fops != NULL ? entry->fops : &text_fops;
	}
}

static int node_inode(struct superblock *sb, const struct proc_node *node, uint64_t ino, uint32_t mode,
		      struct inode **out)
{
	struct proc_node *copy = kmemdup(node, sizeof(*node));
	int err;

	if (copy == NULL)
		return -ENOMEM;
	err = inode_create(sb, mode, out);
	if (err != 0) {
		kfree(copy);
		return err;
	}
	(*out)->ino = ino;
	(*out)->private = copy;
	set_ops(*out, node->entry);
	return 0;
}

static void node_destroy(struct inode *inode) { kfree(inode->private); }

/* A decimal number without sign or leading zeroes, or -1. */
static int parse_number(const char *name)
{
	int64_t value = 0;

	if (name[0] == '\0' || (name[0] == '0' && name[1] != '\0'))
		return -1;
	for (; *name != '\0'; name++) {
		if (*name < '0' || *name > '9' || value > INT32_MAX / 10)
			return -1;
		value = value * 10 + (*name - '0');
	}
	return value > INT32_MAX ? -1 : (int)value;
}

/* The numbered child's node; its process may vanish meanwhile. */
static int number_node(const struct proc_node *dir, int number, struct proc_node *out)
{
	*out = *dir;
	out->entry = dir->entry->numbered;
	switch (dir->entry->number_kind) {
	case PROC_NUMBER_PID: {
		struct process *p = process_find(number);

		if (p == NULL)
			return -ENOENT;
		out->pid = number;
		out->start_time_ns = p->start_time_ns;
		process_put(p);
		return 0;
	}
	case PROC_NUMBER_TID:
		out->tid = number;
		return 0;
	default:
		out->number = number;
		return 0;
	}
}

/* Finds the child's node. t: the directory's target. */
static int find_child(const struct proc_node *dir, const struct proc_target *t, const char *name,
		      struct proc_node *out)
{
	const struct proc_entry *e = dir->entry->children;
	int number;

	for (; e != NULL && e->name != NULL; e++)
		if (strcmp(e->name, name) == 0) {
			*out = *dir;
			out->entry = e;
			return 0;
		}
	if (dir->entry->numbered == NULL)
		return -ENOENT;
	number = parse_number(name);
	if (number < 0 || dir->entry->next_number(t, number) != number)
		return -ENOENT;
	return number_node(dir, number, out);
}

static int proc_lookup(struct inode *dir, const char *name, struct inode **out)
{
	const struct proc_node *node = node_of(dir);
	struct proc_target t, child_t;
	struct proc_node child;
	uint32_t mode;
	int err;

	if (target_of_node(node, &t) != 0)
		return -ENOENT;
	err = find_child(node, &t, name, &child);
	proc_target_put(&t);
	if (err != 0)
		return err;
	if (target_of_node(&child, &child_t) != 0)
		return -ENOENT;
	mode = child.entry->get_mode != NULL ? child.entry->get_mode(&child_t, child.entry->mode)
					     : child.entry->mode;
	err = node_inode(dir->sb, &child, child_ino(dir->ino, name), mode, out);
	if (err == 0)
		set_owner(*out, &child_t);
	proc_target_put(&child_t);
	return err;
}

static int proc_revalidate(struct inode *dir, const char *name, struct inode *inode)
{
	struct proc_target t;

	(void)dir;
	(void)name;
	/* What is absent may have appeared. */
	if (inode == NULL || node_of(inode)->entry->is_volatile)
		return -ESTALE;
	if (target_of_node(node_of(inode), &t) != 0)
		return -ESTALE;
	set_owner(inode, &t);
	proc_target_put(&t);
	return 0;
}

static int proc_setattr(struct inode *inode, const struct attr_change *change)
{
	(void)inode;
	/* O_TRUNC on open, as of "echo x >/proc/...", is nothing; modes and owners are the kernel's. */
	return change->valid & (ATTR_MODE | ATTR_UID | ATTR_GID) ? -EPERM : 0;
}

static int64_t proc_readlink(struct inode *inode, char *buf, size_t size_bytes)
{
	struct proc_target t;
	int64_t result = target_of_node(node_of(inode), &t);

	if (result != 0)
		return -ENOENT;
	result = node_of(inode)->entry->readlink(&t, buf, size_bytes);
	proc_target_put(&t);
	return result;
}

static int proc_follow(struct inode *inode, struct path *out)
{
	struct proc_target t;
	int err;

	if (target_of_node(node_of(inode), &t) != 0)
		return -ENOENT;
	err = node_of(inode)->entry->follow(&t, out);
	proc_target_put(&t);
	return err;
}

static const struct inode_ops dir_iops = {
	.lookup = proc_lookup,
	.revalidate = proc_revalidate,
	.setattr = proc_setattr,
	.destroy = node_destroy,
};
static const struct inode_ops link_iops = {
	.readlink = proc_readlink,
	.setattr = proc_setattr,
	.destroy = node_destroy,
};
static const struct inode_ops magic_link_iops = {
	.readlink = proc_readlink,
	.follow = proc_follow,
	.setattr = proc_setattr,
	.destroy = node_destroy,
};
static const struct inode_ops file_iops = {
	.setattr = proc_setattr,
	.destroy = node_destroy,
};

/* ---- directories ---------------------------------------------------------- */

typedef bool (*emit_fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned type,
			uint64_t next_pos);

static int readdir_numbers(struct file *file, uint64_t *pos, emit_fn emit, void *arg)
{
	const struct proc_entry *dir = proc_entry_of(file->inode);
	struct proc_target t;
	char name[16];
	int number;

	if (proc_target_get(file->inode, &t) != 0)
		return -ENOENT;
	while ((number = dir->next_number(&t, (int)(*pos - FIRST_NUMBER_POS))) >= 0) {
		int len = ksnprintf(name, sizeof(name), "%d", number);

		*pos = (uint64_t)number + FIRST_NUMBER_POS;
		if (!emit(arg, name, (size_t)len, child_ino(file->inode->ino, name),
			  (dir->numbered->mode & S_IFMT) >> 12, *pos + 1))
			break;
		++*pos;
	}
	proc_target_put(&t);
	return 0;
}

static int proc_readdir(struct file *file, uint64_t *pos, emit_fn emit, void *arg)
{
	const struct proc_entry *dir = proc_entry_of(file->inode);
	const struct proc_entry *e = dir->children;
	uint64_t at = FIRST_POS;

	for (; e != NULL && e->name != NULL; e++, at++) {
		if (at < *pos)
			continue;
		if (!emit(arg, e->name, strlen(e->name), child_ino(file->inode->ino, e->name),
			  (e->mode & S_IFMT) >> 12, at + 1))
			return 0;
		*pos = at + 1;
	}
	if (dir->numbered == NULL)
		return 0;
	*pos = MAX(*pos, FIRST_NUMBER_POS);
	return readdir_numbers(file, pos, emit, arg);
}

static const struct file_ops dir_fops = {
	.readdir = proc_readdir,
	.lseek = vfs_lseek_size,
};

/* ---- text files ----------------------------------------------------------- */

/* Which address space the target's task has now; 0: none. */
static uint64_t aspace_id_of(const struct proc_target *t)
{
	return t->task != NULL && t->task->aspace != NULL ? t->task->aspace->id : 0;
}

static int text_open(struct file *file)
{
	const struct proc_entry *entry = proc_entry_of(file->inode);
	struct proc_file *pf;
	struct proc_target t;

	if ((file_can_write(file) && entry->write == NULL) || (file_can_read(file) && entry->show == NULL))
		return -EACCES;
	pf = kzalloc(sizeof(*pf));
	if (pf == NULL)
		return -ENOMEM;
	mutex_init(&pf->lock);
	seq_init(&pf->text);
	if (entry->is_of_aspace && proc_target_get(file->inode, &t) == 0) {
		pf->aspace_id = aspace_id_of(&t);
		proc_target_put(&t);
	}
	file->private = pf;
	return 0;
}

static void text_release(struct file *file)
{
	struct proc_file *pf = file->private;

	seq_destroy(&pf->text);
	kfree(pf);
}

/* With pf->lock. */
static int text_fill(struct file *file, struct proc_file *pf)
{
	const struct proc_entry *entry = proc_entry_of(file->inode);
	struct proc_target t;
	int err = proc_target_get(file->inode, &t);

	if (err != 0)
		return err;
	pf->text.len = 0;
	if (!entry->is_of_aspace || pf->aspace_id == aspace_id_of(&t))
		err = entry->show(&pf->text, &t);
	proc_target_put(&t);
	if (err == 0 && pf->text.is_out_of_memory) {
		seq_destroy(&pf->text);
		err = -ENOMEM;
	}
	pf->is_filled = err == 0;
	return err;
}

static int64_t text_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct proc_file *pf = file->private;
	int64_t result = 0;

	mutex_lock(&pf->lock);
	if (*pos == 0 || !pf->is_filled)
		result = text_fill(file, pf);
	if (result == 0 && *pos < pf->text.len) {
		size_t n = MIN(uio->resid_bytes, pf->text.len - *pos);

		result = uio_put(uio, pf->text.data + *pos, n);
		if (result == 0) {
			*pos += n;
			result = (int64_t)n;
		}
	}
	mutex_unlock(&pf->lock);
	return result;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

int proc_parse_int(const char *text, int64_t min, int64_t max, int64_t *out)
{
	bool is_negative;
	int64_t value = 0;

	while (is_space(*text))
		text++;
	is_negative = *text == '-';
	if (is_negative)
		text++;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	for (; *text >= '0' && *text <= '9'; text++) {
		if (value > (INT64_MAX - 9) / 10)
			return -EINVAL;
		value = value * 10 + (*text - '0');
	}
	while (is_space(*text))
		text++;
	value = is_negative ? -value : value;
	if (*text != '\0' || value < min || value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

static int64_t text_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	size_t n = uio->resid_bytes, len = n;
	struct proc_target t;
	char *text;
	int err;

	if (n >= WRITE_MAX)
		return -EINVAL;
	text = kmalloc(n + 1);
	if (text == NULL)
		return -ENOMEM;
	err = uio_get(uio, text, n);
	if (err == 0)
		err = proc_target_get(file->inode, &t);
	if (err == 0) {
		if (len > 0 && text[len - 1] == '\n')
			len--;
		text[len] = '\0';
		err = proc_entry_of(file->inode)->write(&t, text);
		proc_target_put(&t);
	}
	kfree(text);
	if (err != 0)
		return err;
	*pos += n;
	return (int64_t)n;
}

/* As seq_lseek(): no SEEK_END, any offset. */
static int64_t text_lseek(struct file *file, int64_t offset, int whence)
{
	if (whence == SEEK_CUR)
		offset += (int64_t)file->pos;
	else if (whence != SEEK_SET)
		return -EINVAL;
	if (offset < 0)
		return -EINVAL;
	file->pos = (uint64_t)offset;
	return offset;
}

static const struct file_ops text_fops = {
	.open = text_open,
	.release = text_release,
	.read = text_read,
	.write = text_write,
	.lseek = text_lseek,
};

/* ---- the file system ------------------------------------------------------ */

int procfs_create(struct superblock **out)
{
	const struct proc_node root_node = {.entry = &proc_root_entry};
	struct superblock *sb;
	struct inode *root;
	int err = superblock_create("proc", PROC_SUPER_MAGIC, &sb);

	if (err != 0)
		return err;
	err = node_inode(sb, &root_node, ROOT_INO, proc_root_entry.mode, &root);
	if (err == 0)
		err = superblock_set_root(sb, root);
	if (err != 0) {
		superblock_put(sb);
		return err;
	}
	*out = sb;
	return 0;
}
