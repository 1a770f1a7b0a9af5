/*
 * Limits, usage, priorities and the scheduling calls. Sources: getrlimit(2),
 * getrusage(2), getpriority(2), sched(7). Real-time policies are recorded and reported;
 * every task is scheduled by its slice.
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "mm/aspace.h"
#include "mm/usercopy.h"
#include "sched/cred.h"
#include "sched/internal.h"
#include "syscall/syscall.h"
#include "syscall/timeconv.h"

#define NOFILE_MAX (1024 * 1024)
#define PRIORITY_MAX 99
#define RR_INTERVAL_NS (100 * NSEC_PER_MSEC)
#define SLICE_INTERVAL_NS (10 * NSEC_PER_MSEC)

/* ---- limits -------------------------------------------------------------- */

static bool may_change(const struct process *p)
{
	const struct cred *mine = &current_task()->cred, *other = &p->leader->cred;

	return p == current_process() || cred_has_cap(mine, CAP_SYS_RESOURCE) ||
	       (mine->uid == other->uid && mine->uid == other->euid && mine->uid == other->suid &&
		mine->gid == other->gid && mine->gid == other->egid && mine->gid == other->sgid);
}

/* Those the address space keeps a copy of. */
static void apply_to_aspace(struct process *p, unsigned resource, uint64_t value)
{
	struct task *t = process_live_task_locked(p);
	struct aspace *as = t != NULL ? t->aspace : NULL;

	if (as == NULL)
		return;
	if (resource == RLIMIT_STACK)
		as->stack_limit_bytes = value;
	else if (resource == RLIMIT_AS)
		as->as_limit_bytes = value;
	else if (resource == RLIMIT_DATA)
		as->data_limit_bytes = value;
}

static int set_limit(struct process *p, unsigned resource, const struct linux_rlimit *new)
{
	struct rlimit_pair *limit = &p->rlimits[resource];

	if (new->cur > new->max)
		return -EINVAL;
	if (resource == RLIMIT_NOFILE && new->max > NOFILE_MAX)
		return -EPERM;
	if (new->max > limit->max && !current_has_cap(CAP_SYS_RESOURCE))
		return -EPERM;
	*limit = (struct rlimit_pair){new->cur, new->max};
	apply_to_aspace(p, resource, new->cur);
	if (resource == RLIMIT_CPU) {
		p->cpu_limit_signal_ns = 0;
		cputimer_update_flag(p);
	}
	return 0;
}

/* new and old are user addresses, 0: not wanted. */
static int64_t prlimit(int pid, unsigned resource, uint64_t new, uint64_t old)
{
	struct process *p = current_process();
	struct linux_rlimit wanted, was;
	int r = 0;

	if (resource >= NR_RLIMITS)
		return -EINVAL;
	if (new != 0 && copy_from_user(&wanted, uaddr(new), sizeof(wanted)) != 0)
		return -EFAULT;
	if (pid != 0)
		p = process_find(pid);
	else
		process_get(p);
	if (p == NULL)
		return -ESRCH;
	was = (struct linux_rlimit){p->rlimits[resource].cur, p->rlimits[resource].max};
	spin_lock(&task_lock);
	if (p->leader == NULL)
		r = -ESRCH;
	else if (!may_change(p))
		r = -EPERM;
	else if (new != 0)
		r = set_limit(p, resource, &wanted);
	spin_unlock(&task_lock);
	process_put(p);
	if (r == 0 && old != 0)
		r = copy_to_user(uaddr(old), &was, sizeof(was));
	return r;
}

SYSCALL_DEFINE(prlimit64) { return prlimit((int)args[0], (unsigned)args[1], args[2], args[3]); }
SYSCALL_DEFINE(getrlimit) { return args[1] != 0 ? prlimit(0, (unsigned)args[0], 0, args[1]) : -EFAULT; }
SYSCALL_DEFINE(setrlimit) { return args[1] != 0 ? prlimit(0, (unsigned)args[0], args[1], 0) : -EFAULT; }

/* ---- usage --------------------------------------------------------------- */

static void usage_of_task(const struct task *t, struct linux_rusage *ru)
{
	ru->minflt += (int64_t)t->nr_minor_faults;
	ru->majflt += (int64_t)t->nr_major_faults;
	ru->nvcsw += (int64_t)t->nr_voluntary;
	ru->nivcsw += (int64_t)t->nr_involuntary;
}

static void usage_of_process(struct process *p, struct linux_rusage *ru)
{
	struct cpu_times times = process_times(p);
	struct task *t;

	ru->utime = timeval_from_ns(times.user_ns);
	ru->stime = timeval_from_ns(times.system_ns);
	ru->minflt = (int64_t)p->nr_minor_faults;
	ru->majflt = (int64_t)p->nr_major_faults;
	ru->nvcsw = (int64_t)p->nr_voluntary;
	ru->nivcsw = (int64_t)p->nr_involuntary;
	spin_lock(&task_lock);
	LIST_FOR_EACH (t, &p->tasks, process_link)
		usage_of_task(t, ru);
	spin_unlock(&task_lock);
}

