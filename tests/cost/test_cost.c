/*
 * What fork, the first and the second write after it, exit and exec cost: exact counts of
 * frames, table copies, page copies, entry writes, flushes, faults, by the size of the process
 * and by its number of VMAs. Prints the table that docs/PERFORMANCE.md shows.
 */
#include "hostarch/tools.h"
#include "sparse.h"

#define GB ((uint64_t)1 << 30)

static const uint64_t sizes[] = {MB, 64 * MB, GB, 16 * GB};
static const char *const size_names[] = {"1 MiB", "64 MiB", "1 GiB", "16 GiB"};
static const char *const mode_names[] = {[FORK_EAGER] = "eager", [FORK_COW] = "cow", [FORK_SHARE] = "share"};
static const struct pt_ops *const codecs[] = {&pt_ops_x86_64, &pt_ops_aarch64};

/* ---- counting ------------------------------------------------------------- */

struct cost {
	int64_t frames; /* taken; negative: given back */
	uint64_t allocs, table_copies, page_copies, entry_writes, drops, flushes, faults, takeovers;
};

static uint64_t frames_before;

static void cost_begin(void)
{
	memset(&pt_stats, 0, sizeof(pt_stats));
	memset(&aspace_stats, 0, sizeof(aspace_stats));
	fake.nr_flush_range = fake.nr_flush_all = 0;
	frames_before = frames_free();
	fail_alloc_arm(0, false);
}

static struct cost cost_end(void)
{
	return (struct cost){
		.frames = (int64_t)(frames_before - frames_free()),
		.allocs = fail_alloc_count(),
		.table_copies = pt_stats.nr_table_copies,
		.page_copies = pt_stats.nr_page_copies,
		.entry_writes = pt_stats.nr_entry_writes,
		.drops = pt_stats.nr_drops,
		.flushes = fake.nr_flush_range + fake.nr_flush_all,
		.faults = aspace_stats.nr_faults,
		.takeovers = pt_stats.nr_takeovers,
	};
}

#define COST(statement) (cost_begin(), (statement), cost_end())

static void print_head(void)
{
	printf("\n%-6s %-10s %-14s %8s %8s %8s %9s %9s %8s %7s\n", "mode", "process", "", "frames", "tables",
	       "pages", "entries", "dropped", "flushes", "faults");
}

static void print_cost(enum fork_mode mode, const char *process, const char *what, const struct cost *c)
{
	printf("%-6s %-10s %-14s %8lld %8llu %8llu %9llu %9llu %8llu %7llu\n", mode_names[mode], process, what,
	       (long long)c->frames, (unsigned long long)c->table_copies, (unsigned long long)c->page_copies,
	       (unsigned long long)c->entry_writes, (unsigned long long)c->drops, (unsigned long long)c->flushes,
	       (unsigned long long)c->faults);
}

/* A write as the user makes it, but for the byte: pages keep their undefined content. */
static void touch(struct aspace *as, uint64_t addr) { assert_int_equal(access_result(as, addr, TRAP_WRITE), 0); }

static void setup(const struct pt_ops *ops, enum fork_mode mode)
{
	mm_test_boot((size_t)(40 * GB));
	aspace_set_pt_ops(ops);
	aspace_set_fork_mode(mode);
}

/* Kernel objects of the next fork are in the caches. */
static void warm_up(struct aspace *parent)
{
	struct aspace *child = fork_aspace(parent);

	touch(child, BASE);
	aspace_put(child);
	touch(parent, BASE);
}

/* Large processes stay: giving their pages back would write to each of them. */
static void put_unless_large(struct aspace *as, uint64_t bytes)
{
	if (bytes <= 64 * MB)
		aspace_put(as);
}

/* What exec asks for: a new address space with text, data and a stack, both of these written to; the old one goes. */
static struct aspace *exec_aspace(struct aspace *old)
{
	struct aspace *as = new_aspace();

	map_fixed(as, PROCESS_TEXT, PAGES(64), PROT_READ | PROT_EXEC);
	map_fixed(as, PROCESS_DATA, PAGES(16), RW);
	map_fixed(as, sparse_stack(as), PAGES(8), RW);
	touch(as, PROCESS_DATA);
	touch(as, sparse_stack(as));
	aspace_put(old);
	return as;
}

/* ---- by size ---------------------------------------------------------------- */

enum op { OP_FORK, OP_FIRST_WRITE, OP_SECOND_WRITE, OP_CHILD_WRITE, OP_EXIT_WRITTEN, OP_EXIT, OP_EXEC, NR_OPS };

