/*
 * Every operation on an address space with its 1st, 2nd, 3rd ... allocation
 * failing, once and from there on, until it succeeds. After each failure: the
 * right error, a clean audit, the very same mappings and bytes, no frame lost.
 *
 * The address space under test shares its tables with a forked child, so that
 * every change needs copies.
 */
#include "mm_test.h"

#define NR_PAGES 1200 /* several leaf tables of every codec */

struct world {
	struct aspace *as, *child;
	struct test_file *file;
};

struct snapshot {
	uint64_t nr_pages, nr_virtual, nr_vmas, brk;
	uint8_t bytes[NR_PAGES + 300], prots[NR_PAGES + 300];
};

static const struct pt_ops *codec;
static enum fork_mode mode;
static uint64_t nr_failures, nr_failures_total; /* injected */

/* Data, a hole, untouched read-only pages, a private file, room never touched, and a stack above. */
static void world_create(struct world *w)
{
	aspace_set_pt_ops(codec);
	aspace_set_fork_mode(mode);
	w->file = test_file_create(&test_store_ops, PAGES(40), O_RDWR);
	w->as = new_aspace();
	w->as->brk_start = w->as->brk = BASE + 512 * MB;
	map_fixed(w->as, BASE, PAGES(900), RW);
	poke_pages(w->as, BASE, 900, 3);
	map_fixed(w->as, BASE + PAGES(950), PAGES(50), PROT_READ);
	assert_int_equal(map_file(w->as, &w->file->file, BASE + PAGES(1000), PAGES(40), RW,
				  MAP_PRIVATE | MAP_FIXED, 0),
			 BASE + PAGES(1000));
	poke(w->as, BASE + PAGES(1001), 42);
	assert_int_equal(map_anon(w->as, BASE + PAGES(NR_PAGES + 200), PAGES(4), RW,
				  MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN),
			 BASE + PAGES(NR_PAGES + 200));
	poke(w->as, BASE + PAGES(NR_PAGES + 203), 43);
	map_fixed(w->as, BASE + PAGES(1100), PAGES(10), RW);
	for (unsigned i = 0; i < 20; i++)
		peek(w->as, BASE + PAGES(950 + i));
	w->child = fork_aspace(w->as);
}

static void world_destroy(struct world *w)
{
	aspace_put(w->as);
	aspace_put(w->child);
	assert_int_equal(mm_audit(), 0);
	test_file_destroy(w->file);
	assert_int_equal(
		frames_of_kind(FRAME_TABLE) + frames_of_kind(FRAME_ANON) + frames_of_kind(FRAME_CACHE), 0);
}

static void take_snapshot(struct aspace *as, struct snapshot *s)
{
	memset(s, 0, sizeof(*s));
	s->nr_pages = aspace_rss_pages(as);
	s->nr_virtual = aspace_virtual_pages(as);
	s->nr_vmas = as->vmas.nr_vmas;
	s->brk = as->brk;
	for (unsigned i = 0; i < ARRAY_SIZE(s->bytes); i++) {
		const struct vma *v = vma_find(&as->vmas, BASE + PAGES(i));
		struct pt_entry e;

		s->prots[i] = v == NULL ? 0xff : (uint8_t)v->prot.raw;
		if (as->pt.ops->lookup(&as->pt, BASE + PAGES(i), &e))
			s->bytes[i] = *(uint8_t *)pfn_to_ptr(e.pfn);
	}
}

/* Frames in use apart from caches that may shrink and the audit's own. */
static uint64_t settled_use(void)
{
	kmalloc_shrink();
	frame_shrink_all();
	return frames_of_kind(FRAME_ANON) + frames_of_kind(FRAME_TABLE) + frames_of_kind(FRAME_CACHE) +
	       frames_of_kind(FRAME_SLAB);
}

typedef int (*operation)(struct world *w);

