/* The page cache: reading with neighbours, writing back, truncating, shrinking, memory files, errors. */
#include "mm_test.h"
#include "mm/internal.h"

static int setup(void **state)
{
	mm_test_boot(64 * MB);
	return 0;
}

static int teardown(void **state) { return mm_audit() != 0 || frames_of_kind(FRAME_CACHE) != 0; }

static pfn_t get(struct test_file *f, uint64_t index, bool for_write)
{
	pfn_t pfn;

	assert_int_equal(filemap_get_page(&f->map, index, for_write, &pfn), 0);
	return pfn;
}

static void touch(struct test_file *f, uint64_t index, bool for_write)
{
	frame_put(get(f, index, for_write));
}

static void pages_are_read_once(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(100) - 10, O_RDONLY);
	pfn_t pfn = get(f, 20, false), a, b;

	assert_memory_equal(pfn_to_ptr(pfn), f->store + PAGES(20), PAGE_SIZE);
	assert_int_equal(frame_refs(pfn), 2);
	assert_int_equal(f->nr_reads, 1);
	assert_int_equal(f->map.nr_pages, 16); /* with its neighbours */
	assert_true(filemap_is_cached(&f->map, 16) && filemap_is_cached(&f->map, 31) &&
		    !filemap_is_cached(&f->map, 32));
	frame_put(pfn);
	touch(f, 17, false);
	assert_int_equal(f->nr_reads, 1);
	/* Contiguous in the file, contiguous in memory. */
	a = filemap_peek(&f->map, 16);
	b = filemap_peek(&f->map, 17);
	assert_int_equal(b.raw, a.raw + 1);
	frame_put(a);
	frame_put(b);
	assert_true(pfn_is_none(filemap_peek(&f->map, 99)));
	test_file_destroy(f);
}

static void sequences_are_read_ahead(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(512), O_RDONLY);
	static uint8_t buf[512 * 4096];

	assert_int_equal(filemap_read(&f->map, 0, buf, sizeof(buf)), sizeof(buf));
	assert_memory_equal(buf, f->store, sizeof(buf));
	assert_true(f->nr_reads <= 1 + (512 - 16) / 32 + 1);
	assert_int_equal(f->nr_pages_read, 512);
	test_file_destroy(f);
}

static void bytes_and_ends(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, 10000, O_RDWR);
	char buf[100];

	assert_int_equal(filemap_read(&f->map, 9950, buf, 100), 50);
	assert_memory_equal(buf, f->store + 9950, 50);
	assert_int_equal(filemap_read(&f->map, 10000, buf, 100), 0);
	assert_int_equal(filemap_read(&f->map, UINT64_MAX - 50, buf, 100), 0);
	assert_int_equal(filemap_write(&f->map, 9990, "0123456789abcdef", 16), 16);
	assert_int_equal(f->map.size_bytes, 10006);
	assert_int_equal(filemap_write(&f->map, 20000, "end", 3), 3);
	assert_int_equal(f->map.size_bytes, 20003);
	assert_int_equal(filemap_read(&f->map, 9985, buf, 100), 100);
	assert_memory_equal(buf + 5, "0123456789abcdef", 16);
	for (unsigned i = 21; i < 100; i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(f->map.nr_dirty, 2);
	assert_int_equal(filemap_sync(&f->map), 0);
	assert_int_equal(f->map.nr_dirty, 0);
	assert_memory_equal(f->store + 9990, "0123456789abcdef", 16);
	assert_memory_equal(f->store + 20000, "end", 3);
	assert_int_equal(f->nr_writes, 2);
	assert_int_equal(filemap_sync(&f->map), 0);
	assert_int_equal(f->nr_writes, 2); /* clean */
	test_file_destroy(f);
}

static void memory_files_have_holes(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, 0, O_RDWR);
	uint64_t far = (uint64_t)1 << 40;
	char buf[8];

	assert_int_equal(filemap_write(&f->map, far, "x", 1), 1);
	assert_int_equal(f->map.nr_pages, 1);
	assert_int_equal(f->map.nr_dirty, 0);
	assert_int_equal(filemap_write(&f->map, 3, "y", 1), 1);
	assert_int_equal(filemap_read(&f->map, far - 4, buf, 8), 5);
	assert_int_equal(buf[4], 'x');
	assert_int_equal(filemap_read(&f->map, 0, buf, 8), 8);
	assert_int_equal(buf[3], 'y');
	assert_int_equal(filemap_truncate(&f->map, 2), 0);
	assert_int_equal(f->map.nr_pages, 1);
	assert_int_equal(filemap_truncate(&f->map, 8), 0);
	assert_int_equal(filemap_read(&f->map, 0, buf, 8), 8);
	assert_int_equal(buf[3], 0);
	test_file_destroy(f);
}

