/* The sweep over address spaces: mmap and its family, brk, faults at every level, page cache. */
#include "oom.h"

#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static int64_t data_fd;
static void open_data(void)
{
	data_fd = MUST(openat, (uint64_t)AT_FDCWD, S(0, "/tmp/data"), O_RDWR);
}
/* The world goes, and with it the mappings; the descriptor is process 1's. */
static void close_data_and_unmap(int64_t addr)
{
	MUST(munmap, (uint64_t)addr, PAGES(20));
}

/* ---- mmap and its family -------------------------------------------------- */

static int64_t run_mmap(void) { return CALL(mmap, 0, PAGES(10), RW, ANON); }
static int64_t run_mmap_populate(void)
{
	int64_t addr = CALL(mmap, 0, PAGES(10), RW, ANON | MAP_POPULATE);

	return addr;
}
static void undo_mmap(int64_t addr) { MUST(munmap, (uint64_t)addr, PAGES(10)); }
static int64_t run_mmap_shared(void) { return CALL(mmap, 0, PAGES(10), RW, MAP_SHARED | MAP_ANONYMOUS); }
static int64_t run_mmap_noreserve(void)
{
	return CALL(mmap, 0, PAGES(10), RW, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE);
}
static int64_t run_mmap_file(void) { return CALL(mmap, 0, PAGES(20), RW, MAP_PRIVATE, (uint64_t)data_fd, 0); }
static int64_t run_mmap_file_shared(void)
{
	return CALL(mmap, 0, PAGES(20), RW, MAP_SHARED, (uint64_t)data_fd, PAGES(3));
}
static int64_t run_mmap_over(void) { return CALL(mmap, P(100), PAGES(700), RW, ANON | MAP_FIXED); }
static int64_t run_munmap(void) { return CALL(munmap, P(10), PAGES(880)); }
static int64_t run_munmap_hole(void) { return CALL(munmap, P(300), PAGES(1)); }
static int64_t run_munmap_file(void) { return CALL(munmap, P(1001), PAGES(54)); }
static int64_t run_mprotect_none(void) { return CALL(mprotect, P(10), PAGES(800), PROT_NONE); }
static int64_t run_mprotect_exec(void) { return CALL(mprotect, P(300), PAGES(1), RW | PROT_EXEC); }
static int64_t run_mprotect_read(void) { return CALL(mprotect, P(10), PAGES(800), PROT_READ); }
static int64_t run_mprotect_write(void) { return CALL(mprotect, P(955), PAGES(20), RW); }
static int64_t run_mremap_grow(void) { return CALL(mremap, P(1100), PAGES(10), PAGES(15), 0); }
static void undo_mremap_grow(int64_t addr) { MUST(munmap, (uint64_t)addr + PAGES(10), PAGES(5)); }
static int64_t run_mremap_move(void)
{
	return CALL(mremap, P(5), PAGES(850), PAGES(850), MREMAP_MAYMOVE | MREMAP_FIXED, P(200003));
}
static int64_t run_mremap_tables(void) { return CALL(mremap, P(0), PAGES(900), PAGES(2000), MREMAP_MAYMOVE); }
static int64_t run_mremap_over(void)
{
	return CALL(mremap, P(10), PAGES(60), PAGES(40), MREMAP_MAYMOVE | MREMAP_FIXED, P(400));
}
static int64_t run_mremap_shrink(void) { return CALL(mremap, P(10), PAGES(700), PAGES(3), 0); }
static int64_t run_mremap_dontunmap(void)
{
	return CALL(mremap, P(5), PAGES(850), PAGES(850), MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0);
}
static int64_t run_mremap_twice(void) { return CALL(mremap, P(1060), 0, PAGES(8), MREMAP_MAYMOVE); }
/* brk(2) has no errno: the break stays. */
static int64_t run_brk(void)
{
	uint64_t want = OOM_BRK + PAGES(20);

	return CALL(brk, want) == (int64_t)want ? 0 : -ENOMEM;
}
static void undo_brk(int64_t result)
{
	(void)result;
	assert_int_equal(CALL(brk, OOM_BRK), OOM_BRK);
}
static void prepare_brk(void) { assert_int_equal(CALL(brk, OOM_BRK + PAGES(4)), OOM_BRK + PAGES(4)); }
static int64_t run_brk_shrink(void) { return CALL(brk, OOM_BRK) == (int64_t)OOM_BRK ? 0 : -ENOMEM; }

static int64_t run_dontneed(void) { return CALL(madvise, P(7), PAGES(700), MADV_DONTNEED); }
static int64_t run_dontfork(void) { return CALL(madvise, P(7), PAGES(70), MADV_DONTFORK); }
static int64_t run_wipeonfork(void) { return CALL(madvise, P(7), PAGES(70), MADV_WIPEONFORK); }
static int64_t run_remove(void) { return CALL(madvise, P(1060), PAGES(4), MADV_REMOVE); }
static int64_t run_populate(void) { return CALL(madvise, P(1100), PAGES(10), MADV_POPULATE_WRITE); }
static int64_t run_mlock(void) { return CALL(mlock, P(1100), PAGES(10)); }

/* ---- faults --------------------------------------------------------------- */

static int64_t write_page(uint64_t addr) { return oom_touch(addr, TRAP_WRITE); }
static int64_t read_page(uint64_t addr) { return oom_touch(addr, TRAP_READ); }

