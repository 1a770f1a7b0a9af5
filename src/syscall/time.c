/*
 * Clocks, sleeping, interval timers. Sources: clock_gettime(2), clock_nanosleep(2),
 * setitimer(2), alarm(2), adjtimex(2). POSIX timers are in timer.c.
 */
#include "abi/errno.h"
#include "abi/time.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/cred.h"
#include "sched/internal.h"
#include "syscall/syscall.h"
#include "syscall/timeconv.h"

/* ---- clocks -------------------------------------------------------------- */

/* clock_getcpuclockid(3): ids below zero are the complement of a pid, and which of its clocks. */
#define CPUCLOCK_PID(clock) (~((clock) >> 3))
#define CPUCLOCK_THREAD 4
#define CPUCLOCK_WHICH 3
#define CPUCLOCK_PROF 0
#define CPUCLOCK_VIRT 1
#define CPUCLOCK_SCHED 2

static uint64_t pick_time(struct cpu_times t, int which)
{
	return which == CPUCLOCK_VIRT ? t.user_ns : t.user_ns + t.system_ns;
}

static int cpu_clock(int clock, uint64_t *out)
{
	int pid = CPUCLOCK_PID(clock), which = clock & CPUCLOCK_WHICH;
	bool is_thread = (clock & CPUCLOCK_THREAD) != 0;
	struct process *p;
	struct task *t;

	if (which > CPUCLOCK_SCHED)
		return -EINVAL;
	sched_account_now();
	if (is_thread) {
		t = task_find(pid != 0 ? pid : current_task()->tid);
		if (t == NULL || t->process != current_process()) {
			if (t != NULL)
				task_put(t);
			return -EINVAL;
		}
		*out = pick_time(t->times, which);
		task_put(t);
		return 0;
	}
	p = process_find(pid != 0 ? pid : current_process()->pid);
	if (p == NULL)
		return -EINVAL;
	*out = pick_time(process_times(p), which);
	process_put(p);
	return 0;
}

static int clock_read(int clock, uint64_t *out)
{
	struct task *me = current_task();

	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_COARSE:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI: *out = realtime_ns(); return 0;
	case CLOCK_MONOTONIC:
	case CLOCK_MONOTONIC_RAW:
	case CLOCK_MONOTONIC_COARSE:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: *out = arch_time_ns(); return 0;
	case CLOCK_THREAD_CPUTIME_ID:
		sched_account_now();
		*out = pick_time(me->times, CPUCLOCK_SCHED);
		return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
		sched_account_now();
		*out = pick_time(process_times(me->process), CPUCLOCK_SCHED);
		return 0;
	default: return clock < 0 ? cpu_clock(clock, out) : -EINVAL;
	}
}

SYSCALL_DEFINE(clock_gettime)
{
	struct linux_timespec ts;
	uint64_t now;
	int r = clock_read((int)args[0], &now);

	if (r != 0)
		return r;
	ts = timespec_from_ns(now);
	return copy_to_user(uaddr(args[1]), &ts, sizeof(ts));
}

SYSCALL_DEFINE(clock_getres)
{
	struct linux_timespec ts = {0, 1};
	uint64_t now;
	int clock = (int)args[0], r = clock_read(clock, &now);

	if (r != 0)
		return r;
	if (clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE)
		ts.nsec = 1000000; /* what users expect of a coarse clock; ours are exact */
	return args[1] != 0 ? copy_to_user(uaddr(args[1]), &ts, sizeof(ts)) : 0;
}

/* The machine's wall clock is not the guest's to set. */
SYSCALL_DEFINE(clock_settime)
{
	struct linux_timespec ts;

	if (copy_from_user(&ts, uaddr(args[1]), sizeof(ts)) != 0)
		return -EFAULT;
	return (int)args[0] == CLOCK_REALTIME && timespec_is_valid(&ts) ? -EPERM : -EINVAL;
}

SYSCALL_DEFINE(gettimeofday)
{
	struct linux_timeval tv = timeval_from_ns(realtime_ns());
	const struct linux_timezone tz = {0, 0};

	if (args[0] != 0 && copy_to_user(uaddr(args[0]), &tv, sizeof(tv)) != 0)
		return -EFAULT;
	return args[1] != 0 ? copy_to_user(uaddr(args[1]), &tz, sizeof(tz)) : 0;
}

SYSCALL_DEFINE(settimeofday)
{
	(void)args;
	return -EPERM;
}

