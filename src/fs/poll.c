/*
 * Waiting for many files at once: the engine of poll(2) and select(2). The
 * waiting task stands on the wait queues of all its files with notify functions
 * that wake one queue of its own.
 * Owns nothing global. Lock: the queues' own.
 */
#include "fs/poll.h"

#include "abi/errno.h"
#include "mm/kmalloc.h"
#include "sched/task.h"

#define NR_INLINE 8
#define NR_CHUNK 60

struct poll_set;

struct poll_entry {
	struct waiter waiter;
	struct waitq *q;
	struct poll_set *set;
};

struct poll_chunk {
	struct poll_chunk *next;
	unsigned nr;
	struct poll_entry entries[NR_CHUNK];
};

struct poll_set {
	struct poll_table table;
	struct waitq waitq;        /* the task sleeps here */
	bool is_triggered;
	bool is_out_of_memory;
	unsigned nr_inline;
	struct poll_entry entries[NR_INLINE];
	struct poll_chunk *chunks;
};

static void notify(struct waiter *w)
{
	struct poll_entry *e = CONTAINER_OF(w, struct poll_entry, waiter);

	e->set->is_triggered = true;
	waitq_wake_all(&e->set->waitq);
}

static struct poll_entry *entry_alloc(struct poll_set *set)
{
	struct poll_chunk *chunk = set->chunks;

	if (set->nr_inline < NR_INLINE)
		return &set->entries[set->nr_inline++];
	if (chunk == NULL || chunk->nr == NR_CHUNK) {
		chunk = kmalloc(sizeof(*chunk));
		if (chunk == NULL)
			return NULL;
		chunk->nr = 0;
		chunk->next = set->chunks;
		set->chunks = chunk;
	}
	return &chunk->entries[chunk->nr++];
}

static void set_add(struct poll_table *table, struct waitq *q)
{
	struct poll_set *set = CONTAINER_OF(table, struct poll_set, table);
	struct poll_entry *e = entry_alloc(set);

	if (e == NULL) {
		set->is_out_of_memory = true;
		return;
	}
	e->waiter = (struct waiter){.task = current_task(), .notify = notify};
	e->q = q;
	e->set = set;
	poll_waiter_add(q, &e->waiter);
}

static void set_init(struct poll_set *set)
{
	set->table.add = set_add;
	waitq_init(&set->waitq);
	set->is_triggered = set->is_out_of_memory = false;
	set->nr_inline = 0;
	set->chunks = NULL;
}

static void set_destroy(struct poll_set *set)
{
	for (unsigned i = 0; i < set->nr_inline; i++)
		poll_waiter_remove(set->entries[i].q, &set->entries[i].waiter);
	while (set->chunks != NULL) {
		struct poll_chunk *chunk = set->chunks;

		for (unsigned i = 0; i < chunk->nr; i++)
			poll_waiter_remove(chunk->entries[i].q, &chunk->entries[i].waiter);
		set->chunks = chunk->next;
		kfree(chunk);
	}
}

/* One look at all; registers on their queues until one is ready (then nobody will sleep). */
static int look(struct poll_target *targets, unsigned nr, struct poll_table *table)
{
	int count = 0;

	for (unsigned i = 0; i < nr; i++) {
		struct poll_target *t = &targets[i];

		if (t->file != NULL)
			t->got = vfs_poll(t->file, table) & (t->want | POLLERR | POLLHUP);
		if (t->got != 0) {
			count++;
			table = NULL;
		}
	}
	return count;
}

int poll_many(struct poll_target *targets, unsigned nr, uint64_t deadline_ns)
{
	struct poll_set set;
	struct poll_table *table = &set.table;
	bool is_last_look = false;
	int count, err = 0;

	if (deadline_ns == 0)
		return look(targets, nr, NULL);
	set_init(&set);
	for (;;) {
		set.is_triggered = false;
		count = look(targets, nr, table);
		table = NULL;
		if (count > 0 || is_last_look)
			break;
		if (set.is_out_of_memory) {
			err = -ENOMEM;
			break;
		}
		WAIT_EVENT(err, &set.waitq, set.is_triggered, true, deadline_ns);
		is_last_look = err != 0;
	}
	set_destroy(&set);
	if (count > 0 || err == -ETIMEDOUT)
		return count;
	return err;
}
