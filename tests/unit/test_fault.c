/*
 * Page faults: errors, windows of pages served at once, frames the machine keeps
 * warm, memory that runs out within a window, populating.
 */
#include "aspace_fixture.h"

/* Frames the machine of these tests offers for pages from warm_from on, last one first; each with a reference. */
static pfn_t warm[64];
static unsigned nr_warm;
static uint64_t warm_from;

pfn_t arch_mmu_recycle(struct aspace *space, uaddr_t va)
{
	(void)space;
	return nr_warm != 0 && va.raw >= warm_from ? warm[--nr_warm] : PFN_NONE;
}

static void fault_errors(void **state)
{
	assert_int_equal(aspace_fault(as, uaddr(BASE), TRAP_READ), -EFAULT);
	assert_int_equal(aspace_fault(as, uaddr(UINT64_MAX - 5), TRAP_READ), -EFAULT);
	assert_int_equal(aspace_fault(as, uaddr((uint64_t)1 << 63), TRAP_WRITE), -EFAULT);
	map_fixed(as, BASE, PAGE_SIZE, PROT_NONE);
	assert_int_equal(aspace_fault(as, uaddr(BASE), TRAP_READ), -EACCES);
	assert_int_equal(aspace_fault(as, uaddr(BASE), TRAP_EXEC), -EACCES);
	map_fixed(as, BASE, PAGE_SIZE, PROT_READ);
	assert_int_equal(aspace_fault(as, uaddr(BASE), TRAP_EXEC), -EACCES);
	/* A fault the tables do not justify flushes a stale translation. */
	peek(as, BASE);
	reset_counts();
	assert_int_equal(aspace_fault(as, uaddr(BASE), TRAP_READ), 0);
	assert_int_equal(aspace_stats.nr_spurious, 1);
	assert_int_equal(fake.nr_flush_range, 1);
}

static void first_touch_needs_no_flush(void **state)
{
	map_fixed(as, BASE, PAGES(10), RW);
	reset_counts();
	poke_pages(as, BASE, 10, 1);
	assert_int_equal(fake.nr_flush_range, 0);
	assert_int_equal(aspace_stats.nr_faults, 10);
}

static void windows_follow_sequences(void **state)
{
	struct aspace *child;

	fake.fault_window_pages = 16;
	map_fixed(as, BASE, PAGES(512), RW);
	map_fixed(as, BASE + 16 * MB, PAGES(512), RW);
	reset_counts();
	poke_pages(as, BASE, 512, 1);
	/* 1 + 2 + 4 + 8 + 16 ... */
	assert_int_equal(aspace_stats.nr_faults, 4 + (512 - 15 + 15) / 16);
	assert_int_equal(aspace_rss_pages(as), 512);
	/* Two sequences at a time, as memcpy makes them. */
	aspace_put(as);
	as = new_aspace();
	map_fixed(as, BASE, PAGES(512), RW);
	map_fixed(as, BASE + 16 * MB, PAGES(512), RW);
	reset_counts();
	for (unsigned i = 0; i < 512; i++) {
		poke(as, BASE + PAGES(i), 1);
		poke(as, BASE + 16 * MB + PAGES(i), 1);
	}
	assert_int_equal(aspace_stats.nr_faults, 2 * 36);
	/* Copy-on-write, too; frames side by side. */
	aspace_set_fork_mode(FORK_COW);
	child = fork_aspace(as);
	reset_counts();
	poke_pages(child, BASE, 512, 3);
	assert_int_equal(aspace_stats.nr_faults, 36);
	assert_int_equal(fake.nr_flush_range, 36);
	assert_int_equal(pt_stats.nr_page_copies, 512);
	assert_int_equal(entry_at(child, BASE + PAGES(40)).pfn.raw,
			 entry_at(child, BASE + PAGES(39)).pfn.raw + 1);
	assert_int_equal(peek(as, BASE + PAGES(100)), 1);
	aspace_put(child);
}

static void random_access_allocates_single_pages(void **state)
{
	struct fake_random r = {1};

	fake.fault_window_pages = 16;
	map_fixed(as, BASE, PAGES(4096), RW);
	reset_counts();
	for (unsigned i = 0; i < 100; i++)
		poke(as, BASE + PAGES(fake_random_below(&r, 2000) * 2), 1);
	assert_int_equal(aspace_rss_pages(as), aspace_stats.nr_faults);
}

