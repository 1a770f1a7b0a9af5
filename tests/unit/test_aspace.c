/*
 * mmap, munmap, mprotect, mremap, brk, file mappings: results and errors as the
 * man pages say, and what they cost.
 */
#include "aspace_fixture.h"

/* ---- mmap ------------------------------------------------------------------ */

static void mmap_errors(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(4), O_RDONLY);

	assert_int_equal(anon(0, 0, RW, MAP_PRIVATE), -EINVAL);
	assert_int_equal(anon(0, PAGE_SIZE, RW, 0), -EINVAL);
	assert_int_equal(anon(0, PAGE_SIZE, RW, 0x0e), -EINVAL);
	assert_int_equal(anon(0, UINT64_MAX - 5, RW, MAP_PRIVATE), -ENOMEM);
	assert_int_equal(anon(0, fake.user_end, RW, MAP_PRIVATE), -ENOMEM);
	assert_int_equal(anon(BASE + 1, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED), -EINVAL);
	assert_int_equal(anon(0x1000, PAGE_SIZE, RW, MAP_PRIVATE | MAP_FIXED), -EPERM);
	assert_int_equal(
		anon(page_round_down(fake.user_end) - PAGE_SIZE, PAGES(2), RW, MAP_PRIVATE | MAP_FIXED),
		-ENOMEM);
	assert_int_equal(anon(0, PAGE_SIZE, RW, MAP_PRIVATE | MAP_HUGETLB), -ENOMEM);
	assert_int_equal(map_file(as, &f->file, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, 1), -EINVAL);
	assert_int_equal(map_file(as, &f->file, 0, PAGE_SIZE, PROT_READ, MAP_PRIVATE, UINT64_MAX & PAGE_MASK),
			 -EOVERFLOW);
	assert_int_equal(map_file(as, &f->file, 0, PAGE_SIZE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, 0),
			 -EOPNOTSUPP);
	assert_int_equal(as->vmas.nr_vmas, 0);
	test_file_destroy(f);
}

static void mmap_replaces(void **state)
{
	map_fixed(as, BASE, PAGES(10), RW);
	poke_pages(as, BASE, 10, 1);
	map_fixed(as, BASE + PAGES(3), PAGES(2), PROT_READ);
	assert_int_equal(peek(as, BASE + PAGES(2)), 3);
	assert_int_equal(peek(as, BASE + PAGES(3)), 0);
	assert_int_equal(access_result(as, BASE + PAGES(3), TRAP_WRITE), -EACCES);
	assert_int_equal(peek(as, BASE + PAGES(5)), 6);
	assert_int_equal(as->vmas.nr_vmas, 3);
	assert_int_equal(aspace_virtual_pages(as), 10);
	assert_int_equal(aspace_rss_pages(as), 9);
}

static void populate(void **state)
{
	reset_counts();
	assert_int_equal(anon(BASE, PAGES(1000), RW, MAP_PRIVATE | MAP_FIXED | MAP_POPULATE), BASE);
	assert_int_equal(aspace_rss_pages(as), 1000);
	poke_pages(as, BASE, 1000, 1);
	assert_int_equal(aspace_stats.nr_faults, 0);
	/* Contiguous addresses, contiguous frames: as far as one window goes. */
	for (unsigned i = 1; i < 64; i++)
		assert_int_equal(entry_at(as, BASE + PAGES(i)).pfn.raw, entry_at(as, BASE).pfn.raw + i);
}

static void pages_start_as_zeroes(void **state)
{
	map_fixed(as, BASE, PAGES(100), RW);
	for (unsigned i = 0; i < 100; i++) {
		int err;
		uint8_t *p = user_byte(as, BASE + PAGES(i), i % 2 ? TRAP_READ : TRAP_WRITE, &err);

		for (unsigned j = 0; j < PAGE_SIZE; j++)
			assert_int_equal(p[j], 0);
		memset(p, 0xaa, PAGE_SIZE);
	}
	assert_int_equal(aspace_munmap(as, BASE, PAGES(100)), 0);
	map_fixed(as, BASE, PAGES(100), RW);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(peek(as, BASE + PAGES(i) + 77), 0);
}

/* ---- munmap ----------------------------------------------------------------- */

