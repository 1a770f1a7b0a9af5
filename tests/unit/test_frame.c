/* The frame allocator: kinds, runs, exhaustion, and random use against a bitmap. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"
#include "mm/frame.h"
#include "mm/frame_trace.h"

#define MIB ((uint64_t)1 << 20)

static struct frame_stats stats_now(void)
{
	struct frame_stats s;

	frame_get_stats(&s);
	return s;
}

static int boot16(void **state)
{
	fake_machine_boot(16 * MIB);
	return 0;
}

static int check_audit(void **state)
{
	assert_int_equal(frame_audit(), 0);
	return 0;
}

static uint64_t metadata_pages(uint64_t nr_frames) { return nr_frames * (8 + FRAME_TRACE_BYTES) / PAGE_SIZE; }

static void test_metadata_is_8_bytes(void **state)
{
	struct frame_stats s = stats_now();

	assert_int_equal(sizeof(struct frame), 8);
	/* 16 MiB: 4096 frames, of which 8 (debug builds: 72) hold the metadata */
	assert_int_equal(s.nr_total, 4096 - metadata_pages(4096));
	assert_int_equal(s.nr_free, 4096 - metadata_pages(4096));
	assert_int_equal(s.nr_kind[FRAME_RESERVED], metadata_pages(4096));
}

/* The pages of an initrd below, between and above the other memory; given back in pieces. */
static void test_give(void **state)
{
	static const struct fake_range places[] = {{0, 4 * MIB}, {5 * MIB, 13 * MIB + 4096}, {20 * MIB, 24 * MIB}};
	static const struct fake_range memory[][2] = {
		{{4 * MIB, 6 * MIB}, {10 * MIB, 20 * MIB}},
		{{1 * MIB, 5 * MIB}, {14 * MIB, 20 * MIB}},
		{{0, 1 * MIB}, {3 * MIB, 20 * MIB}},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(places); i++) {
		const struct fake_range *r = &places[i];
		uint64_t base = 0x40000000, nr = (r->end - r->start) / PAGE_SIZE, step, before;

		fake.initrd = *r;
		fake_machine_boot_ranges(base, memory[i], 2);
		before = frame_nr_free();
		assert_int_equal(stats_now().nr_total, before + nr);
		for (int k = 0; k < 100; k++) /* some of it has metadata by now */
			frame_alloc(FRAME_ANON);
		assert_int_equal(frame_audit(), 0);
		for (uint64_t at = r->start; at < r->end; at += step) {
			step = MIN((at / PAGE_SIZE * 7 % 300 + 1) * PAGE_SIZE, r->end - at);
			frame_give((paddr_t){base + at}, (paddr_t){base + at + step});
			assert_int_equal(frame_audit(), 0);
			frame_alloc(FRAME_ANON);
		}
		while (!pfn_is_none(frame_alloc(FRAME_ANON)))
			;
		assert_int_equal(stats_now().nr_kind[FRAME_ANON], before + nr);
		assert_int_equal(frame_audit(), 0);
	}
	fake.initrd = (struct fake_range){0, 0};
}

static void test_one_frame(void **state)
{
	uint64_t before = frame_nr_free();
	pfn_t pfn = frame_alloc(FRAME_ANON);

	assert_false(pfn_is_none(pfn));
	assert_true(frame_is_valid(pfn));
	assert_int_equal(frame_kind(pfn), FRAME_ANON);
	assert_int_equal(frame_refs(pfn), 1);
	assert_int_equal(frame_nr_free(), before - 1);
	assert_int_equal(stats_now().nr_kind[FRAME_ANON], 1);
	assert_int_equal(ptr_to_pfn((char *)pfn_to_ptr(pfn) + 4095).raw, pfn.raw);
	frame_get(pfn);
	frame_put(pfn);
	assert_int_equal(frame_nr_free(), before - 1);
	frame_put(pfn);
	assert_int_equal(frame_nr_free(), before);
	assert_int_equal(frame_kind(pfn), FRAME_FREE);
	assert_int_equal(frame_refs(pfn), 0);
}

