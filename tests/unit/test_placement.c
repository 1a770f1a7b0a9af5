/* Where mappings go, what is refused before one is made, and limits. */
#include "aspace_fixture.h"

static void mmap_places(void **state)
{
	int64_t a = anon(0, PAGES(3), RW, MAP_PRIVATE), b = anon(0, 5000, RW, MAP_PRIVATE);

	assert_int_equal(a, as->mmap_top - PAGES(3));
	assert_int_equal(b, a - PAGES(2));
	assert_int_equal(as->vmas.nr_vmas, 1); /* equal neighbours merge */
	assert_int_equal(anon(BASE + 123, PAGE_SIZE, RW, MAP_PRIVATE),
			 BASE + PAGE_SIZE); /* a hint is rounded */
	assert_int_equal(anon(BASE + PAGE_SIZE, PAGE_SIZE, RW, MAP_PRIVATE), b - PAGE_SIZE); /* taken */
	assert_int_equal(anon(BASE, PAGES(2), RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE), -EEXIST);
	assert_int_equal(anon(BASE, PAGES(1), RW, MAP_PRIVATE | MAP_FIXED_NOREPLACE), BASE);
	assert_true(anon(0, PAGES(1), RW, MAP_PRIVATE | MAP_32BIT) < (int64_t)1 << 31);
}

static void limits(void **state)
{
	as->as_limit_bytes = PAGES(10);
	assert_int_equal(anon(0, PAGES(11), RW, MAP_PRIVATE), -ENOMEM);
	map_fixed(as, BASE, PAGES(10), RW);
	assert_int_equal(anon(0, PAGES(1), RW, MAP_PRIVATE), -ENOMEM);
	map_fixed(as, BASE, PAGES(10), PROT_READ); /* replaces: no more than before */
	as->as_limit_bytes = UINT64_MAX;
	as->data_limit_bytes = PAGES(4);
	assert_int_equal(anon(0, PAGES(5), RW, MAP_PRIVATE), -ENOMEM);
	assert_true(anon(0, PAGES(5), PROT_READ, MAP_PRIVATE) > 0);
	assert_true(anon(0, PAGES(4), RW, MAP_PRIVATE) > 0);
	assert_int_equal(anon(0, PAGES(1), RW, MAP_PRIVATE), -ENOMEM);
}

static void hints_beyond_the_end_are_ignored(void **state)
{
	uint64_t end = page_round_down(fake.user_end);

	assert_int_equal(anon(end, PAGES(1), RW, MAP_PRIVATE), as->mmap_top - PAGES(1));
	assert_int_equal(anon(end - PAGES(1), PAGES(2), RW, MAP_PRIVATE), as->mmap_top - PAGES(3));
	assert_int_equal(anon(8, PAGES(1), RW, MAP_PRIVATE), as->mmap_top - PAGES(4)); /* too low */
	assert_int_equal(anon(end, PAGES(1), RW, MAP_PRIVATE | MAP_FIXED), -ENOMEM);
	assert_int_equal(anon(end + PAGES(9), PAGES(1), RW, MAP_PRIVATE | MAP_FIXED), -ENOMEM);
}