SYSCALL_DEFINE(time)
{
	int64_t now = (int64_t)(realtime_ns() / NSEC_PER_SEC);

	if (args[0] != 0 && copy_to_user(uaddr(args[0]), &now, sizeof(now)) != 0)
		return -EFAULT;
	return now;
}

#define STA_UNSYNC 0x0040
#define TIME_ERROR 5

/* Reading only: the clock is what the machine says. */
static int64_t adjust(uint64_t addr)
{
	struct linux_timex tx;

	if (copy_from_user(&tx, uaddr(addr), sizeof(tx)) != 0)
		return -EFAULT;
	if (tx.modes != 0)
		return -EPERM;
	memset(&tx, 0, sizeof(tx));
	tx.status = STA_UNSYNC;
	tx.maxerror = tx.esterror = 16000000;
	tx.constant = 2;
	tx.precision = 1;
	tx.tolerance = 32768000;
	tx.tick = 10000;
	tx.time = timeval_from_ns(realtime_ns());
	return copy_to_user(uaddr(addr), &tx, sizeof(tx)) != 0 ? -EFAULT : TIME_ERROR;
}

SYSCALL_DEFINE(adjtimex) { return adjust(args[0]); }
SYSCALL_DEFINE(clock_adjtime) { return (int)args[0] == CLOCK_REALTIME ? adjust(args[1]) : -EINVAL; }

/* ---- sleeping ------------------------------------------------------------ */

/* restart_arg: deadline, user address for what is left (0: none). */
static int64_t sleep_restart(struct task *me)
{
	uint64_t deadline = me->restart_arg[0], rem = me->restart_arg[1], now;
	struct linux_timespec left;

	if (sleep_until(deadline) == -ETIMEDOUT)
		return 0;
	now = arch_time_ns();
	left = timespec_from_ns(deadline > now ? deadline - now : 0);
	if (rem != 0 && copy_to_user(uaddr(rem), &left, sizeof(left)) != 0)
		return -EFAULT;
	me->restart_fn = sleep_restart;
	me->restart_arg[0] = deadline;
	me->restart_arg[1] = rem;
	return -ERESTART_RESTARTBLOCK;
}

static int64_t sleep_for(uint64_t ns, uint64_t rem)
{
	struct task *me = current_task();

	me->restart_arg[0] = arch_time_ns() + ns;
	me->restart_arg[1] = rem;
	return sleep_restart(me);
}

SYSCALL_DEFINE(nanosleep)
{
	struct linux_timespec ts;

	if (copy_from_user(&ts, uaddr(args[0]), sizeof(ts)) != 0)
		return -EFAULT;
	return timespec_is_valid(&ts) ? sleep_for(ns_from_timespec(&ts), args[1]) : -EINVAL;
}

/* Until the process has used so much CPU time: it can only pass while others of its threads run. */
static int64_t sleep_on_cpu_clock(int clock, bool is_absolute, uint64_t ns)
{
	uint64_t now, until = ns;
	int r = clock_read(clock, &now);

	if (r == 0 && !is_absolute)
		until = now + ns;
	while (r == 0 && now < until) {
		r = sleep_until(arch_time_ns() + MAX(until - now, NSEC_PER_MSEC));
		r = r == -EINTR ? -ERESTARTNOHAND : clock_read(clock, &now);
	}
	return r;
}

SYSCALL_DEFINE(clock_nanosleep)
{
	int clock = (int)args[0];
	bool is_absolute = ((int)args[1] & TIMER_ABSTIME) != 0;
	struct linux_timespec ts;
	uint64_t ns;

	if (copy_from_user(&ts, uaddr(args[2]), sizeof(ts)) != 0)
		return -EFAULT;
	if (!timespec_is_valid(&ts))
		return -EINVAL;
	ns = ns_from_timespec(&ts);
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_REALTIME_ALARM:
	case CLOCK_TAI:
		if (is_absolute)
			ns = realtime_to_deadline(ns);
		break;
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_BOOTTIME_ALARM: break;
	case CLOCK_PROCESS_CPUTIME_ID: return sleep_on_cpu_clock(clock, is_absolute, ns);
	default: return clock < 0 ? sleep_on_cpu_clock(clock, is_absolute, ns) : -EINVAL;
	}
	if (!is_absolute)
		return sleep_for(ns, args[3]);
	return sleep_until(ns) == -ETIMEDOUT ? 0 : -ERESTARTNOHAND;
}

