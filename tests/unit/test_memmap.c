/* The map of usable memory of the bare-metal machines, against a bitmap. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "fake_machine.h"
#include "metal/memmap.c"

#define UNITS 400u

static void check(const struct memmap *m, const bool *is_usable)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < m->nr; i++) {
		assert_true(m->range[i].start < m->range[i].end);
		if (i > 0)
			assert_true(m->range[i - 1].end < m->range[i].start);
		for (uint64_t at = m->range[i].start; at < m->range[i].end; at++) {
			assert_true(is_usable[at]);
			nr++;
		}
	}
	for (unsigned i = 0; i < UNITS; i++)
		nr -= is_usable[i];
	assert_int_equal(nr, 0);
}

static void test_random(void **state)
{
	struct fake_random r = {fake_seed(1)};

	for (int round = 0; round < 200; round++) {
		struct memmap m = {.nr = 0};
		bool is_usable[UNITS] = {false};

		for (int i = 0; i < 60; i++) {
			uint64_t start = fake_random_below(&r, UNITS);
			uint64_t size = fake_random_below(&r, MIN(UNITS - start + 1, 60));
			bool is_add = fake_random_below(&r, 3) != 0;

			if (is_add)
				memmap_add(&m, start, size);
			else
				memmap_remove(&m, start, size);
			memset(is_usable + start, is_add, size);
			check(&m, is_usable);
		}
	}
}

static void test_ends(void **state)
{
	struct memmap m = {.nr = 0};

	memmap_add(&m, UINT64_MAX - 10, 100); /* no wrap */
	assert_int_equal(m.nr, 1);
	assert_int_equal(m.range[0].end, UINT64_MAX);
	memmap_remove(&m, 5, UINT64_MAX);
	assert_int_equal(m.nr, 0);
}

/* A full map loses memory, and never has any that was not given. */
static void test_full(void **state)
{
	struct memmap m = {.nr = 0};

	for (uint64_t i = 0; i < MEMMAP_MAX + 10; i++)
		memmap_add(&m, i * 100, 50);
	assert_int_equal(m.nr, MEMMAP_MAX);
	memmap_remove(&m, 510, 10);
	assert_int_equal(m.nr, MEMMAP_MAX);
	assert_int_equal(m.range[5].start, 500);
	assert_int_equal(m.range[5].end, 510);
	assert_int_equal(m.range[6].start, 600);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_ends),
					   cmocka_unit_test(test_full)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
