/* A pointer to a page is kept over munmap and read through. */
#include "demo.h"

IN_TRACE static void the_one_who_frees(struct aspace *as)
{
	if (aspace_munmap(as, USER_BASE, 1 << 20) != 0)
		exit(2);
}

IN_TRACE static void the_one_who_reads(const char *page) { printf("the page says %.5s\n", page); }

int main(int argc, char **argv)
{
	struct aspace *as = demo_begin(argc, argv);
	size_t avail;
	pfn_t pin;
	char *page = user_page_pin(as, uaddr(USER_BASE), false, &avail, &pin);

	if (is_broken)
		user_page_unpin(pin); /* too early: the pin is what keeps the frame */
	the_one_who_frees(as);
	the_one_who_reads(page);
	if (!is_broken)
		user_page_unpin(pin);
	return demo_end(as);
}