static void punch_zeroes(void **state)
{
	const struct filemap_ops *const kinds[] = {&test_memory_ops, &test_store_ops};

	for (unsigned k = 0; k < 2; k++) {
		struct test_file *f = test_file_create(kinds[k], PAGES(10), O_RDWR);
		static uint8_t buf[10 * 4096];

		memset(buf, 7, sizeof(buf));
		assert_int_equal(filemap_write(&f->map, 0, buf, sizeof(buf)), sizeof(buf));
		assert_int_equal(filemap_punch(&f->map, 5000, 20000), 0);
		assert_int_equal(filemap_punch(&f->map, 100, 20), 0);
		assert_int_equal(filemap_read(&f->map, 0, buf, sizeof(buf)), sizeof(buf));
		for (unsigned i = 0; i < sizeof(buf); i++)
			assert_int_equal(buf[i], (i >= 5000 && i < 25000) || (i >= 100 && i < 120) ? 0 : 7);
		assert_int_equal(f->map.nr_pages, k == 0 ? 6 : 10);
		test_file_destroy(f);
	}
}

static void errors_are_passed_on(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(40), O_RDWR);
	char buf[8];
	pfn_t pfn;

	f->read_error = -EIO;
	assert_int_equal(filemap_get_page(&f->map, 3, false, &pfn), -EIO);
	assert_int_equal(filemap_read(&f->map, 0, buf, 8), -EIO);
	assert_int_equal(f->map.nr_pages, 0);
	f->read_error = 0;
	assert_int_equal(filemap_write(&f->map, 0, "abc", 3), 3);
	f->write_error = -ENOSPC;
	assert_int_equal(filemap_sync(&f->map), -ENOSPC);
	assert_int_equal(f->map.nr_dirty, 1); /* not lost */
	f->write_error = 0;
	assert_int_equal(filemap_sync(&f->map), 0);
	assert_memory_equal(f->store, "abc", 3);
	test_file_destroy(f);
}

static void every_allocation_may_fail(void **state)
{
	bool is_done = false;

	for (unsigned n = 1; !is_done; n++) {
		struct test_file *f = test_file_create(&test_store_ops, PAGES(5000), O_RDWR);
		pfn_t pfn;
		int err;

		fail_alloc_arm(n, false);
		err = filemap_get_page(&f->map, 4711, true, &pfn);
		is_done = fail_alloc_count() < n;
		fail_alloc_arm(0, false);
		if (err == 0)
			frame_put(pfn);
		else
			assert_int_equal(err, -ENOMEM);
		assert_int_equal(mm_audit(), 0);
		test_file_destroy(f);
		assert_int_equal(frames_of_kind(FRAME_CACHE), 0);
	}
}

static void clean_pages_are_given_up(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(64), O_RDWR);
	struct test_file *m = test_file_create(&test_memory_ops, PAGES(64), O_RDWR);
	struct aspace *as = new_aspace();

	for (unsigned i = 0; i < 64; i++) {
		touch(f, i, false);
		touch(m, i, true);
	}
	touch(f, 7, true); /* dirty */
	assert_int_equal(map_file(as, &f->file, BASE, PAGES(1), PROT_READ, MAP_PRIVATE | MAP_FIXED, PAGES(9)),
			 BASE);
	peek(as, BASE); /* mapped */
	frame_shrink_all();
	assert_int_equal(f->map.nr_pages, 2);
	assert_int_equal(m->map.nr_pages, 64);
	assert_true(filemap_is_cached(&f->map, 7) && filemap_is_cached(&f->map, 9));
	assert_int_equal(peek(as, BASE), f->store[PAGES(9)]);
	aspace_put(as);
	test_file_destroy(f);
	test_file_destroy(m);
}

static void invalidation_keeps_what_is_dirty_or_mapped(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(16), O_RDWR);
	struct aspace *as = new_aspace();
	pfn_t pfn;

	touch(f, 0, false);
	assert_int_equal(filemap_write(&f->map, PAGES(3), "dirty", 5), 5);
	assert_int_equal(map_file(as, &f->file, BASE, PAGES(1), PROT_READ, MAP_PRIVATE | MAP_FIXED, PAGES(9)),
			 BASE);
	peek(as, BASE);
	memset(f->store, 0x55, PAGES(16));
	filemap_invalidate(&f->map);
	assert_int_equal(f->map.nr_pages, 1);
	pfn = get(f, 4, false);
	assert_int_equal(*(uint8_t *)pfn_to_ptr(pfn), 0x55);
	frame_put(pfn);
	pfn = get(f, 3, false);
	assert_memory_equal(pfn_to_ptr(pfn), "dirty", 5);
	frame_put(pfn);
	assert_int_not_equal(peek(as, BASE), 0x55);
	aspace_put(as);
	test_file_destroy(f);
}

