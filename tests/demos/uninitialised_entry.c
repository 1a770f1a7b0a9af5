/* A page table is put into the tree without having been cleared; the walk reads its entries. */
#include "demo.h"

#define NOWHERE (USER_BASE + ((uint64_t)1 << 40)) /* another slot of the root */

IN_TRACE static pfn_t the_one_who_makes_a_table(void)
{
	pfn_t table = frame_alloc(FRAME_TABLE);

	if (!is_broken)
		memset(pfn_to_ptr(table), 0, PAGE_SIZE);
	frame_table_set_pages(table, 0);
	return table;
}

IN_TRACE static bool the_one_who_walks(struct aspace *as)
{
	prot_t prot;
	pfn_t pfn;

	return aspace_walk(as, uaddr(NOWHERE), 1 /* read */, &pfn, &prot);
}

int main(int argc, char **argv)
{
	struct aspace *as = demo_begin(argc, argv);
	uint64_t slot_bytes = pt_slot_bytes(as->pt.ops, as->pt.ops->nr_levels);
	pte_t *slot = (pte_t *)pfn_to_ptr(as->pt.root) + NOWHERE / slot_bytes;
	pfn_t table = the_one_who_makes_a_table();

	*slot = as->pt.ops->encode_table(pfn_to_phys(table), true);
	printf("a page is there: %d\n", the_one_who_walks(as));
	*slot = (pte_t){0};
	frame_put(table);
	return demo_end(as);
}
