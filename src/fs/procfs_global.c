/*
 * The files of /proc about the whole machine: memory, CPU time, load, versions,
 * and the kernel's own counters. No state of its own.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "abi/time.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/pt.h"
#include "sched/task.h"
#include "sched/uts.h"
#include "syscall/table.h"

#define TICK_NS (NSEC_PER_SEC / USER_HZ)
#define LOAD_SHIFT 16
#define CPUINFO_BYTES 4096

/* ---- memory --------------------------------------------------------------- */

static void put_kib(struct seqbuf *s, const char *name, uint64_t frames)
{
	seq_printf(s, "%-15s %8llu kB\n", name, (unsigned long long)(frames * (PAGE_SIZE / 1024)));
}

int proc_show_meminfo(struct seqbuf *s, const struct proc_target *t)
{
	struct frame_stats f;
	const uint64_t *kind = f.nr_kind;

	(void)t;
	frame_get_stats(&f);
	put_kib(s, "MemTotal:", f.nr_total);
	put_kib(s, "MemFree:", f.nr_free);
	put_kib(s, "MemAvailable:", f.nr_free);
	put_kib(s, "Buffers:", 0);
	put_kib(s, "Cached:", kind[FRAME_CACHE]);
	put_kib(s, "SwapCached:", 0);
	put_kib(s, "Active:", kind[FRAME_ANON]);
	put_kib(s, "Inactive:", kind[FRAME_CACHE]);
	put_kib(s, "Active(anon):", kind[FRAME_ANON]);
	put_kib(s, "Inactive(anon):", 0);
	put_kib(s, "Active(file):", 0);
	put_kib(s, "Inactive(file):", kind[FRAME_CACHE]);
	put_kib(s, "Unevictable:", 0);
	put_kib(s, "Mlocked:", 0);
	put_kib(s, "SwapTotal:", 0);
	put_kib(s, "SwapFree:", 0);
	put_kib(s, "Dirty:", 0);
	put_kib(s, "Writeback:", 0);
	put_kib(s, "AnonPages:", kind[FRAME_ANON]);
	put_kib(s, "Mapped:", kind[FRAME_CACHE]);
	put_kib(s, "Shmem:", 0);
	put_kib(s, "KReclaimable:", 0);
	put_kib(s, "Slab:", kind[FRAME_SLAB]);
	put_kib(s, "SReclaimable:", 0);
	put_kib(s, "SUnreclaim:", kind[FRAME_SLAB]);
	put_kib(s, "KernelStack:", kind[FRAME_KERNEL]);
	put_kib(s, "PageTables:", kind[FRAME_TABLE]);
	put_kib(s, "CommitLimit:", commit_limit_pages());
	put_kib(s, "Committed_AS:", commit_used_pages());
	seq_printf(s,
		   "HugePages_Total:   %5u\nHugePages_Free:    %5u\nHugePages_Rsvd:    %5u\nHugePages_Surp:  "
		   "  %5u\n"
		   "Hugepagesize:   %8u kB\n",
		   0u, 0u, 0u, 0u, 2048u);
	return 0;
}

int proc_show_vmstat(struct seqbuf *s, const struct proc_target *t)
{
	struct frame_stats f;

	(void)t;
	frame_get_stats(&f);
	seq_printf(s, "nr_free_pages %llu\nnr_anon_pages %llu\nnr_mapped %llu\nnr_file_pages %llu\n",
		   (unsigned long long)f.nr_free, (unsigned long long)f.nr_kind[FRAME_ANON],
		   (unsigned long long)f.nr_kind[FRAME_CACHE], (unsigned long long)f.nr_kind[FRAME_CACHE]);
	seq_printf(s, "nr_slab_unreclaimable %llu\nnr_page_table_pages %llu\npswpin 0\npswpout 0\n",
		   (unsigned long long)f.nr_kind[FRAME_SLAB], (unsigned long long)f.nr_kind[FRAME_TABLE]);
	return 0;
}

/* ---- time and load -------------------------------------------------------- */

static unsigned long long ticks(uint64_t ns) { return ns / TICK_NS; }

