/* The commit limit: what counts, in every operation, and what each mode refuses (proc(5), mmap(2)). */
#include "mm_test.h"

#include "mm/commit.h"
#include "sched/cred.h"

#define MEMORY (64 * MB)
#define LIMIT_PAGES 1000

static struct aspace *as;
static uint64_t base; /* committed before the test */

static int setup(void **state)
{
	mm_test_boot(MEMORY);
	commit_settings.mode = OVERCOMMIT_GUESS;
	commit_settings.ratio_percent = 50;
	commit_settings.limit_kib = commit_settings.admin_reserve_kib = commit_settings.user_reserve_kib = 0;
	base = commit_used_pages();
	as = new_aspace();
	as->brk_start = as->brk = BASE + 512 * MB;
	return 0;
}

/* However the test ended: nothing is promised any more. */
static int teardown(void **state)
{
	if (as != NULL)
		aspace_put(as);
	assert_int_equal(commit_used_pages(), base);
	return (int)mm_audit();
}

/* Mode 2, and room for LIMIT_PAGES in all. */
static void be_strict(void)
{
	commit_settings.mode = OVERCOMMIT_NEVER;
	commit_settings.limit_kib = (int64_t)(base + LIMIT_PAGES) * 4;
}

static void used(uint64_t nr_pages)
{
	assert_int_equal(commit_used_pages() - base, nr_pages);
	assert_int_equal(mm_audit(), 0);
}

/* ---- what counts ---------------------------------------------------------- */

static void mappings_that_count(void **state)
{
	struct test_file *t = test_file_create(&test_store_ops, PAGES(8), O_RDWR);

	map_anon(as, 0, PAGES(10), RW, MAP_PRIVATE);
	used(10);
	map_anon(as, 0, PAGES(10), PROT_READ, MAP_PRIVATE);
	map_anon(as, 0, PAGES(10), PROT_NONE, MAP_PRIVATE);
	map_anon(as, 0, PAGES(10), RW, MAP_PRIVATE | MAP_NORESERVE);
	used(10);
	map_anon(as, 0, PAGES(5), RW, MAP_SHARED);
	used(15);
	map_anon(as, 0, PAGES(6), PROT_READ, MAP_SHARED);
	used(21);
	map_file(as, &t->file, 0, PAGES(8), RW, MAP_PRIVATE, 0);
	used(29);
	map_file(as, &t->file, 0, PAGES(8), RW, MAP_SHARED, 0);
	map_file(as, &t->file, 0, PAGES(8), PROT_READ, MAP_PRIVATE, 0);
	used(29);
	aspace_put(as);
	as = NULL;
	used(0);
	test_file_destroy(t);
}

/* Without a reservation each page of a shared mapping counts when it comes; with one, all do and no more. */
static void shared_memory(void **state)
{
	uint64_t a = (uint64_t)map_anon(as, 0, PAGES(8), RW, MAP_SHARED | MAP_NORESERVE), b;

	used(0);
	poke_pages(as, a, 3, 1);
	used(3);
	b = (uint64_t)map_anon(as, 0, PAGES(8), RW, MAP_SHARED);
	poke_pages(as, b, 8, 1);
	used(11);
	assert_int_equal(aspace_madvise(as, a, PAGES(2), MADV_REMOVE), 0);
	assert_int_equal(aspace_madvise(as, b, PAGES(2), MADV_REMOVE), 0);
	used(9);
	assert_int_equal(aspace_munmap(as, a, PAGES(8)), 0);
	used(8);
}

static void parts_and_replacements(void **state)
{
	map_fixed(as, BASE, PAGES(100), RW);
	used(100);
	assert_int_equal(aspace_munmap(as, BASE + PAGES(10), PAGES(5)), 0);
	used(95);
	map_fixed(as, BASE + PAGES(50), PAGES(20), PROT_READ);
	used(75);
	map_fixed(as, BASE, PAGES(100), RW);
	used(100);
	assert_int_equal(aspace_munmap(as, BASE - PAGES(5), PAGES(200)), 0);
	used(0);
}

