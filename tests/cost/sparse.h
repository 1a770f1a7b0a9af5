/*
 * Guests of many GiB on a laptop: physical memory is reserved but not backed, and pages
 * are mapped as faults would have left them without their bytes being touched.
 * Only tables and metadata become real memory.
 */
#ifndef SPARSE_H
#define SPARSE_H

#include "mm_test.h"

/* All pages of [addr, addr + bytes) present, written to, of undefined content. */
static inline void sparse_fill(struct aspace *as, uint64_t addr, uint64_t bytes)
{
	const struct pt_ops *ops = as->pt.ops;
	uint64_t end = addr + bytes;

	while (addr < end) {
		unsigned nr = (unsigned)MIN(ops->leaf_room(addr), (end - addr) >> PAGE_SHIFT);
		struct pt_reserve reserve = {PFN_NONE, 0};
		struct pt_gather gather;
		pfn_t pfns[512];
		bool is_shared;

		nr = frame_alloc_run(FRAME_ANON, pfns, nr);
		assert_int_not_equal(nr, 0);
		pt_gather_init(&gather, as, false);
		assert_int_equal(pt_reserve_fill(&reserve, ops->own_cost(&as->pt, addr, &is_shared)), 0);
		ops->own(&as->pt, addr, &reserve, &gather);
		ops->map(&as->pt, addr, pfns, nr, prot_make(PROT_BIT_R | PROT_BIT_W),
			 PT_USER | PT_ACCESSED | PT_DIRTY);
		ops->note_hot(&as->pt, addr);
		pt_gather_finish(&gather);
		addr += PAGES(nr);
	}
}

/* A process as exec leaves it, by size: text, data, stack far above, and `bytes` of memory at BASE. */
#define PROCESS_TEXT ((uint64_t)0x400000)
#define PROCESS_DATA ((uint64_t)0x480000)
#define PROCESS_STACK ((uint64_t)0x7ffffff00000)
#define PROCESS_SMALL_PAGES (64 + 16 + 8)

static inline uint64_t sparse_stack(const struct aspace *as) { return MIN(PROCESS_STACK, as->user_end - PAGES(256)); }

static inline struct aspace *sparse_process(uint64_t bytes)
{
	struct aspace *as = new_aspace();
	uint64_t stack = sparse_stack(as);

	map_fixed(as, PROCESS_TEXT, PAGES(64), PROT_READ | PROT_EXEC);
	for (unsigned i = 0; i < 64; i++)
		peek(as, PROCESS_TEXT + PAGES(i));
	map_fixed(as, PROCESS_DATA, PAGES(16), RW);
	poke_pages(as, PROCESS_DATA, 16, 1);
	map_fixed(as, stack, PAGES(8), RW);
	poke_pages(as, stack, 8, 1);
	if (bytes != 0) {
		map_fixed(as, BASE, bytes, RW);
		sparse_fill(as, BASE, bytes);
	}
	return as;
}

#endif
