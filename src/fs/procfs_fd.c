/*
 * /proc/PID/fd and fdinfo: the descriptors of a process, as links that lead to the
 * open file itself. Only who may inspect the process sees them. No state of its own.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "fs/fdtable.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "sched/task.h"


static struct fdtable *table_get(const struct proc_target *t)
{
	struct fdtable *table = t->task->files;

	if (table != NULL)
		fdtable_get(table);
	return table;
}

static struct file *file_of(const struct proc_target *t)
{
	struct fdtable *table = table_get(t);
	struct file *file;

	if (table == NULL)
		return NULL;
	file = fdtable_file(table, t->number);
	fdtable_put(table);
	return file;
}

int proc_fd_next(const struct proc_target *t, int n)
{
	struct fdtable *table;
	int fd;

	if (!proc_may_inspect(t->task))
		return -1;
	table = table_get(t);
	if (table == NULL)
		return -1;
	fd = fdtable_next(table, n);
	fdtable_put(table);
	return fd;
}

static uint32_t fd_mode(const struct proc_target *t, uint32_t mode)
{
	struct file *file = file_of(t);

	if (file == NULL)
		return mode;
	if (file_can_read(file))
		mode |= S_IRUSR | S_IXUSR;
	if (file_can_write(file))
		mode |= S_IWUSR | S_IXUSR;
	file_put(file);
	return mode;
}

static int64_t fd_readlink(const struct proc_target *t, char *buf, size_t size_bytes)
{
	struct file *file = file_of(t);
	int64_t result = -ENOMEM;
	char *page, *name;

	if (file == NULL)
		return -ENOENT;
	page = kmalloc(PATH_MAX_BYTES);
	if (page != NULL) {
		name = file_name(file, page, PATH_MAX_BYTES);
		result = -ENAMETOOLONG;
		if (name != NULL) {
			result = (int64_t)MIN(strlen(name), size_bytes);
			memcpy(buf, name, (size_t)result);
		}
		kfree(page);
	}
	file_put(file);
	return result;
}

static int fd_follow(const struct proc_target *t, struct path *out)
{
	struct file *file;
	int err;

	if (!proc_may_inspect(t->task))
		return -EACCES;
	file = file_of(t);
	if (file == NULL)
		return -ENOENT;
	err = file_get_path(file, out);
	file_put(file);
	return err;
}

static int fdinfo_show(struct seqbuf *s, const struct proc_target *t)
{
	struct file *file = file_of(t);
	char *room;
	int n;

	if (file == NULL)
		return -ENOENT;
	seq_printf(s, "pos:\t%lld\nflags:\t0%o\nmnt_id:\t%d\nino:\t%llu\n", (long long)file->pos,
		   file->flags | O_LARGEFILE, file->path.mount != NULL ? file->path.mount->id : 0,
		   (unsigned long long)(file->inode != NULL ? file->inode->ino : 0));
	if (file->ops->fdinfo != NULL) {
		n = file->ops->fdinfo(file, NULL, 0);
		room = seq_reserve(s, (size_t)n + 1);
		if (room != NULL)
			s->len += MIN((size_t)file->ops->fdinfo(file, room, (size_t)n + 1), (size_t)n);
	}
	file_put(file);
	return 0;
}

const struct proc_entry proc_fd_entry = {
	.mode = S_IFLNK,
	.readlink = fd_readlink,
	.follow = fd_follow,
	.is_volatile = true,
	.get_mode = fd_mode,
};
const struct proc_entry proc_fdinfo_entry = {
	.mode = S_IFREG | 0444, .show = fdinfo_show, .is_volatile = true};
