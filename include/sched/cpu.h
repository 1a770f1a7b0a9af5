/* The per-CPU block; arch_cpu() returns the calling CPU's. */
#ifndef SCHED_CPU_H
#define SCHED_CPU_H

#include "arch/machine.h"
#include "lib/types.h"

struct cpu {
	struct task *current;
	struct task *idle;
	/*
	 * Before user mode runs again, task_return_to_user() is to look: a signal, a timer or a task that waits for
	 * the CPU is new, or another task is current. Set by whoever brings it about, for upcall_leave().
	 */
	bool has_work;
	uint64_t timer_ns;             /* likewise at this time: as arch_timer_set() was told last. UINT64_MAX: none */
	bool need_resched;
	unsigned id;
	uint64_t nr_context_switches;
	/* private to src/sched/sched.c: */
	struct task *switched_from;    /* who ran before current: released by it when dead */
	struct aspace *active_aspace;  /* what arch_mmu_switch() was told last */
};

static inline struct task *current_task(void) { return arch_cpu()->current; }
static inline void cpu_note_work(void) { arch_cpu()->has_work = true; }

#endif
