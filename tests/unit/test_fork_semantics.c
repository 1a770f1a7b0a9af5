/*
 * What every kind of memory does across fork, for each codec and strategy.
 *
 * Accesses go through a TLB as a processor has one: an entry, once used, is used
 * again until it is flushed, whatever the page table says by then. So a forgotten
 * flush reads old bytes or writes to another's page, and a frame that is freed
 * before its flush is seen in the flush.
 */
#include "mm_test.h"

#include "mm/internal.h"

/* ---- the processor ---------------------------------------------------------- */

#define TLB_ENTRIES 4096

struct tlb_entry {
	uint64_t space, va; /* space: aspace.id, 0: empty */
	pfn_t pfn;
	prot_t prot;
};
static struct tlb_entry tlb[TLB_ENTRIES];

static struct tlb_entry *tlb_slot(const struct aspace *as, uint64_t va)
{
	return &tlb[(va / PAGE_SIZE + as->id * 509) % TLB_ENTRIES];
}

static void tlb_flush(struct aspace *as, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < TLB_ENTRIES; i++) {
		if (tlb[i].space != as->id || tlb[i].va < start || tlb[i].va >= end)
			continue;
		assert_int_not_equal(frame_kind(tlb[i].pfn), FRAME_FREE);
		tlb[i].space = 0;
	}
}

/* The user's byte at va for access, or NULL and what the fault said. */
static uint8_t *access_byte(struct aspace *as, uint64_t va, unsigned access, int *err)
{
	struct tlb_entry *t = tlb_slot(as, va);
	uint64_t page = page_round_down(va);

	*err = 0;
	while (t->space != as->id || t->va != page || !prot_has(t->prot, access)) {
		struct tlb_entry now = {.space = as->id, .va = page};

		if (aspace_walk(as, uaddr(va), access, &now.pfn, &now.prot)) {
			struct pt_entry e = entry_at(as, page);

			/* Writes trap until the entry is dirty. */
			if (!e.dirty)
				now.prot = prot_without(now.prot, PROT_BIT_W);
			*t = now;
			continue;
		}
		t->space = 0; /* a processor forgets the entry that faulted */
		*err = aspace_fault(as, uaddr(va), access);
		if (*err != 0)
			return NULL;
	}
	assert_int_not_equal(frame_kind(t->pfn), FRAME_FREE);
	return (uint8_t *)pfn_to_ptr(t->pfn) + page_offset(va);
}

static void put(struct aspace *as, uint64_t va, unsigned value)
{
	int err;
	uint8_t *p = access_byte(as, va, TRAP_WRITE, &err);

	assert_int_equal(err, 0);
	*p = (uint8_t)value;
}

static unsigned get(struct aspace *as, uint64_t va)
{
	int err;
	const uint8_t *p = access_byte(as, va, TRAP_READ, &err);

	assert_int_equal(err, 0);
	return *p;
}

static int try(struct aspace *as, uint64_t va, unsigned access)
{
	int err;

	access_byte(as, va, access, &err);
	return err;
}

static void put_pages(struct aspace *as, uint64_t va, unsigned nr, unsigned value)
{
	for (unsigned i = 0; i < nr; i++)
		put(as, va + PAGES(i), value + i);
}

/* Pages [first, first + nr) of a range that put_pages(as, va, .., value) filled. */
static void expect_pages(struct aspace *as, uint64_t va, unsigned first, unsigned nr, unsigned value)
{
	for (unsigned i = first; i < first + nr; i++)
		assert_int_equal(get(as, va + PAGES(i)), (uint8_t)(value + i));
}

/* The process ends; the processor forgets its entries, for the id is not used again. */
static void end(struct aspace *as)
{
	uint64_t id = as->id;

	aspace_put(as);
	for (unsigned i = 0; i < TLB_ENTRIES; i++)
		if (tlb[i].space == id)
			tlb[i].space = 0;
	assert_int_equal(mm_audit(), 0);
}

/* ---- every codec, every strategy ---------------------------------------------- */

static const struct pt_ops *codec;
static enum fork_mode mode;

static void start(unsigned hot)
{
	mm_test_boot(64 * MB);
	aspace_set_pt_ops(codec);
	aspace_set_fork_mode(mode);
	fake.fork_hot_pages = hot;
	fake.fork_first_writes = hot;
	fake.fault_window_pages = hot != 0 ? 16 : 1;
	memset(tlb, 0, sizeof(tlb));
	fake.on_flush = tlb_flush;
	memset(&aspace_stats, 0, sizeof(aspace_stats));
}

static void finish(void)
{
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(frames_of_kind(FRAME_TABLE), 0);
	assert_int_equal(frames_of_kind(FRAME_ANON), 0);
}

/* share twice: also with hot pages copied and windows of pages served at once. */
static void for_all(void (*check)(void))
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		for (unsigned m = 0; m <= ARRAY_SIZE(all_modes); m++) {
			mode = all_modes[MIN(m, ARRAY_SIZE(all_modes) - 1)];
			codec = all_codecs[c];
			start(m == ARRAY_SIZE(all_modes) ? 64 : 0);
			check();
			finish();
		}
}

