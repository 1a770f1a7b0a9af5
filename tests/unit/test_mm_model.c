/*
 * Random operations on a family of address spaces against a byte-level
 * reference model; mm_audit() after every step. One test for each codec and
 * strategy. LEVITATE_TEST_SEED repeats a run, LEVITATE_TEST_STEPS makes it longer.
 *
 * The model keeps one value a page: a private page has its own, a shared one
 * the file's. Reads and writes go through the page table as a machine's would,
 * with a fake TLB in between that only flushes empty: a forgotten flush is seen.
 */
#include "mm_test.h"

#define WINDOW_PAGES 1600 /* of addresses the operations act on */
#define SPACES_MAX 6
#define FILE_PAGES 64

enum kind { NONE, ANON, SHARED, FILE_PRIVATE };

struct model_page {
	uint8_t kind, prot, value;
	uint16_t index; /* in the file */
};

struct model_space {
	struct aspace *as;
	struct model_page page[WINDOW_PAGES];
	/* The fake TLB: frame and rights cached for each page; rights 0: nothing. */
	struct {
		pfn_t pfn;
		uint8_t prot;
	} tlb[WINDOW_PAGES];
};

static struct model_space *spaces[SPACES_MAX];
static uint8_t shared_bytes[FILE_PAGES];
static struct test_file *memory_file, *disk_file;
static struct fake_random rnd;
static uint64_t base;

static uint64_t below(uint64_t n) { return fake_random_below(&rnd, n); }

static uint64_t page_va(unsigned page) { return base + PAGES(page); }

static struct model_space *space_of(struct aspace *as)
{
	for (unsigned i = 0; i < SPACES_MAX; i++)
		if (spaces[i] != NULL && spaces[i]->as == as)
			return spaces[i];
	return NULL;
}

static void on_flush(struct aspace *as, uint64_t start, uint64_t end)
{
	struct model_space *m = space_of(as);

	for (unsigned i = 0; m != NULL && i < WINDOW_PAGES; i++)
		if (page_va(i) >= start && page_va(i) < end)
			m->tlb[i].prot = 0;
}

/* Most accesses go to few pages, so that the spaces of a family meet on them. */
static unsigned random_page(void)
{
	return below(4) == 0 ? (unsigned)below(WINDOW_PAGES) : (unsigned)(below(24) * 67 % WINDOW_PAGES);
}

/* No cached translation may say more than the tables do: else someone forgot to flush. */
static void check_tlb(const struct model_space *m)
{
	for (unsigned i = 0; i < WINDOW_PAGES; i++) {
		struct pt_entry e;

		if (m->tlb[i].prot == 0)
			continue;
		if (!m->as->pt.ops->lookup(&m->as->pt, page_va(i), &e))
			fail_msg("page %u is cached but not mapped", i);
		if (!pfn_equal(e.pfn, m->tlb[i].pfn))
			fail_msg("page %u is cached with a frame that is no longer its own", i);
		if ((m->tlb[i].prot & ~e.prot.raw) != 0)
			fail_msg("page %u is cached with rights %x, has %x", i, m->tlb[i].prot, e.prot.raw);
	}
}

static uint8_t expected_value(const struct model_space *m, unsigned page)
{
	return m->page[page].kind == SHARED ? shared_bytes[m->page[page].index] : m->page[page].value;
}

/* As a CPU: the TLB first, then the walk, then the fault handler. */
static uint8_t *touch(struct model_space *m, unsigned page, unsigned access, int *err)
{
	prot_t prot;
	pfn_t pfn;

	*err = 0;
	if ((m->tlb[page].prot & access) == access)
		return pfn_to_ptr(m->tlb[page].pfn);
	while (!aspace_walk(m->as, uaddr(page_va(page)), access, &pfn, &prot)) {
		*err = aspace_fault(m->as, uaddr(page_va(page)), access);
		if (*err != 0)
			return NULL;
	}
	m->tlb[page].pfn = pfn;
	m->tlb[page].prot = (uint8_t)prot.raw;
	return pfn_to_ptr(pfn);
}

