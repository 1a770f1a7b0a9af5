/*
 * Delivering signals on the way to user mode: stop, exit, or set a handler up;
 * and what becomes of an interrupted system call. Sources: signal(7) ("Interruption
 * of system calls and library functions by signal handlers"), sigaction(2).
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "sched/internal.h"
#include "syscall/syscall.h"
#include "trace/trace.h"

#define STOP_SIGNALS (SIGMASK(SIGSTOP) | SIGMASK(SIGTSTP) | SIGMASK(SIGTTIN) | SIGMASK(SIGTTOU))

/* ---- job control --------------------------------------------------------- */

void signal_check_group_stop_locked(struct process *p)
{
	if (p->stop_pending == 0 || p->is_stopped || p->nr_tasks == 0 || p->nr_stopped < p->nr_tasks)
		return;
	p->is_stopped = true;
	p->stop_reported = false;
	p->continue_pending = false;
	p->stop_signal = p->stop_pending;
	exit_notify_stop_locked(p, CLD_STOPPED);
}

/* The group is to stop: the other threads join on their own way to user mode. */
static void start_group_stop_locked(struct process *p, int sig)
{
	struct task *t;

	p->stop_pending = sig;
	LIST_FOR_EACH (t, &p->tasks, process_link)
		if (t->state == TASK_SLEEPING)
			sched_wake(t);
}

/* Called with the lock; returns with it, after SIGCONT or SIGKILL. */
static void stop_current_locked(struct task *me)
{
	struct process *p = me->process;

	me->state = TASK_STOPPED;
	p->nr_stopped++;
	signal_check_group_stop_locked(p);
	spin_unlock(&task_lock);
	schedule();
	spin_lock(&task_lock);
}

/* ---- which signal next --------------------------------------------------- */

/* The default action of sig; returns only when it does not end the process. */
static void default_action_locked(struct task *me, int sig, const struct linux_siginfo *info)
{
	struct process *p = me->process;

	if (signal_is_ignored(me, sig))
		return;
	if (process_is_protected(p) && info->code <= 0 && info->code != SI_TIMER && info->kill.pid != p->pid)
		return; /* another process sent it when there was a handler: see signal.c */
	if ((STOP_SIGNALS & SIGMASK(sig)) != 0) {
		if (sig == SIGSTOP || !pgrp_is_orphaned_locked(p->pgid, NULL))
			start_group_stop_locked(p, sig);
		return;
	}
	spin_unlock(&task_lock);
	task_exit_group(sig);
}

/*
 * Does whatever is pending until a signal with a handler comes up: returns it, with its
 * action. 0: nothing is left.
 */
static int next_handled(struct task *me, struct linux_siginfo *info, struct linux_sigaction *action)
{
	struct process *p = me->process;
	int sig;

	spin_lock(&task_lock);
	for (;;) {
		const struct linux_sigaction *a;

		if (me->must_exit) {
			spin_unlock(&task_lock);
			task_exit_thread(p->is_exiting ? p->exit_status : 0);
		}
		if (p->stop_pending != 0) {
			stop_current_locked(me);
			continue;
		}
		sig = signal_dequeue_locked(~me->sig.blocked, info);
		if (sig == 0)
			break;
		if (trace_calls_on)
			trace_signal(me, sig, info);
		a = sighand_action(me->sig.hand, sig);
		if (a->handler == LINUX_SIG_IGN)
			continue;
		if (a->handler == LINUX_SIG_DFL) {
			default_action_locked(me, sig, info);
			continue;
		}
		*action = *a;
		if ((a->flags & SA_RESETHAND) != 0)
			sighand_reset_handler(me->sig.hand, sig);
		break;
	}
	spin_unlock(&task_lock);
	return sig;
}

/* ---- system calls that were interrupted ---------------------------------- */

