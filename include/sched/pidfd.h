/* Process file descriptors (pidfd_open(2)); src/sched/pidfd.c. */
#ifndef SCHED_PIDFD_H
#define SCHED_PIDFD_H

#include "lib/types.h"

struct file;
struct process;

/* A file for p; flags: O_NONBLOCK. -ENOMEM. */
MUST_CHECK int pidfd_create_file(struct process *p, unsigned flags, struct file **out);
/* The process of such a file (no reference; it may be gone: leader NULL), or NULL: another kind of file. */
struct process *pidfd_process(const struct file *file);

#endif
