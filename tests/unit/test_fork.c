/*
 * fork: what the child gets, what each strategy costs in frames, entries, table
 * copies and flushes, and that both sides stay apart afterwards.
 */
#include "mm_test.h"

static void setup(const struct pt_ops *ops, enum fork_mode mode)
{
	mm_test_boot(64 * MB);
	aspace_set_pt_ops(ops);
	aspace_set_fork_mode(mode);
	assert_int_equal(mm_audit(), 0);
}

static void reset_counts(void)
{
	memset(&pt_stats, 0, sizeof(pt_stats));
	memset(&aspace_stats, 0, sizeof(aspace_stats));
	fake.nr_flush_range = 0;
	fake.nr_flush_all = 0;
}

static void put_and_check(struct aspace *a, struct aspace *b)
{
	assert_int_equal(mm_audit(), 0);
	if (b != NULL)
		aspace_put(b);
	assert_int_equal(mm_audit(), 0);
	aspace_put(a);
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(frames_of_kind(FRAME_TABLE), 0);
	assert_int_equal(frames_of_kind(FRAME_ANON), 0);
}

/* Every codec with every strategy. */
static void for_all(void (*fn)(const struct pt_ops *ops, enum fork_mode mode))
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		for (unsigned m = 0; m < ARRAY_SIZE(all_modes); m++) {
			setup(all_codecs[c], all_modes[m]);
			fn(all_codecs[c], all_modes[m]);
		}
}

/* ---- isolation ------------------------------------------------------------ */

static void check_isolation(const struct pt_ops *ops, enum fork_mode mode)
{
	struct aspace *parent = new_aspace(), *child, *grandchild;

	map_fixed(parent, BASE, PAGES(200), RW);
	poke_pages(parent, BASE, 200, 1);
	child = fork_aspace(parent);
	assert_int_equal(aspace_rss_pages(child), 200);
	poke(parent, BASE, 101);
	poke(child, BASE + PAGES(1), 102);
	grandchild = fork_aspace(child);
	poke(child, BASE + PAGES(2), 103);
	poke(grandchild, BASE + PAGES(3), 104);
	assert_int_equal(peek(parent, BASE), 101);
	assert_int_equal(peek(child, BASE), 1);
	assert_int_equal(peek(parent, BASE + PAGES(1)), 2);
	assert_int_equal(peek(grandchild, BASE + PAGES(1)), 102);
	assert_int_equal(peek(grandchild, BASE + PAGES(2)), 3);
	assert_int_equal(peek(child, BASE + PAGES(2)), 103);
	assert_int_equal(peek(parent, BASE + PAGES(3)), 4);
	assert_int_equal(peek(child, BASE + PAGES(3)), 4);
	for (unsigned i = 4; i < 200; i++) {
		assert_int_equal(peek(parent, BASE + PAGES(i)), i + 1);
		assert_int_equal(peek(grandchild, BASE + PAGES(i)), i + 1);
	}
	aspace_put(parent);
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(peek(child, BASE + PAGES(150)), 151);
	put_and_check(child, grandchild);
}

static void both_sides_stay_apart(void **state) { for_all(check_isolation); }

