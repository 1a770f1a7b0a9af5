/* A fork that shares a page without taking a reference: the audit's own find, no tool needed. */
#include "demo.h"

IN_TRACE static struct aspace *the_one_who_forks(struct aspace *parent)
{
	struct aspace *child;
	prot_t prot;
	pfn_t pfn;

	aspace_set_fork_mode(FORK_COW);
	if (aspace_fork(parent, &child) != 0)
		exit(2);
	if (is_broken && aspace_walk(parent, uaddr(USER_BASE), 1 /* read */, &pfn, &prot) && frame_unref(pfn))
		exit(2);
	return child;
}

int main(int argc, char **argv)
{
	struct aspace *as = demo_begin(argc, argv), *child = the_one_who_forks(as);

	if (mm_audit() != 0)
		return 70;
	aspace_put(child);
	return demo_end(as);
}
