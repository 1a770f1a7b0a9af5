/*
 * What children write first: pages of a fork's child that it would fault on at once, as those forked before it did.
 * fork copies them right away.
 *
 * There is one list for an address space and all that come from it by fork. A child adds the pages of its first
 * copy-on-write faults. Every FORGET_FORKS forks the page found longest ago is dropped, lest one that
 * nobody writes to any more be copied for ever.
 *
 * Lock: the list's own, taken last.
 */
#include "arch/machine.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/internal.h"
#include "mm/kmalloc.h"
#include "sched/lock.h"

#define CHILD_NOTES 8u
#define FORGET_FORKS 64u

struct first_writes {
	struct spinlock lock;
	uint32_t refs; /* address spaces; atomic */
	unsigned nr, nr_forks;
	uint64_t va[FIRST_WRITES_MAX]; /* pages, the one found last first */
};

void first_writes_inherit(struct aspace *child, struct aspace *parent)
{
	if (parent->first_writes == NULL) {
		if (arch_fork_first_writes() == 0)
			return;
		parent->first_writes = kzalloc(sizeof(*parent->first_writes));
		if (parent->first_writes == NULL)
			return;
		parent->first_writes->refs = 1;
	}
	child->first_writes = parent->first_writes;
	child->nr_first_writes_left = CHILD_NOTES;
	__atomic_fetch_add(&child->first_writes->refs, 1, __ATOMIC_RELAXED);
}

void first_writes_put(struct aspace *as)
{
	if (as->first_writes != NULL && __atomic_fetch_sub(&as->first_writes->refs, 1, __ATOMIC_ACQ_REL) == 1)
		kfree(as->first_writes);
}

void first_writes_note(struct aspace *as, uint64_t va)
{
	struct first_writes *list = as->first_writes;
	unsigned i = 0;

	as->nr_first_writes_left--;
	spin_lock(&list->lock);
	while (i < list->nr && list->va[i] != va)
		i++;
	if (i == list->nr && list->nr < FIRST_WRITES_MAX)
		list->nr++;
	if (i == FIRST_WRITES_MAX)
		i--;
	memmove(&list->va[1], &list->va[0], i * sizeof(list->va[0]));
	list->va[0] = va;
	spin_unlock(&list->lock);
}

static bool may_be_written(const struct aspace *as, uint64_t va)
{
	const struct vma *v = vma_find_from(&as->vmas, va);

	return v != NULL && v->start <= va && !(v->flags & VMA_SHARED) && prot_has(v->prot, PROT_BIT_W);
}

unsigned first_writes_choose(struct aspace *parent, uint64_t va[FIRST_WRITES_MAX])
{
	struct first_writes *list = parent->first_writes;
	unsigned nr = 0, max = MIN(arch_fork_first_writes(), FIRST_WRITES_MAX);

	if (list == NULL)
		return 0;
	spin_lock(&list->lock);
	if (++list->nr_forks % FORGET_FORKS == 0 && list->nr != 0)
		list->nr--;
	for (unsigned i = 0; i < list->nr && nr < max; i++)
		if (may_be_written(parent, list->va[i]))
			va[nr++] = list->va[i];
	spin_unlock(&list->lock);
	return nr;
}
