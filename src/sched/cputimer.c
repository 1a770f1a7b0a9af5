/*
 * Timers that count CPU time: ITIMER_VIRTUAL, ITIMER_PROF and RLIMIT_CPU. The scheduler
 * programs the machine's timer for the next one, and task_return_to_user() looks at
 * them when that time has come. Sources: setitimer(2), setrlimit(2).
 */
#include "abi/resource.h"
#include "abi/time.h"
#include "sched/internal.h"

void cputimer_update_flag(struct process *p)
{
	p->has_cpu_timers = p->virtual_timer.expires_ns != 0 || p->prof_timer.expires_ns != 0 ||
			    p->rlimits[RLIMIT_CPU].cur != RLIM_INFINITY;
	cpu_note_work();
}

static void check_itimer(struct process *p, struct itimer_cpu *timer, uint64_t used_ns, int sig)
{
	if (timer->expires_ns == 0 || used_ns < timer->expires_ns)
		return;
	timer->expires_ns = timer->interval_ns != 0 ? used_ns + timer->interval_ns : 0;
	signal_send_process(p, sig, NULL);
	cputimer_update_flag(p);
}

static uint64_t limit_ns(uint64_t seconds)
{
	return seconds >= UINT64_MAX / NSEC_PER_SEC ? UINT64_MAX : seconds * NSEC_PER_SEC;
}

/* SIGXCPU at the soft limit and each second after it, SIGKILL at the hard one. */
static void check_limit(struct process *p, uint64_t used_ns)
{
	const struct rlimit_pair *limit = &p->rlimits[RLIMIT_CPU];
	uint64_t due = MAX(limit_ns(limit->cur), p->cpu_limit_signal_ns);

	if (limit->max != RLIM_INFINITY && used_ns >= limit_ns(limit->max)) {
		signal_send_process(p, SIGKILL, NULL);
		return;
	}
	if (limit->cur == RLIM_INFINITY || used_ns < due)
		return;
	p->cpu_limit_signal_ns = used_ns + NSEC_PER_SEC;
	signal_send_process(p, SIGXCPU, NULL);
}

void cputimer_check(struct task *t)
{
	struct process *p = t->process;
	struct cpu_times times = process_times(p);

	check_itimer(p, &p->virtual_timer, times.user_ns, SIGVTALRM);
	check_itimer(p, &p->prof_timer, times.user_ns + times.system_ns, SIGPROF);
	check_limit(p, times.user_ns + times.system_ns);
}

static uint64_t left(uint64_t due_ns, uint64_t used_ns) { return due_ns > used_ns ? due_ns - used_ns : 0; }

uint64_t cputimer_next_ns(struct process *p)
{
	struct cpu_times times = process_times(p);
	uint64_t total = times.user_ns + times.system_ns, next = UINT64_MAX / 2;

	if (p->virtual_timer.expires_ns != 0)
		next = MIN(next, left(p->virtual_timer.expires_ns, times.user_ns));
	if (p->prof_timer.expires_ns != 0)
		next = MIN(next, left(p->prof_timer.expires_ns, total));
	if (p->rlimits[RLIMIT_CPU].cur != RLIM_INFINITY)
		next = MIN(next,
			   left(MAX(limit_ns(p->rlimits[RLIMIT_CPU].cur), p->cpu_limit_signal_ns), total));
	return MAX(next, NSEC_PER_MSEC / 10);
}
