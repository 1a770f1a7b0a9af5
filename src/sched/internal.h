/* What the files of src/sched share among themselves. task_lock guards the tree functions (_locked). */
#ifndef SCHED_INTERNAL_H
#define SCHED_INTERNAL_H

#include "sched/task.h"

/* ---- ids: src/sched/id.c ------------------------------------------------- */

void id_init(void);
/* A number not in use (want: this very one); its task is NULL. -ENOMEM, -EAGAIN (all in use), -EEXIST. */
MUST_CHECK int id_alloc_locked(int want, struct id **out);
/* Frees it when it is no task, group or session any more. */
void id_release_locked(struct id *id);
struct id *id_find_locked(int nr);
/* The first used number above nr, or NULL. */
struct id *id_next_locked(int nr);
int id_last_allocated(void);

/* ---- tasks and processes: src/sched/task.c ------------------------------- */

void task_init(void);
/*
 * A task in no list, with kernel stack, FPU image and id: state TASK_BLOCKED, refs 2 (the tree's and the
 * scheduler's). It starts in fn(task) and calls sched_finish_switch() first. Its frame is at the top of the
 * kernel stack, not initialised. -ENOMEM, -EAGAIN, -EEXIST (want_tid).
 */
MUST_CHECK int task_alloc(int want_tid, void (*fn)(void *task), struct task **out);
/* Has the kernel stack not overflowed? */
bool task_stack_is_sound(const struct task *t);
/* Undoes task_alloc(). */
void task_free_unused(struct task *t);
/* Stack and FPU image of a task that will not run again. */
void task_release_stack(struct task *t);
/* First context of a user task: returns to user mode. */
void task_start_user(void *arg);
/* A process in no list, with the limits of parent (NULL: default); refs 1 is the tree's, once it is linked. -ENOMEM. */
MUST_CHECK int process_alloc(const struct process *parent, struct process **out);
/* Puts p and its first task into the tree below parent (NULL: init). */
void process_link_locked(struct process *p, struct task *leader, struct process *parent);
void process_link_task_locked(struct process *p, struct task *t);
void process_set_pgrp_locked(struct process *p, struct id *pgrp);
void process_set_session_locked(struct process *p, struct id *session);
/* Removes an exited thread (not the leader) from its process, its number and the tree's reference. */
void task_unlink_locked(struct task *t);
/* Reaps: removes a zombie from the tree. */
void process_unlink_locked(struct process *p);
unsigned task_count(void);

/* ---- scheduler: src/sched/sched.c ---------------------------------------- */

/* First thing a new task runs: completes the switch that started it. */
void sched_finish_switch(void);
/* Makes `as` (NULL: none) what user mode runs in, now. */
void sched_switch_aspace(struct aspace *as);
/* IRQ_TIMER came: nothing is programmed any more. */
void sched_timer_fired(void);
/* After an interrupt: should the task it interrupted give way? */
void sched_check_preempt(void);
/* A new task shares what is left of its parent's slice, and becomes runnable. */
void sched_start(struct task *child);

/* ---- exit: src/sched/exit.c ---------------------------------------------- */

/* The task leaves its address space: robust futexes, clear_child_tid, vfork's parent. */
void task_leave_aspace(struct task *t);
/* The current thread ends; group exit already arranged. */
NORETURN void task_exit_thread(int wait_status);
/* Kills all other threads of the current process and waits for them; the caller becomes the leader. -EINTR:
 * killed. */
MUST_CHECK int task_kill_other_threads(void);
/* Tells the parent (SIGCHLD, wake). code: CLD_*. Returns true when the parent does not want to reap. */
bool exit_notify_parent_locked(struct process *p);
void exit_notify_stop_locked(struct process *p, int code);

/* ---- signal queues: src/sched/sigqueue.c --------------------------------- */

/*
 * Queues sig with its info. A standard signal is queued once. Without memory, or over
 * RLIMIT_SIGPENDING, a standard signal and any signal of kill(2) stays pending without info.
 */
int signal_queue_add_locked(struct signal_queue *q, struct process *p, int sig,
			    const struct linux_siginfo *info);

/* ---- CPU timers: src/sched/cputimer.c ------------------------------------ */

/* Sends the signals of CPU-time timers that are due. Called with times up to date. */
void cputimer_check(struct task *t);
/* CPU time the process may use until the next one is due (KTIMER_NONE). */
uint64_t cputimer_next_ns(struct process *p);
void cputimer_update_flag(struct process *p);
/* ---- POSIX timers: src/syscall/timer.c ----------------------------------- */

/* Its signal is being delivered: the count of overruns goes with it. */
void posix_timer_signal_taken(struct posix_timer *timer, struct linux_siginfo *info);
void posix_timers_delete_all(struct process *p);

#endif