static void test_zeroed(void **state)
{
	for (int i = 0; i < 3000; i++) { /* beyond what was never used */
		pfn_t pfn = frame_alloc_zeroed(FRAME_ANON);
		const char *p = pfn_to_ptr(pfn);

		for (size_t k = 0; k < PAGE_SIZE; k++)
			assert_int_equal(p[k], 0);
		memset(pfn_to_ptr(pfn), 0xaa, PAGE_SIZE);
		frame_put(pfn);
	}
}

static void test_low_addresses_first(void **state)
{
	pfn_t first = frame_alloc(FRAME_KERNEL), pfn;

	assert_int_equal(first.raw, 0x40000000 >> PAGE_SHIFT);
	for (uint32_t i = 1; i < 500; i++) {
		pfn = frame_alloc(FRAME_KERNEL);
		assert_int_equal(pfn.raw, first.raw + i);
	}
	assert_int_equal(frame_span(), 1024); /* untouched memory stays so */
}

static void test_freed_low_addresses_first(void **state)
{
	pfn_t block[8];

	for (int i = 0; i < 8; i++)
		block[i] = frame_alloc_order(FRAME_KERNEL, 4);
	for (int i = 6; i >= 0; i -= 2) /* buddies of none that is free */
		frame_put(block[i]);
	for (int i = 0; i < 8; i += 2)
		assert_int_equal(frame_alloc_order(FRAME_KERNEL, 4).raw, block[i].raw);
}

static void test_orders_are_aligned(void **state)
{
	pfn_t single = frame_alloc(FRAME_ANON);

	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++) {
		pfn_t pfn = frame_alloc_order(FRAME_KERNEL, order);

		assert_false(pfn_is_none(pfn));
		assert_int_equal(pfn.raw & ((1u << order) - 1), 0);
		assert_int_equal(frame_order(pfn), order);
		assert_int_equal(stats_now().nr_kind[FRAME_KERNEL], 1u << order);
		memset(pfn_to_ptr(pfn), 1, PAGE_SIZE << order);
		if (order > 0) {
			assert_int_equal(frame_kind((pfn_t){pfn.raw + 1}), FRAME_KERNEL);
			assert_int_equal(frame_refs((pfn_t){pfn.raw + 1}), 0);
		}
		assert_int_equal(frame_audit(), 0);
		frame_put(pfn);
	}
	assert_true(pfn_is_none(frame_alloc_order(FRAME_KERNEL, FRAME_ORDER_MAX + 1)));
	frame_put(single);
	assert_int_equal(frame_nr_free(), stats_now().nr_total);
}

/*
 * A run is one piece while memory is fresh. Later what is left of blocks is used up
 * first, if it is at least a quarter of the run.
 */
static void test_runs_are_contiguous(void **state)
{
	static pfn_t out[65][64];
	unsigned breaks = 0;

	for (int i = 0; i < 40; i++)
		out[0][i] = frame_alloc(FRAME_ANON);
	for (int round = 0; round < 4; round++) {
		for (unsigned nr = 1; nr <= 64; nr++) {
			assert_int_equal(frame_alloc_run(FRAME_ANON, out[nr], nr), nr);
			for (unsigned i = 0; i < nr; i++) {
				breaks += i > 0 && out[nr][i].raw != out[nr][i - 1].raw + 1;
				assert_int_equal(frame_refs(out[nr][i]), 1);
				assert_int_equal(frame_order(out[nr][i]), 0);
			}
			if (round == 0 && nr <= 30)
				assert_int_equal(breaks, 0);
		}
		assert_int_equal(frame_audit(), 0);
		for (unsigned nr = 1; nr <= 64; nr++) {
			for (unsigned i = 0; i < nr; i++)
				frame_put(out[nr][i]);
		}
	}
	assert_in_range(breaks, 0,
			128); /* in 256 runs; debug builds, which keep frames back, have the most */
	for (int i = 0; i < 40; i++)
		frame_put(out[0][i]);
	assert_int_equal(frame_alloc_run(FRAME_ANON, out[0], 0), 0);
}

