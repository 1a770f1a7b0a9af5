/* One address space for each test: `as`. It must come clean and leave nothing behind. */
#ifndef ASPACE_FIXTURE_H
#define ASPACE_FIXTURE_H

#include "mm_test.h"
#include "mm/internal.h"

static struct aspace *as;

static int setup(void **state)
{
	(void)state;
	mm_test_boot(64 * MB);
	as = new_aspace();
	return 0;
}

static int teardown(void **state)
{
	int audit = mm_audit();

	(void)state;
	aspace_put(as);
	return audit != 0 || mm_audit() != 0 || frames_of_kind(FRAME_TABLE) + frames_of_kind(FRAME_ANON) != 0;
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* Ends the address space before the files it maps. */
static inline void renew(void)
{
	aspace_put(as);
	as = new_aspace();
}

static inline int64_t anon(uint64_t addr, uint64_t bytes, uint32_t prot, uint32_t flags)
{
	return map_anon(as, addr, bytes, prot, flags);
}

static inline void file_fixed(struct test_file *f, uint64_t addr, uint64_t bytes, uint32_t prot, uint32_t flags)
{
	assert_int_equal(map_file(as, &f->file, addr, bytes, prot, flags | MAP_FIXED, 0), addr);
}

static inline void reset_counts(void)
{
	memset(&pt_stats, 0, sizeof(pt_stats));
	memset(&aspace_stats, 0, sizeof(aspace_stats));
	fake.nr_flush_range = 0;
}

#endif
