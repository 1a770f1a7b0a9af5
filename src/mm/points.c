/* Places for breakpoints and for those who look on: see mm/points.h. The empty asm keeps calls and arguments. */
#include "mm/points.h"

#include "mm/aspace.h"

#define KEEP(...) __asm__ volatile("" ::__VA_ARGS__ : "memory")

__attribute__((noinline)) void fork_point(struct aspace *parent, struct aspace *child)
{
	KEEP("r"(parent), "r"(child));
}

__attribute__((noinline)) void fault_point(struct aspace *as, uint64_t addr, unsigned access)
{
	KEEP("r"(as), "r"(addr), "r"(access));
}

__attribute__((noinline)) void oom_first(void) { KEEP("r"(0)); }

void allocation_failed(void)
{
	static bool has_failed;

	if (!has_failed) {
		has_failed = true;
		oom_first();
	}
}

void (*memory_recorder)(const char *operation, struct aspace *as, uint64_t addr);

void memory_point(const char *operation, struct aspace *as, uint64_t addr)
{
	if (memory_recorder != NULL)
		memory_recorder(operation, as, addr);
	mm_audit_point(operation);
}
