/*
 * POSIX timers: timer_create(2) and its family, on the real-time and monotonic clocks.
 * A timer owns the one signal entry it queues; expirations while that is still pending
 * are counted as overruns. Lock: task_lock.
 */
#include "abi/errno.h"
#include "abi/time.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/internal.h"
#include "syscall/syscall.h"
#include "syscall/timeconv.h"

#define OVERRUN_MAX INT32_MAX

struct posix_timer {
	struct list link; /* process->posix_timers */
	int id, clock, notify;
	struct process *process; /* owner: the timer goes before it does */
	struct task *task;	 /* SIGEV_THREAD_ID: with a reference, else NULL */
	struct signal_info signal;
	struct ktimer ktimer;
	uint64_t interval_ns;
	uint64_t overrun, last_overrun;
};

static void add_overrun(struct posix_timer *pt, uint64_t nr)
{
	pt->overrun = MIN(pt->overrun + nr, (uint64_t)OVERRUN_MAX);
}

static void expired(struct ktimer *t)
{
	struct posix_timer *pt = CONTAINER_OF(t, struct posix_timer, ktimer);
	uint64_t now = arch_time_ns(), next = t->deadline_ns;

	spin_lock(&task_lock);
	if (pt->notify != SIGEV_NONE && !signal_send_timer_locked(pt->task, pt->process, &pt->signal))
		add_overrun(pt, 1);
	if (pt->interval_ns != 0) {
		uint64_t missed = now > next ? (now - next) / pt->interval_ns : 0;

		add_overrun(pt, missed);
		ktimer_set(t, next + (missed + 1) * pt->interval_ns);
	}
	spin_unlock(&task_lock);
}

void posix_timer_signal_taken(struct posix_timer *pt, struct linux_siginfo *info)
{
	info->timer.overrun = (int32_t)pt->overrun;
	pt->last_overrun = pt->overrun;
	pt->overrun = 0;
}

static void delete_timer(struct posix_timer *pt)
{
	ktimer_cancel(&pt->ktimer);
	spin_lock(&task_lock);
	signal_timer_unqueue_locked(&pt->signal, pt->task, pt->process);
	list_remove(&pt->link);
	spin_unlock(&task_lock);
	if (pt->task != NULL)
		task_put(pt->task);
	kfree(pt);
}

void posix_timers_delete_all(struct process *p)
{
	while (!list_is_empty(&p->posix_timers))
		delete_timer(LIST_FIRST(&p->posix_timers, struct posix_timer, link));
}

static struct posix_timer *find(int id)
{
	struct posix_timer *pt;

	LIST_FOR_EACH (pt, &current_process()->posix_timers, link)
		if (pt->id == id)
			return pt;
	return NULL;
}

/* ---- timer_create -------------------------------------------------------- */

static int check_clock(int clock)
{
	switch (clock) {
	case CLOCK_REALTIME:
	case CLOCK_MONOTONIC:
	case CLOCK_BOOTTIME:
	case CLOCK_TAI: return 0;
	case CLOCK_PROCESS_CPUTIME_ID:
	case CLOCK_THREAD_CPUTIME_ID: return -EOPNOTSUPP;
	default: return -EINVAL;
	}
}

/* The thread to be notified, with a reference: one of the caller's. */
static int find_thread(int tid, struct task **out)
{
	struct task *t = task_find(tid);

	if (t == NULL)
		return -EINVAL;
	if (t->process != current_process()) {
		task_put(t);
		return -EINVAL;
	}
	*out = t;
	return 0;
}

static int check_event(const struct linux_sigevent *ev, struct task **thread)
{
	*thread = NULL;
	switch (ev->notify) {
	case SIGEV_NONE: return 0;
	case SIGEV_SIGNAL:
	case SIGEV_THREAD:
	case SIGEV_SIGNAL | SIGEV_THREAD_ID:
		if (ev->signo < 1 || ev->signo > NR_SIGNALS)
			return -EINVAL;
		return ev->notify == (SIGEV_SIGNAL | SIGEV_THREAD_ID) ? find_thread(ev->tid, thread) : 0;
	default: return -EINVAL;
	}
}