/* Writable once counts for ever, as on Linux; what counts already does not count twice. */
static void mprotect_counts(void **state)
{
	map_fixed(as, BASE, PAGES(100), PROT_READ);
	used(0);
	assert_int_equal(aspace_mprotect(as, BASE + PAGES(10), PAGES(20), RW), 0);
	used(20);
	assert_int_equal(aspace_mprotect(as, BASE + PAGES(10), PAGES(20), PROT_NONE), 0);
	used(20);
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(100), RW), 0);
	used(100);
	assert_int_equal(as->vmas.nr_vmas, 1);
}

static void mprotect_spares(void **state)
{
	uint64_t shared = (uint64_t)map_anon(as, 0, PAGES(4), PROT_READ, MAP_SHARED);
	uint64_t unreserved = (uint64_t)map_anon(as, 0, PAGES(4), PROT_READ, MAP_PRIVATE | MAP_NORESERVE);

	used(4);
	assert_int_equal(aspace_mprotect(as, shared, PAGES(4), RW), 0);
	assert_int_equal(aspace_mprotect(as, unreserved, PAGES(4), RW), 0);
	used(4);
}

static void mremap_counts(void **state)
{
	map_fixed(as, BASE, PAGES(10), RW);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(10), PAGES(30), 0, 0), BASE);
	used(30);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(30), PAGES(20), 0, 0), BASE);
	used(20);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(20), PAGES(40), MREMAP_MAYMOVE | MREMAP_FIXED, BASE + 32 * MB),
			 BASE + 32 * MB);
	used(40);
	assert_true(aspace_mremap(as, BASE + 32 * MB, PAGES(40), PAGES(40), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0) > 0);
	used(80);
	map_fixed(as, BASE, PAGES(15), RW);
	assert_int_equal(aspace_mremap(as, BASE + 32 * MB, PAGES(40), PAGES(10), MREMAP_MAYMOVE | MREMAP_FIXED, BASE),
			 BASE);
	used(80 - 40 + 10 + 5); /* 10 took the place of 10 of the 15 */
}

static void brk_and_stack(void **state)
{
	assert_int_equal(aspace_brk(as, as->brk_start + PAGES(7)), as->brk_start + PAGES(7));
	used(7);
	assert_int_equal(aspace_brk(as, as->brk_start + PAGES(2)), as->brk_start + PAGES(2));
	used(2);
	map_anon(as, BASE + PAGES(200), PAGES(4), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN);
	used(6);
	poke(as, BASE + PAGES(190), 1);
	used(16);
}

static void fork_counts(void **state)
{
	struct aspace *child;

	map_fixed(as, BASE, PAGES(100), RW);
	map_anon(as, 0, PAGES(50), RW, MAP_PRIVATE | MAP_NORESERVE);
	map_anon(as, 0, PAGES(30), RW, MAP_SHARED);
	used(130);
	child = fork_aspace(as);
	used(230);
	assert_int_equal(aspace_munmap(child, BASE, PAGES(40)), 0);
	used(190);
	aspace_put(child);
	used(130);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(60), MADV_DONTFORK), 0);
	child = fork_aspace(as);
	used(170);
	aspace_put(child);
	used(130);
}

/* ---- mode 0, mode 1 ------------------------------------------------------- */