static void check_rights(const struct pt_ops *ops, enum fork_mode mode)
{
	static const unsigned prots[] = {PROT_NONE, PROT_READ, RW, PROT_READ | PROT_EXEC, RW | PROT_EXEC};
	struct aspace *parent = new_aspace(), *child;

	for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
		map_fixed(parent, BASE + PAGES(i), PAGE_SIZE, RW);
		poke(parent, BASE + PAGES(i), (uint8_t)(50 + i));
		assert_int_equal(aspace_mprotect(parent, BASE + PAGES(i), PAGE_SIZE, prots[i]), 0);
	}
	child = fork_aspace(parent);
	for (unsigned i = 0; i < ARRAY_SIZE(prots); i++)
		for (unsigned access = 1; access <= 4; access *= 2)
			assert_int_equal(access_result(child, BASE + PAGES(i), access),
					 (prots[i] & access) ? 0 : -EACCES);
	/* What stood behind PROT_NONE is there for both. */
	assert_int_equal(aspace_mprotect(child, BASE, PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(peek(child, BASE), 50);
	assert_int_equal(access_result(parent, BASE, TRAP_READ), -EACCES);
	put_and_check(parent, child);
}

static void rights_are_the_parents(void **state) { for_all(check_rights); }

static void check_protect_in_shared_tables(const struct pt_ops *ops, enum fork_mode mode)
{
	struct aspace *parent = new_aspace(), *child;

	map_fixed(parent, BASE, PAGES(200), RW);
	poke_pages(parent, BASE, 200, 1);
	child = fork_aspace(parent);
	memset(&pt_stats, 0, sizeof(pt_stats));
	assert_int_equal(aspace_mprotect(parent, BASE + PAGES(10), PAGES(50), PROT_READ), 0);
	assert_int_equal(pt_stats.nr_table_copies, 0); /* taking write away needs no table of its own */
	poke(child, BASE + PAGES(20), 99);
	aspace_put(child);
	/* The parent has the tables for itself again: the rights it took away do not come back. */
	poke(parent, BASE, 5);
	assert_int_equal(access_result(parent, BASE + PAGES(20), TRAP_WRITE), -EACCES);
	assert_int_equal(peek(parent, BASE + PAGES(20)), 21);
	put_and_check(parent, NULL);
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(200), RW);
	poke_pages(parent, BASE, 200, 1);
	child = fork_aspace(parent);
	assert_int_equal(aspace_mprotect(parent, BASE + PAGES(10), PAGES(50), PROT_READ), 0);
	aspace_put(child);
	poke(parent, BASE, 5);
	assert_int_equal(access_result(parent, BASE + PAGES(20), TRAP_WRITE), -EACCES);
	put_and_check(parent, NULL);
}

static void rights_taken_away_stay_away(void **state)
{
	for_all(check_protect_in_shared_tables);
}

