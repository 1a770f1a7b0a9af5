/* The per-CPU block; arch_cpu() returns the calling CPU's. */
#ifndef SCHED_CPU_H
#define SCHED_CPU_H

#include "arch/machine.h"
#include "lib/types.h"

struct cpu {
	struct task *current;
	struct task *idle;
	bool need_resched;
	unsigned id;
	uint64_t nr_context_switches;
	/* private to src/sched/sched.c: */
	struct task *switched_from;    /* who ran before current: released by it when dead */
	struct aspace *active_aspace;  /* what arch_mmu_switch() was told last */
	uint64_t timer_ns;             /* what arch_timer_set() was told last; UINT64_MAX: none */
};

static inline struct task *current_task(void) { return arch_cpu()->current; }

#endif