static void mode_0_refuses_the_obvious(void **state)
{
	uint64_t nr = frame_nr_total();

	assert_int_equal(map_anon(as, 0, PAGES(nr + 1), RW, MAP_PRIVATE), -ENOMEM);
	assert_int_equal(map_anon(as, 0, PAGES(nr + 1), RW, MAP_SHARED), -ENOMEM);
	assert_true(map_anon(as, 0, PAGES(nr + 1), RW, MAP_PRIVATE | MAP_NORESERVE) > 0);
	used(0);
	map_fixed(as, BASE, PAGES(nr), RW);
	assert_true(map_anon(as, 0, PAGES(nr), RW, MAP_SHARED) > 0);
	used(2 * nr);
	aspace_put(fork_aspace(as));
	/* One mapping of more than all there is, put together: its fork is the obvious kind, too. */
	map_fixed(as, BASE + PAGES(nr), PAGES(1), RW);
	assert_int_equal(aspace_fork(as, &(struct aspace *){NULL}), -ENOMEM);
	used(2 * nr + 1);
	assert_int_equal(aspace_madvise(as, BASE, PAGES(1), MADV_DONTFORK), 0);
	aspace_put(fork_aspace(as));
}

static void mode_1_refuses_nothing(void **state)
{
	uint64_t nr = frame_nr_total();

	commit_settings.mode = OVERCOMMIT_ALWAYS;
	map_fixed(as, BASE, PAGES(3 * nr), RW);
	used(3 * nr);
	aspace_put(fork_aspace(as));
}

/* ---- mode 2 --------------------------------------------------------------- */

static void mode_2_limit(void **state)
{
	commit_settings.mode = OVERCOMMIT_NEVER;
	assert_int_equal(commit_limit_pages(), frame_nr_total() / 2);
	commit_settings.ratio_percent = 80;
	assert_int_equal(commit_limit_pages(), frame_nr_total() * 80 / 100);
	commit_settings.limit_kib = 4000;
	assert_int_equal(commit_limit_pages(), 1000);
	be_strict();
	/* As Linux compares: the limit itself cannot be reached. */
	assert_int_equal(map_anon(as, 0, PAGES(LIMIT_PAGES), RW, MAP_PRIVATE), -ENOMEM);
	assert_true(map_anon(as, 0, PAGES(LIMIT_PAGES - 1), RW, MAP_PRIVATE) > 0);
	used(LIMIT_PAGES - 1);
	assert_int_equal(map_anon(as, 0, PAGES(1), RW, MAP_PRIVATE), -ENOMEM);
	assert_true(map_anon(as, 0, PAGES(500), PROT_READ, MAP_PRIVATE) > 0);
}

static void mode_2_ignores_noreserve(void **state)
{
	uint64_t addr;

	be_strict();
	addr = (uint64_t)map_anon(as, 0, PAGES(100), RW, MAP_PRIVATE | MAP_NORESERVE);
	used(100);
	assert_int_equal(vma_find(&as->vmas, addr)->flags & VMA_NORESERVE, 0);
	map_anon(as, 0, PAGES(100), RW, MAP_SHARED | MAP_NORESERVE);
	used(200);
}

static void mode_2_refuses_in_every_operation(void **state)
{
	uint64_t brk = as->brk_start;

	be_strict();
	map_fixed(as, BASE, PAGES(LIMIT_PAGES - 11), RW);
	map_fixed(as, BASE + PAGES(2000), PAGES(50), PROT_READ);
	map_anon(as, BASE + PAGES(3000), PAGES(1), RW, MAP_PRIVATE | MAP_FIXED | MAP_GROWSDOWN);
	used(LIMIT_PAGES - 10);
	assert_int_equal(map_anon(as, 0, PAGES(11), RW, MAP_SHARED), -ENOMEM);
	assert_int_equal(aspace_mprotect(as, BASE + PAGES(2000), PAGES(50), RW), -ENOMEM);
	assert_int_equal(aspace_mremap(as, BASE, PAGES(10), PAGES(40), MREMAP_MAYMOVE, 0), -ENOMEM);
	assert_int_equal(aspace_brk(as, brk + PAGES(11)), brk);
	assert_int_equal(access_result(as, BASE + PAGES(2980), TRAP_WRITE), -EFAULT); /* as Linux: SIGSEGV */
	assert_int_equal(aspace_fork(as, &(struct aspace *){NULL}), -ENOMEM);
	used(LIMIT_PAGES - 10);
	assert_int_equal(as->vmas.nr_vmas, 3);
	/* What there is room for works; in the place of something else even more. */
	assert_int_equal(aspace_mprotect(as, BASE + PAGES(2000), PAGES(9), RW), 0);
	assert_int_equal(map_anon(as, BASE, PAGES(LIMIT_PAGES - 11), RW, MAP_PRIVATE | MAP_FIXED), BASE);
	used(LIMIT_PAGES - 1);
}

