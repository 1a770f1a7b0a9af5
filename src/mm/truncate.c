/*
 * A file loses pages: filemap_truncate and filemap_punch. There is no reverse
 * map; the pages are looked for through the VMAs of every address space.
 *
 * Lock: takes each address space's lock in turn; the caller holds the inode's
 * and no address space's.
 */
#include "abi/errno.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/filemap.h"
#include "mm/frame.h"
#include "mm/internal.h"

/*
 * Pages [first, last] of a file go; is_all: private copies of them too. Twice over all address
 * spaces: the first round only adds up the tables that will be needed, so that a failure comes
 * before anything has gone.
 */
struct loss {
	struct filemap *map;
	uint64_t first, last;
	bool is_all;
	bool is_counting;
	uint64_t cost;
	struct pt_reserve reserve;
};

/* Enough in the reserve for this much? Who slept for a lock may find more shared than was counted. */
static int need(struct loss *loss, uint64_t cost)
{
	return cost <= loss->reserve.nr ? 0 : pt_reserve_fill(&loss->reserve, cost - loss->reserve.nr);
}

static int lose_range(struct aspace *as, uint64_t start, uint64_t end, struct loss *loss)
{
	uint64_t cost = as->pt.ops->unmap_cost(&as->pt, start, end);
	int err;

	if (loss->is_counting) {
		loss->cost += cost;
		return 0;
	}
	err = need(loss, cost);
	if (err == 0)
		aspace_zap(as, start, end, &loss->reserve);
	return err;
}

/* The cache's own pages in [start, end), not private copies. */
static int lose_cached(struct aspace *as, uint64_t start, uint64_t end, struct loss *loss)
{
	struct pt_entry e;
	uint64_t va = start, counted_end = start;

	while ((va = as->pt.ops->next(&as->pt, va, end, &e)) != UINT64_MAX) {
		/* The first page of a leaf table pays for the others: it makes the way to them private. */
		bool is_counted = loss->is_counting && va < counted_end;

		if (frame_kind(e.pfn) == FRAME_CACHE && !is_counted) {
			int err = lose_range(as, va, va + PAGE_SIZE, loss);

			if (err != 0)
				return err;
			counted_end = va + as->pt.ops->leaf_room(va) * PAGE_SIZE;
		}
		va += PAGE_SIZE;
	}
	return 0;
}

static int lose_vma(struct aspace *as, const struct vma *v, struct loss *loss)
{
	uint64_t nr = (v->end - v->start) >> PAGE_SHIFT, start, end;

	if (loss->last < v->page_index || loss->first >= v->page_index + nr)
		return 0;
	start = loss->first <= v->page_index ? v->start
					     : v->start + ((loss->first - v->page_index) << PAGE_SHIFT);
	end = loss->last >= v->page_index + nr - 1
		      ? v->end
		      : v->start + ((loss->last + 1 - v->page_index) << PAGE_SHIFT);
	return loss->is_all ? lose_range(as, start, end, loss) : lose_cached(as, start, end, loss);
}

static int lose_in_aspace(struct aspace *as, void *arg)
{
	struct loss *loss = arg;
	const struct vma *v;
	int err = 0;

	for (v = vma_find_from(&as->vmas, 0); err == 0 && v != NULL; v = vma_find_from(&as->vmas, v->end))
		if (v->file != NULL && vma_filemap(v) == loss->map)
			err = lose_vma(as, v, loss);
	return err;
}

static int find_writer(struct aspace *as, void *arg)
{
	const struct vma *v;

	for (v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end))
		if ((v->flags & (VMA_SHARED | VMA_MAYWRITE)) == (VMA_SHARED | VMA_MAYWRITE) &&
		    vma_filemap(v) == arg)
			return 1;
	return 0;
}

