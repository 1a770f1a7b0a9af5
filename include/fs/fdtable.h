/*
 * Descriptor tables (shared with CLONE_FILES) and the file-system context (CLONE_FS).
 * A table is guarded by a spinlock of its own; nothing here sleeps but for closing files.
 */
#ifndef FS_FDTABLE_H
#define FS_FDTABLE_H

#include "fs/vfs.h"
#include "lib/types.h"

struct fdtable;
MUST_CHECK int fdtable_create(struct fdtable **out);
MUST_CHECK int fdtable_copy(struct fdtable *src, struct fdtable **out);   /* fork */
void fdtable_get(struct fdtable *t);
void fdtable_put(struct fdtable *t);          /* last put closes all: may sleep */
void fdtable_close_on_exec(struct fdtable *t);
uint32_t fdtable_refs(const struct fdtable *t);

/* All on the current task's table. */
struct file *fd_get(int fd);                  /* with a reference, or NULL (-EBADF) */
struct file *fd_get_io(int fd);               /* the same, but NULL for O_PATH descriptors: no I/O */
/*
 * The lowest free descriptor >= min becomes f (takes over the caller's reference). -EMFILE, -ENOMEM,
 * -EINVAL (min beyond RLIMIT_NOFILE): the reference stays the caller's.
 */
MUST_CHECK int fd_install(struct file *f, int min, bool close_on_exec);
/* dup2: closes what was there; -EBADF beyond RLIMIT_NOFILE. */
MUST_CHECK int fd_install_at(struct file *f, int fd, bool close_on_exec);
int fd_close(int fd);
int fd_close_range(unsigned first, unsigned last, bool cloexec_only);
int fd_get_cloexec(int fd);                   /* 0/1 or -EBADF */
int fd_set_cloexec(int fd, bool on);
/* For /proc/PID/fd: file of descriptor n of table t with a reference, or NULL; next used fd >= n or -1. */
struct file *fdtable_file(struct fdtable *t, int fd);
int fdtable_next(struct fdtable *t, int fd);
/* Number of slots allocated: FDSize of /proc/PID/status. */
unsigned fdtable_capacity(const struct fdtable *t);

struct fs_context {
	uint32_t refs;
	struct path root, cwd;
	uint32_t umask;
};
/* The first one: root and cwd are the root mount's, umask 022. */
MUST_CHECK int fs_context_create(struct fs_context **out);
MUST_CHECK int fs_context_copy(struct fs_context *src, struct fs_context **out);
void fs_context_get(struct fs_context *c);
void fs_context_put(struct fs_context *c);

#endif
