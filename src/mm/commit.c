/*
 * The commit limit: see mm/commit.h. The rules are Linux's: mm/util.c
 * __vm_enough_memory() for when to refuse, mmap(2) and proc(5) for what counts.
 *
 * Owns the total. An address space has charged nr_charged of it; between operations
 * that equals vmas.nr_accounted, which the VMA tree keeps (and a fork inherits) by itself.
 */
#include "mm/commit.h"

#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "sched/cred.h"

#define PAGE_KIB (PAGE_SIZE / 1024)
#define ADMIN_RESERVE_KIB (INT64_C(8) << 10)
#define USER_RESERVE_KIB (INT64_C(128) << 10)

struct commit_settings commit_settings = {.mode = OVERCOMMIT_GUESS, .ratio_percent = 50};
static uint64_t nr_used;

void commit_init(void)
{
	int64_t share_kib = (int64_t)(frame_nr_free() * PAGE_KIB / 32);

	nr_used = 0;
	commit_settings.admin_reserve_kib = MIN(share_kib, ADMIN_RESERVE_KIB);
	commit_settings.user_reserve_kib = MIN(share_kib, USER_RESERVE_KIB);
}

uint64_t commit_limit_pages(void)
{
	if (commit_settings.limit_kib != 0)
		return (uint64_t)commit_settings.limit_kib / PAGE_KIB;
	return frame_nr_total() * (uint64_t)commit_settings.ratio_percent / 100;
}

uint64_t commit_used_pages(void) { return nr_used; }

/* nr_pages more, in requests of at most nr_largest, for a process of nr_size pages. */
static int charge(uint64_t nr_pages, uint64_t nr_largest, uint64_t nr_size)
{
	uint64_t limit, reserve;

	if (commit_settings.mode == OVERCOMMIT_GUESS && nr_largest > frame_nr_total())
		return -ENOMEM;
	if (commit_settings.mode == OVERCOMMIT_NEVER && nr_pages != 0) {
		limit = commit_limit_pages();
		reserve = MIN(nr_size / 32, (uint64_t)commit_settings.user_reserve_kib / PAGE_KIB);
		if (!current_has_cap(CAP_SYS_ADMIN))
			reserve += (uint64_t)commit_settings.admin_reserve_kib / PAGE_KIB;
		limit -= MIN(limit, reserve);
		if (nr_pages >= limit || nr_used >= limit - nr_pages)
			return -ENOMEM;
	}
	nr_used += nr_pages;
	return 0;
}

static void uncharge(uint64_t nr_pages)
{
	ASSERT(nr_pages <= nr_used);
	nr_used -= nr_pages;
}

/* ---- address spaces ------------------------------------------------------- */

int commit_charge(struct aspace *as, uint64_t nr_pages)
{
	int err = charge(nr_pages, nr_pages, as->vmas.nr_pages);

	if (err == 0)
		as->nr_charged += nr_pages;
	return err;
}

void commit_settle(struct aspace *as)
{
	ASSERT(as->vmas.nr_accounted <= as->nr_charged);
	uncharge(as->nr_charged - as->vmas.nr_accounted);
	as->nr_charged = as->vmas.nr_accounted;
}

/* Takes what the child does not get off *nr. The pages of the largest mapping it gets. */
static uint64_t largest_passed_on(const struct aspace *parent, uint64_t *nr)
{
	const struct vma *v;
	uint64_t largest = 0;

	for (v = vma_find_from(&parent->vmas, 0); v != NULL; v = vma_find_from(&parent->vmas, v->end)) {
		if (v->flags & VMA_DONTFORK)
			*nr -= vma_accounted_pages(v);
		else
			largest = MAX(largest, vma_accounted_pages(v));
	}
	return largest;
}

int commit_charge_fork(struct aspace *child, const struct aspace *parent)
{
	uint64_t nr = parent->vmas.nr_accounted, largest = 0;
	int err;

	/* Mapping by mapping, as on Linux; but a walk tells news only when there are rules, or so much. */
	if (parent->has_fork_rules || nr > frame_nr_total())
		largest = largest_passed_on(parent, &nr);
	err = charge(nr, largest, parent->vmas.nr_pages);
	if (err == 0)
		child->nr_charged = nr;
	return err;
}

uint64_t commit_pages_in(const struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *v;
	uint64_t nr = 0;

	for (v = vma_find_from(&as->vmas, start); v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end))
		if (v->flags & VMA_ACCOUNT)
			nr += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	return nr;
}

/* ---- memory files --------------------------------------------------------- */

int commit_charge_file(uint64_t nr_pages) { return charge(nr_pages, nr_pages, 0); }

void commit_uncharge_file(uint64_t nr_pages) { uncharge(nr_pages); }

/* ---- audit ---------------------------------------------------------------- */

unsigned commit_audit(void)
{
	const struct aspace *as;
	const struct filemap *map;
	uint64_t total = 0;
	unsigned nr_bad = 0;

	LIST_FOR_EACH (as, &aspace_all, all_link) {
		uint64_t nr = commit_pages_in(as, 0, UINT64_MAX);

		if (nr != as->nr_charged || nr != as->vmas.nr_accounted) {
			nr_bad++;
			kprintf("audit: address space: %llu pages to commit, %llu counted, %llu charged\n",
				(unsigned long long)nr, (unsigned long long)as->vmas.nr_accounted,
				(unsigned long long)as->nr_charged);
		}
		total += as->nr_charged;
	}
	LIST_FOR_EACH (map, &filemap_all, all)
		total += filemap_committed_pages(map);
	if (total != nr_used) {
		nr_bad++;
		kprintf("audit: %llu pages are committed, %llu counted\n", (unsigned long long)total,
			(unsigned long long)nr_used);
	}
	return nr_bad;
}
