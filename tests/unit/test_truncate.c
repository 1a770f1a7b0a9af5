/* Files lose pages that are mapped: truncation and holes, in every address space, and their failure. */
#include "aspace_fixture.h"

static void truncate_unmaps(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(8), O_RDWR);
	struct aspace *child;

	assert_int_equal(map_file(as, &f->file, BASE, PAGES(8), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	assert_int_equal(map_file(as, &f->file, BASE + MB, PAGES(8), RW, MAP_PRIVATE | MAP_FIXED, 0),
			 BASE + MB);
	for (unsigned i = 0; i < 8; i++)
		peek(as, BASE + PAGES(i));
	poke(as, BASE + MB + PAGES(5), 9);
	child = fork_aspace(as);
	assert_int_equal(filemap_truncate(&f->map, PAGES(3) + 10), 0);
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(f->map.nr_pages, 4);
	assert_int_equal(access_result(as, BASE + PAGES(4), TRAP_READ), -EIO);
	assert_int_equal(access_result(child, BASE + PAGES(7), TRAP_READ), -EIO);
	assert_int_equal(access_result(as, BASE + MB + PAGES(5), TRAP_READ), -EIO);
	assert_int_equal(peek(as, BASE + PAGES(3)), f->store[PAGES(3)]);
	assert_int_equal(peek(as, BASE + PAGES(3) + 11), 0); /* the tail is zeroed */
	aspace_put(child);
	aspace_put(as);
	test_file_destroy(f);
	as = new_aspace();
}

/* A mapping of the file's middle, one of its start, one of its end, and the cut between them. */
static void only_what_is_cut_off_goes(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(100), O_RDWR);

	assert_int_equal(map_file(as, &f->file, BASE, PAGES(40), RW, MAP_SHARED | MAP_FIXED, PAGES(30)), BASE);
	assert_int_equal(map_file(as, &f->file, BASE + MB, PAGES(20), RW, MAP_SHARED | MAP_FIXED, 0),
			 BASE + MB);
	assert_int_equal(map_file(as, &f->file, BASE + 2 * MB, PAGES(20), RW, MAP_SHARED | MAP_FIXED,
				  PAGES(80)),
			 BASE + 2 * MB);
	map_fixed(as, BASE + 3 * MB, PAGES(4), RW); /* no file at all */
	poke_pages(as, BASE, 40, 1);
	poke_pages(as, BASE + MB, 20, 100);
	poke_pages(as, BASE + 2 * MB, 20, 200);
	poke(as, BASE + 3 * MB, 5);
	assert_int_equal(filemap_truncate(&f->map, PAGES(50)), 0);
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(aspace_rss_pages(as), 20 + 20 + 1);
	assert_int_equal(peek(as, BASE + PAGES(19)), 20);
	assert_int_equal(access_result(as, BASE + PAGES(20), TRAP_READ), -EIO);
	assert_int_equal(access_result(as, BASE + 2 * MB, TRAP_WRITE), -EIO);
	assert_int_equal(peek(as, BASE + MB + PAGES(19)), 119);
	/* Longer again: holes, at the places mapped before. */
	assert_int_equal(filemap_truncate(&f->map, PAGES(90)), 0);
	assert_int_equal(peek(as, BASE + PAGES(20)), 0);
	poke(as, BASE + 2 * MB, 7);
	assert_int_equal(access_result(as, BASE + 2 * MB + PAGES(10), TRAP_READ), -EIO);
	assert_int_equal(filemap_truncate(&f->map, 0), 0);
	assert_int_equal(aspace_rss_pages(as), 1);
	assert_int_equal(f->map.nr_pages, 0);
	renew();
	test_file_destroy(f);
}

static void the_last_page_keeps_its_head(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(8), O_RDWR);

	assert_int_equal(filemap_truncate(&f->map, PAGES(5) + 10), 0); /* not cached: nothing to zero */
	assert_int_equal(f->map.nr_pages, 0);
	file_fixed(f, BASE, PAGES(8), RW, MAP_SHARED);
	poke(as, BASE + PAGES(5) + 5, 51);
	poke(as, BASE + PAGES(5) + 20, 52); /* beyond the end: nobody's */
	assert_int_equal(filemap_truncate(&f->map, PAGES(7)), 0);
	assert_int_equal(peek(as, BASE + PAGES(5) + 5), 51);
	assert_int_equal(peek(as, BASE + PAGES(5) + 20), 0);
	assert_int_equal(aspace_msync(as, BASE, PAGES(8), MS_SYNC), 0);
	assert_int_equal(f->store[PAGES(5) + 5], 51);
	renew();
	test_file_destroy(f);
}

/* Tables shared with a child need memory to be changed. Without any, the file is as it was. */
static void failure_changes_nothing(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(200), O_RDWR);
	struct aspace *child;

	file_fixed(f, BASE, PAGES(200), RW, MAP_SHARED);
	map_fixed(as, BASE + PAGES(200), PAGES(200), RW);
	poke_pages(as, BASE, 200, 1);
	poke_pages(as, BASE + PAGES(200), 200, 1);
	child = fork_aspace(as);
	for (int hole = 0; hole < 2; hole++)
		for (unsigned n = 1;; n++) {
			int err;

			fail_alloc_arm(n, false);
			err = hole ? filemap_punch(&f->map, PAGES(20), PAGES(30) + 5)
				   : filemap_truncate(&f->map, PAGES(150));
			fail_alloc_arm(0, false);
			assert_int_equal(mm_audit(), 0);
			if (err == 0)
				break;
			assert_int_equal(err, -ENOMEM);
			assert_int_equal(f->map.size_bytes, hole ? PAGES(150) : PAGES(200));
			assert_int_equal(peek(as, BASE + PAGES(149)), 150);
			assert_int_equal(peek(child, BASE + PAGES(25)), 26);
			if (!hole)
				assert_int_equal(peek(child, BASE + PAGES(199)), 200);
		}
	assert_int_equal(access_result(child, BASE + PAGES(150), TRAP_READ), -EIO);
	assert_int_equal(peek(child, BASE + PAGES(25)), 0);
	assert_int_equal(peek(child, BASE + PAGES(50) + 4), 0);
	assert_int_equal(peek(child, BASE + PAGES(51)), 52);
	aspace_put(child);
	renew();
	test_file_destroy(f);
}

static void holes_within_a_page(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(10), O_RDWR);
	struct test_file *store = test_file_create(&test_store_ops, PAGES(10), O_RDWR);

	assert_int_equal(filemap_punch(&f->map, 100, 200), 0); /* a hole already: stays one */
	assert_int_equal(f->map.nr_pages, 0);
	assert_int_equal(filemap_punch(&f->map, PAGES(2), PAGES(3)), 0);
	assert_int_equal(f->map.nr_pages, 0);
	store->read_error = -EIO;
	assert_int_equal(filemap_punch(&store->map, 100, 200), -EIO);
	store->read_error = 0;
	assert_int_equal(filemap_punch(&store->map, 100, PAGES(2)), 0);
	assert_int_equal(filemap_sync(&store->map), 0);
	assert_int_not_equal(store->store[99], 0);
	for (unsigned i = 100; i < 100 + PAGES(2); i++)
		assert_int_equal(store->store[i], 0);
	assert_int_not_equal(store->store[100 + PAGES(2)], 0);
	test_file_destroy(store);
	test_file_destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(truncate_unmaps),
		TEST(only_what_is_cut_off_goes),
		TEST(the_last_page_keeps_its_head),
		TEST(failure_changes_nothing),
		TEST(holes_within_a_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
