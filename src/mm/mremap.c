/*
 * mremap: a mapping grows, shrinks or moves. Validates and reserves first.
 *
 * Lock: takes as->lock.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "arch/machine.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "mm/aspace.h"
#include "mm/commit.h"
#include "mm/internal.h"
#include "mm/points.h"

/* One request, checked; lengths are whole pages. */
struct remap {
	struct aspace *as;
	struct vma vma; /* holds the old range */
	uint64_t old, old_len, new, new_len;
	uint32_t flags;
	struct pt_reserve reserve;
};

static bool is_dontunmap(const struct remap *m) { return (m->flags & MREMAP_DONTUNMAP) != 0; }

/* Removes a range that remap_reserve() has counted; pages and VMAs. */
static void remap_clear(struct remap *m, uint64_t start, uint64_t end)
{
	if (start >= end)
		return;
	aspace_zap(m->as, start, end, &m->reserve);
	vma_remove_range(&m->as->vmas, start, end);
}

static int remap_reserve(struct remap *m, bool moves)
{
	const struct pt_ops *ops = m->as->pt.ops;
	struct pt *pt = &m->as->pt;
	uint64_t cost = 0, kept = MIN(m->old_len, m->new_len);
	int err = vma_reserve(&m->as->vmas, 4);

	if (err != 0)
		return err;
	if (m->old_len > kept)
		cost += ops->unmap_cost(pt, m->old + kept, m->old + m->old_len);
	if (moves)
		cost += ops->unmap_cost(pt, m->new, m->new + m->new_len) +
			ops->move_cost(pt, m->old, m->new, kept);
	err = pt_reserve_fill(&m->reserve, cost);
	if (err != 0)
		vma_unreserve(&m->as->vmas);
	return err;
}

static void remap_release(struct remap *m)
{
	pt_reserve_release(&m->reserve);
	vma_unreserve(&m->as->vmas);
}

/* Fewer pages at the same place. */
static int64_t remap_shrink(struct remap *m)
{
	int err = remap_reserve(m, false);

	if (err != 0)
		return err;
	remap_clear(m, m->old + m->new_len, m->old + m->old_len);
	remap_release(m);
	return (int64_t)m->old;
}

static bool can_grow_in_place(const struct remap *m)
{
	uint64_t end = m->old + m->old_len;

	return end == m->vma.end && m->new_len <= m->as->user_end - m->old &&
	       aspace_range_is_free(m->as, end, m->old + m->new_len);
}

static int64_t remap_grow(struct remap *m)
{
	struct vma more = m->vma;
	int err = vma_reserve(&m->as->vmas, 1);

	if (err != 0)
		return err;
	more.start = m->old + m->old_len;
	more.end = m->old + m->new_len;
	more.page_index = vma_index(&m->vma, more.start);
	vma_insert(&m->as->vmas, &more);
	vma_unreserve(&m->as->vmas);
	return (int64_t)m->old;
}

/* The whole mapping to m->new, whose range is cleared. */
static int64_t remap_move(struct remap *m)
{
	struct aspace *as = m->as;
	uint64_t kept = MIN(m->old_len, m->new_len);
	struct vma moved = m->vma;
	struct pt_gather g;
	int err = remap_reserve(m, true);

	if (err != 0)
		return err;
	/* point of no return */
	remap_clear(m, m->new, m->new + m->new_len);
	if (!is_dontunmap(m))
		remap_clear(m, m->old + kept, m->old + m->old_len);
	pt_gather_init(&g, as, true);
	as->pt.ops->move(&as->pt, m->old, m->new, kept, &m->reserve, &g);
	pt_gather_finish(&g);
	moved.start = m->new;
	moved.end = m->new + m->new_len;
	moved.page_index = vma_index(&m->vma, m->old);
	if (is_dontunmap(m))
		moved.flags &= ~(uint32_t)VMA_LOCKED;
	vma_insert(&as->vmas, &moved);
	if (!is_dontunmap(m))
		vma_remove_range(&as->vmas, m->old, m->old + kept);
	remap_release(m);
	return (int64_t)m->new;
}

/* old_len 0: a second mapping of the same shared pages. */
static int64_t remap_duplicate(struct remap *m)
{
	struct vma copy = m->vma;
	int err = remap_reserve(m, true);

	if (err != 0)
		return err;
	file_get(copy.file); /* the new range may lie over the old mapping */
	remap_clear(m, m->new, m->new + m->new_len);
	copy.start = m->new;
	copy.end = m->new + m->new_len;
	copy.page_index = vma_index(&m->vma, m->old);
	vma_insert(&m->as->vmas, &copy);
	file_put(copy.file);
	remap_release(m);
	return (int64_t)m->new;
}