#define SEMANTICS(name)                                                                                      \
	static void check_##name(void);                                                                      \
	static void name(void **state) { for_all(check_##name); }                                            \
	static void check_##name(void)

/* Pages of one leaf table; BASE lies at a border of leaf tables. */
static unsigned leaf_pages(void) { return 1u << codec->index_bits; }

/* ---- shared mappings ------------------------------------------------------------ */

SEMANTICS(shared_anonymous_memory)
{
	struct aspace *parent = new_aspace(), *child, *other, *grandchild;
	uint64_t at = BASE + PAGES(100);

	map_fixed(parent, BASE, PAGES(100), RW); /* private pages in the same tables */
	assert_int_equal(map_anon(parent, at, PAGES(200), RW, MAP_SHARED | MAP_FIXED), at);
	put_pages(parent, BASE, 100, 1);
	put_pages(parent, at, 150, 7);
	child = fork_aspace(parent);
	other = fork_aspace(parent);
	put(child, at + PAGES(3), 101);
	grandchild = fork_aspace(child);
	put(grandchild, at + PAGES(4), 102);
	put(parent, at + PAGES(5), 103);
	put(other, at + PAGES(199), 104); /* nobody touched it before */
	struct aspace *all[] = {parent, child, other, grandchild};
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		assert_int_equal(get(all[i], at + PAGES(3)), 101);
		assert_int_equal(get(all[i], at + PAGES(4)), 102);
		assert_int_equal(get(all[i], at + PAGES(5)), 103);
		assert_int_equal(get(all[i], at + PAGES(199)), 104);
		put(all[i], at + PAGES(10 + i), 150 + i);
		put(all[i], BASE + PAGES(i), 200 + i); /* private stays private */
	}
	for (unsigned i = 0; i < ARRAY_SIZE(all); i++) {
		expect_pages(all[i], at + PAGES(10), 0, 4, 150);
		expect_pages(all[i], BASE, 50, 50, 1);
	}
	assert_int_equal(get(parent, BASE + PAGES(1)), 2);
	assert_int_equal(get(other, BASE + PAGES(3)), 4);
	end(parent);
	end(child);
	assert_int_equal(get(other, at + PAGES(11)), 151);
	end(other);
	assert_int_equal(get(grandchild, at + PAGES(199)), 104);
	end(grandchild);
	assert_int_equal(frames_of_kind(FRAME_CACHE), 0); /* the file went with its last mapping */
}

SEMANTICS(shared_pages_do_not_fault_after_fork)
{
	struct aspace *parent = new_aspace(), *child;

	assert_int_equal(map_anon(parent, BASE, PAGES(20), RW, MAP_SHARED | MAP_FIXED), BASE);
	put_pages(parent, BASE, 20, 1);
	child = fork_aspace(parent); /* 20 pages: their table is copied in every mode */
	aspace_stats.nr_faults = 0;
	pt_stats.nr_page_copies = 0;
	put_pages(parent, BASE, 20, 30);
	put_pages(child, BASE, 20, 60);
	assert_int_equal(aspace_stats.nr_faults, 0);
	assert_int_equal(pt_stats.nr_page_copies, 0);
	expect_pages(parent, BASE, 0, 20, 60);
	end(parent);
	end(child);
}

SEMANTICS(shared_pages_survive_the_copy_of_their_table)
{
	struct aspace *parent = new_aspace(), *child;
	uint64_t at = BASE + PAGES(100);

	map_fixed(parent, BASE, PAGES(100), RW);
	assert_int_equal(map_anon(parent, at, PAGES(20), RW, MAP_SHARED | MAP_FIXED), at);
	put_pages(parent, BASE, 100, 1);
	put_pages(parent, at, 20, 1);
	child = fork_aspace(parent);
	put(child, BASE, 99); /* private tables now on this side, by copy */
	put(parent, BASE, 98); /* and here, by take-over */
	aspace_stats.nr_faults = 0;
	put(child, at, 50);
	put(parent, at + PAGES(1), 51);
	assert_int_equal(aspace_stats.nr_faults, 0);
	assert_true(entry_at(parent, at).dirty && entry_at(child, at + PAGES(5)).dirty);
	assert_int_equal(get(parent, at), 50);
	assert_int_equal(get(child, at + PAGES(1)), 51);
	end(child);
	end(parent);
}

/* Two programs that have nothing to do with each other, and a child of each. */
static void check_unrelated(const struct filemap_ops *ops)
{
	struct test_file *f = test_file_create(ops, PAGES(300), O_RDWR);
	struct aspace *s[4] = {new_aspace(), new_aspace()};
	uint64_t at[4] = {BASE, BASE + 32 * MB + PAGES(5), BASE, BASE + 32 * MB + PAGES(5)};

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(map_file(s[i], &f->file, at[i], PAGES(300), RW, MAP_SHARED | MAP_FIXED, 0),
				 at[i]);
		put_pages(s[i], at[i] + PAGES(100 * i), 80, 1);
	}
	s[2] = fork_aspace(s[0]);
	s[3] = fork_aspace(s[1]);
	for (unsigned i = 0; i < 4; i++)
		put(s[i], at[i] + PAGES(60 * i), 200 + i);
	for (unsigned i = 0; i < 4; i++)
		for (unsigned j = 0; j < 4; j++)
			assert_int_equal(get(s[i], at[i] + PAGES(60 * j)), 200 + j);
	if (ops->write_page != NULL) {
		assert_int_equal(aspace_msync(s[3], at[3], PAGES(300), MS_SYNC), 0);
		assert_int_equal(f->store[PAGES(120)], 202);
		put(s[0], at[0] + PAGES(120), 99); /* mapped: it counts as dirty still */
	}
	for (unsigned i = 0; i < 4; i++)
		end(s[i]);
	if (ops->write_page != NULL)
		assert_int_equal(f->store[PAGES(120)], 99);
	test_file_destroy(f);
}

SEMANTICS(shared_files_across_unrelated_forks)
{
	check_unrelated(&test_memory_ops);
	check_unrelated(&test_store_ops);
}

SEMANTICS(clean_pages_of_a_shared_file_tell_of_their_first_write)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(100), O_RDWR);
	struct aspace *parent = new_aspace(), *child;

	assert_int_equal(map_file(parent, &f->file, BASE, PAGES(100), RW, MAP_SHARED | MAP_FIXED, 0), BASE);
	for (unsigned i = 0; i < 100; i++)
		get(parent, BASE + PAGES(i));
	child = fork_aspace(parent);
	/* Rights that come back do not bring write back to clean pages. */
	assert_int_equal(aspace_mprotect(child, BASE, PAGES(100), PROT_READ), 0);
	assert_int_equal(aspace_mprotect(child, BASE, PAGES(100), RW), 0);
	assert_int_equal(f->map.nr_dirty, 0);
	put(child, BASE + PAGES(7), 70);
	assert_int_equal(f->map.nr_dirty, 1);
	put(parent, BASE + PAGES(8), 80);
	assert_int_equal(f->map.nr_dirty, 2);
	end(child);
	assert_int_equal(f->store[PAGES(7)], 70);
	end(parent);
	assert_int_equal(f->store[PAGES(8)], 80);
	assert_int_equal(f->map.nr_dirty, 0);
	test_file_destroy(f);
}