/* What a process leaves, in whatever order, is the next one's run; the buddy lists are not asked. */
static void test_run_comes_back(void **state)
{
	static const unsigned order[] = {1, 2, 0, 4, 3};
	pfn_t run[5], again[5], other = frame_alloc(FRAME_ANON);

	assert_int_equal(frame_alloc_run(FRAME_ANON, run, 5), 5);
	for (unsigned i = 0; i < 5; i++)
		frame_put(run[order[i]]);
	assert_int_equal(frame_alloc_run(FRAME_ANON, again, 5), 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(again[i].raw, again[0].raw + i);
#ifndef LEVITATE_DEBUG
		assert_int_equal(again[i].raw, run[i].raw);
#endif
		assert_int_equal(frame_refs(again[i]), 1);
	}
	frame_put(again[4]);
	frame_put(other); /* not beside them */
	for (unsigned i = 0; i < 4; i++)
		frame_put(again[i]);
	assert_int_equal(frame_alloc_run(FRAME_ANON, run, 5), 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(run[i].raw, run[0].raw + i);
		frame_put(run[i]);
	}
}

static void test_run_takes_what_there_is(void **state)
{
	pfn_t *all = calloc(5000, sizeof(*all));
	unsigned got = frame_alloc_run(FRAME_ANON, all, 5000);

	assert_int_equal(got, 4096 - metadata_pages(4096));
	assert_int_equal(frame_nr_free(), 0);
	assert_int_equal(frame_alloc_run(FRAME_ANON, all + got, 1), 0);
	for (unsigned i = 0; i < got; i += 2) /* only single frames are free */
		frame_put(all[i]);
	assert_true(pfn_is_none(frame_alloc_order(FRAME_ANON, 1)));
	assert_int_equal(frame_alloc_run(FRAME_ANON, all + got, 16), 16);
	assert_int_equal(frame_audit(), 0);
	free(all);
}

static void test_everything_comes_back(void **state)
{
	uint64_t total = stats_now().nr_total;
	pfn_t *all = calloc(total + 1, sizeof(*all)), big;
	uint64_t n = 0;

	while (!pfn_is_none(all[n] = frame_alloc(FRAME_ANON)))
		assert_true(++n <= total);
	assert_int_equal(n, total);
	assert_int_equal(frame_audit(), 0);
	for (uint64_t i = 0; i < n; i++)
		frame_put(all[(i * 1031) % n]); /* n and 1031 have no common divisor */
	assert_int_equal(frame_nr_free(), total);
	assert_int_equal(frame_audit(), 0);
	big = frame_alloc_order(FRAME_KERNEL, FRAME_ORDER_MAX); /* all has merged again */
	assert_false(pfn_is_none(big));
	free(all);
}

static void test_holes_and_frame_0(void **state)
{
	static const struct fake_range ranges[] = {
		{0, 0x9f000}, {0x100000, 0x900000}, {0x1234000, 0x1235000}, {0x3000000, 0x3801000}};
	pfn_t *all = calloc(8192, sizeof(*all));
	unsigned got;

	fake_machine_boot_ranges(0, ranges, 4);
	got = frame_alloc_run(FRAME_ANON, all, 8192);
	assert_int_equal(got, stats_now().nr_total);
	/* all frames but frame 0 and the metadata */
	assert_int_equal(got, 0x9f - 1 + 0x800 + 1 + 0x801 - metadata_pages(0x3c00));
	for (unsigned i = 0; i < got; i++) {
		uint64_t pa = pfn_to_phys(all[i]).raw;
		bool inside = false;

		assert_int_not_equal(all[i].raw, 0);
		for (int r = 0; r < 4; r++)
			inside |= pa >= ranges[r].start && pa < ranges[r].end;
		assert_true(inside);
		memset(pfn_to_ptr(all[i]), 0xff, PAGE_SIZE);
	}
	assert_int_equal(frame_audit(), 0); /* the metadata was not among them */
	assert_false(frame_is_valid((pfn_t){0xa0}));
	for (unsigned i = 0; i < got; i++)
		frame_put(all[i]);
	free(all);
}

static void test_sparse_range_is_given_up(void **state)
{
	static const struct fake_range ranges[] = {{0, 16 << 20},
						   {(uint64_t)1 << 34, ((uint64_t)1 << 34) + (16 << 20)}};

	fake.is_quiet = true;
	fake_machine_boot_ranges(0x40000000, ranges, 2);
	assert_non_null(strstr(fake.log, "too sparse"));
	assert_int_equal(stats_now().nr_total, 4096 - metadata_pages(4096));
	fake_machine_reset();
}