/* ---- interval timers ----------------------------------------------------- */

static void real_timer_fired(struct ktimer *t)
{
	struct process *p = CONTAINER_OF(t, struct process, real_timer);
	uint64_t now = arch_time_ns(), next = t->deadline_ns;

	signal_send_process(p, SIGALRM, NULL);
	if (p->real_interval_ns == 0)
		return;
	next += p->real_interval_ns;
	if (next <= now) /* late by more than an interval: keep the phase */
		next += (now - next) / p->real_interval_ns * p->real_interval_ns + p->real_interval_ns;
	ktimer_set(t, next);
}

static uint64_t real_timer_left(const struct process *p)
{
	uint64_t now = arch_time_ns();

	if (!ktimer_is_set(&p->real_timer))
		return 0;
	return p->real_timer.deadline_ns > now ? p->real_timer.deadline_ns - now : 1;
}

static void real_timer_set(struct process *p, uint64_t value_ns, uint64_t interval_ns)
{
	p->real_timer.fn = real_timer_fired;
	p->real_interval_ns = interval_ns;
	if (value_ns != 0)
		ktimer_set(&p->real_timer, arch_time_ns() + value_ns);
	else
		ktimer_cancel(&p->real_timer);
}

SYSCALL_DEFINE(alarm)
{
	struct process *p = current_process();
	uint64_t left = real_timer_left(p);

	real_timer_set(p, (uint32_t)args[0] * NSEC_PER_SEC, 0);
	/* Rounded, but never to "none". */
	return left == 0 ? 0 : (int64_t)MAX((left + NSEC_PER_SEC / 2) / NSEC_PER_SEC, (uint64_t)1);
}

/* CPU time the timer counts. */
static uint64_t itimer_used(struct process *p, int which)
{
	struct cpu_times times;

	sched_account_now();
	times = process_times(p);
	return which == ITIMER_VIRTUAL ? times.user_ns : times.user_ns + times.system_ns;
}

static void itimer_get(struct process *p, int which, struct linux_itimerval *out)
{
	struct itimer_cpu *timer = which == ITIMER_VIRTUAL ? &p->virtual_timer : &p->prof_timer;
	uint64_t value = 0, interval, used;

	if (which == ITIMER_REAL) {
		value = real_timer_left(p);
		interval = p->real_interval_ns;
		if (value != 0 && value < NSEC_PER_USEC)
			value = NSEC_PER_USEC;
	} else {
		used = itimer_used(p, which);
		interval = timer->interval_ns;
		if (timer->expires_ns != 0)
			value = timer->expires_ns > used ? timer->expires_ns - used : NSEC_PER_USEC;
	}
	out->value = timeval_from_ns(value);
	out->interval = timeval_from_ns(interval);
}

static void itimer_set(struct process *p, int which, uint64_t value_ns, uint64_t interval_ns)
{
	struct itimer_cpu *timer = which == ITIMER_VIRTUAL ? &p->virtual_timer : &p->prof_timer;

	if (which == ITIMER_REAL) {
		real_timer_set(p, value_ns, interval_ns);
		return;
	}
	timer->expires_ns = value_ns != 0 ? itimer_used(p, which) + value_ns : 0;
	timer->interval_ns = interval_ns;
	cputimer_update_flag(p);
}

static bool is_itimer(int which) { return which >= ITIMER_REAL && which <= ITIMER_PROF; }

SYSCALL_DEFINE(getitimer)
{
	struct linux_itimerval value;

	if (!is_itimer((int)args[0]))
		return -EINVAL;
	itimer_get(current_process(), (int)args[0], &value);
	return copy_to_user(uaddr(args[1]), &value, sizeof(value));
}

SYSCALL_DEFINE(setitimer)
{
	struct linux_itimerval new = {.value = {0, 0}}, old;
	struct process *p = current_process();
	int which = (int)args[0];

	if (!is_itimer(which))
		return -EINVAL;
	if (args[1] != 0 && copy_from_user(&new, uaddr(args[1]), sizeof(new)) != 0)
		return -EFAULT;
	if (!timeval_is_valid(&new.value) || !timeval_is_valid(&new.interval))
		return -EINVAL;
	itimer_get(p, which, &old);
	itimer_set(p, which, ns_from_timeval(&new.value), ns_from_timeval(&new.interval));
	return args[2] != 0 ? copy_to_user(uaddr(args[2]), &old, sizeof(old)) : 0;
}
