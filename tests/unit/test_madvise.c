/* madvise, msync, mincore: what they do, and their errors as the man pages say. */
#include "aspace_fixture.h"

/* ---- madvise ------------------------------------------------------------------ */

static void madvise_errors(void **state)
{
	map_fixed(as, BASE, PAGES(4), RW);
	assert_int_equal(aspace_madvise(as, BASE + 1, PAGE_SIZE, MADV_DONTNEED), -EINVAL);
	assert_int_equal(aspace_madvise(as, BASE, PAGE_SIZE, 77), -EINVAL);
	assert_int_equal(aspace_madvise(as, BASE, PAGE_SIZE, 5), -EINVAL);
	assert_int_equal(aspace_madvise(as, BASE, 0, MADV_DONTNEED), 0);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(8), MADV_DONTNEED), -ENOMEM); /* holes, yet done */
	assert_int_equal(aspace_madvise(as, BASE, PAGES(4), MADV_REMOVE), -EINVAL);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(4), MADV_SEQUENTIAL), 0);
}

static void madvise_dontneed(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(8), O_RDONLY);

	map_fixed(as, BASE, PAGES(8), RW);
	assert_int_equal(map_file(as, &f->file, BASE + PAGES(8), PAGES(8), RW, MAP_PRIVATE | MAP_FIXED, 0),
			 BASE + PAGES(8));
	poke_pages(as, BASE, 16, 100);
	assert_int_equal(aspace_madvise(as, BASE + PAGES(2), PAGES(10), MADV_DONTNEED), 0);
	assert_int_equal(peek(as, BASE + PAGES(1)), 101);
	assert_int_equal(peek(as, BASE + PAGES(2)), 0);
	assert_int_equal(peek(as, BASE + PAGES(8)), 1); /* the file's again */
	assert_int_equal(peek(as, BASE + PAGES(12)), 112);
	aspace_put(as);
	test_file_destroy(f);
	as = new_aspace();
}

static void madvise_remove(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(8), O_RDWR);
	struct aspace *other = new_aspace();

	assert_int_equal(map_file(as, &f->file, BASE, PAGES(8), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	assert_int_equal(map_file(other, &f->file, BASE, PAGES(8), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	poke_pages(as, BASE, 8, 1);
	assert_int_equal(peek(other, BASE + PAGES(3)), 4);
	assert_int_equal(aspace_madvise(as, BASE + PAGES(2), PAGES(4), MADV_REMOVE), 0);
	assert_int_equal(f->map.nr_pages, 4);
	assert_int_equal(peek(other, BASE + PAGES(3)), 0);
	poke(other, BASE + PAGES(3), 77);
	assert_int_equal(peek(as, BASE + PAGES(3)), 77);
	assert_int_equal(peek(as, BASE + PAGES(6)), 7);
	assert_int_equal(mm_audit(), 0);
	aspace_put(other);
	aspace_put(as);
	test_file_destroy(f);
	as = new_aspace();
}

static void madvise_populate(void **state)
{
	map_fixed(as, BASE, PAGES(100), RW);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(100), MADV_POPULATE_WRITE), 0);
	assert_int_equal(aspace_rss_pages(as), 100);
	map_fixed(as, BASE, PAGES(100), PROT_READ);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(100), MADV_POPULATE_WRITE), -EINVAL);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(100), MADV_POPULATE_READ), 0);
	/* Holes, be they below a stack that the caller could make grow. */
	assert_int_equal(aspace_madvise(as, BASE, PAGES(101), MADV_POPULATE_READ), -ENOMEM);
	assert_int_equal(map_anon(as, BASE + MB, PAGE_SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN),
			 BASE + MB);
	assert_int_equal(aspace_madvise(as, BASE + MB - PAGE_SIZE, PAGE_SIZE, MADV_POPULATE_WRITE), -ENOMEM);
}