static void sweep_one(operation op, bool persistent)
{
	static struct snapshot before, child_before, after;
	struct world w;
	uint64_t nr_used;

	world_create(&w);
	take_snapshot(w.as, &before);
	take_snapshot(w.child, &child_before);
	nr_used = settled_use();
	for (unsigned n = 1;; n++) {
		int err;

		fail_alloc_arm(n, persistent);
		err = op(&w);
		nr_failures += fail_alloc_count() >= n;
		fail_alloc_arm(0, false);
		assert_int_equal(mm_audit(), 0);
		if (err == 0)
			break;
		assert_int_equal(err, -ENOMEM);
		take_snapshot(w.as, &after);
		assert_memory_equal(&before, &after, sizeof(before));
		take_snapshot(w.child, &after);
		assert_memory_equal(&child_before, &after, sizeof(before));
		assert_int_equal(settled_use(), nr_used);
		assert_true(n < 500);
	}
	take_snapshot(w.child, &after);
	assert_memory_equal(&child_before, &after, sizeof(before));
	world_destroy(&w);
}

static void sweep(operation op)
{
	mm_test_boot(64 * MB);
	nr_failures = 0;
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		for (unsigned m = 0; m < ARRAY_SIZE(all_modes); m++) {
			codec = all_codecs[c];
			mode = all_modes[m];
			sweep_one(op, false);
			sweep_one(op, true);
		}
	assert_true(nr_failures > 0);
	nr_failures_total += nr_failures;
}

static int as_error(int64_t result) { return result < 0 ? (int)result : 0; }

static int op_mmap(struct world *w) { return as_error(map_anon(w->as, 0, PAGES(10), RW, MAP_PRIVATE)); }
static int op_mmap_over(struct world *w)
{
	return as_error(map_anon(w->as, BASE + PAGES(100), PAGES(700), RW, MAP_PRIVATE | MAP_FIXED));
}
static int op_munmap(struct world *w) { return aspace_munmap(w->as, BASE + PAGES(10), PAGES(800)); }
static int op_munmap_hole(struct world *w) { return aspace_munmap(w->as, BASE + PAGES(300), PAGES(1)); }
static int op_mprotect_none(struct world *w)
{
	return aspace_mprotect(w->as, BASE + PAGES(10), PAGES(800), PROT_NONE);
}
static int op_mprotect_exec(struct world *w)
{
	return aspace_mprotect(w->as, BASE + PAGES(300), PAGES(1), RW | PROT_EXEC);
}
static int op_mprotect_read(struct world *w)
{
	return aspace_mprotect(w->as, BASE + PAGES(10), PAGES(800), PROT_READ);
}
static int op_mremap_move(struct world *w)
{
	return as_error(aspace_mremap(w->as, BASE + PAGES(5), PAGES(850), PAGES(850),
				      MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 600 * MB + PAGES(3)));
}
static int op_mremap_tables(struct world *w)
{
	return as_error(aspace_mremap(w->as, BASE, PAGES(900), PAGES(2000), MREMAP_MAYMOVE, 0));
}
static int op_mremap_over(struct world *w)
{
	return as_error(aspace_mremap(w->as, BASE + PAGES(10), PAGES(60), PAGES(40),
				      MREMAP_MAYMOVE | MREMAP_FIXED, BASE + PAGES(400)));
}
static int op_mremap_shrink(struct world *w)
{
	return as_error(aspace_mremap(w->as, BASE + PAGES(10), PAGES(700), PAGES(3), 0, 0));
}
static int op_brk(struct world *w)
{
	uint64_t want = w->as->brk_start + PAGES(20);

	return aspace_brk(w->as, want) == want ? 0 : -ENOMEM;
}
static int op_dontneed(struct world *w)
{
	return aspace_madvise(w->as, BASE + PAGES(7), PAGES(700), MADV_DONTNEED);
}
static int op_dontfork(struct world *w)
{
	return aspace_madvise(w->as, BASE + PAGES(7), PAGES(70), MADV_DONTFORK);
}
static int op_write(struct world *w) { return access_result(w->as, BASE + PAGES(600), TRAP_WRITE); }
static int op_first_touch(struct world *w) { return access_result(w->as, BASE + PAGES(1105), TRAP_WRITE); }
static int op_file_write(struct world *w) { return access_result(w->as, BASE + PAGES(1030), TRAP_WRITE); }
static int op_grow_stack(struct world *w)
{
	return access_result(w->as, BASE + PAGES(NR_PAGES + 190), TRAP_WRITE);
}
static int op_fork(struct world *w)
{
	struct aspace *child;
	int err = aspace_fork(w->as, &child);

	if (err == 0)
		aspace_put(child);
	return err;
}
static int op_forced(struct world *w)
{
	/* A bad pointer and no memory look alike to the caller. */
	return copy_to_user_forced(w->as, uaddr(BASE + PAGES(960)), "\0", 1) == -EFAULT ? -ENOMEM : 0;
}
static int op_cache_fill(struct world *w)
{
	char byte;

	return as_error(filemap_read(&w->file->map, PAGES(35), &byte, 1));
}
static int op_truncate(struct world *w)
{
	/* Both address spaces lose pages, private ones too: all of them, or none. */
	int err = filemap_truncate(&w->file->map, 0);

	if (err == 0) {
		fail_alloc_arm(0, false);
		assert_int_equal(filemap_truncate(&w->file->map, PAGES(40)), 0);
		poke(w->child, BASE + PAGES(1001), 42); /* what the snapshot of the child has */
	}
	return err;
}

