/*
 * procfs, proc(5): /proc is made of static tables of entries. A file's content is
 * text that its show function writes into a growing buffer at the first read (and
 * again after a rewind to 0); nothing is kept per process.
 *
 * Locks: none of its own. show functions take what they look at (task_lock, an address
 * space's lock); they may sleep and allocate.
 */
#ifndef FS_PROC_H
#define FS_PROC_H

#include "fs/vfs.h"
#include "lib/types.h"

struct aspace;
struct process;
struct task;

/* ---- text that grows: src/fs/seqbuf.c ------------------------------------- */

struct seqbuf {
	char *data;
	size_t len, capacity;
	bool is_out_of_memory;     /* sticky: what was written later is lost */
};
void seq_init(struct seqbuf *s);
void seq_destroy(struct seqbuf *s);
void seq_printf(struct seqbuf *s, const char *fmt, ...) PRINTF_LIKE(2, 3);
void seq_puts(struct seqbuf *s, const char *text);
void seq_write(struct seqbuf *s, const void *bytes, size_t n);
/* text with the characters of `special` (and the backslash) as \ooo, as in /proc/mounts. */
void seq_escape(struct seqbuf *s, const char *text, const char *special);
/* Room for n more bytes at the end, to be filled and counted by the caller; NULL: out of memory. */
char *seq_reserve(struct seqbuf *s, size_t n);

/* ---- entries -------------------------------------------------------------- */

/* What a file is about. process and task are NULL outside /proc/PID; show()'s caller holds the references. */
struct proc_entry;
struct proc_target {
	const struct proc_entry *entry;
	struct process *process;
	struct task *task;         /* the thread; the leader's for /proc/PID itself */
	bool is_thread;            /* below task/TID */
	int number;                /* fd/N, fdinfo/N */
};

enum proc_number { PROC_NO_NUMBER, PROC_NUMBER_PID, PROC_NUMBER_TID, PROC_NUMBER_FD };

struct proc_entry {
	const char *name;          /* NULL ends a table; numbered children have none */
	uint32_t mode;             /* type and permissions */
	/* Files. Text; 0 or a negative errno. */
	int (*show)(struct seqbuf *s, const struct proc_target *t);
	/* text: what was written, NUL-terminated, without a trailing newline. 0 or a negative errno. */
	int (*write)(const struct proc_target *t, const char *text);
	/* About the program the task runs when the file is opened: empty once it has called exec, as on Linux. */
	bool is_of_aspace;
	const struct file_ops *fops; /* instead of show and write */
	/* Links. */
	int64_t (*readlink)(const struct proc_target *t, char *buf, size_t size_bytes);
	int (*follow)(const struct proc_target *t, struct path *out);
	/* Directories: named children, then numbered ones. */
	const struct proc_entry *children;
	enum proc_number number_kind;
	const struct proc_entry *numbered;
	/* The smallest number >= n that exists, or -1. */
	int (*next_number)(const struct proc_target *t, int n);
	/* What the number means can change at any time (descriptors): looked up afresh each time. */
	bool is_volatile;
	/* The mode, by the target, when it is looked up. NULL: mode as it is. */
	uint32_t (*get_mode)(const struct proc_target *t, uint32_t mode);
	const void *data;          /* for show */
};

/* The entry's target with references, or -ESRCH. For file operations of their own (mem). */
MUST_CHECK int proc_target_get(const struct inode *inode, struct proc_target *out);
void proc_target_put(struct proc_target *t);
const struct proc_entry *proc_entry_of(const struct inode *inode);
/* For write functions: text is a decimal number from min to max, white space around it allowed. -EINVAL. */
int proc_parse_int(const char *text, int64_t min, int64_t max, int64_t *out);

/* May the current task look into t's memory and files (ptrace(2), PTRACE_MODE_READ)? */
bool proc_may_inspect(const struct task *t);
/* The address space of a target with a reference, or NULL (zombies). */
struct aspace *proc_aspace_get(const struct proc_target *t);

/* ---- the tables ----------------------------------------------------------- */

extern const struct proc_entry proc_root_entry;      /* procfs_root.c */
extern const struct proc_entry proc_pid_entry;       /* procfs_pid.c: /proc/PID */
extern const struct proc_entry proc_sys_entries[];   /* procfs_sys.c: /proc/sys */
extern const struct proc_entry proc_fd_entry, proc_fdinfo_entry; /* procfs_fd.c: numbered children */
int proc_fd_next(const struct proc_target *t, int n);

/* show functions shared between tables. procfs_mem.c, procfs_mounts.c: */
int proc_show_maps(struct seqbuf *s, const struct proc_target *t);
int proc_show_smaps(struct seqbuf *s, const struct proc_target *t);
int proc_show_smaps_rollup(struct seqbuf *s, const struct proc_target *t);
int proc_show_cmdline(struct seqbuf *s, const struct proc_target *t);
int proc_show_environ(struct seqbuf *s, const struct proc_target *t);
int proc_show_auxv(struct seqbuf *s, const struct proc_target *t);
int proc_show_mounts(struct seqbuf *s, const struct proc_target *t);
int proc_show_mountinfo(struct seqbuf *s, const struct proc_target *t);
/* procfs_stat.c: */
int proc_show_stat(struct seqbuf *s, const struct proc_target *t);
int proc_show_statm(struct seqbuf *s, const struct proc_target *t);
int proc_show_status(struct seqbuf *s, const struct proc_target *t);
/* procfs_global.c: */
int proc_show_meminfo(struct seqbuf *s, const struct proc_target *t);
int proc_show_cpu_stat(struct seqbuf *s, const struct proc_target *t);
int proc_show_uptime(struct seqbuf *s, const struct proc_target *t);
int proc_show_loadavg(struct seqbuf *s, const struct proc_target *t);
int proc_show_version(struct seqbuf *s, const struct proc_target *t);
int proc_show_cpuinfo(struct seqbuf *s, const struct proc_target *t);
int proc_show_vmstat(struct seqbuf *s, const struct proc_target *t);
int proc_show_levitate_stats(struct seqbuf *s, const struct proc_target *t);

extern const struct file_ops proc_mem_fops;          /* procfs_mem.c: /proc/PID/mem */

/* Sizes of an address space, in pages, for stat, statm and status. */
struct proc_mem_sizes {
	uint64_t total, resident, code, data, stack, library, locked;
};
void proc_mem_sizes(struct aspace *as, struct proc_mem_sizes *out);

#endif