static void munmap_errors(void **state)
{
	assert_int_equal(aspace_munmap(as, BASE + 1, PAGE_SIZE), -EINVAL);
	assert_int_equal(aspace_munmap(as, BASE, 0), -EINVAL);
	assert_int_equal(aspace_munmap(as, BASE, UINT64_MAX), -EINVAL);
	assert_int_equal(aspace_munmap(as, fake.user_end, PAGE_SIZE), -EINVAL);
	assert_int_equal(aspace_munmap(as, BASE, PAGES(100)), 0); /* nothing there */
}

static void munmap_flushes_before_it_frees(void **state)
{
	map_fixed(as, BASE, PAGES(1000), RW);
	poke_pages(as, BASE, 1000, 1);
	reset_counts();
	assert_int_equal(aspace_munmap(as, BASE + PAGES(10), PAGES(900)), 0);
	assert_true(fake.nr_flush_range >= 1 && fake.nr_flush_range <= 4);
	assert_int_equal(aspace_rss_pages(as), 100);
	reset_counts();
	assert_int_equal(aspace_munmap(as, BASE + PAGES(10), PAGES(900)), 0);
	assert_int_equal(fake.nr_flush_range, 0); /* nothing was mapped */
	assert_int_equal(pt_stats.nr_entry_writes, 0);
	assert_int_equal(peek(as, BASE), 1);
	assert_int_equal(access_result(as, BASE + PAGES(10), TRAP_READ), -EFAULT);
}

static void munmap_of_whole_tables_drops_subtrees(void **state)
{
	map_fixed(as, BASE, 16 * MB, RW);
	poke_pages(as, BASE, 4096, 1);
	reset_counts();
	assert_int_equal(aspace_munmap(as, BASE, 16 * MB), 0);
	/* eight leaf tables and the two empty ones above */
	assert_int_equal(pt_stats.nr_entry_writes, 10);
	assert_int_equal(fake.nr_flush_range, 1);
	assert_int_equal(fake.flush_start, BASE);
	assert_int_equal(fake.flush_end, BASE + 16 * MB);
	assert_int_equal(frames_of_kind(FRAME_TABLE), 1);
	assert_int_equal(frames_of_kind(FRAME_ANON), 0);
}

/* ---- mprotect ---------------------------------------------------------------- */

static void mprotect_errors(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(4), O_RDONLY);

	map_fixed(as, BASE, PAGES(4), RW);
	assert_int_equal(aspace_mprotect(as, BASE + 1, PAGE_SIZE, RW), -EINVAL);
	assert_int_equal(aspace_mprotect(as, BASE, PAGE_SIZE, 0x80), -EINVAL);
	assert_int_equal(aspace_mprotect(as, BASE, 0, RW), 0);
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(5), RW), -ENOMEM);
	assert_int_equal(aspace_mprotect(as, BASE, UINT64_MAX - BASE, RW), -ENOMEM);
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(1), PROT_READ | PROT_GROWSDOWN), -EINVAL);
	assert_int_equal(
		map_file(as, &f->file, BASE + PAGES(4), PAGES(4), PROT_READ, MAP_SHARED | MAP_FIXED, 0),
		BASE + PAGES(4));
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(8), RW),
			 -EACCES); /* the file is open for reading only */
	assert_int_equal(access_result(as, BASE, TRAP_WRITE), 0);
	assert_int_equal(aspace_munmap(as, BASE + PAGES(4), PAGES(4)), 0);
	assert_int_equal(
		map_file(as, &f->file, BASE + PAGES(4), PAGES(4), PROT_READ, MAP_PRIVATE | MAP_FIXED, 0),
		BASE + PAGES(4));
	assert_int_equal(aspace_mprotect(as, BASE + PAGES(4), PAGES(4), RW),
			 0); /* a private copy may be written */
	poke(as, BASE + PAGES(4), 99);
	assert_int_equal(f->store[0], 1);
	aspace_put(as);
	test_file_destroy(f);
	as = new_aspace();
}

