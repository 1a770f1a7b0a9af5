/*
 * madvise, mlock, msync, mincore.
 *
 * Lock: takes as->lock; MADV_REMOVE leaves it before it changes the file,
 * because that unmaps the pages from every address space in turn.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/points.h"

/* Start and end of the range in whole pages; -EINVAL. *end == start: nothing to do. */
static int range_check(const struct aspace *as, uint64_t start, uint64_t length_bytes, uint64_t *end)
{
	uint64_t length = page_round_up(length_bytes);

	if (page_offset(start) != 0 || (length_bytes != 0 && length == 0) || start + length < start)
		return -EINVAL;
	*end = start + length;
	return *end > as->user_end ? -ENOMEM : 0;
}

static bool range_has_holes(const struct aspace *as, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vma *v = vma_find(&as->vmas, start);

		if (v == NULL)
			return true;
		start = v->end;
	}
	return false;
}

/* ---- madvise ------------------------------------------------------------- */

struct flag_change {
	uint32_t set, clear;
};

static void update_flags(struct vma *vma, void *arg)
{
	const struct flag_change *c = arg;

	vma->flags = (vma->flags & ~c->clear) | c->set;
}

int aspace_change_flags(struct aspace *as, uint64_t start, uint64_t end, uint32_t set, uint32_t clear)
{
	struct flag_change change = {set, clear};
	const struct vma *v = vma_find_from(&as->vmas, start);
	int err;

	if (v == NULL || v->start >= end)
		return 0;
	err = vma_reserve_range(&as->vmas, start, end, 0);
	if (err != 0)
		return err;
	vma_update_range(&as->vmas, start, end, update_flags, &change);
	vma_unreserve(&as->vmas);
	if (set & VMA_FORK_RULES)
		as->has_fork_rules = true;
	return 0;
}

static int advise_wipe(struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *v;

	for (v = vma_find_from(&as->vmas, start); v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end))
		if (v->file != NULL || (v->flags & VMA_SHARED))
			return -EINVAL;
	return aspace_change_flags(as, start, end, VMA_WIPEONFORK, 0);
}

static int advise_dontneed(struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *v;

	for (v = vma_find_from(&as->vmas, start); v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end))
		if (v->flags & VMA_LOCKED)
			return -EINVAL;
	return aspace_zap_checked(as, start, end);
}

/* MADV_FREE allows, and does not ask, that pages go: they stay. */
static int advise_free(struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *v;

	for (v = vma_find_from(&as->vmas, start); v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end))
		if (v->file != NULL)
			return -EINVAL;
	return 0;
}

/* What madvise(2) says of a fault that was refused. */
static int populate_error(int fault_error)
{
	switch (fault_error) {
	case -EFAULT: return -ENOMEM; /* not mapped */
	case -EACCES: return -EINVAL;
	case -EIO: return -EFAULT;
	default: return fault_error;
	}
}

static int advise_populate(struct aspace *as, uint64_t start, uint64_t end, unsigned access)
{
	for (uint64_t va = start; va < end; va += PAGE_SIZE) {
		int err = aspace_fault_locked(as, va, access | FAULT_NO_GROW | FAULT_BULK);

		if (err != 0)
			return populate_error(err);
	}
	return 0;
}

/* Punches one VMA's part of the range out of its file. Leaves and takes the lock again. */
static int advise_remove_one(struct aspace *as, const struct vma *v, uint64_t start, uint64_t end)
{
	uint64_t offset = vma_index(v, start) << PAGE_SHIFT;
	struct filemap *map;
	struct file *file = v->file;
	int err;

	if (!(v->flags & VMA_SHARED) || !(v->flags & VMA_MAYWRITE))
		return file == NULL ? -EINVAL : -EACCES;
	map = vma_filemap(v);
	if (map->ops->write_page != NULL)
		return -EOPNOTSUPP;
	file_get(file);
	mutex_unlock(&as->lock);
	err = filemap_punch(map, offset, end - start);
	file_put(file);
	mutex_lock(&as->lock);
	return err;
}

static int advise_remove(struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *v;

	while (start < end && (v = vma_find_from(&as->vmas, start)) != NULL && v->start < end) {
		uint64_t from = MAX(start, v->start), to = MIN(end, v->end);
		int err = advise_remove_one(as, v, from, to);

		if (err != 0)
			return err;
		start = to;
	}
	return 0;
}

