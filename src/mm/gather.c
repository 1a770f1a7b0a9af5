/*
 * What the page-table codecs share: gathers (flush, then drop: invariant 5),
 * reserves of table frames, flush ranges, statistics.
 *
 * Lock: that of the address space concerned.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/pt.h"

struct pt_stats pt_stats;

/* Into the range that grows least by it, if it touches that one or there are too many. */
void pt_ranges_add(struct pt_ranges *r, uint64_t start, uint64_t end)
{
	struct pt_range *best = NULL;
	uint64_t least = UINT64_MAX;

	for (unsigned i = r->nr; i-- > 0;) {
		struct pt_range *at = &r->range[i];
		uint64_t grows = MAX(at->end, end) - MIN(at->start, start) - (at->end - at->start);

		if (grows < least) {
			least = grows;
			best = at;
		}
	}
	if (least <= end - start || r->nr == PT_GATHER_RANGES) {
		best->start = MIN(best->start, start);
		best->end = MAX(best->end, end);
		return;
	}
	r->range[r->nr++] = (struct pt_range){start, end};
}

void pt_ranges_add_page(struct pt_ranges *r, uint64_t page) { pt_ranges_add(r, page, page + PAGE_SIZE); }

void pt_gather_init(struct pt_gather *g, struct aspace *as, bool is_covering)
{
	g->as = as;
	g->is_covering = is_covering;
	g->flush.nr = 0;
	g->nr_items = 0;
}

void pt_gather_flush(struct pt_gather *g, uint64_t start, uint64_t end)
{
	if (g->is_covering && g->flush.nr != 0) {
		struct pt_range *all = &g->flush.range[0];

		all->start = MIN(all->start, start);
		all->end = MAX(all->end, end);
		return;
	}
	pt_ranges_add(&g->flush, start, end);
}

void pt_gather_drop(struct pt_gather *g, pfn_t pfn, unsigned level)
{
	g->pfn[g->nr_items] = pfn;
	g->level[g->nr_items++] = (uint8_t)level;
	if (g->nr_items == PT_GATHER_ITEMS)
		pt_gather_finish(g);
}

void pt_gather_finish(struct pt_gather *g)
{
	for (unsigned i = 0; i < g->flush.nr; i++) {
		pt_stats.nr_flushes++;
		arch_tlb_flush_range(g->as, uaddr(g->flush.range[i].start), uaddr(g->flush.range[i].end));
	}
	for (unsigned i = 0; i < g->nr_items; i++)
		g->as->pt.ops->drop(g->pfn[i], g->level[i]);
	g->flush.nr = 0;
	g->nr_items = 0;
}

/* The chain's link lies at the start of the frame. */
static void reserve_push(struct pt_reserve *r, pfn_t pfn)
{
	*(pfn_t *)pfn_to_ptr(pfn) = r->head;
	r->head = pfn;
	r->nr++;
}

pfn_t pt_reserve_take(struct pt_reserve *r)
{
	pfn_t pfn = r->head;

	ASSERT(r->nr != 0);
	r->head = *(pfn_t *)pfn_to_ptr(pfn);
	*(pfn_t *)pfn_to_ptr(pfn) = (pfn_t){0};
	r->nr--;
	return pfn;
}

static void reserve_shrink(struct pt_reserve *r, unsigned nr)
{
	while (r->nr > nr) {
		pfn_t pfn = pt_reserve_take(r);

		if (frame_unref(pfn))
			frame_free_zeroed(pfn);
	}
}

int pt_reserve_fill(struct pt_reserve *r, uint64_t nr)
{
	unsigned nr_before = r->nr;

	while (r->nr < nr_before + nr) {
		pfn_t pfn = frame_alloc_zeroed(FRAME_TABLE);

		if (pfn_is_none(pfn)) {
			reserve_shrink(r, nr_before);
			return -ENOMEM;
		}
		reserve_push(r, pfn);
	}
	return 0;
}

void pt_reserve_release(struct pt_reserve *r) { reserve_shrink(r, 0); }
