/*
 * The VMA tree against an array: single operations, sharing by clones, reservations
 * under allocation failure, gap search, and random sequences on several trees.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"
#include "fs/vfs.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/vma_node.h"

#define PAGE 4096ull
#define RW (PROT_BIT_R | PROT_BIT_W)

static struct file files[3];
#define FILE_REFS 1000000u

static struct vma make(uint64_t first_page, uint64_t nr_pages, uint32_t prot)
{
	return (struct vma){
		.start = first_page * PAGE, .end = (first_page + nr_pages) * PAGE, .prot = {prot}};
}

static void insert(struct vma_tree *t, struct vma v)
{
	assert_int_equal(vma_reserve(t, 1), 0);
	vma_insert(t, &v);
	vma_unreserve(t);
	assert_int_equal(vma_tree_audit(t), 0);
}

static void insert_file(struct vma_tree *t, uint64_t first_page, uint64_t nr_pages, unsigned file,
			uint64_t index)
{
	struct vma v = make(first_page, nr_pages, RW);

	v.file = &files[file];
	v.page_index = index;
	insert(t, v);
}

static void remove_pages(struct vma_tree *t, uint64_t first_page, uint64_t nr_pages)
{
	assert_int_equal(vma_reserve(t, 1), 0);
	vma_remove_range(t, first_page * PAGE, (first_page + nr_pages) * PAGE);
	vma_unreserve(t);
	assert_int_equal(vma_tree_audit(t), 0);
}

static void set_prot(struct vma *v, void *arg) { v->prot = *(prot_t *)arg; }

static void protect(struct vma_tree *t, uint64_t first_page, uint64_t nr_pages, uint32_t bits)
{
	uint64_t start = first_page * PAGE, end = start + nr_pages * PAGE;
	prot_t prot = {bits};

	assert_int_equal(vma_reserve_range(t, start, end, 0), 0);
	vma_update_range(t, start, end, set_prot, &prot);
	vma_unreserve(t);
	assert_int_equal(vma_tree_audit(t), 0);
}

static int boot(void **state)
{
	static bool done;

	if (!done)
		fake_machine_boot(64ull << 20);
	done = true;
	for (int i = 0; i < 3; i++)
		files[i].refs = FILE_REFS;
	return 0;
}

/* Every node and file reference came back. */
static int check_clean(void **state)
{
	assert_int_equal(vma_nr_nodes(), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(files[i].refs, FILE_REFS);
	frame_shrink_all();
	assert_int_equal(kmalloc_nr_used(), 0);
	return 0;
}

static void test_empty(void **state)
{
	struct vma_tree t;

	vma_tree_init(&t);
	assert_null(vma_find(&t, 0));
	assert_null(vma_find_from(&t, 0));
	assert_null(vma_find_before(&t, UINT64_MAX));
	assert_int_equal(vma_find_gap(&t, PAGE, 10 * PAGE, 2 * PAGE, false), PAGE);
	assert_int_equal(vma_find_gap(&t, PAGE, 10 * PAGE, 2 * PAGE, true), 8 * PAGE);
	assert_int_equal(vma_find_gap(&t, PAGE, 10 * PAGE, 10 * PAGE, true), UINT64_MAX);
	remove_pages(&t, 1, 100);
	protect(&t, 1, 100, RW);
	assert_int_equal(vma_tree_audit(&t), 0);
	vma_tree_destroy(&t);
}

static void test_find(void **state)
{
	struct vma_tree t;

	vma_tree_init(&t);
	insert(&t, make(10, 5, RW));
	insert(&t, make(20, 5, RW));
	assert_null(vma_find(&t, 10 * PAGE - 1));
	assert_int_equal(vma_find(&t, 10 * PAGE)->start, 10 * PAGE);
	assert_int_equal(vma_find(&t, 15 * PAGE - 1)->start, 10 * PAGE);
	assert_null(vma_find(&t, 15 * PAGE));
	assert_int_equal(vma_find_from(&t, 0)->start, 10 * PAGE);
	assert_int_equal(vma_find_from(&t, 15 * PAGE)->start, 20 * PAGE);
	assert_null(vma_find_from(&t, 25 * PAGE));
	assert_null(vma_find_before(&t, 10 * PAGE));
	assert_int_equal(vma_find_before(&t, 10 * PAGE + 1)->start, 10 * PAGE);
	assert_int_equal(vma_find_before(&t, UINT64_MAX)->start, 20 * PAGE);
	assert_int_equal(t.nr_vmas, 2);
	assert_int_equal(t.nr_pages, 10);
	vma_tree_destroy(&t);
}

static void test_merge_anonymous(void **state)
{
	struct vma_tree t;
	struct vma v = make(15, 5, RW);

	vma_tree_init(&t);
	insert(&t, make(10, 5, RW));
	insert(&t, make(20, 5, RW));
	v.page_index = 777; /* as after a move: must not matter */
	insert(&t, v);	    /* joins all three */
	assert_int_equal(t.nr_vmas, 1);
	assert_int_equal(vma_find(&t, 12 * PAGE)->end, 25 * PAGE);
	assert_int_equal(vma_find(&t, 12 * PAGE)->page_index, 10);
	insert(&t, make(25, 1, PROT_BIT_R)); /* other rights */
	assert_int_equal(t.nr_vmas, 2);
	v = make(9, 1, RW);
	v.flags = VMA_STACK; /* other flags */
	insert(&t, v);
	assert_int_equal(t.nr_vmas, 3);
	assert_int_equal(t.nr_pages, 17);
	protect(&t, 25, 1, RW); /* equal now */
	assert_int_equal(t.nr_vmas, 2);
	vma_tree_destroy(&t);
}

static void test_merge_files(void **state)
{
	struct vma_tree t;

	vma_tree_init(&t);
	insert_file(&t, 10, 5, 0, 100);
	insert_file(&t, 15, 5, 0, 105); /* goes on */
	assert_int_equal(t.nr_vmas, 1);
	assert_int_equal(files[0].refs, FILE_REFS + 1);
	insert_file(&t, 20, 5, 0, 111); /* a gap in the file */
	assert_int_equal(t.nr_vmas, 2);
	insert_file(&t, 25, 5, 1, 116); /* another file */
	assert_int_equal(t.nr_vmas, 3);
	insert_file(&t, 5, 5, 0, 95); /* before */
	assert_int_equal(t.nr_vmas, 3);
	assert_int_equal(vma_find(&t, 6 * PAGE)->page_index, 95);
	assert_int_equal(files[0].refs, FILE_REFS + 2);
	remove_pages(&t, 12, 1); /* a hole splits it */
	assert_int_equal(t.nr_vmas, 4);
	assert_int_equal(files[0].refs, FILE_REFS + 3);
	assert_int_equal(vma_find(&t, 13 * PAGE)->page_index, 103);
	insert_file(&t, 12, 1, 0, 102); /* and this closes it */
	assert_int_equal(t.nr_vmas, 3);
	assert_int_equal(files[0].refs, FILE_REFS + 2);
	vma_tree_destroy(&t);
}

static void test_remove_and_split(void **state)
{
	struct vma_tree t;

	vma_tree_init(&t);
	insert_file(&t, 10, 30, 0, 0);
	remove_pages(&t, 5, 7); /* the head */
	assert_int_equal(vma_find_from(&t, 0)->start, 12 * PAGE);
	assert_int_equal(vma_find_from(&t, 0)->page_index, 2);
	remove_pages(&t, 38, 10); /* the tail */
	assert_int_equal(vma_find_from(&t, 0)->end, 38 * PAGE);
	remove_pages(&t, 20, 2); /* the middle */
	assert_int_equal(t.nr_vmas, 2);
	assert_int_equal(t.nr_pages, 24);
	assert_int_equal(vma_find(&t, 22 * PAGE)->page_index, 12);
	remove_pages(&t, 15, 10); /* across the hole */
	assert_int_equal(t.nr_vmas, 2);
	assert_int_equal(t.nr_pages, 3 + 13);
	remove_pages(&t, 0, 1000);
	assert_int_equal(t.nr_vmas, 0);
	assert_null(t.root);
	vma_tree_destroy(&t);
}

static void test_protect_splits_at_the_borders(void **state)
{
	struct vma_tree t;

	vma_tree_init(&t);
	insert_file(&t, 10, 30, 0, 0);
	protect(&t, 20, 5, PROT_BIT_R);
	assert_int_equal(t.nr_vmas, 3);
	assert_int_equal(vma_find(&t, 22 * PAGE)->prot.raw, PROT_BIT_R);
	assert_int_equal(vma_find(&t, 22 * PAGE)->page_index, 10);
	assert_int_equal(vma_find(&t, 25 * PAGE)->prot.raw, RW);
	assert_int_equal(files[0].refs, FILE_REFS + 3);
	protect(&t, 15, 15, PROT_BIT_R);
	assert_int_equal(t.nr_vmas, 3);
	protect(&t, 0, 100, RW); /* all equal again; holes do not matter */
	assert_int_equal(t.nr_vmas, 1);
	assert_int_equal(files[0].refs, FILE_REFS + 1);
	vma_tree_destroy(&t);
}

static void test_overlap_is_refused(void **state)
{
	struct vma_tree t;
	struct vma v = make(12, 1, RW);

	vma_tree_init(&t);
	insert(&t, make(10, 5, PROT_BIT_R));
	assert_int_equal(vma_reserve(&t, 1), 0);
	assert_true(FAKE_PANICS(vma_insert(&t, &v)));
	vma_unreserve(&t);
	vma_tree_destroy(&t);
}

/* ---- clones ---------------------------------------------------------------------------- */

static void test_clone_costs_nothing(void **state)
{
	struct vma_tree a, b;
	uint32_t nodes;

	vma_tree_init(&a);
	for (unsigned i = 0; i < 10000; i++)
		insert_file(&a, 10 + 2 * i, 1, i % 3, i);
	nodes = vma_nr_nodes();
	fail_alloc_arm(1, true);
	vma_tree_clone(&b, &a);
	assert_int_equal(fail_alloc_count(), 0);
	fail_alloc_arm(0, false);
	assert_int_equal(vma_nr_nodes(), nodes);
	assert_int_equal(files[0].refs, FILE_REFS + 3334);
	assert_int_equal(b.nr_vmas, 10000);

	/* the first change copies one path */
	remove_pages(&b, 10 + 2 * 5000, 1);
	assert_in_range(vma_nr_nodes(), nodes + 1, nodes + 4);
	assert_non_null(vma_find(&a, (10 + 2 * 5000) * PAGE));
	assert_null(vma_find(&b, (10 + 2 * 5000) * PAGE));
	assert_int_equal(vma_tree_audit(&a), 0);
	/* dropping a range of the clone drops its nodes as a whole */
	remove_pages(&b, 1000, 15000);
	assert_int_equal(vma_tree_audit(&a), 0);
	assert_in_range(vma_nr_nodes(), nodes + 1, nodes + 8);
	vma_tree_destroy(&b);
	assert_int_equal(vma_nr_nodes(), nodes);
	assert_int_equal(files[0].refs, FILE_REFS + 3334);
	vma_tree_destroy(&a);
}

static void test_update_of_a_shared_tree(void **state)
{
	struct vma_tree a, b;

	vma_tree_init(&a);
	for (unsigned i = 0; i < 3000; i++)
		insert_file(&a, 10 + i, 1, 0, 7000 - 2 * i);
	assert_int_equal(a.nr_vmas, 3000);
	vma_tree_clone(&b, &a);
	protect(&b, 500, 2000, PROT_BIT_X);
	assert_int_equal(vma_find(&a, 600 * PAGE)->prot.raw, RW);
	assert_int_equal(vma_find(&b, 600 * PAGE)->prot.raw, PROT_BIT_X);
	assert_int_equal(vma_tree_audit(&a), 0);
	assert_int_equal(b.nr_vmas, 3000);
	vma_tree_destroy(&a);
	assert_int_equal(vma_tree_audit(&b), 0);
	vma_tree_destroy(&b);
}

/* ---- allocation failure ------------------------------------------------------------------ */

static void test_reserve_fails_cleanly(void **state)
{
	struct vma_tree a, b;
	uint64_t n = 0;
	int err;

	vma_tree_init(&a);
	for (unsigned i = 0; i < 300; i++)
		insert(&a, make(10 + 2 * i, 1, RW));
	vma_tree_clone(&b, &a);
	do {
		uint32_t nodes = vma_nr_nodes();

		frame_shrink_all(); /* the pool is empty: every node is an allocation */
		fail_alloc_arm(++n, false);
		err = vma_reserve_range(&b, 0, 5000 * PAGE, 2);
		fail_alloc_arm(0, false);
		assert_int_equal(vma_nr_nodes(), nodes);
		assert_int_equal(vma_tree_audit(&b), 0);
		assert_int_equal(b.nr_vmas, 300);
		if (err != 0) {
			assert_int_equal(err, -12);
			assert_int_equal(b.nr_reserved, 0);
		}
	} while (err != 0);
	assert_true(n > 40);
	/* once reserved, nothing can fail */
	fail_alloc_arm(1, true);
	vma_update_range(&b, 0, 5000 * PAGE, set_prot, &(prot_t){PROT_BIT_X});
	vma_remove_range(&b, 20 * PAGE, 300 * PAGE);
	vma_insert(&b, &(struct vma){.start = 100 * PAGE, .end = 101 * PAGE});
	assert_int_equal(fail_alloc_count(), 0);
	fail_alloc_arm(0, false);
	vma_unreserve(&b);
	assert_int_equal(vma_tree_audit(&b), 0);
	vma_tree_destroy(&a);
	vma_tree_destroy(&b);
}

static void test_reservations_survive_pressure(void **state)
{
	static pfn_t all[20000];
	struct vma_tree t;
	unsigned n = 0;

	vma_tree_init(&t);
	assert_int_equal(vma_reserve(&t, 30), 0);
	while (!pfn_is_none(all[n] = frame_alloc(FRAME_ANON))) /* runs the shrinkers */
		n++;
	for (unsigned i = 0; i < 30; i++)
		vma_insert(&t, &(struct vma){.start = (10 + 2 * i) * PAGE, .end = (11 + 2 * i) * PAGE});
	assert_int_equal(t.nr_vmas, 30);
	vma_unreserve(&t);
	assert_int_equal(vma_reserve(&t, 100), -12);
	while (n > 0)
		frame_put(all[--n]);
	vma_tree_destroy(&t);
}

static void test_use_beyond_the_reservation_panics(void **state)
{
	struct vma_tree t;

	vma_tree_init(&t);
	assert_true(FAKE_PANICS(vma_insert(&t, &(struct vma){.start = PAGE, .end = 2 * PAGE})));
}

/* ---- the model ----------------------------------------------------------------------------- */

#define SPACE_PAGES 3000u
struct page_model {
	uint8_t used, prot, flags, file;
	uint32_t index;
};
struct model {
	struct vma_tree tree;
	struct page_model page[SPACE_PAGES];
};

static bool pages_join(const struct page_model *a, const struct page_model *b)
{
	return a->used && b->used && a->prot == b->prot && a->flags == b->flags && a->file == b->file &&
	       (a->file == 0 || a->index + 1 == b->index);
}

/* The tree says of each page what the model says, and holds as few VMAs as possible. */
static void model_compare(const struct model *m)
{
	uint32_t nr_vmas = 0, nr_pages = 0;

	for (uint32_t i = 0; i < SPACE_PAGES; i++) {
		const struct page_model *p = &m->page[i];
		const struct vma *v = vma_find(&m->tree, i * PAGE);

		if ((v != NULL) != p->used)
			fail_msg("page %u: used %u", i, p->used);
		if (v == NULL)
			continue;
		nr_pages++;
		nr_vmas += i == 0 || !pages_join(&m->page[i - 1], p);
		assert_int_equal(v->prot.raw, p->prot);
		assert_int_equal(v->flags, p->flags);
		assert_ptr_equal(v->file, p->file ? &files[p->file - 1] : NULL);
		assert_int_equal(v->page_index + i - v->start / PAGE, p->file ? p->index : i);
	}
	assert_int_equal(m->tree.nr_vmas, nr_vmas);
	assert_int_equal(m->tree.nr_pages, nr_pages);
	assert_int_equal(vma_tree_audit(&m->tree), 0);
}

static void model_remove(struct model *m, uint32_t first, uint32_t nr)
{
	assert_int_equal(vma_reserve(&m->tree, 1), 0);
	vma_remove_range(&m->tree, first * PAGE, (first + nr) * PAGE);
	vma_unreserve(&m->tree);
	memset(&m->page[first], 0, nr * sizeof(m->page[0]));
}

static void model_map(struct model *m, uint32_t first, uint32_t nr, struct fake_random *r)
{
	struct vma v = make(first, nr, (uint32_t)fake_random_below(r, 2));

	v.flags = fake_random_below(r, 4) == 0 ? VMA_SHARED : 0;
	if (fake_random_below(r, 2) == 0) {
		v.file = &files[fake_random_below(r, 3)];
		v.page_index = first + fake_random_below(r, 2);
	}
	assert_int_equal(vma_reserve(&m->tree, 2), 0);
	vma_remove_range(&m->tree, v.start, v.end); /* MAP_FIXED */
	vma_insert(&m->tree, &v);
	vma_unreserve(&m->tree);
	for (uint32_t i = 0; i < nr; i++) {
		uint8_t file = v.file == NULL ? 0 : (uint8_t)(v.file - files + 1);

		m->page[first + i] = (struct page_model){1, (uint8_t)v.prot.raw, (uint8_t)v.flags, file,
							 file ? (uint32_t)v.page_index + i : 0};
	}
}

static void model_protect(struct model *m, uint32_t first, uint32_t nr, uint32_t bits)
{
	prot_t prot = {bits};

	assert_int_equal(vma_reserve_range(&m->tree, first * PAGE, (first + nr) * PAGE, 0), 0);
	vma_update_range(&m->tree, first * PAGE, (first + nr) * PAGE, set_prot, &prot);
	vma_unreserve(&m->tree);
	for (uint32_t i = first; i < first + nr; i++) {
		if (m->page[i].used)
			m->page[i].prot = (uint8_t)bits;
	}
}

static void model_find_gap(const struct model *m, uint32_t low, uint32_t high, uint32_t nr)
{
	uint64_t lowest = UINT64_MAX, highest = UINT64_MAX;
	uint32_t run = 0;

	for (uint32_t i = low; i < high; i++) {
		run = m->page[i].used ? 0 : run + 1;
		if (run >= nr) {
			highest = (i + 1 - nr) * PAGE;
			if (lowest == UINT64_MAX)
				lowest = highest;
		}
	}
	assert_int_equal(vma_find_gap(&m->tree, low * PAGE, high * PAGE, nr * PAGE, false), lowest);
	assert_int_equal(vma_find_gap(&m->tree, low * PAGE, high * PAGE, nr * PAGE, true), highest);
}

static void model_lookup(const struct model *m, uint32_t page)
{
	const struct vma *from = vma_find_from(&m->tree, page * PAGE),
			 *before = vma_find_before(&m->tree, page * PAGE);
	uint32_t i = page;

	while (i < SPACE_PAGES && !m->page[i].used)
		i++;
	assert_int_equal(from == NULL ? SPACE_PAGES : MAX(from->start / PAGE, page), i);
	for (i = page; i > 0 && !m->page[i - 1].used; i--)
		;
	assert_int_equal(before == NULL ? 0 : MIN(before->end / PAGE, page), i);
}

static void model_step(struct model *m, struct fake_random *r, unsigned fill_percent)
{
	uint32_t nr = 1 + (uint32_t)fake_random_below(r, fake_random_below(r, 20) == 0 ? 800 : 6);
	uint32_t first = (uint32_t)fake_random_below(r, SPACE_PAGES - nr);
	uint32_t low = (uint32_t)fake_random_below(r, SPACE_PAGES - 1);
	unsigned what = (unsigned)fake_random_below(r, 100);

	if (what < fill_percent)
		model_map(m, first, MIN(nr, 40u), r);
	else if (what < 60)
		model_remove(m, first, nr);
	else if (what < 80)
		model_protect(m, first, nr, (uint32_t)fake_random_below(r, 2));
	else if (what < 90)
		model_lookup(m, first);
	else
		model_find_gap(m, low, low + (uint32_t)fake_random_below(r, SPACE_PAGES - low), nr);
}

static void test_random_model_with_clones(void **state)
{
	enum { NR = 4 };
	struct fake_random r = {fake_seed(99)};
	struct model *m = calloc(NR, sizeof(*m));

	for (unsigned step = 0; step < 60000; step++) {
		unsigned i = (unsigned)fake_random_below(&r, NR), k = (unsigned)fake_random_below(&r, NR);

		if (i != k && fake_random_below(&r, 200) == 0) { /* fork, after an exit */
			vma_tree_destroy(&m[k].tree);
			m[k] = m[i];
			vma_tree_clone(&m[k].tree, &m[i].tree);
			continue;
		}
		model_step(&m[i], &r, step / 6000 % 2 ? 20 : 55);
		if (step % 500 == 0) {
			for (k = 0; k < NR; k++)
				model_compare(&m[k]);
		}
	}
	for (unsigned i = 0; i < NR; i++) {
		model_compare(&m[i]);
		vma_tree_destroy(&m[i].tree);
	}
	free(m);
}

/* Rows of mappings leave full nodes, thinning out gives nodes back. */
static void test_nodes_are_well_filled(void **state)
{
	struct vma_tree up, down;

	vma_tree_init(&up);
	vma_tree_init(&down);
	for (unsigned i = 0; i < 5000; i++)
		insert(&up, make(10 + 2 * i, 1, RW));
	assert_in_range(vma_nr_nodes(), 5000 / 16, 5000 / 16 + 5000 / 16 / 20 + 4);
	for (unsigned i = 0; i < 5000; i++)
		insert(&down, make(20000 - 2 * i, 1, RW));
	assert_in_range(vma_nr_nodes(), 2 * 5000 / 16, 2 * (5000 / 16 + 5000 / 16 / 10 + 4));
	vma_tree_destroy(&down);
	for (unsigned i = 0; i < 5000; i++) {
		if (i % 50 != 0)
			remove_pages(&up, 10 + 2 * i, 1);
	}
	assert_int_equal(up.nr_vmas, 100);
	assert_in_range(vma_nr_nodes(), 1, 30);
	vma_tree_destroy(&up);
}

static void test_gap_search_in_a_large_tree(void **state)
{
	struct vma_tree t;

	vma_tree_init(&t);
	for (unsigned i = 0; i < 10000; i++) /* gaps of 1 page, and one of 3 */
		insert(&t, make(100 + 2 * i + (i >= 6000 ? 2 : 0), 1, RW));
	assert_int_equal(vma_find_gap(&t, 100 * PAGE, 20102 * PAGE, 3 * PAGE, false),
			 (100 + 2 * 6000 - 1) * PAGE);
	assert_int_equal(vma_find_gap(&t, 100 * PAGE, 20102 * PAGE, 2 * PAGE, true), (100 + 2 * 6000) * PAGE);
	assert_int_equal(vma_find_gap(&t, 100 * PAGE, 20102 * PAGE, 4 * PAGE, true), UINT64_MAX);
	assert_int_equal(vma_find_gap(&t, 20000 * PAGE, 30000 * PAGE, PAGE, false), 20001 * PAGE);
	assert_int_equal(vma_find_gap(&t, 0, 30000 * PAGE, 90 * PAGE, false), 0);
	assert_int_equal(vma_find_gap(&t, 0, 30000 * PAGE, 90 * PAGE, true), (30000 - 90) * PAGE);
	assert_int_equal(vma_find_gap(&t, 50 * PAGE + 1, 30000 * PAGE + 5, PAGE, false), 51 * PAGE);
	vma_tree_destroy(&t);
}

/* ---- the audit ------------------------------------------------------------------------ */

/* Does the audit find something when *field holds that value? It is as before afterwards. */
#define DAMAGE(t, field, value)                                                                              \
	({                                                                                                   \
		typeof(field) kept = (field);                                                                \
		unsigned nr_bad;                                                                             \
		(field) = (value);                                                                           \
		nr_bad = vma_tree_audit(t);                                                                  \
		(field) = kept;                                                                              \
		assert_int_equal(vma_tree_audit(t), 0);                                                      \
		nr_bad != 0;                                                                                 \
	})

static void test_the_audit_finds_damage(void **state)
{
	struct vma_tree t;
	struct vma_node *leaf;
	struct vma_child *child;

	vma_tree_init(&t);
	for (unsigned i = 0; i < 200; i++)
		insert(&t, make(10 + 3 * i, 2, RW));
	assert_int_equal(t.root->level, 1);
	child = &t.root->child[1];
	leaf = child->node;
	fake.is_quiet = true;
	assert_true(DAMAGE(&t, leaf->vma[1].end, leaf->vma[1].start));	     /* empty */
	assert_true(DAMAGE(&t, leaf->vma[1].start, leaf->vma[1].start + 1)); /* not aligned */
	assert_true(DAMAGE(&t, leaf->vma[1].end, leaf->vma[3].end));	     /* overlap */
	assert_true(DAMAGE(&t, leaf->vma[1].page_index, 7));
	assert_true(DAMAGE(&t, leaf->vma[1].end, leaf->vma[2].start)); /* should be one */
	assert_true(DAMAGE(&t, leaf->refs, 0));
	assert_true(DAMAGE(&t, leaf->count, 0));
	assert_true(DAMAGE(&t, leaf->count, 1000));
	assert_true(DAMAGE(&t, t.root->child[2].node->level, 1));
	assert_true(DAMAGE(&t, child->start, child->start - PAGE));
	assert_true(DAMAGE(&t, child->end, child->end + PAGE));
	assert_true(DAMAGE(&t, child->max_gap, 5 * PAGE));
	assert_true(DAMAGE(&t, t.nr_vmas, 199));
	assert_true(DAMAGE(&t, t.nr_pages, 401));
	fake.is_quiet = false;
	vma_tree_destroy(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_empty, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_find, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_merge_anonymous, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_merge_files, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_remove_and_split, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_protect_splits_at_the_borders, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_overlap_is_refused, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_clone_costs_nothing, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_update_of_a_shared_tree, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_reserve_fails_cleanly, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_reservations_survive_pressure, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_random_model_with_clones, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_nodes_are_well_filled, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_gap_search_in_a_large_tree, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_the_audit_finds_damage, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_use_beyond_the_reservation_panics, boot, NULL),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