static int64_t kib(uint64_t pages) { return (int64_t)(pages * (PAGE_SIZE / 1024)); }

SYSCALL_DEFINE(getrusage)
{
	struct task *me = current_task();
	struct process *p = me->process;
	struct linux_rusage ru = {.maxrss = kib(MAX(p->max_rss_pages, aspace_rss_pages(me->aspace)))};

	sched_account_now();
	switch ((int)args[0]) {
	case RUSAGE_SELF: usage_of_process(p, &ru); break;
	case RUSAGE_THREAD:
		ru.utime = timeval_from_ns(me->times.user_ns);
		ru.stime = timeval_from_ns(me->times.system_ns);
		usage_of_task(me, &ru);
		break;
	case RUSAGE_CHILDREN:
		ru.utime = timeval_from_ns(p->children_times.user_ns);
		ru.stime = timeval_from_ns(p->children_times.system_ns);
		ru.minflt = (int64_t)p->children_minor_faults;
		ru.majflt = (int64_t)p->children_major_faults;
		ru.nvcsw = (int64_t)p->children_voluntary;
		ru.nivcsw = (int64_t)p->children_involuntary;
		ru.maxrss = kib(p->children_max_rss_pages);
		break;
	default: return -EINVAL;
	}
	return copy_to_user(uaddr(args[1]), &ru, sizeof(ru));
}

SYSCALL_DEFINE(times)
{
	struct process *p = current_process();
	struct cpu_times times;
	struct linux_tms tms;

	sched_account_now();
	times = process_times(p);
	tms = (struct linux_tms){
		ticks_from_ns(times.user_ns),
		ticks_from_ns(times.system_ns),
		ticks_from_ns(p->children_times.user_ns),
		ticks_from_ns(p->children_times.system_ns),
	};
	if (args[0] != 0 && copy_to_user(uaddr(args[0]), &tms, sizeof(tms)) != 0)
		return -EFAULT;
	return ticks_from_ns(arch_time_ns());
}

/* ---- nice values --------------------------------------------------------- */

/* Calls fn for each process that which/who mean; stops at a result < 0. -ESRCH when there is none. */
static int for_each_target(int which, int who, int (*fn)(struct process *p, int arg), int arg)
{
	struct process *me = current_process(), *p;
	uint32_t uid = who != 0 ? (uint32_t)who : me->leader->cred.uid;
	int r = -ESRCH;

	if (which == PRIO_PROCESS) {
		p = process_find(who != 0 ? who : me->pid);
		if (p == NULL)
			return r;
		r = fn(p, arg);
		process_put(p);
		return r;
	}
	for (int pid = 0; (p = process_next(pid)) != NULL; process_put(p)) {
		bool is_meant = which == PRIO_PGRP ? p->pgid == (who != 0 ? who : me->pgid)
						   : p->leader->cred.uid == uid;

		pid = p->pid;
		if (is_meant && (r == -ESRCH || r >= 0)) {
			int one = fn(p, arg);

			r = one < 0 ? one : MAX(r, one);
		}
	}
	return r;
}

static int nice_of(struct process *p, int arg)
{
	struct task *t;
	int best = 0;

	(void)arg;
	spin_lock(&task_lock);
	LIST_FOR_EACH (t, &p->tasks, process_link)
		best = MAX(best, 20 - t->nice);
	spin_unlock(&task_lock);
	return best;
}

static int set_nice(struct process *p, int nice)
{
	const struct cred *mine = &current_task()->cred, *other = &p->leader->cred;
	struct task *t;
	int r = 0;

	if (mine->euid != other->uid && mine->euid != other->euid && !cred_has_cap(mine, CAP_SYS_NICE))
		return -EPERM;
	spin_lock(&task_lock);
	LIST_FOR_EACH (t, &p->tasks, process_link) {
		uint64_t limit = p->rlimits[RLIMIT_NICE].cur;

		if (nice < t->nice && (uint64_t)(20 - nice) > limit && !cred_has_cap(mine, CAP_SYS_NICE))
			r = -EACCES;
		else
			t->nice = nice;
	}
	spin_unlock(&task_lock);
	return r;
}

/* The raw call returns 20 - nice: 1 to 40. */
SYSCALL_DEFINE(getpriority)
{
	if ((int)args[0] < PRIO_PROCESS || (int)args[0] > PRIO_USER)
		return -EINVAL;
	return for_each_target((int)args[0], (int)args[1], nice_of, 0);
}

SYSCALL_DEFINE(setpriority)
{
	int nice = MIN(MAX((int)args[2], -20), 19), r;

	if ((int)args[0] < PRIO_PROCESS || (int)args[0] > PRIO_USER)
		return -EINVAL;
	r = for_each_target((int)args[0], (int)args[1], set_nice, nice);
	return MIN(r, 0);
}

/* ---- policies ------------------------------------------------------------ */