int proc_show_cpu_stat(struct seqbuf *s, const struct proc_target *t)
{
	uint64_t user_ns, system_ns, idle_ns, nr_switches;
	unsigned nr_running, nr_tasks;
	uint32_t load[3];
	int last_pid;

	(void)t;
	sched_get_times(&user_ns, &system_ns, &idle_ns, &nr_switches);
	sched_get_load(load, &nr_running, &nr_tasks, &last_pid);
	for (unsigned i = 0; i < 2; i++)
		seq_printf(s, "%s %llu 0 %llu %llu 0 0 0 0 0 0\n", i == 0 ? "cpu " : "cpu0", ticks(user_ns),
			   ticks(system_ns), ticks(idle_ns));
	seq_printf(s,
		   "intr 0\nctxt %llu\nbtime %llu\nprocesses %d\nprocs_running %u\nprocs_blocked 0\n"
		   "softirq 0 0 0 0 0 0 0 0 0 0 0\n",
		   (unsigned long long)nr_switches,
		   (unsigned long long)((realtime_ns() - arch_time_ns()) / NSEC_PER_SEC), last_pid,
		   nr_running);
	return 0;
}

static void put_hundredths(struct seqbuf *s, uint64_t ns, const char *end)
{
	seq_printf(s, "%llu.%02u%s", (unsigned long long)(ns / NSEC_PER_SEC),
		   (unsigned)(ns / TICK_NS % USER_HZ), end);
}

int proc_show_uptime(struct seqbuf *s, const struct proc_target *t)
{
	uint64_t user_ns, system_ns, idle_ns, nr_switches;

	(void)t;
	sched_get_times(&user_ns, &system_ns, &idle_ns, &nr_switches);
	put_hundredths(s, arch_time_ns(), " ");
	put_hundredths(s, idle_ns, "\n");
	return 0;
}

int proc_show_loadavg(struct seqbuf *s, const struct proc_target *t)
{
	unsigned nr_running, nr_tasks;
	uint32_t load[3];
	int last_pid;

	(void)t;
	sched_get_load(load, &nr_running, &nr_tasks, &last_pid);
	for (unsigned i = 0; i < 3; i++) {
		uint64_t rounded = (uint64_t)load[i] + (1u << LOAD_SHIFT) / 200;

		seq_printf(s, "%u.%02u ", (unsigned)(rounded >> LOAD_SHIFT),
			   (unsigned)((rounded & ((1u << LOAD_SHIFT) - 1)) * 100 >> LOAD_SHIFT));
	}
	seq_printf(s, "%u/%u %d\n", nr_running, nr_tasks, last_pid);
	return 0;
}

/* ---- what it is ----------------------------------------------------------- */

int proc_show_version(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%s version %s (levitate) %s\n", kernel_uts.sysname, kernel_uts.release,
		   kernel_uts.version);
	return 0;
}

int proc_show_cpuinfo(struct seqbuf *s, const struct proc_target *t)
{
	char *room = seq_reserve(s, CPUINFO_BYTES);

	(void)t;
	if (room == NULL)
		return -ENOMEM;
	s->len += arch_cpuinfo(room, CPUINFO_BYTES);
	return 0;
}

/* ---- the kernel's own counters, "name value" a line ----------------------- */

static void put_count(struct seqbuf *s, const char *name, uint64_t value)
{
	seq_printf(s, "%s %llu\n", name, (unsigned long long)value);
}

int proc_show_levitate_stats(struct seqbuf *s, const struct proc_target *t)
{
	static const char *const modes[] = {
		[FORK_EAGER] = "eager", [FORK_COW] = "cow", [FORK_SHARE] = "share"};
	uint64_t user_ns, system_ns, idle_ns, nr_switches;
	struct frame_stats f;

	(void)t;
	frame_get_stats(&f);
	sched_get_times(&user_ns, &system_ns, &idle_ns, &nr_switches);
	seq_printf(s, "fork_mode %s\n", modes[aspace_fork_mode()]);
	put_count(s, "system_calls", syscall_count());
	put_count(s, "context_switches", nr_switches);
	put_count(s, "processes", process_count());
	put_count(s, "frames_total", f.nr_total);
	put_count(s, "frames_free", f.nr_free);
	put_count(s, "frames_anonymous", f.nr_kind[FRAME_ANON]);
	put_count(s, "frames_cache", f.nr_kind[FRAME_CACHE]);
	put_count(s, "frames_table", f.nr_kind[FRAME_TABLE]);
	put_count(s, "frames_slab", f.nr_kind[FRAME_SLAB]);
	put_count(s, "frames_kernel", f.nr_kind[FRAME_KERNEL]);
	put_count(s, "pt_entry_writes", pt_stats.nr_entry_writes);
	put_count(s, "pt_table_allocs", pt_stats.nr_table_allocs);
	put_count(s, "pt_table_copies", pt_stats.nr_table_copies);
	put_count(s, "pt_table_shares", pt_stats.nr_table_shares);
	put_count(s, "pt_takeovers", pt_stats.nr_takeovers);
	put_count(s, "pt_page_copies", pt_stats.nr_page_copies);
	return 0;
}