static void every_permission_is_exact(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		aspace_put(as);
		aspace_set_pt_ops(all_codecs[c]);
		as = new_aspace();
		for (unsigned from = 0; from < 8; from++)
			for (unsigned to = 0; to < 8; to++) {
				/* write and exec imply read, as on Linux */
				unsigned rights = to & (PROT_WRITE | PROT_EXEC) ? to | PROT_READ : to;

				map_fixed(as, BASE, PAGE_SIZE, RW);
				poke(as, BASE, 5);
				assert_int_equal(aspace_mprotect(as, BASE, PAGE_SIZE, from), 0);
				assert_int_equal(aspace_mprotect(as, BASE, PAGE_SIZE, to), 0);
				for (unsigned access = 1; access <= 4; access *= 2)
					assert_int_equal(access_result(as, BASE, access),
							 rights & access ? 0 : -EACCES);
				assert_int_equal(vma_find(&as->vmas, BASE)->prot.raw, to);
				assert_int_equal(mm_audit(), 0);
			}
	}
}

static void mprotect_flushes_only_what_lost_rights(void **state)
{
	map_fixed(as, BASE, PAGES(20), RW);
	poke_pages(as, BASE + PAGES(4), 3, 1);
	reset_counts();
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(20), PROT_READ), 0);
	assert_int_equal(fake.nr_flush_range, 1);
	assert_int_equal(fake.flush_start, BASE + PAGES(4));
	assert_int_equal(fake.flush_end, BASE + PAGES(7));
	reset_counts();
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(20), RW), 0);
	assert_int_equal(fake.nr_flush_range, 0);
	poke_pages(as, BASE + PAGES(4), 3, 2); /* pages of one user are writable at once */
	assert_int_equal(aspace_stats.nr_faults, 0);
}

/* ---- mremap ------------------------------------------------------------------- */

static int64_t remap(uint64_t old, uint64_t old_len, uint64_t new_len, unsigned flags, uint64_t new)
{
	return aspace_mremap(as, old, old_len, new_len, flags, new);
}

