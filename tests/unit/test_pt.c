/*
 * The page table by itself: walks, private paths, take-over, gathers, reserves,
 * with every codec.
 */
#include "mm_test.h"

static struct aspace *as;

static void use_codec(const struct pt_ops *ops)
{
	mm_test_boot(64 * MB);
	aspace_set_pt_ops(ops);
	as = new_aspace();
}

static void done(void)
{
	assert_int_equal(mm_audit(), 0);
	aspace_put(as);
	assert_int_equal(frames_of_kind(FRAME_TABLE) + frames_of_kind(FRAME_ANON), 0);
}

static void for_each_codec(void (*fn)(const struct pt_ops *ops))
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		use_codec(all_codecs[c]);
		fn(all_codecs[c]);
		done();
	}
}

/* ---- walking ------------------------------------------------------------------ */

static void check_walk(const struct pt_ops *ops)
{
	struct pt_entry e;
	prot_t prot;
	pfn_t pfn;

	assert_false(aspace_walk(as, uaddr(BASE), TRAP_READ, &pfn, &prot));
	assert_false(ops->lookup(&as->pt, BASE, &e));
	map_fixed(as, BASE, PAGES(2), PROT_READ | PROT_EXEC);
	peek(as, BASE);
	assert_true(aspace_walk(as, uaddr(BASE + 5), TRAP_EXEC, &pfn, &prot));
	assert_int_equal(prot.raw, PROT_BIT_R | PROT_BIT_X);
	assert_false(aspace_walk(as, uaddr(BASE), TRAP_WRITE, &pfn, &prot));
	assert_false(aspace_walk(as, uaddr(BASE + PAGE_SIZE), TRAP_READ, &pfn, &prot));
	assert_true(ops->lookup(&as->pt, BASE, &e));
	assert_true(pfn_equal(e.pfn, pfn) && e.accessed && !e.dirty && !e.shared && e.is_private_path);
	/* Addresses outside the format's range wrap in no way. */
	assert_false(aspace_walk(as, uaddr(BASE + pt_va_end(ops)), TRAP_READ, &pfn, &prot));
	assert_false(aspace_walk(as, uaddr(UINT64_MAX), TRAP_READ, &pfn, &prot));
}

static void walks_check_every_right(void **state) { for_each_codec(check_walk); }

static void check_dirty(const struct pt_ops *ops)
{
	prot_t prot;
	pfn_t pfn;

	map_fixed(as, BASE, PAGES(1), RW);
	poke(as, BASE, 1);
	ops->set_prot(&as->pt, BASE, prot_make(PROT_BIT_R | PROT_BIT_W), 0);
	assert_true(entry_at(as, BASE).dirty);
	/* A fresh clean page gets its bits by being used. */
	map_fixed(as, BASE, PAGES(1), RW);
	peek(as, BASE);
	assert_true(entry_at(as, BASE).accessed);
	assert_true(aspace_walk(as, uaddr(BASE), TRAP_WRITE, &pfn, &prot));
	assert_true(entry_at(as, BASE).dirty);
}

static void writes_set_dirty(void **state) { for_each_codec(check_dirty); }

/* A page that is mapped without having been used, as beside a fault on a file. */
static void check_first_use(const struct pt_ops *ops)
{
	pfn_t page = frame_alloc(FRAME_ANON), found;
	prot_t rw = prot_make(PROT_BIT_R | PROT_BIT_W), prot;

	map_fixed(as, BASE, PAGES(2), RW);
	poke(as, BASE + PAGES(1), 1); /* private tables */
	ops->map(&as->pt, BASE, &page, 1, rw, PT_USER);
	assert_true(!entry_at(as, BASE).accessed && !entry_at(as, BASE).dirty);
	assert_true(aspace_walk(as, uaddr(BASE), TRAP_READ, &found, &prot));
	assert_true(pfn_equal(found, page));
	assert_true(entry_at(as, BASE).accessed && !entry_at(as, BASE).dirty);
	assert_true(aspace_walk(as, uaddr(BASE), TRAP_WRITE, &found, &prot));
	assert_true(entry_at(as, BASE).accessed && entry_at(as, BASE).dirty);
	/* A page of the kernel's own is not for the user. */
	ops->replace(&as->pt, BASE, page, rw, PT_ACCESSED, &(struct pt_gather){.as = as});
	frame_get(page);
	assert_false(aspace_walk(as, uaddr(BASE), TRAP_READ, &found, &prot));
	ops->set_prot(&as->pt, BASE, rw, PT_USER);
	assert_true(aspace_walk(as, uaddr(BASE), TRAP_READ, &found, &prot));
	frame_put(page);
}