static void check_shared(const struct pt_ops *ops, enum fork_mode mode)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(100), O_RDWR);
	struct aspace *parent = new_aspace(), *child;

	assert_int_equal(map_file(parent, &f->file, BASE, PAGES(100), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	poke_pages(parent, BASE, 80, 1);
	child = fork_aspace(parent);
	poke(child, BASE + PAGES(3), 77);
	poke(parent, BASE + PAGES(4), 78);
	poke(parent, BASE + PAGES(90), 79);
	assert_int_equal(peek(parent, BASE + PAGES(3)), 77);
	assert_int_equal(peek(child, BASE + PAGES(4)), 78);
	assert_int_equal(peek(child, BASE + PAGES(90)), 79);
	put_and_check(parent, child);
	test_file_destroy(f);
}

static void shared_mappings_stay_shared(void **state) { for_all(check_shared); }

static void check_rules(const struct pt_ops *ops, enum fork_mode mode)
{
	struct aspace *parent = new_aspace(), *child;

	map_fixed(parent, BASE, PAGES(300), RW);
	poke_pages(parent, BASE, 300, 1);
	assert_int_equal(aspace_madvise(parent, BASE + PAGES(10), PAGES(5), MADV_DONTFORK), 0);
	assert_int_equal(aspace_madvise(parent, BASE + PAGES(20), PAGES(100), MADV_WIPEONFORK), 0);
	child = fork_aspace(parent);
	assert_int_equal(access_result(child, BASE + PAGES(10), TRAP_READ), -EFAULT);
	assert_int_equal(peek(child, BASE + PAGES(9)), 10);
	assert_int_equal(peek(child, BASE + PAGES(15)), 16);
	assert_int_equal(peek(child, BASE + PAGES(20)), 0);
	assert_int_equal(peek(child, BASE + PAGES(119)), 0);
	assert_int_equal(peek(child, BASE + PAGES(120)), 121);
	assert_int_equal(peek(parent, BASE + PAGES(10)), 11);
	assert_int_equal(peek(parent, BASE + PAGES(20)), 21);
	aspace_put(child);
	/* Undone, the next child has all of it. */
	assert_int_equal(aspace_madvise(parent, BASE, PAGES(300), MADV_DOFORK), 0);
	assert_int_equal(aspace_madvise(parent, BASE, PAGES(300), MADV_KEEPONFORK), 0);
	child = fork_aspace(parent);
	assert_int_equal(peek(child, BASE + PAGES(10)), 11);
	assert_int_equal(peek(child, BASE + PAGES(20)), 21);
	put_and_check(parent, child);
}

static void madvise_rules_are_honoured(void **state) { for_all(check_rules); }

static void check_pins(const struct pt_ops *ops, enum fork_mode mode)
{
	struct aspace *parent = new_aspace(), *child;
	size_t avail;
	pfn_t pin;
	uint8_t *direct;

	map_fixed(parent, BASE, PAGES(200), RW);
	poke_pages(parent, BASE, 200, 1);
	direct = user_page_pin(parent, uaddr(BASE + PAGES(7) + 100), true, &avail, &pin);
	assert_non_null(direct);
	assert_int_equal(avail, PAGE_SIZE - 100);
	child = fork_aspace(parent);
	assert_int_equal(mm_audit(), 0);
	/* The kernel goes on writing to the parent's page: the parent sees it, the child does not. */
	poke(parent, BASE + PAGES(7), 9);
	*direct = 200;
	assert_int_equal(peek(parent, BASE + PAGES(7) + 100), 200);
	assert_int_equal(peek(child, BASE + PAGES(7) + 100), 0);
	assert_int_equal(peek(child, BASE + PAGES(7)), 8);
	user_page_unpin(pin);
	put_and_check(parent, child);
}

static void pinned_pages_stay_with_the_parent(void **state) { for_all(check_pins); }

/* ---- costs ---------------------------------------------------------------- */

static void eager_never_faults_later(void **state)
{
	struct aspace *parent, *child;

	setup(&pt_ops_x86_64, FORK_EAGER);
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(600), RW);
	poke_pages(parent, BASE, 600, 1);
	reset_counts();
	child = fork_aspace(parent);
	assert_int_equal(pt_stats.nr_page_copies, 600);
	assert_int_equal(fake.nr_flush_range + fake.nr_flush_all, 0);
	fail_alloc_arm(1, true);
	reset_counts();
	poke_pages(child, BASE, 600, 7);
	poke_pages(parent, BASE, 600, 9);
	assert_int_equal(aspace_stats.nr_faults, 0);
	fail_alloc_arm(0, false);
	put_and_check(parent, child);
}

static void cow_costs_a_table_copy_each_and_one_flush(void **state)
{
	struct aspace *parent, *child;

	setup(&pt_ops_x86_64, FORK_COW);
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(1024), RW);
	poke_pages(parent, BASE, 1024, 1);
	reset_counts();
	child = fork_aspace(parent);
	/* root, two above, two leaf tables */
	assert_int_equal(pt_stats.nr_table_allocs, 5);
	assert_int_equal(pt_stats.nr_page_copies, 0);
	assert_int_equal(pt_stats.nr_entry_writes, 1024);
	assert_int_equal(fake.nr_flush_range, 1);
	assert_int_equal(fake.flush_start, BASE);
	assert_int_equal(fake.flush_end, BASE + PAGES(1024));
	reset_counts();
	poke(parent, BASE + PAGES(5), 1);
	assert_int_equal(pt_stats.nr_table_copies, 0);
	assert_int_equal(pt_stats.nr_page_copies, 1);
	assert_int_equal(fake.nr_flush_range, 1);
	assert_int_equal(fake.flush_start, BASE + PAGES(5));
	assert_int_equal(fake.flush_end, BASE + PAGES(6));
	/* The child has it for itself now: no copy, and nothing stale to flush. */
	reset_counts();
	poke(child, BASE + PAGES(5), 2);
	assert_int_equal(pt_stats.nr_page_copies, 0);
	assert_int_equal(aspace_stats.nr_cow_takeovers, 1);
	assert_int_equal(fake.nr_flush_range, 0);
	put_and_check(parent, child);
}