/* What lies above the usual place is used when nothing below is left. */
static void full_space_is_searched_upwards(void **state)
{
	uint64_t top = as->mmap_top = BASE + 16 * MB;

	map_fixed(as, ARCH_USER_MIN, top - ARCH_USER_MIN, PROT_NONE);
	assert_int_equal(anon(0, PAGES(2), RW, MAP_PRIVATE), top);
	assert_int_equal(anon(0, PAGES(2), RW, MAP_PRIVATE | MAP_32BIT), -ENOMEM);
	/* A stack above needs its gap: over it then. */
	assert_int_equal(anon(top + PAGES(40), PAGES(4), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN),
			 top + PAGES(40));
	assert_int_equal(anon(0, PAGES(3), RW, MAP_PRIVATE), top + PAGES(44));
	map_fixed(as, top + PAGES(47), as->user_end - (top + PAGES(47)), PROT_NONE);
	assert_int_equal(anon(0, PAGES(3), RW, MAP_PRIVATE), -ENOMEM);
	assert_int_equal(aspace_mremap(as, top + PAGES(44), PAGES(1), PAGES(100), MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(aspace_find_free(as, UINT64_MAX - PAGES(1), PAGES(512), top), UINT64_MAX);
}

static void stacks_keep_their_gap(void **state)
{
	uint64_t stack = BASE + 64 * MB;

	assert_int_equal(anon(stack, PAGES(4), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN), stack);
	/* A hint in the gap is not taken, one below it is. */
	as->mmap_top = BASE + 32 * MB;
	assert_int_equal(anon(stack - PAGES(10), PAGES(2), RW, MAP_PRIVATE), as->mmap_top - PAGES(2));
	assert_int_equal(anon(stack - PAGES(300), PAGES(2), RW, MAP_PRIVATE), stack - PAGES(300));
	/* The heap stops before it, and so does a mapping that grows in place. */
	as->brk_start = as->brk = stack - PAGES(280);
	assert_int_equal(aspace_brk(as, stack - PAGES(250)), stack - PAGES(280));
	assert_int_equal(aspace_mremap(as, stack - PAGES(300), PAGES(2), PAGES(60), 0, 0), -ENOMEM);
	/* Asked for by address it may lie there; the stack then does not grow. */
	map_fixed(as, stack - PAGES(10), PAGES(1), RW);
	assert_int_equal(access_result(as, stack - PAGES(1), TRAP_WRITE), -EFAULT);
	/* A reservation without rights, as thread libraries make it, is no neighbour. */
	map_fixed(as, stack - PAGES(10), PAGES(1), PROT_NONE);
	assert_int_equal(access_result(as, stack - PAGES(1), TRAP_WRITE), 0);
	assert_int_equal(access_result(as, stack - PAGES(10), TRAP_WRITE), -EACCES);
}

/* The guard gap reaches down over a mapping that was put there by address: below that one there is room. */
static void gaps_below_a_guard_gap_are_found(void **state)
{
	uint64_t stack = as->mmap_top - PAGES(20);

	assert_int_equal(anon(stack, PAGES(20), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN), stack);
	map_fixed(as, stack - PAGES(100), PAGES(90), PROT_READ);
	map_fixed(as, ARCH_USER_MIN, stack - PAGES(110) - ARCH_USER_MIN, PROT_NONE);
	assert_int_equal(anon(0, PAGES(10), RW, MAP_PRIVATE), stack - PAGES(110));
	assert_int_equal(anon(0, PAGES(1), RW, MAP_PRIVATE), -ENOMEM);
}

static void stacks_grow_within_every_limit(void **state)
{
	uint64_t stack = BASE + 64 * MB;

	assert_int_equal(anon(stack, PAGES(4), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN), stack);
	as->as_limit_bytes = PAGES(6);
	assert_int_equal(access_result(as, stack - PAGES(3), TRAP_WRITE), -EFAULT);
	assert_int_equal(access_result(as, stack - PAGES(2), TRAP_WRITE), 0);
	/* The kernel's own look does not make it grow. */
	as->as_limit_bytes = UINT64_MAX;
	aspace_prefault(as, uaddr(stack - PAGES(3)), TRAP_WRITE);
	assert_int_equal(aspace_virtual_pages(as), 6);
	/* mprotect of a stack reaches down to its start. */
	assert_int_equal(aspace_mprotect(as, stack + PAGES(3), PAGES(1), PROT_READ | PROT_GROWSDOWN), 0);
	assert_int_equal(access_result(as, stack - PAGES(2), TRAP_WRITE), -EACCES);
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(1), PROT_READ | PROT_GROWSDOWN), -ENOMEM);
	/* At the bottom of the address space there is nowhere to go. */
	assert_int_equal(anon(ARCH_USER_MIN, PAGES(1), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN),
			 ARCH_USER_MIN);
	assert_int_equal(access_result(as, ARCH_USER_MIN - PAGES(1), TRAP_WRITE), -EFAULT);
}

static struct filemap *zero_mmap(struct file *file, unsigned vm_shared, int *err)
{
	(void)file;
	*err = vm_shared ? -EPERM : 0;
	return NULL;
}

