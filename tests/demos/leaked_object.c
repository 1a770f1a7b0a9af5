/* A heap object that nobody keeps a pointer to. */
#include "demo.h"

IN_TRACE static void the_one_who_forgets(void)
{
	char *object = kmalloc(100);

	memset(object, 0, 100);
	if (!is_broken)
		kfree(object);
}

/* What earlier calls left on the stack, the pointer among it, is not to be found. */
IN_TRACE static void overwrite_stack(void)
{
	volatile char room[8192];

	for (unsigned i = 0; i < sizeof(room); i++)
		room[i] = 0;
}

int main(int argc, char **argv)
{
	struct aspace *as = demo_begin(argc, argv);

	the_one_who_forgets();
	overwrite_stack();
	return demo_end(as);
}