/* ---- private file mappings --------------------------------------------------------- */

SEMANTICS(private_files)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(200), O_RDONLY);
	struct aspace *parent = new_aspace(), *child;
	uint8_t byte = 77;

	assert_int_equal(map_file(parent, &f->file, BASE, PAGES(200), RW, MAP_PRIVATE | MAP_FIXED, 0), BASE);
	for (unsigned i = 0; i < 150; i++)
		assert_int_equal(get(parent, BASE + PAGES(i)), f->store[PAGES(i)]);
	put(parent, BASE + PAGES(1), 101); /* read first */
	put(parent, BASE + PAGES(160), 102); /* written at once */
	child = fork_aspace(parent);
	assert_int_equal(get(child, BASE + PAGES(1)), 101);
	assert_int_equal(get(child, BASE + PAGES(160)), 102);
	put(child, BASE + PAGES(2), 103);
	put(child, BASE + PAGES(1), 104);
	assert_int_equal(get(parent, BASE + PAGES(2)), f->store[PAGES(2)]);
	assert_int_equal(get(parent, BASE + PAGES(1)), 101);
	/* What the file gets later shows where nobody wrote. */
	f->map.size_bytes = PAGES(200);
	assert_int_equal(filemap_write(&f->map, PAGES(2), &byte, 1), 1);
	assert_int_equal(filemap_write(&f->map, PAGES(170), &byte, 1), 1);
	assert_int_equal(get(child, BASE + PAGES(2)), 103);
	assert_int_equal(get(child, BASE + PAGES(170)), 77);
	if (mode != FORK_EAGER) /* which copied what had been read */
		assert_int_equal(get(parent, BASE + PAGES(2)), 77);
	/* Dropped, the file's bytes come back, on this side only. */
	assert_int_equal(aspace_madvise(child, BASE, PAGES(200), MADV_DONTNEED), 0);
	assert_int_equal(get(child, BASE + PAGES(160)), f->store[PAGES(160)]);
	assert_int_equal(get(parent, BASE + PAGES(160)), 102);
	end(parent);
	end(child);
	assert_int_equal(f->nr_writes, 0);
	test_file_destroy(f);
}

/* ---- rights -------------------------------------------------------------------------- */

SEMANTICS(read_only_and_inaccessible_ranges)
{
	static const unsigned prots[] = {PROT_NONE, PROT_READ, RW, PROT_READ | PROT_EXEC, RW | PROT_EXEC,
					 PROT_EXEC};
	struct aspace *parent = new_aspace(), *side[3];

	/* Of each kind a page alone and more than a table's worth to share. */
	for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
		map_fixed(parent, BASE + PAGES(80 * i), PAGES(80), RW);
		put_pages(parent, BASE + PAGES(80 * i), 80, 10 * i);
		assert_int_equal(aspace_mprotect(parent, BASE + PAGES(80 * i), PAGES(80), prots[i]), 0);
	}
	side[0] = parent;
	side[1] = fork_aspace(parent);
	side[2] = fork_aspace(side[1]);
	for (unsigned s = 0; s < 3; s++)
		for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
			unsigned rights = prots[i] & (PROT_WRITE | PROT_EXEC) ? prots[i] | PROT_READ : prots[i];

			for (unsigned access = 1; access <= 4; access *= 2)
				assert_int_equal(try(side[s], BASE + PAGES(80 * i + 5), access),
						 rights & access ? 0 : -EACCES);
		}
	/* Opened by one, it is as it was at the fork, and stays closed for the others. */
	assert_int_equal(aspace_mprotect(side[1], BASE, PAGES(480), RW), 0);
	for (unsigned i = 0; i < ARRAY_SIZE(prots); i++) {
		expect_pages(side[1], BASE + PAGES(80 * i), 6, 10, 10 * i);
		put(side[1], BASE + PAGES(80 * i + 5), 222);
		assert_int_equal(try(side[1], BASE + PAGES(80 * i), TRAP_EXEC), -EACCES);
	}
	assert_int_equal(try(parent, BASE, TRAP_READ), -EACCES);
	assert_int_equal(try(side[2], BASE + PAGES(85), TRAP_WRITE), -EACCES);
	assert_int_equal(get(side[2], BASE + PAGES(85)), 15);
	assert_int_equal(aspace_mprotect(side[2], BASE, PAGES(80), PROT_READ), 0);
	expect_pages(side[2], BASE, 0, 80, 0);
	for (unsigned s = 0; s < 3; s++)
		end(side[s]);
}

