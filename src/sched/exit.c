/*
 * The end of threads and processes: what is released when, orphans, and what the
 * parent is told. Reaping is in wait.c. Lock: task_lock. Sources: _exit(2),
 * wait(2), setpgid(2), vfork(2), POSIX on orphaned process groups.
 */
#include "abi/errno.h"
#include "abi/time.h"
#include "abi/wait.h"
#include "fs/fdtable.h"
#include "fs/tty.h"
#include "lib/assert.h"
#include "mm/aspace.h"
#include "mm/usercopy.h"
#include "sched/futex.h"
#include "sched/internal.h"
#include "trace/trace.h"

/* ---- telling the parent -------------------------------------------------- */

static int64_t ticks(uint64_t ns) { return (int64_t)(ns / (NSEC_PER_SEC / USER_HZ)); }

/* Sends p's parent sig with the siginfo of SIGCHLD. */
static void send_to_parent_locked(struct process *p, int sig, int code, int status)
{
	struct cpu_times times = process_times(p);
	struct linux_siginfo info = {.signo = sig, .code = code};

	info.chld.pid = p->pid;
	info.chld.uid = p->leader->cred.uid;
	info.chld.status = status;
	info.chld.utime = ticks(times.user_ns);
	info.chld.stime = ticks(times.system_ns);
	signal_send_process_locked(p->parent, sig, &info);
}

static const struct linux_sigaction *chld_action(struct process *parent)
{
	struct task *t = process_live_task_locked(parent);

	return t != NULL ? sighand_action(t->sig.hand, SIGCHLD) : NULL;
}

bool exit_notify_parent_locked(struct process *p)
{
	struct process *parent = p->parent;
	const struct linux_sigaction *action = chld_action(parent);
	int status = p->exit_status, sig = p->exit_signal;
	bool is_exit = (status & 0x7f) == 0, is_unwanted = false;

	if (sig == SIGCHLD && action != NULL) {
		bool is_ignored = action->handler == LINUX_SIG_IGN;

		is_unwanted = is_ignored || (action->flags & SA_NOCLDWAIT) != 0;
		if (is_ignored)
			sig = 0;
	}
	if (sig != 0)
		send_to_parent_locked(p, sig, is_exit ? CLD_EXITED : CLD_KILLED, is_exit ? status >> 8 : status & 0x7f);
	waitq_wake_all(&parent->child_waitq);
	return is_unwanted;
}

void exit_notify_stop_locked(struct process *p, int code)
{
	struct process *parent = p->parent;
	const struct linux_sigaction *action;

	if (parent == NULL)
		return;
	action = chld_action(parent);
	if (action != NULL && action->handler != LINUX_SIG_IGN && (action->flags & SA_NOCLDSTOP) == 0)
		send_to_parent_locked(p, SIGCHLD, code, code == CLD_CONTINUED ? SIGCONT : p->stop_signal);
	waitq_wake_all(&parent->child_waitq);
}

/* ---- orphaned process groups --------------------------------------------- */

/* No member has a parent in another group of the same session: nobody could continue it. */
bool pgrp_is_orphaned_locked(int pgid, const struct process *ignored)
{
	struct id *id = id_find_locked(pgid);
	struct process *p;

	if (id == NULL)
		return true;
	LIST_FOR_EACH (p, &id->pgrp, pgrp_link) {
		/* Process 1 counts as a parent: it is a shell as often as not. */
		if (p == ignored || p->is_zombie || p->parent == NULL)
			continue;
		if (p->parent->pgid != pgid && p->parent->sid == p->sid)
			return false;
	}
	return true;
}

static bool pgrp_has_stopped(int pgid)
{
	struct id *id = id_find_locked(pgid);
	struct process *p;

	if (id != NULL)
		LIST_FOR_EACH (p, &id->pgrp, pgrp_link)
			if (p->is_stopped)
				return true;
	return false;
}