static void ranges_are_checked(void **state)
{
	uint64_t last = page_round_down(fake.user_end);

	map_fixed(as, BASE, PAGES(4), RW);
	assert_int_equal(aspace_madvise(as, BASE, UINT64_MAX, MADV_DONTNEED), -EINVAL);
	assert_int_equal(aspace_madvise(as, UINT64_MAX & PAGE_MASK, PAGES(2), MADV_DONTNEED), -EINVAL);
	assert_int_equal(aspace_madvise(as, last, PAGES(2), MADV_DONTNEED), -ENOMEM);
	assert_int_equal(aspace_madvise(as, BASE + MB, PAGES(2), MADV_DONTFORK), -ENOMEM); /* nothing there */
	assert_int_equal(aspace_madvise(as, BASE + 512 * MB, PAGES(2), MADV_REMOVE), -ENOMEM);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(4), -1), -EINVAL);
	assert_int_equal(aspace_msync(as, BASE + 1, PAGES(1), MS_SYNC), -EINVAL);
	assert_int_equal(aspace_msync(as, BASE, PAGES(1), 8), -EINVAL);
	assert_int_equal(aspace_msync(as, BASE, 0, MS_SYNC), 0);
	assert_int_equal(aspace_mincore(as, BASE, 0, NULL), 0);
	assert_false(as->has_fork_rules);
}

static void locked_memory_stays(void **state)
{
	assert_int_equal(anon(BASE, PAGES(4), RW, MAP_PRIVATE | MAP_FIXED | MAP_LOCKED), BASE);
	assert_int_equal(aspace_rss_pages(as), 4); /* present from the start */
	poke(as, BASE, 9);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(4), MADV_DONTNEED), -EINVAL);
	assert_int_equal(peek(as, BASE), 9);
}

static void wipeonfork_and_free_are_for_anonymous_memory(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(8), O_RDWR);

	map_fixed(as, BASE, PAGES(8), RW);
	poke(as, BASE, 3);
	file_fixed(f, BASE + PAGES(8), PAGES(8), RW, MAP_PRIVATE);
	assert_int_equal(anon(BASE + PAGES(16), PAGES(4), RW, MAP_SHARED | MAP_FIXED), BASE + PAGES(16));
	assert_int_equal(aspace_madvise(as, BASE, PAGES(16), MADV_WIPEONFORK), -EINVAL);
	assert_int_equal(aspace_madvise(as, BASE + PAGES(16), PAGES(4), MADV_WIPEONFORK), -EINVAL);
	assert_false(as->has_fork_rules); /* nothing was changed before it was refused */
	assert_int_equal(aspace_madvise(as, BASE, PAGES(8), MADV_FREE), 0);
	assert_int_equal(peek(as, BASE), 3);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(16), MADV_FREE), -EINVAL);
	renew();
	test_file_destroy(f);
}

static void only_shared_memory_that_may_be_written_is_removed(void **state)
{
	struct test_file *store = test_file_create(&test_store_ops, PAGES(8), O_RDWR);
	struct test_file *read_only = test_file_create(&test_memory_ops, PAGES(8), O_RDONLY);
	struct test_file *memory = test_file_create(&test_memory_ops, PAGES(8), O_RDWR);

	file_fixed(store, BASE, PAGES(8), RW, MAP_SHARED);
	file_fixed(read_only, BASE + PAGES(8), PAGES(8), PROT_READ, MAP_SHARED);
	file_fixed(memory, BASE + PAGES(16), PAGES(8), RW, MAP_PRIVATE);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(8), MADV_REMOVE), -EOPNOTSUPP);
	assert_int_equal(aspace_madvise(as, BASE + PAGES(8), PAGES(8), MADV_REMOVE), -EACCES);
	assert_int_equal(aspace_madvise(as, BASE + PAGES(16), PAGES(8), MADV_REMOVE), -EACCES);
	renew();
	test_file_destroy(store);
	test_file_destroy(read_only);
	test_file_destroy(memory);
}

/* The file loses the page; a copy somebody made of it is not the file's. */
static void removal_spares_private_copies(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(8), O_RDWR);

	file_fixed(f, BASE, PAGES(8), RW, MAP_SHARED);
	file_fixed(f, BASE + MB, PAGES(8), RW, MAP_PRIVATE);
	poke_pages(as, BASE, 8, 1);
	poke(as, BASE + MB + PAGES(2), 99);
	assert_int_equal(peek(as, BASE + MB + PAGES(3)), 4);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(8), MADV_REMOVE), 0);
	assert_int_equal(peek(as, BASE + MB + PAGES(2)), 99);
	assert_int_equal(peek(as, BASE + MB + PAGES(3)), 0);
	renew();
	test_file_destroy(f);
}