/* by: who changes the rights, 0 the parent, 1 the child. */
static void check_protect(unsigned by, unsigned from, unsigned to)
{
	struct aspace *s[2] = {new_aspace()};
	unsigned nr = 2 * leaf_pages(), first = leaf_pages() / 2, changed = leaf_pages();

	map_fixed(s[0], BASE, PAGES(nr), RW);
	put_pages(s[0], BASE, nr, 3);
	assert_int_equal(aspace_mprotect(s[0], BASE, PAGES(nr), from), 0);
	s[1] = fork_aspace(s[0]);
	for (unsigned i = 0; i < 2; i++) /* the processor knows all pages */
		expect_pages(s[i], BASE, 0, nr, 3);
	assert_int_equal(aspace_mprotect(s[by], BASE + PAGES(first), PAGES(changed), to), 0);
	assert_int_equal(mm_audit(), 0);
	for (unsigned i = 0; i < nr; i += 13) {
		bool is_inside = i >= first && i < first + changed;
		unsigned mine = is_inside ? to : from;

		assert_int_equal(try(s[by], BASE + PAGES(i), TRAP_WRITE), mine & PROT_WRITE ? 0 : -EACCES);
		assert_int_equal(try(s[by], BASE + PAGES(i), TRAP_EXEC), mine & PROT_EXEC ? 0 : -EACCES);
		assert_int_equal(try(s[!by], BASE + PAGES(i), TRAP_WRITE), from & PROT_WRITE ? 0 : -EACCES);
		assert_int_equal(try(s[!by], BASE + PAGES(i), TRAP_EXEC), from & PROT_EXEC ? 0 : -EACCES);
		if (mine & PROT_WRITE)
			put(s[by], BASE + PAGES(i), 250);
		assert_int_equal(get(s[!by], BASE + PAGES(i)), (uint8_t)(i + 3));
	}
	/* The last one has the tables for itself: no right comes back that was taken. */
	end(s[!by]);
	assert_int_equal(try(s[by], BASE + PAGES(first + 1), TRAP_WRITE), to & PROT_WRITE ? 0 : -EACCES);
	assert_int_equal(try(s[by], BASE + PAGES(1), TRAP_WRITE), from & PROT_WRITE ? 0 : -EACCES);
	end(s[by]);
}

SEMANTICS(mprotect_in_both_directions_on_shared_subtrees)
{
	for (unsigned by = 0; by < 2; by++) {
		check_protect(by, RW, PROT_READ);
		check_protect(by, PROT_READ, RW);
		check_protect(by, RW, PROT_READ | PROT_EXEC);
		check_protect(by, RW | PROT_EXEC, RW);
	}
}

SEMANTICS(mprotect_back_and_forth_stays_private)
{
	struct aspace *parent = new_aspace(), *child;

	map_fixed(parent, BASE, PAGES(200), RW);
	put_pages(parent, BASE, 200, 1);
	child = fork_aspace(parent);
	put(child, BASE, 5); /* tables of its own, pages still the parent's */
	assert_int_equal(aspace_mprotect(child, BASE, PAGES(200), PROT_READ), 0);
	assert_int_equal(aspace_mprotect(child, BASE, PAGES(200), RW), 0);
	put_pages(child, BASE, 200, 100);
	expect_pages(parent, BASE, 0, 200, 1);
	assert_int_equal(aspace_mprotect(parent, BASE, PAGES(200), PROT_NONE), 0);
	assert_int_equal(aspace_mprotect(parent, BASE, PAGES(200), RW), 0);
	put_pages(parent, BASE, 200, 30);
	expect_pages(child, BASE, 0, 200, 100);
	end(child);
	end(parent);
}

/* ---- stack and heap --------------------------------------------------------------------- */

SEMANTICS(stacks_grow_on_each_side)
{
	struct aspace *parent = new_aspace(), *child;
	uint64_t top = BASE + 64 * MB, low = top - PAGES(100);

	parent->stack_limit_bytes = PAGES(300);
	assert_int_equal(map_anon(parent, top - PAGES(4), PAGES(4), RW,
				  MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN),
			 top - PAGES(4));
	put_pages(parent, top - PAGES(4), 4, 1);
	put(parent, low, 9);
	child = fork_aspace(parent);
	assert_int_equal(get(child, low), 9);
	put(child, top - PAGES(299), 8);
	assert_int_equal(try(child, top - PAGES(301), TRAP_WRITE), -EFAULT); /* the parent's limit */
	assert_int_equal(vma_find(&parent->vmas, top - 1)->start, low);
	put(parent, top - PAGES(200), 7);
	assert_int_equal(get(child, top - PAGES(200)), 0);
	assert_int_equal(vma_find(&parent->vmas, top - 1)->start, top - PAGES(200));
	expect_pages(child, top - PAGES(4), 0, 4, 1);
	end(parent);
	end(child);
}

SEMANTICS(heaps_move_on_each_side)
{
	struct aspace *parent = new_aspace(), *child;

	parent->brk_start = parent->brk = BASE;
	assert_int_equal(aspace_brk(parent, BASE + PAGES(200)), BASE + PAGES(200));
	put_pages(parent, BASE, 200, 1);
	child = fork_aspace(parent);
	assert_int_equal(aspace_brk(child, 0), BASE + PAGES(200));
	assert_int_equal(aspace_brk(child, BASE + PAGES(50)), BASE + PAGES(50));
	assert_int_equal(try(child, BASE + PAGES(50), TRAP_READ), -EFAULT);
	expect_pages(child, BASE, 0, 50, 1);
	expect_pages(parent, BASE, 0, 200, 1);
	assert_int_equal(aspace_brk(parent, BASE + PAGES(300)), BASE + PAGES(300));
	assert_int_equal(aspace_brk(child, BASE + PAGES(300)), BASE + PAGES(300));
	put(parent, BASE + PAGES(250), 61);
	put(child, BASE + PAGES(250), 62);
	assert_int_equal(get(parent, BASE + PAGES(250)), 61);
	assert_int_equal(get(child, BASE + PAGES(250)), 62);
	assert_int_equal(get(child, BASE + PAGES(100)), 0); /* it was given back */
	assert_int_equal(get(parent, BASE + PAGES(100)), 101);
	end(parent);
	assert_int_equal(get(child, BASE + PAGES(49)), 50);
	end(child);
}

/* ---- madvise ------------------------------------------------------------------------------ */