/* A page in the middle of a window that the kernel has pinned stays where it is; nothing is lost. */
static void windows_leave_pinned_pages(void **state)
{
	struct aspace *child;
	size_t avail;
	pfn_t pinned;
	char *p;

	fake.fault_window_pages = 16;
	map_fixed(as, BASE, PAGES(64), RW);
	poke_pages(as, BASE, 64, 1);
	child = fork_aspace(as);
	p = user_page_pin(as, uaddr(BASE + PAGES(20)), true, &avail, &pinned);
	assert_non_null(p);
	poke_pages(as, BASE, 64, 100);
	assert_int_equal(*p, 120);
	user_page_unpin(pinned);
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(peek(child, BASE + PAGES(20)), 21);
	aspace_put(child);
}

static void windows_shrink_when_memory_is_short(void **state)
{
	fake.fault_window_pages = 16;
	map_fixed(as, BASE, PAGES(64), RW);
	poke_pages(as, BASE, 20, 1);
	fail_alloc_arm(1, true);
	assert_int_equal(access_result(as, BASE + PAGES(40), TRAP_WRITE), -ENOMEM);
	fail_alloc_arm(0, false);
	assert_int_equal(access_result(as, BASE + PAGES(40), TRAP_WRITE), 0);
}

/* ---- warm frames ------------------------------------------------------------------ */

static void keep_warm(unsigned nr)
{
	for (nr_warm = 0; nr_warm < nr; nr_warm++) {
		warm[nr_warm] = frame_alloc(FRAME_KERNEL);
		memset(pfn_to_ptr(warm[nr_warm]), 0xaa, PAGE_SIZE);
	}
}

static void warm_frames_are_used_first(void **state)
{
	struct aspace *child;
	pfn_t first;

	map_fixed(as, BASE, PAGES(200), RW);
	keep_warm(1);
	first = warm[0];
	poke(as, BASE, 1);
	assert_true(pfn_equal(entry_at(as, BASE).pfn, first));
	assert_int_equal(frame_kind(first), FRAME_ANON);
	assert_int_equal(peek(as, BASE + 1), 0); /* zeroed, as any other */
	/* A window takes what there is of them, and fresh ones for the rest. */
	fake.fault_window_pages = 16;
	keep_warm(5);
	poke_pages(as, BASE + PAGES(1), 50, 1);
	assert_int_equal(nr_warm, 0);
	for (unsigned i = 1; i <= 50; i++)
		assert_int_equal(peek(as, BASE + PAGES(i) + 1), 0);
	/* fork's copies */
	fake.fork_hot_pages = 64;
	keep_warm(7);
	reset_counts();
	child = fork_aspace(as);
	assert_int_equal(aspace_stats.nr_recycled, 7);
	assert_int_equal(pt_stats.nr_page_copies, aspace_rss_pages(as));
	for (unsigned i = 1; i <= 50; i++)
		assert_int_equal(peek(child, BASE + PAGES(i)), i);
	aspace_put(child);
}

/* The fresh ones run out before the warm ones, which go back. */
static void warm_frames_go_back_when_memory_is_short(void **state)
{
	uint64_t nr_kernel = frames_of_kind(FRAME_KERNEL);

	fake.fault_window_pages = 16;
	map_fixed(as, BASE, PAGES(64), RW);
	poke_pages(as, BASE, 15, 1); /* 1, 2, 4, 8: the next window is 16 */
	keep_warm(3);
	fail_alloc_arm(1, true);
	poke(as, BASE + PAGES(15), 9); /* three warm ones serve the beginning */
	assert_int_equal(access_result(as, BASE + PAGES(18), TRAP_WRITE), -ENOMEM);
	fail_alloc_arm(0, false);
	assert_int_equal(aspace_rss_pages(as), 18);
	assert_int_equal(frames_of_kind(FRAME_KERNEL), nr_kernel);
	assert_int_equal(frames_of_kind(FRAME_ANON), 18);
	/* Warm ones behind the first page of the window are of no use without it. */
	poke_pages(as, BASE + PAGES(18), 15, 1);
	keep_warm(3);
	warm_from = BASE + PAGES(34);
	fail_alloc_arm(1, true);
	assert_int_equal(access_result(as, BASE + PAGES(33), TRAP_WRITE), -ENOMEM);
	fail_alloc_arm(0, false);
	warm_from = 0;
	assert_int_equal(nr_warm, 0);
	assert_int_equal(frames_of_kind(FRAME_KERNEL), nr_kernel);
}

/* ---- short memory ----------------------------------------------------------------- */

/* Takes frames until `keep` are free; returns how many. */
static unsigned hoard(pfn_t *taken, unsigned max, unsigned keep)
{
	unsigned nr = 0;

	while (nr < max && frames_free() > keep)
		taken[nr++] = frame_alloc(FRAME_KERNEL);
	assert_true(nr < max);
	return nr;
}

