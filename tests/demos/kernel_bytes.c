/* A struct with a hole goes to the user; what the heap object held before is in the hole. */
#include "demo.h"

struct answer {
	uint8_t kind;
	/* three bytes nobody writes */
	uint32_t value;
};

IN_TRACE static struct answer *the_one_who_fills(void)
{
	struct answer *a = is_broken ? kmalloc(sizeof(*a)) : kzalloc(sizeof(*a));

	a->kind = 1;
	a->value = 42;
	return a;
}

IN_TRACE static void the_one_who_copies(struct aspace *as, const struct answer *a)
{
	if (copy_to_user_in(as, uaddr(USER_BASE), a, sizeof(*a)) != 0)
		exit(2);
}

int main(int argc, char **argv)
{
	struct aspace *as = demo_begin(argc, argv);
	struct answer *a = the_one_who_fills();

	the_one_who_copies(as, a);
	kfree(a);
	return demo_end(as);
}