static void mode_2_and_memory_files(void **state)
{
	struct test_file *t = test_file_create(&test_memory_ops, PAGES(LIMIT_PAGES), O_RDWR);
	uint64_t addr = (uint64_t)map_file(as, &t->file, 0, PAGES(LIMIT_PAGES), RW, MAP_SHARED, 0);

	used(0);
	be_strict();
	map_fixed(as, BASE, PAGES(LIMIT_PAGES - 3), RW);
	assert_int_equal(filemap_write(&t->map, 0, "x", 1), 1);
	assert_int_equal(access_result(as, addr + PAGES(1), TRAP_WRITE), 0);
	used(LIMIT_PAGES - 1);
	assert_int_equal(filemap_write(&t->map, PAGES(2), "x", 1), -ENOSPC);
	assert_int_equal(access_result(as, addr + PAGES(2), TRAP_WRITE), -EIO); /* as Linux: SIGBUS */
	assert_int_equal(filemap_truncate(&t->map, PAGES(1)), 0);
	used(LIMIT_PAGES - 2);
	aspace_put(as);
	as = NULL;
	test_file_destroy(t);
}

static void mode_2_reserves(void **state)
{
	struct cred *cred = &current_task()->cred;

	be_strict();
	commit_settings.admin_reserve_kib = 400;
	assert_int_equal(map_anon(as, 0, PAGES(LIMIT_PAGES - 100), RW, MAP_PRIVATE), -ENOMEM);
	cred->cap_effective = UINT64_C(1) << CAP_SYS_ADMIN;
	map_fixed(as, BASE, PAGES(LIMIT_PAGES - 40), RW);
	/* A process leaves a 32nd of its size, at most this much, for others to recover with. */
	commit_settings.user_reserve_kib = 80;
	assert_int_equal(map_anon(as, 0, PAGES(20), RW, MAP_PRIVATE), -ENOMEM);
	assert_true(map_anon(as, 0, PAGES(19), RW, MAP_PRIVATE) > 0);
	cred->cap_effective = 0;
	used(LIMIT_PAGES - 21);
}

/* A fork asks for its parent's whole size at once, and gets it once there is room. */
static void mode_2_fork(void **state)
{
	struct aspace *child;

	be_strict();
	map_fixed(as, BASE, PAGES(400), RW);
	child = fork_aspace(as);
	used(800);
	assert_int_equal(aspace_fork(child, &(struct aspace *){NULL}), -ENOMEM);
	used(800);
	assert_int_equal(aspace_munmap(as, BASE, PAGES(300)), 0);
	aspace_put(fork_aspace(child));
	aspace_put(child);
	used(100);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(mappings_that_count),
		TEST(shared_memory),
		TEST(parts_and_replacements),
		TEST(mprotect_counts),
		TEST(mprotect_spares),
		TEST(mremap_counts),
		TEST(brk_and_stack),
		TEST(fork_counts),
		TEST(mode_0_refuses_the_obvious),
		TEST(mode_1_refuses_nothing),
		TEST(mode_2_limit),
		TEST(mode_2_ignores_noreserve),
		TEST(mode_2_refuses_in_every_operation),
		TEST(mode_2_and_memory_files),
		TEST(mode_2_reserves),
		TEST(mode_2_fork),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
