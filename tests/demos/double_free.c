/* One reference, dropped twice. */
#include "demo.h"

IN_TRACE static pfn_t the_one_who_allocates(void) { return frame_alloc(FRAME_ANON); }

IN_TRACE static void the_one_who_frees(pfn_t pfn) { frame_put(pfn); }

IN_TRACE static void the_one_who_frees_again(pfn_t pfn) { frame_put(pfn); }

int main(int argc, char **argv)
{
	struct aspace *as = demo_begin(argc, argv);
	pfn_t pfn = the_one_who_allocates();

	if (!is_broken)
		frame_get(pfn); /* for the second */
	the_one_who_frees(pfn);
	the_one_who_frees_again(pfn);
	return demo_end(as);
}
