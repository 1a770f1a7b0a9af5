/*
 * Spin locks and sleeping locks. On one CPU a spin lock never spins: a second
 * spin_lock() is a bug, and the assertion finds it. A mutex is handed to its longest
 * waiter, so that nobody starves.
 */
#include "sched/lock.h"

#include "lib/assert.h"
#include "sched/task.h"

void spin_broken_(const struct spinlock *lock)
{
	panic("spin lock %p is %s", (const void *)lock, lock->held != 0 ? "taken twice" : "released, but not held");
}

/* One entry of mutex.waiters, on the sleeper's stack. */
struct mutex_waiter {
	struct list link;
	struct task *task;
};

void mutex_init(struct mutex *m)
{
	m->owner = NULL;
	list_init(&m->waiters);
}

bool mutex_trylock(struct mutex *m)
{
	if (m->owner != NULL)
		return false;
	m->owner = current_task();
	return true;
}

/* The entry leaves the list before its stack frame ends, which the compiler cannot see. */
static __attribute__((noinline)) void add_waiter(struct mutex *m, struct mutex_waiter *w)
{
	list_add_tail(&m->waiters, &w->link);
}

static __attribute__((noinline)) void sleep_for(struct mutex *m)
{
	struct task *me = current_task();
	struct mutex_waiter w;

	ASSERT(m->owner != me);
	w.task = me;
	add_waiter(m, &w);
	me->wait_reason = "mutex";
	while (m->owner != me) {
		me->state = TASK_BLOCKED;
		schedule();
	}
	me->wait_reason = NULL;
}

void mutex_lock(struct mutex *m)
{
	if (!mutex_trylock(m))
		sleep_for(m);
}

void mutex_unlock(struct mutex *m)
{
	struct mutex_waiter *next;

	ASSERT(m->owner == current_task());
	if (list_is_empty(&m->waiters)) {
		m->owner = NULL;
		return;
	}
	next = LIST_FIRST(&m->waiters, struct mutex_waiter, link);
	list_remove(&next->link);
	m->owner = next->task;
	sched_wake(next->task);
}

bool mutex_is_mine(const struct mutex *m) { return m->owner != NULL && m->owner == current_task(); }
