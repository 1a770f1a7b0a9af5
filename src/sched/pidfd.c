/*
 * Process file descriptors: a file that stands for a process, readable (poll) once the
 * process has ended. The file holds a reference on the process, not on its number.
 * Source: pidfd_open(2).
 */
#include "sched/pidfd.h"

#include "abi/errno.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "lib/printf.h"
#include "sched/task.h"

static void pidfd_release(struct file *file) { process_put(file->private); }

static unsigned pidfd_poll(struct file *file, struct poll_table *table)
{
	struct process *p = file->private;

	poll_wait(table, &p->pidfd_waitq);
	return p->is_zombie ? POLLIN : 0;
}

static int pidfd_fdinfo(struct file *file, char *buf, size_t size_bytes)
{
	const struct process *p = file->private;

	return ksnprintf(buf, size_bytes, "Pid:\t%d\nNSpid:\t%d\n", p->leader != NULL ? p->pid : -1,
			 p->leader != NULL ? p->pid : -1);
}

static const struct file_ops pidfd_fops = {
	.release = pidfd_release,
	.poll = pidfd_poll,
	.fdinfo = pidfd_fdinfo,
};

int pidfd_create_file(struct process *p, unsigned flags, struct file **out)
{
	int r = file_create(&pidfd_fops, NULL, O_RDWR | (flags & O_NONBLOCK), p, out);

	if (r != 0)
		return r;
	(*out)->anon_name = "anon_inode:[pidfd]";
	process_get(p);
	return 0;
}

struct process *pidfd_process(const struct file *file)
{
	return file->ops == &pidfd_fops ? file->private : NULL;
}