static void test_kinds_and_table_pages(void **state)
{
	pfn_t pfn = frame_alloc(FRAME_TABLE);

	assert_int_equal(frame_table_pages(pfn), 0);
	frame_table_set_pages(pfn, FRAME_TABLE_PAGES_MAX);
	assert_int_equal(frame_table_pages(pfn), FRAME_TABLE_PAGES_MAX);
	assert_int_equal(frame_kind(pfn), FRAME_TABLE);
	assert_int_equal(frame_refs(pfn), 1);
	assert_int_equal(frame_audit(), 0);
	frame_set_kind(pfn, FRAME_CACHE);
	assert_int_equal(stats_now().nr_kind[FRAME_TABLE], 0);
	assert_int_equal(stats_now().nr_kind[FRAME_CACHE], 1);
	assert_int_equal(frame_order(pfn), 0);
	frame_put(pfn);

	pfn = frame_alloc(FRAME_TABLE);
	frame_table_set_pages(pfn, 12345);
	frame_get(pfn);
	assert_false(frame_unref(pfn));
	assert_true(frame_unref(pfn));
	assert_int_equal(frame_table_pages(pfn), 12345);
	frame_free(pfn);
	assert_int_equal(frame_nr_free(), stats_now().nr_total);
}

static void test_counts_saturate(void **state)
{
	pfn_t pfn = frame_alloc(FRAME_ANON);
	uint64_t before = frame_nr_free();

	frame_table_[pfn.raw].refs = FRAME_REFS_STICKY - 1;
	frame_get(pfn);
	assert_true(frame_refs(pfn) >= FRAME_REFS_STICKY);
	frame_get(pfn);
	for (int i = 0; i < 10; i++)
		frame_put(pfn);
	assert_true(frame_refs(pfn) >= FRAME_REFS_STICKY); /* sticks: leaked, never freed twice */
	assert_int_equal(frame_nr_free(), before);
}

static void test_use_after_last_put_panics(void **state)
{
	pfn_t pfn = frame_alloc(FRAME_ANON);

	frame_put(pfn);
	assert_true(FAKE_PANICS(frame_put(pfn)));
	fake_machine_boot(16 * MIB);
	pfn = frame_alloc(FRAME_ANON);
	frame_put(pfn);
	assert_true(FAKE_PANICS(frame_get(pfn)));
	fake_machine_boot(16 * MIB);
}

static void test_audit_sees_damage(void **state)
{
	pfn_t pfn = frame_alloc(FRAME_ANON);

	fake.is_quiet = true;
	frame_table_[pfn.raw].refs = 0;
	assert_true(frame_audit() > 0);
	frame_table_[pfn.raw].refs = 1;
	assert_int_equal(frame_audit(), 0);
	frame_table_[pfn.raw].info ^= 1u << FRAME_KIND_SHIFT_;
	assert_true(frame_audit() > 0);
	fake_machine_reset();
	fake_machine_boot(16 * MIB);
}

static void test_injected_failure(void **state)
{
	pfn_t out[4], pfn;

	fail_alloc_arm(2, false);
	pfn = frame_alloc(FRAME_ANON);
	assert_false(pfn_is_none(pfn));
	assert_true(pfn_is_none(frame_alloc_zeroed(FRAME_ANON)));
	assert_int_equal(frame_alloc_run(FRAME_ANON, out, 4), 4);
	assert_int_equal(fail_alloc_count(), 3); /* a run is one allocation */
	fail_alloc_arm(1, true);
	assert_int_equal(frame_alloc_run(FRAME_ANON, out, 4), 0);
	assert_true(pfn_is_none(frame_alloc_order(FRAME_ANON, 3)));
	fail_alloc_arm(0, false);
	assert_false(pfn_is_none(frame_alloc_order(FRAME_ANON, 3)));
}

/* ---- shrinkers ------------------------------------------------------------------------ */

static pfn_t cached[100];
static unsigned nr_cached, nr_shrinks;