static bool model_allows(const struct model_page *p, unsigned access)
{
	unsigned prot = p->prot & (PROT_WRITE | PROT_EXEC) ? p->prot | PROT_READ : p->prot;

	return p->kind != NONE && (prot & access) == access;
}

static void check_read(struct model_space *m, unsigned page)
{
	int err;
	uint8_t *p = touch(m, page, TRAP_READ, &err);

	if (!model_allows(&m->page[page], TRAP_READ)) {
		assert_int_equal(err, m->page[page].kind == NONE ? -EFAULT : -EACCES);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(p[0], expected_value(m, page));
	assert_int_equal(p[PAGE_SIZE - 1], expected_value(m, page));
}

static void do_write(struct model_space *m, unsigned page)
{
	uint8_t value = (uint8_t)(1 + below(255));
	int err;
	uint8_t *p = touch(m, page, TRAP_WRITE, &err);

	if (!model_allows(&m->page[page], TRAP_WRITE)) {
		assert_int_equal(err, m->page[page].kind == NONE ? -EFAULT : -EACCES);
		return;
	}
	assert_int_equal(err, 0);
	memset(p, value, PAGE_SIZE);
	if (m->page[page].kind == SHARED)
		shared_bytes[m->page[page].index] = value;
	else
		m->page[page].value = value;
}

static void pick_range(unsigned *first, unsigned *nr)
{
	static const unsigned sizes[] = {1, 2, 5, 17, 60, 300, 600};

	*nr = 1 + (unsigned)below(sizes[below(ARRAY_SIZE(sizes))]);
	*first = (unsigned)below(WINDOW_PAGES - *nr);
	if (below(4) == 0)
		*first &= ~255u; /* table borders */
}

static unsigned random_prot(void)
{
	static const unsigned prots[] = {
		RW, RW, RW, PROT_READ, PROT_NONE, PROT_READ | PROT_EXEC, RW | PROT_EXEC, PROT_WRITE};

	return prots[below(ARRAY_SIZE(prots))];
}

static void do_mmap(struct model_space *m)
{
	unsigned first, nr, prot = random_prot(), kind = 1 + (unsigned)below(3), index = 0;
	int64_t result;

	unsigned populate = below(3) != 0 ? MAP_POPULATE : 0; /* full tables are shared, sparse ones copied */

	pick_range(&first, &nr);
	if (kind != ANON) {
		nr = MIN(nr, 30);
		index = (unsigned)below(FILE_PAGES - nr);
	}
	if (kind == ANON)
		result = map_anon(m->as, page_va(first), PAGES(nr), prot, MAP_PRIVATE | MAP_FIXED | populate);
	else
		result = map_file(m->as, kind == SHARED ? &memory_file->file : &disk_file->file,
				  page_va(first), PAGES(nr), prot,
				  MAP_FIXED | populate | (kind == SHARED ? MAP_SHARED : MAP_PRIVATE), PAGES(index));
	assert_int_equal(result, page_va(first));
	for (unsigned i = 0; i < nr; i++) {
		struct model_page *p = &m->page[first + i];

		*p = (struct model_page){
			.kind = (uint8_t)kind, .prot = (uint8_t)prot, .index = (uint16_t)(index + i)};
		p->value = kind == FILE_PRIVATE ? disk_file->store[PAGES(index + i)] : 0;
	}
}

static void do_munmap(struct model_space *m)
{
	unsigned first, nr;

	pick_range(&first, &nr);
	assert_int_equal(aspace_munmap(m->as, page_va(first), PAGES(nr)), 0);
	memset(&m->page[first], 0, nr * sizeof(m->page[0]));
}

/* Up to the first hole the rights change even if there is one, as on Linux. */
static void do_mprotect(struct model_space *m)
{
	unsigned first, nr, prot = random_prot(), nr_mapped = 0;
	int err;

	pick_range(&first, &nr);
	while (nr_mapped < nr && m->page[first + nr_mapped].kind != NONE)
		nr_mapped++;
	err = aspace_mprotect(m->as, page_va(first), PAGES(nr), prot);
	assert_int_equal(err, nr_mapped == nr ? 0 : -ENOMEM);
	for (unsigned i = 0; i < nr_mapped; i++)
		m->page[first + i].prot = (uint8_t)prot;
}

/* Is the range one mapping, as mremap demands? */
static bool is_one_vma(const struct model_space *m, unsigned first, unsigned nr)
{
	const struct vma *v = vma_find(&m->as->vmas, page_va(first));

	return v != NULL && v->end >= page_va(first + nr);
}

static void do_mremap(struct model_space *m)
{
	struct model_page moved[WINDOW_PAGES];
	unsigned from, to, nr, new_nr;
	int64_t result;

	pick_range(&from, &nr);
	new_nr = below(3) == 0 ? 1 + (unsigned)below(nr + 10) : nr;
	if (new_nr > WINDOW_PAGES)
		return;
	to = (unsigned)below(WINDOW_PAGES - new_nr + 1);
	if (below(2) == 0)
		to = (to & ~511u) | (from & 511u); /* whole tables can move */
	if (to + new_nr > WINDOW_PAGES || (to < from + nr && from < to + new_nr))
		return;
	for (unsigned i = 0; i < nr; i++)
		if (m->page[from + i].kind != m->page[from].kind || m->page[from].kind == NONE)
			return;
	if (!is_one_vma(m, from, nr) ||
	    (m->page[from].kind != ANON && m->page[from].index + new_nr > FILE_PAGES))
		return;
	result = aspace_mremap(m->as, page_va(from), PAGES(nr), PAGES(new_nr), MREMAP_MAYMOVE | MREMAP_FIXED,
			       page_va(to));
	assert_int_equal(result, page_va(to));
	memcpy(moved, &m->page[from], nr * sizeof(moved[0]));
	memset(&m->page[from], 0, nr * sizeof(moved[0]));
	for (unsigned i = 0; i < new_nr; i++) {
		struct model_page *p = &m->page[to + i];

		if (i < nr) {
			*p = moved[i];
			continue;
		}
		*p = moved[nr - 1];
		p->index = (uint16_t)(moved[0].index + i);
		p->value = p->kind == FILE_PRIVATE ? disk_file->store[PAGES(p->index)] : 0;
	}
}

static void do_dontneed(struct model_space *m)
{
	unsigned first, nr;
	int err;

	pick_range(&first, &nr);
	err = aspace_madvise(m->as, page_va(first), PAGES(nr), MADV_DONTNEED);
	assert_true(err == 0 || err == -ENOMEM);
	for (unsigned i = 0; i < nr; i++) {
		struct model_page *p = &m->page[first + i];

		if (p->kind == ANON)
			p->value = 0;
		else if (p->kind == FILE_PRIVATE)
			p->value = disk_file->store[PAGES(p->index)];
	}
}

static void do_fork(struct model_space *m)
{
	for (unsigned i = 0; i < SPACES_MAX; i++) {
		struct model_space *child;

		if (spaces[i] != NULL)
			continue;
		child = calloc(1, sizeof(*child));
		memcpy(child->page, m->page, sizeof(m->page));
		child->as = fork_aspace(m->as);
		spaces[i] = child;
		return;
	}
}

static void do_exit(unsigned i)
{
	unsigned alive = 0;

	for (unsigned j = 0; j < SPACES_MAX; j++)
		alive += spaces[j] != NULL;
	if (alive == 1)
		return;
	aspace_put(spaces[i]->as);
	free(spaces[i]);
	spaces[i] = NULL;
}

static void do_sequence(struct model_space *m)
{
	unsigned first = (unsigned)below(WINDOW_PAGES - 40);

	for (unsigned i = 0; i < 40; i++)
		do_write(m, first + i);
}

static void do_forced(struct model_space *m)
{
	unsigned page = random_page();
	uint8_t bytes[PAGE_SIZE], value = (uint8_t)(1 + below(255));
	int err;

	memset(bytes, value, sizeof(bytes));
	err = copy_to_user_forced(m->as, uaddr(page_va(page)), bytes, sizeof(bytes));
	assert_int_equal(err, m->page[page].kind == NONE ? -EFAULT : 0);
	if (m->page[page].kind == SHARED)
		shared_bytes[m->page[page].index] = value;
	else if (m->page[page].kind != NONE)
		m->page[page].value = value;
}

static void step(void)
{
	unsigned i;

	do
		i = (unsigned)below(SPACES_MAX);
	while (spaces[i] == NULL);
	switch (below(24)) {
	case 0: do_mmap(spaces[i]); break;
	case 1: do_munmap(spaces[i]); break;
	case 2:
	case 3: do_mprotect(spaces[i]); break;
	case 4: do_mremap(spaces[i]); break;
	case 5: do_dontneed(spaces[i]); break;
	case 6:
	case 7: do_fork(spaces[i]); break;
	case 8: do_exit(i); break;
	case 9: do_sequence(spaces[i]); break;
	case 10: do_forced(spaces[i]); break;
	case 11:
	case 12:
	case 13:
	case 14:
	case 15:
	case 16:
		for (unsigned n = 0; n < 4; n++)
			check_read(spaces[i], random_page());
		break;
	default: do_write(spaces[i], random_page()); break;
	}
}

static void check_everything(void)
{
	for (unsigned i = 0; i < SPACES_MAX; i++)
		for (unsigned page = 0; spaces[i] != NULL && page < WINDOW_PAGES; page += 3)
			check_read(spaces[i], page);
}

static unsigned nr_steps(void)
{
	const char *steps = getenv("LEVITATE_TEST_STEPS");

	return steps != NULL ? (unsigned)atoi(steps) : 1500;
}

static void run_model(const struct pt_ops *ops, enum fork_mode mode, unsigned hot, unsigned window)
{
	uint64_t kept;

	mm_test_boot(256 * MB);
	rnd.state = fake_seed(0x5eed + mode * 7 + hot);
	aspace_set_fork_mode(mode);
	aspace_set_pt_ops(ops);
	fake.fork_hot_pages = hot;
	fake.fault_window_pages = window;
	fake.on_flush = on_flush;
	base = BASE - PAGES(100);
	memory_file = test_file_create(&test_memory_ops, PAGES(FILE_PAGES), O_RDWR);
	disk_file = test_file_create(&test_store_ops, PAGES(FILE_PAGES), O_RDONLY);
	for (unsigned i = 0; i < FILE_PAGES; i++)
		memset(disk_file->store + PAGES(i), (int)(i + 1), PAGE_SIZE);
	memset(shared_bytes, 0, sizeof(shared_bytes));
	assert_int_equal(mm_audit(), 0);
	kept = frames_of_kind(FRAME_TABLE) + frames_of_kind(FRAME_ANON);
	assert_int_equal(kept, 0);
	spaces[0] = calloc(1, sizeof(struct model_space));
	spaces[0]->as = new_aspace();
	for (unsigned i = 0; i < nr_steps(); i++) {
		step();
		if (mm_audit() != 0)
			fail_msg("audit failed in step %u", i);
		for (unsigned j = 0; j < SPACES_MAX; j++)
			if (spaces[j] != NULL)
				check_tlb(spaces[j]);
		if (i % 250 == 249)
			check_everything();
	}
	for (unsigned i = 0; i < SPACES_MAX; i++) {
		if (spaces[i] == NULL)
			continue;
		aspace_put(spaces[i]->as);
		free(spaces[i]);
		spaces[i] = NULL;
	}
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(frames_of_kind(FRAME_TABLE) + frames_of_kind(FRAME_ANON), 0);
	test_file_destroy(memory_file);
	test_file_destroy(disk_file);
	assert_int_equal(frames_of_kind(FRAME_CACHE), 0);
}

static void eager(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		run_model(all_codecs[c], FORK_EAGER, 0, 1);
}

static void cow(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		run_model(all_codecs[c], FORK_COW, 0, 1);
}

static void share_everything(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		run_model(all_codecs[c], FORK_SHARE, 0, 1);
}

static void share_with_windows(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		run_model(all_codecs[c], FORK_SHARE, 0, 16);
}

static void share_and_copy_hot_pages(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		run_model(all_codecs[c], FORK_SHARE, 256, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(eager),
		cmocka_unit_test(cow),
		cmocka_unit_test(share_everything),
		cmocka_unit_test(share_with_windows),
		cmocka_unit_test(share_and_copy_hot_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
