/* The kernel heap: sizes, alignment, caches, reserve, misuse, failure, random use. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

#define MIB ((uint64_t)1 << 20)

static int boot(void **state)
{
	fake_machine_boot(16 * MIB);
	return 0;
}

/* All objects are back, and with the reserves given up all frames. */
static int check_clean(void **state)
{
	struct frame_stats s;

	assert_int_equal(kmalloc_nr_used(), 0);
	kmalloc_shrink();
	frame_get_stats(&s);
	assert_int_equal(s.nr_free, s.nr_total);
	assert_int_equal(frame_audit(), 0);
	return 0;
}

static void test_sizes_and_alignment(void **state)
{
	for (size_t size = 0; size <= 20000; size += size < 3000 ? 1 : 997) {
		char *p = kmalloc(size);

		assert_non_null(p);
		assert_true(kmalloc_usable(p) >= size);
		assert_int_equal((uintptr_t)p % (size >= 4096 ? 4096 : size >= 64 ? 64 : 16), 0);
		memset(p, 0x5a, size);
		kfree(p);
	}
	kfree(NULL);
}

static void test_objects_do_not_overlap(void **state)
{
	static const size_t sizes[] = {1,   16,	 17,   48,   64,   100,	 200,  300,
				       500, 640, 1000, 1344, 2048, 2049, 5000, 70000};

	for (size_t s = 0; s < ARRAY_SIZE(sizes); s++) {
		unsigned char *p[100];

		for (int i = 0; i < 100; i++) {
			p[i] = kmalloc(sizes[s]);
			assert_non_null(p[i]);
			memset(p[i], i, sizes[s]);
		}
		for (int i = 0; i < 100; i++) {
			for (size_t k = 0; k < sizes[s]; k++)
				assert_int_equal(p[i][k], i);
			kfree(p[i]);
		}
	}
}

static void test_large(void **state)
{
	char *p = kmalloc(4 * MIB);

	assert_non_null(p);
	assert_int_equal(kmalloc_usable(p), 4 * MIB);
	assert_int_equal(kmalloc_nr_used(), 1);
	p[4 * MIB - 1] = 1;
	kfree(p);
	assert_null(kmalloc(4 * MIB + 1));
	assert_null(kmalloc(SIZE_MAX));
	p = kmalloc(4097);
	assert_int_equal(frame_kind(ptr_to_pfn(p)), FRAME_KERNEL);
	kfree(p);
}

static void test_copies(void **state)
{
	char *a = kzalloc(100), *b, *c = kstrdup("text");

	for (int i = 0; i < 100; i++)
		assert_int_equal(a[i], 0);
	strcpy(a, "hello");
	b = kmemdup(a, 6);
	assert_string_equal(b, "hello");
	assert_string_equal(c, "text");
	kfree(a);
	kfree(b);
	kfree(c);
}

static void test_resizing(void **state)
{
	size_t size = 1;
	char *p = krealloc(NULL, size), *q;

	p[0] = 0;
	for (; size < 40000; size += 1 + size / 3) { /* grows through all classes and runs */
		q = krealloc(p, size + 1);
		assert_non_null(q);
		for (size_t i = 0; i < size; i++)
			assert_int_equal((unsigned char)q[i], i & 255);
		for (size_t i = size; i < size + 1 + size / 3 && i < size + 1; i++)
			q[i] = (char)i;
		p = krealloc(q, size + 1 + size / 3);
		for (size_t i = size; i < size + 1 + size / 3; i++)
			p[i] = (char)i;
	}
	q = krealloc(p, 10); /* shrinks in place */
	assert_ptr_equal(p, q);
	fail_alloc_arm(1, false);
	assert_null(krealloc(q, 1 * MIB));
	assert_int_equal((unsigned char)q[9], 9); /* the old one stands */
	kfree(q);
}

static void test_named_cache(void **state)
{
	struct kmem_cache *c = kmem_cache_create("thing", 656, 64), *d = kmem_cache_create("wide", 2944, 256);
	struct kmem_cache_stat stat;
	char *p[50], *q;
	unsigned i;

	for (i = 0; i < 50; i++) {
		p[i] = kmem_cache_alloc(c);
		assert_int_equal((uintptr_t)p[i] % 64, 0);
		memset(p[i], (int)i, 656);
	}
	q = kmem_cache_alloc(d);
	assert_int_equal((uintptr_t)q % 256, 0);
	for (i = 0; kmem_cache_get_stat(i, &stat) && strcmp(stat.name, "thing") != 0; i++)
		;
	assert_int_equal(stat.nr_used, 50);
	assert_int_equal(stat.object_bytes, 656);
	assert_true(stat.nr_objects >= 50 && stat.nr_objects < 50 + 50);
	for (i = 0; i < 50; i++) {
		assert_int_equal(p[i][655], i);
		kmem_cache_free(c, p[i]);
	}
	kfree(q); /* works for any object */
}