static struct task *task_of_arg(int tid) { return task_find(tid != 0 ? tid : current_task()->tid); }

static bool is_real_time(int policy) { return policy == SCHED_FIFO || policy == SCHED_RR; }

static int check_policy(int policy, int priority)
{
	if (is_real_time(policy))
		return priority >= 1 && priority <= PRIORITY_MAX ? 0 : -EINVAL;
	if (policy != SCHED_OTHER && policy != SCHED_BATCH && policy != SCHED_IDLE)
		return -EINVAL;
	return priority == 0 ? 0 : -EINVAL;
}

/* policy -1: the task's own. */
static int64_t set_scheduler(int tid, int policy, uint64_t param)
{
	struct linux_sched_param p;
	struct task *t;
	int r;

	if (tid < 0 || param == 0)
		return -EINVAL;
	if (copy_from_user(&p, uaddr(param), sizeof(p)) != 0)
		return -EFAULT;
	t = task_of_arg(tid);
	if (t == NULL)
		return -ESRCH;
	policy = policy < 0 ? t->policy : policy & ~SCHED_RESET_ON_FORK;
	r = check_policy(policy, p.priority);
	if (r == 0 && is_real_time(policy) && !current_has_cap(CAP_SYS_NICE))
		r = -EPERM;
	if (r == 0) {
		t->policy = policy;
		t->priority = p.priority;
	}
	task_put(t);
	return r;
}

SYSCALL_DEFINE(sched_setscheduler)
{
	return (int)args[1] < 0 ? -EINVAL : set_scheduler((int)args[0], (int)args[1], args[2]);
}

SYSCALL_DEFINE(sched_setparam) { return set_scheduler((int)args[0], -1, args[1]); }

SYSCALL_DEFINE(sched_getscheduler)
{
	struct task *t;
	int policy;

	if ((int)args[0] < 0)
		return -EINVAL;
	t = task_of_arg((int)args[0]);
	if (t == NULL)
		return -ESRCH;
	policy = t->policy;
	task_put(t);
	return policy;
}

SYSCALL_DEFINE(sched_getparam)
{
	struct linux_sched_param p;
	struct task *t;

	if ((int)args[0] < 0 || args[1] == 0)
		return -EINVAL;
	t = task_of_arg((int)args[0]);
	if (t == NULL)
		return -ESRCH;
	p.priority = t->priority;
	task_put(t);
	return copy_to_user(uaddr(args[1]), &p, sizeof(p));
}

SYSCALL_DEFINE(sched_get_priority_max)
{
	int policy = (int)args[0];

	if (is_real_time(policy))
		return PRIORITY_MAX;
	return check_policy(policy, 0) == 0 || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

SYSCALL_DEFINE(sched_get_priority_min)
{
	int policy = (int)args[0];

	if (is_real_time(policy))
		return 1;
	return check_policy(policy, 0) == 0 || policy == SCHED_DEADLINE ? 0 : -EINVAL;
}

SYSCALL_DEFINE(sched_rr_get_interval)
{
	struct linux_timespec ts;
	struct task *t;

	if ((int)args[0] < 0)
		return -EINVAL;
	t = task_of_arg((int)args[0]);
	if (t == NULL)
		return -ESRCH;
	ts = timespec_from_ns(t->policy == SCHED_FIFO ? 0
			      : t->policy == SCHED_RR ? RR_INTERVAL_NS
						      : SLICE_INTERVAL_NS);
	task_put(t);
	return copy_to_user(uaddr(args[1]), &ts, sizeof(ts));
}

SYSCALL_DEFINE(sched_yield)
{
	(void)args;
	sched_yield_cpu();
	return 0;
}

/* ---- CPUs: there is one -------------------------------------------------- */

SYSCALL_DEFINE(sched_getaffinity)
{
	const uint64_t mask = 1;
	struct task *t;

	if (args[1] < sizeof(mask) || args[1] % sizeof(mask) != 0)
		return -EINVAL;
	t = task_of_arg((int)args[0]);
	if (t == NULL)
		return -ESRCH;
	task_put(t);
	return copy_to_user(uaddr(args[2]), &mask, sizeof(mask)) != 0 ? -EFAULT : (int64_t)sizeof(mask);
}

SYSCALL_DEFINE(sched_setaffinity)
{
	uint8_t first = 0;
	struct task *t;

	if (args[1] > 0 && copy_from_user(&first, uaddr(args[2]), 1) != 0)
		return -EFAULT;
	t = task_of_arg((int)args[0]);
	if (t == NULL)
		return -ESRCH;
	task_put(t);
	return (first & 1) != 0 ? 0 : -EINVAL;
}

SYSCALL_DEFINE(getcpu)
{
	const uint32_t zero = 0;

	for (unsigned i = 0; i < 2; i++)
		if (args[i] != 0 && copy_to_user(uaddr(args[i]), &zero, sizeof(zero)) != 0)
			return -EFAULT;
	return 0;
}
