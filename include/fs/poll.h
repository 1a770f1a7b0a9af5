/*
 * Readiness: a file's poll operation calls poll_wait() for each wait queue that
 * announces a change and returns the events that hold now. poll_many() is what
 * poll(2) and select(2) are made of; epoll.h has epoll(7).
 */
#ifndef FS_POLL_H
#define FS_POLL_H

#include "abi/poll.h"
#include "fs/vfs.h"
#include "sched/waitq.h"

struct poll_table {
	/* Adds the caller to q; no-op when it only wants the current state. */
	void (*add)(struct poll_table *table, struct waitq *q);
};
static inline void poll_wait(struct poll_table *table, struct waitq *q)
{
	if (table != NULL)
		table->add(table, q);
}

/*
 * Puts a waiter with a notify function on q without changing the current task's
 * state, and takes it off. While it is on the queue, each wake-up calls notify.
 */
static inline void poll_waiter_add(struct waitq *q, struct waiter *w)
{
	spin_lock(&q->lock);
	list_add_tail(&q->waiters, &w->link);
	spin_unlock(&q->lock);
}
static inline void poll_waiter_remove(struct waitq *q, struct waiter *w)
{
	if (list_is_empty(&w->link))
		return; /* waitq_detach_all(): the queue is gone */
	spin_lock(&q->lock);
	list_remove(&w->link);
	spin_unlock(&q->lock);
}

struct poll_target {
	struct file *file;     /* a reference of the caller's; NULL: got is final */
	unsigned want, got;    /* POLL*; POLLERR and POLLHUP are always wanted */
};
/*
 * Waits until a target has a wanted event. Returns how many have one; 0 when deadline_ns
 * (arch_time_ns; 0: do not wait, WAIT_FOREVER) has passed; -EINTR, -ENOMEM. Sleeps.
 */
int poll_many(struct poll_target *targets, unsigned nr, uint64_t deadline_ns);

#endif
