/*
 * /proc/PID/stat, statm, status: the numbers ps, top and pidof read. No state of
 * its own; task_lock is taken for the process tree and signal sets.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/signal.h"
#include "fs/fdtable.h"
#include "fs/tty.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "sched/task.h"

#define TICK_NS (NSEC_PER_SEC / USER_HZ)
#define KIB_PER_PAGE (PAGE_SIZE / 1024)

static const char state_letters[] = {
	[TASK_RUNNABLE] = 'R', [TASK_SLEEPING] = 'S', [TASK_BLOCKED] = 'D',
	[TASK_STOPPED] = 'T',  [TASK_ZOMBIE] = 'Z',   [TASK_DEAD] = 'X',
};
static const char *const state_names[] = {
	[TASK_RUNNABLE] = "R (running)", [TASK_SLEEPING] = "S (sleeping)", [TASK_BLOCKED] = "D (disk sleep)",
	[TASK_STOPPED] = "T (stopped)",  [TASK_ZOMBIE] = "Z (zombie)",     [TASK_DEAD] = "X (dead)",
};

/* What the files show, collected at one moment. */
struct snapshot {
	enum task_state state;
	int ppid, pgid, sid, tgid;
	unsigned nr_threads;
	uint64_t pending, shared_pending, blocked, ignored, caught;
	struct cpu_times times, children_times;
	uint64_t min_flt, maj_flt, children_min_flt, children_maj_flt;
	uint64_t voluntary, involuntary;
	unsigned nr_queued;
	struct proc_mem_sizes mem;
	bool has_mem;
};

static void take_signals(const struct task *task, struct snapshot *s)
{
	const struct sighand *hand = task->sig.hand;

	s->pending = task->sig.queue.pending;
	s->shared_pending = task->process->signal.queue.pending;
	s->blocked = task->sig.blocked;
	s->nr_queued = task->process->signal.nr_infos;
	if (hand == NULL)
		return;
	for (int sig = 1; sig <= NR_SIGNALS; sig++) {
		uint64_t handler = sighand_action(hand, sig)->handler;

		if (handler == LINUX_SIG_IGN)
			s->ignored |= SIGMASK(sig);
		else if (handler != LINUX_SIG_DFL)
			s->caught |= SIGMASK(sig);
	}
}

static void add_task_counts(const struct task *t, struct snapshot *s)
{
	s->min_flt += t->nr_minor_faults;
	s->maj_flt += t->nr_major_faults;
	s->voluntary += t->nr_voluntary;
	s->involuntary += t->nr_involuntary;
}

static void take_counts(const struct proc_target *t, struct snapshot *s)
{
	struct process *p = t->process;
	struct task *task;

	if (t->is_thread) {
		add_task_counts(t->task, s);
		s->times = t->task->times;
		return;
	}
	LIST_FOR_EACH(task, &p->tasks, process_link)
		add_task_counts(task, s);
	s->min_flt += p->nr_minor_faults;
	s->maj_flt += p->nr_major_faults;
}

static void take_snapshot(const struct proc_target *t, struct snapshot *s)
{
	struct process *p = t->process;
	struct aspace *as = proc_aspace_get(t);

	*s = (struct snapshot){0};
	if (as != NULL) {
		s->has_mem = true;
		proc_mem_sizes(as, &s->mem);
		aspace_put(as);
	}
	if (t->task == current_task())
		sched_account_now();
	if (!t->is_thread)
		s->times = process_times(p);
	spin_lock(&task_lock);
	s->state = t->task->state;
	if (p->is_zombie && !t->is_thread)
		s->state = TASK_ZOMBIE;
	s->ppid = p->parent != NULL ? p->parent->pid : 0;
	s->pgid = p->pgid;
	s->sid = p->sid;
	s->tgid = p->pid;
	s->nr_threads = p->nr_tasks;
	s->children_times = p->children_times;
	s->children_min_flt = p->children_minor_faults;
	s->children_maj_flt = p->children_major_faults;
	take_counts(t, s);
	take_signals(t->task, s);
	spin_unlock(&task_lock);
}

/* ---- stat, statm ---------------------------------------------------------- */

static unsigned long long ticks(uint64_t ns) { return ns / TICK_NS; }