/* Large mappings keep their place within a leaf table, so that whole tables can move. */
static int remap_choose(struct remap *m)
{
	const struct pt_ops *ops = m->as->pt.ops;
	uint64_t leaf = pt_slot_bytes(ops, 2), offset = m->old & (leaf - 1);

	if (m->new_len < leaf) {
		m->new = aspace_find_free(m->as, m->new_len, PAGE_SIZE, m->as->mmap_top);
	} else {
		uint64_t room = aspace_find_free(m->as, m->new_len + offset, leaf, m->as->mmap_top);

		m->new = room == UINT64_MAX ? room : room + offset;
	}
	return m->new == UINT64_MAX ? -ENOMEM : 0;
}

static int remap_check_fixed(const struct remap *m)
{
	if (page_offset(m->new) != 0 || m->new_len > m->as->user_end || m->new > m->as->user_end - m->new_len)
		return -EINVAL;
	if (m->new < ARCH_USER_MIN)
		return -EPERM;
	return m->new < m->old + m->old_len && m->old < m->new + m->new_len ? -EINVAL : 0;
}

/* Of nr_pages more, those beyond what a mapping in the way gives back. */
static uint64_t remap_committed(const struct remap *m, uint64_t nr_pages)
{
	uint64_t nr_back = m->flags & MREMAP_FIXED ? commit_pages_in(m->as, m->new, m->new + m->new_len) : 0;

	return nr_pages - MIN(nr_pages, nr_back);
}

static int64_t mremap_locked(struct remap *m)
{
	const struct vma *v = vma_find(&m->as->vmas, m->old);
	bool is_fixed = (m->flags & MREMAP_FIXED) != 0, is_data;
	uint64_t more;
	int err;

	if (is_fixed && (err = remap_check_fixed(m)) != 0)
		return err;
	if (v == NULL || m->old_len > v->end - m->old)
		return -EFAULT;
	if (m->old_len == 0 && !(v->flags & VMA_SHARED))
		return -EINVAL;
	m->vma = *v;
	if (!is_fixed && !is_dontunmap(m) && m->old_len != 0) {
		if (m->new_len == m->old_len)
			return (int64_t)m->old;
		if (m->new_len < m->old_len)
			return remap_shrink(m);
	}
	more = is_dontunmap(m) ? m->new_len : m->new_len > m->old_len ? m->new_len - m->old_len : 0;
	is_data = prot_has(v->prot, PROT_BIT_W) && !(v->flags & (VMA_SHARED | VMA_GROWSDOWN));
	if (more != 0 && !aspace_may_expand(m->as, more >> PAGE_SHIFT, is_data))
		return -ENOMEM;
	err = m->vma.flags & VMA_ACCOUNT ? commit_charge(m->as, remap_committed(m, more >> PAGE_SHIFT)) : 0;
	if (err != 0)
		return err;
	if (!is_fixed && !is_dontunmap(m) && m->old_len != 0 && can_grow_in_place(m))
		return remap_grow(m);
	if (!(m->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	if (!is_fixed && (err = remap_choose(m)) != 0)
		return err;
	return m->old_len == 0 ? remap_duplicate(m) : remap_move(m);
}

int64_t aspace_mremap(struct aspace *as, uint64_t old_addr, uint64_t old_len, uint64_t new_len,
		      uint32_t flags, uint64_t new_addr)
{
	struct remap m = {
		.as = as,
		.old = old_addr,
		.old_len = page_round_up(old_len),
		.new = new_addr,
		.new_len = page_round_up(new_len),
		.flags = flags,
	};
	int64_t result;

	if (flags & ~(uint32_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
		return -EINVAL;
	if ((flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) && !(flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if ((flags & MREMAP_DONTUNMAP) && m.old_len != m.new_len)
		return -EINVAL;
	if (page_offset(old_addr) != 0 || m.new_len == 0 || (old_len != 0 && m.old_len == 0))
		return -EINVAL;
	mutex_lock(&as->lock);
	result = mremap_locked(&m);
	commit_settle(as);
	mutex_unlock(&as->lock);
	memory_point("mremap", as, old_addr);
	return result;
}
