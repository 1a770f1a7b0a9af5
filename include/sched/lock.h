/*
 * Locks. spinlock: short, never held over a sleep. mutex: sleeps; owned by a
 * task. The kernel is not preemptible and the machines have one CPU today, but
 * the code takes the locks it would need with several; order in docs/LOCKING.md.
 */
#ifndef SCHED_LOCK_H
#define SCHED_LOCK_H

#include "lib/list.h"
#include "lib/types.h"

struct task;

struct spinlock {
	uint32_t held;
};
#define SPINLOCK_INIT {0}
NORETURN void spin_broken_(const struct spinlock *lock);
static inline void spin_lock(struct spinlock *lock)
{
	if (lock->held != 0)
		spin_broken_(lock);
	lock->held = 1;
}
static inline void spin_unlock(struct spinlock *lock)
{
	if (lock->held != 1)
		spin_broken_(lock);
	lock->held = 0;
}
static inline bool spin_is_held(const struct spinlock *lock) { return lock->held != 0; }

struct mutex {
	struct task *owner;
	struct list waiters;
};
void mutex_init(struct mutex *m);
void mutex_lock(struct mutex *m);      /* sleeps, not interruptible */
bool mutex_trylock(struct mutex *m);
void mutex_unlock(struct mutex *m);
bool mutex_is_mine(const struct mutex *m); /* for assertions: held by the current task */

#endif
