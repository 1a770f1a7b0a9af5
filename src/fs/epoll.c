/*
 * epoll(7): a set of watched files and the list of those with news. Each item
 * stands on the wait queues of its file; a wake-up puts it on the ready list, and
 * epoll_wait looks whether its events hold (level), or held once since (edge).
 * Owns struct epoll and struct epoll_item.
 * Locks: epoll->lock (sleeping) guards the items; epoll->ready_lock (spin, taken in
 * wake-ups) the ready list. An outer epoll's lock is taken before an inner's: watch
 * loops are refused. Order: epoll->lock, then the files' own, then queues, then ready_lock.
 * Invariant: an item is in its epoll's table and on its file's list, or being freed.
 */
#include "fs/epoll.h"

#include "abi/errno.h"
#include "fs/poll.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"

#define NESTING_MAX 4
#define NR_INLINE_WAITERS 2
#define BUCKETS_MIN 16u
#define EVENTS_ALWAYS (EPOLLERR | EPOLLHUP)
#define EVENTS_PRIVATE (EPOLLET | EPOLLONESHOT | EPOLLWAKEUP | EPOLLEXCLUSIVE)

struct epoll {
	uint32_t refs;             /* the file, and epoll_file_release() under way */
	struct mutex lock;
	struct list *buckets;      /* of items, by descriptor and file */
	unsigned nr_buckets, nr_items;
	struct spinlock ready_lock;
	struct list ready;
	struct waitq waitq;        /* epoll_wait sleeps here */
	struct waitq poll_waitq;   /* those who watch this epoll itself */
};

struct epoll_waiter {
	struct waiter waiter;
	struct waitq *q;
	struct epoll_item *item;
	struct epoll_waiter *next; /* beyond the inline ones */
};

struct epoll_item {
	struct epoll *epoll;
	struct file *file;         /* no reference: its last one removes the item */
	int fd;
	uint32_t events;
	uint64_t data;
	struct list table_link;
	struct list ready_link;    /* ready_lock; empty: not on the list */
	struct epoll_item *file_next;
	unsigned nr_inline;
	struct epoll_waiter inline_waiters[NR_INLINE_WAITERS];
	struct epoll_waiter *more;
	bool is_out_of_memory;     /* of a waiter, while it is being added */
};

struct item_table {
	struct poll_table table;
	struct epoll_item *item;
};

static const struct file_ops epoll_fops;

bool file_is_epoll(const struct file *file) { return file->ops == &epoll_fops; }

/* ---- the table of items -------------------------------------------------- */

static struct list *bucket_of(struct epoll *ep, const struct file *file, int fd)
{
	uint64_t key = ((uint64_t)(uintptr_t)file >> 6) * 31 + (unsigned)fd;

	return &ep->buckets[key * 0x9e3779b97f4a7c15u >> 32 & (ep->nr_buckets - 1)];
}

static struct epoll_item *item_find(struct epoll *ep, const struct file *file, int fd)
{
	struct epoll_item *item;
	struct list *bucket = bucket_of(ep, file, fd);

	LIST_FOR_EACH(item, bucket, table_link)
		if (item->file == file && item->fd == fd)
			return item;
	return NULL;
}

static struct list *buckets_alloc(unsigned nr)
{
	struct list *buckets = kmalloc(nr * sizeof(*buckets));

	for (unsigned i = 0; buckets != NULL && i < nr; i++)
		list_init(&buckets[i]);
	return buckets;
}

/* Keeps chains short; not growing for lack of memory only makes them longer. */
static void table_grow(struct epoll *ep)
{
	struct list *old = ep->buckets, *bigger;
	unsigned nr_old = ep->nr_buckets;
	struct epoll_item *item, *tmp;

	if (ep->nr_items < 2 * nr_old)
		return;
	bigger = buckets_alloc(nr_old * 4);
	if (bigger == NULL)
		return;
	ep->buckets = bigger;
	ep->nr_buckets = nr_old * 4;
	for (unsigned i = 0; i < nr_old; i++)
		LIST_FOR_EACH_SAFE(item, tmp, &old[i], table_link) {
			list_remove(&item->table_link);
			list_add_tail(bucket_of(ep, item->file, item->fd), &item->table_link);
		}
	kfree(old);
}