static void files_decide_how_they_are_mapped(void **state)
{
	static const struct file_ops no_mmap = {0}, zero_ops = {.mmap = zero_mmap};
	struct file pipe = {.refs = 1, .ops = &no_mmap, .flags = O_RDWR};
	struct file zero = {.refs = 1, .ops = &zero_ops, .flags = O_RDWR};

	assert_int_equal(map_file(as, &pipe, 0, PAGES(1), PROT_READ, MAP_PRIVATE, 0), -ENODEV);
	assert_int_equal(map_file(as, &zero, 0, PAGES(1), RW, MAP_SHARED, 0), -EPERM);
	/* /dev/zero: as if there were no file. */
	assert_int_equal(map_file(as, &zero, BASE, PAGES(2), RW, MAP_PRIVATE | MAP_FIXED, PAGES(7)), BASE);
	assert_null(vma_find(&as->vmas, BASE)->file);
	assert_int_equal(zero.refs, 1);
	assert_int_equal(peek(as, BASE), 0);
	poke(as, BASE, 1);
	assert_int_equal(map_file(as, &zero, 0, PAGES(1), RW, MAP_PRIVATE | MAP_HUGETLB, 0), -EINVAL);
	assert_int_equal(map_file(as, &zero, 0, PAGES(1), RW, MAP_PRIVATE | MAP_GROWSDOWN, 0), -EINVAL);
	assert_int_equal(anon(0, PAGES(1), RW, MAP_SHARED | MAP_GROWSDOWN), -EINVAL);
	assert_true(anon(0, PAGES(1), RW, MAP_SHARED_VALIDATE) > 0);
}

/* Rights a file was not opened for cannot be had later. */
static void open_modes_bind_mprotect(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(4), O_WRONLY);

	file_fixed(f, BASE, PAGES(4), PROT_NONE, MAP_SHARED);
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(4), PROT_READ), -EACCES);
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(4), PROT_WRITE), -EACCES); /* it implies read */
	assert_int_equal(aspace_mprotect(as, fake.user_end + PAGES(1), PAGES(1), PROT_READ), -ENOMEM);
	assert_int_equal(aspace_mprotect(as, BASE, UINT64_MAX - 1, PROT_READ), -ENOMEM);
	assert_int_equal(vma_find(&as->vmas, BASE)->prot.raw, PROT_NONE);
	renew();
	test_file_destroy(f);
}

static void limits_bind_mremap_too(void **state)
{
	map_fixed(as, BASE, PAGES(10), RW);
	as->as_limit_bytes = PAGES(12);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(10), PAGES(13), MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(10), PAGES(12), 0, 0), BASE);
	as->as_limit_bytes = UINT64_MAX;
	as->data_limit_bytes = PAGES(13);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(12), PAGES(14), MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(12), PAGES(12), 0, 0), BASE); /* nothing to do */
	assert_int_equal(aspace_mremap(as, BASE, PAGES(2), PAGES(2), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0),
			 -ENOMEM);
	/* Fixed places are checked as mmap's are. */
	assert_int_equal(aspace_mremap(as, BASE, PAGES(2), PAGES(2), MREMAP_MAYMOVE | MREMAP_FIXED, 0x1000),
			 -EPERM);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(2), PAGES(2), MREMAP_MAYMOVE | MREMAP_FIXED,
				       page_round_down(fake.user_end)),
			 -EINVAL);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(2), fake.user_end + PAGES(2),
				       MREMAP_MAYMOVE | MREMAP_FIXED, BASE + MB),
			 -EINVAL);
	assert_int_equal(aspace_mremap(as, BASE, UINT64_MAX, PAGES(2), MREMAP_MAYMOVE, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mmap_places),
		TEST(limits),
		TEST(hints_beyond_the_end_are_ignored),
		TEST(full_space_is_searched_upwards),
		TEST(stacks_keep_their_gap),
		TEST(gaps_below_a_guard_gap_are_found),
		TEST(stacks_grow_within_every_limit),
		TEST(files_decide_how_they_are_mapped),
		TEST(open_modes_bind_mprotect),
		TEST(limits_bind_mremap_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
