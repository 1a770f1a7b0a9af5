/*
 * Sending signals: what is dropped, who is woken, job-control side effects. Queues
 * are in sigqueue.c, delivery in sigdeliver.c. Lock: task_lock. Sources:
 * signal(7), kill(2), sigqueue(3), and Linux's kernel/signal.c where they leave a choice.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "sched/internal.h"

#define STOP_SIGNALS (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))
#define DEFAULT_IGNORED (SIGMASK(SIGCHLD) | SIGMASK(SIGCONT) | SIGMASK(SIGURG) | SIGMASK(SIGWINCH))

/* ---- questions ----------------------------------------------------------- */

uint64_t signal_pending_set(const struct task *t)
{
	return t->sig.queue.pending | t->process->signal.queue.pending;
}

bool signal_is_fatal_pending(const struct task *t) { return t->must_exit; }

bool signal_is_blocked(const struct task *t, int sig) { return (t->sig.blocked & SIGMASK(sig)) != 0; }

static uint64_t handler_of(const struct task *t, int sig) { return sighand_action(t->sig.hand, sig)->handler; }

bool signal_is_ignored(const struct task *t, int sig)
{
	uint64_t handler = handler_of(t, sig);

	return handler == LINUX_SIG_IGN ||
	       (handler == LINUX_SIG_DFL && (DEFAULT_IGNORED & SIGMASK(sig)) != 0);
}

/*
 * Other processes cannot send init what it has no handler for. The kernel (a terminal, a fault,
 * a timer) can, and so can init itself: a first program that calls abort() dies of it.
 */
static bool is_dropped_unhandled(const struct task *t, int sig, const struct linux_siginfo *info)
{
	bool is_foreign = info != NULL && info->code <= 0 && info->code != SI_TIMER &&
			  current_process() != init_process;

	if (process_is_protected(t->process) && is_foreign && handler_of(t, sig) == LINUX_SIG_DFL &&
	    ((t->sig.blocked & SIGMASK(sig)) == 0 || sig == SIGKILL || sig == SIGSTOP))
		return true;
	if (((t->sig.blocked | t->sig.waiting_for) & SIGMASK(sig)) != 0)
		return false;
	return signal_is_ignored(t, sig);
}

static inline bool is_dropped(const struct task *t, int sig, const struct linux_siginfo *info)
{
	return handler_of(t, sig) <= LINUX_SIG_IGN && is_dropped_unhandled(t, sig, info);
}

/* ---- waking -------------------------------------------------------------- */

/* Wakes a sleeper that a signal may disturb. */
static void wake_for_signal(struct task *t, bool is_fatal)
{
	if (t->state == TASK_SLEEPING || (is_fatal && t->state == TASK_STOPPED) ||
	    (is_fatal && t->state == TASK_BLOCKED && t->is_killable))
		sched_wake(t);
}

void signal_kill_tasks_locked(struct process *p, struct task *except)
{
	struct task *t;

	ASSERT(spin_is_held(&task_lock));
	p->stop_pending = 0;
	p->nr_stopped = 0;
	cpu_note_work();
	LIST_FOR_EACH (t, &p->tasks, process_link) {
		if (t == except || t->state == TASK_ZOMBIE || t->state == TASK_DEAD)
			continue;
		t->must_exit = true;
		wake_for_signal(t, true);
	}
}

/* A fatal signal takes effect at once: the whole process is marked. */
static void kill_process(struct process *p, int sig)
{
	if (p->is_exiting)
		return;
	p->is_exiting = true;
	p->exit_status = sig;
	p->is_stopped = false;
	signal_kill_tasks_locked(p, NULL);
}

/* SIGCONT: whoever stopped goes on. */
static void continue_process(struct process *p)
{
	struct task *t;
	bool was_stopped = p->is_stopped;

	p->stop_pending = 0;
	p->nr_stopped = 0;
	LIST_FOR_EACH (t, &p->tasks, process_link)
		if (t->state == TASK_STOPPED)
			sched_wake(t);
	if (!was_stopped)
		return;
	p->is_stopped = false;
	p->continue_pending = true;
	exit_notify_stop_locked(p, CLD_CONTINUED);
}

/* A stop signal and SIGCONT annul each other, whether or not they are blocked or ignored. */
static void annul_opposites(struct process *p, int sig)
{
	uint64_t annulled;
	struct task *t;

	if (sig == SIGCONT)
		annulled = STOP_SIGNALS;
	else if ((STOP_SIGNALS & SIGMASK(sig)) != 0)
		annulled = SIGMASK(SIGCONT);
	else
		return;
	signal_queue_flush_locked(&p->signal.queue, p, annulled);
	LIST_FOR_EACH (t, &p->tasks, process_link)
		signal_queue_flush_locked(&t->sig.queue, p, annulled);
	if (sig == SIGCONT)
		continue_process(p);
}

static bool takes(const struct task *t, int sig)
{
	return t->state != TASK_ZOMBIE && t->state != TASK_DEAD && !t->must_exit &&
	       ((~t->sig.blocked | t->sig.waiting_for) & SIGMASK(sig)) != 0;
}

/* The thread a shared signal goes to: the one in rt_sigtimedwait, the leader, or any that takes it. */
static struct task *choose_thread(struct process *p, int sig)
{
	struct task *t;

	if (p->nr_tasks > 1)
		LIST_FOR_EACH (t, &p->tasks, process_link)
			if (takes(t, sig) && (t->sig.waiting_for & SIGMASK(sig)) != 0)
				return t;
	LIST_FOR_EACH (t, &p->tasks, process_link)
		if (takes(t, sig))
			return t;
	return NULL;
}