SEMANTICS(dontfork)
{
	struct aspace *parent = new_aspace(), *child, *grandchild;
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(8), O_RDWR);
	unsigned leaf = leaf_pages();

	map_fixed(parent, BASE, PAGES(3 * leaf), RW);
	put_pages(parent, BASE, 3 * leaf, 1);
	assert_int_equal(map_file(parent, &f->file, BASE + 32 * MB, PAGES(8), RW, MAP_SHARED | MAP_FIXED, 0),
			 BASE + 32 * MB);
	put(parent, BASE + 32 * MB, 5);
	/* From the middle of one leaf table to the middle of another, and a shared file. */
	assert_int_equal(
		aspace_madvise(parent, BASE + PAGES(leaf / 2), PAGES(2 * leaf), MADV_DONTFORK), 0);
	assert_int_equal(aspace_madvise(parent, BASE + 32 * MB, PAGES(4), MADV_DONTFORK), 0);
	child = fork_aspace(parent);
	assert_int_equal(aspace_rss_pages(child), leaf);
	assert_int_equal(try(child, BASE + PAGES(leaf / 2), TRAP_READ), -EFAULT);
	assert_int_equal(try(child, BASE + PAGES(2 * leaf), TRAP_READ), -EFAULT);
	assert_int_equal(try(child, BASE + 32 * MB, TRAP_READ), -EFAULT);
	put(child, BASE + 32 * MB + PAGES(4), 6);
	assert_int_equal(get(parent, BASE + 32 * MB + PAGES(4)), 6);
	expect_pages(child, BASE, 0, leaf / 2, 1);
	expect_pages(child, BASE, leaf / 2 + 2 * leaf, leaf / 2, 1);
	/* The child may map something there; that is forked. */
	map_fixed(child, BASE + PAGES(leaf), PAGES(1), RW);
	put(child, BASE + PAGES(leaf), 44);
	grandchild = fork_aspace(child);
	assert_int_equal(get(grandchild, BASE + PAGES(leaf)), 44);
	end(child);
	expect_pages(parent, BASE, 0, 3 * leaf, 1);
	assert_int_equal(get(parent, BASE + 32 * MB), 5);
	end(grandchild);
	end(parent);
	test_file_destroy(f);
}

SEMANTICS(wipeonfork)
{
	struct aspace *parent = new_aspace(), *child, *grandchild;
	unsigned leaf = leaf_pages();

	map_fixed(parent, BASE, PAGES(3 * leaf), RW);
	put_pages(parent, BASE, 3 * leaf, 1);
	assert_int_equal(
		aspace_madvise(parent, BASE + PAGES(leaf / 2), PAGES(2 * leaf), MADV_WIPEONFORK), 0);
	child = fork_aspace(parent);
	assert_int_equal(aspace_rss_pages(child), leaf);
	for (unsigned i = leaf / 2; i < 2 * leaf + leaf / 2; i += 17)
		assert_int_equal(get(child, BASE + PAGES(i)), 0);
	expect_pages(child, BASE, 0, leaf / 2, 1);
	put(child, BASE + PAGES(leaf), 44);
	grandchild = fork_aspace(child); /* the rule holds on */
	assert_int_equal(get(grandchild, BASE + PAGES(leaf)), 0);
	assert_int_equal(get(grandchild, BASE), 1);
	end(grandchild);
	assert_int_equal(aspace_madvise(child, BASE, PAGES(3 * leaf), MADV_KEEPONFORK), 0);
	grandchild = fork_aspace(child);
	assert_int_equal(get(grandchild, BASE + PAGES(leaf)), 44);
	expect_pages(parent, BASE, 0, 3 * leaf, 1);
	end(parent);
	end(child);
	end(grandchild);
}

SEMANTICS(dontneed)
{
	struct aspace *parent = new_aspace(), *child;
	unsigned leaf = leaf_pages();

	map_fixed(parent, BASE, PAGES(3 * leaf), RW);
	put_pages(parent, BASE, 3 * leaf, 1);
	child = fork_aspace(parent);
	expect_pages(child, BASE, 0, 3 * leaf, 1); /* the processor knows them all */
	assert_int_equal(
		aspace_madvise(child, BASE + PAGES(leaf / 2), PAGES(2 * leaf), MADV_DONTNEED), 0);
	assert_int_equal(mm_audit(), 0);
	for (unsigned i = leaf / 2; i < 2 * leaf + leaf / 2; i += 17)
		assert_int_equal(get(child, BASE + PAGES(i)), 0);
	expect_pages(parent, BASE, 0, 3 * leaf, 1);
	assert_int_equal(aspace_madvise(parent, BASE, PAGES(leaf), MADV_DONTNEED), 0);
	expect_pages(child, BASE, 0, leaf / 2, 1);
	put(child, BASE + PAGES(3), 55);
	assert_int_equal(get(parent, BASE + PAGES(3)), 0);
	end(child);
	end(parent);
}

/* ---- munmap, mremap ---------------------------------------------------------------------------- */

SEMANTICS(munmap_across_table_borders)
{
	struct aspace *s[2] = {new_aspace()};
	unsigned leaf = leaf_pages(), nr = 5 * leaf;

	map_fixed(s[0], BASE, PAGES(nr), RW);
	put_pages(s[0], BASE, nr, 1);
	s[1] = fork_aspace(s[0]);
	for (unsigned by = 0; by < 2; by++) {
		uint64_t from = BASE + PAGES(leaf / 2 + by * 2 * leaf);

		expect_pages(s[by], from, 0, 2 * leaf, leaf / 2 + by * 2 * leaf + 1);
		assert_int_equal(aspace_munmap(s[by], from, PAGES(2 * leaf)), 0);
		assert_int_equal(mm_audit(), 0);
		assert_int_equal(aspace_rss_pages(s[by]), nr - 2 * leaf);
		for (unsigned i = 0; i < 2 * leaf; i += 31)
			assert_int_equal(try(s[by], from + PAGES(i), TRAP_READ), -EFAULT);
		assert_int_equal(try(s[by], from - 1, TRAP_READ), 0);
		assert_int_equal(try(s[by], from + PAGES(2 * leaf), TRAP_READ), 0);
		put(s[by], from - PAGE_SIZE, 200);
	}
	/* Each kept what the other gave up. */
	expect_pages(s[1], BASE, 0, 2 * leaf, 1);
	expect_pages(s[0], BASE, 2 * leaf + leaf / 2, 2 * leaf, 1);
	/* Mapped anew it is fresh, and does not show on the other side. */
	map_fixed(s[0], BASE + PAGES(leaf), PAGES(2), RW);
	assert_int_equal(get(s[0], BASE + PAGES(leaf)), 0);
	put(s[0], BASE + PAGES(leaf), 9);
	assert_int_equal(get(s[1], BASE + PAGES(leaf)), (uint8_t)(leaf + 1));
	end(s[0]);
	expect_pages(s[1], BASE, 0, 2 * leaf, 1);
	end(s[1]);
}