static void first_use_sets_the_bits(void **state) { for_each_codec(check_first_use); }

static void check_effective_write(const struct pt_ops *ops)
{
	struct aspace *child;
	prot_t prot;
	pfn_t pfn;

	map_fixed(as, BASE, PAGES(200), RW);
	poke_pages(as, BASE, 200, 1);
	child = fork_aspace(as);
	/* The leaf entry still grants write, a table above it does not. */
	assert_false(aspace_walk(as, uaddr(BASE), TRAP_WRITE, &pfn, &prot));
	assert_true(aspace_walk(as, uaddr(BASE), TRAP_READ, &pfn, &prot));
	assert_false(prot_has(prot, PROT_BIT_W));
	assert_false(entry_at(as, BASE).is_private_path);
	assert_true(pfn_equal(entry_at(as, BASE).pfn, entry_at(child, BASE).pfn));
	aspace_put(child);
}

static void write_is_granted_by_all_levels(void **state) { for_each_codec(check_effective_write); }

static void check_next(const struct pt_ops *ops)
{
	static const unsigned at[] = {0, 1, 255, 256, 511, 512, 4000, 70000};
	struct pt_entry e;
	uint64_t va = BASE;

	assert_int_equal(map_anon(as, BASE, PAGES(80000), RW, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE), BASE);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++)
		poke(as, BASE + PAGES(at[i]), 1);
	for (unsigned i = 0; i < ARRAY_SIZE(at); i++) {
		va = ops->next(&as->pt, va, BASE + PAGES(80000), &e);
		assert_int_equal(va, BASE + PAGES(at[i]));
		va += PAGE_SIZE;
	}
	assert_int_equal(ops->next(&as->pt, va, BASE + PAGES(80000), &e), UINT64_MAX);
	assert_int_equal(ops->next(&as->pt, BASE + PAGES(2), BASE + PAGES(255), &e), UINT64_MAX);
	assert_int_equal(ops->absent_run(&as->pt, BASE + PAGES(2), 16), 16);
	assert_int_equal(ops->absent_run(&as->pt, BASE + PAGES(250), 16), 5);
	assert_int_equal(ops->absent_run(&as->pt, BASE + PAGES(255), 16), 0);
	assert_int_equal(ops->leaf_room(BASE), 1u << ops->index_bits);
	assert_int_equal(ops->leaf_room(BASE - PAGE_SIZE), 1);
}

static void next_finds_pages_in_order(void **state) { for_each_codec(check_next); }

/* ---- private paths -------------------------------------------------------------- */

static void check_own(const struct pt_ops *ops)
{
	struct aspace *child;
	bool is_shared;

	assert_int_equal(ops->own_cost(&as->pt, BASE, &is_shared), ops->nr_levels - 1);
	assert_false(is_shared);
	map_fixed(as, BASE, PAGES(200), RW);
	poke_pages(as, BASE, 200, 1);
	assert_int_equal(ops->own_cost(&as->pt, BASE, &is_shared), 0);
	child = fork_aspace(as);
	assert_int_equal(ops->own_cost(&as->pt, BASE, &is_shared), ops->nr_levels - 1);
	assert_true(is_shared);
	poke(child, BASE, 2); /* the child's copies leave the parent alone with the tables */
	assert_int_equal(ops->own_cost(&as->pt, BASE, &is_shared), 0);
	assert_false(is_shared);
	memset(&pt_stats, 0, sizeof(pt_stats));
	poke(as, BASE + PAGES(1), 3);
	assert_int_equal(pt_stats.nr_table_copies, 0);
	assert_int_equal(pt_stats.nr_takeovers, ops->nr_levels - 1);
	assert_int_equal(pt_stats.nr_page_copies, 1); /* the child still uses the page */
	aspace_put(child);
}