static const char *const op_names[] = {"fork",		"first write",	"second write", "child's write",
				       "exit, written", "exit, idle", "exec"};

/* The costs of one life. The parent writes first; exit and exec are those of children that wrote nothing. */
static void measure(struct aspace *parent, struct cost cost[NR_OPS])
{
	struct aspace *child, *program;

	warm_up(parent);
	cost[OP_FORK] = COST(child = fork_aspace(parent));
	cost[OP_FIRST_WRITE] = COST(touch(parent, BASE + PAGES(37)));
	cost[OP_SECOND_WRITE] = COST(touch(parent, BASE + PAGES(38)));
	cost[OP_CHILD_WRITE] = COST(touch(child, BASE + PAGES(37)));
	cost[OP_EXIT_WRITTEN] = COST(aspace_put(child));
	child = fork_aspace(parent);
	cost[OP_EXIT] = COST(aspace_put(child));
	child = fork_aspace(parent);
	cost[OP_EXEC] = COST(program = exec_aspace(child));
	aspace_put(program);
}

/* Tables of a process of so many bytes: those above BASE, text and data, and the stack's. */
static uint64_t nr_tables(const struct pt_ops *ops, uint64_t bytes)
{
	uint64_t nr = 1, leaf = pt_slot_bytes(ops, 2);

	for (unsigned level = 2; level <= ops->nr_levels; level++) {
		uint64_t span = pt_slot_bytes(ops, level);

		nr += (bytes + span - 1) / span + 1; /* the stack */
		nr += (BASE / span != PROCESS_TEXT / span) + (level == 2 && PROCESS_DATA / leaf != PROCESS_TEXT / leaf);
	}
	return nr;
}

/* Flushes of one write: what it replaced, and each of them before if the format wants that. */
static unsigned write_flushes(const struct pt_ops *ops, unsigned nr_replaced)
{
	return 1 + (ops == &pt_ops_aarch64 ? nr_replaced : 0);
}

static void check_share(const struct pt_ops *ops, const struct cost cost[NR_OPS])
{
	const unsigned nr_stack_tables = ops->nr_levels - 1;

	/* The root and the small tables of the stack are copied, the rest is one slot. */
	assert_int_equal(cost[OP_FORK].table_copies, nr_stack_tables);
	assert_int_equal(cost[OP_FORK].frames, 1 + nr_stack_tables);
	assert_int_equal(cost[OP_FORK].page_copies, 0);
	assert_int_equal(cost[OP_FORK].entry_writes, 1 + 8);
	assert_true(cost[OP_FORK].flushes <= 3);
	assert_int_equal(cost[OP_FIRST_WRITE].table_copies, ops->nr_levels - 1);
	assert_true(cost[OP_FIRST_WRITE].table_copies <= 3);
	assert_int_equal(cost[OP_FIRST_WRITE].page_copies, 1);
	assert_true(cost[OP_FIRST_WRITE].entry_writes <= (ops->nr_levels - 1) << ops->index_bits);
	assert_int_equal(cost[OP_FIRST_WRITE].frames, ops->nr_levels);
	assert_int_equal(cost[OP_FIRST_WRITE].faults, 1);
	assert_int_equal(cost[OP_FIRST_WRITE].flushes, write_flushes(ops, ops->nr_levels));
	assert_int_equal(cost[OP_SECOND_WRITE].table_copies, 0);
	/* The child takes over what the parent left. */
	assert_int_equal(cost[OP_CHILD_WRITE].frames, 0);
	assert_int_equal(cost[OP_CHILD_WRITE].takeovers, ops->nr_levels);
	/* Root, the shared slot, the stack's tables and pages. */
	assert_int_equal(cost[OP_EXIT].drops, 1 + 1 + nr_stack_tables + 8);
	assert_int_equal(cost[OP_EXIT].frames, -(int64_t)(1 + nr_stack_tables));
}

static void check_cow(const struct pt_ops *ops, uint64_t bytes, const struct cost cost[NR_OPS])
{
	uint64_t pages = (bytes >> PAGE_SHIFT) + PROCESS_SMALL_PAGES, tables = nr_tables(ops, bytes);

	assert_int_equal(cost[OP_FORK].frames, tables);
	assert_int_equal(cost[OP_FORK].table_copies, tables - 1);
	assert_int_equal(cost[OP_FORK].page_copies, 0);
	assert_int_equal(cost[OP_FORK].entry_writes, pages);
	assert_int_equal(cost[OP_FIRST_WRITE].table_copies, 0);
	assert_int_equal(cost[OP_FIRST_WRITE].frames, 1);
	assert_int_equal(cost[OP_FIRST_WRITE].flushes, write_flushes(ops, 1));
	assert_int_equal(cost[OP_EXIT].drops, pages + tables);
	assert_int_equal(cost[OP_EXIT].frames, -(int64_t)tables);
}