/* Addresses are for those who may inspect the process. */
static void put_addresses(struct seqbuf *s, const struct proc_target *t, unsigned which)
{
	struct aspace *as = proc_may_inspect(t->task) ? proc_aspace_get(t) : NULL;

	if (as == NULL) {
		seq_puts(s, which == 0 ? "0 0 0 0 0 " : "0 0 0 0 0 0 0 ");
		return;
	}
	if (which == 0)
		seq_printf(s, "%llu %llu %llu 0 0 ", (unsigned long long)as->code_start,
			   (unsigned long long)as->code_end, (unsigned long long)as->stack_top);
	else
		seq_printf(s, "%llu %llu %llu %llu %llu %llu %llu ", (unsigned long long)as->data_start,
			   (unsigned long long)as->data_end, (unsigned long long)as->brk_start,
			   (unsigned long long)as->arg_start, (unsigned long long)as->arg_end,
			   (unsigned long long)as->env_start, (unsigned long long)as->env_end);
	aspace_put(as);
}

int proc_show_stat(struct seqbuf *s, const struct proc_target *t)
{
	struct process *p = t->process;
	struct task *task = t->task;
	struct snapshot v;
	uint32_t tty_nr;
	int tpgid;

	take_snapshot(t, &v);
	tty_process_info(p, &tty_nr, &tpgid);
	seq_printf(s, "%d (%s) %c %d %d %d %u %d %u ", t->is_thread ? task->tid : p->pid, task->name,
		   state_letters[v.state], v.ppid, v.pgid, v.sid, tty_nr, tpgid,
		   p->has_execed ? 0x400000u : 0x400040u);
	seq_printf(s, "%llu %llu %llu %llu %llu %llu %lld %lld ", (unsigned long long)v.min_flt,
		   (unsigned long long)v.children_min_flt, (unsigned long long)v.maj_flt,
		   (unsigned long long)v.children_maj_flt, ticks(v.times.user_ns), ticks(v.times.system_ns),
		   (long long)ticks(v.children_times.user_ns), (long long)ticks(v.children_times.system_ns));
	seq_printf(s, "%d %d %u 0 %llu %llu %llu %llu ", 20 + task->nice, task->nice, v.nr_threads,
		   ticks(t->is_thread ? task->start_time_ns : p->start_time_ns),
		   (unsigned long long)(v.mem.total << PAGE_SHIFT), (unsigned long long)v.mem.resident,
		   (unsigned long long)p->rlimits[RLIMIT_RSS].cur);
	put_addresses(s, t, 0);
	/* The first 31 signals, as old programs expect them. */
	seq_printf(s, "%llu %llu %llu %llu %u 0 0 %d 0 %d %d 0 0 0 ",
		   (unsigned long long)(v.pending & 0x7fffffff), (unsigned long long)(v.blocked & 0x7fffffff),
		   (unsigned long long)(v.ignored & 0x7fffffff), (unsigned long long)(v.caught & 0x7fffffff),
		   v.state == TASK_SLEEPING || v.state == TASK_BLOCKED,
		   t->is_thread && task != p->leader ? -1 : p->exit_signal, task->priority, task->policy);
	put_addresses(s, t, 1);
	seq_printf(s, "%d\n", proc_may_inspect(task) && v.state == TASK_ZOMBIE ? p->exit_status : 0);
	return 0;
}

int proc_show_statm(struct seqbuf *s, const struct proc_target *t)
{
	struct proc_mem_sizes m = {0};
	struct aspace *as = proc_aspace_get(t);

	if (as != NULL) {
		proc_mem_sizes(as, &m);
		aspace_put(as);
	}
	seq_printf(s, "%llu %llu 0 %llu 0 %llu 0\n", (unsigned long long)m.total,
		   (unsigned long long)m.resident, (unsigned long long)m.code,
		   (unsigned long long)(m.data + m.stack));
	return 0;
}

/* ---- status --------------------------------------------------------------- */