/* parent is exiting, or p is (ignored == p): does p's group become orphaned with stopped members? */
static void check_orphaned_pgrp(struct process *p, const struct process *parent,
				const struct process *ignored)
{
	int pgid = p->pgid;

	if (parent == NULL || parent->pgid == pgid || parent->sid != p->sid)
		return;
	if (!pgrp_has_stopped(pgid) || !pgrp_is_orphaned_locked(pgid, ignored))
		return;
	signal_send_pgrp_locked(pgid, SIGHUP, NULL);
	signal_send_pgrp_locked(pgid, SIGCONT, NULL);
}

/* ---- children of the dead ------------------------------------------------ */

/* Who adopts p's children: the nearest living sub-reaper above it, or init. */
static struct process *find_reaper(struct process *p)
{
	struct process *up;

	for (up = p->parent; up != NULL && up != init_process; up = up->parent)
		if (up->is_subreaper && up->nr_tasks > 0)
			return up;
	return init_process;
}

static void reparent_children_locked(struct process *p)
{
	struct process *child, *tmp, *reaper;

	if (list_is_empty(&p->children))
		return;
	reaper = find_reaper(p);
	LIST_FOR_EACH_SAFE (child, tmp, &p->children, sibling) {
		struct task *leader = child->leader;

		if (leader->pdeath_signal != 0)
			signal_send_process_locked(child, leader->pdeath_signal, NULL);
		list_remove(&child->sibling);
		list_add_tail(&reaper->children, &child->sibling);
		child->parent = reaper;
		child->parent_tid = reaper->pid;
		child->exit_signal = SIGCHLD;
		check_orphaned_pgrp(child, p, NULL);
		if (child->is_zombie && exit_notify_parent_locked(child))
			process_unlink_locked(child);
	}
}

/* ---- exit ---------------------------------------------------------------- */

void task_leave_aspace(struct task *t)
{
	uint32_t zero = 0;

	if (t->robust_list.raw != 0)
		futex_exit_robust_list(t);
	t->robust_list = uaddr(0);
	if (t->clear_child_tid.raw != 0 && t->aspace != NULL && t->aspace->refs > 1 &&
	    copy_to_user(t->clear_child_tid, &zero, sizeof(zero)) == 0)
		futex_wake(t->clear_child_tid, false, 1, UINT32_MAX);
	t->clear_child_tid = uaddr(0);
	if (t->vfork_done != NULL)
		completion_done(t->vfork_done);
	t->vfork_done = NULL;
}

static void release_resources(struct task *me)
{
	struct process *p = me->process;
	struct aspace *as = me->aspace;

	task_leave_aspace(me);
	if (as != NULL) {
		uint64_t rss_pages = aspace_rss_pages(as);

		p->max_rss_pages = MAX(p->max_rss_pages, rss_pages);
		me->aspace = NULL;
		sched_switch_aspace(NULL);
		aspace_put(as);
	}
	if (me->files != NULL)
		fdtable_put(me->files);
	me->files = NULL;
	if (me->fs != NULL)
		fs_context_put(me->fs);
	me->fs = NULL;
}

/* What ends with the last thread and may take other locks. */
static void release_process_resources(struct process *p)
{
	ktimer_cancel(&p->real_timer);
	posix_timers_delete_all(p);
	tty_session_leader_exit(p);
}

/* The last thread: the process becomes a zombie, or vanishes when nobody wants to know. */
static void become_zombie_locked(struct process *p)
{
	signal_queue_flush_locked(&p->signal.queue, p, ~UINT64_C(0));
	check_orphaned_pgrp(p, p->parent, p);
	reparent_children_locked(p);
	p->is_stopped = p->continue_pending = false;
	p->is_zombie = true;
	waitq_wake_all(&p->pidfd_waitq);
	if (exit_notify_parent_locked(p))
		process_unlink_locked(p);
}

