/*
 * Signals. Linux's numbers and structures (abi/signal.h). A pending signal is
 * private to a task or shared by its process; sigaction tables are shared with
 * CLONE_SIGHAND. task_lock (sched/task.h) guards all of it; functions named
 * _locked need it held, the others take it.
 */
#ifndef SCHED_SIGNAL_H
#define SCHED_SIGNAL_H

#include "abi/signal.h"
#include "lib/list.h"
#include "lib/types.h"
#include "sched/waitq.h"

struct task;
struct posix_timer;
struct process;
struct trap_frame;

/* One queued signal. */
struct signal_info {
	struct list link;
	struct linux_siginfo info;
	struct posix_timer *timer;     /* owns it; not freed when it is taken */
};

struct signal_queue { uint64_t pending; struct list infos; };
struct signal_shared { struct signal_queue queue; unsigned nr_infos; };

/* The table of actions. */
struct sighand {
	uint32_t refs;
	struct waitq waitq;            /* woken when a signal becomes pending: signalfd */
	uint64_t is_set;               /* signals with an action other than all zeros, that is in actions[] */
	struct linux_sigaction actions[NR_SIGNALS]; /* undefined for the others: see sighand_action() */
};

struct signal_private {
	struct signal_queue queue;
	uint64_t blocked;
	uint64_t waiting_for;          /* rt_sigtimedwait: wakes although blocked */
	uint64_t saved_mask;           /* sigsuspend, ppoll: restored after the handler is set up */
	bool has_saved_mask;
	struct sighand *hand;
	uaddr_t altstack_sp; uint64_t altstack_size; uint32_t altstack_flags;
};

/* si_code values are the caller's; info may be NULL (SI_KERNEL). Never sleeps. -EAGAIN: queue full (real-time). */
int signal_send_task(struct task *t, int sig, const struct linux_siginfo *info);
int signal_send_process(struct process *p, int sig, const struct linux_siginfo *info);
/* To every member; -ESRCH when there is none. No permission checks. */
int signal_send_pgrp(int pgid, int sig, const struct linux_siginfo *info);
int signal_send_task_locked(struct task *t, int sig, const struct linux_siginfo *info);
int signal_send_process_locked(struct process *p, int sig, const struct linux_siginfo *info);
int signal_send_pgrp_locked(int pgid, int sig, const struct linux_siginfo *info);
/* As signal_send_task/_process, with an entry allocated before (POSIX timers). False: still pending from last time. */
bool signal_send_timer_locked(struct task *t, struct process *p, struct signal_info *si);
/* A fault of the current task: unblocks and resets to default if it is blocked or ignored. */
void signal_force(int sig, const struct linux_siginfo *info);
/* Is the task to die, whatever it does? Ends killable sleeps. */
bool signal_is_fatal_pending(const struct task *t);
bool signal_is_ignored(const struct task *t, int sig);
bool signal_is_blocked(const struct task *t, int sig);

/*
 * Takes the next pending signal of the current task that is in `set`, private ones first.
 * Returns its number (and *info), or 0. For sigtimedwait and signalfd.
 */
int signal_dequeue(uint64_t set, struct linux_siginfo *info);
int signal_dequeue_locked(uint64_t set, struct linux_siginfo *info);
/* All signals pending for t: private and shared. */
uint64_t signal_pending_set(const struct task *t);
/* Sets the current task's mask (SIGKILL and SIGSTOP stay unblocked); retargets shared signals it no longer takes. */
void signal_set_blocked(uint64_t mask);
/*
 * For ppoll, pselect6, epoll_pwait, sigsuspend: the mask until the call returns. The old one comes
 * back by itself on the way to user mode, after a handler has been set up with it to be restored.
 * A call that ended without -EINTR/-ERESTART* takes it back itself with signal_restore_saved_mask().
 */
void signal_set_temporary_mask(uint64_t mask);
void signal_restore_saved_mask(void);

/* ---- for src/sched ------------------------------------------------------- */

void signal_init(void);
static inline void signal_queue_init(struct signal_queue *q)
{
	q->pending = 0;
	list_init(&q->infos);
}
void signal_queue_flush_locked(struct signal_queue *q, struct process *p, uint64_t which);
void signal_timer_unqueue_locked(struct signal_info *si, struct task *t, struct process *p);
MUST_CHECK int sighand_create(struct sighand **out);
/* A private copy. clear_handlers: what is caught becomes SIG_DFL (exec, CLONE_CLEAR_SIGHAND). */
MUST_CHECK int sighand_copy(const struct sighand *src, bool clear_handlers, struct sighand **out);
void sighand_reset_handlers(struct sighand *hand);
extern const struct linux_sigaction sigaction_default; /* all zeros: SIG_DFL */
static inline const struct linux_sigaction *sighand_action(const struct sighand *hand, int sig)
{
	return (hand->is_set & SIGMASK(sig)) != 0 ? &hand->actions[sig - 1] : &sigaction_default;
}
static inline void sighand_set_action(struct sighand *hand, int sig, const struct linux_sigaction *action)
{
	hand->is_set |= SIGMASK(sig);
	hand->actions[sig - 1] = *action;
}
/* SIG_DFL, the flags and the mask stay. */
static inline void sighand_reset_handler(struct sighand *hand, int sig)
{
	hand->actions[sig - 1].handler = LINUX_SIG_DFL;
}
void sighand_put(struct sighand *hand);
/* Stops, dies or sets handlers up until nothing is pending. Called by task_return_to_user(). */
void signal_deliver_all(struct trap_frame *frame);
/* t leaves for good: shared signals that only it would have taken go to another thread. */
void signal_retarget_locked(struct task *t);
/* After the number of live tasks fell or one more stopped: is the group stop complete? Tells the parent. */
void signal_check_group_stop_locked(struct process *p);
/* Marks all live tasks of p but `except` to exit, and wakes them. */
void signal_kill_tasks_locked(struct process *p, struct task *except);

#endif