static void put_ids(struct seqbuf *s, const struct proc_target *t, const struct snapshot *v)
{
	const struct cred *c = &t->task->cred;
	int id = t->is_thread ? t->task->tid : t->process->pid;

	seq_printf(s, "Tgid:\t%d\nNgid:\t0\nPid:\t%d\nPPid:\t%d\nTracerPid:\t0\n", v->tgid, id, v->ppid);
	seq_printf(s, "Uid:\t%u\t%u\t%u\t%u\n", c->uid, c->euid, c->suid, c->fsuid);
	seq_printf(s, "Gid:\t%u\t%u\t%u\t%u\n", c->gid, c->egid, c->sgid, c->fsgid);
	seq_printf(s, "FDSize:\t%u\nGroups:\t",
		   t->task->files != NULL ? fdtable_capacity(t->task->files) : 0);
	for (unsigned i = 0; i < c->nr_groups; i++)
		seq_printf(s, "%u ", c->groups[i]);
	seq_printf(s, "\nNStgid:\t%d\nNSpid:\t%d\nNSpgid:\t%d\nNSsid:\t%d\n", v->tgid, id, v->pgid, v->sid);
}

static void put_kib(struct seqbuf *s, const char *name, uint64_t pages)
{
	seq_printf(s, "%s:\t%8llu kB\n", name, (unsigned long long)(pages * KIB_PER_PAGE));
}

static void put_memory(struct seqbuf *s, const struct proc_target *t, const struct snapshot *v)
{
	const struct proc_mem_sizes *m = &v->mem;

	put_kib(s, "VmPeak", m->total);
	put_kib(s, "VmSize", m->total);
	put_kib(s, "VmLck", m->locked);
	put_kib(s, "VmPin", 0);
	put_kib(s, "VmHWM", MAX(t->process->max_rss_pages, m->resident));
	put_kib(s, "VmRSS", m->resident);
	put_kib(s, "RssAnon", m->resident);
	put_kib(s, "RssFile", 0);
	put_kib(s, "RssShmem", 0);
	put_kib(s, "VmData", m->data);
	put_kib(s, "VmStk", m->stack);
	put_kib(s, "VmExe", m->code);
	put_kib(s, "VmLib", m->library);
	put_kib(s, "VmPTE", 0);
	put_kib(s, "VmSwap", 0);
	put_kib(s, "HugetlbPages", 0);
	seq_puts(s, "CoreDumping:\t0\nTHP_enabled:\t0\n");
}

static void put_signals(struct seqbuf *s, const struct proc_target *t, const struct snapshot *v)
{
	seq_printf(s, "Threads:\t%u\nSigQ:\t%u/%llu\n", v->nr_threads, v->nr_queued,
		   (unsigned long long)t->process->rlimits[RLIMIT_SIGPENDING].cur);
	seq_printf(
		s,
		"SigPnd:\t%016llx\nShdPnd:\t%016llx\nSigBlk:\t%016llx\nSigIgn:\t%016llx\nSigCgt:\t%016llx\n",
		(unsigned long long)v->pending, (unsigned long long)v->shared_pending,
		(unsigned long long)v->blocked, (unsigned long long)v->ignored,
		(unsigned long long)v->caught);
}

static void put_capabilities(struct seqbuf *s, const struct task *task)
{
	const struct cred *c = &task->cred;

	seq_printf(
		s,
		"CapInh:\t%016llx\nCapPrm:\t%016llx\nCapEff:\t%016llx\nCapBnd:\t%016llx\nCapAmb:\t%016llx\n",
		(unsigned long long)c->cap_inheritable, (unsigned long long)c->cap_permitted,
		(unsigned long long)c->cap_effective, 0x1ffffffffffull, 0ull);
	seq_printf(s, "NoNewPrivs:\t%d\nSeccomp:\t0\nSeccomp_filters:\t0\n", task->no_new_privs);
}

int proc_show_status(struct seqbuf *s, const struct proc_target *t)
{
	struct snapshot v;

	take_snapshot(t, &v);
	seq_puts(s, "Name:\t");
	seq_escape(s, t->task->name, "\n");
	seq_puts(s, "\n");
	if (t->task->fs != NULL)
		seq_printf(s, "Umask:\t%04o\n", t->task->fs->umask);
	seq_printf(s, "State:\t%s\n", state_names[v.state]);
	put_ids(s, t, &v);
	if (v.has_mem)
		put_memory(s, t, &v);
	put_signals(s, t, &v);
	put_capabilities(s, t->task);
	seq_puts(s, "Cpus_allowed:\t1\nCpus_allowed_list:\t0\nMems_allowed:\t1\nMems_allowed_list:\t0\n");
	seq_printf(s, "voluntary_ctxt_switches:\t%llu\nnonvoluntary_ctxt_switches:\t%llu\n",
		   (unsigned long long)v.voluntary, (unsigned long long)v.involuntary);
	return 0;
}