/* A handler is about to run. */
static void settle_syscall_for_handler(struct task *me, struct trap_frame *frame,
				       const struct linux_sigaction *action)
{
	uint64_t nr = frame_syscall_nr(frame);

	if (nr == NO_SYSCALL)
		return;
	switch (-frame_result(frame)) {
	case ERESTARTSYS:
		if ((action->flags & SA_RESTART) == 0) {
			frame_set_result(frame, -EINTR);
			break;
		}
		/* fall through */
	case ERESTARTNOINTR: frame_restart_syscall(frame, nr); break;
	case ERESTARTNOHAND:
	case ERESTART_RESTARTBLOCK:
		me->restart_fn = NULL;
		frame_set_result(frame, -EINTR);
		break;
	}
	frame_forget_syscall(frame);
}

/* No handler runs: the call goes on as if nothing had been. */
static void restart_syscall_silently(struct task *me, struct trap_frame *frame)
{
	uint64_t nr = frame_syscall_nr(frame);
	int64_t (*fn)(struct task *) = me->restart_fn;

	if (nr == NO_SYSCALL)
		return;
	switch (-frame_result(frame)) {
	case ERESTARTSYS:
	case ERESTARTNOINTR:
	case ERESTARTNOHAND:
		frame_restart_syscall(frame, nr);
		frame_forget_syscall(frame);
		break;
	case ERESTART_RESTARTBLOCK:
		ASSERT(fn != NULL);
		me->restart_fn = NULL;
		frame_set_result(frame, fn(me)); /* may ask to be restarted again */
		break;
	}
}

/* ---- handlers ------------------------------------------------------------ */

static bool is_on_altstack(const struct task *t, uint64_t sp)
{
	uint64_t base = t->sig.altstack_sp.raw;

	if ((t->sig.altstack_flags & SS_AUTODISARM) != 0)
		return false;
	return sp > base && sp - base <= t->sig.altstack_size;
}

static void set_up_handler(struct task *me, struct trap_frame *frame, int sig,
			   const struct linux_siginfo *info, const struct linux_sigaction *action)
{
	bool has_altstack = me->sig.altstack_size != 0;
	bool was_on_it = has_altstack && is_on_altstack(me, frame_sp(frame));
	bool takes_altstack = (action->flags & SA_ONSTACK) != 0 && has_altstack && !was_on_it;
	struct signal_delivery d = {
		.sig = sig,
		.info = info,
		.action = action,
		.mask = me->sig.has_saved_mask ? me->sig.saved_mask : me->sig.blocked,
		.altstack_top = takes_altstack ? me->sig.altstack_sp.raw + me->sig.altstack_size : 0,
		.altstack_sp = me->sig.altstack_sp.raw,
		.altstack_size = me->sig.altstack_size,
		.altstack_flags = !has_altstack ? SS_DISABLE
						: (me->sig.altstack_flags & SS_AUTODISARM) |
							  (was_on_it ? SS_ONSTACK : 0),
		.fault_addr = sig == SIGSEGV || sig == SIGBUS ? info->fault.addr : 0,
	};
	uint64_t blocked = me->sig.blocked | action->mask;

	settle_syscall_for_handler(me, frame, action);
	if (arch_signal_frame_push(me, frame, &d) != 0) {
		if (sig == SIGSEGV)
			sighand_reset_handler(me->sig.hand, SIGSEGV);
		signal_force(SIGSEGV, NULL);
		return;
	}
	if ((me->sig.altstack_flags & SS_AUTODISARM) != 0 && takes_altstack) {
		me->sig.altstack_size = 0;
		me->sig.altstack_flags = SS_DISABLE;
	}
	me->sig.has_saved_mask = false;
	if ((action->flags & SA_NODEFER) == 0)
		blocked |= SIGMASK(sig);
	signal_set_blocked(blocked);
}

void signal_deliver_all(struct trap_frame *frame)
{
	struct task *me = current_task();
	struct linux_siginfo info;
	struct linux_sigaction action;
	int sig = next_handled(me, &info, &action);

	if (sig != 0) {
		set_up_handler(me, frame, sig, &info, &action);
		return; /* the caller asks again: several handlers may be due */
	}
	restart_syscall_silently(me, frame);
	signal_restore_saved_mask();
}