static void check_eager(const struct pt_ops *ops, uint64_t bytes, const struct cost cost[NR_OPS])
{
	uint64_t pages = (bytes >> PAGE_SHIFT) + PROCESS_SMALL_PAGES, tables = nr_tables(ops, bytes);

	assert_int_equal(cost[OP_FORK].frames, tables + pages);
	assert_int_equal(cost[OP_FORK].page_copies, pages);
	assert_int_equal(cost[OP_FORK].entry_writes, pages);
	assert_int_equal(cost[OP_FORK].flushes, 0);
	for (unsigned op = OP_FIRST_WRITE; op <= OP_CHILD_WRITE; op++)
		assert_int_equal(cost[op].faults, 0);
	assert_int_equal(cost[OP_EXIT].frames, -(int64_t)(tables + pages));
}

/* A count of the large process is within 1.5 times the small one's. */
static void assert_flat(const struct cost *small, const struct cost *large)
{
	assert_true(llabs(large->frames) * 2 <= llabs(small->frames) * 3);
	assert_true(large->allocs * 2 <= small->allocs * 3);
	assert_true(large->table_copies * 2 <= small->table_copies * 3);
	assert_true(large->page_copies * 2 <= small->page_copies * 3);
	assert_true(large->entry_writes * 2 <= small->entry_writes * 3);
	assert_true(large->drops * 2 <= small->drops * 3);
	assert_true(large->flushes * 2 <= small->flushes * 3);
	assert_true(large->faults * 2 <= small->faults * 3);
}

static void check_process(struct aspace *parent, unsigned size, enum fork_mode mode, struct cost cost[NR_OPS])
{
	const struct pt_ops *ops = parent->pt.ops;

	aspace_set_fork_mode(mode);
	measure(parent, cost);
	for (unsigned op = 0; op < NR_OPS && ops == codecs[0]; op++)
		print_cost(mode, size_names[size], op_names[op], &cost[op]);
	if (mode == FORK_EAGER) {
		check_eager(ops, sizes[size], cost);
		return;
	}
	if (mode == FORK_SHARE)
		check_share(ops, cost);
	else
		check_cow(ops, sizes[size], cost);
	assert_int_equal(cost[OP_SECOND_WRITE].page_copies, 1);
	assert_int_equal(cost[OP_SECOND_WRITE].frames, 1);
}

/*
 * A machine that wants hot pages copied pays for them and for the slots beside their path, no
 * more: 512 a level at any size.
 */
static void check_hot(struct aspace *parent)
{
	struct cost cost;
	struct aspace *child;

	aspace_set_fork_mode(FORK_SHARE);
	fake.fork_hot_pages = 256;
	touch(parent, BASE);
	aspace_put(fork_aspace(parent));
	touch(parent, BASE);
	cost = COST(child = fork_aspace(parent));
	assert_in_range(cost.page_copies, 1, 256);
	assert_true(cost.table_copies <= 16 * (parent->pt.ops->nr_levels - 1));
	assert_true(cost.entry_writes <= parent->pt.ops->nr_levels << parent->pt.ops->index_bits);
	aspace_put(child);
	fake.fork_hot_pages = 0;
}

static void counts_by_size(void **state)
{
	static struct cost share[ARRAY_SIZE(sizes)][NR_OPS], other[NR_OPS];

	print_head();
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(sizes); i++) {
		const unsigned size = i % ARRAY_SIZE(sizes);
		struct aspace *parent;

		if (LEVITATE_ASAN && sizes[size] > 64 * MB)
			continue;
		setup(codecs[i / ARRAY_SIZE(sizes)], FORK_SHARE);
		parent = sparse_process(sizes[size]);
		/* A copy of 16 GiB wants 16 GiB; one of 1 GiB is made once. */
		if (sizes[size] < GB || (sizes[size] == GB && i < ARRAY_SIZE(sizes)))
			check_process(parent, size, FORK_EAGER, other);
		check_process(parent, size, FORK_SHARE, share[size]);
		assert_flat(&share[0][OP_FORK], &share[size][OP_FORK]);
		assert_flat(&share[0][OP_EXIT], &share[size][OP_EXIT]);
		assert_flat(&share[0][OP_EXEC], &share[size][OP_EXEC]);
		check_hot(parent);
		check_process(parent, size, FORK_COW, other);
		put_unless_large(parent, sizes[size]);
	}
}