/* A border table without pages in the range is not copied, and nothing bought for it is lost. */
SEMANTICS(munmap_of_nothing_keeps_tables_shared)
{
	struct aspace *parent = new_aspace(), *child;
	uint64_t nr_tables;
	unsigned leaf = leaf_pages();

	map_fixed(parent, BASE, PAGES(2 * leaf), RW);
	put_pages(parent, BASE, 100, 1);
	child = fork_aspace(parent);
	nr_tables = frames_of_kind(FRAME_TABLE);
	assert_int_equal(aspace_munmap(child, BASE + PAGES(150), PAGES(leaf)), 0);
	assert_int_equal(frames_of_kind(FRAME_TABLE), nr_tables);
	expect_pages(child, BASE, 0, 100, 1);
	end(child);
	end(parent);
}

/* Moves [BASE + first, + nr) pages to `to` in one of two processes. */
static void check_move(unsigned by, unsigned first, unsigned nr, uint64_t to, unsigned flags)
{
	struct aspace *s[2] = {new_aspace()};
	unsigned leaf = leaf_pages(), all = 3 * leaf;
	uint64_t from = BASE + PAGES(first);

	map_fixed(s[0], BASE, PAGES(all), RW);
	put_pages(s[0], BASE, all, 1);
	map_fixed(s[0], to, PAGES(nr), RW);
	put_pages(s[0], to, MIN(nr, 60u), 100);
	s[1] = fork_aspace(s[0]);
	for (unsigned i = 0; i < 2; i++)
		expect_pages(s[i], BASE, 0, all, 1);
	assert_int_equal(aspace_mremap(s[by], from, PAGES(nr), PAGES(nr),
				       MREMAP_MAYMOVE | MREMAP_FIXED | flags, to),
			 to);
	assert_int_equal(mm_audit(), 0);
	expect_pages(s[by], to, 0, nr, first + 1);
	for (unsigned i = 0; i < nr; i += 29) {
		if (flags & MREMAP_DONTUNMAP)
			assert_int_equal(get(s[by], from + PAGES(i)), 0);
		else
			assert_int_equal(try(s[by], from + PAGES(i), TRAP_READ), -EFAULT);
	}
	put_pages(s[by], to, nr, 50);
	expect_pages(s[!by], BASE, 0, all, 1);
	expect_pages(s[!by], to, 0, MIN(nr, 60u), 100);
	put_pages(s[!by], BASE, all, 70);
	expect_pages(s[by], to, 0, nr, 50);
	expect_pages(s[by], BASE, 0, first, 1);
	end(s[!by]);
	expect_pages(s[by], to, 0, nr, 50);
	end(s[by]);
}

SEMANTICS(mremap_moves)
{
	unsigned leaf = leaf_pages();
	uint64_t to = BASE + 32 * MB;

	for (unsigned by = 0; by < 2; by++) {
		check_move(by, leaf, leaf, to, 0);	    /* a whole table to a whole table */
		check_move(by, leaf / 2, 2 * leaf, to + PAGES(leaf / 2), 0); /* with pages at both ends */
		check_move(by, 3, leaf + 10, to + PAGES(7), 0); /* page by page over borders */
		check_move(by, leaf, leaf, to, MREMAP_DONTUNMAP);
		check_move(by, 3, 90, to + PAGES(7), MREMAP_DONTUNMAP);
	}
}

SEMANTICS(mremap_grows_and_shrinks)
{
	struct aspace *parent = new_aspace(), *child;
	unsigned leaf = leaf_pages();
	int64_t at;

	map_fixed(parent, BASE, PAGES(2 * leaf), RW);
	put_pages(parent, BASE, 2 * leaf, 1);
	child = fork_aspace(parent);
	expect_pages(child, BASE, 0, 2 * leaf, 1);
	/* Smaller: on one side only. */
	assert_int_equal(aspace_mremap(child, BASE, PAGES(2 * leaf), PAGES(leaf / 2), 0, 0), BASE);
	assert_int_equal(try(child, BASE + PAGES(leaf / 2), TRAP_READ), -EFAULT);
	expect_pages(parent, BASE, 0, 2 * leaf, 1);
	/* Larger in place, then larger elsewhere. */
	assert_int_equal(aspace_mremap(child, BASE, PAGES(leaf / 2), PAGES(leaf), 0, 0), BASE);
	assert_int_equal(get(child, BASE + PAGES(leaf - 1)), 0);
	put(child, BASE + PAGES(leaf - 1), 33);
	map_fixed(parent, BASE + PAGES(2 * leaf), PAGE_SIZE, PROT_READ);
	at = aspace_mremap(parent, BASE, PAGES(2 * leaf), PAGES(4 * leaf), MREMAP_MAYMOVE, 0);
	assert_true(at > 0 && at != BASE);
	expect_pages(parent, (uint64_t)at, 0, 2 * leaf, 1);
	assert_int_equal(get(parent, (uint64_t)at + PAGES(3 * leaf)), 0);
	assert_int_equal(try(parent, BASE, TRAP_READ), -EFAULT);
	put_pages(parent, (uint64_t)at, 2 * leaf, 80);
	expect_pages(child, BASE, 0, leaf / 2, 1);
	assert_int_equal(get(child, BASE + PAGES(leaf - 1)), 33);
	end(child);
	end(parent);
}