static void tables_are_taken_over(void **state) { for_each_codec(check_own); }

static pfn_t watched;
static uint32_t refs_at_flush;

static void watch_flush(struct aspace *flushed, uint64_t start, uint64_t end)
{
	refs_at_flush = frame_refs(watched);
	assert_true(frame_kind(watched) != FRAME_FREE);
}

static void old_pages_are_held_until_the_flush(void **state)
{
	use_codec(&pt_ops_x86_64);
	map_fixed(as, BASE, PAGES(10), RW);
	poke(as, BASE + PAGES(3), 1);
	watched = entry_at(as, BASE + PAGES(3)).pfn;
	refs_at_flush = 0;
	fake.on_flush = watch_flush;
	assert_int_equal(aspace_munmap(as, BASE, PAGES(10)), 0);
	assert_int_equal(refs_at_flush, 1);
	assert_int_equal(frame_kind(watched), FRAME_FREE);
	fake.on_flush = NULL;
	done();
}

static void gathers_overflow_in_order(void **state)
{
	use_codec(&pt_ops_odd);
	map_fixed(as, BASE, PAGES(2000), RW);
	/* Edges of leaf tables only: pages go one by one. */
	poke_pages(as, BASE, 2000, 1);
	assert_int_equal(aspace_munmap(as, BASE + PAGES(1), PAGES(1998)), 0);
	assert_int_equal(aspace_rss_pages(as), 2);
	assert_int_equal(frames_of_kind(FRAME_ANON), 2);
	done();
}

static void ranges_merge(void **state)
{
	struct pt_ranges r = {0};

	pt_ranges_add(&r, 0x1000, 0x2000);
	pt_ranges_add(&r, 0x2000, 0x3000);
	assert_int_equal(r.nr, 1);
	pt_ranges_add(&r, 0x9000, 0xa000);
	assert_int_equal(r.nr, 2);
	for (unsigned i = 0; i < 20; i++)
		pt_ranges_add(&r, 0x10000 + i * 0x2000, 0x11000 + i * 0x2000);
	assert_int_equal(r.nr, PT_GATHER_RANGES);
	assert_int_equal(r.range[0].end, 0x3000);
	assert_int_equal(r.range[PT_GATHER_RANGES - 1].end, 0x11000 + 19 * 0x2000);
}

static void reserves_are_all_or_nothing(void **state)
{
	struct pt_reserve r = {PFN_NONE, 0};
	uint64_t nr_tables;

	use_codec(&pt_ops_x86_64);
	nr_tables = frames_of_kind(FRAME_TABLE);
	assert_int_equal(pt_reserve_fill(&r, 100), 0);
	assert_int_equal(r.nr, 100);
	assert_int_equal(frames_of_kind(FRAME_TABLE) - nr_tables, 100);
	frame_put(pt_reserve_take(&r));
	assert_int_equal(r.nr, 99);
	fail_alloc_arm(2, false);
	assert_int_equal(pt_reserve_fill(&r, 100), -ENOMEM);
	fail_alloc_arm(0, false);
	assert_int_equal(r.nr, 99);
	pt_reserve_release(&r);
	assert_int_equal(frames_of_kind(FRAME_TABLE), nr_tables);
	assert_int_equal(pt_reserve_fill(&r, 1000000), -ENOMEM);
	assert_int_equal(frames_of_kind(FRAME_TABLE), nr_tables);
	done();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(walks_check_every_right),
		cmocka_unit_test(writes_set_dirty),
		cmocka_unit_test(first_use_sets_the_bits),
		cmocka_unit_test(write_is_granted_by_all_levels),
		cmocka_unit_test(next_finds_pages_in_order),
		cmocka_unit_test(tables_are_taken_over),
		cmocka_unit_test(old_pages_are_held_until_the_flush),
		cmocka_unit_test(gathers_overflow_in_order),
		cmocka_unit_test(ranges_merge),
		cmocka_unit_test(reserves_are_all_or_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
