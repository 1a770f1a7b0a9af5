/*
 * The model test of address spaces (tests/model), briefly, with every check after every
 * operation: for each codec and strategy, and with what machines ask of fork and faults.
 * LEVITATE_TEST_SEED repeats a run, LEVITATE_TEST_STEPS makes it longer (or shorter);
 * LEVITATE_TEST_SHRINK: seconds spent on making a failing sequence smaller, 0 for none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fake_machine.h"
#include "model/model.h"

static uint64_t environment_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 0) : otherwise;
}

static void check(enum model_mode mode, bool has_windows, bool has_hot_pages)
{
	struct model_job job = {
		.setup = {.mode = (uint8_t)mode,
			  .has_windows = has_windows,
			  .has_hot_pages = has_hot_pages,
			  .audit_every = 1},
		.keeps_setup = true,
		.seed = environment_number("LEVITATE_TEST_SEED", 0x5eed + has_windows + 2u * has_hot_pages),
		.nr_ops = environment_number("LEVITATE_TEST_STEPS", 2000),
		.shrink_seconds = (unsigned)environment_number("LEVITATE_TEST_SHRINK", 10),
	};

	for (uint8_t codec = 0; codec < MODEL_CODECS; codec++) {
		job.setup.codec = codec;
		assert_int_equal(model_check(&job, NULL), 0);
	}
}

static void eager(void **state) { check(MODEL_EAGER, false, false); }

static void cow(void **state) { check(MODEL_COW, false, false); }

static void share_everything(void **state) { check(MODEL_SHARE, false, false); }

static void share_with_windows(void **state) { check(MODEL_SHARE, true, false); }

static void share_and_copy_hot_pages(void **state) { check(MODEL_SHARE, true, true); }

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