#define SWEEP(name)                                                                                          \
	static void sweep_##name(void **state) { sweep(op_##name); }
SWEEP(mmap)
SWEEP(mmap_over) SWEEP(munmap) SWEEP(munmap_hole) SWEEP(mprotect_none) SWEEP(mprotect_exec)
	SWEEP(mprotect_read) SWEEP(mremap_move) SWEEP(mremap_tables) SWEEP(mremap_over) SWEEP(mremap_shrink)
		SWEEP(brk) SWEEP(dontneed) SWEEP(dontfork) SWEEP(write) SWEEP(first_touch) SWEEP(file_write)
			SWEEP(grow_stack) SWEEP(fork) SWEEP(forced) SWEEP(cache_fill) SWEEP(truncate)

				static void sweep_create(void **state)
{
	uint64_t nr_used;

	mm_test_boot(64 * MB);
	nr_used = settled_use();
	for (unsigned n = 1;; n++) {
		struct aspace *as;
		int err;

		fail_alloc_arm(n, false);
		err = aspace_create(NULL, &as);
		fail_alloc_arm(0, false);
		if (err == 0) {
			assert_true(n > 2);
			aspace_put(as);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(settled_use(), nr_used);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sweep_create),	       cmocka_unit_test(sweep_mmap),
		cmocka_unit_test(sweep_mmap_over),     cmocka_unit_test(sweep_munmap),
		cmocka_unit_test(sweep_munmap_hole),   cmocka_unit_test(sweep_mprotect_none),
		cmocka_unit_test(sweep_mprotect_exec), cmocka_unit_test(sweep_mprotect_read),
		cmocka_unit_test(sweep_mremap_move),   cmocka_unit_test(sweep_mremap_tables),
		cmocka_unit_test(sweep_mremap_over),   cmocka_unit_test(sweep_mremap_shrink),
		cmocka_unit_test(sweep_brk),	       cmocka_unit_test(sweep_dontneed),
		cmocka_unit_test(sweep_dontfork),      cmocka_unit_test(sweep_write),
		cmocka_unit_test(sweep_first_touch),   cmocka_unit_test(sweep_grow_stack),
		cmocka_unit_test(sweep_fork),	       cmocka_unit_test(sweep_forced),
		cmocka_unit_test(sweep_file_write),    cmocka_unit_test(sweep_cache_fill),
		cmocka_unit_test(sweep_truncate),
	};
	int nr_failed = cmocka_run_group_tests(tests, NULL, NULL);

	printf("total: %llu failures injected\n", (unsigned long long)nr_failures_total);
	return nr_failed;
}