static void windows_serve_what_memory_allows(void **state)
{
	static pfn_t taken[20000];
	struct aspace *child;
	unsigned nr;

	fake.fault_window_pages = 16;
	map_fixed(as, BASE, PAGES(300), RW);
	poke_pages(as, BASE, 300, 1);
	aspace_set_fork_mode(FORK_COW);
	child = fork_aspace(as);
	poke_pages(child, BASE, 15, 50); /* the next window would copy 16 pages */
	kmalloc_shrink();
	frame_shrink_all();
	nr = hoard(taken, ARRAY_SIZE(taken), 5);
	poke(child, BASE + PAGES(15), 65);
	assert_int_equal(peek(as, BASE + PAGES(15)), 16);
	assert_int_equal(peek(child, BASE + PAGES(16)), 17);
	while (access_result(child, BASE + PAGES(40), TRAP_WRITE) == 0)
		taken[nr++] = frame_alloc(FRAME_KERNEL);
	assert_int_equal(access_result(child, BASE + PAGES(40), TRAP_WRITE), -ENOMEM);
	while (nr != 0)
		if (!pfn_is_none(taken[--nr]))
			frame_put(taken[nr]);
	assert_int_equal(mm_audit(), 0);
	poke_pages(child, BASE + PAGES(16), 280, 7);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(peek(as, BASE + PAGES(i)), (uint8_t)(i + 1));
	aspace_put(child);
}

/* ---- populating, prefaulting -------------------------------------------------------- */

static void prefault_serves_one_page_or_nothing(void **state)
{
	map_fixed(as, BASE, PAGES(10), RW);
	fake.fault_window_pages = 16;
	mutex_lock(&as->lock);
	aspace_prefault(as, uaddr(BASE + PAGES(3)), TRAP_WRITE);
	aspace_prefault(as, uaddr(BASE + MB), TRAP_WRITE); /* nothing there: no harm */
	mutex_unlock(&as->lock);
	assert_int_equal(aspace_rss_pages(as), 1);
	reset_counts();
	poke(as, BASE + PAGES(3), 1);
	assert_int_equal(aspace_stats.nr_faults, 0);
}

static void populate_goes_around_holes(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(4), O_RDWR);

	map_fixed(as, BASE, PAGES(4), RW);
	map_fixed(as, BASE + PAGES(8), PAGES(4), PROT_READ);
	file_fixed(f, BASE + PAGES(12), PAGES(4), RW, MAP_SHARED);
	mutex_lock(&as->lock);
	aspace_populate(as, BASE, BASE + PAGES(16));
	aspace_populate(as, BASE + MB, BASE + 2 * MB);
	aspace_populate(as, BASE - PAGES(4), BASE); /* ends before the first mapping */
	mutex_unlock(&as->lock);
	assert_int_equal(aspace_rss_pages(as), 12);
	assert_int_equal(f->map.nr_dirty, 0); /* present, but not written */
	reset_counts();
	poke_pages(as, BASE, 4, 1);
	assert_int_equal(aspace_stats.nr_faults, 0);
	renew();
	/* It stops where the file ends. */
	file_fixed(f, BASE, PAGES(8), RW, MAP_PRIVATE);
	mutex_lock(&as->lock);
	aspace_populate(as, BASE, BASE + PAGES(8));
	mutex_unlock(&as->lock);
	assert_int_equal(aspace_rss_pages(as), 4);
	renew();
	test_file_destroy(f);
}

/* A right that only a table's read-only entry lacks is no error, one the page lacks is. */
static void errors_of_file_faults(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(4), O_RDWR);

	file_fixed(f, BASE, PAGES(4), RW, MAP_SHARED);
	f->read_error = -EIO;
	assert_int_equal(access_result(as, BASE, TRAP_READ), -EIO);
	f->read_error = 0;
	fail_alloc_arm(1, true);
	assert_int_equal(access_result(as, BASE, TRAP_READ), -ENOMEM);
	fail_alloc_arm(0, false);
	assert_int_equal(access_result(as, BASE, TRAP_READ), 0);
	assert_int_equal(as->nr_major_faults, 3);
	file_fixed(f, BASE, PAGES(4), RW, MAP_PRIVATE);
	fail_alloc_arm(1, true);
	assert_int_equal(access_result(as, BASE, TRAP_WRITE), -ENOMEM);
	fail_alloc_arm(0, false);
	renew();
	test_file_destroy(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(fault_errors),
		TEST(first_touch_needs_no_flush),
		TEST(windows_follow_sequences),
		TEST(random_access_allocates_single_pages),
		TEST(windows_leave_pinned_pages),
		TEST(windows_shrink_when_memory_is_short),
		TEST(warm_frames_are_used_first),
		TEST(warm_frames_go_back_when_memory_is_short),
		TEST(windows_serve_what_memory_allows),
		TEST(prefault_serves_one_page_or_nothing),
		TEST(populate_goes_around_holes),
		TEST(errors_of_file_faults),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
