/*
 * One-shot kernel timers, in a pairing heap ordered by deadline: setting is O(1),
 * expiry and cancelling O(log n) amortised. Callbacks run with no lock held, from
 * trap_interrupt() or on the way back to user mode; they must not sleep.
 */
#ifndef SCHED_TIMER_H
#define SCHED_TIMER_H

#include "lib/types.h"

#define KTIMER_NONE UINT64_MAX

/* All zero: not set. The owner keeps it alive while it is set. */
struct ktimer {
	uint64_t deadline_ns;          /* arch_time_ns() clock */
	void (*fn)(struct ktimer *t);
	/* private to src/sched/timer.c: */
	bool is_set;
	struct ktimer *child, *next;
	struct ktimer *prev;           /* elder sibling, or the parent of a first child */
};

/* Sets t (again) to call t->fn at or soon after deadline_ns. fn may set it again. */
void ktimer_set(struct ktimer *t, uint64_t deadline_ns);
/* Harmless when it is not set. The callback does not run after this returns. */
void ktimer_cancel(struct ktimer *t);
static inline bool ktimer_is_set(const struct ktimer *t) { return t->is_set; }

/* The earliest deadline, or KTIMER_NONE. */
extern struct ktimer *ktimer_first_;
static inline uint64_t ktimer_next(void) { return ktimer_first_ != NULL ? ktimer_first_->deadline_ns : KTIMER_NONE; }
/* Runs what is due at now_ns. */
void ktimer_run(uint64_t now_ns);

/* Wall-clock time: CLOCK_REALTIME. The offset to arch_time_ns() is what boot_info said, moved by clock_settime(2). */
uint64_t realtime_ns(void);
/* The deadline on arch_time_ns()'s clock of a wall-clock time (saturating). */
uint64_t realtime_to_deadline(uint64_t real_ns);
void realtime_set_offset(uint64_t offset_ns);

#endif
