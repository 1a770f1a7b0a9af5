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

void pt_ranges_add(struct pt_ranges *r, uint64_t start, uint64_t end)
{
	struct pt_range *last;

	if (r->nr != 0) {
		last = &r->range[r->nr - 1];
		bool touches = start <= last->end && end >= last->start;

		if (touches || r->nr == PT_GATHER_RANGES) {
			last->start = MIN(last->start, start);
			last->end = MAX(last->end, end);
			return;
		}
	}
	r->range[r->nr++] = (struct pt_range){start, end};
}

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

int pt_reserve_fill(struct pt_reserve *r, uint64_t nr)
{
	struct pt_reserve got = {PFN_NONE, 0};
	pfn_t run[32];

	while (got.nr < nr) {
		unsigned n = frame_alloc_run(FRAME_TABLE, run, (unsigned)MIN(nr - got.nr, ARRAY_SIZE(run)));

		if (n == 0) {
			pt_reserve_release(&got);
			return -ENOMEM;
		}
		while (n != 0)
			reserve_push(&got, run[--n]);
	}
	while (got.nr != 0)
		reserve_push(r, pt_reserve_take(&got));
	return 0;
}

pfn_t pt_reserve_take(struct pt_reserve *r)
{
	pfn_t pfn = r->head;

	ASSERT(r->nr != 0);
	r->head = *(pfn_t *)pfn_to_ptr(pfn);
	r->nr--;
	return pfn;
}

void pt_reserve_release(struct pt_reserve *r)
{
	while (r->nr != 0)
		frame_put(pt_reserve_take(r));
}