static void mremap_errors(void **state)
{
	map_fixed(as, BASE, PAGES(4), RW);
	map_fixed(as, BASE + PAGES(4), PAGES(4), PROT_READ);
	assert_int_equal(remap(BASE + 1, PAGE_SIZE, PAGES(2), MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(remap(BASE, PAGE_SIZE, 0, MREMAP_MAYMOVE, 0), -EINVAL);
	assert_int_equal(remap(BASE, PAGE_SIZE, PAGE_SIZE, 8, 0), -EINVAL);
	assert_int_equal(remap(BASE, PAGE_SIZE, PAGE_SIZE, MREMAP_FIXED, BASE + MB), -EINVAL);
	assert_int_equal(remap(BASE, PAGE_SIZE, PAGES(2), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0), -EINVAL);
	assert_int_equal(remap(BASE, PAGES(2), PAGES(2), MREMAP_MAYMOVE | MREMAP_FIXED, BASE + PAGES(1)),
			 -EINVAL);
	assert_int_equal(remap(BASE, PAGES(2), PAGES(2), MREMAP_MAYMOVE | MREMAP_FIXED, BASE + MB + 1),
			 -EINVAL);
	assert_int_equal(remap(BASE, PAGES(6), PAGES(7), MREMAP_MAYMOVE, 0), -EFAULT); /* two mappings */
	assert_int_equal(remap(BASE + MB, PAGES(1), PAGES(2), MREMAP_MAYMOVE, 0), -EFAULT);
	assert_int_equal(remap(BASE, PAGES(4), PAGES(5), 0, 0), -ENOMEM);	/* no room, may not move */
	assert_int_equal(remap(BASE, 0, PAGES(4), MREMAP_MAYMOVE, 0), -EINVAL); /* private */
	assert_int_equal(remap(BASE, 0, PAGES(4), 0, 0), -EINVAL);
}

static void mremap_grows_shrinks_moves(void **state)
{
	int64_t at;

	map_fixed(as, BASE, PAGES(8), RW);
	poke_pages(as, BASE, 8, 1);
	assert_int_equal(remap(BASE, PAGES(8), PAGES(5), 0, 0), BASE);
	assert_int_equal(access_result(as, BASE + PAGES(5), TRAP_READ), -EFAULT);
	assert_int_equal(remap(BASE, PAGES(5), PAGES(9), 0, 0), BASE);
	assert_int_equal(as->vmas.nr_vmas, 1);
	assert_int_equal(peek(as, BASE + PAGES(4)), 5);
	assert_int_equal(peek(as, BASE + PAGES(5)), 0);
	map_fixed(as, BASE + PAGES(9), PAGES(1), PROT_READ);
	at = remap(BASE, PAGES(9), PAGES(20), MREMAP_MAYMOVE, 0);
	assert_true(at > 0 && at != BASE);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(peek(as, (uint64_t)at + PAGES(i)), i + 1);
	assert_int_equal(access_result(as, BASE, TRAP_READ), -EFAULT);
	assert_int_equal(
		remap((uint64_t)at, PAGES(20), PAGES(2), MREMAP_MAYMOVE | MREMAP_FIXED, BASE + PAGES(8)),
		BASE + PAGES(8));
	assert_int_equal(peek(as, BASE + PAGES(9)), 2);
	assert_int_equal(access_result(as, (uint64_t)at, TRAP_READ), -EFAULT);
	assert_int_equal(access_result(as, (uint64_t)at + PAGES(10), TRAP_READ), -EFAULT);
}

static void mremap_moves_whole_tables(void **state)
{
	int64_t at;

	map_fixed(as, BASE + PAGES(7), 16 * MB, RW);
	poke_pages(as, BASE + PAGES(7), 4096, 1);
	map_fixed(as, BASE + PAGES(7) + 16 * MB, PAGES(1), PROT_READ);
	reset_counts();
	at = remap(BASE + PAGES(7), 16 * MB, 32 * MB, MREMAP_MAYMOVE, 0);
	assert_true(at > 0);
	assert_int_equal((uint64_t)at % (2 * MB), PAGES(7));
	assert_int_equal(pt_stats.nr_slots_moved, 7);
	for (unsigned i = 0; i < 4096; i += 100)
		assert_int_equal(peek(as, (uint64_t)at + PAGES(i)), (uint8_t)(i + 1));
	assert_int_equal(aspace_rss_pages(as), 4096);
}

/*
 * A range without a page, in tables that have some elsewhere, goes to where there are no tables at all:
 * that takes none, whatever the number of pieces.
 */
static void mremap_moves_nothing_for_nothing(void **state)
{
	uint64_t from = BASE + 2 * MB - PAGES(49), to = BASE + ((uint64_t)1 << 40) - PAGES(58);

	map_fixed(as, from - PAGES(2), PAGES(600), RW);
	poke(as, from - PAGES(2), 1);
	poke(as, from + PAGES(500), 2);
	reset_counts();
	assert_int_equal(remap(from, PAGES(114), PAGES(114), MREMAP_MAYMOVE | MREMAP_FIXED, to), to);
	assert_int_equal(pt_stats.nr_table_allocs, 0);
	assert_int_equal(peek(as, from - PAGES(2)), 1);
	assert_int_equal(peek(as, from + PAGES(500)), 2);
	assert_int_equal(peek(as, to), 0);
}

static void mremap_dontunmap(void **state)
{
	int64_t at;

	map_fixed(as, BASE, PAGES(4), RW);
	poke_pages(as, BASE, 4, 1);
	at = remap(BASE, PAGES(4), PAGES(4), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
	assert_true(at > 0);
	assert_int_equal(peek(as, (uint64_t)at + PAGES(3)), 4);
	assert_int_equal(peek(as, BASE + PAGES(3)), 0); /* still mapped, empty */
	assert_int_equal(aspace_virtual_pages(as), 8);
}

static void mremap_duplicates_shared(void **state)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(8), O_RDWR);
	int64_t at;

	assert_int_equal(map_file(as, &f->file, BASE, PAGES(8), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	poke(as, BASE + PAGES(2), 9);
	at = remap(BASE + PAGES(2), 0, PAGES(3), MREMAP_MAYMOVE, 0);
	assert_true(at > 0);
	assert_int_equal(peek(as, (uint64_t)at), 9);
	poke(as, (uint64_t)at + PAGES(1), 10);
	assert_int_equal(peek(as, BASE + PAGES(3)), 10);
	/* Over itself, as the only mapping of its file: the pages stay. */
	assert_int_equal(aspace_munmap(as, (uint64_t)at, PAGES(3)), 0);
	assert_int_equal(remap(BASE, 0, PAGES(8), MREMAP_MAYMOVE | MREMAP_FIXED, BASE), BASE);
	assert_int_equal(peek(as, BASE + PAGES(2)), 9);
	aspace_put(as);
	test_file_destroy(f);
	as = new_aspace();
}

/* ---- brk ------------------------------------------------------------------------ */

static void brk_moves(void **state)
{
	as->brk_start = as->brk = BASE + 100;
	assert_int_equal(aspace_brk(as, 0), BASE + 100);
	assert_int_equal(aspace_brk(as, BASE + 50), BASE + 100);
	assert_int_equal(aspace_brk(as, BASE + PAGES(3) + 5), BASE + PAGES(3) + 5);
	assert_int_equal(access_result(as, BASE + 101, TRAP_WRITE),
			 -EFAULT); /* the page of brk_start is the data's */
	poke_pages(as, BASE + PAGES(1), 3, 1);
	assert_int_equal(access_result(as, BASE + PAGES(4), TRAP_WRITE), -EFAULT);
	assert_int_equal(vma_find(&as->vmas, BASE + PAGES(1))->flags & VMA_HEAP, VMA_HEAP);
	assert_int_equal(aspace_brk(as, BASE + PAGES(2)), BASE + PAGES(2));
	assert_int_equal(aspace_rss_pages(as), 1);
	assert_int_equal(aspace_brk(as, BASE + PAGES(4)), BASE + PAGES(4));
	assert_int_equal(peek(as, BASE + PAGES(2)), 0);
	map_fixed(as, BASE + PAGES(8), PAGES(1), RW);
	assert_int_equal(aspace_brk(as, BASE + PAGES(9)), BASE + PAGES(4)); /* in the way */
	as->data_limit_bytes = PAGES(5);
	assert_int_equal(aspace_brk(as, BASE + PAGES(6)), BASE + PAGES(4));
	assert_int_equal(aspace_brk(as, BASE + PAGES(5)), BASE + PAGES(5));
	as->data_end = as->data_start + PAGES(3); /* the program's data counts too */
	assert_int_equal(aspace_brk(as, BASE + PAGES(2)), BASE + PAGES(2));
	assert_int_equal(aspace_brk(as, BASE + PAGES(3)), BASE + PAGES(2));
	assert_int_equal(aspace_brk(as, BASE + PAGES(2) - 7), BASE + PAGES(2) - 7); /* within its page */
	assert_int_equal(aspace_brk(as, fake.user_end), BASE + PAGES(2) - 7);
	as->brk_start = 0; /* before exec has placed it */
	assert_int_equal(aspace_brk(as, BASE + PAGES(1)), BASE + PAGES(2) - 7);
}

/* ---- stack ----------------------------------------------------------------------- */

static void stacks_grow(void **state)
{
	uint64_t top = BASE + 64 * MB, at;

	as->stack_limit_bytes = PAGES(600);
	assert_int_equal(anon(top - PAGES(4), PAGES(4), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN),
			 top - PAGES(4));
	poke(as, top - PAGES(20), 1);
	assert_int_equal(as->vmas.nr_vmas, 1);
	assert_int_equal(aspace_virtual_pages(as), 20);
	poke(as, top - PAGES(600), 1);
	assert_int_equal(access_result(as, top - PAGES(601), TRAP_WRITE), -EFAULT); /* limit */
	assert_int_equal(aspace_virtual_pages(as), 600);
	/* The guard gap below is kept clear. */
	as->stack_limit_bytes = PAGES(2000);
	at = top - PAGES(600 + 256 + 100);
	map_fixed(as, at - PAGES(1), PAGES(1), RW);
	poke(as, top - PAGES(700), 1);
	assert_int_equal(access_result(as, top - PAGES(701), TRAP_WRITE), -EFAULT);
	/* New mappings keep away from it, too. */
	as->mmap_top = top - PAGES(700);
	assert_int_equal(anon(0, PAGES(1), PROT_READ, MAP_PRIVATE), at - PAGES(2));
}

/* ---- file mappings ---------------------------------------------------------------------- */

static void file_pages_are_read_and_copied(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(64) - 100, O_RDONLY);

	assert_int_equal(
		map_file(as, &f->file, BASE, PAGES(66), PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED, 0),
		BASE);
	reset_counts();
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(peek(as, BASE + PAGES(i) + 8), (uint8_t)(i + 1 + (PAGES(i) + 8) % 7));
	assert_int_equal(aspace_stats.nr_faults, 4); /* sixteen at a time once they are cached */
	assert_true(f->nr_reads <= 4);
	assert_int_equal(peek(as, BASE + PAGES(64) - 1), 0); /* beyond the end, same page */
	assert_int_equal(access_result(as, BASE + PAGES(64), TRAP_READ), -EIO);
	assert_int_equal(entry_at(as, BASE).pfn.raw, entry_at(as, BASE).pfn.raw);
	assert_int_equal(frame_kind(entry_at(as, BASE).pfn), FRAME_CACHE);
	map_fixed(as, BASE, PAGES(66), RW);
	assert_int_equal(map_file(as, &f->file, BASE, PAGES(64), RW, MAP_PRIVATE | MAP_FIXED, 0), BASE);
	poke(as, BASE, 200); /* a copy at once */
	peek(as, BASE + PAGES(1));
	poke(as, BASE + PAGES(1), 201); /* read first */
	assert_int_equal(frame_kind(entry_at(as, BASE).pfn), FRAME_ANON);
	assert_int_equal(f->store[0], 1);
	assert_int_equal(peek(as, BASE + 1), 2);
	aspace_put(as);
	assert_int_equal(f->nr_writes, 0);
	test_file_destroy(f);
	as = new_aspace();
}

static void shared_file_pages_are_written_back(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(8), O_RDWR);

	assert_int_equal(map_file(as, &f->file, BASE, PAGES(8), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	assert_int_equal(peek(as, BASE + PAGES(2)), f->store[PAGES(2)]);
	assert_int_equal(f->map.nr_dirty, 0); /* read only so far */
	poke(as, BASE + PAGES(2), 99);
	poke(as, BASE + PAGES(5), 98);
	assert_int_equal(f->map.nr_dirty, 2);
	assert_int_equal(aspace_msync(as, BASE, PAGES(8), MS_SYNC), 0);
	assert_int_equal(f->store[PAGES(2)], 99);
	poke(as, BASE + PAGES(2), 97); /* no fault tells of it: the page stayed dirty */
	assert_int_equal(aspace_munmap(as, BASE, PAGES(8)), 0);
	assert_int_equal(f->store[PAGES(2)], 97);
	assert_int_equal(f->store[PAGES(5)], 98);
	assert_int_equal(f->map.nr_dirty, 0);
	aspace_put(as);
	test_file_destroy(f);
	as = new_aspace();
}

static void shared_anonymous_memory(void **state)
{
	int64_t at = anon(0, PAGES(20), RW, MAP_SHARED);
	struct aspace *child;

	assert_true(at > 0);
	poke(as, (uint64_t)at, 5);
	child = fork_aspace(as);
	poke(child, (uint64_t)at + PAGES(19), 6);
	assert_int_equal(peek(as, (uint64_t)at + PAGES(19)), 6);
	assert_int_equal(peek(child, (uint64_t)at), 5);
	aspace_put(child);
	assert_int_equal(aspace_munmap(as, (uint64_t)at, PAGES(20)), 0);
	assert_int_equal(frames_of_kind(FRAME_CACHE), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mmap_errors),
		TEST(mmap_replaces),
		TEST(populate),
		TEST(pages_start_as_zeroes),
		TEST(munmap_errors),
		TEST(munmap_flushes_before_it_frees),
		TEST(munmap_of_whole_tables_drops_subtrees),
		TEST(mprotect_errors),
		TEST(every_permission_is_exact),
		TEST(mprotect_flushes_only_what_lost_rights),
		TEST(mremap_errors),
		TEST(mremap_grows_shrinks_moves),
		TEST(mremap_moves_whole_tables),
		TEST(mremap_moves_nothing_for_nothing),
		TEST(mremap_dontunmap),
		TEST(mremap_duplicates_shared),
		TEST(brk_moves),
		TEST(stacks_grow),
		TEST(file_pages_are_read_and_copied),
		TEST(shared_file_pages_are_written_back),
		TEST(shared_anonymous_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