/* Every table on the way is shared with the peer. */
static int64_t run_write_shared_path(void) { return write_page(P(600)); }
/* The leaf table is private already, the page is shared. */
static void own_table(void) { assert_int_equal(write_page(P(601)), 0); }
static int64_t run_write_shared_page(void) { return write_page(P(600)); }
/* No table on the way exists: one for each level below the root. */
static void map_far(void)
{
	const uint64_t far = UINT64_C(0x600000000000);

	MUST(mmap, far, PAGES(1), RW, ANON | MAP_FIXED);
}
static int64_t run_write_new_path(void) { return write_page(UINT64_C(0x600000000000)); }
static int64_t run_write_new_page(void) { return write_page(P(1105)); }
static int64_t run_read_new_page(void) { return read_page(P(1105)); }
static int64_t run_read_then_write(void) { return write_page(P(953)) == -EACCES ? read_page(P(985)) : -EFAULT; }
static int64_t run_file_read(void) { return read_page(P(1020)); }
static int64_t run_file_write(void) { return write_page(P(1030)); }
static int64_t run_file_write_again(void) { return write_page(P(1001)); }
static int64_t run_shared_file(void) { return write_page(P(1055)); }
static int64_t run_shared_new_page(void) { return write_page(P(1065)); }
static int64_t run_stack_growth(void) { return write_page(P(1390)); }

/* A bad pointer and no memory look alike to the caller of a system call. */
static int64_t run_copy_out(void) { return copy_to_user(uaddr(P(602)), "x", 1); }
static int64_t run_copy_in(void)
{
	char c;

	return copy_from_user(&c, uaddr(P(1106)), 1);
}

static const struct oom_op memory_ops[] = {
	{"mmap", run_mmap, NULL, undo_mmap, OOM_MEMORY},
	{"mmap populate", run_mmap_populate, NULL, undo_mmap, OOM_MEMORY},
	{"mmap shared", run_mmap_shared, NULL, undo_mmap, OOM_MEMORY},
	{"mmap shared noreserve", run_mmap_noreserve, NULL, undo_mmap, OOM_MEMORY},
	{"mmap file private", run_mmap_file, open_data, close_data_and_unmap, OOM_MEMORY},
	{"mmap file shared", run_mmap_file_shared, open_data, close_data_and_unmap, OOM_MEMORY},
	{"mmap over", run_mmap_over, NULL, NULL, OOM_MEMORY},
	{"munmap", run_munmap, NULL, NULL, OOM_MEMORY},
	{"munmap hole", run_munmap_hole, NULL, NULL, OOM_MEMORY},
	{"munmap files", run_munmap_file, NULL, NULL, OOM_MEMORY},
	{"mprotect none", run_mprotect_none, NULL, NULL, OOM_MEMORY},
	{"mprotect exec", run_mprotect_exec, NULL, NULL, OOM_MEMORY},
	{"mprotect read", run_mprotect_read, NULL, NULL, OOM_MEMORY},
	{"mprotect write", run_mprotect_write, NULL, NULL, OOM_MEMORY},
	{"mremap grow", run_mremap_grow, NULL, undo_mremap_grow, OOM_MEMORY},
	{"mremap move", run_mremap_move, NULL, NULL, OOM_MEMORY},
	{"mremap tables", run_mremap_tables, NULL, NULL, OOM_MEMORY},
	{"mremap over", run_mremap_over, NULL, NULL, OOM_MEMORY},
	{"mremap shrink", run_mremap_shrink, NULL, NULL, OOM_MEMORY},
	{"mremap dontunmap", run_mremap_dontunmap, NULL, NULL, OOM_MEMORY},
	{"mremap twice", run_mremap_twice, NULL, NULL, OOM_MEMORY},
	{"brk", run_brk, NULL, undo_brk, OOM_MEMORY},
	{"brk shrink", run_brk_shrink, prepare_brk, NULL, OOM_MEMORY},
	{"madvise dontneed", run_dontneed, NULL, NULL, OOM_MEMORY},
	{"madvise dontfork", run_dontfork, NULL, NULL, OOM_MEMORY},
	{"madvise wipeonfork", run_wipeonfork, NULL, NULL, OOM_MEMORY},
	{"madvise remove", run_remove, NULL, NULL, OOM_MEMORY},
	{"madvise populate", run_populate, NULL, NULL, OOM_MEMORY | OOM_TOUCHES | OOM_EFAULT},
	{"mlock", run_mlock, NULL, NULL, OOM_MEMORY | OOM_TOUCHES},
	{"write, shared path", run_write_shared_path, NULL, NULL, OOM_MEMORY},
	{"write, shared page", run_write_shared_page, own_table, NULL, OOM_MEMORY},
	{"write, new path", run_write_new_path, map_far, NULL, OOM_MEMORY},
	{"write, new page", run_write_new_page, NULL, NULL, OOM_MEMORY},
	{"read, new page", run_read_new_page, NULL, NULL, OOM_MEMORY},
	{"read, read-only page", run_read_then_write, NULL, NULL, OOM_MEMORY},
	{"read, file", run_file_read, NULL, NULL, OOM_MEMORY},
	{"write, file", run_file_write, NULL, NULL, OOM_MEMORY},
	{"write, file again", run_file_write_again, NULL, NULL, OOM_MEMORY},
	{"write, shared file", run_shared_file, NULL, NULL, OOM_MEMORY},
	{"write, shared memory", run_shared_new_page, NULL, NULL, OOM_MEMORY | OOM_FILLS},
	{"write, stack growth", run_stack_growth, NULL, NULL, OOM_MEMORY},
	{"copy to a user", run_copy_out, NULL, NULL, OOM_MEMORY | OOM_EFAULT},
	{"copy from a user", run_copy_in, NULL, NULL, OOM_MEMORY | OOM_EFAULT},
};
OOM_SUITE(memory);