static void share_costs_root_slots(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		const struct pt_ops *ops = all_codecs[c];
		struct aspace *parent, *child;
		uint64_t before;

		setup(ops, FORK_SHARE);
		parent = new_aspace();
		map_fixed(parent, BASE, PAGES(4096), RW);
		poke_pages(parent, BASE, 4096, 1);
		before = frames_free();
		reset_counts();
		child = fork_aspace(parent);
		assert_int_equal(pt_stats.nr_table_allocs, 1);
		assert_int_equal(pt_stats.nr_table_shares, 1);
		assert_int_equal(pt_stats.nr_page_copies, 0);
		assert_int_equal(before - frames_free() <= 2, 1); /* the root, perhaps a slab */
		assert_int_equal(fake.nr_flush_range, 1);

		/* The first write copies a table a level and the page, the next beside it only the page. */
		reset_counts();
		poke(child, BASE + PAGES(9), 1);
		assert_int_equal(aspace_stats.nr_faults, 1);
		assert_int_equal(pt_stats.nr_table_copies, ops->nr_levels - 1);
		assert_int_equal(pt_stats.nr_page_copies, 1);
		reset_counts();
		poke(child, BASE + PAGES(10), 1);
		assert_int_equal(pt_stats.nr_table_copies, 0);
		assert_int_equal(pt_stats.nr_page_copies, 1);
		assert_int_equal(mm_audit(), 0);
		put_and_check(parent, child);
	}
}

static void second_fork_flushes_only_what_was_written(void **state)
{
	struct aspace *parent, *child;

	setup(&pt_ops_x86_64, FORK_SHARE);
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(4096), RW);
	poke_pages(parent, BASE, 4096, 1);
	child = fork_aspace(parent);
	aspace_put(child);
	child = fork_aspace(parent); /* nothing was written in between */
	reset_counts();
	aspace_put(child);
	child = fork_aspace(parent);
	assert_int_equal(fake.nr_flush_range, 0);
	poke(parent, BASE + PAGES(1000), 1);
	aspace_put(child);
	reset_counts();
	child = fork_aspace(parent);
	assert_int_equal(fake.nr_flush_range, 1);
	assert_int_equal(fake.flush_start, BASE + PAGES(1000));
	assert_int_equal(fake.flush_end, BASE + PAGES(1001));
	put_and_check(parent, child);
}

/*
 * Processors cache tables as well: read through one, and the write permission of its slot is known.
 * When fork takes that away, something beneath is flushed, even if no page has been written to lately.
 */
static void cached_tables_are_flushed(void **state)
{
	struct aspace *parent, *child;

	setup(&pt_ops_x86_64, FORK_SHARE);
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(200), RW);
	poke_pages(parent, BASE, 200, 1);
	child = fork_aspace(parent);
	aspace_put(child);
	map_fixed(parent, BASE + PAGES(300), PAGES(1), PROT_READ);
	peek(parent, BASE + PAGES(300)); /* takes the table over; its pages count as cold */
	reset_counts();
	child = fork_aspace(parent);
	assert_int_equal(fake.nr_flush_range, 1);
	assert_true(fake.flush_start >= BASE && fake.flush_end <= BASE + PAGES(512));
	put_and_check(parent, child);
}

static void parent_takes_over_after_exit(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		struct aspace *parent, *child;

		setup(all_codecs[c], FORK_SHARE);
		parent = new_aspace();
		map_fixed(parent, BASE, PAGES(4096), RW);
		poke_pages(parent, BASE, 4096, 1);
		child = fork_aspace(parent);
		aspace_put(child);
		reset_counts();
		fail_alloc_arm(1, true); /* nothing is left to allocate */
		poke_pages(parent, BASE, 4096, 2);
		fail_alloc_arm(0, false);
		assert_int_equal(pt_stats.nr_table_copies, 0);
		assert_int_equal(pt_stats.nr_page_copies, 0);
		/* One fault a leaf table at most: pages in tables shared as a whole kept their write bit. */
		assert_true(aspace_stats.nr_faults <= 16);
		assert_int_equal(fake.nr_flush_range, 0);
		put_and_check(parent, NULL);
	}
}