static void populate_says_what_is_wrong(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(2), O_RDWR);

	file_fixed(f, BASE, PAGES(4), RW, MAP_SHARED);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(2), MADV_POPULATE_WRITE), 0);
	assert_int_equal(f->map.nr_dirty, 2);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(4), MADV_POPULATE_READ), -EFAULT); /* beyond its end */
	map_fixed(as, BASE + MB, PAGES(4), RW);
	fail_alloc_arm(1, true);
	assert_int_equal(aspace_madvise(as, BASE + MB, PAGES(4), MADV_POPULATE_READ), -ENOMEM);
	fail_alloc_arm(0, false);
	assert_int_equal(aspace_madvise(as, BASE + 2 * MB, PAGES(4), MADV_POPULATE_READ), -ENOMEM); /* a hole */
	renew();
	test_file_destroy(f);
}

/* ---- msync, mincore --------------------------------------------------------------- */

static void mincore_tells(void **state)
{
	uint8_t vec[8];

	map_fixed(as, BASE, PAGES(8), RW);
	poke(as, BASE + PAGES(3), 1);
	assert_int_equal(aspace_mincore(as, BASE, PAGES(8), vec), 0);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(vec[i], i == 3);
	assert_int_equal(aspace_mincore(as, BASE + PAGES(7), PAGES(2), vec), -ENOMEM);
	assert_int_equal(aspace_mincore(as, BASE + 5, PAGES(2), vec), -EINVAL);
	assert_int_equal(aspace_msync(as, BASE, PAGES(8), MS_SYNC), 0);
	assert_int_equal(aspace_msync(as, BASE, PAGES(9), MS_SYNC), -ENOMEM);
	assert_int_equal(aspace_msync(as, BASE, PAGES(8), MS_SYNC | MS_ASYNC), -EINVAL);
}

static void mincore_knows_the_page_cache(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(64), O_RDWR);
	uint8_t vec[64];
	pfn_t page;

	file_fixed(f, BASE, PAGES(64), PROT_READ, MAP_SHARED);
	assert_int_equal(filemap_get_page(&f->map, 20, false, &page), 0);
	frame_put(page);
	assert_int_equal(aspace_mincore(as, BASE, PAGES(64), vec), 0);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(vec[i], i >= 16 && i < 32); /* read with its neighbours */
	assert_int_equal(aspace_rss_pages(as), 0);
	renew();
	test_file_destroy(f);
}

static void msync_writes_back_in_its_range(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(8), O_RDWR);
	struct test_file *g = test_file_create(&test_store_ops, PAGES(8), O_RDWR);

	file_fixed(f, BASE, PAGES(8), RW, MAP_SHARED);
	file_fixed(g, BASE + PAGES(8), PAGES(8), RW, MAP_SHARED);
	poke(as, BASE, 41);
	poke(as, BASE + PAGES(8), 42);
	assert_int_equal(aspace_msync(as, BASE, PAGES(16), MS_ASYNC), 0);
	assert_int_equal(f->nr_writes + g->nr_writes, 0); /* later is soon enough */
	assert_int_equal(aspace_msync(as, BASE, PAGES(8), MS_SYNC), 0);
	assert_int_equal(f->store[0], 41);
	assert_int_equal(g->nr_writes, 0);
	g->write_error = -EIO;
	assert_int_equal(aspace_msync(as, BASE, PAGES(17), MS_SYNC), -EIO); /* before that there is a hole */
	g->write_error = 0;
	assert_int_equal(aspace_msync(as, BASE, PAGES(16), MS_SYNC), 0);
	assert_int_equal(g->store[0], 42);
	renew();
	test_file_destroy(f);
	test_file_destroy(g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(madvise_errors),
		TEST(madvise_dontneed),
		TEST(madvise_remove),
		TEST(madvise_populate),
		TEST(ranges_are_checked),
		TEST(locked_memory_stays),
		TEST(wipeonfork_and_free_are_for_anonymous_memory),
		TEST(only_shared_memory_that_may_be_written_is_removed),
		TEST(removal_spares_private_copies),
		TEST(populate_says_what_is_wrong),
		TEST(mincore_tells),
		TEST(mincore_knows_the_page_cache),
		TEST(msync_writes_back_in_its_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