/* Calls fn for each address space, under its lock, until it returns something else than 0. */
static int for_each_aspace(int (*fn)(struct aspace *as, void *arg), void *arg)
{
	struct aspace *as, *prev = NULL;
	int err = 0;

	LIST_FOR_EACH (as, &aspace_all, all_link) {
		aspace_get(as); /* keeps it in the list */
		if (prev != NULL)
			aspace_put(prev);
		prev = as;
		mutex_lock(&as->lock);
		err = fn(as, arg);
		mutex_unlock(&as->lock);
		if (err != 0)
			break;
	}
	if (prev != NULL)
		aspace_put(prev);
	return err;
}

bool filemap_has_writers(struct filemap *map)
{
	return map->was_mapped && for_each_aspace(find_writer, map) != 0;
}

static int unmap_everywhere(struct filemap *map, uint64_t first, uint64_t last, bool is_all)
{
	struct loss loss = {map, first, last, is_all, true, 0, {PFN_NONE, 0}};
	int err;

	if (!map->was_mapped)
		return 0;
	(void)for_each_aspace(lose_in_aspace, &loss);
	err = pt_reserve_fill(&loss.reserve, loss.cost);
	loss.is_counting = false;
	if (err == 0)
		err = for_each_aspace(lose_in_aspace, &loss);
	pt_reserve_release(&loss.reserve);
	return err;
}

static void zero_cached(struct filemap *map, uint64_t offset, uint64_t size_bytes)
{
	pfn_t pfn = filemap_peek(map, offset >> PAGE_SHIFT);

	if (pfn_is_none(pfn))
		return;
	memset((char *)pfn_to_ptr(pfn) + page_offset(offset), 0, size_bytes);
	frame_put(pfn);
}

int filemap_truncate(struct filemap *map, uint64_t size_bytes)
{
	uint64_t old = map->size_bytes, first = (size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t edge = MIN(old, size_bytes);
	int err;

	map->size_bytes = size_bytes; /* no fault brings the pages back from here on */
	if (size_bytes < old) {
		err = unmap_everywhere(map, first, UINT64_MAX, true);
		if (err != 0) {
			map->size_bytes = old;
			return err;
		}
		filemap_drop_range(map, first, UINT64_MAX);
	}
	/* What lies behind the end in the last page must read as zeroes when the file grows. */
	if (page_offset(edge) != 0)
		zero_cached(map, edge, PAGE_SIZE - page_offset(edge));
	return 0;
}

/* Zeroes bytes within one page. */
static int zero_part(struct filemap *map, uint64_t offset, uint64_t size_bytes)
{
	pfn_t pfn;
	int err;

	if (map->ops->read_pages == NULL && !filemap_is_cached(map, offset >> PAGE_SHIFT))
		return 0;
	err = filemap_get_page(map, offset >> PAGE_SHIFT, true, &pfn);
	if (err != 0)
		return err;
	memset((char *)pfn_to_ptr(pfn) + page_offset(offset), 0, size_bytes);
	frame_put(pfn);
	return 0;
}

int filemap_punch(struct filemap *map, uint64_t offset, uint64_t size_bytes)
{
	uint64_t end = offset + size_bytes, first = (offset + PAGE_SIZE - 1) >> PAGE_SHIFT;
	int err = 0;

	if (map->ops->read_pages == NULL && (end >> PAGE_SHIFT) > first) {
		err = unmap_everywhere(map, first, (end >> PAGE_SHIFT) - 1, false);
		if (err != 0)
			return err;
		filemap_drop_range(map, first, (end >> PAGE_SHIFT) - 1);
	}
	for (uint64_t at = offset; err == 0 && at < end;) {
		uint64_t stop = MIN(end, page_round_down(at) + PAGE_SIZE);

		if (stop - at == PAGE_SIZE && map->ops->read_pages == NULL)
			stop = MAX(stop, page_round_down(end)); /* dropped above */
		else
			err = zero_part(map, at, stop - at);
		at = stop;
	}
	return err;
}