static void writers_are_found(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(16), O_RDWR);
	struct aspace *as = new_aspace(), *child;

	assert_false(filemap_has_writers(&f->map));
	assert_int_equal(map_file(as, &f->file, BASE, PAGES(1), RW, MAP_PRIVATE | MAP_FIXED, 0), BASE);
	assert_false(filemap_has_writers(&f->map));
	assert_int_equal(map_file(as, &f->file, BASE, PAGES(1), PROT_READ, MAP_SHARED | MAP_FIXED, 0), BASE);
	assert_true(filemap_has_writers(&f->map)); /* mprotect may add write */
	child = fork_aspace(as);
	assert_int_equal(aspace_munmap(as, BASE, PAGES(1)), 0);
	assert_true(filemap_has_writers(&f->map));
	aspace_put(child);
	assert_false(filemap_has_writers(&f->map));
	aspace_put(as);
	test_file_destroy(f);
}

static void a_writer_of_much_writes_back_itself(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(3000), O_RDWR);
	static uint8_t page[4096];

	for (unsigned i = 0; i < 3000; i++)
		assert_int_equal(filemap_write(&f->map, PAGES(i), page, sizeof(page)), sizeof(page));
	assert_true(f->nr_writes >= 2048);
	assert_true(f->map.nr_dirty < 2049);
	test_file_destroy(f);
}

/* Its writing back fails: the writer hears of it, and what is dirty stays so. */
static void a_writer_of_much_hears_of_errors(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(3000), O_RDWR);
	static uint8_t page[4096];
	unsigned i;

	f->write_error = -ENOSPC;
	for (i = 0; i < 3000; i++)
		if (filemap_write(&f->map, PAGES(i), page, sizeof(page)) != sizeof(page))
			break;
	assert_int_equal(i, 2048);
	assert_int_equal(filemap_write(&f->map, PAGES(i), page, sizeof(page)), -ENOSPC);
	assert_int_equal(f->map.nr_dirty, 2048);
	assert_int_equal(filemap_sync(&f->map), -ENOSPC);
	/* Cut off, they need not be written any more. */
	f->nr_writes = 0;
	assert_int_equal(filemap_truncate(&f->map, PAGES(10)), 0);
	assert_int_equal(f->map.nr_dirty, 10);
	f->write_error = 0;
	assert_int_equal(filemap_sync(&f->map), 0);
	assert_int_equal(f->nr_writes, 10);
	test_file_destroy(f);
}

static void pages_are_counted_by_kind(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(16), O_RDWR);
	struct test_file *m = test_file_create(&test_memory_ops, PAGES(16), O_RDWR);
	uint64_t nr_cached, nr_memory;

	touch(f, 3, false);
	touch(m, 3, true);
	touch(m, 9, true);
	filemap_count(&nr_cached, &nr_memory);
	assert_int_equal(nr_cached, 16); /* with its neighbours */
	assert_int_equal(nr_memory, 2);
	filemap_mark_dirty(&f->map, 3);
	filemap_mark_dirty(&f->map, 3);
	filemap_mark_dirty(&f->map, 700); /* not there any more */
	assert_int_equal(f->map.nr_dirty, 1);
	filemap_mark_dirty(&m->map, 3); /* no store: never dirty */
	assert_int_equal(m->map.nr_dirty, 0);
	test_file_destroy(f);
	test_file_destroy(m);
}

/* A shortage in the middle of a read ahead: the page asked for comes, alone. */
static void reads_shrink_when_memory_is_short(void **state)
{
	static pfn_t taken[20000];
	struct test_file *f = test_file_create(&test_store_ops, PAGES(256), O_RDONLY);
	unsigned nr = 0;

	touch(f, 255, false); /* the tree has its nodes */
	kmalloc_shrink();
	while (nr < ARRAY_SIZE(taken) && frames_free() > 3)
		taken[nr++] = frame_alloc(FRAME_KERNEL);
	assert_true(nr < ARRAY_SIZE(taken));
	touch(f, 254, false);
	f->nr_pages_read = 0;
	touch(f, 14, false); /* 16 were wanted */
	assert_true(f->nr_pages_read <= 4);
	assert_true(filemap_is_cached(&f->map, 14) && !filemap_is_cached(&f->map, 20));
	while (nr != 0)
		frame_put(taken[--nr]);
	test_file_destroy(f);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pages_are_read_once),
		TEST(sequences_are_read_ahead),
		TEST(bytes_and_ends),
		TEST(memory_files_have_holes),
		TEST(punch_zeroes),
		TEST(errors_are_passed_on),
		TEST(every_allocation_may_fail),
		TEST(clean_pages_are_given_up),
		TEST(invalidation_keeps_what_is_dirty_or_mapped),
		TEST(writers_are_found),
		TEST(a_writer_of_much_writes_back_itself),
		TEST(a_writer_of_much_hears_of_errors),
		TEST(pages_are_counted_by_kind),
		TEST(reads_shrink_when_memory_is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
