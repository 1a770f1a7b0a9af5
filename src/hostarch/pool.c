/*
 * The pool: stubs without an address space. They keep their translations, and
 * references on the frames behind them, for the next address space that is like
 * their last one: a fork of the same parent, an exec of the same program.
 */
#include "abi/errno.h"
#include "hostarch/host.h"
#include "hostarch/stubs.h"

#define POOL_MAX 256u /* more are ended */
#define POOL_REUSE 8u /* with that many, one that fits nothing is emptied rather than another one made */

static struct list pool = LIST_INIT(pool); /* most recently used first */
static unsigned nr_pooled;

void pool_add(struct stub *s)
{
	list_add_head(&pool, &s->pool_link);
	if (++nr_pooled > POOL_MAX) {
		struct stub *last = LIST_ENTRY(pool.prev, struct stub, pool_link);

		nr_pooled--;
		mmu_drop_all(last);
		stub_destroy(last);
	}
}

/* How well a pooled stub fits: higher is better, 0 not at all. */
static unsigned fitness(const struct stub *s, const struct stub *like, const struct inode *program)
{
	if (like != NULL) {
		if (s->is_fork && s->parent_lineage == like->lineage)
			return 4;
		if (s->is_fork && s->program == like->program && s->program != NULL)
			return 3;
	} else if (!s->is_fork && s->program == program && program != NULL) {
		return 4;
	}
	return s->tlb.nr_pages == 0 ? 2 : 0;
}

/* Stubs that ended while they were waiting here are of no use. */
static void remove_dead(void)
{
	struct stub *s, *next;

	if ((host_pending & HOST_CHILD) != 0)
		stubs_reap();
	LIST_FOR_EACH_SAFE(s, next, &pool, pool_link) {
		if (s->is_dead) {
			nr_pooled--;
			mmu_drop_all(s);
			stub_destroy(s);
		}
	}
}

struct stub *pool_take(const struct stub *like, const struct inode *program, int *error)
{
	struct stub *s, *best = NULL;
	unsigned best_fitness = 0;

	if ((host_pending & HOST_CHILD) != 0)
		remove_dead();
	LIST_FOR_EACH(s, &pool, pool_link) {
		unsigned fits = fitness(s, like, program);

		if (fits > best_fitness) {
			best = s;
			best_fitness = fits;
			if (fits == 4)
				break;
		}
	}
	if (best == NULL && nr_pooled < POOL_REUSE) {
		s = stub_create(error);
		if (s != NULL)
			return s;
	}
	if (best == NULL && nr_pooled > 0) {
		best = LIST_ENTRY(pool.prev, struct stub, pool_link);
		mmu_drop_all(best);
	}
	if (best == NULL)
		return NULL;
	list_remove(&best->pool_link);
	nr_pooled--;
	engine_stats.nr_stubs_reused++;
	return best;
}

size_t pool_shrink(void)
{
	size_t freed = 0;
	struct stub *s;

	LIST_FOR_EACH(s, &pool, pool_link) {
		if (s->tlb.nr_pages > 0)
			freed += mmu_drop_all(s);
	}
	return freed;
}