static void fill(struct posix_timer *pt, int clock, const struct linux_sigevent *ev, bool has_event)
{
	struct process *p = current_process();
	struct linux_siginfo *info = &pt->signal.info;

	pt->id = p->next_timer_id++;
	pt->clock = clock;
	pt->notify = ev->notify;
	pt->process = p;
	pt->ktimer.fn = expired;
	list_init(&pt->signal.link);
	pt->signal.timer = pt;
	info->signo = ev->signo;
	info->code = SI_TIMER;
	info->timer.tid = pt->id;
	info->timer.value = has_event ? ev->value : (uint64_t)pt->id;
	list_add_tail(&p->posix_timers, &pt->link);
}

SYSCALL_DEFINE(timer_create)
{
	struct linux_sigevent ev = {.signo = SIGALRM, .notify = SIGEV_SIGNAL};
	struct posix_timer *pt;
	struct task *thread;
	int r = check_clock((int)args[0]);

	if (r != 0)
		return r;
	if (args[1] != 0 && copy_from_user(&ev, uaddr(args[1]), sizeof(ev)) != 0)
		return -EFAULT;
	r = check_event(&ev, &thread);
	if (r != 0)
		return r;
	pt = kzalloc(sizeof(*pt));
	if (pt == NULL) {
		if (thread != NULL)
			task_put(thread);
		return -EAGAIN;
	}
	pt->task = thread;
	fill(pt, (int)args[0], &ev, args[1] != 0);
	if (copy_to_user(uaddr(args[2]), &pt->id, sizeof(pt->id)) != 0) {
		delete_timer(pt);
		return -EFAULT;
	}
	return 0;
}

/* ---- the rest ------------------------------------------------------------ */

static struct linux_itimerspec get_time(const struct posix_timer *pt)
{
	uint64_t now = arch_time_ns(), left = 0;

	if (ktimer_is_set(&pt->ktimer))
		left = pt->ktimer.deadline_ns > now ? pt->ktimer.deadline_ns - now : 1;
	return (struct linux_itimerspec){timespec_from_ns(pt->interval_ns), timespec_from_ns(left)};
}

static void set_time(struct posix_timer *pt, bool is_absolute, const struct linux_itimerspec *spec)
{
	uint64_t value = ns_from_timespec(&spec->value);

	ktimer_cancel(&pt->ktimer);
	spin_lock(&task_lock);
	signal_timer_unqueue_locked(&pt->signal, pt->task, pt->process);
	spin_unlock(&task_lock);
	pt->overrun = pt->last_overrun = 0;
	pt->interval_ns = value != 0 ? ns_from_timespec(&spec->interval) : 0;
	if (value == 0)
		return;
	if (!is_absolute)
		value += arch_time_ns();
	else if (pt->clock == CLOCK_REALTIME || pt->clock == CLOCK_TAI)
		value = realtime_to_deadline(value);
	ktimer_set(&pt->ktimer, value);
}

SYSCALL_DEFINE(timer_settime)
{
	struct linux_itimerspec new, old;
	struct posix_timer *pt;

	if (args[2] == 0)
		return -EINVAL;
	if (copy_from_user(&new, uaddr(args[2]), sizeof(new)) != 0)
		return -EFAULT;
	if (!timespec_is_valid(&new.value) || !timespec_is_valid(&new.interval))
		return -EINVAL;
	pt = find((int)args[0]);
	if (pt == NULL)
		return -EINVAL;
	old = get_time(pt);
	set_time(pt, ((int)args[1] & TIMER_ABSTIME) != 0, &new);
	return args[3] != 0 ? copy_to_user(uaddr(args[3]), &old, sizeof(old)) : 0;
}

SYSCALL_DEFINE(timer_gettime)
{
	const struct posix_timer *pt = find((int)args[0]);
	struct linux_itimerspec spec;

	if (pt == NULL)
		return -EINVAL;
	spec = get_time(pt);
	return copy_to_user(uaddr(args[1]), &spec, sizeof(spec));
}

SYSCALL_DEFINE(timer_getoverrun)
{
	const struct posix_timer *pt = find((int)args[0]);

	return pt != NULL ? (int64_t)pt->last_overrun : -EINVAL;
}

SYSCALL_DEFINE(timer_delete)
{
	struct posix_timer *pt = find((int)args[0]);

	if (pt == NULL)
		return -EINVAL;
	delete_timer(pt);
	return 0;
}