static void test_small_reserve(void **state)
{
	uint64_t before = frame_nr_free();
	void *p[1000];

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 1000; i++)
			p[i] = kmalloc(1024);
		assert_true(before - frame_nr_free() >= 250);
		for (int i = 0; i < 1000; i++)
			kfree(p[i]);
		assert_true(before - frame_nr_free() <= 8); /* one empty slab, 4 MiB order at most 3 */
	}
	assert_true(kmalloc_shrink() > 0);
	assert_int_equal(frame_nr_free(), before);
	assert_int_equal(kmalloc_shrink(), 0);
}

static void test_memory_pressure_takes_the_reserve(void **state)
{
	pfn_t *all = calloc(5000, sizeof(*all));
	unsigned n = 0;

	kfree(kmalloc(100)); /* leaves an empty slab behind */
	while (!pfn_is_none(all[n] = frame_alloc(FRAME_ANON)))
		n++;
	assert_int_equal(frame_nr_free(), 0);
	assert_null(kmalloc(100));
	assert_null(kmalloc(10000));
	while (n > 0)
		frame_put(all[--n]);
	free(all);
}

static void test_injected_failure(void **state)
{
	void *p;

	kfree(kmalloc(10)); /* there is a free object, and still it fails */
	fail_alloc_arm(1, true);
	assert_null(kmalloc(10));
	assert_null(kzalloc(10));
	assert_null(kmalloc(100000));
	assert_null(kstrdup("x"));
	assert_int_equal(fail_alloc_count(), 4);
	fail_alloc_arm(2, false);
	p = kmalloc(4000);
	assert_non_null(p);
	assert_int_equal(fail_alloc_count(), 1); /* its frame is not a second allocation */
	fail_alloc_arm(0, false);
	kfree(p);
}

static void test_misuse_panics(void **state)
{
	struct kmem_cache *c = kmem_cache_create("a", 100, 0), *d = kmem_cache_create("b", 100, 0);
	char *p = kmalloc(100), *q;

	kfree(kmalloc(100));
	kfree(p);
	assert_true(FAKE_PANICS(kfree(p))); /* twice */
	boot(state);
	p = kmalloc(100);
	assert_true(FAKE_PANICS(kfree(p + 16))); /* inside */
	boot(state);
	p = kmalloc(10000);
	assert_true(FAKE_PANICS(kfree(p + 16)));
	kfree(p);
	boot(state);
	c = kmem_cache_create("a", 100, 0);
	d = kmem_cache_create("b", 100, 0);
	q = kmem_cache_alloc(c);
	assert_true(FAKE_PANICS(kmem_cache_free(d, q))); /* another cache's */
	boot(state);
}

static void test_random_use(void **state)
{
	static struct {
		unsigned char *p;
		size_t size;
		unsigned char fill;
	} held[2000];
	struct fake_random r = {fake_seed(7)};
	unsigned nr = 0;

	for (unsigned step = 0; step < 100000; step++) {
		if (fake_random_below(&r, 100) < (step / 10000 % 2 ? 30 : 70) && nr < 2000) {
			size_t size = (size_t)1 << fake_random_below(&r, 15);

			size += fake_random_below(&r, size);
			held[nr].p = kmalloc(size);
			if (held[nr].p == NULL)
				continue;
			held[nr].size = size;
			held[nr].fill = (unsigned char)step;
			memset(held[nr].p, held[nr].fill, size);
			nr++;
		} else if (nr > 0) {
			unsigned i = (unsigned)fake_random_below(&r, nr);

			assert_int_equal(held[i].p[0], held[i].fill);
			assert_int_equal(held[i].p[held[i].size - 1], held[i].fill);
			kfree(held[i].p);
			held[i] = held[--nr];
		}
		if (step % 5000 == 0) {
			assert_int_equal(kmalloc_nr_used(), nr);
			assert_int_equal(frame_audit(), 0);
		}
	}
	while (nr > 0)
		kfree(held[--nr].p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sizes_and_alignment, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_objects_do_not_overlap, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_large, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_copies, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_resizing, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_named_cache, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_small_reserve, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_memory_pressure_takes_the_reserve, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_injected_failure, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_misuse_panics, boot, check_clean),
		cmocka_unit_test_setup_teardown(test_random_use, boot, check_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
