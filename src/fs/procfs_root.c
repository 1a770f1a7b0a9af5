/*
 * The directory /proc itself: links, processes, and the files whose text is
 * constant. No state of its own.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "sched/task.h"

/* ---- links ---------------------------------------------------------------- */

static int64_t put_link(char *buf, size_t size_bytes, const char *text)
{
	size_t n = MIN(strlen(text), size_bytes);

	memcpy(buf, text, n);
	return (int64_t)n;
}

static int64_t readlink_self(const struct proc_target *t, char *buf, size_t size_bytes)
{
	char text[16];

	(void)t;
	ksnprintf(text, sizeof(text), "%d", current_process()->pid);
	return put_link(buf, size_bytes, text);
}

static int64_t readlink_thread_self(const struct proc_target *t, char *buf, size_t size_bytes)
{
	char text[40];

	(void)t;
	ksnprintf(text, sizeof(text), "%d/task/%d", current_process()->pid, current_task()->tid);
	return put_link(buf, size_bytes, text);
}

static int64_t readlink_mounts(const struct proc_target *t, char *buf, size_t size_bytes)
{
	(void)t;
	return put_link(buf, size_bytes, "self/mounts");
}

static int next_process(const struct proc_target *t, int n)
{
	struct process *p = process_next(n - 1);
	int pid;

	(void)t;
	if (p == NULL)
		return -1;
	pid = p->pid;
	process_put(p);
	return pid;
}

/* ---- constant texts ------------------------------------------------------- */

static int show_constant(struct seqbuf *s, const struct proc_target *t)
{
	seq_puts(s, t->entry->data);
	return 0;
}

static int show_command_line(struct seqbuf *s, const struct proc_target *t)
{
	const char *cmdline = boot_info_get()->cmdline;

	(void)t;
	seq_printf(s, "%s\n", cmdline != NULL ? cmdline : "");
	return 0;
}

static const char devices_text[] = "Character devices:\n"
				   "  1 mem\n"
				   "  5 /dev/tty\n"
				   "  5 /dev/console\n"
				   "  5 /dev/ptmx\n"
				   "136 pts\n"
				   "\n"
				   "Block devices:\n";

static const char filesystems_text[] = "nodev\ttmpfs\n"
				       "nodev\tproc\n"
				       "nodev\tdevtmpfs\n"
				       "nodev\tdevpts\n"
				       "nodev\tramfs\n";

static const char drivers_text[] =
	"/dev/tty             /dev/tty        5       0 system:/dev/tty\n"
	"/dev/console         /dev/console    5       1 system:console\n"
	"/dev/ptmx            /dev/ptmx       5       2 system\n"
	"pty_slave            /dev/pts      136 0-255 pty:slave\n";

/* ---- the tables ----------------------------------------------------------- */

#define TEXT(title, text) {.name = title, .mode = S_IFREG | 0444, .show = show_constant, .data = text}
#define SHOW(title, function) {.name = title, .mode = S_IFREG | 0444, .show = function}
#define LINK(title, function) {.name = title, .mode = S_IFLNK | 0777, .readlink = function}

static const struct proc_entry levitate_entries[] = {SHOW("stats", proc_show_levitate_stats), {0}};
static const struct proc_entry tty_entries[] = {
	TEXT("drivers", drivers_text),
	TEXT("ldiscs", "n_tty       0\n"),
	{0},
};

static const struct proc_entry root_entries[] = {
	SHOW("cmdline", show_command_line),
	SHOW("cpuinfo", proc_show_cpuinfo),
	TEXT("devices", devices_text),
	TEXT("diskstats", ""),
	TEXT("filesystems", filesystems_text),
	TEXT("interrupts", "           CPU0       \n"),
	{.name = "levitate", .mode = S_IFDIR | 0555, .children = levitate_entries},
	SHOW("loadavg", proc_show_loadavg),
	SHOW("meminfo", proc_show_meminfo),
	TEXT("modules", ""),
	LINK("mounts", readlink_mounts),
	TEXT("partitions", "major minor  #blocks  name\n\n"),
	LINK("self", readlink_self),
	SHOW("stat", proc_show_cpu_stat),
	TEXT("swaps", "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"),
	{.name = "sys", .mode = S_IFDIR | 0555, .children = proc_sys_entries},
	LINK("thread-self", readlink_thread_self),
	{.name = "tty", .mode = S_IFDIR | 0555, .children = tty_entries},
	SHOW("uptime", proc_show_uptime),
	SHOW("version", proc_show_version),
	SHOW("vmstat", proc_show_vmstat),
	{0},
};

const struct proc_entry proc_root_entry = {
	.mode = S_IFDIR | 0555,
	.children = root_entries,
	.number_kind = PROC_NUMBER_PID,
	.numbered = &proc_pid_entry,
	.next_number = next_process,
};
