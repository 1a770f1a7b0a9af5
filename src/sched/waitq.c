/*
 * Wait queues and what is built on them: sleeping until a time, completions.
 * A waiter stays on its queue until waitq_finish(), except that waitq_wake_one()
 * takes the one it woke off, so that the next call wakes another.
 * Lock: queue->lock; the run queue is changed inside it.
 */
#include "sched/waitq.h"

#include "abi/errno.h"
#include "lib/assert.h"
#include "sched/task.h"

void waitq_detach_all(struct waitq *q)
{
	spin_lock(&q->lock);
	while (!list_is_empty(&q->waiters)) {
		struct waiter *w = LIST_FIRST(&q->waiters, struct waiter, link);

		ASSERT(w->notify != NULL);
		list_remove(&w->link);
	}
	spin_unlock(&q->lock);
}

/* Wakes one; returns true when it was a task (not a notification). */
static bool wake_waiter(struct waiter *w)
{
	if (w->notify != NULL) {
		w->notify(w);
		return false;
	}
	sched_wake(w->task);
	return true;
}

void waitq_wake_all(struct waitq *q)
{
	struct waiter *w, *tmp;

	if (waitq_is_empty(q))
		return;
	spin_lock(&q->lock);
	LIST_FOR_EACH_SAFE (w, tmp, &q->waiters, link)
		wake_waiter(w);
	spin_unlock(&q->lock);
}

void waitq_wake_one(struct waitq *q)
{
	struct waiter *w, *tmp;

	if (waitq_is_empty(q))
		return;
	spin_lock(&q->lock);
	LIST_FOR_EACH_SAFE (w, tmp, &q->waiters, link) {
		if (!wake_waiter(w))
			continue;
		list_remove(&w->link);
		break;
	}
	spin_unlock(&q->lock);
}

void waitq_prepare(struct waitq *q, struct waiter *w, bool interruptible)
{
	struct task *me = current_task();

	w->task = me;
	if (w->link.next == NULL)
		list_init(&w->link);
	spin_lock(&q->lock);
	if (list_is_empty(&w->link))
		list_add_tail(&q->waiters, &w->link);
	me->state = interruptible ? TASK_SLEEPING : TASK_BLOCKED;
	spin_unlock(&q->lock);
}

void waitq_finish(struct waitq *q, struct waiter *w)
{
	current_task()->state = TASK_RUNNABLE;
	spin_lock(&q->lock);
	list_remove(&w->link);
	spin_unlock(&q->lock);
}

/* A timer that wakes a task. */
struct sleep_timer {
	struct ktimer timer;
	struct task *task;
	bool has_fired;
};

static void sleep_timer_fired(struct ktimer *t)
{
	struct sleep_timer *s = CONTAINER_OF(t, struct sleep_timer, timer);

	s->has_fired = true;
	sched_wake(s->task);
}

int waitq_schedule(bool interruptible, uint64_t deadline_ns)
{
	struct task *me = current_task();
	struct sleep_timer s = {.timer = {.fn = sleep_timer_fired}, .task = me};

	if (interruptible && signal_is_pending(me)) {
		me->state = TASK_RUNNABLE;
		return -EINTR;
	}
	if (deadline_ns != WAIT_FOREVER) {
		if (arch_time_ns() >= deadline_ns) {
			me->state = TASK_RUNNABLE;
			return -ETIMEDOUT;
		}
		ktimer_set(&s.timer, deadline_ns);
	}
	schedule();
	if (deadline_ns != WAIT_FOREVER)
		ktimer_cancel(&s.timer);
	if (s.has_fired)
		return -ETIMEDOUT;
	return interruptible && signal_is_pending(me) ? -EINTR : 0;
}

int sleep_until(uint64_t deadline_ns)
{
	struct task *me = current_task();
	int r;

	do {
		me->state = TASK_SLEEPING;
		r = waitq_schedule(true, deadline_ns);
	} while (r == 0);
	return r;
}

void completion_init(struct completion *c)
{
	c->is_done = false;
	waitq_init(&c->waitq);
}

void completion_done(struct completion *c)
{
	c->is_done = true;
	waitq_wake_all(&c->waitq);
}

int completion_wait_killable(struct completion *c)
{
	struct task *me = current_task();
	struct waiter w = {0};
	int r = 0;

	me->is_killable = true;
	for (;;) {
		waitq_prepare(&c->waitq, &w, false);
		if (c->is_done)
			break;
		if (signal_is_fatal_pending(me)) {
			r = -EINTR;
			break;
		}
		schedule();
	}
	me->is_killable = false;
	waitq_finish(&c->waitq, &w);
	return r;
}