/* ---- after the child has gone -------------------------------------------------- */

static void rewriting_does_not_fault_again(void **state)
{
	const uint64_t bytes = LEVITATE_ASAN ? 64 * MB : GB, pages = bytes >> PAGE_SHIFT;

	print_head();
	for (unsigned c = 0; c < ARRAY_SIZE(codecs); c++) {
		for (enum fork_mode mode = FORK_COW; mode <= FORK_SHARE; mode++) {
			struct aspace *parent;
			struct cost cost;

			setup(codecs[c], mode);
			parent = sparse_process(bytes);
			aspace_put(fork_aspace(parent));
			cost_begin();
			for (uint64_t i = 0; i < pages; i++)
				touch(parent, BASE + PAGES(i));
			cost = cost_end();
			print_cost(mode, "1 GiB", "rewrite", &cost);
			assert_int_equal(cost.frames, 0);
			assert_int_equal(cost.page_copies + cost.table_copies, 0);
			/* share: one slot lost its write permission, and gets it back. */
			assert_int_equal(cost.faults, mode == FORK_COW ? pages : 1);
			put_unless_large(parent, bytes);
		}
	}
}

/* ---- by number of VMAs ----------------------------------------------------------- */

static void check_vmas(const struct pt_ops *ops, enum fork_mode mode, bool prints)
{
	static const unsigned counts[] = {1, 10, 100, 1000, 10000};
	struct cost first = {0};

	for (unsigned i = 0; i < ARRAY_SIZE(counts); i++) {
		struct aspace *parent, *child;
		uint32_t nr_nodes;
		struct cost cost;
		char name[16];

		setup(ops, mode);
		parent = sparse_process(0);
		map_fixed(parent, BASE, PAGES(counts[i]), RW);
		for (unsigned k = 1; k < counts[i]; k += 2)
			assert_int_equal(aspace_mprotect(parent, BASE + PAGES(k), PAGE_SIZE, PROT_READ), 0);
		assert_int_equal(parent->vmas.nr_vmas, counts[i] + 3);
		warm_up(parent);
		nr_nodes = vma_nr_nodes();
		cost = COST(child = fork_aspace(parent));
		assert_int_equal(vma_nr_nodes(), nr_nodes);
		assert_int_equal(child->vmas.nr_vmas, parent->vmas.nr_vmas);
		snprintf(name, sizeof(name), "%u VMA%s", counts[i], counts[i] == 1 ? "" : "s");
		if (prints)
			print_cost(mode, name, "fork", &cost);
		if (i == 0)
			first = cost;
		assert_int_equal(cost.allocs, first.allocs);
		assert_int_equal(cost.frames, first.frames);
		assert_int_equal(cost.entry_writes, first.entry_writes);
		assert_true(cost.flushes <= first.flushes + 1);
		/* The first change copies the nodes above it, and no more. */
		assert_int_equal(aspace_munmap(child, BASE + PAGES(counts[i] / 2), PAGE_SIZE), 0);
		assert_true(vma_nr_nodes() - nr_nodes <= 10);
		aspace_put(child);
		assert_int_equal(vma_nr_nodes(), nr_nodes);
		aspace_put(parent);
	}
}

static void vmas_cost_fork_nothing(void **state)
{
	print_head();
	for (unsigned m = 0; m < ARRAY_SIZE(all_modes); m++)
		for (unsigned c = 0; c < ARRAY_SIZE(codecs); c++)
			check_vmas(codecs[c], all_modes[m], c == 0);
}

/* ---- metadata ---------------------------------------------------------------------- */

static void metadata_is_8_bytes_a_frame(void **state)
{
	struct frame_stats s;

	setup(&pt_ops_x86_64, FORK_SHARE);
	frame_get_stats(&s);
	assert_int_equal(sizeof(struct frame), 8);
	/* The rest is the rounding to whole chunks. Debug builds keep back traces besides. */
	assert_true(LEVITATE_ASAN ||
		    s.nr_kind[FRAME_RESERVED] * PAGE_SIZE <=
			    (s.nr_total + s.nr_kind[FRAME_RESERVED] + (2u << FRAME_ORDER_MAX)) * 8 + PAGE_SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(metadata_is_8_bytes_a_frame),	   cmocka_unit_test(vmas_cost_fork_nothing),
		cmocka_unit_test(counts_by_size),		   cmocka_unit_test(rewriting_does_not_fault_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