/* ---- readiness ----------------------------------------------------------- */

static void item_queue(struct epoll_item *item)
{
	struct epoll *ep = item->epoll;

	spin_lock(&ep->ready_lock);
	if (list_is_empty(&item->ready_link))
		list_add_tail(&ep->ready, &item->ready_link);
	spin_unlock(&ep->ready_lock);
}

/* There is news of the item: whoever waits is woken. From any context. */
static void item_ready(struct epoll_item *item)
{
	item_queue(item);
	waitq_wake_one(&item->epoll->waitq);
	waitq_wake_all(&item->epoll->poll_waitq);
}

static void item_unready(struct epoll_item *item)
{
	spin_lock(&item->epoll->ready_lock);
	list_remove(&item->ready_link);
	spin_unlock(&item->epoll->ready_lock);
}

static void item_notify(struct waiter *w)
{
	struct epoll_item *item = CONTAINER_OF(w, struct epoll_waiter, waiter)->item;

	/* A one-shot item that has fired waits for EPOLL_CTL_MOD. */
	if ((item->events & ~EVENTS_PRIVATE) != 0)
		item_ready(item);
}

static void item_table_add(struct poll_table *table, struct waitq *q)
{
	struct epoll_item *item = CONTAINER_OF(table, struct item_table, table)->item;
	struct epoll_waiter *w;

	if (item->nr_inline < NR_INLINE_WAITERS) {
		w = &item->inline_waiters[item->nr_inline++];
	} else {
		w = kmalloc(sizeof(*w));
		if (w == NULL) {
			item->is_out_of_memory = true;
			return;
		}
		w->next = item->more;
		item->more = w;
	}
	w->waiter = (struct waiter){.task = current_task(), .notify = item_notify};
	w->q = q;
	w->item = item;
	poll_waiter_add(q, &w->waiter);
}

static unsigned item_poll(struct epoll_item *item, struct poll_table *table)
{
	return vfs_poll(item->file, table) & (item->events & ~EVENTS_PRIVATE);
}

/* ---- items --------------------------------------------------------------- */

static void item_leave_queues(struct epoll_item *item)
{
	for (unsigned i = 0; i < item->nr_inline; i++)
		poll_waiter_remove(item->inline_waiters[i].q, &item->inline_waiters[i].waiter);
	while (item->more != NULL) {
		struct epoll_waiter *w = item->more;

		poll_waiter_remove(w->q, &w->waiter);
		item->more = w->next;
		kfree(w);
	}
}

/* With epoll->lock. */
static void item_destroy(struct epoll_item *item)
{
	struct epoll_item **link = &item->file->epoll_items;

	item_leave_queues(item);
	item_unready(item);
	while (*link != item)
		link = &(*link)->file_next;
	*link = item->file_next;
	list_remove(&item->table_link);
	item->epoll->nr_items--;
	kfree(item);
}

static int item_add(struct epoll *ep, int fd, struct file *target, const struct linux_epoll_event *event)
{
	struct epoll_item *item = kzalloc(sizeof(*item));
	struct item_table table = {.table = {.add = item_table_add}, .item = item};
	unsigned events;

	if (item == NULL)
		return -ENOMEM;
	item->epoll = ep;
	item->file = target;
	item->fd = fd;
	item->events = event->events | EVENTS_ALWAYS;
	item->data = event->data;
	list_init(&item->ready_link);
	list_add_tail(bucket_of(ep, target, fd), &item->table_link);
	item->file_next = target->epoll_items;
	target->epoll_items = item;
	ep->nr_items++;
	events = item_poll(item, &table.table);
	if (item->is_out_of_memory) {
		item_destroy(item);
		return -ENOMEM;
	}
	table_grow(ep);
	if (events != 0)
		item_ready(item);
	return 0;
}

static int item_modify(struct epoll_item *item, const struct linux_epoll_event *event)
{
	if ((item->events | event->events) & EPOLLEXCLUSIVE)
		return -EINVAL;
	item->events = event->events | EVENTS_ALWAYS;
	item->data = event->data;
	if (item_poll(item, NULL) != 0)
		item_ready(item);
	return 0;
}