SEMANTICS(mremap_of_files_keeps_their_offsets)
{
	struct test_file *f = test_file_create(&test_memory_ops, PAGES(300), O_RDWR);
	struct aspace *parent = new_aspace(), *child;
	uint64_t to = BASE + 32 * MB;

	assert_int_equal(map_file(parent, &f->file, BASE, PAGES(100), RW, MAP_SHARED | MAP_FIXED, PAGES(20)),
			 BASE);
	put_pages(parent, BASE, 80, 1);
	child = fork_aspace(parent);
	/* The middle moves, and grows there: what is new lies behind it in the file. */
	assert_int_equal(aspace_mremap(child, BASE + PAGES(40), PAGES(60), PAGES(60),
				       MREMAP_MAYMOVE | MREMAP_FIXED, to),
			 to);
	assert_int_equal(aspace_mremap(child, to, PAGES(60), PAGES(90), 0, 0), to);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(get(child, to + PAGES(i)), i + 41);
	put(child, to + PAGES(50), 150);
	assert_int_equal(get(parent, BASE + PAGES(90)), 150);
	assert_int_equal(aspace_mremap(parent, BASE, PAGES(100), PAGES(140), 0, 0), BASE);
	put(parent, BASE + PAGES(125), 151);
	assert_int_equal(get(child, to + PAGES(85)), 151);
	/* A second view of the same pages, and a hole punched through all of them. */
	assert_int_equal(aspace_mremap(child, BASE, 0, PAGES(30), MREMAP_MAYMOVE | MREMAP_FIXED, to + 2 * MB),
			 to + 2 * MB);
	put(child, to + 2 * MB + PAGES(5), 152);
	assert_int_equal(get(parent, BASE + PAGES(5)), 152);
	assert_int_equal(aspace_madvise(parent, BASE + PAGES(4), PAGES(4), MADV_REMOVE), 0);
	assert_int_equal(get(child, to + 2 * MB + PAGES(5)), 0);
	assert_int_equal(get(child, BASE + PAGES(8)), 9);
	end(parent);
	end(child);
	test_file_destroy(f);
}

/* ---- families -------------------------------------------------------------------------------------- */

#define FAMILY 4

/* A parent, its child, grandchild and great-grandchild; each wrote a page before the next was born. */
static void make_family(struct aspace *s[FAMILY])
{
	for (unsigned i = 0; i < FAMILY; i++) {
		if (i == 0) {
			s[0] = new_aspace();
			map_fixed(s[0], BASE, PAGES(600), RW);
			put_pages(s[0], BASE, 600, 1);
		} else {
			s[i] = fork_aspace(s[i - 1]);
		}
		put(s[i], BASE + PAGES(i), 200 + i);
	}
	for (unsigned i = 0; i < FAMILY; i++) /* and one when all were there */
		put(s[i], BASE + PAGES(300), 210 + i);
}

static void check_member(struct aspace *as, unsigned i)
{
	for (unsigned page = 0; page < FAMILY; page++)
		assert_int_equal(get(as, BASE + PAGES(page)), page <= i ? 200 + page : page + 1);
	assert_int_equal(get(as, BASE + PAGES(300)), 210 + i);
	for (unsigned page = 310; page < 600; page += 41)
		assert_int_equal(get(as, BASE + PAGES(page)), (uint8_t)(page + 1));
}

SEMANTICS(exit_in_any_order)
{
	for (unsigned order = 0; order < 24; order++) {
		unsigned left[FAMILY] = {0, 1, 2, 3}, n = order;
		struct aspace *s[FAMILY];

		make_family(s);
		for (unsigned alive = FAMILY; alive != 0; alive--) {
			unsigned at = n % alive, gone = left[at];

			n /= alive;
			for (unsigned i = 0; i < alive; i++)
				check_member(s[left[i]], left[i]);
			end(s[gone]);
			left[at] = left[alive - 1];
			for (unsigned i = 0; i + 1 < alive; i++) {
				put(s[left[i]], BASE + PAGES(400), order);
				assert_int_equal(get(s[left[i]], BASE + PAGES(400)), order);
				put(s[left[i]], BASE + PAGES(400), (uint8_t)401);
			}
		}
		finish();
	}
}

SEMANTICS(siblings_stay_apart)
{
	struct aspace *parent = new_aspace(), *child[6];

	map_fixed(parent, BASE, PAGES(300), RW);
	put_pages(parent, BASE, 300, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(child); i++) {
		child[i] = fork_aspace(parent);
		put(parent, BASE + PAGES(i), 100 + i); /* after this one, before the next */
		put_pages(child[i], BASE + PAGES(50), 20, 10 * i);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(child); i++) {
		for (unsigned page = 0; page < ARRAY_SIZE(child); page++)
			assert_int_equal(get(child[i], BASE + PAGES(page)), page < i ? 100 + page : page + 1);
		expect_pages(child[i], BASE + PAGES(50), 0, 20, 10 * i);
		expect_pages(child[i], BASE, 70, 230, 1);
	}
	expect_pages(parent, BASE, 6, 294, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(child); i++)
		end(child[(i * 5 + 2) % ARRAY_SIZE(child)]);
	end(parent);
}