static void exit_of_an_unmodified_child_is_cheap(void **state)
{
	struct aspace *parent, *child;
	uint64_t nr_free;

	setup(&pt_ops_x86_64, FORK_SHARE);
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(4096), RW);
	poke_pages(parent, BASE, 4096, 1);
	nr_free = frames_free();
	child = fork_aspace(parent);
	aspace_put(child);
	assert_true(nr_free - frames_free() <= 1);
	put_and_check(parent, NULL);
}

static void hot_pages_are_copied(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		struct aspace *parent, *child;

		setup(all_codecs[c], FORK_SHARE);
		fake.fork_hot_pages = 64;
		parent = new_aspace();
		map_fixed(parent, BASE, PAGES(200), RW);
		map_fixed(parent, BASE + 16 * MB, PAGES(4), RW);
		poke_pages(parent, BASE, 200, 1);
		assert_int_equal(aspace_mprotect(parent, BASE, PAGES(180), PROT_READ), 0);
		assert_int_equal(aspace_mprotect(parent, BASE, PAGES(180), RW | PROT_EXEC), 0);
		child = fork_aspace(parent); /* makes 200 pages cold */
		aspace_put(child);
		poke_pages(parent, BASE + PAGES(40), 30, 9);
		poke_pages(parent, BASE + 16 * MB, 4, 8);
		child = fork_aspace(parent);
		aspace_put(child);
		poke_pages(parent, BASE + PAGES(40), 30, 9);
		reset_counts();
		child = fork_aspace(parent);
		assert_int_equal(pt_stats.nr_page_copies, 34);
		assert_int_equal(aspace_stats.nr_hot_pages, 34);
		assert_int_equal(fake.nr_flush_range + fake.nr_flush_all, 0);
		/* Neither side faults on them. */
		reset_counts();
		poke_pages(parent, BASE + PAGES(40), 30, 20);
		poke_pages(child, BASE + PAGES(40), 30, 30);
		poke_pages(child, BASE + 16 * MB, 4, 40);
		assert_int_equal(aspace_stats.nr_faults, 0);
		assert_int_equal(peek(parent, BASE + PAGES(41)), 21);
		assert_int_equal(peek(child, BASE + PAGES(41)), 31);
		assert_int_equal(peek(parent, BASE + 16 * MB), 8);
		put_and_check(parent, child);
	}
}

static void copies_lie_side_by_side(void **state)
{
	struct aspace *parent, *child;
	pfn_t first;

	setup(&pt_ops_x86_64, FORK_SHARE);
	fake.fork_hot_pages = 64;
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(32), RW);
	poke_pages(parent, BASE, 32, 1);
	child = fork_aspace(parent);
	first = entry_at(child, BASE).pfn;
	for (unsigned i = 1; i < 32; i++)
		assert_int_equal(entry_at(child, BASE + PAGES(i)).pfn.raw, first.raw + i);
	put_and_check(parent, child);
}

static void too_many_hot_pages_are_shared(void **state)
{
	struct aspace *parent, *child;

	setup(&pt_ops_x86_64, FORK_SHARE);
	fake.fork_hot_pages = 64;
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(400), RW);
	map_fixed(parent, BASE + 16 * MB, PAGES(10), RW);
	poke_pages(parent, BASE, 400, 1);
	poke_pages(parent, BASE + 16 * MB, 10, 1);
	reset_counts();
	child = fork_aspace(parent);
	/* The table with 400 of them is over the budget, the other is not. */
	assert_int_equal(pt_stats.nr_page_copies, 10);
	assert_int_equal(pt_stats.nr_table_shares, 1);
	assert_int_equal(fake.nr_flush_range, 1);
	assert_int_equal(fake.flush_end - fake.flush_start, PAGES(400));
	put_and_check(parent, child);
}

/* A parent that has written nr pages, where a fork copies up to four first writes. */
static struct aspace *first_writes_parent(const struct pt_ops *ops, unsigned nr)
{
	struct aspace *parent;

	setup(ops, FORK_SHARE);
	fake.fork_first_writes = 4;
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(nr), RW);
	poke_pages(parent, BASE, nr, 1);
	return parent;
}

