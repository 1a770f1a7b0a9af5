/*
 * The directory /proc/PID, /proc/PID/task/TID and their small files. Larger ones:
 * procfs_stat.c, procfs_mem.c, procfs_fd.c, procfs_mounts.c. No state of its own.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "abi/resource.h"
#include "fs/fdtable.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "sched/task.h"

#define OOM_SCORE_ADJ_MIN (-1000)
#define OOM_SCORE_ADJ_MAX 1000
#define CAP_SYS_RESOURCE 24

/* ---- small files ---------------------------------------------------------- */

static int show_comm(struct seqbuf *s, const struct proc_target *t)
{
	seq_printf(s, "%s\n", t->task->name);
	return 0;
}

static int write_comm(const struct proc_target *t, const char *text)
{
	if (t->process != current_process())
		return -EINVAL;
	(void)str_copy(t->task->name, text, sizeof(t->task->name));
	return 0;
}

static int show_wchan(struct seqbuf *s, const struct proc_target *t)
{
	const char *reason = t->task->state == TASK_RUNNABLE ? NULL : t->task->wait_reason;

	seq_puts(s, reason != NULL ? reason : "0");
	return 0;
}

static int show_cgroup(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_puts(s, "0::/\n");
	return 0;
}

/* No login has set them: (uid_t)-1. */
static int show_unset_id(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_puts(s, "4294967295");
	return 0;
}

static int show_personality(struct seqbuf *s, const struct proc_target *t)
{
	if (!proc_may_inspect(t->task))
		return -EACCES;
	seq_printf(s, "%08x\n", t->process->personality);
	return 0;
}