/* How deep `ep` watches epolls, or -ELOOP: it reaches `goal`, or too deep. */
static int nesting(struct epoll *ep, const struct epoll *goal, int depth)
{
	struct epoll_item *item;

	if (ep == goal || depth > NESTING_MAX)
		return -ELOOP;
	for (unsigned i = 0; i < ep->nr_buckets; i++)
		LIST_FOR_EACH(item, &ep->buckets[i], table_link)
			if (file_is_epoll(item->file) && nesting(item->file->private, goal, depth + 1) != 0)
				return -ELOOP;
	return 0;
}

static int check_exclusive(int op, const struct linux_epoll_event *event, const struct file *target)
{
	const uint32_t allowed =
		EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;

	if (op == EPOLL_CTL_DEL || !(event->events & EPOLLEXCLUSIVE))
		return 0;
	if (op == EPOLL_CTL_MOD || file_is_epoll(target) || (event->events & ~allowed) != 0)
		return -EINVAL;
	return 0;
}

int epoll_control(struct file *epoll, int op, int fd, struct file *target,
		  const struct linux_epoll_event *event)
{
	struct epoll *ep = epoll->private;
	struct epoll_item *item;
	int err = 0;

	if (target->ops->poll == NULL)
		return -EPERM;
	if (epoll == target)
		return -EINVAL;
	err = check_exclusive(op, event, target);
	if (err != 0)
		return err;
	if (op == EPOLL_CTL_ADD && file_is_epoll(target)) {
		err = nesting(target->private, ep, 0);
		if (err != 0)
			return err;
	}
	mutex_lock(&ep->lock);
	item = item_find(ep, target, fd);
	if (op == EPOLL_CTL_ADD)
		err = item != NULL ? -EEXIST : item_add(ep, fd, target, event);
	else if (item == NULL)
		err = -ENOENT;
	else if (op == EPOLL_CTL_MOD)
		err = item_modify(item, event);
	else
		item_destroy(item);
	mutex_unlock(&ep->lock);
	return err;
}

/* ---- waiting ------------------------------------------------------------- */

static struct epoll_item *ready_take(struct epoll *ep, struct list *from)
{
	struct epoll_item *item = NULL;

	spin_lock(&ep->ready_lock);
	if (!list_is_empty(from)) {
		item = LIST_FIRST(from, struct epoll_item, ready_link);
		list_remove(&item->ready_link);
	}
	spin_unlock(&ep->ready_lock);
	return item;
}

/* Moves all of `from` to the head of (or, as the destination is empty, simply to) the other list. */
static void ready_move(struct epoll *ep, struct list *from, struct list *to)
{
	spin_lock(&ep->ready_lock);
	while (!list_is_empty(from)) {
		struct list *link = from->prev;

		list_remove(link);
		list_add_head(to, link);
	}
	spin_unlock(&ep->ready_lock);
}

/* The item was reported: what becomes of it. */
static void item_reported(struct epoll_item *item)
{
	if (item->events & EPOLLONESHOT)
		item->events &= EVENTS_PRIVATE;
	else if (!(item->events & EPOLLET))
		item_queue(item); /* level: looked at again next time */
}

/* Copies what holds of the ready items. With epoll->lock. The number, or -EFAULT when it is the first that
 * fails. */
static int64_t collect(struct epoll *ep, uint64_t user_events, unsigned max)
{
	struct list batch;
	struct epoll_item *item;
	int64_t count = 0;

	list_init(&batch);
	ready_move(ep, &ep->ready, &batch);
	while (count < (int64_t)max && (item = ready_take(ep, &batch)) != NULL) {
		struct linux_epoll_event event = {.events = item_poll(item, NULL), .data = item->data};

		if (event.events == 0)
			continue;
		if (copy_to_user(uaddr(user_events + (uint64_t)count * sizeof(event)), &event,
				 sizeof(event)) != 0) {
			item_queue(item);
			if (count == 0)
				count = -EFAULT;
			break;
		}
		count++;
		item_reported(item);
	}
	ready_move(ep, &batch, &ep->ready);
	if (!list_is_empty(&ep->ready))
		waitq_wake_one(&ep->waitq); /* there is more, for another thread */
	return count;
}