/* What the first child writes to, the second one has copies of, and only where it may write to them. */
static void first_writes_are_copied(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		struct aspace *parent = first_writes_parent(all_codecs[c], 200), *child;

		reset_counts();
		child = fork_aspace(parent);
		assert_int_equal(pt_stats.nr_page_copies, 0);
		poke_pages(child, BASE + PAGES(3), 1, 50);
		poke_pages(child, BASE + PAGES(150), 3, 60);
		aspace_put(child);

		assert_int_equal(aspace_mprotect(parent, BASE + PAGES(150), PAGE_SIZE, PROT_READ), 0);
		reset_counts();
		child = fork_aspace(parent);
		assert_int_equal(pt_stats.nr_page_copies, 3);
		poke_pages(child, BASE + PAGES(3), 1, 70);
		poke_pages(child, BASE + PAGES(151), 2, 80);
		assert_int_equal(aspace_stats.nr_faults, 0);
		assert_int_equal(aspace_fault(child, uaddr(BASE + PAGES(150)), TRAP_WRITE), -EACCES);
		assert_int_equal(peek(child, BASE + PAGES(3)), 70);
		assert_int_equal(peek(child, BASE + PAGES(151)), 80);
		assert_int_equal(peek(child, BASE + PAGES(4)), 5);
		for (unsigned i = 0; i < 200; i++)
			assert_int_equal(peek(parent, BASE + PAGES(i)), i + 1);
		put_and_check(parent, child);
	}
}

static void first_writes_leave_shared_mappings_alone(void **state)
{
	struct aspace *parent = first_writes_parent(&pt_ops_x86_64, 200), *child;
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(2), O_RDWR);

	child = fork_aspace(parent);
	poke_pages(child, BASE, 2, 9);
	aspace_put(child);
	assert_int_equal(map_file(parent, &f->file, BASE, PAGES(2), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	poke_pages(parent, BASE, 2, 20);
	child = fork_aspace(parent);
	poke(child, BASE, 77);
	assert_int_equal(peek(parent, BASE), 77);
	put_and_check(parent, child);
	test_file_destroy(f);
}

/* No copies for ever of what no child writes to any more; and a family's list ends with its last member. */
static void first_writes_are_forgotten(void **state)
{
	struct aspace *parent, *child, *grandchild;
	uint64_t nr_used;

	setup(&pt_ops_x86_64, FORK_SHARE);
	fake.fork_first_writes = 4;
	nr_used = kmalloc_nr_used();
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(8), RW);
	poke_pages(parent, BASE, 8, 1);
	child = fork_aspace(parent);
	poke_pages(child, BASE, 2, 9);
	aspace_put(child);
	for (unsigned i = 0; i < 2 * 64; i++)
		aspace_put(fork_aspace(parent));
	reset_counts();
	child = fork_aspace(parent);
	assert_int_equal(pt_stats.nr_page_copies, 0);
	poke_pages(child, BASE + PAGES(5), 1, 9);
	aspace_put(parent);
	grandchild = fork_aspace(child);
	assert_int_equal(pt_stats.nr_page_copies, 1 + 1); /* the child's own, and this */
	assert_int_equal(peek(grandchild, BASE + PAGES(5)), 9);
	put_and_check(child, grandchild);
	assert_int_equal(kmalloc_nr_used(), nr_used);
}

/* They are a convenience: without memory for them fork shares the pages. */
static void first_writes_need_no_memory(void **state)
{
	struct aspace *parent = first_writes_parent(&pt_ops_x86_64, 200), *child;

	child = fork_aspace(parent);
	poke_pages(child, BASE, 1, 9);
	aspace_put(child);
	fail_alloc_arm(0, false);
	aspace_put(fork_aspace(parent));
	/* The copy's frame is the last thing that fork asks for. */
	fail_alloc_arm(fail_alloc_count(), false);
	reset_counts();
	child = fork_aspace(parent);
	fail_alloc_arm(0, false);
	assert_int_equal(pt_stats.nr_page_copies, 0);
	assert_int_equal(peek(child, BASE), 1);
	put_and_check(parent, child);
}