/* target NULL: to the process, of which `judge` is a live thread; else both are the same. */
static void announce(struct process *p, const struct task *target, struct task *judge, int sig)
{
	struct task *t = takes(judge, sig) ? judge : NULL;

	if (target == NULL && (t == NULL || p->nr_tasks > 1))
		t = choose_thread(p, sig);
	if (t != NULL)
		wake_for_signal(t, false);
	if (!waitq_is_empty(&judge->sig.hand->waitq))
		waitq_wake_all(&judge->sig.hand->waitq);
}

/* ---- sending ------------------------------------------------------------- */

/* target NULL: to the process. */
static int send_locked(struct process *p, struct task *target, int sig, const struct linux_siginfo *info)
{
	struct task *judge = target != NULL ? target : process_live_task_locked(p);
	int r;

	ASSERT(spin_is_held(&task_lock));
	if (sig == 0 || judge == NULL || judge->state == TASK_ZOMBIE || judge->state == TASK_DEAD)
		return 0;
	if (p->is_exiting)
		return 0;
	if (is_dropped(judge, sig, info) && process_is_protected(p))
		return 0;
	annul_opposites(p, sig);
	if (is_dropped(judge, sig, info))
		return 0;
	if (sig == SIGKILL) {
		kill_process(p, SIGKILL);
		return 0;
	}
	r = signal_queue_add_locked(target != NULL ? &target->sig.queue : &p->signal.queue, p, sig, info);
	if (r == 0)
		announce(p, target, judge, sig);
	return r;
}

int signal_send_task_locked(struct task *t, int sig, const struct linux_siginfo *info)
{
	return send_locked(t->process, t, sig, info);
}

int signal_send_process_locked(struct process *p, int sig, const struct linux_siginfo *info)
{
	return send_locked(p, NULL, sig, info);
}

int signal_send_pgrp_locked(int pgid, int sig, const struct linux_siginfo *info)
{
	struct id *id = id_find_locked(pgid);
	struct process *p;
	int r = -ESRCH;

	if (id == NULL)
		return r;
	LIST_FOR_EACH (p, &id->pgrp, pgrp_link) {
		int sent = send_locked(p, NULL, sig, info);

		if (r != 0)
			r = sent;
	}
	return r;
}

int signal_send_task(struct task *t, int sig, const struct linux_siginfo *info)
{
	int r;

	spin_lock(&task_lock);
	r = signal_send_task_locked(t, sig, info);
	spin_unlock(&task_lock);
	return r;
}

int signal_send_process(struct process *p, int sig, const struct linux_siginfo *info)
{
	int r;

	spin_lock(&task_lock);
	r = signal_send_process_locked(p, sig, info);
	spin_unlock(&task_lock);
	return r;
}

int signal_send_pgrp(int pgid, int sig, const struct linux_siginfo *info)
{
	int r;

	spin_lock(&task_lock);
	r = signal_send_pgrp_locked(pgid, sig, info);
	spin_unlock(&task_lock);
	return r;
}

bool signal_send_timer_locked(struct task *t, struct process *p, struct signal_info *si)
{
	struct task *judge = t != NULL ? t : process_live_task_locked(p);
	struct signal_queue *q = t != NULL ? &t->sig.queue : &p->signal.queue;

	if (!list_is_empty(&si->link))
		return false;
	if (judge == NULL || p->is_exiting || judge->state == TASK_ZOMBIE || judge->state == TASK_DEAD ||
	    is_dropped(judge, si->info.signo, &si->info))
		return true;
	list_add_tail(&q->infos, &si->link);
	q->pending |= SIGMASK(si->info.signo);
	cpu_note_work();
	announce(p, t, judge, si->info.signo);
	return true;
}

void signal_force(int sig, const struct linux_siginfo *info)
{
	struct task *me = current_task();
	struct process *p = me->process;

	spin_lock(&task_lock);
	if (handler_of(me, sig) == LINUX_SIG_IGN || (me->sig.blocked & SIGMASK(sig)) != 0) {
		sighand_reset_handler(me->sig.hand, sig);
		me->sig.blocked &= ~SIGMASK(sig);
	}
	if (sig == SIGKILL)
		kill_process(p, SIGKILL);
	else if (!p->is_exiting)
		signal_queue_add_locked(&me->sig.queue, p, sig, info);
	spin_unlock(&task_lock);
}

void signal_retarget_locked(struct task *t)
{
	struct process *p = t->process;
	uint64_t shared = p->signal.queue.pending & ~t->sig.blocked;

	while (shared != 0) {
		int sig = __builtin_ctzll(shared) + 1;
		struct task *other = choose_thread(p, sig);

		if (other != NULL && other != t)
			wake_for_signal(other, false);
		shared &= shared - 1;
	}
}

/* ---- masks --------------------------------------------------------------- */

void signal_set_blocked(uint64_t mask)
{
	struct task *me = current_task();
	uint64_t newly_blocked;

	mask &= ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP));
	newly_blocked = mask & ~me->sig.blocked;
	if (me->process->nr_tasks > 1 && (me->process->signal.queue.pending & newly_blocked) != 0) {
		spin_lock(&task_lock);
		signal_retarget_locked(me);
		spin_unlock(&task_lock);
	}
	me->sig.blocked = mask;
	if (signal_is_pending(me))
		cpu_note_work();
}

void signal_set_temporary_mask(uint64_t mask)
{
	struct task *me = current_task();

	me->sig.saved_mask = me->sig.blocked;
	me->sig.has_saved_mask = true;
	cpu_note_work();
	signal_set_blocked(mask);
}

void signal_restore_saved_mask(void)
{
	struct task *me = current_task();

	if (!me->sig.has_saved_mask)
		return;
	me->sig.has_saved_mask = false;
	signal_set_blocked(me->sig.saved_mask);
}
