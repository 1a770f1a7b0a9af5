/* The TLB's shadow (src/hostarch/tlb.c) against a plain array of pages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostarch/host.h"
#include "hostarch/tlb.h"

#define PAGES 1024u
#define BASE 0x7f0000000000u

void *host_pages_alloc(size_t size_bytes) { return calloc(1, size_bytes); }
void host_pages_free(void *pages, size_t size_bytes)
{
	(void)size_bytes;
	free(pages);
}

static uint32_t model[PAGES]; /* frame, 0: absent */

static void map_page(struct tlb *tlb, unsigned page, uint32_t pfn)
{
	uint64_t va = BASE + page * PAGE_SIZE;
	struct tlb_chunk *c = tlb_make(tlb, va);

	assert_non_null(c);
	c->present |= TLB_BIT(va);
	c->pfn[TLB_SLOT(va)] = pfn;
	tlb_update_counts(tlb, c);
	model[page] = pfn;
}

static void forget_page(struct tlb *tlb, unsigned page)
{
	uint64_t va = BASE + page * PAGE_SIZE;
	struct tlb_chunk *c = tlb_find(tlb, va);

	if (c != NULL)
		tlb_forget(tlb, c, TLB_BIT(va));
	model[page] = 0;
}

static void check(const struct tlb *tlb)
{
	unsigned pages = 0, runs = 0;

	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t va = BASE + i * PAGE_SIZE;
		const struct tlb_chunk *c = tlb_find(tlb, va);
		bool present = c != NULL && (c->present & TLB_BIT(va)) != 0;

		assert_int_equal(present, model[i] != 0);
		if (present) {
			assert_int_equal(c->pfn[TLB_SLOT(va)], model[i]);
			pages++;
			runs += i % TLB_CHUNK_PAGES == 0 || model[i - 1] == 0 || model[i - 1] + 1 != model[i];
		}
	}
	assert_int_equal(tlb->nr_pages, pages);
	assert_int_equal(tlb->nr_runs, runs);
	for (unsigned i = 1; i < tlb->nr_chunks; i++)
		assert_true(tlb->chunks[i - 1]->index < tlb->chunks[i]->index);
}

static void test_random(void **state)
{
	struct tlb tlb = {0};

	(void)state;
	srand(1);
	memset(model, 0, sizeof(model));
	for (unsigned step = 0; step < 20000; step++) {
		unsigned page = (unsigned)rand() % PAGES;

		if (rand() % 3 != 0)
			map_page(&tlb, page, rand() % 2 ? page + 1 : (uint32_t)rand() % 50000 + 1);
		else
			forget_page(&tlb, page);
		if (step % 500 == 0)
			check(&tlb);
		if (step % 1000 == 0)
			tlb_compact(&tlb);
	}
	check(&tlb);
	for (unsigned i = 0; i < PAGES; i++)
		forget_page(&tlb, i);
	tlb_compact(&tlb);
	assert_int_equal(tlb.nr_chunks, 0);
	tlb_destroy(&tlb);
}

static void test_stale(void **state)
{
	struct tlb tlb = {0};

	(void)state;
	memset(model, 0, sizeof(model));
	for (unsigned i = 0; i < PAGES; i += 3)
		map_page(&tlb, i, i + 1);
	assert_false(tlb_mark_stale(&tlb, BASE + PAGES * PAGE_SIZE, UINT64_MAX));
	assert_false(tlb_mark_stale(&tlb, 0, BASE));
	assert_false(tlb_mark_stale(&tlb, BASE + PAGE_SIZE, BASE + 3 * PAGE_SIZE));
	assert_int_equal(tlb.nr_stale_chunks, 0);
	assert_true(tlb_mark_stale(&tlb, BASE + 60 * PAGE_SIZE, BASE + 70 * PAGE_SIZE));
	assert_int_equal(tlb.nr_stale_chunks, 2);
	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t va = BASE + i * PAGE_SIZE;

		assert_int_equal((tlb_find(&tlb, va)->stale & TLB_BIT(va)) != 0,
				 i % 3 == 0 && i >= 60 && i < 70);
	}
	tlb_clear_stale(&tlb, tlb_find(&tlb, BASE), UINT64_MAX);
	assert_int_equal(tlb.nr_stale_chunks, 1);
	assert_true(tlb_mark_stale(&tlb, 0, UINT64_MAX));
	assert_int_equal(tlb.nr_stale_chunks, PAGES / TLB_CHUNK_PAGES);
	tlb_destroy(&tlb);
	assert_int_equal(tlb.nr_pages, 0);
}

static void test_grows(void **state)
{
	struct tlb tlb = {0};

	(void)state;
	for (uint64_t i = 0; i < 3000; i++)
		assert_non_null(tlb_make(&tlb, (i * 7919 % 3000) << TLB_CHUNK_SHIFT));
	assert_int_equal(tlb.nr_chunks, 3000);
	for (uint64_t i = 0; i < 3000; i++)
		assert_int_equal(tlb.chunks[i]->index, i);
	tlb_destroy(&tlb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_stale),
		cmocka_unit_test(test_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