static int show_limits(struct seqbuf *s, const struct proc_target *t)
{
	static const struct { const char *name, *unit; } limits[NR_RLIMITS] = {
		[RLIMIT_CPU] = {"Max cpu time", "seconds"},
		[RLIMIT_FSIZE] = {"Max file size", "bytes"},
		[RLIMIT_DATA] = {"Max data size", "bytes"},
		[RLIMIT_STACK] = {"Max stack size", "bytes"},
		[RLIMIT_CORE] = {"Max core file size", "bytes"},
		[RLIMIT_RSS] = {"Max resident set", "bytes"},
		[RLIMIT_NPROC] = {"Max processes", "processes"},
		[RLIMIT_NOFILE] = {"Max open files", "files"},
		[RLIMIT_MEMLOCK] = {"Max locked memory", "bytes"},
		[RLIMIT_AS] = {"Max address space", "bytes"},
		[RLIMIT_LOCKS] = {"Max file locks", "locks"},
		[RLIMIT_SIGPENDING] = {"Max pending signals", "signals"},
		[RLIMIT_MSGQUEUE] = {"Max msgqueue size", "bytes"},
		[RLIMIT_NICE] = {"Max nice priority", ""},
		[RLIMIT_RTPRIO] = {"Max realtime priority", ""},
		[RLIMIT_RTTIME] = {"Max realtime timeout", "us"},
	};

	seq_printf(s, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units");
	for (unsigned i = 0; i < NR_RLIMITS; i++) {
		const struct rlimit_pair *r = &t->process->rlimits[i];
		const uint64_t values[2] = {r->cur, r->max};

		seq_printf(s, "%-25s ", limits[i].name);
		for (unsigned k = 0; k < 2; k++) {
			if (values[k] == RLIM_INFINITY)
				seq_printf(s, "%-20s ", "unlimited");
			else
				seq_printf(s, "%-20llu ", (unsigned long long)values[k]);
		}
		if (limits[i].unit[0] != '\0')
			seq_printf(s, "%-10s", limits[i].unit);
		seq_puts(s, "\n");
	}
	return 0;
}

/* ---- what the out-of-memory killer goes by -------------------------------- */

static int show_oom_score_adj(struct seqbuf *s, const struct proc_target *t)
{
	seq_printf(s, "%d\n", t->process->oom_score_adj);
	return 0;
}

static int write_oom_score_adj(const struct proc_target *t, const char *text)
{
	bool is_privileged = (current_task()->cred.cap_effective >> CAP_SYS_RESOURCE) & 1;
	int64_t value;
	int err = proc_parse_int(text, OOM_SCORE_ADJ_MIN, OOM_SCORE_ADJ_MAX, &value);

	if (err != 0)
		return err;
	if (value < t->process->oom_score_adj && !is_privileged)
		return -EACCES;
	t->process->oom_score_adj = (int)value;
	return 0;
}

/* Linux's badness: resident memory in thousandths of all, plus the adjustment, on a scale to 2000. */
static int show_oom_score(struct seqbuf *s, const struct proc_target *t)
{
	struct aspace *as = proc_aspace_get(t);
	struct frame_stats stats;
	int64_t points = 0;

	frame_get_stats(&stats);
	if (as != NULL && t->process->oom_score_adj != OOM_SCORE_ADJ_MIN) {
		points = (int64_t)(aspace_rss_pages(as) * 1000 / MAX(stats.nr_total, 1u)) +
			 t->process->oom_score_adj;
		points = (1000 + points) * 2 / 3;
	}
	if (as != NULL)
		aspace_put(as);
	seq_printf(s, "%lld\n", (long long)MAX(points, 0));
	return 0;
}

/* ---- magic links ---------------------------------------------------------- */

static int follow_exe(const struct proc_target *t, struct path *out)
{
	struct aspace *as;
	int err = -ENOENT;

	if (!proc_may_inspect(t->task))
		return -EACCES;
	as = proc_aspace_get(t);
	if (as == NULL)
		return -ENOENT;
	if (as->exe != NULL)
		err = file_get_path(as->exe, out);
	aspace_put(as);
	return err;
}

static int follow_fs(const struct proc_target *t, struct path *out, bool is_root)
{
	struct fs_context *fs = t->task->fs;

	if (!proc_may_inspect(t->task))
		return -EACCES;
	if (fs == NULL)
		return -ENOENT;
	*out = is_root ? fs->root : fs->cwd;
	path_get(out);
	return 0;
}

static int follow_cwd(const struct proc_target *t, struct path *out) { return follow_fs(t, out, false); }
static int follow_root(const struct proc_target *t, struct path *out) { return follow_fs(t, out, true); }

static int64_t readlink_of(int (*follow)(const struct proc_target *t, struct path *out),
			   const struct proc_target *t, char *buf, size_t size_bytes)
{
	struct path path;
	char *page, *name;
	int64_t result = follow(t, &path);

	if (result != 0)
		return result;
	page = kmalloc(PATH_MAX_BYTES);
	result = -ENOMEM;
	if (page != NULL) {
		name = path_name(&path, page, PATH_MAX_BYTES);
		result = -ENAMETOOLONG;
		if (name != NULL) {
			result = (int64_t)MIN(strlen(name), size_bytes);
			memcpy(buf, name, (size_t)result);
		}
		kfree(page);
	}
	path_put(&path);
	return result;
}

static int64_t readlink_exe(const struct proc_target *t, char *buf, size_t n)
{
	return readlink_of(follow_exe, t, buf, n);
}
static int64_t readlink_cwd(const struct proc_target *t, char *buf, size_t n)
{
	return readlink_of(follow_cwd, t, buf, n);
}
static int64_t readlink_root(const struct proc_target *t, char *buf, size_t n)
{
	return readlink_of(follow_root, t, buf, n);
}

/* ---- the tables ----------------------------------------------------------- */

static int next_task(const struct proc_target *t, int n)
{
	struct task *task = process_next_task(t->process, n - 1);
	int tid;

	if (task == NULL)
		return -1;
	tid = task->tid;
	task_put(task);
	return tid;
}

/* What a process and its threads both have. */
#define COMMON_ENTRIES                                                                                       \
	{.name = "fd",                                                                                       \
	 .mode = S_IFDIR | 0500,                                                                             \
	 .number_kind = PROC_NUMBER_FD,                                                                      \
	 .numbered = &proc_fd_entry,                                                                         \
	 .next_number = proc_fd_next},                                                                       \
		{.name = "fdinfo",                                                                           \
		 .mode = S_IFDIR | 0555,                                                                     \
		 .number_kind = PROC_NUMBER_FD,                                                              \
		 .numbered = &proc_fdinfo_entry,                                                             \
		 .next_number = proc_fd_next},                                                               \
		{.name = "environ",                                                                          \
		 .mode = S_IFREG | 0400,                                                                     \
		 .show = proc_show_environ,                                                                  \
		 .is_of_aspace = true},                                                                      \
		{.name = "auxv", .mode = S_IFREG | 0400, .show = proc_show_auxv, .is_of_aspace = true},      \
		{.name = "status", .mode = S_IFREG | 0444, .show = proc_show_status},                        \
		{.name = "personality", .mode = S_IFREG | 0400, .show = show_personality},                   \
		{.name = "limits", .mode = S_IFREG | 0444, .show = show_limits},                             \
		{.name = "comm", .mode = S_IFREG | 0644, .show = show_comm, .write = write_comm},            \
		{.name = "cmdline", .mode = S_IFREG | 0444, .show = proc_show_cmdline},                      \
		{.name = "stat", .mode = S_IFREG | 0444, .show = proc_show_stat},                            \
		{.name = "statm", .mode = S_IFREG | 0444, .show = proc_show_statm},                          \
		{.name = "maps", .mode = S_IFREG | 0444, .show = proc_show_maps, .is_of_aspace = true},      \
		{.name = "mem", .mode = S_IFREG | 0600, .fops = &proc_mem_fops},                             \
		{.name = "cwd", .mode = S_IFLNK | 0777, .readlink = readlink_cwd, .follow = follow_cwd},     \
		{.name = "root", .mode = S_IFLNK | 0777, .readlink = readlink_root, .follow = follow_root},  \
		{.name = "exe", .mode = S_IFLNK | 0777, .readlink = readlink_exe, .follow = follow_exe},     \
		{.name = "mounts", .mode = S_IFREG | 0444, .show = proc_show_mounts},                        \
		{.name = "mountinfo", .mode = S_IFREG | 0444, .show = proc_show_mountinfo},                  \
		{.name = "smaps", .mode = S_IFREG | 0444, .show = proc_show_smaps, .is_of_aspace = true},    \
		{.name = "smaps_rollup",                                                                     \
		 .mode = S_IFREG | 0444,                                                                     \
		 .show = proc_show_smaps_rollup,                                                             \
		 .is_of_aspace = true},                                                                      \
		{.name = "wchan", .mode = S_IFREG | 0444, .show = show_wchan},                               \
		{.name = "cgroup", .mode = S_IFREG | 0444, .show = show_cgroup},                             \
		{.name = "oom_score", .mode = S_IFREG | 0444, .show = show_oom_score},                       \
		{.name = "oom_score_adj",                                                                    \
		 .mode = S_IFREG | 0644,                                                                     \
		 .show = show_oom_score_adj,                                                                 \
		 .write = write_oom_score_adj},                                                              \
		{.name = "loginuid", .mode = S_IFREG | 0444, .show = show_unset_id},                         \
	{                                                                                                    \
		.name = "sessionid", .mode = S_IFREG | 0444, .show = show_unset_id                           \
	}

static const struct proc_entry task_children[] = {COMMON_ENTRIES, {0}};
static const struct proc_entry task_entry = {.mode = S_IFDIR | 0555, .children = task_children};

static const struct proc_entry pid_children[] = {
	{.name = "task", .mode = S_IFDIR | 0555, .number_kind = PROC_NUMBER_TID, .numbered = &task_entry,
	 .next_number = next_task},
	COMMON_ENTRIES,
	{0},
};
const struct proc_entry proc_pid_entry = {.mode = S_IFDIR | 0555, .children = pid_children};