SEMANTICS(facts_are_inherited)
{
	struct test_file *program = test_file_create(&test_store_ops, PAGES(1), O_RDONLY);
	struct aspace *parent = new_aspace(), *child;

	parent->exe = &program->file;
	file_get(parent->exe);
	parent->arg_start = BASE + 1, parent->env_end = BASE + 2, parent->stack_top = BASE + 3;
	parent->as_limit_bytes = PAGES(100), parent->data_limit_bytes = PAGES(50);
	parent->mmap_top = BASE + 64 * MB;
	parent->auxv[0] = 6, parent->auxv[1] = 4096, parent->nr_auxv = 1;
	child = fork_aspace(parent);
	assert_int_equal(program->file.refs, 1000002);
	end(parent);
	assert_ptr_equal(child->exe, &program->file);
	assert_int_equal(child->arg_start, BASE + 1);
	assert_int_equal(child->env_end, BASE + 2);
	assert_int_equal(child->stack_top, BASE + 3);
	assert_int_equal(child->auxv[1], 4096);
	assert_int_equal(child->nr_auxv, 1);
	assert_int_equal(map_anon(child, 0, PAGES(101), PROT_READ, MAP_PRIVATE), -ENOMEM);
	assert_int_equal(map_anon(child, 0, PAGES(51), RW, MAP_PRIVATE), -ENOMEM);
	assert_int_equal(map_anon(child, 0, PAGES(1), RW, MAP_PRIVATE), BASE + 64 * MB - PAGE_SIZE);
	end(child);
	test_file_destroy(program);
}

/* ---- flushes ------------------------------------------------------------------------------------------ */

/* Every allocation of a fork fails once. What the processor may write, the parent alone may write. */
SEMANTICS(a_failed_fork_leaves_nothing_stale)
{
	struct aspace *parent = new_aspace(), *child = NULL, *other;
	int err = -ENOMEM;

	map_fixed(parent, BASE, PAGES(2 * leaf_pages() + 40), RW);
	map_fixed(parent, BASE + 32 * MB, PAGES(20), RW);
	for (unsigned n = 1; err != 0; n++) {
		put_pages(parent, BASE + PAGES(2 * leaf_pages()), 40, n);
		put_pages(parent, BASE + 32 * MB, 20, n);
		fail_alloc_arm(n, false);
		err = aspace_fork(parent, &child);
		fail_alloc_arm(0, false);
		assert_true(err == 0 || err == -ENOMEM);
		if (err != 0) {
			other = fork_aspace(parent);
			put_pages(parent, BASE + PAGES(2 * leaf_pages()), 40, 200);
			put_pages(parent, BASE + 32 * MB, 20, 200);
			expect_pages(other, BASE + PAGES(2 * leaf_pages()), 0, 40, n);
			expect_pages(other, BASE + 32 * MB, 0, 20, n);
			end(other);
		}
		assert_true(n < 300);
	}
	end(child);
	end(parent);
}

/* Walkers may cache tables: one that is given up is flushed, though no page changed. */
SEMANTICS(a_table_given_up_is_flushed)
{
	struct aspace *parent = new_aspace(), *child;

	map_fixed(parent, BASE, PAGES(leaf_pages()), RW);
	put_pages(parent, BASE, 100, 1);
	child = fork_aspace(parent);
	fake.nr_flush_range = 0;
	assert_int_equal(get(child, BASE + PAGES(150)), 0); /* a page nobody had */
	if (!entry_at(parent, BASE).is_private_path)
		assert_true(fake.nr_flush_range >= 1);
	else
		assert_int_equal(fake.nr_flush_range, 0); /* the child's tables were its own */
	end(parent);
	end(child);
}

/* More pages than a gather holds, one by one. The processor knows them all. */
SEMANTICS(long_gathers_flush_before_they_drop)
{
	struct aspace *parent = new_aspace(), *child;
	unsigned nr = leaf_pages() - 2;

	map_fixed(parent, BASE, PAGES(2 * leaf_pages()), RW);
	put_pages(parent, BASE, 2 * leaf_pages(), 1);
	assert_int_equal(aspace_munmap(parent, BASE + PAGES(1), PAGES(nr)), 0);
	for (unsigned i = 1; i <= nr; i++) /* frames are used again at once */
		assert_int_equal(try(parent, BASE + PAGES(i), TRAP_READ), -EFAULT);
	map_fixed(parent, BASE + PAGES(1), PAGES(nr), RW);
	put_pages(parent, BASE + PAGES(1), nr, 9);
	child = fork_aspace(parent);
	put_pages(parent, BASE, leaf_pages(), 100);
	expect_pages(child, BASE + PAGES(1), 0, nr, 9);
	assert_int_equal(aspace_madvise(child, BASE + PAGES(1), PAGES(nr), MADV_DONTNEED), 0);
	for (unsigned i = 1; i <= nr; i++)
		assert_int_equal(get(child, BASE + PAGES(i)), 0);
	expect_pages(parent, BASE, 0, leaf_pages(), 100);
	end(parent);
	end(child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shared_anonymous_memory),
		cmocka_unit_test(shared_pages_do_not_fault_after_fork),
		cmocka_unit_test(shared_pages_survive_the_copy_of_their_table),
		cmocka_unit_test(shared_files_across_unrelated_forks),
		cmocka_unit_test(clean_pages_of_a_shared_file_tell_of_their_first_write),
		cmocka_unit_test(private_files),
		cmocka_unit_test(read_only_and_inaccessible_ranges),
		cmocka_unit_test(mprotect_in_both_directions_on_shared_subtrees),
		cmocka_unit_test(mprotect_back_and_forth_stays_private),
		cmocka_unit_test(stacks_grow_on_each_side),
		cmocka_unit_test(heaps_move_on_each_side),
		cmocka_unit_test(dontfork),
		cmocka_unit_test(wipeonfork),
		cmocka_unit_test(dontneed),
		cmocka_unit_test(munmap_across_table_borders),
		cmocka_unit_test(munmap_of_nothing_keeps_tables_shared),
		cmocka_unit_test(mremap_moves),
		cmocka_unit_test(mremap_grows_and_shrinks),
		cmocka_unit_test(mremap_of_files_keeps_their_offsets),
		cmocka_unit_test(exit_in_any_order),
		cmocka_unit_test(siblings_stay_apart),
		cmocka_unit_test(facts_are_inherited),
		cmocka_unit_test(a_failed_fork_leaves_nothing_stale),
		cmocka_unit_test(a_table_given_up_is_flushed),
		cmocka_unit_test(long_gathers_flush_before_they_drop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
