/*
 * How an upcall from user mode begins and ends: what time it is, and for whom it has passed. Each instruction is in
 * every system call and fault. What is not always to be done is task_return_to_user()'s, for which cpu.has_work and
 * cpu.timer_ns ask (sched/cpu.h).
 */
#ifndef SCHED_UPCALL_H
#define SCHED_UPCALL_H

#include "sched/task.h"

/* User mode has run until now. Returns the current task. */
static inline struct task *upcall_enter(void)
{
	uint64_t now = arch_time_ns();
	struct task *me = current_task();
	uint64_t ran_ns = now - me->account_ns;

	me->account_ns = now;
	me->times.user_ns += ran_ns;
	return me;
}

/* The last thing an upcall does, unless it calls task_return_to_user() itself. */
static inline void upcall_leave(struct trap_frame *frame)
{
	const struct cpu *cpu = arch_cpu();
	uint64_t now = arch_time_ns(), ran_ns;
	struct task *me = cpu->current;

	if (cpu->has_work || now >= cpu->timer_ns) {
		task_return_to_user(frame);
		return;
	}
	ran_ns = now - me->account_ns;
	me->account_ns = now;
	me->times.system_ns += ran_ns;
}

#endif
