/*
 * Numbers of tasks, process groups and sessions: a bitmap searched next-fit, and
 * a hash table from number to struct id. A number is handed out again only when
 * no task, group or session uses it. Lock: task_lock.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "mm/kmalloc.h"
#include "sched/internal.h"

#define HASH_SIZE 1024u
#define WORD_BITS 64
#define NR_WORDS (PID_MAX / WORD_BITS)

static uint64_t used[NR_WORDS];
static struct list hash[HASH_SIZE];
static struct kmem_cache *cache;
static int last;

void id_init(void)
{
	for (unsigned i = 0; i < HASH_SIZE; i++)
		list_init(&hash[i]);
	for (unsigned i = 0; i < NR_WORDS; i++)
		used[i] = 0;
	used[0] = 1; /* 0 is nobody's */
	last = 0;
	cache = kmem_cache_create("id", sizeof(struct id), 0);
	ASSERT(cache != NULL);
}

static bool is_used(int nr) { return (used[nr / WORD_BITS] >> (nr % WORD_BITS) & 1) != 0; }

/* The first number >= from whose use is `want_used`, or PID_MAX. */
static int scan(int from, bool want_used)
{
	int word = from / WORD_BITS;
	uint64_t bits;

	if (from >= PID_MAX)
		return PID_MAX;
	bits = (want_used ? used[word] : ~used[word]) & (~UINT64_C(0) << (from % WORD_BITS));
	while (bits == 0) {
		if (++word == NR_WORDS)
			return PID_MAX;
		bits = want_used ? used[word] : ~used[word];
	}
	return word * WORD_BITS + __builtin_ctzll(bits);
}

/* Numbers go round; those below 300 are for the first processes only, as on Linux. */
static int next_free(void)
{
	int nr = scan(last + 1, false);

	if (nr == PID_MAX)
		nr = scan(300, false);
	if (nr == PID_MAX)
		nr = scan(1, false);
	return nr;
}

int id_alloc_locked(int want, struct id **out)
{
	struct id *id;
	int nr = want != 0 ? want : next_free();

	ASSERT(spin_is_held(&task_lock));
	if (nr >= PID_MAX)
		return -EAGAIN;
	if (is_used(nr))
		return -EEXIST;
	id = kmem_cache_alloc(cache);
	if (id == NULL)
		return -ENOMEM;
	used[nr / WORD_BITS] |= UINT64_C(1) << (nr % WORD_BITS);
	if (want == 0)
		last = nr;
	id->nr = nr;
	id->task = NULL;
	list_init(&id->pgrp);
	list_init(&id->session);
	list_add_head(&hash[(unsigned)nr % HASH_SIZE], &id->hash_link);
	*out = id;
	return 0;
}

void id_release_locked(struct id *id)
{
	ASSERT(spin_is_held(&task_lock));
	if (id->task != NULL || !list_is_empty(&id->pgrp) || !list_is_empty(&id->session))
		return;
	list_remove(&id->hash_link);
	used[id->nr / WORD_BITS] &= ~(UINT64_C(1) << (id->nr % WORD_BITS));
	kmem_cache_free(cache, id);
}

struct id *id_find_locked(int nr)
{
	struct id *id;

	ASSERT(spin_is_held(&task_lock));
	if (nr <= 0)
		return NULL;
	LIST_FOR_EACH (id, &hash[(unsigned)nr % HASH_SIZE], hash_link)
		if (id->nr == nr)
			return id;
	return NULL;
}

struct id *id_next_locked(int nr)
{
	int next = scan(MAX(nr, 0) + 1, true);

	return next == PID_MAX ? NULL : id_find_locked(next);
}

int id_last_allocated(void) { return last; }
