/*
 * Wait queues. A sleeper prepares, checks its condition, then schedules; a
 * waker changes the condition, then wakes. No wake-up is lost on any number of CPUs.
 */
#ifndef SCHED_WAITQ_H
#define SCHED_WAITQ_H

#include "lib/list.h"
#include "lib/types.h"
#include "sched/lock.h"

struct task;

struct waitq {
	struct spinlock lock;
	struct list waiters; /* lock guards it */
};

struct waiter {
	struct list link;              /* all zero: not queued yet */
	struct task *task;
	/* NULL: wake the task. Else called instead by waitq_wake (epoll, poll on many). */
	void (*notify)(struct waiter *w);
};

#define WAIT_FOREVER UINT64_MAX

static inline void waitq_init(struct waitq *q)
{
	q->lock = (struct spinlock)SPINLOCK_INIT;
	list_init(&q->waiters);
}
/* Wakes every waiter, or the longest waiting one. Safe from trap_interrupt(). */
void waitq_wake_all(struct waitq *q);
void waitq_wake_one(struct waitq *q);
static inline bool waitq_is_empty(const struct waitq *q) { return list_is_empty(&q->waiters); }
/* The queue is going away: takes every waiter off (all of them have a notify function). */
void waitq_detach_all(struct waitq *q);

void waitq_prepare(struct waitq *q, struct waiter *w, bool interruptible);
void waitq_finish(struct waitq *q, struct waiter *w);
/*
 * Sleeps until woken. 0: woken (check again), -EINTR: a signal is to be
 * delivered (interruptible only), -ETIMEDOUT: deadline_ns (arch_time_ns) has passed.
 */
int waitq_schedule(bool interruptible, uint64_t deadline_ns);
/* Sleeps until deadline_ns or a signal: -ETIMEDOUT or -EINTR. */
int sleep_until(uint64_t deadline_ns);

/*
 * Something that happens once: vfork's parent waits for it. The waiter can be killed; then
 * completion_wait() says -EINTR and the other side must be told that the completion is gone.
 */
struct completion {
	bool is_done;
	struct waitq waitq;
};
void completion_init(struct completion *c);
void completion_done(struct completion *c);
int completion_wait_killable(struct completion *c);

/*
 * Waits until cond holds. Result (an int lvalue): 0, -EINTR or -ETIMEDOUT;
 * 0 whenever cond held at the last look.
 */
#define WAIT_EVENT(result, q, cond, interruptible, deadline_ns)              \
	do {                                                                  \
		struct waiter wait_event_waiter_ = {0};                        \
		(result) = 0;                                                  \
		for (;;) {                                                     \
			waitq_prepare((q), &wait_event_waiter_, (interruptible)); \
			if (cond) {                                            \
				(result) = 0;                                  \
				break;                                         \
			}                                                      \
			if ((result) != 0)                                     \
				break;                                         \
			(result) = waitq_schedule((interruptible), (deadline_ns)); \
		}                                                              \
		waitq_finish((q), &wait_event_waiter_);                        \
	} while (0)

#endif