static void vmas_cost_nothing(void **state)
{
	uint64_t few, many;
	struct aspace *parent, *child;

	setup(&pt_ops_x86_64, FORK_SHARE);
	parent = new_aspace();
	map_fixed(parent, BASE, PAGES(1), RW);
	fail_alloc_arm(0, false);
	child = fork_aspace(parent);
	few = fail_alloc_count();
	aspace_put(child);
	for (unsigned i = 0; i < 3000; i++)
		map_fixed(parent, BASE + PAGES(2 * i), PAGE_SIZE, i % 2 ? RW : PROT_READ);
	fail_alloc_arm(0, false);
	child = fork_aspace(parent);
	many = fail_alloc_count();
	assert_int_equal(many, few);
	assert_int_equal(child->vmas.nr_vmas, 3000);
	put_and_check(parent, child);
}

/* ---- failures ------------------------------------------------------------- */

static void check_failed_fork(const struct pt_ops *ops, enum fork_mode mode)
{
	struct aspace *parent = new_aspace(), *child;
	uint64_t nr_free;
	int err;

	fake.fork_hot_pages = 64;
	map_fixed(parent, BASE, PAGES(300), RW);
	map_fixed(parent, BASE + 32 * MB, PAGES(20), RW);
	poke_pages(parent, BASE, 300, 1);
	poke_pages(parent, BASE + 32 * MB, 20, 1);
	assert_int_equal(aspace_madvise(parent, BASE + PAGES(3), PAGES(1), MADV_DONTFORK), 0);
	kmalloc_shrink();
	frame_shrink_all();
	nr_free = frames_free();
	for (unsigned n = 1;; n++) {
		fail_alloc_arm(n, false);
		err = aspace_fork(parent, &child);
		fail_alloc_arm(0, false);
		if (err == 0)
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(mm_audit(), 0);
		kmalloc_shrink();
		frame_shrink_all();
		assert_int_equal(frames_free(), nr_free);
		assert_int_equal(aspace_rss_pages(parent), 320);
		assert_true(n < 200);
	}
	assert_int_equal(peek(parent, BASE + PAGES(299)), (uint8_t)300);
	poke_pages(parent, BASE, 300, 5);
	assert_int_equal(peek(child, BASE + PAGES(299)), (uint8_t)300);
	put_and_check(parent, child);
}

static void a_failed_fork_changes_nothing(void **state) { for_all(check_failed_fork); }

static void attach_errors_are_passed_on(void **state)
{
	struct aspace *parent, *child;

	setup(&pt_ops_x86_64, FORK_SHARE);
	parent = new_aspace();
	fake.attach_result = -EAGAIN;
	assert_int_equal(aspace_fork(parent, &child), -EAGAIN);
	assert_int_equal(aspace_create(NULL, &child), -EAGAIN);
	fake.attach_result = 0;
	put_and_check(parent, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_sides_stay_apart),
		cmocka_unit_test(rights_are_the_parents),
		cmocka_unit_test(rights_taken_away_stay_away),
		cmocka_unit_test(shared_mappings_stay_shared),
		cmocka_unit_test(madvise_rules_are_honoured),
		cmocka_unit_test(pinned_pages_stay_with_the_parent),
		cmocka_unit_test(eager_never_faults_later),
		cmocka_unit_test(cow_costs_a_table_copy_each_and_one_flush),
		cmocka_unit_test(share_costs_root_slots),
		cmocka_unit_test(second_fork_flushes_only_what_was_written),
		cmocka_unit_test(cached_tables_are_flushed),
		cmocka_unit_test(parent_takes_over_after_exit),
		cmocka_unit_test(exit_of_an_unmodified_child_is_cheap),
		cmocka_unit_test(hot_pages_are_copied),
		cmocka_unit_test(copies_lie_side_by_side),
		cmocka_unit_test(too_many_hot_pages_are_shared),
		cmocka_unit_test(first_writes_are_copied),
		cmocka_unit_test(first_writes_leave_shared_mappings_alone),
		cmocka_unit_test(first_writes_are_forgotten),
		cmocka_unit_test(first_writes_need_no_memory),
		cmocka_unit_test(vmas_cost_nothing),
		cmocka_unit_test(a_failed_fork_changes_nothing),
		cmocka_unit_test(attach_errors_are_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
