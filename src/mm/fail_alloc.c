/*
 * Allocation failure injection. Owns the count of allocations since the last
 * arm; the inline fail_alloc() of mm/frame.h does the common case.
 * Not locked: arming happens at boot or in tests, counting on one CPU.
 */
#include "mm/frame.h"
#include "mm/points.h"

#define NEVER UINT64_MAX

uint64_t fail_alloc_seen_;
uint64_t fail_alloc_at_ = NEVER;
static bool is_persistent;

void fail_alloc_arm(uint64_t n, bool persistent)
{
	fail_alloc_seen_ = 0;
	fail_alloc_at_ = n == 0 ? NEVER : n;
	is_persistent = persistent;
}

bool fail_alloc_hit(void)
{
	if (!is_persistent)
		fail_alloc_at_ = NEVER;
	allocation_failed();
	return true;
}

uint64_t fail_alloc_count(void) { return fail_alloc_seen_; }