static int madvise_locked(struct aspace *as, uint64_t start, uint64_t end, int advice)
{
	switch (advice) {
	case MADV_DONTNEED: return advise_dontneed(as, start, end);
	case MADV_FREE: return advise_free(as, start, end);
	case MADV_REMOVE: return advise_remove(as, start, end);
	case MADV_DONTFORK: return aspace_change_flags(as, start, end, VMA_DONTFORK, 0);
	case MADV_DOFORK: return aspace_change_flags(as, start, end, 0, VMA_DONTFORK);
	case MADV_WIPEONFORK: return advise_wipe(as, start, end);
	case MADV_KEEPONFORK: return aspace_change_flags(as, start, end, 0, VMA_WIPEONFORK);
	case MADV_POPULATE_READ: return advise_populate(as, start, end, TRAP_READ);
	case MADV_POPULATE_WRITE: return advise_populate(as, start, end, TRAP_WRITE);
	default: return 0; /* a hint without effect here */
	}
}

static bool is_known_advice(int advice)
{
	return (advice >= MADV_NORMAL && advice <= MADV_DONTNEED) ||
	       (advice >= MADV_FREE && advice <= MADV_POPULATE_WRITE);
}

int aspace_madvise(struct aspace *as, uint64_t addr, uint64_t length_bytes, int advice)
{
	uint64_t end;
	bool has_holes;
	int err;

	if (!is_known_advice(advice))
		return -EINVAL;
	err = range_check(as, addr, length_bytes, &end);
	if (err != 0 || end == addr)
		return err;
	mutex_lock(&as->lock);
	has_holes = range_has_holes(as, addr, end);
	err = madvise_locked(as, addr, end, advice);
	mutex_unlock(&as->lock);
	memory_point("madvise", as, addr);
	return err == 0 && has_holes ? -ENOMEM : err;
}

int aspace_mlock(struct aspace *as, uint64_t addr, uint64_t length_bytes, bool is_locked)
{
	uint64_t end;
	int err = range_check(as, addr, length_bytes, &end);

	if (err != 0 || end == addr)
		return err;
	mutex_lock(&as->lock);
	err = aspace_change_flags(as, addr, end, is_locked ? VMA_LOCKED : 0, is_locked ? 0 : VMA_LOCKED);
	mutex_unlock(&as->lock);
	memory_point("mlock", as, addr);
	return err;
}

/* ---- msync, mincore ------------------------------------------------------ */

int aspace_msync(struct aspace *as, uint64_t addr, uint64_t length_bytes, int flags)
{
	const struct vma *v;
	uint64_t end;
	int err;

	if ((flags & ~(MS_ASYNC | MS_INVALIDATE | MS_SYNC)) || ((flags & MS_ASYNC) && (flags & MS_SYNC)))
		return -EINVAL;
	err = range_check(as, addr, length_bytes, &end);
	if (err != 0 || end == addr)
		return err;
	mutex_lock(&as->lock);
	for (v = vma_find_from(&as->vmas, addr); err == 0 && v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end))
		if ((flags & MS_SYNC) && vma_has_soft_write(v))
			err = filemap_sync(vma_filemap(v));
	if (err == 0 && range_has_holes(as, addr, end))
		err = -ENOMEM;
	mutex_unlock(&as->lock);
	return err;
}

static bool is_in_core(const struct aspace *as, const struct vma *v, uint64_t va)
{
	struct pt_entry e;
	pfn_t cached;

	if (as->pt.ops->lookup(&as->pt, va, &e))
		return true;
	if (v->file == NULL)
		return false;
	cached = filemap_peek(vma_filemap(v), vma_index(v, va));
	if (pfn_is_none(cached))
		return false;
	frame_put(cached);
	return true;
}

int aspace_mincore(struct aspace *as, uint64_t addr, uint64_t length_bytes, uint8_t *vec)
{
	uint64_t end;
	int err = range_check(as, addr, length_bytes, &end);

	if (err != 0 || end == addr)
		return err;
	mutex_lock(&as->lock);
	for (uint64_t va = addr; err == 0 && va < end; va += PAGE_SIZE) {
		const struct vma *v = vma_find(&as->vmas, va);

		if (v == NULL)
			err = -ENOMEM;
		else
			*vec++ = is_in_core(as, v, va);
	}
	mutex_unlock(&as->lock);
	return err;
}
