/* A page is taken out of its table, and nobody drops the reference. */
#include "demo.h"

IN_TRACE static void the_one_who_needs_a_page(struct aspace *as)
{
	if (copy_to_user_in(as, uaddr(USER_BASE + 7 * PAGE_SIZE), "x", 1) != 0)
		exit(2);
}

/* munmap as it would be without its gather. */
IN_TRACE static void the_one_who_unmaps(struct aspace *as)
{
	pfn_t pfn = PFN_NONE;
	prot_t prot;

	if (is_broken && aspace_walk(as, uaddr(USER_BASE + 7 * PAGE_SIZE), 1 /* read */, &pfn, &prot))
		frame_get(pfn);
	if (aspace_munmap(as, USER_BASE, 1 << 20) != 0)
		exit(2);
}

int main(int argc, char **argv)
{
	struct aspace *as = demo_begin(argc, argv);

	the_one_who_needs_a_page(as);
	the_one_who_unmaps(as);
	return demo_end(as);
}