static size_t shrink_cached(void)
{
	size_t n = nr_cached;

	nr_shrinks++;
	assert_true(pfn_is_none(frame_alloc(FRAME_ANON))); /* no endless recursion */
	while (nr_cached > 0)
		frame_put(cached[--nr_cached]);
	return n;
}

static void test_shrinkers(void **state)
{
	unsigned n = 0;

	frame_register_shrinker(shrink_cached);
	frame_register_shrinker(shrink_cached); /* counts once */
	nr_shrinks = 0;
	for (nr_cached = 0; nr_cached < 100; nr_cached++)
		cached[nr_cached] = frame_alloc(FRAME_CACHE);
	while (!pfn_is_none(frame_alloc(FRAME_ANON)))
		n++;
	assert_int_equal(n, 4096 - metadata_pages(4096)); /* the cached ones too */
	assert_int_equal(nr_shrinks, 2);
	assert_int_equal(frame_nr_free(), 0);
}

/* ---- random use against a bitmap --------------------------------------------------------- */

struct held {
	uint32_t pfn;
	uint32_t order;
};
static struct held held[5000];
static unsigned nr_held;
static uint8_t is_used[4096];

static void model_take(pfn_t pfn, unsigned order)
{
	for (uint32_t i = 0; i < 1u << order; i++) {
		uint32_t n = pfn.raw - 0x40000 + i;

		assert_true(n < 4096);
		assert_int_equal(is_used[n], 0);
		is_used[n] = 1;
	}
	memset(pfn_to_ptr(pfn), (int)pfn.raw, PAGE_SIZE << order);
	held[nr_held++] = (struct held){pfn.raw, order};
}

static void model_drop(unsigned i)
{
	struct held h = held[i];
	const unsigned char *p = pfn_to_ptr((pfn_t){h.pfn});

	assert_int_equal(p[0], h.pfn & 255); /* nobody else wrote there */
	assert_int_equal(p[(PAGE_SIZE << h.order) - 1], h.pfn & 255);
	memset(&is_used[h.pfn - 0x40000], 0, 1u << h.order);
	held[i] = held[--nr_held];
	frame_put((pfn_t){h.pfn});
}

static void test_random_model(void **state)
{
	struct fake_random r = {fake_seed(20240501)};
	uint64_t in_use = 0;

	for (unsigned step = 0; step < 60000; step++) {
		/* swings between nearly empty and exhausted */
		bool grow = fake_random_below(&r, 100) < ((step / 5000) % 2 ? 35 : 65);

		if (grow && nr_held < 4900) {
			unsigned order = (unsigned)fake_random_below(&r, 8) == 0
						 ? (unsigned)fake_random_below(&r, 7)
						 : 0;
			pfn_t out[32], pfn;

			if (fake_random_below(&r, 4) == 0) {
				unsigned nr = frame_alloc_run(FRAME_ANON, out,
							      1 + (unsigned)fake_random_below(&r, 32));

				for (unsigned i = 0; i < nr; i++)
					model_take(out[i], 0);
			} else if (!pfn_is_none(pfn = frame_alloc_order(FRAME_KERNEL, order))) {
				model_take(pfn, order);
			}
		} else if (nr_held > 0) {
			model_drop((unsigned)fake_random_below(&r, nr_held));
		}
		in_use = 0;
		if (step % 512 == 0) {
			for (unsigned i = 0; i < 4096; i++)
				in_use += is_used[i];
			assert_int_equal(frame_nr_free(), stats_now().nr_total - in_use);
			assert_int_equal(frame_audit(), 0);
		}
	}
	while (nr_held > 0)
		model_drop(nr_held - 1);
	assert_int_equal(frame_nr_free(), stats_now().nr_total);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_metadata_is_8_bytes, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_give, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_one_frame, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_zeroed, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_low_addresses_first, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_freed_low_addresses_first, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_orders_are_aligned, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_runs_are_contiguous, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_run_comes_back, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_run_takes_what_there_is, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_everything_comes_back, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_holes_and_frame_0, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_sparse_range_is_given_up, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_kinds_and_table_pages, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_counts_saturate, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_use_after_last_put_panics, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_audit_sees_damage, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_injected_failure, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_shrinkers, boot16, check_audit),
		cmocka_unit_test_setup_teardown(test_random_model, boot16, check_audit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