/* A thread other than the leader leaves no trace but its times. */
static void merge_and_unlink_locked(struct process *p, struct task *t)
{
	p->times.user_ns += t->times.user_ns;
	p->times.system_ns += t->times.system_ns;
	p->nr_minor_faults += t->nr_minor_faults;
	p->nr_major_faults += t->nr_major_faults;
	p->nr_voluntary += t->nr_voluntary;
	p->nr_involuntary += t->nr_involuntary;
	task_unlink_locked(t);
}

NORETURN void task_exit_thread(int wait_status)
{
	struct task *me = current_task();
	struct process *p = me->process;
	bool is_last;

	me->exit_code = wait_status;
	if (trace_calls_on)
		trace_exit(me, wait_status);
	release_resources(me);
	spin_lock(&task_lock);
	is_last = --p->nr_tasks == 0;
	spin_unlock(&task_lock);
	if (is_last) {
		if (!p->is_exiting)
			p->exit_status = p->leader->exit_code;
		if (p == init_process) {
			vfs_sync_all();
			arch_power_off(p->exit_status);
		}
		release_process_resources(p);
	}
	sched_account_now();
	spin_lock(&task_lock);
	me->state = TASK_ZOMBIE;
	signal_queue_flush_locked(&me->sig.queue, p, ~UINT64_C(0));
	if (!is_last) {
		signal_retarget_locked(me);
		signal_check_group_stop_locked(p);
	}
	sighand_put(me->sig.hand);
	me->sig.hand = NULL;
	if (me != p->leader)
		merge_and_unlink_locked(p, me);
	if (is_last)
		become_zombie_locked(p);
	else
		waitq_wake_all(&p->threads_waitq);
	spin_unlock(&task_lock);
	schedule();
	panic("task ran after its exit");
}

NORETURN void task_exit(int code) { task_exit_thread(WAIT_STATUS_EXITED(code)); }

NORETURN void task_exit_group(int wait_status)
{
	struct task *me = current_task();
	struct process *p = me->process;

	spin_lock(&task_lock);
	if (!p->is_exiting) {
		p->is_exiting = true;
		p->exit_status = wait_status;
		signal_kill_tasks_locked(p, me);
	}
	spin_unlock(&task_lock);
	task_exit_thread(p->exit_status);
}

/* ---- exec in a process of several threads -------------------------------- */

/* me takes the place and the number of the leader, which has exited. */
static void become_leader_locked(struct process *p, struct task *me)
{
	struct task *old = p->leader;
	struct id *id = old->id;
	int tid = old->tid;

	ASSERT(old->state == TASK_ZOMBIE);
	old->id = me->id;
	old->id->task = old;
	old->tid = me->tid;
	me->id = id;
	me->id->task = me;
	me->tid = tid;
	p->leader = me;
	merge_and_unlink_locked(p, old);
}

/* Sleeps until no other thread is left. -EINTR: killed meanwhile. */
static int wait_alone(struct process *p, struct task *me)
{
	struct waiter w = {0};
	int r = 0;

	me->is_killable = true;
	for (;;) {
		waitq_prepare(&p->threads_waitq, &w, false);
		if (p->nr_tasks == 1)
			break;
		if (me->must_exit) {
			r = -EINTR;
			break;
		}
		schedule();
	}
	me->is_killable = false;
	waitq_finish(&p->threads_waitq, &w);
	return r;
}

int task_kill_other_threads(void)
{
	struct task *me = current_task();
	struct process *p = me->process;
	int r;

	spin_lock(&task_lock);
	if (me->must_exit || p->exec_task != NULL) {
		spin_unlock(&task_lock);
		return -EAGAIN;
	}
	if (p->nr_tasks > 1) {
		p->exec_task = me;
		signal_kill_tasks_locked(p, me);
	}
	spin_unlock(&task_lock);
	r = wait_alone(p, me);
	spin_lock(&task_lock);
	if (r == 0 && me != p->leader)
		become_leader_locked(p, me);
	p->exec_task = NULL;
	spin_unlock(&task_lock);
	return r;
}