int64_t epoll_wait_events(struct file *epoll, uint64_t user_events, unsigned max, uint64_t deadline_ns)
{
	struct epoll *ep = epoll->private;
	int64_t count;
	int err = 0;

	for (;;) {
		mutex_lock(&ep->lock);
		count = list_is_empty(&ep->ready) ? 0 : collect(ep, user_events, max);
		mutex_unlock(&ep->lock);
		if (count != 0)
			return count;
		if (deadline_ns == 0 || err == -ETIMEDOUT)
			return 0;
		WAIT_EVENT(err, &ep->waitq, !list_is_empty(&ep->ready), true, deadline_ns);
		if (err == -EINTR)
			return -EINTR;
	}
}

/* ---- the file ------------------------------------------------------------ */

static unsigned epoll_poll(struct file *file, struct poll_table *table)
{
	struct epoll *ep = file->private;
	struct epoll_item *item;
	struct list batch;
	unsigned events = 0;

	poll_wait(table, &ep->poll_waitq);
	list_init(&batch);
	mutex_lock(&ep->lock);
	ready_move(ep, &ep->ready, &batch);
	while (events == 0 && (item = ready_take(ep, &batch)) != NULL) {
		if (item_poll(item, NULL) == 0)
			continue;
		events = POLLIN | POLLRDNORM;
		spin_lock(&ep->ready_lock);
		list_add_head(&batch, &item->ready_link);
		spin_unlock(&ep->ready_lock);
	}
	ready_move(ep, &batch, &ep->ready);
	mutex_unlock(&ep->lock);
	return events;
}

static void epoll_put(struct epoll *ep)
{
	if (--ep->refs > 0)
		return;
	ASSERT(ep->nr_items == 0);
	kfree(ep->buckets);
	kfree(ep);
}

static void epoll_release(struct file *file)
{
	struct epoll *ep = file->private;

	mutex_lock(&ep->lock);
	for (unsigned i = 0; i < ep->nr_buckets; i++)
		while (!list_is_empty(&ep->buckets[i]))
			item_destroy(LIST_FIRST(&ep->buckets[i], struct epoll_item, table_link));
	mutex_unlock(&ep->lock);
	epoll_put(ep);
}

void epoll_file_release(struct file *file)
{
	while (file->epoll_items != NULL) {
		struct epoll_item *item = file->epoll_items;
		struct epoll *ep = item->epoll;

		ep->refs++;
		mutex_lock(&ep->lock);
		/* While we waited it may have gone, with its epoll. */
		if (file->epoll_items == item)
			item_destroy(item);
		mutex_unlock(&ep->lock);
		epoll_put(ep);
	}
}

static int epoll_fdinfo(struct file *file, char *buf, size_t size_bytes)
{
	struct epoll *ep = file->private;
	struct epoll_item *item;
	size_t len = 0;

	mutex_lock(&ep->lock);
	for (unsigned i = 0; i < ep->nr_buckets; i++)
		LIST_FOR_EACH(item, &ep->buckets[i], table_link)
			len += (size_t)ksnprintf(len < size_bytes ? buf + len : NULL,
						 len < size_bytes ? size_bytes - len : 0,
						 "tfd: %8d events: %8x data: %16llx\n", item->fd,
						 item->events, (unsigned long long)item->data);
	mutex_unlock(&ep->lock);
	return (int)len;
}

static const struct file_ops epoll_fops = {
	.release = epoll_release,
	.poll = epoll_poll,
	.fdinfo = epoll_fdinfo,
};

int epoll_create_file(struct file **out)
{
	struct epoll *ep = kzalloc(sizeof(*ep));
	int err = -ENOMEM;

	if (ep == NULL)
		return -ENOMEM;
	ep->buckets = buckets_alloc(BUCKETS_MIN);
	if (ep->buckets == NULL)
		goto free;
	ep->refs = 1;
	ep->nr_buckets = BUCKETS_MIN;
	mutex_init(&ep->lock);
	list_init(&ep->ready);
	waitq_init(&ep->waitq);
	waitq_init(&ep->poll_waitq);
	err = file_create(&epoll_fops, NULL, O_RDWR, ep, out);
	if (err != 0)
		goto free;
	(*out)->anon_name = "anon_inode:[eventpoll]";
	return 0;
free:
	kfree(ep->buckets);
	kfree(ep);
	return err;
}
